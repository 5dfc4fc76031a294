"""What is known of prompts while one of them is chosen: every score, once, and where it came from."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from paft.prompt import Prompt


@dataclass(frozen=True)
class Measured:
    """How well the untrained model does under a prompt.

    Attributes:
        accuracy: Mean score over the examples, in [0, 1].
        gold: Mean log-probability of the right answer, in nats; None where answers are generated.
    """

    accuracy: float
    gold: float | None = None


@dataclass(frozen=True)
class Score:
    """A prompt, how well it does, and why it was scored."""

    prompt: Prompt
    measured: Measured
    origin: Mapping[str, Any]

    @property
    def accuracy(self) -> float:
        return self.measured.accuracy

    @property
    def rank(self) -> tuple[float, float, str]:
        """The smallest is the best: by accuracy, log-probability of the right answer, and id."""
        return -self.accuracy, -(self.measured.gold or 0.0), self.prompt.id

    def row(self) -> dict[str, Any]:
        """As it stands in ``choice.json``."""
        return {
            "prompt": self.prompt.id,
            "template": self.prompt.template,
            "accuracy": self.accuracy,
            "gold_log_probability": self.measured.gold,
            **self.origin,
        }


Origin = Mapping[str, Any]
Measure = Callable[[Sequence[Prompt]], Sequence[Measured]]


class Scores:
    """Scores prompts, none twice.

    Args:
        measure: Measures prompts that were not measured yet.
        budget: Prompts to measure at most; None for no limit.

    Attributes:
        trace: All scores in the order in which they came.
    """

    def __init__(self, measure: Measure, budget: int | None = None) -> None:
        self.trace: list[Score] = []
        self._measure = measure
        self._budget = budget
        self._known: dict[str, Score] = {}

    def __call__(self, asked: Sequence[tuple[Prompt, Origin]]) -> list[Score]:
        """Return the scores of prompts, in order; with each comes why it is scored, should it not have been.

        Raises:
            ValueError: If the budget does not suffice.
        """
        new = {prompt.id: (prompt, origin) for prompt, origin in asked if prompt.id not in self._known}
        if len(new) > self.left:
            raise ValueError(f"{len(new)} prompts to score, but the budget leaves {self.left}")
        found = self._measure([prompt for prompt, _ in new.values()]) if new else ()
        for (prompt, origin), measured in zip(new.values(), found, strict=True):
            self._known[prompt.id] = Score(prompt, measured, origin)
            self.trace.append(self._known[prompt.id])
        return [self._known[prompt.id] for prompt, _ in asked]

    @property
    def left(self) -> float:
        """Prompts that may still be scored; infinite without a budget."""
        return float("inf") if self._budget is None else self._budget - len(self.trace)

    def best(self) -> Score:
        """The best score so far; there must be one."""
        return min(self.trace, key=lambda score: score.rank)
