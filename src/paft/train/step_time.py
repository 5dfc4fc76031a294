"""What is said while a model trains: loss or reward, prompt and tokens a second, a line per validation."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from paft.train.schedule import Schedule

if TYPE_CHECKING:
    from paft.progress import Reporter
    from paft.prompt import Prompt
    from paft.train.settings import Train
    from paft.train.validation import Point, Validation


class Pace:
    """Tells a reporter about every step; called as ``on_step``.

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
        self, reporter: Reporter, schedule: Schedule, prompts: Sequence[Prompt], steps: int, settings: Train
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
            measure: Loss of the step, nats; under ``grpo`` the mean reward of its completions.
            tokens: Tokens so far.
        """
        if not self.step and step > 1:
            self._reporter.tell(f"goes on after step {step} of {steps}")
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

    def listen(self, validation: Validation | None) -> Validation | None:
        """Return a validation that tells the reporter of itself, None for none."""
        if validation is None:
            return None

        def hear(point: Point | None, best: bool) -> None:
            if point is None:
                self._reporter.advance(0, f"validating on {validation.size}")
                return
            self._last = None  # its seconds are none of a step
            figures = f"mean {100 * point.mean:.1f}, worst {100 * point.min:.1f}"
            mark = " (best so far)" if best else ""
            self._reporter.tell(f"step {point.step}: validation on {validation.size}: {figures}{mark}")

        return replace(validation, hear=hear)
