"""What makes a finished folder refuse: every change that changes figures, and no other."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import paft
from paft.errors import ResumeError
from paft.experiment import identity as identities
from paft.experiment import trial as cell
from paft.experiment.evaluate import EvaluateConfig
from paft.experiment.evaluate import evaluate as judge
from paft.experiment.identity import FREE, changes, run_identity, told
from paft.experiment.inputs import load_inputs
from paft.experiment.train import train
from paft.train import loop as sft

SAME_FIGURES = {
    "description": ("description: Decide", "description: Decides"),
    "name": ("name: desk", "name: Desk"),
    "field's description": ("message: what the customer wrote", "message: the customer's words"),
    "more example prompts": ('prompt: "What', 'prompt:\n- "Sort it: {message}\\nTopic:"\n- "What'),
    "threshold": ("thresholds: [0.2]", "thresholds: [0.6, 0.2]"),
    "file of the rows": ("train: train.jsonl", "train: ./train.jsonl"),
}


def edited(path, old, new):
    text = path.read_text(encoding="utf-8")
    assert old in text
    if new.startswith("prompt:\n"):  # the user's own stays the first
        own = text[text.index('prompt: "') + len("prompt: ") :].strip()
        path.write_text(
            text[: text.index('prompt: "')] + f'prompt:\n- {own}\n- "Sort: {{message}}\\n"\n', "utf-8"
        )
    else:
        path.write_text(text.replace(old, new), encoding="utf-8")


@pytest.fixture
def started(configure, own_desk, tmp_path):
    """A finished run of the untrained model on a task that may be spoilt."""
    paths = {"task": str(own_desk / "task.yaml"), "bank": str(own_desk / "bank.jsonl")}

    def run(**changes):
        return paft.run(configure(tmp_path / "run", **{"methods": ("base",), **paths, **changes}))

    run()
    return run


def identity_in(run_folder):
    return json.loads((run_folder / "run.json").read_text("utf-8"))


@pytest.mark.parametrize("change", SAME_FIGURES)
def test_what_changes_no_figure_does_not_refuse_a_finished_run(started, own_desk, change, monkeypatch):
    monkeypatch.setattr(cell, "load_model", None)  # to judge anything again would fail
    edited(own_desk / "task.yaml", *SAME_FIGURES[change])
    started()


@pytest.mark.parametrize(
    "changes",
    [
        {"train": {"workers": 1}},
        {"train": {"save_every": 7}},
        {"evaluate": {"batch_tokens": 64}},
        {"choose": {"budget": 7}},  # no method that chooses is planned
    ],
)
def test_settings_that_change_no_figure_do_not_refuse_a_finished_run(started, changes, monkeypatch):
    monkeypatch.setattr(cell, "load_model", None)
    started(**changes)


def test_another_threshold_counts_the_prompts_above_it_anew(started, own_desk, tmp_path):
    before = [(row["top_threshold"], row["mean"]) for row in started()["rows"]]
    edited(own_desk / "task.yaml", "thresholds: [0.2]", "thresholds: [0.0]")
    again = started()
    assert {row["top_threshold"] for row in again["rows"]} == {0.0} != {t for t, _ in before}
    assert [row["mean"] for row in again["rows"]] == [mean for _, mean in before]
    for row in again["rows"]:
        accuracies = [each["accuracy"] for each in again["per_prompt"] if each["split"] == row["split"]]
        assert row["top"] == sum(a > 0 for a in accuracies) / len(accuracies)
    assert {row["threshold"] for row in again["robustness"]} == {0.0}


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ("rule: label", "rule: label\n  max_tokens: 3", "task.answer.max_tokens"),
        ("Topic:", "The topic:", "task.prompt"),
    ],
)
def test_what_changes_figures_refuses_by_name(started, own_desk, old, new, key):
    edited(own_desk / "task.yaml", old, new)
    with pytest.raises(ResumeError, match=rf"\({key}: "):
        started()


def test_a_refusal_is_no_longer_than_a_screen(started, own_desk):
    edited(own_desk / "task.yaml", "Topic:", "a very long instruction " * 500)
    with pytest.raises(ResumeError) as caught:
        started()
    assert len(str(caught.value)) < 600


def test_of_long_values_what_differs_is_shown():
    same = "Which of the seven services is asked for here? " * 3
    assert told("k", same + "{text} A", same + "{text} B").endswith("{text} B' now")
    assert told("k", same + "{text} A", same + "{text} B").count("{text} A'") == 1
    many = {f"option {i}": "x" for i in range(99)}
    assert told("k", many, {**many, "option 7": "y"}) == "k: {'option 7': 'x'} there, {'option 7': 'y'} now"
    assert len(told("k", list(range(999)), None)) < 200


def rewrite_identity(folder, without="", **more):
    """Make a folder's identity one that an earlier version wrote."""
    kept = {
        key: value for key, value in identity_in(folder).items() if not (without and key.startswith(without))
    }
    (folder / "run.json").write_text(json.dumps({**kept, **more}), "utf-8")


def test_a_folder_of_an_earlier_version_goes_on_and_then_knows_what_counts(started, own_desk, tmp_path):
    free = {"model files": None, "evaluate.batch_tokens": 4096}
    rewrite_identity(tmp_path / "run", "task.answer.max_tokens", **free)
    started()
    assert identity_in(tmp_path / "run")["model files"] is not None
    edited(own_desk / "task.yaml", "rule: label", "rule: label\n  max_tokens: 3")
    with pytest.raises(ResumeError, match=r"\(task\.answer\.max_tokens: "):
        started()


def test_a_folder_that_says_nothing_of_its_task_is_refused(started, tmp_path):
    rewrite_identity(tmp_path / "run", "task.")
    with pytest.raises(ResumeError, match=r"task\.fields: None there"):
        started()


def test_a_changed_revision_of_a_model_refuses(started, monkeypatch):
    monkeypatch.setattr(identities, "model_fingerprint", lambda *_: "another revision")
    with pytest.raises(ResumeError, match=r"\(model files: '\w+' there, 'another revision' now\)"):
        started()


def test_the_same_weights_elsewhere_are_the_same_model(started, model_folder, tmp_path):
    import shutil

    started(model=str(shutil.copytree(model_folder, tmp_path / "elsewhere")))


def test_the_same_writers_may_be_named_in_another_file():
    then, now = ({"choose.writer": name, "choose.writers": "hash"} for name in ("a.yaml", "b/a.yaml"))
    assert changes(then, now) == []
    assert changes(then, {**now, "choose.writers": "another"}) == ["choose.writer", "choose.writers"]


def test_a_method_that_chooses_may_be_added_and_its_settings_count_from_then_on(configure, tmp_path):
    def found(methods, **choose):
        config = configure(tmp_path, methods=methods, choose=choose)
        return run_identity(config, load_inputs(config))

    plain, chosen = found(("base", "paft"), budget=7), found(("base", "zopo"), budget=40)
    assert not [key for key in plain if key.startswith("choose.")]
    assert changes(plain, chosen) == [] and changes(chosen, plain) == []
    assert changes(chosen, found(("zopo",), budget=41)) == ["choose.budget"]


def test_every_setting_but_those_that_are_free_counts(configure, tmp_path):
    inputs = load_inputs(config := configure(tmp_path, methods=("zopo",)))
    wanted = run_identity(config, inputs)
    sections = {"train": config.train, "evaluate": config.evaluate, "choose": config.choose}
    named = {f"{name}.{key}" for name, section in sections.items() for key in type(section).model_fields}
    assert named - set(FREE) <= set(wanted)
    for key in named - set(FREE):
        assert changes({**wanted, key: "other"}, wanted) == [key]
    for key in FREE:
        assert changes({**wanted, key: "other"}, wanted) == []


def test_a_trained_model_goes_on_after_a_typo_and_another_number_of_workers(
    configure, own_desk, tmp_path, monkeypatch
):
    paths = {"task": str(own_desk / "task.yaml"), "bank": str(own_desk / "bank.jsonl")}
    first = train(configure(tmp_path / "one", methods=("paft",), **paths))
    monkeypatch.setattr(sft, "fine_tune", None)
    edited(own_desk / "task.yaml", "description: Decide", "description: Decides")
    config = configure(tmp_path / "one", methods=("paft",), **paths, train={"workers": 1})
    assert train(config)["loss"] == first["loss"]
    changed = configure(tmp_path / "one", methods=("paft",), **paths, train={"epochs": 2})
    with pytest.raises(ResumeError, match=r"\(train\.epochs: 1 there, 2 now\)"):
        train(changed)


def test_an_evaluation_goes_on_after_a_typo_and_elsewhere(own_desk, model_folder, tmp_path, monkeypatch):
    import shutil

    def evaluated(model, **changes):
        return judge(EvaluateConfig(
            task=str(own_desk / "task.yaml"), bank=str(own_desk / "bank.jsonl"), model=str(model),
            output=str(tmp_path / "judged"), **changes,
        ))  # fmt: skip

    first = evaluated(model_folder)
    monkeypatch.setattr("paft.model.shared_base.load_model", None)
    edited(own_desk / "task.yaml", "description: Decide", "description: Decides")
    twin = shutil.copytree(model_folder, tmp_path / "twin" / Path(model_folder).name)
    assert evaluated(twin, evaluate={"batch_tokens": 128})["rows"] == first["rows"]
    with pytest.raises(ResumeError, match=r"\(max_length: 1024 there, 512 now\)"):
        evaluated(model_folder, max_length=512)
