"""Thoughts are told from the answer, whatever the tag and the rule; a text about tags is none."""

import pytest

from paft.task.replies.extract import extract, extract_option
from paft.task.replies.thoughts import is_mark, without_thoughts

TAGS = [
    ("<think>", "</think>"),
    ("<thinking>", "</thinking>"),
    ("<Reasoning>", "</Reasoning>"),
    ('<thought depth="2">', "</thought>"),
    ("<seed:think>", "</seed:think>"),
    ("[THINK]", "[/THINK]"),
    ("\u25c1think\u25b7", "\u25c1/think\u25b7"),
    ("<|START_THINKING|>", "<|END_THINKING|>"),
    ("<|begin_of_thought|>", "<|end_of_thought|>"),
    ("<|channel|>analysis<|message|>", "<|end|><|start|>assistant<|channel|>final<|message|>"),
]
RULES = [
    ("number", "18", "3"),
    ("final_number", "18", "3"),
    ("text", "paris", "Rome"),
    ("json", "[2]", "[1]"),
]


@pytest.mark.parametrize(("opening", "closing"), TAGS)
def test_the_answer_stands_behind_the_thoughts(opening, closing):
    for rule, answer, thought in RULES:
        assert extract(rule, f"{opening}\nis it {thought}? {thought}\n{closing}\n\n{answer}") == answer
        assert extract(rule, f"{opening}{thought}, or rather {answer}") is None
    assert extract("code", f"{opening}return 1{closing}    return 2").strip() == "return 2"
    assert extract_option(f"{opening}A or B{closing}B", ["A", "B"]) == "B"
    assert extract_option(f"{opening}B", ["A", "B"]) is None


@pytest.mark.parametrize(("opening", "closing"), TAGS[:-1])
def test_the_template_may_have_opened_them(opening, closing):
    assert extract_option(f'surely "A"{closing}\n\nB', ["A", "B"]) == "B"
    assert extract("number", f"3, no 4{closing}18") == "18"


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("A<think>why</think>", "A"),
        ("<think>a</think>b<think>c</think>d", "b\nd"),
        ("<think>a <think> b</think>c", "c"),
        ('re.sub("<think>.*?</think>", "", s)', 're.sub("<think>.*?</think>", "", s)'),
        ('s.replace("</think>", "")', 's.replace("</think>", "")'),
        ('{"t": "<think>a</think>"}', '{"t": "<think>a</think>"}'),
        ("a [thinking] b <thinker> List<Thing>", "a [thinking] b <thinker> List<Thing>"),
        ("<think></think>", ""),
        ("<|channel|>analysis<|message|>A or B", None),
    ],
)
def test_what_is_no_thought_stays(text, answer):
    assert without_thoughts(text) == answer


def test_marks_of_thoughts_are_known_among_special_tokens():
    assert is_mark("[THINK]") and is_mark("</think>") and is_mark("<|channel|>")
    assert not any(map(is_mark, ["<|im_end|>", "</s>", "[INST]", "<pad>", "[/INST]"]))


@pytest.mark.parametrize(
    "loop", ["(", "**", "not ", "- ", "{", "1,", "\\boxed{", "<think>", "```json\n", "\u4e0d", "? "]
)
def test_a_model_that_repeats_itself_without_end_is_read_in_no_time(loop):
    text = loop * 3_000
    for rule in ("number", "final_number", "text", "json"):
        extract(rule, text)
    assert extract_option(text, ["spam", "\u8d1f\u9762", "B"]) is None
