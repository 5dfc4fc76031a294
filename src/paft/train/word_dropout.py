"""Prompts with some of their words left out: endless variants of the prompts of a bank, at no cost.

Every word of a template is left out with the same probability, anew for every example and step.
Placeholders, white space that tells lines apart and the last word of the template, which the answer
follows, stay: an example loses none of its fields, and an answer keeps its tokens. A word is what
white space or a placeholder ends and holds a letter or a digit; marks alone stay.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from paft.prompt import Prompt, unparse

_STREAM = 0xD209
_WORD = re.compile(r"[^\s]*\w[^\s]*[^\S\r\n]*")  # with the blanks behind it, but no line end


@dataclass(frozen=True)
class WordDropout:
    r"""Leaves words out of prompts.

    Attributes:
        rate: Probability of every word, in (0, 1).
        seed: Seed of the run.

    >>> WordDropout(0.5, seed=1)(Prompt("Read the text below.\n{text}\nIts topic is:"), 0, 0, 0).template
    'Read the below.\n{text}\nIts topic is:'
    """

    rate: float
    seed: int

    def __call__(self, prompt: Prompt, *key: int) -> Prompt:
        """Return the prompt without some of its words, a pure function of seed and key.

        Args:
            prompt: Any prompt.
            key: Epoch, step, example and number of the prompt.
        """
        pieces = _joined(prompt.pieces)
        words = [list(_WORD.finditer(literal)) for literal, _ in pieces]
        draws = np.random.default_rng([_STREAM, self.seed, *key]).random(sum(map(len, words)))
        stays = iter(draws >= self.rate)
        last = max((i for i, found in enumerate(words) if found), default=-1)
        for i, found in enumerate(words):
            kept = [bool(next(stays)) for _ in found]
            if i == last and pieces[i][1] is None:
                kept[-1] = True
            literal, name = pieces[i]
            pieces[i] = (
                _without(literal, [word for word, stay in zip(found, kept, strict=True) if not stay]),
                name,
            )
        return Prompt(unparse(pieces), prompt.provenance)


def _joined(pieces: Sequence[tuple[str, str | None]]) -> list[tuple[str, str | None]]:
    """Join literals that only a brace set apart."""
    joined: list[tuple[str, str | None]] = []
    for literal, name in pieces:
        before = joined.pop()[0] if joined and joined[-1][1] is None else ""
        joined.append((before + literal, name))
    return joined


def _without(literal: str, words: list[re.Match[str]]) -> str:
    for word in reversed(words):
        literal = literal[: word.start()] + literal[word.end() :]
    return literal
