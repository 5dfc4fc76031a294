"""Runs that are given no bank compose one, say so, freeze it and go on with it."""

import shutil

import pytest

from conftest import write_desk
from paft.bank import load_bank
from paft.bank.compose.composed_bank import compose_bank
from paft.errors import ResumeError
from paft.experiment import bank_choice
from paft.experiment.bank_choice import bank_file, choose_bank, is_composed
from paft.experiment.contenders import AdapterOnTask
from paft.experiment.dry_run import describe_plan, dry_run
from paft.experiment.identity import run_identity
from paft.experiment.inputs import load_inputs
from paft.experiment.output_folder import begin_output
from paft.experiment.run import run
from paft.experiment.side_by_side import try_model
from paft.experiment.train import train
from paft.progress import Reporter
from paft.task.task import Task, load_task


class Hears(Reporter):
    """Keeps the lines it is told."""

    def __init__(self):
        self.lines = []

    def finish(self, trial, text):
        self.lines.append(text)


@pytest.fixture
def small(monkeypatch):
    """Composed banks of 20 prompts, to be quick; counts how often one is composed."""
    calls = []

    def compose(task):
        calls.append(task.name)
        return compose_bank(task, count=20)

    monkeypatch.setattr(bank_choice, "compose_bank", compose)
    return calls


@pytest.mark.slow
def test_a_run_without_a_bank_composes_one_and_says_so(configure, tmp_path, small):
    config, heard = configure(tmp_path / "out", bank=None, evaluate={"examples": 2}), Hears()
    results = run(config, heard)
    frozen = load_bank(tmp_path / "out" / "bank.jsonl")
    assert is_composed(frozen) and frozen.fingerprint == results["bank_fingerprint"]
    (line,) = [line for line in heard.lines if "no bank given" in line]
    place = str(tmp_path / "out" / "bank.jsonl")
    for part in ("17 train, 1 validation, 2 test", place, "a bank of your own"):
        assert part in line


@pytest.mark.slow
def test_a_rerun_goes_on_with_the_frozen_bank_even_if_it_would_compose_another(
    configure, tmp_path, small, monkeypatch
):
    config = configure(tmp_path / "out", bank=None, methods=("base",), evaluate={"examples": 2})
    first = run(config)["bank_fingerprint"]
    assert small == ["desk"]
    more = config.model_copy(update={"methods": ("base", "single")})
    monkeypatch.setattr(bank_choice, "compose_bank", lambda task: pytest.fail("composed anew"))
    assert run(more)["bank_fingerprint"] == first


def test_a_bank_that_was_given_is_not_taken_for_a_composed_one(configure, tmp_path, small):
    config = configure(tmp_path / "out", methods=("base",), evaluate={"examples": 2})
    heard = Hears()
    run(config, heard)
    assert not any("no bank given" in line for line in heard.lines)
    with pytest.raises(ResumeError, match="bank"):
        run(config.model_copy(update={"bank": None}))


def test_a_folder_of_another_task_is_refused_by_what_differs(configure, tmp_path, task, small):
    rows = [{"question": f"What is {i} + {i}?", "kind": "ab"[i % 2]} for i in range(8)]
    answer = {"rule": "label", "field": "kind", "options": ["a", "b"]}
    sums = Task(name="sums", fields={"question": "a sum"}, answer=answer, data={"train": rows, "test": rows},
                prompt="{question} is")  # fmt: skip
    config = configure(tmp_path / "out", bank=None, methods=("base",), evaluate={"examples": 2})
    inputs = load_inputs(config, sums)
    begin_output(tmp_path / "out", run_identity(config, inputs), config, inputs.bank)
    with pytest.raises(ResumeError, match=r"other inputs .*task.fields: \['question'\] there, \['message'\]"):
        run(config, Reporter())


def test_a_composed_bank_that_was_changed_by_hand_is_refused(configure, tmp_path, small):
    config = configure(tmp_path / "out", bank=None, methods=("base",), evaluate={"examples": 2})
    run(config)
    path = tmp_path / "out" / "bank.jsonl"
    path.write_text("".join(path.read_text("utf-8").splitlines(keepends=True)[1:]), "utf-8")
    with pytest.raises(ResumeError, match="bank"):
        run(config)


def test_the_built_in_task_keeps_its_own_bank_and_a_task_in_python_gets_one_of_its_own(
    configure, tmp_path, task, small
):
    config = configure(tmp_path, task="routing", bank=None)
    assert bank_file(config) is not None
    own = choose_bank(config, load_task("routing"), tmp_path)
    assert not is_composed(own) and small == []
    assert is_composed(choose_bank(config.of_task(task), task, tmp_path))
    assert load_inputs(config, task).composed
    assert not load_inputs(config, task, own_bank(task)).composed
    assert load_inputs(config, task.model_copy(update={"name": "routing"})).composed
    unseen = [shown.prompt.id for shown in try_model(AdapterOnTask(model=config.model), 2, task=task).prompts]
    assert set(unseen) <= {task.prompts[0].id, *(each.id for each in compose_bank(task).bank.prompts("test"))}


def own_bank(task):
    """A bank that a user composed and gave: nothing is to be told about it."""
    return compose_bank(task, count=20).bank


def test_a_dry_run_says_that_prompts_would_be_composed_and_writes_nothing(configure, tmp_path, small):
    config = configure(tmp_path / "out", bank=None, methods=("paft",))
    found = dry_run(config)
    assert found["composed"] and "of 17 composed prompts" in " ".join(describe_plan(found))
    assert not (tmp_path / "out").exists()
    given = dry_run(configure(tmp_path / "out", methods=("paft",)))
    assert not given["composed"] and "composed" not in " ".join(describe_plan(given))


@pytest.mark.slow
def test_a_training_without_a_bank_is_evaluated_on_the_bank_it_froze(
    paft, configure, tmp_path, small, model_folder
):
    folder = write_desk(tmp_path / "desk")
    config = configure(tmp_path / "out", bank=None, task=str(folder / "task.yaml"), methods=("paft",))
    heard = Hears()
    train(config, heard)
    assert any("no bank given" in line for line in heard.lines)
    command = ("evaluate", "--task", config.task, "--model", model_folder, "--set", "evaluate.examples=2")
    adapter = ("--adapter", tmp_path / "out" / "adapter")
    code, out, err = paft(*command, *adapter, "--output", tmp_path / "judged")
    assert code == 0, err
    assert "no bank given" in out
    code, out, err = paft(
        *command, *adapter, "--bank", tmp_path / "out" / "bank.jsonl", "--output", tmp_path / "given"
    )
    assert code == 0 and "no bank given" not in out
    frozen, composed = (load_bank(tmp_path / name / "bank.jsonl") for name in ("given", "judged"))
    assert frozen.fingerprint == composed.fingerprint


@pytest.mark.slow
def test_the_printed_evaluation_names_the_frozen_bank(configure, tmp_path, small):
    from paft.experiment.follow_up import next_command

    config = configure(tmp_path / "out", bank=None, methods=("paft",))
    train(config)
    assert f"--bank {tmp_path / 'out' / 'bank.jsonl'}" in next_command(config)[-1]
    shutil.rmtree(tmp_path / "out")
    given = configure(tmp_path / "out", methods=("paft",))
    train(given)
    assert next_command(given)[-1].count("--bank") == 1
