"""The meta-prompts: what asks a language model to write prompts for a task.

Two strategies, as in the paper: ``few-shot`` shows the user prompts and aims at quality,
``zero-shot`` shows none and aims at variety. PAPER: its meta-prompts are not published; these are
ours. On top of the strategy every call gets a style brief (length, tone, order of the fields, answer
cue, whether options are listed), chosen by the call's number alone, because the same request sent
twice brings much the same prompts twice.

Everything is one ``user`` message: some models and servers know no ``system`` role.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from typing import Literal

from paft.files import fingerprint
from paft.model.endpoint import Message
from paft.prompt import Prompt
from paft.task.task import OPTIONS, Task

Strategy = Literal["few-shot", "zero-shot"]
STRATEGIES: tuple[Strategy, ...] = ("few-shot", "zero-shot")


@dataclass(frozen=True)
class Style:
    """One brief.

    Attributes:
        name: Short name, kept as provenance.
        length: How long a template is.
        tone: How it speaks.
        order: How instruction and fields are arranged.
        cue: What stands last, where the answer comes next.
        options: Whether the options are listed.
    """

    name: str
    length: str
    tone: str
    order: str
    cue: str
    options: bool


# Eleven, a prime: generators that make the same number of calls still meet all of them.
STYLES: tuple[Style, ...] = (
    Style("plain", "one or two short sentences of instruction", "plain and neutral",
          "the instruction first, then the fields", "a one-word label with a colon, such as `Answer:`", True),
    Style("terse", "as few words as will do, without full sentences", "terse, like notes or a form",
          "the fields first", "an arrow, a colon or an equals sign", False),
    Style("expert", "three or four sentences", "addressed to an expert whose role is described first",
          "the role, then the fields, then the question",
          "a short sentence that the answer completes", False),
    Style("question", "one question and little else", "curious and conversational",
          "the fields in the middle of running text",
          "a question followed by a line break and `A:` or similar", False),
    Style("steps", "a numbered list of two to four steps", "methodical, like a manual",
          "the steps first, then the fields, one a line with a label each",
          "the name of what is asked for, with a colon", True),
    Style("sections", "short sections with headings", "formal, like a document",
          "one section for each field, in an unusual order where there are several",
          "an empty section whose heading names the answer", True),
    Style("friendly", "two or three sentences", "warm and polite, with please and thanks",
          "the fields first, then the request", "a half sentence that the answer completes", False),
    Style("strict", "two sentences of instruction and one of warning", "strict, like an examination",
          "the instruction, the fields, then the instruction in other words",
          "`Final answer:` or another label of two or three words", True),
    Style("scene", "a small scene of three to five sentences",
          "narrative: somebody at work who needs the answer",
          "the fields quoted within the scene", "what that person says or writes down next", False),
    Style("record", "no sentence at all", "technical, like a log entry, a table row or key-value pairs",
          "one key-value pair a line, keys of your own choice", "the last key, without its value", False),
    Style("mixed", "lengths that differ strongly from template to template",
          "tones that differ from template to template",
          "a different arrangement each time", "a different cue each time", True),
)  # fmt: skip

OPENING = (
    "You write prompt templates. A program fills each template with one example at a time and sends it "
    "to a language model, which then answers. We need many templates that ask for exactly the same "
    "thing in very different words."
)
AIMS = {
    "few-shot": (
        "Below are templates that people wrote for this task. Match their quality and their meaning, but "
        "copy neither their words nor their layout."
    ),
    "zero-shot": (
        "Make the templates differ from each other as much as you can: in wording, sentence structure, "
        "layout and length."
    ),
}
PLACEHOLDERS = (
    "Write a placeholder as its name in single braces, such as {%s}; the program puts the text there. "
    "Each template must contain each of these exactly once: %s."
)
LISTED = " {options} stands for the list of possible answers."
OPTIONAL = " {options}, which stands for the list of possible answers, may be used once or left out."
ONLY = " Use no other placeholder and no other braces."
RULES = (
    "A template ends where the answer comes next: nothing may follow the answer.",
    "It does not give the answer away, neither for an example nor by hinting that one is likelier.",
    "It asks for the answer in the form described above and in no other: no explanation, no JSON, no "
    "tags or other format unless that form is one.",
    "It makes sense on its own and contains no worked example.",
    "All templates mean the same; no two differ by only a few words.",
)
OUTPUT = (
    'Reply with one JSON object and nothing else: {"prompts": ["...", "..."]}, holding exactly %d '
    'templates. Escape line breaks inside a template as \\n and quotation marks as \\".'
)


def style_at(number: int) -> Style:
    """Return the style brief of a call: each call takes the next one, round and round.

    >>> style_at(0).name, style_at(len(STYLES)).name
    ('plain', 'plain')
    """
    return STYLES[number % len(STYLES)]


def instructions_fingerprint() -> str:
    """Hash of all constant texts here: two runs with the same hash ask in the same words."""
    styles = [list(astuple(style)) for style in STYLES]
    return fingerprint([OPENING, AIMS, PLACEHOLDERS, LISTED, OPTIONAL, ONLY, RULES, OUTPUT, styles])


def meta_prompt(
    task: Task, strategy: Strategy, count: int, style: Style, examples: Sequence[Prompt]
) -> list[Message]:
    """Return the messages that ask for ``count`` templates.

    ``"few-shot"`` shows ``examples`` (prompts people wrote, normally ``task.prompts``), ``"zero-shot"``
    ignores them.
    """
    fields = "\n".join(f"- {name}: {text}" if text else f"- {name}" for name, text in task.fields.items())
    parts = [
        OPENING,
        f"The task: {task.description or task.name}",
        f"The fields of an example:\n{fields}",
        f"The model must answer {_answer_form(task)}.",
        _placeholders(task),
        "Rules:\n" + "\n".join(f"- {rule}" for rule in RULES),
        _brief(task, style),
        AIMS[strategy],
    ]
    if strategy == "few-shot":
        # JSON would teach the escaping, but plain text keeps braces and line breaks as they count.
        parts += [
            f'<template number="{i}">\n{prompt.template}\n</template>' for i, prompt in enumerate(examples, 1)
        ]
    parts.append(OUTPUT % count)
    return [{"role": "user", "content": "\n\n".join(parts)}]


def _answer_form(task: Task) -> str:
    """Complete the sentence "The model must answer ..."."""
    answer = task.answer
    words = ", ".join(answer.words or ())
    if answer.rule == "choice":
        if words:
            return f"with exactly one of these: {words} (the template says what each stands for)"
        return "with the letter of one of the listed options"
    if answer.rule == "label":
        return f"with exactly one of these: {words}" if words else "with exactly one of the listed options"
    return {
        "number": "with a number and nothing else",
        "final_number": "with its working, and at the end the result as a number",
        "text": "with a short text on one line and nothing else",
        "json": "with one JSON value and nothing else",
        "code": "with Python code and nothing else",
    }[answer.rule]


def _placeholders(task: Task) -> str:
    names = task.required
    text = PLACEHOLDERS % (names[0], ", ".join("{" + name + "}" for name in names))
    listed = LISTED if OPTIONS in names else OPTIONAL if OPTIONS in task.placeholders else ""
    return text + listed + ONLY


def _brief(task: Task, style: Style) -> str:
    lines = [f"- length: {style.length}", f"- tone: {style.tone}", f"- arrangement: {style.order}"]
    lines.append(f"- end: {style.cue}")
    if OPTIONS in task.placeholders and OPTIONS not in task.required:
        listed = "listed with {options}" if style.options else "not listed; leave {options} out"
        lines.append(f"- possible answers: {listed}")
    return "The style this time:\n" + "\n".join(lines)
