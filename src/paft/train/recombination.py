r"""Prompts that begin as one prompt of a bank and end as another: N prompts become N x N, at no cost.

A template is cut behind the last placeholder that all training prompts have, which the fields of the
examples are. What follows there, most often the cue before the answer, comes from another prompt. A
prompt stays whole where the two together would list the options twice or have no word at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np

from paft.prompt import Prompt, unparse

_STREAM = 0xC205
Pieces = Sequence[tuple[str, str | None]]


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
        generator = np.random.default_rng([_STREAM, self.seed, *key])
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
