"""Worst prompts more often: the prompt of a block follows from the losses under all prompts so far.

Every prompt has a running loss: nats per answer token, an exponential moving average over the steps
it was trained on. The next block's prompt is drawn

====  ==================================================================================
dro   with probability ``floor / M + (1 - floor) q``, where q is multiplied by
      ``exp(step_size * running loss)`` and normalised before every draw: group DRO
      (Sagawa et al., arXiv 1911.08731) with the prompt for the group, its weights turned into
      draws. A prompt without a loss counts as the mean of those with one
cvar  uniformly from the ``ceil(alpha M)`` prompts with the highest running loss, the tail that
      CVaR is the mean of. Prompts without a loss count as the highest, so all come once first
====  ==================================================================================

This is the one schedule with a state. It is as pure as can be: given the losses, a draw is a function
of (seed, number of the block, losses). All processes see the same losses, those of the whole step.
The prompt of a block that begins with step s is drawn when step s - 2 is done, from the losses up to
it: loaders ask for the first batch of a step before the step in front of it. Running losses, weights
and all draws so far are in every checkpoint.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from paft.files import read_json, write_json
from paft.prompt import Prompt
from paft.train.schedule import Schedule
from paft.train.settings import Worst
from paft.train.tally import Reduce, StepTally
from paft.train.trainer import Keeper

STATE = "worst.json"
_STREAM = 0x3057


@dataclass(frozen=True)
class DrawnSchedule(Schedule):
    """A schedule whose prompts are drawn while the run goes on.

    Attributes:
        drawn: The prompt of every block that is known so far, in order; grows.
    """

    drawn: list[int] = field(default_factory=list)

    def prompt(self, *, epoch: int, step: int, example: int) -> int:
        """Return the index of the prompt of a block that has been drawn."""
        return self.drawn[self._number(self._key(epoch, step, example))]

    def block_of(self, step: int) -> int:
        """Return the number of the block of a step of the run, both from 0."""
        return self._number(self._key(*divmod(step, self.steps or 1), 0))


class RunningLosses:
    """The running loss of every prompt, and what is drawn by it.

    Args:
        settings: See :class:`paft.train.settings.Worst`.
        prompts: Number M of prompts.
        seed: Seed of the draws.

    Attributes:
        losses: (M,) running losses in nats, NaN where there is none.
        logs: (M,) logarithms of the weights q, the largest 0; of ``dro``.
    """

    def __init__(self, settings: Worst, prompts: int, seed: int) -> None:
        self.settings = settings
        self.seed = seed
        self.losses = np.full(prompts, np.nan)
        self.logs = np.zeros(prompts)

    def update(self, prompt: int, loss: float) -> None:
        """Move the running loss of a prompt towards the mean loss of a step under it."""
        before, share = self.losses[prompt], self.settings.smoothing
        self.losses[prompt] = loss if np.isnan(before) else (1 - share) * before + share * loss

    def draw(self, block: int) -> int:
        """Return the prompt of a block; to be called once for each, in order."""
        draws = np.random.default_rng([_STREAM, self.seed, block])
        if self.settings.kind == "cvar":
            return int(draws.choice(self.tail()))
        self._grow()
        return int(np.searchsorted(np.cumsum(self.probabilities())[:-1], draws.random(), side="right"))

    def probabilities(self) -> np.ndarray:
        """Return the probability of every prompt in the next draw of ``dro``, (M,)."""
        q, floor = np.exp(self.logs), self.settings.floor
        return np.asarray(floor / len(q) + (1 - floor) * q / q.sum())

    def tail(self) -> np.ndarray:
        """Return the prompts that ``cvar`` draws from: all that are new, if these are enough."""
        count = math.ceil(self.settings.alpha * len(self.losses))
        new = np.flatnonzero(np.isnan(self.losses))
        order = np.argsort(-np.nan_to_num(self.losses, nan=np.inf), kind="stable")
        return new if len(new) >= count else np.sort(order[:count])

    def _grow(self) -> None:
        if np.isnan(self.losses).all():
            return
        filled = np.where(np.isnan(self.losses), np.nanmean(self.losses), self.losses)
        self.logs += self.settings.step_size * filled
        self.logs -= self.logs.max()

    def state(self) -> dict[str, Any]:
        """Return all that :meth:`restore` needs."""
        losses = [None if np.isnan(loss) else loss for loss in self.losses.tolist()]
        return {"losses": losses, "logs": self.logs.tolist()}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from :meth:`state`."""
        self.losses = np.array([np.nan if loss is None else loss for loss in state["losses"]])
        self.logs = np.array(state["logs"])


class WorstPrompts(Keeper):
    """Draws the prompts of a run from the losses of its steps.

    Args:
        schedule: Is told what is drawn.
        settings: How.
        tally: Counts the losses of a step.
        reduce: Adds up a tensor over all processes.
    """

    def __init__(self, schedule: DrawnSchedule, settings: Worst, tally: StepTally, reduce: Reduce) -> None:
        self.schedule = schedule
        self.running = RunningLosses(settings, schedule.bank_size, schedule.seed)
        self.tally = tally
        self.reduce = reduce
        self._draw(upto=1)

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Take in the losses of a step, and draw for a block that begins with the next but one."""
        for prompt, (loss, tokens) in enumerate(self.tally.step(self.reduce)):
            if tokens:
                self.running.update(prompt, loss / tokens)
        self._draw(upto=state.global_step + 1)

    def _draw(self, upto: int) -> None:
        """Draw for all blocks up to that of a step of the run that have no prompt yet."""
        for block in range(len(self.schedule.drawn), self.schedule.block_of(upto) + 1):
            self.schedule.drawn.append(self.running.draw(block))

    def save(self, folder: Path) -> None:
        """Write the state to a checkpoint."""
        write_json(folder / STATE, {**self.running.state(), "drawn": self.schedule.drawn})

    def load(self, folder: Path) -> None:
        """Go on from a checkpoint."""
        state = read_json(folder / STATE, "state of train.worst")
        self.running.restore(state)
        self.schedule.drawn[:] = state["drawn"]


def drawn_schedule(schedule: Schedule) -> DrawnSchedule:
    """Return a schedule of the same blocks whose prompts are still to be drawn."""
    return DrawnSchedule(**{name: getattr(schedule, name) for name in Schedule.__dataclass_fields__})


def drawn_ids(schedule: Schedule, prompts: Sequence[Prompt], steps: int) -> tuple[str, ...]:
    """Return the ids of the prompts that were drawn for the blocks of a run, none if none were.

    Args:
        schedule: Of the run.
        prompts: All prompts.
        steps: Optimiser steps done, at least 1.
    """
    if not isinstance(schedule, DrawnSchedule):
        return ()
    return tuple(prompts[i].id for i in schedule.drawn[: schedule.block_of(steps - 1) + 1])
