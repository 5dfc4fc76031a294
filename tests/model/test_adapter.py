"""Adapters are loaded whole, on their own base, under their own tokenizer, or refused."""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess

import pytest
import torch
from peft import LoraConfig, PrefixTuningConfig, PromptTuningConfig, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import AutoTokenizer

from paft.errors import DataError, ModelError, NotFiniteError
from paft.model.adapter import base_record, check_adapter_names, check_base, check_before_loading
from paft.model.chat import save_chat
from paft.model.load import load_model
from paft.model.settings import Chat
from paft.model.shared_base import SharedBase

TEMPLATE = "{% for m in messages %}{{ m.content }}{% endfor %}"
KINDS = {
    "lora": {},
    "dora": {"use_dora": True},
    "saved embedding": {"modules_to_save": ["embed_tokens"], "target_modules": ["q_proj"]},
    "adapted embedding": {"target_modules": ["embed_tokens", "q_proj"]},
    "saved norm": {"modules_to_save": ["norm"], "target_modules": ["q_proj", "v_proj"]},
    "rank pattern": {"rank_pattern": {"q_proj": 3}},
}
RESIZED = {  # adapters that bring the embeddings of a base with more tokens, or fewer
    "added tokens": {"added": 3},
    "added tokens, saved embedding": {"added": 3, "modules_to_save": ["embed_tokens", "lm_head"]},
    "cut vocabulary": {"added": -2},
}


@pytest.fixture
def adapter(model_folder, tmp_path):
    """Save a random adapter; returns its folder."""

    def make(kind="lora"):
        settings = {
            "task_type": "CAUSAL_LM",
            "r": 2,
            "target_modules": "all-linear",
            **(KINDS | RESIZED)[kind],
        }
        base = load_model(str(model_folder)).model
        if added := settings.pop("added", 0):
            base.resize_token_embeddings(len(base.get_input_embeddings().weight) + added)
        model = get_peft_model(base, LoraConfig(**settings))
        generator = torch.Generator().manual_seed(0)
        with torch.no_grad():
            for name, weight in model.named_parameters():
                if weight.requires_grad and "magnitude" not in name:
                    weight.add_(0.1 * torch.randn(weight.shape, generator=generator))
        model.save_pretrained(tmp_path / "adapter")
        made.append(model.eval())
        return tmp_path / "adapter"

    made = []
    make.models = made
    return make


@pytest.mark.parametrize("kind", KINDS | RESIZED)
def test_a_shared_base_gives_what_loading_gives_and_is_left_as_it_was(adapter, model_folder, kind):
    folder, ids = adapter(kind), torch.arange(8)[None]

    def logits(model):
        with torch.inference_mode():
            return model.model(input_ids=ids).logits

    models, name = SharedBase(), str(model_folder)
    for _ in range(2):
        with models.loaded(name) as base:
            assert torch.equal(logits(base), logits(load_model(name)))
        with models.loaded(name, folder) as tuned:
            assert torch.equal(logits(tuned), logits(load_model(name, folder)))


def test_a_base_on_which_an_adapter_failed_is_not_used_again(adapter, model_folder):
    models, name, folder = SharedBase(), str(model_folder), adapter()
    with models.loaded(name):
        pass
    spoiled(folder, half)
    with pytest.raises(ModelError, match="cannot be loaded whole"), models.loaded(name, folder):
        pass
    with models.loaded(name) as base:
        assert base.model.state_dict().keys() == load_model(name).model.state_dict().keys()


def spoiled(folder, change):
    file = folder / "adapter_model.safetensors"
    tensors = load_file(file)
    change(tensors)
    save_file(tensors, file, metadata={"format": "pt"})
    return folder


def half(tensors):
    for name in sorted(tensors)[::2]:
        del tensors[name]


def renamed(tensors):
    for name in list(tensors):
        tensors[name.replace("q_proj", "query").replace("embed_tokens", "wte")] = tensors.pop(name)


@pytest.mark.parametrize("kind", KINDS | RESIZED)
def test_an_adapter_of_any_kind_is_loaded_as_it_was_saved(adapter, model_folder, kind):
    folder = adapter(kind)
    ids = torch.arange(3, 40)[None]
    with torch.inference_mode():
        loaded = load_model(str(model_folder), folder).model(ids).logits
        assert torch.equal(loaded, adapter.models[0](ids).logits)
    check_adapter_names(str(model_folder), folder)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("change", [half, renamed])
@pytest.mark.parametrize("check", [load_model, check_adapter_names])
def test_a_part_of_an_adapter_is_refused_by_its_first_tensors(adapter, model_folder, kind, change, check):
    folder = spoiled(adapter(kind), change)
    with pytest.raises(ModelError) as caught:
        check(str(model_folder), folder)
    message = str(caught.value)
    assert f"adapter {folder} cannot be loaded whole: its files lack base_model.model." in message
    assert "\n" not in message and len(message) < 1000


@pytest.mark.parametrize("config", [PrefixTuningConfig, PromptTuningConfig])
@pytest.mark.parametrize("check", [load_model, check_before_loading])
def test_an_adapter_of_trained_tokens_before_the_prompt_is_refused_by_its_kind(
    model_folder, tmp_path, config, check
):
    settings = config(task_type="CAUSAL_LM", num_virtual_tokens=2)
    get_peft_model(load_model(str(model_folder)).model, settings).save_pretrained(tmp_path)
    with pytest.raises(ModelError, match=r"is of the kind (PREFIX|PROMPT)_TUNING, which puts trained tokens"):
        check(
            *(
                (tmp_path, str(model_folder))
                if check is check_before_loading
                else (str(model_folder), tmp_path)
            )
        )


def test_a_tensor_too_many_is_refused(adapter, model_folder):
    def change(tensors):
        tensors["base_model.model.model.layers.9.self_attn.q_proj.lora_A.weight"] = torch.zeros(2, 32)

    folder = spoiled(adapter(), change)
    for check in (load_model, check_adapter_names):
        with pytest.raises(ModelError, match=r"hold base_model.*layers\.9.*this adapter does not have"):
            check(str(model_folder), folder)


def test_a_saved_module_that_the_file_lacks_is_refused(adapter, model_folder):
    """peft tells of LoRA's own tensors alone."""
    folder = spoiled(adapter("saved norm"), lambda t: [t.pop(n) for n in list(t) if "norm" in n])
    with pytest.raises(ModelError, match=r"its files lack base_model\.model\.model\..*norm\.weight"):
        load_model(str(model_folder), folder)


def test_a_tensor_of_another_shape_is_named_without_loading(adapter, model_folder):
    def change(tensors):
        name = next(name for name in sorted(tensors) if "lora_A" in name)
        tensors[name] = tensors[name][:1].contiguous()

    with pytest.raises(ModelError, match=r"lora_A\.weight is \[1, \d+\] in its file, \[2, \d+\] by its"):
        check_adapter_names(str(model_folder), spoiled(adapter(), change))


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_numbers_of_an_adapter_that_are_not_finite_are_refused_by_name(adapter, model_folder, value):
    def change(tensors):
        sorted(tensors.items())[3][1].view(-1)[0] = value

    folder = spoiled(adapter(), change)
    with pytest.raises(NotFiniteError, match=r"adapter_model\.safetensors: tensor base_model\..*lora_B"):
        load_model(str(model_folder), folder)


@pytest.fixture
def other_base(model_folder, tmp_path):
    """A base of the same shape with other weights."""

    def nudge(tensors):
        tensors["model.norm.weight"] += 0.001

    folder = shutil.copytree(model_folder, tmp_path / "other")
    file = folder / "model.safetensors"
    tensors = load_file(file)
    nudge(tensors)
    save_file(tensors, file, metadata={"format": "pt"})
    return folder


def test_another_base_of_the_same_shape_is_refused_unless_it_is_asked_for(adapter, model_folder, other_base):
    folder = adapter()
    save_chat(folder, Chat(), base=base_record(str(model_folder)))
    assert check_base(folder, str(model_folder)) is None
    load_model(str(model_folder), folder)
    with pytest.raises(ModelError, match=r"was tuned on another base .*add --any-base") as caught:
        load_model(str(other_base), folder)
    assert str(model_folder) in str(caught.value) and "\n" not in str(caught.value)
    load_model(str(other_base), folder, any_base=True)
    assert "was tuned on another base" in check_base(folder, str(other_base), any_base=True)


def test_a_copy_of_the_base_elsewhere_is_the_base(adapter, model_folder, tmp_path):
    folder = adapter()
    save_chat(folder, Chat(), base=base_record(str(model_folder)))
    assert check_base(folder, str(shutil.copytree(model_folder, tmp_path / "copy"))) is None


@pytest.mark.parametrize("record", [None, "{}", '{"base": null}'])
def test_of_an_adapter_without_a_record_it_is_told_that_its_base_is_not_known(
    adapter, model_folder, other_base, record
):
    folder = adapter()
    if record is not None:
        (folder / "paft.json").write_text(record)
    told = check_base(folder, str(other_base))
    assert "could not be verified" in told and str(model_folder) in told and str(other_base) in told


def test_a_damaged_record_is_named(adapter, model_folder):
    folder = adapter()
    (folder / "paft.json").write_text("[]")
    with pytest.raises(DataError, match=r"paft\.json is damaged"):
        check_base(folder, str(model_folder))


def with_template(source, folder, template):
    tokenizer = AutoTokenizer.from_pretrained(source)
    tokenizer.chat_template = template
    tokenizer.save_pretrained(folder)


def test_another_chat_template_beside_the_adapter_is_refused(adapter, model_folder, tmp_path):
    folder = adapter()
    with_template(model_folder, folder, None)
    load_model(str(model_folder), folder)
    with_template(model_folder, folder, TEMPLATE)
    with pytest.raises(ModelError, match=r"the chat template beside the adapter .* remove the tokenizer's"):
        load_model(str(model_folder), folder)
    base = shutil.copytree(model_folder, tmp_path / "chat")
    with_template(model_folder, base, TEMPLATE)
    load_model(str(base), folder)


@pytest.mark.parametrize("spelt", ["{# mine #}" + TEMPLATE, TEMPLATE + "\n", TEMPLATE.replace("m.", "m . ")])
def test_a_template_that_is_spelt_otherwise_and_writes_the_same_is_the_same(
    adapter, model_folder, tmp_path, spelt
):
    base = shutil.copytree(model_folder, tmp_path / "chat")
    with_template(model_folder, base, TEMPLATE)
    folder = adapter()
    with_template(model_folder, folder, spelt)
    load_model(str(base), folder)


@pytest.mark.parametrize("template", [TEMPLATE + " ", "{{ messages[-1].content }}", "{% if"])
def test_after_the_command_of_the_error_the_adapter_is_asked_as_its_base_is(
    adapter, model_folder, tmp_path, template
):
    base = shutil.copytree(model_folder, tmp_path / "chat")
    with_template(model_folder, base, TEMPLATE)
    folder = adapter()
    with_template(model_folder, folder, template)
    with pytest.raises(ModelError, match="is not that of its base") as caught:
        check_before_loading(folder, str(base))
    subprocess.run(shlex.split(str(caught.value).rpartition(": ")[2]), check=True)
    load_model(str(base), folder)


def test_a_template_alone_beside_the_adapter_counts_too(adapter, model_folder):
    folder = adapter()
    (folder / "chat_template.jinja").write_text(TEMPLATE)
    with pytest.raises(ModelError, match="chat template beside the adapter"):
        load_model(str(model_folder), folder)


def test_another_tokenizer_beside_the_adapter_is_refused(adapter, model_folder):
    folder = adapter()
    tokenizer = AutoTokenizer.from_pretrained(model_folder)
    tokenizer.add_tokens(["card"])
    tokenizer.save_pretrained(folder)
    with pytest.raises(ModelError, match="the tokenizer beside the adapter"):
        load_model(str(model_folder), folder)


def test_a_tokenizer_that_begins_texts_otherwise_is_another(adapter, model_folder, bos_tokenizer):
    folder = adapter()
    bos_tokenizer.save_pretrained(folder)
    with pytest.raises(ModelError, match="the tokenizer beside the adapter"):
        load_model(str(model_folder), folder)


def test_settings_that_do_not_reach_a_token_may_differ(adapter, model_folder):
    folder = adapter()
    tokenizer = AutoTokenizer.from_pretrained(model_folder, padding_side="left")
    tokenizer.add_special_tokens({"pad_token": "[PAD]"})
    tokenizer.save_pretrained(folder)
    config = json.loads((folder / "tokenizer_config.json").read_text())
    (folder / "tokenizer_config.json").write_text(json.dumps({**config, "model_max_length": 77}))
    load_model(str(model_folder), folder)
