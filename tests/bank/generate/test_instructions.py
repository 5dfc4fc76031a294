"""The meta-prompts say all a model must know about a task, and differ from call to call."""

import pytest
from pydantic import TypeAdapter

from paft.bank.generate.meta_prompts import STYLES, instructions_fingerprint, meta_prompt, style_at
from paft.prompt import Prompt
from paft.task.task import Task


def task_of(answer, prompt="Q: {question}\nA:", fields=None):
    return TypeAdapter(Task).validate_python(
        {
            "name": "quiz",
            "description": "Answer the question.",
            "fields": fields or {"question": "what is asked"},
            "answer": answer,
            "data": {"train": "train.jsonl", "test": "test.jsonl"},
            "prompt": prompt,
        }
    )


def text_of(task, strategy="zero-shot", count=7, style=STYLES[0], examples=()):
    (message,) = meta_prompt(task, strategy, count, style, examples)
    assert message["role"] == "user"
    return message["content"]


def test_it_names_the_task_its_fields_its_answers_and_the_number_of_templates(task):
    text = text_of(task)
    assert task.description in text
    assert "- message: what the customer wrote" in text
    assert "exactly one of these: card, card arrival, cash, cash withdrawal, refund" in text
    assert "exactly once: {message}." in text
    assert "exactly 7 templates" in text


def test_few_shot_shows_all_prompts_people_wrote_and_zero_shot_none():
    task = task_of({"rule": "number"}, prompt=("First {question}", "Second {question}\n=>"))
    shown = text_of(task, "few-shot", examples=task.prompts)
    assert "First {question}" in shown
    assert "Second {question}\n=>" in shown
    hidden = text_of(task, "zero-shot", examples=task.prompts)
    assert "Second" not in hidden


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({"rule": "number"}, "with a number and nothing else"),
        ({"rule": "text"}, "with a short text on one line"),
        ({"rule": "json"}, "with one JSON value"),
        ({"rule": "choice", "options": ["A", "B"]}, "exactly one of these: A, B"),
    ],
)
def test_it_says_in_which_form_the_answer_comes(answer, said):
    assert said in text_of(task_of(answer))


def test_options_are_offered_only_where_the_task_has_them():
    assert "{options}" not in text_of(task_of({"rule": "number"}))
    optional = text_of(task_of({"rule": "label", "options": ["yes", "no"]}))
    assert "{options}, which stands for the list of possible answers, may be" in optional
    assert "exactly once: {question}." in optional
    required = text_of(task_of({"rule": "label", "options_field": "choices"}, prompt="{question} {options}"))
    assert "exactly once: {question}, {options}." in required
    assert "left out" not in required


def test_calls_take_the_styles_in_turn():
    names = [style_at(number).name for number in range(2 * len(STYLES))]
    assert names[: len(STYLES)] == [style.name for style in STYLES] == names[len(STYLES) :]
    assert len(set(names)) == len(STYLES)


def test_every_style_gives_another_request(task):
    texts = {text_of(task, style=style) for style in STYLES}
    assert len(texts) == len(STYLES)
    assert {("not listed" in text) for text in texts} == {True, False}


def test_braces_in_a_description_are_no_template():
    task = task_of({"rule": "text"}, fields={"question": "such as {this} or {0} or 100%"})
    assert "such as {this} or {0} or 100%" in text_of(task)


def test_examples_are_shown_as_they_stand():
    template = 'Literal {{braces}} and "quotes" \\n {question}'
    assert template in text_of(task_of({"rule": "text"}), "few-shot", examples=[Prompt(template)])


def test_the_fingerprint_follows_the_wording(monkeypatch):
    before = instructions_fingerprint()
    assert before == instructions_fingerprint()
    monkeypatch.setattr("paft.bank.generate.meta_prompts.OPENING", "Write templates.")
    assert instructions_fingerprint() != before
