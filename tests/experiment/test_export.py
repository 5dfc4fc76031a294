"""Exports load in the libraries alone, give the adapter's logits, and appear whole or not at all."""

import json
import shlex
import shutil
import subprocess
from importlib.util import find_spec

import huggingface_hub
import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from paft.errors import ConfigError, ModelError, PaftError
from paft.experiment.export import export, find_weights
from paft.model.chat import save_chat
from paft.model.settings import Chat
from paft.train.adapt import lora_config
from paft.train.settings import Adapt

TEMPLATE = "{% for m in messages %}{{ m['content'] }}{% endfor %}"
IDS = torch.arange(3, 60)[None]


def random_adapter(base, config, folder):
    """Save an adapter whose weights all differ from their start."""
    torch.manual_seed(0)  # for peft, which draws the start; rounding of a merged model depends on it
    model = get_peft_model(AutoModelForCausalLM.from_pretrained(base), config)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for weight in model.parameters():
            if weight.requires_grad:
                weight.add_(0.1 * torch.randn(weight.shape, generator=generator))
    model.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def base(model_folder, tmp_path_factory):
    """The tiny model with a chat template."""
    folder = shutil.copytree(model_folder, tmp_path_factory.mktemp("base") / "model")
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.chat_template = TEMPLATE
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def tied(base, tmp_path_factory):
    """The tiny model with one matrix for input and output."""
    folder = tmp_path_factory.mktemp("tied")
    model = AutoModelForCausalLM.from_pretrained(base)
    model.config.tie_word_embeddings = True
    model.tie_weights()
    model.save_pretrained(folder)
    AutoTokenizer.from_pretrained(base).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def adapter(base, tmp_path_factory):
    """A LoRA adapter as PAFT leaves it."""
    folder = random_adapter(base, lora_config(Adapt(rank=4)), tmp_path_factory.mktemp("run") / "adapter")
    AutoTokenizer.from_pretrained(base).save_pretrained(folder)
    save_chat(folder, Chat())
    return folder


def logits(model):
    with torch.inference_mode():
        return model.eval()(IDS).logits


def difference(base, adapter, merged):
    """Largest difference of a logit between base with adapter and the merged model, as plain libraries."""
    apart = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base), adapter)
    whole = AutoModelForCausalLM.from_pretrained(merged, dtype=torch.float32)
    return (logits(apart) - logits(whole)).abs().max().item()


def names(folder):
    return {path.name for path in folder.iterdir()}


def test_an_adapter_goes_out_as_it_was_trained(adapter, base, tmp_path):
    done = export(adapter, tmp_path / "out")
    assert (done.source, done.whole, done.difference, done.url) == (adapter, False, None, None)
    assert {"adapter_config.json", "adapter_model.safetensors", "tokenizer.json", "paft.json"} <= names(
        tmp_path / "out"
    )
    models = [PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base), f)
              for f in (adapter, tmp_path / "out")]  # fmt: skip
    assert torch.equal(logits(models[0]), logits(models[1]))
    assert AutoTokenizer.from_pretrained(tmp_path / "out").chat_template == TEMPLATE


KINDS = {
    "lora": lora_config(Adapt(rank=4)),
    "query and value": lora_config(Adapt(rank=4, targets=("q_proj", "v_proj"))),
    "rslora": lora_config(Adapt(rank=4, rslora=True)),
    "dora": lora_config(Adapt(rank=4, dora=True)),
    "embedding too": lora_config(Adapt(rank=4, modules_to_save=("embed_tokens",))),
    "embedding too, by others": LoraConfig(r=4, modules_to_save=["embed_tokens"]),
    "output": LoraConfig(r=4, target_modules=["q_proj", "lm_head"]),
    "input and output": LoraConfig(r=4, target_modules=["embed_tokens", "lm_head"]),
}


@pytest.mark.parametrize("source", ["base", "tied"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_merged_model_gives_the_adapters_logits(kind, source, request, tmp_path):
    folder = request.getfixturevalue(source)
    made = random_adapter(folder, KINDS[kind], tmp_path / "adapter")
    done = export(made, tmp_path / "out", merge=True)
    assert done.whole and done.difference < 1e-4
    assert difference(folder, made, tmp_path / "out") < 1e-4


def test_a_merged_model_has_what_servers_look_for(adapter, tmp_path):
    out = tmp_path / "deep" / "out"
    export(adapter, out, merge=True)
    assert {
        "config.json", "generation_config.json", "model.safetensors", "tokenizer.json",
        "tokenizer_config.json", "chat_template.jinja", "paft.json",
    } == names(out)  # fmt: skip
    assert not any("lora" in name for name in load_file(out / "model.safetensors"))
    assert json.loads((out / "config.json").read_text())["dtype"] == "float32"
    assert [path.name for path in out.parent.iterdir()] == ["out"]


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_the_type_of_the_weights_can_be_chosen(adapter, tmp_path, dtype):
    export(adapter, tmp_path / "out", merge=True, dtype=dtype)
    weights = load_file(tmp_path / "out" / "model.safetensors")
    assert {str(weight.dtype) for weight in weights.values()} == {f"torch.{dtype}"}
    assert str(AutoModelForCausalLM.from_pretrained(tmp_path / "out").dtype) == f"torch.{dtype}"


def test_a_whole_model_goes_out_with_the_same_weights(base, tmp_path):
    done = export(base, tmp_path / "out")
    assert done.whole and done.difference is None
    before, after = (load_file(folder / "model.safetensors") for folder in (base, tmp_path / "out"))
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_the_base_can_lie_elsewhere(adapter, base, tmp_path):
    moved = shutil.copytree(adapter, tmp_path / "adapter")
    config = json.loads((moved / "adapter_config.json").read_text())
    config["base_model_name_or_path"] = "gone/away"
    (moved / "adapter_config.json").write_text(json.dumps(config))
    with pytest.raises(ModelError, match="give the base of an adapter by --base"):
        export(moved, tmp_path / "out", merge=True)
    export(moved, tmp_path / "out", merge=True, base=str(base))
    assert difference(base, adapter, tmp_path / "out") < 1e-4
    export(moved, tmp_path / "plain", base=str(base))
    named = json.loads((tmp_path / "plain" / "adapter_config.json").read_text())
    assert named["base_model_name_or_path"] == str(base)


def test_a_merge_that_gives_another_model_is_not_written(adapter, tmp_path, monkeypatch):
    original = PeftModel.__getattr__

    def wrong(self, name):
        if name != "merge_and_unload":
            return original(self, name)
        return lambda **kwargs: self.base_model.unload()  # as if nothing had been trained

    monkeypatch.setattr(PeftModel, "__getattr__", wrong)
    with pytest.raises(ModelError, match="gives other logits"):
        export(adapter, tmp_path / "out", merge=True)
    assert not list(tmp_path.iterdir())


def test_a_full_disk_leaves_nothing(adapter, tmp_path, monkeypatch):
    def full(self, folder, **kwargs):
        (folder / "model.safetensors").write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("transformers.PreTrainedModel.save_pretrained", full)
    with pytest.raises(PaftError, match="No space left on device"):
        export(adapter, tmp_path / "out", merge=True)
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_exported_is_refused(adapter, tmp_path):
    with pytest.raises(ConfigError, match="is there already"):
        export(adapter, tmp_path)
    with pytest.raises(ConfigError, match="add --merge"):
        export(adapter, tmp_path / "out", dtype="bfloat16")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigError, match="holds no trained weights"):
        export(tmp_path / "empty", tmp_path / "out")
    pickled = shutil.copytree(adapter, tmp_path / "pickled")
    (pickled / "adapter_model.safetensors").rename(pickled / "adapter_model.bin")
    with pytest.raises(ModelError, match="pickled weights are not read"):
        export(pickled, tmp_path / "out")


def test_of_a_run_the_first_seed_of_paft_is_taken_unless_a_cell_is_named(tmp_path):
    def cells(*found):
        for name in found:
            (tmp_path / "trials" / name).mkdir(parents=True)

    cells("single-0/adapter", "base")
    assert find_weights(tmp_path).parent.name == "single-0"
    cells("static-0/adapter", "per_step-0/adapter")
    with pytest.raises(ConfigError, match=r"several trials: choose one by --trial \(per_step-0, single-0"):
        find_weights(tmp_path)
    cells("paft-10/adapter", "paft-2/adapter", "full-0/model")
    assert find_weights(tmp_path) == tmp_path / "trials" / "paft-2" / "adapter"
    assert find_weights(tmp_path, "full-0") == tmp_path / "trials" / "full-0" / "model"
    assert find_weights(tmp_path / "trials" / "static-0").parent.name == "static-0"
    with pytest.raises(ConfigError, match="no trained trial 'base'"):
        find_weights(tmp_path, "base")


def test_of_a_run_without_paft_the_only_method_on_the_bank_is_taken(tmp_path):
    for name in ("single-0", "per_example-10", "per_example-2"):
        (tmp_path / "trials" / name / "model").mkdir(parents=True)
    assert find_weights(tmp_path).parent.name == "per_example-2"
    (tmp_path / "trials" / "static-0" / "model").mkdir(parents=True)
    with pytest.raises(ConfigError, match=r"several trials: choose one by --trial"):
        find_weights(tmp_path)


def test_a_whole_model_comes_with_the_commands_that_make_a_gguf_file_of_it(paft, adapter, tmp_path):
    output = tmp_path / "my model"
    code, _, err = paft("export", adapter, "--gguf", "--output", output)
    assert code != 0 and "add --merge" in err and not output.exists()
    code, _, err = paft("export", adapter, "--private", "--output", output)
    assert code != 0 and "give --push-to-hub too" in err and not output.exists()
    code, out, err = paft("export", adapter, "--merge", "--gguf", "--output", output)
    assert code == 0, err
    convert, create = (line.strip() for line in out.splitlines()[-2:])
    file = str(output / "my model-f16.gguf")
    assert shlex.split(convert)[1:] == [
        "llama.cpp/convert_hf_to_gguf.py", str(output), "--outfile", file, "--outtype", "f16"
    ]  # fmt: skip
    line, _, command = create.partition(" && ")
    subprocess.run(line, shell=True, check=True)
    assert (output / "Modelfile").read_text() == "FROM ./my model-f16.gguf\n"
    assert shlex.split(command) == ["ollama", "create", "my-model", "-f", str(output / "Modelfile")]


def test_a_run_goes_out_as_one_model_with_its_card(configure, tmp_path):
    from paft.experiment.run import run

    config = configure(tmp_path / "run", methods=("base", "paft"))
    run(config)
    done = export(tmp_path / "run", tmp_path / "out", merge=True)
    assert done.source == tmp_path / "run" / "trials" / "paft-0" / "adapter"
    assert difference(config.model, done.source, tmp_path / "out") < 1e-4
    assert "library_name: transformers" in (tmp_path / "out" / "README.md").read_text("utf-8")


@pytest.mark.skipif(find_spec("bitsandbytes") is None, reason="needs the extra qlora")
def test_weights_in_4_bit_are_dequantised_before_an_adapter_is_merged(base, adapter, tmp_path):
    from paft.model.load import load_model

    made = shutil.copytree(adapter, tmp_path / "adapter")
    save_chat(made, Chat(), quantised=True)
    assert export(made, tmp_path / "out", merge=True).difference < 1e-4
    config = json.loads((tmp_path / "out" / "config.json").read_text())
    assert "quantization_config" not in config
    assert "quantised" not in json.loads((tmp_path / "out" / "paft.json").read_text())
    whole = logits(AutoModelForCausalLM.from_pretrained(tmp_path / "out"))
    rounded = logits(load_model(str(base), made).model)  # computes in bfloat16
    exact = logits(PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base), adapter))
    assert (whole - rounded).abs().max() < 0.1 * (whole - exact).abs().max()


class FakeHub:
    """Stands in for the Hub; what was asked of it, in order."""

    def __init__(self):
        self.calls = []

    def whoami(self):
        self.calls.append("whoami")

    def create_repo(self, repository, *, private, exist_ok):
        self.calls.append((repository, private, exist_ok))
        return f"https://hub.example/{repository}"

    def upload_folder(self, *, repo_id, folder_path, commit_message):
        self.calls.append((repo_id, names(folder_path)))


@pytest.fixture
def hub(monkeypatch):
    fake = FakeHub()
    monkeypatch.setattr(huggingface_hub, "HfApi", lambda: fake)
    monkeypatch.setattr(huggingface_hub, "get_token", lambda: "secret")
    return fake


def test_the_command_exports_merges_and_pushes(paft, adapter, hub, tmp_path):
    code, out, err = paft(
        "export", adapter, "--output", tmp_path / "out", "--merge", "--push-to-hub", "me/model", "--private"
    )
    assert code == 0, err
    assert hub.calls[:2] == ["whoami", ("me/model", True, True)]
    assert hub.calls[2] == ("me/model", names(tmp_path / "out"))
    assert "pushed to https://hub.example/me/model" in out and "logits differ" in out
    assert not any("secret" in f.read_text("utf-8", "replace") for f in (tmp_path / "out").glob("*.json"))


def test_a_push_that_cannot_succeed_is_refused_before_anything_is_written(
    adapter, hub, tmp_path, monkeypatch
):
    out = tmp_path / "out"
    with pytest.raises(ConfigError, match="a/b/c"):
        export(adapter, out, merge=True, push_to="a/b/c")
    with pytest.raises(ConfigError, match="which others do not have: add --merge"):
        export(adapter, out, push_to="me/adapter")
    monkeypatch.setattr(huggingface_hub, "get_token", lambda: None)
    with pytest.raises(ConfigError, match="HF_TOKEN"):
        export(adapter, out, merge=True, push_to="me/model")
    assert not out.exists() and hub.calls == []


def test_without_a_network_a_push_is_one_clear_error(adapter, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "secret")
    with pytest.raises(PaftError, match=r"cannot push to me/model on the Hub .*offline mode"):
        export(adapter, tmp_path / "out", merge=True, push_to="me/model")
    assert not (tmp_path / "out").exists()


def test_an_upload_that_breaks_off_leaves_the_folder(adapter, hub, tmp_path, monkeypatch):
    def broken(**kwargs):
        raise ConnectionError("reset by peer")

    monkeypatch.setattr(hub, "upload_folder", broken, raising=False)
    with pytest.raises(PaftError, match=r"reset by peer.*hf upload me/model"):
        export(adapter, tmp_path / "out", merge=True, push_to="me/model")
    assert (tmp_path / "out" / "model.safetensors").exists()
