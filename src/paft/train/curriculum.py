"""Prompts in the order of their difficulty: at first few, later all.

The difficulty of a prompt is the mean loss of the answers under it before training
(:mod:`paft.train.probe`). A block that begins when the share t of all steps is done draws uniformly
from the first ``ceil(M min(1, start + (1 - start) t / until))`` of the M prompts in that order. Given
the difficulties, the prompt is a pure function of (seed, epoch, step), as in every schedule.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from paft.train.schedule import Schedule
from paft.train.settings import Curriculum


@dataclass(frozen=True)
class RisingSchedule(Schedule):
    """A schedule of steps or blocks that draws from more and more prompts.

    Attributes:
        order: All prompts, those that come first in front, (M,).
        start: Share of the prompts that the first block draws from, in (0, 1].
        until: Share of the steps after which all prompts are drawn from, in (0, 1].
        total: Optimiser steps of the run, at least 1.
    """

    order: tuple[int, ...] = ()
    start: float = 1.0
    until: float = 1.0
    total: int = 1

    def prompt(self, *, epoch: int, step: int, example: int) -> int:
        """Return the index of the prompt to use; arguments as of :meth:`Schedule.prompt`."""
        key = self._key(epoch, step, 0)
        begins = epoch * (self.steps or 0) + key[-1] * (self.resample_every if self.mode == "block" else 1)
        return self.order[self._random(key, among=self.open_at(begins))]

    def open_at(self, step: int) -> int:
        """Return how many prompts a block draws from that begins after so many steps of the run."""
        share = self.start + (1 - self.start) * step / self.total / self.until
        return min(self.bank_size, math.ceil(self.bank_size * min(1.0, share)))


def rising_schedule(
    schedule: Schedule, settings: Curriculum, difficulties: Sequence[float], total: int
) -> RisingSchedule:
    """Return a schedule of the same blocks that goes by difficulty.

    Args:
        schedule: Says when the prompt changes.
        settings: Which prompts come first and how fast the others follow.
        difficulties: Of every prompt; of equals the first comes first.
        total: Optimiser steps of the run.
    """
    order = sorted(range(schedule.bank_size), key=difficulties.__getitem__, reverse=settings.first == "hard")
    fields = {name: getattr(schedule, name) for name in Schedule.__dataclass_fields__}
    return RisingSchedule(
        **fields, order=tuple(order), start=settings.start, until=settings.until, total=total
    )
