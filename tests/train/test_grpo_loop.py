"""Reinforcement fine-tuning of the tiny model: it learns, repeats bit by bit, and keeps to its rows."""

from __future__ import annotations

import json
import random

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from paft.errors import ConfigError, DivergedError, PaftError
from paft.evaluate.cells import score_cells
from paft.model.load import load_model
from paft.train.grpo.loop import reinforce
from paft.train.grpo.trainer import GroupTrainer
from paft.train.loop import fine_tune
from paft.train.settings import Train
from paft.train.validation import Validation

# Tokens of even id are good: what a random model can learn within a few steps.
EVEN = """
def even(completion_ids, **_):
    return [sum(i % 2 == 0 for i in ids) / len(ids) for ids in completion_ids]

def nothing(completions, **_):
    return [0.0 for _ in completions]

def wrong(completions, **_):
    return [float("nan") for _ in completions]
"""
GRPO = {"generations": 4, "max_tokens": 4}
SETTINGS = {
    "algorithm": "grpo", "epochs": 1, "batch_size": 8, "resample_every": 1, "learning_rate": 5e-3,
    "adapt": {"rank": 4},
}  # fmt: skip
STEPS = 3  # 24 examples by 8
slow = pytest.mark.slow


@pytest.fixture(scope="module")
def rewards(tmp_path_factory):
    path = tmp_path_factory.mktemp("rewards") / "rewards.py"
    path.write_text(EVEN)
    return path


@pytest.fixture
def train(model_folder, train_examples, task, bank, tmp_path, rewards):
    """Reinforce a newly loaded model; returns (record, folder)."""
    made = []

    def run(reward="even", seed=0, on_step=None, validation=None, examples=None, grpo=(), **settings):
        output = tmp_path / f"out{len(made)}" / "adapter"
        made.append(output)
        section = {**GRPO, "rewards": [f"{rewards}:{reward}"], **dict(grpo)}
        trained = reinforce(
            load_model(str(model_folder)), task, train_examples[:examples], bank.prompts("train"),
            Train(**{**SETTINGS, **settings, "grpo": section}),
            seed=seed, output=output, on_step=on_step, validation=validation,
        )  # fmt: skip
        return trained, output

    return run


def weights(folder):
    return load_file(folder / "adapter_model.safetensors")


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


@slow
def test_the_reward_rises_and_the_caller_hears_of_it(train):
    heard = []
    settings = {"adapt": {"method": "full"}, "learning_rate": 1e-2, "lr_scheduler": "constant"}
    trained, folder = train(epochs=5, **settings, on_step=lambda *news: heard.append(news))
    assert trained.steps == 5 * STEPS
    assert [(step, total) for step, total, *_ in heard] == [(step, 15) for step in range(1, 16)]
    told = [reward for _, _, reward, _ in heard]
    means = [sum(told[at : at + 5]) / 5 for at in (0, 5, 10)]
    assert [step for step, _ in trained.rewards] == [5, 10, 15]
    assert means == pytest.approx([reward for _, reward in trained.rewards])
    assert trained.rewards[-1][1] > trained.rewards[0][1] + 0.15
    assert heard[-1][3] == trained.tokens
    assert {"config.json", "model.safetensors", "tokenizer.json"} <= {path.name for path in folder.iterdir()}
    assert not (folder / "README.md").exists()  # ours is written with the trial
    assert [path.name for path in folder.parent.iterdir()] == ["adapter"]


def test_what_is_counted_by_prompt_adds_up(train, bank):
    trained, _ = train(epochs=2)
    records = trained.by_prompt
    assert set(records) <= {prompt.id for prompt in bank.prompts("train")}
    count = sum(record.completions for record in records.values())
    assert count == 2 * STEPS * 8 * 4
    mean = sum(record.completions * record.reward for record in records.values()) / count
    steps = [5, 1]  # of each entry of the curve
    assert mean == pytest.approx(
        sum(n * reward for n, (_, reward) in zip(steps, trained.rewards, strict=True)) / 6, abs=1e-5
    )
    for record in records.values():
        assert 1 <= record.length <= 4 and 0 < record.entropy < np.log(600)
        assert 0 <= record.score <= record.readable <= 1 and 0 < record.useful <= 1
    json.dumps(records)


@slow
def test_the_same_seed_gives_the_same_bits_whatever_the_random_state_before(train):
    first, folder = train(seed=3)
    torch.manual_seed(99)
    np.random.seed(99)
    random.seed(99)
    torch.rand(17)
    second, again = train(seed=3)
    assert same(weights(folder), weights(again))
    assert first.by_prompt == second.by_prompt
    assert not same(weights(folder), weights(train(seed=4)[1]))


@slow
def test_micro_batches_do_not_change_samples_or_result(train):
    whole, folder = train(micro_batch_size=32)
    parts, other = train(micro_batch_size=8)
    for name, tensor in weights(folder).items():
        torch.testing.assert_close(weights(other)[name], tensor, rtol=1e-3, atol=1e-5)
    assert parts.rewards[0][1] == pytest.approx(whole.rewards[0][1])


def test_a_spanning_group_meets_every_prompt_of_a_small_bank(train):
    shared, _ = train(schedule="single")
    spanning, _ = train(grpo={"group": "spanning"})
    assert len(shared.by_prompt) == 1
    assert len(spanning.by_prompt) == 5
    assert sum(record.completions for record in spanning.by_prompt.values()) == STEPS * 8 * 4


def test_completions_are_used_for_several_steps(train, monkeypatch):
    rounds, original = [], GroupTrainer._generate_and_score_completions

    def spy(self, inputs):
        rounds.append((self.state.global_step, inputs[0]["position"]))
        return original(self, inputs)

    monkeypatch.setattr(GroupTrainer, "_generate_and_score_completions", spy)
    trained, _ = train(grpo={"iterations": 2}, micro_batch_size=16)
    assert trained.steps == 2 * STEPS
    assert rounds == [(0, 0), (2, 32), (4, 64)]
    assert sum(record.completions for record in trained.by_prompt.values()) == STEPS * 32


def test_a_checkpoint_s_own_settings_have_no_part_in_what_is_sampled(
    train, model_folder, tmp_path, monkeypatch
):
    """Suppressed tokens, say: the probability that TRL gives a completion knows nothing of them."""
    model = load_model(str(model_folder))
    model.model.generation_config.suppress_tokens = list(range(0, len(model.tokenizer), 2))
    monkeypatch.setattr("test_grpo_loop.load_model", lambda _: model)
    trained, _ = train(max_steps=1)
    assert trained.rewards[0][1] > 0  # the share of even tokens
    assert model.model.generation_config.suppress_tokens  # only put aside


@slow
def test_a_step_that_is_not_full_is_filled_not_dropped(train):
    trained, _ = train(examples=20)
    assert trained.steps == 3
    assert sum(record.completions for record in trained.by_prompt.values()) == 3 * 32


def test_rows_in_another_order_end_the_training(train, monkeypatch):
    from trl.trainer.utils import RepeatSampler

    monkeypatch.setattr(
        GroupTrainer,
        "_get_train_sampler",
        lambda self, dataset=None: RepeatSampler(self.train_dataset, 1, 32, 1, shuffle=True, seed=0),
    )
    with pytest.raises(AssertionError, match="TRL changed their order"):
        train()


def test_rows_that_would_be_dropped_end_the_training(train, monkeypatch):
    import paft.train.grpo.loop as module

    original = module.unroll_rows
    monkeypatch.setattr(
        module, "unroll_rows", lambda *args: {k: column[:-4] for k, column in original(*args).items()}
    )
    with pytest.raises(AssertionError, match="make no whole rounds of 32"):
        train()


def test_weights_that_are_all_trained_are_saved_whole(train, model_folder):
    _, folder = train(adapt={"method": "full"}, learning_rate=1e-3, grpo={"beta": 0.1})
    before = dict(load_model(str(model_folder)).model.named_parameters())
    after = dict(load_model(str(folder)).model.named_parameters())
    assert max((before[name] - after[name]).abs().max().item() for name in before) > 1e-4
    tokenizer = json.loads((folder / "tokenizer_config.json").read_text())
    assert tokenizer["pad_token"] == "<pad>"


@slow
def test_the_divergence_from_the_start_is_held_back(train):
    free, held = (train(epochs=3, learning_rate=1e-2, grpo={"beta": beta})[1] for beta in (0.0, 5.0))

    def size(folder):
        return sum(tensor.square().sum() for name, tensor in weights(folder).items() if "lora_B" in name)

    assert size(held) < size(free)


@pytest.mark.parametrize("scale", ["group", "batch", "none"])
@pytest.mark.parametrize("loss_type", ["grpo", "bnpo", "dr_grpo", "dapo"])
def test_settings_reach_trl(scale, loss_type, language_model, tmp_path):
    from paft.train.grpo.loop import grpo_arguments

    grpo = {
        **GRPO, "scale_rewards": scale, "loss_type": loss_type, "epsilon": 0.1, "beta": 0.2, "iterations": 3,
        "temperature": 0.7, "weights": [0.5],
    }  # fmt: skip
    args = grpo_arguments(
        Train(**{**SETTINGS, "micro_batch_size": 8, "grpo": grpo}), 3, tmp_path, 5, [2], language_model
    )
    wanted = {
        "scale_rewards": scale, "loss_type": loss_type, "epsilon": 0.1, "beta": 0.2, "num_iterations": 3,
        "temperature": 0.7, "reward_weights": [0.5], "num_generations": 4, "max_completion_length": 5,
        "learning_rate": 5e-3, "per_device_train_batch_size": 8, "gradient_accumulation_steps": 4,
        "steps_per_generation": 4, "generation_batch_size": 32, "seed": 3, "shuffle_dataset": False,
        "gradient_checkpointing": False, "bf16": False, "disable_dropout": True, "use_vllm": False,
    }  # fmt: skip
    assert {name: getattr(args, name) for name in wanted} == wanted


@pytest.mark.parametrize(
    ("vllm", "wanted"),
    [
        ("colocate", ("colocate", None)),
        ("http://host:8000", ("server", "http://host:8000")),
    ],
)
def test_sampling_with_vllm_is_asked_for_as_trl_wants_it(vllm, wanted, language_model, tmp_path):
    from paft.train.grpo.loop import grpo_arguments

    args = grpo_arguments(
        Train(**{**SETTINGS, "grpo": {**GRPO, "vllm": vllm}}), 0, tmp_path, 5, [2, 7], language_model
    )
    assert args.use_vllm and (args.vllm_mode, args.vllm_server_base_url) == wanted
    assert args.generation_kwargs == {"stop_token_ids": [2, 7]}


def test_a_model_that_never_stops_is_one_clear_error(train):
    told = r"learnt nothing in 3 steps.*0% ended within 4 tokens.*never stops: raise train\.grpo\.max_tokens"
    with pytest.raises(PaftError, match=told):
        train("nothing")


def test_rewards_that_never_differ_are_one_clear_error(train, task):
    with pytest.raises(PaftError, match=r"in no group did rewards differ.*begin with a model above chance"):
        train("nothing", grpo={"max_tokens": 60, "generations": 2, "weights": [0, 1]})


def test_equal_rewards_that_are_no_binary_fractions_teach_nothing(train, rewards, monkeypatch):
    # The mean of eight rewards of 0.7 in float32 is not 0.7.
    raw = torch.full((8,), 0.7)
    assert (raw - raw.mean()).abs().max() > 0
    (rewards.parent / "same.py").write_text(
        "def same(completions, **_):\n    return [0.7 for _ in completions]\n"
    )
    added = []
    add = GroupTrainer._generate_and_score_completions
    monkeypatch.setattr(
        GroupTrainer, "_generate_and_score_completions",
        lambda self, inputs: added.append(add(self, inputs)) or added[-1],
    )  # fmt: skip
    section = {"generations": 8, "rewards": [f"{rewards.parent}/same.py:same"], "weights": [0, 1]}
    with pytest.raises(PaftError, match="in no group did rewards differ"):
        train(grpo=section)
    assert len(added) == STEPS and not any(round_["advantages"].any() for round_ in added)


def test_a_reward_that_is_no_number_ends_the_training_with_one_error(train):
    with pytest.raises(ConfigError, match=r"rewards.py:wrong returned nan for completion"):
        train("wrong")


def test_a_training_that_diverges_ends_and_nothing_is_kept(train, tmp_path):
    with pytest.raises(DivergedError, match="training diverged"):
        train(epochs=3, learning_rate=1e38, warmup=0.0, max_grad_norm=0.0)
    assert not list(tmp_path.glob("out*/*"))


@pytest.mark.parametrize("keep", ["best", pytest.param("last", marks=slow)])
def test_validations_choose_the_weights_and_leave_the_curve_of_rewards_alone(train, task, bank, keep):
    on = Validation(task, bank.prompts("validation"), task.examples("validation"), score_cells)
    plain, _ = train(epochs=2)
    trained, folder = train(epochs=2, validation=on, validate_every=2, keep=keep)
    assert [point.step for point in trained.validations] == [2, 4, 6]
    assert trained.rewards == plain.rewards
    assert trained.kept == (6 if keep == "last" else max(trained.validations, key=lambda p: p.mean).step)
    assert (folder / "adapter_model.safetensors").exists()


@slow
def test_patience_ends_the_training(train, task, bank, monkeypatch):
    on = Validation(task, bank.prompts("validation"), task.examples("validation"), score_cells)
    left = [0.5, 0.2, 0.1, 0.9, 0.9, 0.9]
    monkeypatch.setattr(
        Validation, "sums", lambda self, *_: np.array([left.pop(0) * len(self.examples)] * len(self.prompts))
    )
    trained, _ = train(epochs=2, validation=on, validate_every=1, patience=2, keep="best")
    assert (trained.steps, trained.kept) == (3, 1)


@pytest.fixture
def start(model_folder, train_examples, bank, tmp_path):
    """An adapter that supervised fine-tuning made."""
    output = tmp_path / "sft" / "adapter"
    config = Train(epochs=1, batch_size=8, learning_rate=5e-3, adapt={"rank": 4})
    fine_tune(
        load_model(str(model_folder)), train_examples, bank.prompts("train"), config, seed=1, output=output
    )
    return output


@pytest.mark.parametrize("beta", [pytest.param(0.0, marks=slow), 0.1])
def test_it_goes_on_from_an_adapter_of_sft(train, start, beta):
    _, folder = train(start_from=str(start), learning_rate=1e-6, grpo={"beta": beta})
    before, after = weights(start), weights(folder)
    assert before.keys() == after.keys() and not same(before, after)
    assert max((before[name] - after[name]).abs().max().item() for name in before) < 1e-4
    assert not (folder / "ref").exists()  # TRL's copy for the divergence


@slow
def test_sft_goes_on_from_an_adapter_too(model_folder, train_examples, bank, start, tmp_path):
    config = Train(epochs=1, batch_size=8, learning_rate=1e-6, adapt={"rank": 4}, start_from=str(start))
    output = tmp_path / "more"
    fine_tune(
        load_model(str(model_folder)), train_examples, bank.prompts("train"), config, seed=1, output=output
    )
    before, after = weights(start), weights(output)
    assert max((before[name] - after[name]).abs().max().item() for name in before) < 1e-4
    assert not same(before, after)


def test_a_reward_file_that_is_not_there_is_named(train):
    with pytest.raises(ConfigError, match=r"train\.grpo\.rewards: nowhere\.py:f: there is no file"):
        train(grpo={"rewards": ["nowhere.py:f"]})
