"""Methods of adaptation: what peft is told, what is trained, and what is refused."""

import json
import math
from importlib.util import find_spec

import pytest
import torch
from peft.tuners.lora import LoraLayer

import paft.model.quantised
from paft.errors import ConfigError, DataError, ModelError, ResumeError
from paft.experiment.output_folder import claim_output
from paft.model.load import load_model
from paft.model.quantised import four_bit, is_quantised, trained_quantised
from paft.train.adapt import adapted, lora_config
from paft.train.loop import fine_tune
from paft.train.settings import Adapt, Train

needs_four_bit = pytest.mark.skipif(find_spec("bitsandbytes") is None, reason="needs the extra qlora")


def test_the_papers_setting_reaches_peft():
    config = lora_config(Adapt(rank=8, alpha=16, targets=("q_proj", "v_proj"), dropout=0.05))
    assert (config.r, config.lora_alpha, config.lora_dropout) == (8, 16, 0.05)
    assert set(config.target_modules) == {"q_proj", "v_proj"}
    assert (config.use_rslora, config.use_dora, config.modules_to_save) == (False, False, None)


def test_adapters_go_to_the_named_projections_alone(fresh_model):
    model = adapted(fresh_model.model, Adapt(rank=2, targets=("q_proj", "v_proj")))
    trained = [name for name, weight in model.named_parameters() if weight.requires_grad]
    assert len(trained) == 2 * 2 * 2  # layers x projections x (A, B)
    assert all(".q_proj.lora_" in name or ".v_proj.lora_" in name for name in trained)


def test_all_linear_leaves_embedding_and_output_alone(fresh_model):
    model = adapted(fresh_model.model, Adapt(rank=2))
    trained = {name.split(".lora_")[0] for name, w in model.named_parameters() if w.requires_grad}
    assert len(trained) == 2 * 7
    assert not any("embed_tokens" in name or "lm_head" in name for name in trained)


@pytest.mark.parametrize(("rslora", "scale"), [(False, 8 / 4), (True, 8 / math.sqrt(4))])
def test_the_scale_of_an_adapter(fresh_model, rslora, scale):
    model = adapted(fresh_model.model, Adapt(rank=4, alpha=8, rslora=rslora))
    scales = {m.scaling["default"] for m in model.modules() if isinstance(m, LoraLayer)}
    assert scales == {scale}


def test_dora_learns_lengths_and_starts_from_the_model_as_it_is(fresh_model):
    ids = torch.arange(3, 30)[None]
    before = fresh_model.model(ids).logits
    model = adapted(fresh_model.model, Adapt(rank=2, dora=True)).eval()
    assert (model(ids).logits - before).abs().max() < 1e-4
    names = [n for n, w in model.named_parameters() if w.requires_grad and "magnitude" in n]
    assert len(names) == 2 * 7


def test_all_weights_are_trained_without_an_adapter(fresh_model):
    model = adapted(fresh_model.model, Adapt(method="full"))
    assert model is fresh_model.model
    assert all(weight.requires_grad for weight in model.parameters())


def test_a_tied_output_follows_its_embedding_that_is_trained_whole(fresh_model):
    model = fresh_model.model
    model.config.tie_word_embeddings = True
    model.tie_weights()
    model = adapted(model, Adapt(rank=2, modules_to_save=("embed_tokens",)))
    embedding, head = model.get_input_embeddings(), model.get_output_embeddings()
    trained = embedding.modules_to_save["default"].weight
    assert trained.requires_grad
    assert head.weight is trained or head.modules_to_save["default"].weight is trained


@pytest.mark.parametrize("setting", [{"dora": True}, {"rslora": True}, {"modules_to_save": ("lm_head",)}])
def test_variants_of_adapters_are_refused_where_there_is_none(setting):
    with pytest.raises(ConfigError, match=f"{next(iter(setting))} needs an adapter"):
        Adapt(method="full", **setting)


def test_a_module_to_save_that_is_none_is_refused(fresh_model):
    with pytest.raises(
        ConfigError,
        match=r"modules_to_save: the model has no module named 'tokens'; did you mean 'embed_tokens'",
    ):
        adapted(fresh_model.model, Adapt(modules_to_save=("tokens",)))


@pytest.mark.parametrize(
    ("names", "absent", "near"),
    [
        (("q_proj", "qkv_proj"), "qkv_proj", "did you mean"),
        (("qkv_proj", "q_proj"), "qkv_proj", "did you mean"),
        (("q_proj", "up_projection"), "up_projection", "up_proj"),
        (("q_proj", "proj"), "proj", "did you mean"),  # no end of a name is a name
        (("q_proj", "layers.9.mlp.up_proj"), "layers.9.mlp.up_proj", "up_proj"),
        (("q_proj", ""), "", "known: "),
    ],
)
def test_every_target_must_be_a_module_of_the_model(fresh_model, names, absent, near):
    with pytest.raises(ConfigError) as caught:
        adapted(fresh_model.model, Adapt(targets=names))
    message = str(caught.value)
    assert f"train.adapt.targets: the model has no module named {absent!r}" in message
    assert near in message and "\n" not in message and len(message) < 500


@pytest.mark.parametrize("names", [("layers.1.self_attn.q_proj", "v_proj"), ("self_attn.o_proj",)])
def test_a_target_may_be_named_with_what_it_lies_in(fresh_model, names):
    model = adapted(fresh_model.model, Adapt(rank=2, targets=names))
    assert {n for n, w in model.named_parameters() if w.requires_grad}


@pytest.mark.parametrize("verb", ["run", "train"])
@pytest.mark.parametrize(
    "adapt", [{"targets": ["q_proj", "qkv_proj"]}, {"modules_to_save": ["tokens"]}, {"targets": ["wq"]}]
)
def test_a_module_that_is_none_is_refused_before_anything_is_written(configure, tmp_path, verb, adapt):
    import paft
    from paft.experiment.train import train

    config = configure(tmp_path / "out", train={"adapt": adapt})
    with pytest.raises(ConfigError, match=r"train\.adapt\..*the model has no module named"):
        paft.run(config) if verb == "run" else train(config)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("key", ["method", "rslora", "dora"])
def test_a_run_is_not_resumed_with_another_kind_of_adapter(configure, tmp_path, key):
    from paft.experiment.identity import run_identity
    from paft.experiment.inputs import load_inputs

    def named(**adapt):
        config = configure(tmp_path / "out", train={"adapt": adapt})
        return run_identity(config, load_inputs(config))

    claim_output(tmp_path / "out", named())
    with pytest.raises(ResumeError, match=rf"train\.adapt.*{key}"):
        claim_output(tmp_path / "out", named(**{key: "qlora" if key == "method" else True}))


def test_qlora_without_bitsandbytes_is_refused_before_anything_is_written(configure, tmp_path, monkeypatch):
    from paft.experiment.run import run

    monkeypatch.setattr(paft.model.quantised, "find_spec", lambda name: None)
    config = configure(tmp_path / "out", methods=("paft",), train={"adapt": {"method": "qlora"}})
    with pytest.raises(ModelError, match=r"pip install 'paft\[qlora\]'"):
        run(config)
    assert not (tmp_path / "out").exists()


def test_a_gpu_without_bfloat16_is_refused_by_name(monkeypatch):
    monkeypatch.setattr(paft.model.quantised, "find_spec", lambda name: object())
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: (7, 5))
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "Old GPU")
    with pytest.raises(ModelError, match="Old GPU does not compute in bfloat16"):
        four_bit()


def test_weights_go_to_4_bit_normal_float_with_doubly_quantised_scales(monkeypatch):
    monkeypatch.setattr(paft.model.quantised, "find_spec", lambda name: object())
    config = four_bit()
    assert config.load_in_4bit and config.bnb_4bit_use_double_quant
    assert (config.bnb_4bit_quant_type, config.bnb_4bit_compute_dtype) == ("nf4", torch.bfloat16)


def test_weights_must_be_in_4_bit_for_qlora_and_for_nothing_else(fresh_model):
    with pytest.raises(ConfigError, match=r"not in 4 bit: load them with load_model\(\.\.\., quantised=True"):
        adapted(fresh_model.model, Adapt(method="qlora"))


@pytest.mark.parametrize(("record", "expected"), [({}, False), ({"quantised": True}, True)])
def test_the_record_beside_an_adapter_says_what_it_was_trained_on(tmp_path, record, expected):
    assert not trained_quantised(tmp_path)
    (tmp_path / "paft.json").write_text(json.dumps(record))
    assert trained_quantised(tmp_path) is expected
    (tmp_path / "paft.json").write_text("[]")
    with pytest.raises(DataError, match=r"paft\.json is damaged"):
        trained_quantised(tmp_path)


@needs_four_bit
@pytest.mark.parametrize("dora", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_qlora_trains_saves_and_loads_on_weights_in_4_bit(model_folder, train_examples, bank, tmp_path, dora):
    adapt = Adapt(method="qlora", rank=4, dora=dora)
    config = Train(epochs=10, batch_size=12, learning_rate=2e-2, resample_every=1, adapt=adapt)
    loaded = load_model(str(model_folder), quantised=True)
    assert is_quantised(loaded.model)
    curve = fine_tune(
        loaded, train_examples, bank.prompts("train"), config, seed=0, output=tmp_path / "adapter"
    ).curve
    assert curve[-1][1] < 0.8 * curve[0][1]
    assert trained_quantised(tmp_path / "adapter")
    again = load_model(str(model_folder), tmp_path / "adapter")
    assert is_quantised(again.model)
    ids = torch.arange(3, 30)[None]
    with torch.inference_mode():
        trained, reloaded = loaded.model.eval()(ids).logits, again.model(ids).logits
    assert (trained - reloaded).abs().max() < 2e-2 * trained.abs().max()


@needs_four_bit
def test_a_judgement_between_steps_leaves_gradients_on_weights_in_4_bit_as_they_were(model_folder):
    model = adapted(
        load_model(str(model_folder), quantised=True).model, Adapt(method="qlora", rank=4, dropout=0.0)
    )
    ids = torch.arange(3, 30)[None]

    def gradients():
        model.train().zero_grad()
        model(ids, labels=ids).loss.backward()
        return {name: w.grad.clone() for name, w in model.named_parameters() if w.requires_grad}

    before = gradients()
    assert all(before[name].any() for name in before if "lora_B" in name)  # lora_B begins at zero
    with torch.inference_mode():
        model.eval()(ids)
    assert all(torch.equal(gradient, before[name]) for name, gradient in gradients().items())
