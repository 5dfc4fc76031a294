"""What training does to the wording of a prompt before each example is put into it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from paft.prompt import Prompt
from paft.train.recombination import Recombination
from paft.train.settings import Train
from paft.train.word_dropout import WordDropout


class Variation(Protocol):
    """Makes a variant of a training prompt."""

    def __call__(self, prompt: Prompt, *key: int) -> Prompt:
        """Return the variant of a place: epoch, step, example and number of the prompt."""


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
