"""Answers to inputs that have no gold answer, under open rules and code."""

from __future__ import annotations

import pytest

from paft.evaluate.answers import answer_inputs
from paft.evaluate.settings import Evaluate
from paft.model.load import load_model
from paft.prompt import Prompt
from paft.task.task import Task


@pytest.mark.parametrize("rule", ["number", "final_number", "text", "json"])
def test_open_answers_are_generated_and_not_scored(rule):
    task = Task(
        name="sums", description="Add.", fields={"text": "a sum"}, answer={"rule": rule, "field": "answer"},
        data={"train": "a.jsonl", "test": "a.jsonl"}, prompt="{text} =",
    )  # fmt: skip
    model, prompts = load_model("tiny"), [Prompt("{text} ="), Prompt("Sum: {text}\nAnswer:")]
    (answers,) = answer_inputs(
        model, task, prompts, [task.unanswered({"text": "1 + 1"})], Evaluate(), max_length=512
    )
    assert len(answers) == 2 and all(answer.probability is None for answer in answers)


def test_programs_are_written_and_never_run(monkeypatch):
    def refuse(*_):
        raise AssertionError("a program was run")

    monkeypatch.setattr("paft.task.programs.code_answer.passes", refuse)
    monkeypatch.setattr("paft.task.programs.code_answer._passes", lambda *_: True)  # the check of the sandbox
    program = {"begins": "code", "entry": "entry", "tests": "tests"}
    answer = {"rule": "code", "field": "solution", "program": program}
    task = Task(
        name="programs", description="Write it.", fields={"code": "what to write"}, answer=answer,
        data={"train": "a.jsonl", "test": "a.jsonl"}, prompt="{code}",
    )  # fmt: skip
    (answers,) = answer_inputs(
        load_model("tiny"), task, [Prompt("{code}")], [task.unanswered({"code": "def add(a, b):"})],
        Evaluate(), max_length=512,
    )  # fmt: skip
    assert len(answers) == 1
