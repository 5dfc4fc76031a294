"""Validation while training: on what, how often, when it stops, and which weights stay."""

from __future__ import annotations

import json

import numpy as np
import pytest
from safetensors.torch import load_file

from paft.errors import ConfigError, DataError, PromptError, ResumeError
from paft.evaluate.cells import evaluate_matrix, score_cells
from paft.evaluate.settings import Evaluate
from paft.experiment.inputs import load_inputs, validation_split
from paft.files import fingerprint
from paft.model.load import load_model
from paft.prompt import Prompt
from paft.schema import parse
from paft.task.data import DataSource
from paft.task.repeats import count_repeats
from paft.task.task import data_fingerprint
from paft.train import validation as validating
from paft.train.loop import fine_tune
from paft.train.settings import Train
from paft.train.validation import Validation

SETTINGS = {
    "epochs": 2, "batch_size": 8, "resample_every": 1, "learning_rate": 5e-3, "adapt": {"rank": 4},
    "validate_every": 2,
}  # fmt: skip
STEPS = 6  # 24 examples by 8, twice


@pytest.fixture
def train(model_folder, train_examples, task, bank, tmp_path):
    """Fine-tune with validation; returns (record, folder)."""

    def run(name="adapter", on_step=None, keep_checkpoints=False, **settings):
        output = tmp_path / name
        on = Validation(task, bank.prompts("validation"), task.examples("validation"), score_cells)
        trained = fine_tune(
            load_model(str(model_folder)), train_examples, bank.prompts("train"),
            Train(**{**SETTINGS, **settings}), seed=0, output=output, on_step=on_step, validation=on,
            keep_checkpoints=keep_checkpoints,
        )  # fmt: skip
        return trained, output

    return run


@pytest.fixture
def scripted(monkeypatch):
    """Let validations find given accuracies in turn, by step of calls."""

    def script(*accuracies):
        left = list(accuracies)
        monkeypatch.setattr(
            Validation,
            "sums",
            lambda self, *_: np.array([left.pop(0) * len(self.examples)] * len(self.prompts)),
        )
        return left

    return script


def test_the_last_validation_is_what_judging_the_saved_adapter_finds(train, task, bank, model_folder):
    trained, folder = train()
    assert [point.step for point in trained.validations] == [2, 4, 6]
    judged = evaluate_matrix(
        load_model(str(model_folder), folder), task, bank.prompts("validation"), task.examples("validation")
    )
    means = judged.scores.mean(axis=1)
    last = trained.validations[-1]
    assert (last.mean, last.min) == pytest.approx((means.mean(), means.min()))
    assert trained.kept == STEPS
    assert [step for step, _ in trained.curve] == [5, 6]


def test_validation_changes_nothing_that_is_learnt(train):
    plain = load_file(train("plain", validate_every=None)[1] / "adapter_model.safetensors")
    watched = load_file(train("watched", validate_every=1)[1] / "adapter_model.safetensors")
    assert all((plain[name] == watched[name]).all() for name in plain)


def test_the_best_weights_stay_and_are_those_of_their_step(train, scripted):
    scripted(0.1, 0.5, 0.3)
    trained, folder = train(keep="best")
    assert trained.kept == 4
    assert sorted(path.name for path in folder.parent.iterdir()) == ["adapter"]
    seen = {}

    def look(step, *_):
        if step == 5:  # an entry of the curve, one step behind the best
            seen.update(at=step)

    scripted(0.1, 0.5)
    stopped, other = train("stopped", keep="last", patience=None, on_step=look, epochs=2, validate_every=4)
    assert stopped.kept == STEPS and seen == {"at": 5}
    best, last = (load_file(f / "adapter_model.safetensors") for f in (folder, other))
    assert any((best[name] != last[name]).any() for name in best)


def test_a_validation_is_heard_of_when_it_begins_and_with_its_figures(
    model_folder, train_examples, task, bank, tmp_path, scripted
):
    scripted(0.5, 0.75, 0.625)
    heard = []
    on = Validation(
        task, bank.prompts("validation"), task.examples("validation"), score_cells,
        hear=lambda *news: heard.append(news),
    )  # fmt: skip
    fine_tune(
        load_model(str(model_folder)), train_examples, bank.prompts("train"), Train(**SETTINGS), seed=0,
        output=tmp_path / "adapter", validation=on,
    )  # fmt: skip
    begins = (None, False)
    expected = [((2, 0.5, 0.5), True), ((4, 0.75, 0.75), True), ((6, 0.625, 0.625), False)]
    assert heard == [news for point in expected for news in (begins, point)]


def test_training_stops_when_nothing_got_better_for_long_enough(train, scripted):
    left = scripted(0.5, 0.5, 0.4, 0.9, 0.9, 0.9)
    trained, _ = train(validate_every=1, patience=2)
    assert (trained.steps, len(trained.validations), left) == (3, 3, [0.9, 0.9, 0.9])
    assert trained.curve[-1][0] == 3  # so that the mean loss is that of all steps


def test_a_run_that_was_killed_after_it_had_stopped_stops_again_at_the_same_step(train, scripted):
    settings = {"validate_every": 1, "patience": 2, "save_every": 1, "keep_checkpoints": True}
    scripted(0.5, 0.5, 0.4)
    whole, _ = train(**settings)
    scripted(0.4, 0.9, 0.9, 0.9)
    again, _ = train(**settings)  # from what the first left: its last validation is made once more
    assert (again.steps, again.validations) == (whole.steps, whole.validations) and whole.steps == 3


@pytest.mark.slow
def test_a_killed_run_keeps_the_same_weights_and_validations(train):
    whole, folder = train("whole", keep="best", validate_every=1, save_every=2)

    def die(step, *_):
        if step == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train("killed", die, keep="best", validate_every=1, save_every=2)
    again, resumed = train("killed", keep="best", validate_every=1, save_every=2)
    assert (again.validations, again.kept) == (whole.validations, whole.kept)
    one, other = (load_file(f / "adapter_model.safetensors") for f in (folder, resumed))
    assert all((one[name] == other[name]).all() for name in one)


@pytest.mark.parametrize("harm", ["changed", "gone"])
def test_best_weights_that_were_damaged_are_not_kept(train, scripted, harm, tmp_path):
    def damage(step, *_):
        if step == 5:
            (file,) = tmp_path.glob("adapter-checkpoints/best-2/adapter_model.safetensors")
            content = file.read_bytes()
            file.unlink() if harm == "gone" else file.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))

    scripted(0.9, 0.5, 0.3)
    with pytest.raises(ResumeError, match=r"the best weights .*best-2 are gone or were changed: delete"):
        train(keep="best", on_step=damage)


def test_no_test_prompt_and_no_test_example_is_ever_rendered(configure, tmp_path, monkeypatch):
    from paft.experiment.train import train as train_verb

    asked = []
    render = Prompt.render

    def spy(self, values):
        asked.append((self.id, values["message"]))
        return render(self, values)

    monkeypatch.setattr(Prompt, "render", spy)
    config = configure(tmp_path / "out", train={"validate_every": 0.5, "keep": "best"})
    trained = train_verb(config)
    inputs = load_inputs(config)
    prompts, messages = ({pair[i] for pair in asked} for i in (0, 1))
    assert {p.id for p in inputs.bank.prompts("validation")} <= prompts
    assert not prompts & {p.id for p in inputs.bank.prompts("test")}
    assert not messages & {e.fields["message"] for e in inputs.test}
    assert json.loads((tmp_path / "out" / "train.json").read_text())["kept"] == trained["kept"]


@pytest.mark.parametrize("rule", [{"choose": "mean"}, {"generate": True}])
def test_a_validation_scores_as_the_evaluation_will(configure, tmp_path, model_folder, rule):
    from paft.experiment.train import train as train_verb

    def config(**evaluate):
        return configure(tmp_path / "out", train={"validate_every": 3}, evaluate=evaluate)

    last = train_verb(config(**rule))["validations"][-1]
    inputs = load_inputs(config())
    model = load_model(str(model_folder), tmp_path / "out" / "adapter")
    on = (model, inputs.task, inputs.bank.prompts("validation"), inputs.validation)
    asked, by_default = (evaluate_matrix(*on, **how).scores.mean() for how in (rule, {}))
    assert last[1] == pytest.approx(asked) and asked != by_default
    with pytest.raises(ResumeError, match=rf"\(evaluate\.{next(iter(rule))}: "):
        train_verb(config())


def test_the_rule_of_a_validation_is_in_its_fingerprint_where_it_is_not_the_default(configure, tmp_path):
    inputs = load_inputs(configure(tmp_path, train={"validate_every": 3}))
    prompts = [prompt.id for prompt in inputs.bank.prompts("validation")]
    found = [
        inputs.validated(Evaluate(**rule)).fingerprint()
        for rule in ({}, {"batch_tokens": 64}, {"choose": "mean"}, {"generate": True})
    ]
    assert found[0] == found[1] == fingerprint([prompts, data_fingerprint(inputs.validation)])
    assert len(set(found)) == 3


def test_without_validation_data_a_tenth_is_held_out_of_training(task):
    bare = task.model_copy(update={"data": task.data.model_copy(update={"validation": None})})
    examples = task.examples("train")
    train, held = validation_split(bare, examples, 200)
    assert len(held) == 2 and sorted(e.index for e in [*train, *held]) == list(range(24))
    assert [e.index for e in train] == sorted(e.index for e in train)
    assert len(validation_split(bare, examples, 1)[1]) == 1
    with pytest.raises(DataError, match="9 training examples are too few"):
        validation_split(bare, examples[:9], 200)
    assert validation_split(task, examples, 3)[0] is examples


def repeated(task, texts):
    """Return a task without validation data, a training row for each text."""
    gold = task.examples("train")[0].gold
    rows = [{"message": text, task.answer.field: gold} for text in texts]
    return task.model_copy(update={"data": DataSource(train=rows)})


def test_repeats_are_held_out_together(task):
    texts = [f"Message {i % 20}" if i % 3 else f"message  {i % 20}" for i in range(50)]
    made = repeated(task, texts)
    examples = made.examples("train")
    train, held = validation_split(made, examples, 200)
    assert 0 < len(held) <= 5 and count_repeats(train, held) == 0
    assert sorted(e.index for e in [*train, *held]) == list(range(50))
    plain = repeated(task, [f"message {i}" for i in range(50)])
    order = np.random.default_rng([0xDA7B, 50]).permutation(50)
    assert [e.index for e in validation_split(plain, plain.examples("train"), 200)[1]] == sorted(order[:5])


def test_rows_that_are_all_repeated_too_often_are_refused(task):
    made = repeated(task, ["one", "two"] * 10)
    with pytest.raises(DataError, match="each of 20 training examples is repeated more than 2 times"):
        validation_split(made, made.examples("train"), 200)


def test_a_bank_without_validation_prompts_is_refused(configure, tmp_path, bank):
    from paft.bank import Bank

    bare = Bank({split: prompts for split, prompts in bank.splits.items() if split != "validation"})
    with pytest.raises(
        PromptError,
        match=r"no 'validation' prompts.*`paft bank split --validation N` \(in Python split_prompts\)",
    ):
        load_inputs(configure(tmp_path, train={"validate_every": 5}), bank=bare)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"validate_every": 2.5}, "give whole steps"),
        ({"keep": "best"}, "set validate_every"),
        ({"patience": 2}, "set validate_every"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings, said):
    with pytest.raises(ConfigError) as caught:
        parse(Train, settings, "run.yaml")
    assert said in str(caught.value)


def test_the_interval_is_in_steps_or_a_share():
    assert [validating.validation_interval(e, 10) for e in (3, 0.25, 0.01, None)] == [3, 3, 1, 10]
