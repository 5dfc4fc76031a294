# OMP_NUM_THREADS=1 python benchmarks/budget.py
"""Measure how well a share of the cells tells mean and std of the full matrix; write benchmarks/budget.json.

Matrices of 50 prompts x 1,000 examples are drawn from the settings of ``intervals.py``, with one seed.
Cells are chosen by ``sample_cells``; the estimates are compared with the drawn full matrix: its mean
and its standard deviation over prompts (ddof 1). The same matrices serve all shares.

Errors are in points of accuracy: ``rms`` is the root of the mean squared error over repetitions,
``mean_absolute`` the mean of its size, ``bias`` its mean; with 2,000 repetitions an ``rms`` is itself
known to within a thirtieth. ``coverage`` is how often the 95 % interval holds the value of the full
matrix, in percent.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from intervals import SETTINGS, draw
from numpy.typing import NDArray

from paft.files import write_json
from paft.provenance import environment
from paft.statistics.budget import estimate_mean, estimate_std, sample_cells

Floats = NDArray[np.float64]

PROMPTS, EXAMPLES = 50, 1000
NAMES = ("narrow", "wide", "skewed")
SHARES = (0.025, 0.05, 0.1, 0.2)
REPETITIONS = 2000


def observe(name: str, share: float, repetition: int) -> tuple[Floats, Floats]:
    """Return scores (P, N), and those that were observed (P, N; NaN elsewhere)."""
    generator = np.random.default_rng([NAMES.index(name), repetition])
    base, difficulty = generator.normal(size=PROMPTS), generator.normal(size=EXAMPLES)
    drawn, _ = draw(SETTINGS[name], base, difficulty, 1, generator)
    mask = sample_cells(PROMPTS, EXAMPLES, round(share * PROMPTS * EXAMPLES), repetition)
    return drawn[0], np.where(mask, drawn[0], np.nan)


def sizes(errors: Sequence[float]) -> dict[str, float]:
    """Return root mean square, mean size and mean of errors, in points."""
    points = 100 * np.array(errors)
    return {
        "rms": round(float((points**2).mean() ** 0.5), 2),
        "mean_absolute": round(float(np.abs(points).mean()), 2),
        "bias": round(float(points.mean()), 2),
    }


def moments(name: str, share: float) -> dict[str, Any]:
    """Return the figures of mean and std in one setting, from one share of the cells."""
    errors: dict[str, list[float]] = {"mean": [], "std": []}
    held: dict[str, list[bool]] = {"mean": [], "std": []}
    for repetition in range(REPETITIONS):
        scores, seen = observe(name, share, repetition)
        accuracies = np.sort(scores.mean(axis=1))
        truth = {"mean": float(accuracies.mean()), "std": float(accuracies.std(ddof=1))}
        for key, made in (("mean", estimate_mean(seen)), ("std", estimate_std(seen))):
            errors[key].append(made.value - truth[key])
            held[key].append(made.low - 1e-9 <= truth[key] <= made.high + 1e-9)
    print(name, share, flush=True)
    found = {
        key: sizes(errors[key]) | {"coverage": round(100 * float(np.mean(held[key])), 1)} for key in errors
    }
    return {"setting": name, "share": share, "repetitions": REPETITIONS, **found}


def main() -> None:
    """Measure and write the figures."""
    started = time.perf_counter()
    rows = [moments(name, share) for name in NAMES for share in SHARES]
    figures: dict[str, Any] = {
        "prompts": PROMPTS,
        "examples": EXAMPLES,
        "level": 95,
        "settings": {name: asdict(SETTINGS[name]) for name in NAMES},
        "moments": rows,
        "seconds": round(time.perf_counter() - started),
        "environment": environment(),
    }
    write_json(Path(__file__).with_suffix(".json"), figures)
    print(json.dumps({f"{row['setting']}, {row['share']:.1%}": row["std"]["rms"] for row in rows}, indent=1))


if __name__ == "__main__":
    main()
