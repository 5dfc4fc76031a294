"""Switches beyond the paper: what each changes in a run, what it leaves, what it is refused with."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import load_file

from paft.errors import ConfigError
from paft.model.load import load_model
from paft.train.loop import fine_tune
from paft.train.settings import Train
from paft.train.trainer import PromptTrainer

SETTINGS = {"epochs": 2, "batch_size": 8, "resample_every": 1, "learning_rate": 5e-3, "adapt": {"rank": 4}}


@pytest.fixture
def train(model_folder, train_examples, bank, task, tmp_path):
    """Fine-tune a newly loaded model; returns (record, weights)."""
    made = []

    def run(**settings):
        output = tmp_path / f"out{len(made)}" / "adapter"
        output.parent.mkdir()
        made.append(output)
        trained = fine_tune(
            load_model(str(model_folder)), train_examples, bank.prompts("train"),
            Train(**{**SETTINGS, **settings}), seed=1, output=output,
        )  # fmt: skip
        (weights,) = output.glob("*model.safetensors")
        return trained, load_file(weights)

    return run


@pytest.mark.slow
def test_the_average_is_that_of_the_last_steps(train, monkeypatch):
    seen = []
    original = PromptTrainer.training_step

    def spy(self, model, *args, **kwargs):
        seen.append({name: w.detach().clone() for name, w in model.named_parameters() if w.requires_grad})
        return original(self, model, *args, **kwargs)

    monkeypatch.setattr(PromptTrainer, "training_step", spy)
    _, last = train()
    trained, averaged = train(average=0.5)
    assert trained.steps == 6
    for name, weights in averaged.items():
        key = name.replace(".weight", ".default.weight")
        steps = [each[key] for each in seen[4:6]] + [last[name]]  # as they stand behind steps 4, 5 and 6
        torch.testing.assert_close(weights, torch.stack(steps).mean(0), rtol=1e-5, atol=1e-7)
        assert not torch.equal(weights, last[name])


@pytest.mark.slow
def test_noise_changes_what_is_learnt_and_is_not_saved(train, model_folder):
    (_, plain), (_, noisy), (_, again) = train(), train(neftune=5.0), train(neftune=5.0)
    assert plain.keys() == noisy.keys()
    assert any(not torch.equal(plain[name], noisy[name]) for name in plain)
    assert all(torch.equal(again[name], noisy[name]) for name in plain)


@pytest.mark.slow
def test_tokens_of_the_record_are_those_asked_for(train):
    trained, _ = train(tokens=4_000)
    assert abs(trained.tokens - 4_000) < trained.tokens / trained.steps


@pytest.mark.slow
def test_single_has_no_part_in_switches_over_prompts(train):
    switches = {"word_dropout": 0.5, "recombination": 0.5}
    (one, plain), (other, switched) = train(schedule="single"), train(schedule="single", **switches)
    assert (one.loss, one.tokens) == (other.loss, other.tokens)
    assert all(torch.equal(plain[name], switched[name]) for name in plain)


REFUSED = [
    ({"average": 0.5, "keep": "best", "validate_every": 2}, "average does not go with keep 'best'"),
    ({"average": 0.5, "patience": 2, "validate_every": 2}, "average does not go with patience"),
    ({"neftune": 5, "padding_free": True}, "neftune does not go with padding_free"),
    ({"tokens": 0}, "tokens"),
]


@pytest.mark.parametrize(("settings", "message"), REFUSED)
def test_what_makes_no_sense_together_is_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        Train(**settings)


@pytest.mark.parametrize(
    "name", ["worst", "curriculum", "low_kl", "consistency", "augment_fraction", "weights"]
)
def test_what_was_removed_is_refused_by_name(name):
    with pytest.raises(ConfigError, match=f"{name} was removed.*docs/results.md.*commit e504c2b"):
        Train(**{name: 0.5})
    assert Train(**{name: None}) == Train()  # a configuration that a former version saved


def test_former_names_are_read_and_both_names_at_once_are_refused():
    former = Train(canonical_ratio=0.5, crossover=0.25, prompt_dropout=0.125)
    assert former == Train(user_prompt_share=0.5, recombination=0.25, word_dropout=0.125)
    with pytest.raises(ConfigError, match="canonical_ratio is the former name of user_prompt_share"):
        Train(canonical_ratio=0.5, user_prompt_share=0.5)


def test_the_settings_of_a_switch_survive_the_saved_configuration():
    config = Train(tokens="paft", recombination=0.5, average=0.3)
    assert Train(**config.model_dump(mode="json")) == config
