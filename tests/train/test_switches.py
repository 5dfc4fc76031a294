"""Switches beyond the paper: what each changes in a run, what it leaves, what it is refused with."""

from __future__ import annotations

import json

import pytest
import torch
from safetensors.torch import load_file

from paft.errors import ConfigError
from paft.model.load import load_model
from paft.train.batches import plan_epoch
from paft.train.course import Beside, screened
from paft.train.curriculum import rising_schedule
from paft.train.loop import fine_tune
from paft.train.probe import Score, nearest_prompts, probe
from paft.train.schedule import Schedule, make_schedule
from paft.train.settings import Curriculum, Train
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
            Train(**{**SETTINGS, **settings}), seed=1, output=output, beside=Beside(task.prompts[0]),
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


def test_prompts_with_a_high_loss_are_told_by_block(train, bank):
    trained, _ = train(worst={"kind": "cvar", "alpha": 0.2}, epochs=3)
    ids = [prompt.id for prompt in bank.prompts("train")]
    assert len(trained.drawn) == trained.steps == 9
    assert sorted(set(trained.drawn[:6])) == sorted(ids)  # a loss is known two steps later
    assert trained.by_prompt.keys() == set(trained.drawn)


@pytest.mark.slow
def test_tokens_of_the_record_are_those_asked_for(train):
    trained, _ = train(tokens=4_000)
    assert abs(trained.tokens - 4_000) < trained.tokens / trained.steps


@pytest.mark.slow
def test_single_has_no_part_in_switches_over_prompts(train):
    switches = {"worst": {}, "prompt_dropout": 0.5, "crossover": 0.5, "consistency": {}, "low_kl": 0.5}
    (one, plain), (other, switched) = train(schedule="single"), train(schedule="single", **switches)
    assert (one.loss, one.tokens) == (other.loss, other.tokens)
    assert all(torch.equal(plain[name], switched[name]) for name in plain)


def test_the_share_of_examples_that_keep_the_users_prompt_is_fixed():
    schedule = Schedule("block", 5, 2, seed=3, steps=5, examples=40, augment_fraction=0.3)
    own = {e for e in range(40) if schedule.keeps_own(e)}
    assert len(own) == 28
    for epoch in range(3):
        for at, plan in enumerate(plan_epoch(schedule, size=40, batch=8, epoch=epoch)):
            expected = 0 if plan.example in own else schedule.prompt(epoch=epoch, step=at // 8, example=0)
            assert plan.prompt == expected
            assert plan.example in own or plan.prompt > 0


@pytest.mark.parametrize("mode", ["block", "example"])
@pytest.mark.parametrize("ratio", [0.0, 0.5])
def test_the_second_prompt_is_another_and_pure(mode, ratio):
    schedule = Schedule(mode, 4, 2, seed=3, steps=5, examples=40, second=True, canonical_ratio=ratio)
    plans = plan_epoch(schedule, size=40, batch=8, epoch=1)
    assert plans == plan_epoch(schedule, size=40, batch=8, epoch=1)
    assert all(plan.other != plan.prompt for plan in plans)
    others = {schedule.other(epoch=e, step=s, first=1) for e in range(9) for s in range(9)}
    assert others == ({2, 3} if ratio else {0, 2, 3})
    if mode == "block":
        assert all(len({p.other for p in plans[i : i + 8]}) == 1 for i in range(0, 40, 8))


def test_a_curriculum_opens_prompts_in_order_and_is_uniform_over_those_that_are_open():
    plain = Schedule("block", 4, 2, seed=3, steps=10)
    rising = rising_schedule(plain, Curriculum(start=0.25, until=0.5), [3.0, 1.0, 2.0, 4.0], total=20)
    assert rising.order == (1, 2, 0, 3)
    assert [rising.open_at(step) for step in (0, 1, 4, 6, 10, 19)] == [1, 2, 3, 3, 4, 4]
    drawn = [rising.prompt(epoch=e, step=s, example=0) for e in range(2) for s in range(10)]
    assert drawn[:2] == [1, 1]
    assert drawn[0::2] == drawn[1::2]
    hard = rising_schedule(plain, Curriculum(first="hard", start=0.25), [3.0, 1.0, 2.0, 4.0], total=20)
    assert hard.order == (3, 0, 2, 1)


def test_scores_are_those_of_a_plain_loop_and_are_kept(language_model, train_examples, bank, task, tmp_path):
    own, prompts = task.prompts[0], bank.prompts("train")
    path = tmp_path / "scores.json"
    few = train_examples[:5]
    scores = probe(language_model, few, [*prompts, own], own, 1024, path)
    assert scores[-1].distance == pytest.approx(0, abs=1e-6)
    assert scores[1].distance is None  # it ends in a line end, so its answers have other tokens
    model, encoder = language_model.model.eval(), language_model.encoder(1024)
    losses, distances = [], []
    for example in few:
        found = []
        for prompt in (prompts[0], own):
            row = encoder.encode(prompt.render(example.values), example.gold)
            with torch.no_grad():
                logits = model(input_ids=torch.tensor([row.input_ids])).logits[0, row.answer_start - 1 : -1]
            found.append(logits.log_softmax(-1))
            answer = torch.tensor(row.input_ids[row.answer_start :])
        losses += (-found[0][torch.arange(len(answer)), answer]).tolist()
        distances += (found[1].exp() * (found[1] - found[0])).sum(-1).tolist()
    assert scores[0].loss == pytest.approx(sum(losses) / len(losses), rel=1e-4)
    assert scores[0].distance == pytest.approx(sum(distances) / len(distances), rel=1e-4)
    kept = json.loads(path.read_text())
    kept["scores"][prompts[0].id]["loss"] = 9.0
    path.write_text(json.dumps(kept))
    assert probe(language_model, few, prompts, own, 1024, path)[0].loss == 9.0  # read, not made again
    assert probe(language_model, few[:4], prompts, own, 1024, path)[0].loss != 9.0


def test_the_nearest_prompts_stay_and_the_users_own_beside_them():
    scores = [Score(0, d) for d in (5.0, 0.4, None, 0.1, 0.2)]
    assert nearest_prompts(scores, 0.4) == [3, 4]
    assert nearest_prompts(scores, 0.01) == [3]
    assert screened(scores, 0.5, own_first=True) == [0, 3, 4]


@pytest.mark.slow
def test_screening_and_curriculum_train_on_what_they_choose(train, tmp_path, bank):
    trained, _ = train(low_kl=0.4, curriculum={"start": 0.5, "until": 1}, epochs=3)
    scores = json.loads((tmp_path / "out0" / "scores.json").read_text())["scores"]
    near = sorted((s["distance"], name) for name, s in scores.items() if s["distance"] is not None)[:2]
    assert trained.by_prompt.keys() <= {name for _, name in near}


REFUSED = [
    ({"average": 0.5, "keep": "best", "validate_every": 2}, "average does not go with keep 'best'"),
    ({"average": 0.5, "patience": 2, "validate_every": 2}, "average does not go with patience"),
    ({"neftune": 5, "padding_free": True}, "neftune does not go with padding_free"),
    ({"consistency": {}, "weights": {"a": 0}}, "consistency does not go with weights"),
    ({"augment_fraction": 0.5, "canonical_ratio": 0.5}, "augment_fraction does not go with canonical_ratio"),
    ({"curriculum": {}, "draws": "cycle"}, "curriculum does not go with draws"),
    ({"low_kl": 0.5, "weights": {"a": 2}}, "low_kl does not go with weights"),
    ({"tokens": 0}, "tokens"),
    ({"worst": {"kind": "max"}}, "kind"),
]


@pytest.mark.parametrize(("settings", "message"), REFUSED)
def test_what_makes_no_sense_together_is_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        Train(**settings)


def test_too_few_prompts_are_refused(bank):
    one = bank.prompts("train")[:1]
    for settings in ({"consistency": {}}, {"curriculum": {}}, {"augment_fraction": 0.5}):
        with pytest.raises(ConfigError, match="needs more training prompts than 1"):
            make_schedule(Train(**settings), one, seed=0, examples=9)


def test_the_settings_of_a_switch_survive_the_saved_configuration():
    config = Train(tokens="paft", worst={"kind": "cvar"}, consistency={"weight": 2}, average=0.3)
    assert Train(**config.model_dump(mode="json")) == config
