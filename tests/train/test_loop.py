"""Fine-tuning the tiny model: it learns, repeats bit by bit, and sees what the schedule says."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from paft.errors import ConfigError, DataError
from paft.model.load import load_model
from paft.train.batches import PlanSampler, RenderedExamples
from paft.train.loop import fine_tune
from paft.train.schedule import Schedule
from paft.train.settings import Train

SETTINGS = {"epochs": 2, "batch_size": 16, "resample_every": 1, "adapt": {"rank": 4}}


@pytest.fixture
def train(model_folder, train_examples, bank, tmp_path):
    """Fine-tune a newly loaded model; returns (record, folder)."""
    made = []

    def run(seed=0, rate=5e-3, on_step=None, name=None, **settings):
        output = tmp_path / (name or f"out{len(made)}")
        made.append(output)
        config = Train(**{**SETTINGS, "learning_rate": rate, **settings})
        trained = fine_tune(
            load_model(str(model_folder)), train_examples, bank.prompts("train"), config,
            seed=seed, output=output, on_step=on_step,
        )  # fmt: skip
        return trained, output

    return run


def weights(folder):
    return load_file(folder / "adapter_model.safetensors")


def difference(one, other):
    assert one.keys() == other.keys() and one
    return max((one[name] - other[name]).abs().max().item() for name in one)


def test_the_loss_falls_and_the_caller_hears_of_every_step(train):
    heard = []
    trained, _ = train(epochs=10, rate=2e-2, on_step=lambda *news: heard.append(news))
    assert trained.steps == 20
    assert [step for step, *_ in heard] == list(range(1, 21))
    entries = [(step, sum(loss for _, _, loss, _ in heard[step - 5 : step]) / 5) for step in (5, 10, 15, 20)]
    assert [step for step, _ in trained.curve] == [step for step, _ in entries]
    assert [mean for _, mean in trained.curve] == pytest.approx([mean for _, mean in entries], abs=1e-3)
    assert {total for _, total, *_ in heard} == {20}
    assert heard[-1][2] < 0.8 * heard[0][2]


def test_the_adapter_is_saved_as_safetensors_and_nothing_is_pickled(train):
    _, folder = train()
    names = {path.name for path in folder.rglob("*") if path.is_file()}
    assert {"adapter_config.json", "adapter_model.safetensors", "tokenizer.json"} <= names
    assert not {n for n in names if n.endswith((".bin", ".pt", ".pth", ".pkl", ".npy"))}
    assert any(tensor.abs().sum() > 0 for name, tensor in weights(folder).items() if "lora_B" in name)


def test_nothing_but_the_output_folder_is_left(train, tmp_path):
    _, folder = train()
    assert list(tmp_path.iterdir()) == [folder]


def test_micro_batches_do_not_change_the_result(train):
    whole = weights(train(micro_batch_size=16)[1])
    for micro in (8, 4):  # 24 examples: the last step of an epoch is half a batch
        assert difference(whole, weights(train(micro_batch_size=micro)[1])) < 1e-5


def test_the_same_seed_gives_the_same_bits_whatever_the_random_state_before(train):
    settings = {"adapt": {"rank": 4, "dropout": 0.1}}
    first, folder = train(seed=3, **settings)
    torch.manual_seed(99)
    np.random.seed(99)
    random.seed(99)
    torch.rand(17)
    second, again = train(seed=3, **settings)
    assert difference(weights(folder), weights(again)) == 0.0
    assert (first.loss, first.tokens) == (second.loss, second.tokens)


def test_another_seed_gives_other_weights(train):
    assert difference(weights(train(seed=0)[1]), weights(train(seed=1)[1])) > 1e-4


def test_full_fine_tuning_saves_a_whole_model_that_differs_from_the_start(train, model_folder):
    _, folder = train(adapt={"method": "full"}, rate=1e-3)
    assert not (folder / "adapter_config.json").exists()
    before = dict(load_model(str(model_folder)).model.named_parameters())
    after = dict(load_model(str(folder)).model.named_parameters())
    assert difference(before, after) > 1e-4


def test_lora_leaves_the_weights_beside_the_adapter_alone(train, model_folder):
    _, folder = train()
    assert {name.rsplit(".", 2)[-2] for name in weights(folder)} == {"lora_A", "lora_B"}


@pytest.mark.parametrize(
    ("schedule", "micro"), [("single", 4), ("static", 4), ("example", 4), ("block", 4), ("block", None)]
)
def test_the_prompts_seen_at_each_step_are_those_of_the_schedule(train, monkeypatch, schedule, micro):
    seen = []
    original = RenderedExamples.__getitem__

    def spy(self, plan):
        seen.append(plan)
        return original(self, plan)

    monkeypatch.setattr(RenderedExamples, "__getitem__", spy)
    train(seed=5, epochs=2, batch_size=8, schedule=schedule, resample_every=2, micro_batch_size=micro)
    counted, seen = seen[:24], seen[24:]  # the first pass counts what is cut off
    planned = Schedule(schedule, 5, resample_every=2, seed=5)
    assert set(counted) == set(seen[:24])
    assert schedule in ("static", "example") or counted == seen[:24]
    assert len(seen) == 48
    for epoch in (0, 1):
        examples = []
        for position, plan in enumerate(seen[24 * epoch : 24 * epoch + 24]):
            step = position // 8
            assert plan.prompt == planned.prompt(epoch=epoch, step=step, example=plan.example)
            examples.append(plan.example)
        assert sorted(examples) == list(range(24))


@pytest.mark.parametrize("schedule", ["block", pytest.param("example", marks=pytest.mark.slow)])
@pytest.mark.parametrize("length", [2, 8])  # within the first epoch of three steps, and past both
def test_a_number_of_steps_ends_the_training_and_changes_no_draw(train, monkeypatch, schedule, length):
    seen, heard = [], []
    original = RenderedExamples.__getitem__

    def spy(self, plan):
        seen.append(plan)
        return original(self, plan)

    monkeypatch.setattr(RenderedExamples, "__getitem__", spy)
    settings = {"batch_size": 8, "resample_every": 2, "schedule": schedule}
    train(epochs=3, **settings)
    whole = seen[24:]  # the first pass counts what is cut off
    seen.clear()
    trained, _ = train(
        epochs=2, max_steps=length, on_step=lambda _, steps, *__: heard.append(steps), **settings
    )
    assert trained.steps == length and set(heard) == {length}
    assert seen[24:][: 8 * length] == whole[: 8 * length]  # the loader reads a batch ahead


def test_steps_and_tokens_are_counted(train, bank, train_examples, language_model):
    trained, _ = train(seed=2, epochs=2, batch_size=16, schedule="block")
    dataset = RenderedExamples(train_examples, bank.prompts("train"), language_model.encoder(1024))
    planned = Schedule("block", 5, resample_every=1, seed=2)
    tokens = sum(
        len(dataset[plan].input_ids) for epoch in (0, 1) for plan in PlanSampler(planned, 24, 16).plans(epoch)
    )
    assert (trained.steps, trained.tokens, trained.truncated) == (4, tokens, 0)


def test_cut_prompts_are_counted(train):
    trained, _ = train(max_length=24, epochs=1, schedule="single")
    assert 0 < trained.truncated <= 24


def test_an_answer_that_does_not_fit_is_an_error_before_training(train, tmp_path):
    with pytest.raises(DataError, match=r"training examples: .*max_length"):
        train(max_length=8)
    assert not list(tmp_path.iterdir())


def test_a_batch_that_micro_batches_do_not_divide_is_refused(train):
    with pytest.raises(ConfigError, match="not a multiple of micro_batch_size 5"):
        train(micro_batch_size=5)


def test_adapter_targets_that_name_no_module_are_refused(train):
    with pytest.raises(ConfigError, match=r"train\.adapt\.targets"):
        train(adapt={"targets": ["no_such_projection"]})


@pytest.mark.slow
def test_a_killed_run_goes_on_with_other_workers_and_checkpoints(train):
    def die(step, *_):
        if step == 5:
            raise KeyboardInterrupt

    noisy = {"adapt": {"rank": 4, "dropout": 0.3}, "batch_size": 8}
    _, whole = train(**noisy)
    with pytest.raises(KeyboardInterrupt):
        train(on_step=die, name="killed", save_every=2, **noisy)
    _, again = train(name="killed", save_every=3, workers=1, **noisy)
    assert difference(weights(whole), weights(again)) == 0


def test_a_full_disk_is_one_error_and_leaves_no_half_adapter(train, monkeypatch, tmp_path):
    from peft import PeftModel

    from paft.errors import PaftError

    def full(self, folder, **kwargs):
        (folder / "adapter_model.safetensors").write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(PeftModel, "save_pretrained", full)
    with pytest.raises(PaftError, match="No space left on device"):
        train()
    assert not list(tmp_path.iterdir())
