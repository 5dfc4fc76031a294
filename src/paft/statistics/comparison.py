"""One model, or two compared, over prompts: estimates with intervals.

A matrix has one score for every prompt and example, for one or more training seeds. Which of these
were drawn from a larger population, and so vary, differs by statistic:

==================  ==================================================  ===========================
statistic           what it estimates, averaged over seeds              random
==================  ==================================================  ===========================
mean                mean accuracy over all prompts and examples like    prompts and examples, and
                    these                                               seeds if there are several
std                 standard deviation, over all prompts like these,    the same
                    of the accuracy on unlimited examples (its root
                    mean square over seeds)
min, max, cvar,     worst prompt, best prompt, mean of the worst        examples, and seeds if
top                 10 %, share above a threshold: of *these*          there are several; prompts
                    prompts on unlimited examples                       are fixed
==================  ==================================================  ===========================

So ``value`` may differ from what was observed: the luck of the examples is taken out of the
standard deviation and of the extremes. ``observed`` keeps the plain number. A single seed is fixed: the
interval is about that trained model.

How the intervals are made is in :mod:`paft.statistics.intervals`. ``benchmarks/intervals.json`` holds how
often they cover the truth in a simulation, and where they fall short: chiefly the standard
deviation when a few prompts are far worse than the rest, and then, less so, a difference of means.

Legend: S seeds, P prompts, N examples.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from paft.statistics.bootstrap import true_accuracies
from paft.statistics.intervals import (
    Interval,
    alike,
    alike_interval,
    draws_interval,
    mean_interval,
    std_interval,
)
from paft.statistics.summary import STATISTICS, Floats, Name, statistic

FEW_PROMPTS = 5
OF_SPREAD: tuple[Name, ...] = ("std", "cvar", "top")


@dataclass(frozen=True)
class Estimate:
    """A statistic of accuracy over prompts with its interval; scores in [0, 1], not points.

    Attributes:
        statistic: Which one.
        threshold: t of ``top``; None for the others.
        value: The estimate, the noise of the examples taken out.
        observed: The plain statistic of the observed accuracies, averaged over seeds.
        interval: Around ``value``.
        random: The axes the interval takes as drawn from a population.
    """

    statistic: Name
    threshold: float | None
    value: float
    observed: float
    interval: Interval
    random: tuple[str, ...]


@dataclass(frozen=True)
class Difference(Estimate):
    """A statistic of a first model minus that of a second one, on the same prompts and examples."""


def estimable(prompts: int, examples: int) -> list[Name]:
    """Return the statistics that a matrix of this size is enough for.

    Of few prompts the spread is open: intervals of ``std``, ``cvar`` and ``top`` would reach from 0 to 50
    points and say nothing.
    """
    if prompts < 1 or examples < 2:
        return []
    left_out = OF_SPREAD if prompts < FEW_PROMPTS else ("std",) if examples < 3 else ()
    return [name for name in STATISTICS if name not in left_out]


def estimate(
    scores: Floats,
    statistics: Sequence[Name] = STATISTICS,
    *,
    threshold: float = 0.9,
    level: float = 0.95,
    replicates: int = 2000,
    seed: int = 0,
) -> dict[Name, Estimate]:
    """Estimate statistics of accuracy over prompts.

    Args:
        scores: Scores in [0, 1], shape (S, P, N): seeds, prompts, examples.
        statistics: Some of ``mean``, ``std``, ``min``, ``max``, ``cvar`` (mean of the worst 10 %) and
            ``top`` (share of prompts strictly above the threshold).
        threshold: t of ``top``.
        level: Nominal coverage of the intervals.
        replicates: Draws for ``min``, ``max``, ``cvar`` and ``top``.
        seed: Of these draws.

    Raises:
        ValueError: If an argument is out of range, or the matrix too small: one prompt and two
            examples are needed, for ``std`` three prompts and three examples.
    """
    sides = _checked(statistics, level, scores)
    inferred = _infer(sides, statistics, threshold, level, replicates, seed)
    return {name: Estimate(**_described(name, threshold, sides, *inferred[name])) for name in inferred}


def difference(
    first: Floats,
    second: Floats,
    statistics: Sequence[Name] = STATISTICS,
    *,
    threshold: float = 0.9,
    level: float = 0.95,
    replicates: int = 2000,
    seed: int = 0,
) -> dict[Name, Difference]:
    """Estimate statistics of a first model minus those of a second one, paired.

    Args:
        first: Scores in [0, 1], shape (S_1, P, N).
        second: Scores of the other model for the same prompts and examples, shape (S_2, P, N). Its
            seeds are other training runs, whatever their number.
        statistics: As for :func:`estimate`, like all further arguments.
        threshold: t of ``top``.
        level: Nominal coverage of the intervals.
        replicates: Draws for ``min``, ``max``, ``cvar`` and ``top``, the same for both models.
        seed: Of these draws.

    Raises:
        ValueError: As :func:`estimate`, or if the prompts or examples differ in number.
    """
    sides = _checked(statistics, level, first, second)
    inferred = _infer(sides, statistics, threshold, level, replicates, seed)
    return {name: Difference(**_described(name, threshold, sides, *inferred[name])) for name in inferred}


def _checked(statistics: Sequence[Name], level: float, *sides: Floats) -> list[Floats]:
    unknown = [name for name in statistics if name not in STATISTICS]
    if unknown:
        raise ValueError(f"a statistic is one of {', '.join(STATISTICS)}, not {unknown[0]!r}")
    if not 0 < level < 1:
        raise ValueError(f"the level of an interval lies between 0 and 1, not {level!r}")
    arrays = [np.asarray(side, dtype=float) for side in sides]
    least = (1, 3, 3) if "std" in statistics else (1, 1, 2)
    for array in arrays:
        if array.ndim != 3 or array.shape[1:] != arrays[0].shape[1:]:
            shapes = " and ".join(str(each.shape) for each in arrays)
            raise ValueError(f"scores must be (seeds, prompts, examples), alike but for seeds: {shapes}")
        if statistics and any(size < needed for size, needed in zip(array.shape, least, strict=True)):
            raise ValueError(f"intervals of {', '.join(statistics)} need {least} scores, not {array.shape}")
        if not ((array >= 0) & (array <= 1)).all():
            raise ValueError("scores must lie in [0, 1]")
    return arrays


def _described(
    name: Name, threshold: float, sides: list[Floats], value: float, interval: Interval
) -> dict[str, Any]:
    """Return the fields of an estimate, or of a difference where there are two sides."""
    observed = [float(statistic(name, threshold)(side.mean(axis=2)).mean()) for side in sides]
    prompts = name in ("mean", "std") and sides[0].shape[1] > 1
    seeds = any(len(side) > 1 for side in sides)
    return {
        "statistic": name,
        "threshold": threshold if name == "top" else None,
        "value": value,
        "observed": observed[0] - sum(observed[1:]),
        "interval": interval,
        "random": ("prompts",) * prompts + ("examples",) + ("seeds",) * seeds,
    }


def _infer(
    sides: list[Floats],
    statistics: Sequence[Name],
    threshold: float,
    level: float,
    replicates: int,
    seed: int,
) -> dict[Name, tuple[float, Interval]]:  # fmt: skip
    """Return value and interval of each statistic, of its difference when there are two sides."""
    of_crossed = {"mean": mean_interval, "std": std_interval}
    draws: list[Floats] = []
    if any(name not in of_crossed for name in statistics):
        draws = [
            true_accuracies(side, replicates=replicates, seed=seed, model=number)
            for number, side in enumerate(sides)
        ]
    found: dict[Name, tuple[float, Interval]] = {}
    for name in statistics:
        if name in of_crossed:
            found[name] = of_crossed[name](sides, level)
        else:
            function = statistic(name, threshold)
            examples = sides[0].shape[2]
            value, interval = draws_interval([function(side) for side in draws], examples, level)
            if alike(sides):
                interval = alike_interval(value, examples, level, least=1.0 - len(sides))
            found[name] = value, interval
    return found
