"""What a progress bar says while a model trains: loss or reward, current prompt, tokens a second."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from paft.train.schedule import Schedule

if TYPE_CHECKING:
    from paft.prompt import Prompt
    from paft.train.settings import Train


class Advances(Protocol):
    """Counts units as done; see :mod:`paft.progress`."""

    def advance(self, count: int, note: str = "") -> None:
        """So many more units are done."""


class Pace:
    """Tells a reporter about every entry of the loss curve; called as ``on_step``.

    Args:
        reporter: Counts optimiser steps.
        schedule: Says which prompt a step is under; None where that is not known beforehand.
        prompts: The schedule's prompts.
        steps: Optimiser steps of an epoch.
        settings: Training settings.

    Attributes:
        step: Steps told so far.
    """

    def __init__(
        self, reporter: Advances, schedule: Schedule, prompts: Sequence[Prompt], steps: int, settings: Train
    ) -> None:  # fmt: skip
        self.step = 0
        self._reporter = reporter
        self._schedule = schedule
        self._prompts = prompts
        self._steps = steps
        self._settings = settings
        self._last: tuple[float, int] | None = None  # time in seconds, and tokens so far

    def __call__(self, step: int, steps: int, measure: float, tokens: int) -> None:
        """Tell where training stands.

        Args:
            step: Optimiser steps done.
            steps: All of the run.
            measure: Mean loss since the former call, nats; under ``grpo`` mean reward.
            tokens: Tokens so far.
        """
        now = time.monotonic()
        notes = [f"{'reward' if self._settings.algorithm == 'grpo' else 'loss'} {measure:.3f}"]
        # Elsewhere every example has its own, or several.
        if not self._schedule.by_example and self._settings.grpo.spanned == 1:
            epoch, place = divmod(step - 1, self._steps)
            prompt = self._schedule.prompt(epoch=epoch, step=place // self._settings.iterations, example=0)
            notes.append(f"prompt {self._prompts[prompt].id}")
        if self._last is not None and now > self._last[0]:
            notes.append(f"{(tokens - self._last[1]) / (now - self._last[0]):,.0f} tokens/s")
        self._last = now, tokens
        self._reporter.advance(step - self.step, ", ".join(notes))
        self.step = step
