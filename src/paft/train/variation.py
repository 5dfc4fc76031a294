r"""What training does to a prompt before each example is put into it: endless variants at no cost.

Recombination lets a prompt end as another of the bank does, so that N prompts become N x N. A template is
cut behind the last placeholder that all training prompts have, which the fields of the examples are; what
follows, most often the cue before the answer, comes from another prompt. A prompt stays whole where the two
together would list the options twice or have no word at all.

Word dropout leaves out every word of a template with the same probability. Placeholders, white space that
tells lines apart and the last word, which the answer follows, stay: an example loses none of its fields, and
an answer keeps its tokens. A word is what white space or a placeholder ends and holds a letter or a digit;
marks alone stay.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from paft.prompt import Prompt, unparse
from paft.train.settings import Train

_RECOMBINATION, _DROPOUT = 0xC205, 0xD209  # first numbers of the keys of random draws
_WORD = re.compile(r"[^\s]*\w[^\s]*[^\S\r\n]*")  # with the blanks behind it, but no line end
Pieces = Sequence[tuple[str, str | None]]
# (prompt, epoch, step, example, number of the prompt) -> its variant there
Variation = Callable[[Prompt, int, int, int, int], Prompt]


def variation(config: Train, prompts: Sequence[Prompt], seed: int) -> Variation | None:
    """Return what ``train.recombination`` and ``train.word_dropout`` ask for, in this order, or None.

    They have no part in schedule ``single``.

    Args:
        config: Training settings.
        prompts: The training prompts.
        seed: Seed of the run.
    """
    if config.schedule == "single":
        return None
    parts: list[Variation] = []
    if config.recombination is not None:
        parts.append(Recombination(config.recombination, seed, prompts))
    if config.word_dropout is not None:
        parts.append(WordDropout(config.word_dropout, seed))
    if not parts:
        return None

    def vary(prompt: Prompt, *key: int) -> Prompt:
        for part in parts:
            prompt = part(prompt, *key)
        return prompt

    return vary


class Recombination:
    r"""Gives prompts the endings of others.

    Args:
        rate: Probability that a prompt's ending is another's, in (0, 1].
        seed: Seed of the run.
        prompts: The training prompts.

    >>> prompts = [Prompt("Read this.\n{text}\nIts topic:"), Prompt("{text} It is about")]
    >>> Recombination(1.0, 0, prompts)(prompts[0], 0, 1).template
    'Read this.\n{text} It is about'
    """

    def __init__(self, rate: float, seed: int, prompts: Sequence[Prompt]) -> None:
        self.rate = rate
        self.seed = seed
        self.prompts = tuple(prompts)

    @cached_property
    def shared(self) -> frozenset[str]:
        """Placeholders of all training prompts."""
        return frozenset.intersection(*(frozenset(prompt.placeholders) for prompt in self.prompts))

    def __call__(self, prompt: Prompt, *key: int) -> Prompt:
        """Return the prompt, by chance with the ending of another one: a pure function of seed and key.

        Args:
            prompt: A training prompt.
            key: Epoch, step, example and number of the prompt.
        """
        generator = np.random.default_rng([_RECOMBINATION, self.seed, *key])
        if generator.random() >= self.rate:
            return prompt
        other = self.prompts[int(generator.integers(len(self.prompts)))]
        (head, _), (_, tail) = self._cut(prompt), self._cut(other)
        twice = {name for _, name in head} & {name for _, name in tail} - {None}
        wordless = not any(character.isalnum() for text, _ in (*head, *tail) for character in text)
        return prompt if twice or wordless else Prompt(unparse([*head, *tail]), prompt.provenance)

    def _cut(self, prompt: Prompt) -> tuple[Pieces, Pieces]:
        """Return what stands up to the last shared placeholder, and what follows it."""
        places = [i for i, (_, name) in enumerate(prompt.pieces) if name in self.shared]
        end = places[-1] + 1 if places else len(prompt.pieces)
        return prompt.pieces[:end], prompt.pieces[end:]


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
        pieces = _join_literals(prompt.pieces)
        words = [list(_WORD.finditer(literal)) for literal, _ in pieces]
        draws = np.random.default_rng([_DROPOUT, self.seed, *key]).random(sum(map(len, words)))
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


def _join_literals(pieces: Sequence[tuple[str, str | None]]) -> list[tuple[str, str | None]]:
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
