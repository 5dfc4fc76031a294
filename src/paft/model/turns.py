"""Turns: what a chat template writes around the user's text and the answer.

The template is rendered a few times with marks for the texts; the text around the marks, and
which white space beside them is gone, is all that :mod:`paft.model.chat` needs.

Some templates open a thought where the model is to write (``<think>``) and show none in a conversation
that is written down. An answer does not belong into it: the thought is closed at once and stays empty.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from paft.errors import ConfigError, ModelError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

SYSTEM, USER, ANSWER = "PaftSystemText", "PaftUserText", "PaftAnswerText"
SPACES = " \n\t"
# A thinking model answers at once. Some templates write today's date unless given one: this is what
# those of Llama write where no clock is at hand.
SETTINGS: dict[str, Any] = {"enable_thinking": False, "date_string": "26 Jul 2024"}
# A tag at the end of a generation prompt, a pair of tags, and names of tags that hold thoughts or answers.
OPENED = re.compile(r"([<\[])([A-Za-z][\w.:-]*)([>\]])(\s*)\Z")
CLOSED = re.compile(r"([<\[])([A-Za-z][\w.:-]*)([>\]]).*?\1/\2\3", re.DOTALL)
_NAMES = r"(?:think|thought|reason|reflect|scratch|analys|monologue)"
THOUGHT = re.compile(_NAMES, re.IGNORECASE)
ANSWERING = re.compile(r"answer|respon|reply|output|final|assistant|model|bot|^ai$", re.IGNORECASE)
# A thought between marks that spell no closing tag: <|think|>, <|channel|>analysis<|message|>.
MARKED = re.compile(
    rf"[<\[][^<>\[\]]*{_NAMES}[^<>\[\]]*[>\]]|\b{_NAMES}\w*\s*[<\[][^<>\[\]]+[>\]]\s*\Z", re.IGNORECASE
)


class Trim(NamedTuple):
    r"""Which white space a template cuts off a text: characters, None for all of it.

    >>> Trim(None, "\n")("  a \n")
    'a '
    """

    left: str | None
    right: str | None

    def __call__(self, text: str) -> str:
        return text.lstrip(self.left).rstrip(self.right)


@dataclass(frozen=True)
class Turns:
    """What a chat template writes around the user's text and the answer.

    Attributes:
        before: From the beginning to the user's text, system turn included.
        between: From the user's text to the end of the generation prompt, a thought in it closed.
        closing: The end of ``between`` that closes a thought, which the template leaves open; often empty.
        lead: Between the generation prompt and an answer, often nothing or a space.
        after: From the answer to the end of the conversation.
        continues: Whether a whole conversation begins with the prompt; the lead is unknown if not.
        user: What is cut off the user's text.
        answer: What is cut off an answer.
        written: All that it was seen to write itself, with a system turn too if it takes one.
    """

    before: str
    between: str
    closing: str
    lead: str
    after: str
    continues: bool
    user: Trim
    answer: Trim
    written: str

    @classmethod
    def learn(cls, tokenizer: PreTrainedTokenizerBase, system: str | None) -> Turns:
        """Render the tokenizer's template and see what it writes.

        Raises:
            ModelError: If there is no template, or it cannot write a turn of each side.
            ConfigError: If it takes no system turn.
        """
        if not tokenizer.chat_template:
            raise ModelError(
                f"the tokenizer of {tokenizer.name_or_path!r} has no chat template: choose an "
                "instruction-tuned checkpoint, or switch chat off"
            )
        prompt, whole = _render_checked(tokenizer, system)
        closing = closing_of(prompt, whole.partition(ANSWER)[0])
        prompt += closing
        before, between = _cut(prompt, USER)
        continues = whole.startswith(prompt)
        lead, after = _cut(whole.removeprefix(prompt) if continues else _cut(whole, USER)[1], ANSWER)
        return cls(
            before=before,
            between=between,
            closing=closing,
            lead=lead if continues else "",
            after=after,
            continues=continues,
            user=_trim(tokenizer, system, before, USER),
            answer=_trim(tokenizer, system, _cut(whole, ANSWER)[0], ANSWER),
            written=_written(tokenizer) + closing,
        )


def default_system(tokenizer: PreTrainedTokenizerBase) -> str | None:
    """Return the text of the system turn that a template writes where none is given; None if it writes none.

    Raises:
        ModelError: If it cannot write a turn of each side.
    """
    before = _cut(_render_checked(tokenizer, None)[0], USER)[0]
    try:
        given = _cut(_render_checked(tokenizer, SYSTEM)[0], USER)[0]
    except ConfigError:
        return None
    head, foot = _cut(given, SYSTEM)
    whole = len(before) >= len(head) + len(foot) and before.startswith(head) and before.endswith(foot)
    return before[len(head) : len(before) - len(foot)].strip() or None if whole and head.strip() else None


def closing_of(prompt: str, before: str) -> str:
    r"""Return what closes a thought that a generation prompt opens; empty if it opens none.

    ``prompt`` ends with the generation prompt, ``before`` is a whole conversation up to its answer.

    Raises:
        ModelError: If something is opened that may be a thought, or a thought by what has no closing tag.

    >>> closing_of("<user>Hi<think>\n", "<user>Hi")
    '\n</think>\n\n'
    >>> closing_of("Hi<assistant>", "Hi<assistant>"), closing_of("Hi [/INST]", "Hi [/INST]")
    ('', '')
    """
    tail = prompt.rpartition(USER)[2]
    found = OPENED.search(tail)
    if found is None:
        marks = [mark[0] for mark in MARKED.finditer(CLOSED.sub("", tail))]
        if marks and not re.search(r"/|end|close", marks[-1], re.IGNORECASE):
            raise ModelError(_opens(marks[-1]))
        return ""
    left, name, right, space = found.groups()
    close = f"{left}/{name}{right}"
    if before.startswith(prompt) and close in before[len(prompt) :]:
        return ""  # the template closes it itself before an answer
    if THOUGHT.search(name):
        return "\n" * max(0, 2 - space.count("\n")) + close + "\n\n"
    # A tag that conversations have before an answer too says who speaks.
    if before.rstrip().endswith(found[0].rstrip()) or ANSWERING.search(name):
        return ""
    raise ModelError(_opens(found[0]))


def _opens(mark: str) -> str:
    return (
        f"the chat template opens {mark.strip()!r} where the model is to answer: whether an answer may stand "
        "there and what closes it is not known; switch chat off, or choose another checkpoint"
    )


def conversation(system: str | None, user: str, answer: str | None) -> list[dict[str, str]]:
    """Return the turns of a conversation; those whose text is None are left out."""
    texts = {"system": system, "user": user, "assistant": answer}
    return [{"role": role, "content": text} for role, text in texts.items() if text is not None]


def _render(tokenizer: PreTrainedTokenizerBase, system: str | None, user: str, answer: str | None) -> str:
    """Return a conversation as text, or a prompt if there is no answer.

    Raises:
        ModelError: If the template refuses.
    """
    from jinja2 import TemplateError

    turns = conversation(system, user, answer)
    try:
        text = tokenizer.apply_chat_template(
            turns, tokenize=False, add_generation_prompt=answer is None, **SETTINGS
        )
    except (TemplateError, ValueError, TypeError) as error:
        raise ModelError(
            f"the chat template of {tokenizer.name_or_path!r} cannot write a plain conversation "
            f"({error}): switch chat off, or choose another checkpoint"
        ) from error
    return str(text)


def _render_checked(tokenizer: PreTrainedTokenizerBase, system: str | None) -> tuple[str, str]:
    """Return prompt and whole conversation, and see that the system turn is in them."""
    prompt = _render(tokenizer, None, USER, None)
    if system is not None:
        try:
            prompt = _render(tokenizer, system, USER, None)
        except ModelError as error:
            raise ConfigError(_no_system(tokenizer, "refuses")) from error
        if system.strip() not in prompt:
            raise ConfigError(_no_system(tokenizer, "leaves out"))
    return prompt, _render(tokenizer, system, USER, ANSWER)


def _no_system(tokenizer: PreTrainedTokenizerBase, does: str) -> str:
    return (
        f"chat.system: the chat template of {tokenizer.name_or_path!r} {does} a system turn: leave "
        "chat.system out and put its text into the prompts"
    )


def _written(tokenizer: PreTrainedTokenizerBase) -> str:
    plain = [_render(tokenizer, None, USER, answer) for answer in (None, ANSWER)]
    try:
        return "".join([*plain, _render(tokenizer, SYSTEM, USER, ANSWER)])
    except ModelError:
        return "".join(plain)


def _cut(text: str, mark: str) -> tuple[str, str]:
    left, found, right = text.partition(mark)
    if not found or mark in right:
        raise ModelError(
            f"the chat template writes a turn's text {text.count(mark)} times, not once: switch chat off, "
            "or choose another checkpoint"
        )
    return left, right


def _trim(tokenizer: PreTrainedTokenizerBase, system: str | None, before: str, mark: str) -> Trim:
    """Find which white space is cut off a text that stands behind ``before``."""
    asked = mark == USER
    after = len(_render(tokenizer, system, USER, None if asked else ANSWER)) - len(before) - len(mark)
    lost: tuple[list[str], list[str]] = ([], [])
    for space in SPACES:
        text = space + mark + space
        rendered = _render(tokenizer, system, text, None) if asked else _render(tokenizer, system, USER, text)
        left, right = _cut(rendered, mark)
        for cut, kept in zip(lost, (len(left) > len(before), len(right) > after), strict=True):
            cut.extend([] if kept else [space])
    return Trim(*(None if len(cut) == len(SPACES) else "".join(cut) for cut in lost))
