"""Names in the folder of a run: ``cells/<trial>/`` holds what one method under one seed made."""

from __future__ import annotations

from dataclasses import dataclass

from paft.config import RunConfig
from paft.methods import METHODS


@dataclass(frozen=True)
class Trial:
    """One method under one seed; ``seed`` is None for a method that does not train."""

    method: str
    seed: int | None

    @property
    def name(self) -> str:
        """Folder name."""
        return self.method if self.seed is None else f"{self.method}-{self.seed}"


def plan_trials(config: RunConfig) -> list[Trial]:
    """List the trials seed by seed, so that an interrupted run has whole comparisons.

    >>> [c.name for c in plan_trials(RunConfig(methods=("base", "paft"), seeds=(0, 1)))]
    ['base', 'paft-0', 'paft-1']
    """
    untrained = [Trial(m, None) for m in config.methods if METHODS[m].schedule is None]
    trained = [Trial(m, seed) for seed in config.seeds for m in config.methods if METHODS[m].schedule]
    return untrained + trained


def weights_name(config: RunConfig) -> str:
    """Name of the folder with what a trial trained."""
    return "model" if config.train.adapt.method == "full" else "adapter"
