"""What a training will see, told before it begins: the prompt of every step, the tokens of a sequence.

Both come from the functions that training itself calls, :class:`paft.train.schedule.Schedule` and
:class:`paft.model.encode.Encoder`; nothing is counted or cut in a way of its own.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Literal

import numpy as np

from paft.train.schedule import Schedule

if TYPE_CHECKING:
    from paft.model.encode import Encoded, Encoder

UNKNOWN = "\ufffd"  # what decoding writes for the bytes of an unfinished character, if anything
NAMES = {"\n": "⏎", "\t": "⇥"}


@dataclass(frozen=True)
class Stretch:
    """Steps, or examples, in a row that share a prompt.

    Attributes:
        epoch: Epoch, from 0.
        first: First step within the epoch, or index of the first example, from 0.
        last: The last one.
        prompt: Index of the prompt.
    """

    epoch: int
    first: int
    last: int
    prompt: int


@dataclass(frozen=True)
class Outline:
    """All prompts of a training.

    Attributes:
        unit: What a prompt belongs to: a step of the schedule, or an example under an epoch.
        stretches: In order of epoch, then of step or example.
        uses: Steps, or examples, of every prompt over all epochs, (M,).
    """

    unit: Literal["step", "example"]
    stretches: tuple[Stretch, ...]
    uses: np.ndarray

    @property
    def unused(self) -> list[int]:
        """Indices of the prompts that no step uses."""
        return [int(prompt) for prompt in np.flatnonzero(self.uses == 0)]


def outline(schedule: Schedule, *, length: int, steps: int, examples: int, spanned: int = 1) -> Outline:
    """List the prompts of a training.

    Args:
        schedule: Chooses them.
        length: Steps of the schedule, at least 1.
        steps: Those of an epoch.
        examples: Number of training examples. Of an epoch that ends early all are listed where each has
            its own prompt: their order is the sampler's.
        spanned: Prompts of a group (reinforcement fine-tuning): stretches have the first, all are used.
    """
    by_example = schedule.by_example
    stretches: list[Stretch] = []
    uses = np.zeros(schedule.bank_size, dtype=int)
    for epoch, first in enumerate(range(0, length, steps)):
        count = examples if by_example else min(steps, length - first)
        places = ((0, i) if by_example else (i, 0) for i in range(count))
        spans = [schedule.span(spanned, epoch=epoch, step=step, example=example) for step, example in places]
        np.add.at(uses, np.concatenate(spans), 1)
        stretches.extend(_stretches(epoch, [span[0] for span in spans]))
    return Outline("example" if by_example else "step", tuple(stretches), uses)


def _stretches(epoch: int, prompts: Sequence[int]) -> Iterator[Stretch]:
    for prompt, group in groupby(range(len(prompts)), key=prompts.__getitem__):
        run = list(group)
        yield Stretch(epoch, run[0], run[-1], prompt)


@dataclass(frozen=True)
class Token:
    """A token of a training sequence.

    Attributes:
        text: What it adds to the text; empty if it only begins a character that a later one ends.
        trained: Whether it carries loss.
        control: Whether it is a control token.
    """

    text: str
    trained: bool
    control: bool


def tokens_of(encoder: Encoder, encoded: Encoded) -> list[Token]:
    """Return the tokens of a training sequence with the text of each."""
    texts = _texts(encoder, encoded.input_ids)
    return [
        Token(text, i >= encoded.answer_start, encoder.is_control(token))
        for i, (token, text) in enumerate(zip(encoded.input_ids, texts, strict=True))
    ]


def _texts(encoder: Encoder, ids: list[int]) -> list[str]:
    """Text by token: what decoding it adds behind the token before it.

    A token decoded alone would lose its leading space in some tokenizers, and a character that
    lies in several tokens would be lost in all.
    """
    tokenizer, texts = encoder.tokenizer, []
    begin = done = 0  # ids[begin:done] has been told and gives the next token its surroundings
    for at, token in enumerate(ids):
        spelled = str(tokenizer.convert_ids_to_tokens(token))
        before = str(tokenizer.decode(ids[begin:done])) if done > begin else ""
        whole = str(tokenizer.decode(ids[begin : at + 1]))
        last = at + 1 == len(ids) or encoder.is_control(ids[at + 1])
        if encoder.is_control(token):
            texts.append(spelled)
        elif (whole.endswith(UNKNOWN) or whole == before) and not last:
            texts.append("")
            continue
        else:
            texts.append(whole[len(before) :] if whole.startswith(before) else spelled)
        begin, done = done, at + 1
    return texts


def visible(text: str, space: str = " ") -> str:
    r"""Return text on one line: line ends as ⏎, tabs as ⇥, other characters without a shape as \xNN.

    Args:
        text: Any text.
        space: What stands for a space.

    >>> visible("a\n\x1b[1m")
    'a⏎\\x1b[1m'
    """
    return "".join(space if letter == " " else _shown(letter) for letter in text)


def _shown(letter: str) -> str:
    if letter in NAMES:
        return NAMES[letter]
    if unicodedata.category(letter) in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"):
        return letter.encode("unicode_escape", "surrogatepass").decode("ascii")
    return letter
