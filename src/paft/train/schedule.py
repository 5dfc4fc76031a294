"""Which prompt an optimiser step uses: the contribution of the paper as one pure function.

No generator is advanced and no state is kept. The prompt is a function of (seed, epoch, step,
example) alone, so every rank, data-loader worker and resumed run agrees without exchanging
anything, and the schedule can be printed before training.

=========  ==================================================================================
mode       the prompt changes
=========  ==================================================================================
single     never: the first prompt of the list. Ordinary fine-tuning, the main baseline
static     never for an example: each example keeps one prompt for all epochs. What the paper's
           published code does
example    for every example, anew in every epoch
block      every K optimiser steps, and at the start of every epoch: the paper's Algorithm 1
=========  ==================================================================================

Draws are uniform with replacement, as in the paper.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

Mode = Literal["single", "static", "example", "block"]
# Keeps these draws apart from other uses of the same seed, such as the order of examples.
_STREAM = 0x5EED


@dataclass(frozen=True)
class Schedule:
    """The prompt of every step or example.

    PAPER: Algorithm 1 counts "steps" without saying of what. Here K counts optimiser steps, never
    micro-batches; the paper's code counted examples.

    Attributes:
        mode: See the module docstring.
        bank_size: Number M of training prompts, at least 1.
        resample_every: K, the optimiser steps that share a prompt, at least 1 (mode ``block``).
        seed: Seed of the draws, at least 0.

    Raises:
        ValueError: If a number is out of range.

    >>> schedule = Schedule("block", bank_size=100, resample_every=2, seed=0)
    >>> [schedule.prompt(epoch=0, step=step, example=0) for step in range(4)]
    [68, 68, 93, 93]
    """

    mode: Mode
    bank_size: int
    resample_every: int = 4
    seed: int = 0

    def __post_init__(self) -> None:
        if self.bank_size < 1 or self.resample_every < 1 or self.seed < 0:
            raise ValueError(
                f"bank_size and resample_every must be at least 1 and seed at least 0, got {self}"
            )

    def prompt(self, *, epoch: int, step: int, example: int) -> int:
        """Return the index of the prompt to use.

        Args:
            epoch: Epoch, from 0.
            step: Optimiser step within the epoch, from 0.
            example: Index of the example in its data set.

        Returns:
            An index in ``[0, bank_size)``.
        """
        if self.mode == "single":
            return 0
        if self.mode == "static":
            return self._draw(1, example)
        if self.mode == "example":
            return self._draw(2, epoch, example)
        return self._draw(3, epoch, step // self.resample_every)

    def _draw(self, *key: int) -> int:
        return int(np.random.default_rng([_STREAM, self.seed, *key]).integers(self.bank_size))
