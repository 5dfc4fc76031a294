# OMP_NUM_THREADS=1 python benchmarks/precision.py [--paired]
"""What ``paft evaluate --precision`` saves, and how often it is right; write benchmarks/precision.json.

The truth is the full matrix: its mean, and its lowest accuracy of a prompt. ``mean_held`` is how often
the mean of all cells is within the precision of the estimate, ``worst_held`` how often the lowest
accuracy is in its interval, in percent; 95 is the promise. ``mean_saving`` and ``saving`` are all cells
over the cells that the mean takes, and over those that mean and worst prompt take together, by their means.
``lowest_found`` is how often the prompt that is named is one with the lowest accuracy, in percent, and
``worst_excess`` how much better it is than that on average, in points.

``simulated``: matrices from the settings of ``intervals.py`` with one seed, a new one for each repetition.
``real``: every matrix in ``results/table1_small/predictions`` (methods x seeds on four tasks, 25 unseen
prompts x 50 or 100 examples), each in many orders of its cells. A matrix of 2,500 cells is a hard case:
the cells that a precision takes hardly grow with the matrix. ``lowest_held`` is the matrix that was held
least often, of each task; of 31 with 20 orders each, one that is held in 95 % is likely to be seen at 85.

``without``: the same real matrices, mean alone, without what the looks are paid with (5 % of error at
each), and without the one pair of cells that is taken to differ.

``paired``: two models, scored until the mean of each and their difference are known, without the worst
prompt. ``held`` is how often the difference of all cells is in its interval, ``means_held`` of means,
``saving`` all cells over the cells scored. Simulated: two seeds of a setting; ``alike``: the second model is
the first but for 2 % of its wrong cells. Real: every two methods of the same seed. ``--paired`` measures this
part anew and leaves the rest as it is.

``speed``: cells per second of processor time, of parts over the whole, on the built-in model and task, in
one process, behind a first round that warms up; and how far the scores of parts are from those of the whole.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from functools import partial
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from intervals import SETTINGS, draw
from numpy.typing import NDArray
from pyarrow import parquet

from paft.bank import load_bank
from paft.config import BUILTIN_TASK, ModelOnTask
from paft.evaluate.cells import evaluate_matrix
from paft.evaluate.matrix import Cell
from paft.experiment.bank_choice import bank_file
from paft.files import read_json, write_json
from paft.model.load import load_model
from paft.provenance import environment
from paft.statistics import precision
from paft.statistics.precision import Measured, measure_matrix, measure_models
from paft.task.task import load_task

Floats = NDArray[np.float64]

PREDICTIONS = Path(__file__).parent.parent / "results" / "table1_small" / "predictions"
NAMES = ("narrow", "wide", "flat", "skewed")
SIZES = ((25, 100), (25, 1000), (50, 1000))
PRECISIONS = (0.02, 0.05)
REPETITIONS, ORDERS = 100, 20
PAIRED = 2  # models: keeps the draws of pairs apart from the others
SPEED_PROMPTS, SPEED_EXAMPLES, ROUNDS = 25, 100, 1


def measure(scores: Floats, wanted: float, seed: int, *, worst: bool = True) -> Measured:
    """Measure a matrix of which every cell is known."""
    return measure_matrix(
        lambda mask: np.where(mask, scores, np.nan), *scores.shape, precision=wanted, seed=seed, worst=worst
    )


def outcome(scores: Floats, wanted: float, seed: int, *, worst: bool = True) -> dict[str, float]:
    """Return what one measurement of a matrix got right, and what it cost."""
    found = measure(scores, wanted, seed, worst=worst)
    figures = {
        "mean_held": found.mean.low - 1e-9 <= scores.mean() <= found.mean.high + 1e-9,
        "mean_share": found.looks[-1] / scores.size,
        "looks": len(found.looks),
    }
    if found.worst is not None:
        lowest = scores.mean(axis=1).min()
        figures |= {
            "worst_held": found.worst.low - 1e-9 <= lowest <= found.worst.high + 1e-9,
            "lowest_found": found.worst.value - lowest < 1e-9,
            "worst_excess": found.worst.value - lowest,
            "share": (~np.isnan(found.scores)).mean(),
        }
    return {key: float(value) for key, value in figures.items()}


def gathered(outcomes: list[dict[str, float]]) -> dict[str, float]:
    """Return means over outcomes: percent, points of accuracy and ratios of cells."""
    mean = {key: float(np.mean([each[key] for each in outcomes])) for key in outcomes[0]}
    percent = ("mean_held", "worst_held", "lowest_found")
    found = {key: round(100 * mean[key], 1) for key in percent if key in mean}
    found |= {"mean_saving": round(1 / mean["mean_share"], 2), "looks": round(mean["looks"], 2)}
    if "share" in mean:
        found |= {
            "saving": round(1 / mean["share"], 2), "worst_excess": round(100 * mean["worst_excess"], 2)
        }  # fmt: skip
    return found


def simulated(name: str, size: tuple[int, int], wanted: float) -> dict[str, Any]:
    """Return the figures of one setting."""
    prompts, examples = size
    outcomes = []
    for repetition in range(REPETITIONS):
        generator = np.random.default_rng([NAMES.index(name), prompts, examples, repetition])
        base, difficulty = generator.normal(size=prompts), generator.normal(size=examples)
        scores = draw(SETTINGS[name], base, difficulty, 1, generator)[0][0]
        outcomes.append(outcome(scores, wanted, repetition))
    row = {"setting": name, "prompts": prompts, "examples": examples, "precision": wanted}
    print(row, flush=True)
    return row | gathered(outcomes)


def matrices(path: Path) -> Iterator[tuple[str, int | None, Floats]]:
    """Yield method, seed and matrix of a file of predictions, over unseen prompts."""
    rows = [row for row in parquet.read_table(path).to_pylist() if row["split"] == "test"]
    models = dict.fromkeys((row["method"], row["seed"]) for row in rows)
    for model in models:
        own = [row for row in rows if (row["method"], row["seed"]) == model]
        ids, examples = ({row[key]: None for row in own} for key in ("prompt_id", "example"))
        cells = {(row["prompt_id"], row["example"]): row["score"] for row in own}
        yield *model, np.array([[cells[i, j] for j in examples] for i in ids], dtype=float)


def real(wanted: float, *, worst: bool = True) -> list[dict[str, Any]]:
    """Return the figures of the real matrices, a row for each task."""
    rows = []
    for path in sorted(PREDICTIONS.glob("*.parquet")):
        by_matrix = [
            [outcome(scores, wanted, order, worst=worst) for order in range(ORDERS)]
            for _, _, scores in matrices(path)
        ]
        held = [kind for kind in ("mean_held", "worst_held") if kind in by_matrix[0][0]]
        lowest = {
            kind: round(100 * min(float(np.mean([each[kind] for each in own])) for own in by_matrix), 1)
            for kind in held
        }
        row = {"task": path.stem, "precision": wanted, "matrices": len(by_matrix)}
        print(row, flush=True)
        every = [each for own in by_matrix for each in own]
        rows.append(row | gathered(every) | {"lowest_held": lowest})
    return rows


def without() -> dict[str, list[dict[str, Any]]]:
    """Return the figures of the mean with looks that nothing pays for, and without the pair."""
    paid, pair = precision.SPENT, precision.ONE_PAIR
    found = {}
    try:
        precision.SPENT = (precision.ERROR,) * 3
        found["looks that nothing pays for"] = real(PRECISIONS[0], worst=False)
        precision.SPENT, precision.ONE_PAIR = paid, 0.0
        found["no pair that is taken to differ"] = real(PRECISIONS[0], worst=False)
    finally:
        precision.SPENT, precision.ONE_PAIR = paid, pair
    return found


def paired_outcome(first: Floats, second: Floats, wanted: float, seed: int) -> dict[str, float]:
    """Return what one measurement of two models got right, and what it cost."""
    several = first, second
    scorers = [lambda mask, scores=scores: np.where(mask, scores, np.nan) for scores in several]
    models, differences = measure_models(scorers, *first.shape, precision=wanted, seed=seed, worst=False)
    found = [(differences[0, 1], (second - first).mean())]
    found += [(own.mean, scores.mean()) for own, scores in zip(models, several, strict=True)]
    held = [float(each.low - 1e-9 <= truth <= each.high + 1e-9) for each, truth in found]
    return {
        "held": held[0],
        "means_held": float(np.mean(held[1:])),
        "share": models[0].looks[-1] / first.size,
        "looks": float(len(models[0].looks)),
    }


def paired_figures(outcomes: list[dict[str, float]]) -> dict[str, float]:
    """Return means over outcomes."""
    mean = {key: float(np.mean([each[key] for each in outcomes])) for key in outcomes[0]}
    return {
        "held": round(100 * mean["held"], 1),
        "means_held": round(100 * mean["means_held"], 1),
        "saving": round(1 / mean["share"], 2),
        "looks": round(mean["looks"], 2),
    }


def paired_simulated(name: str, size: tuple[int, int], wanted: float) -> dict[str, Any]:
    """Return the figures of two models of one setting."""
    prompts, examples = size
    outcomes = []
    for repetition in range(REPETITIONS):
        generator = np.random.default_rng([PAIRED, NAMES.index(name), prompts, examples, repetition])
        base, difficulty = generator.normal(size=prompts), generator.normal(size=examples)
        first, second = draw(SETTINGS[name], base, difficulty, 2, generator)[0]
        outcomes.append(paired_outcome(first, second, wanted, repetition))
    row = {"setting": name, "prompts": prompts, "examples": examples, "precision": wanted}
    print(row, flush=True)
    return row | paired_figures(outcomes)


def paired_alike(size: tuple[int, int], wanted: float) -> dict[str, Any]:
    """Return the figures of two models that differ in few cells."""
    prompts, examples = size
    outcomes = []
    for repetition in range(REPETITIONS):
        generator = np.random.default_rng([PAIRED, len(NAMES), prompts, examples, repetition])
        base, difficulty = generator.normal(size=prompts), generator.normal(size=examples)
        first = draw(SETTINGS[NAMES[0]], base, difficulty, 1, generator)[0][0]
        second = np.where(generator.random(first.shape) < 0.02, 1.0, first)
        outcomes.append(paired_outcome(first, second, wanted, repetition))
    row = {"setting": "alike", "prompts": prompts, "examples": examples, "precision": wanted}
    print(row, flush=True)
    return row | paired_figures(outcomes)


def paired_real(wanted: float) -> list[dict[str, Any]]:
    """Return the figures of every two methods of the same seed, a row for each task."""
    rows = []
    for path in sorted(PREDICTIONS.glob("*.parquet")):
        by_seed: dict[int | None, list[Floats]] = {}
        for _, seed, scores in matrices(path):
            by_seed.setdefault(seed, []).append(scores)
        pairs = [pair for several in by_seed.values() for pair in combinations(several, 2)]
        by_pair = [[paired_outcome(*pair, wanted, order) for order in range(ORDERS)] for pair in pairs]
        row = {"task": path.stem, "precision": wanted, "pairs": len(pairs)}
        print(row, flush=True)
        lowest = min(float(np.mean([each["held"] for each in own])) for own in by_pair)
        figures = paired_figures([each for own in by_pair for each in own])
        rows.append(row | figures | {"lowest_held": round(100 * lowest, 1)})
    return rows


def paired() -> dict[str, Any]:
    """Return the figures of two models."""
    settings = [(wanted, size) for wanted in PRECISIONS for size in SIZES]
    return {
        "simulated": [paired_simulated(name, size, wanted) for wanted, size in settings for name in NAMES]
        + [paired_alike(size, wanted) for wanted, size in settings],
        "real": [row for wanted in PRECISIONS for row in paired_real(wanted)],
        "environment": environment(),
    }


def speed() -> dict[str, float]:
    """Score the built-in task whole and in parts, in turns."""
    file = bank_file(ModelOnTask())
    assert file is not None  # the built-in task has one
    task, bank = load_task(BUILTIN_TASK, None), load_bank(file)
    prompts, examples = bank.require("test")[:SPEED_PROMPTS], task.examples("test")[:SPEED_EXAMPLES]
    ids = [(prompt.id, example.index) for prompt in prompts for example in examples]
    shape = len(prompts), len(examples)
    model = load_model("tiny")

    def score(mask: NDArray[np.bool_], known: dict[tuple[str, int], Cell]) -> Floats:
        """Return scores of cells, those not known yet scored now."""
        new = mask & ~np.array([at in known for at in ids]).reshape(shape)
        matrix = evaluate_matrix(model, task, prompts, examples, chosen=new)
        known |= {(cell.prompt_id, cell.example): cell for cell in matrix.cells}
        values = [known[at].score if at in known else np.nan for at in ids]
        return np.where(mask, np.array(values).reshape(shape), np.nan)

    rates: dict[str, list[float]] = {"whole": [], "parts": []}
    for number in range(ROUNDS + 1):  # the first warms up
        whole: dict[tuple[str, int], Cell] = {}
        part: dict[tuple[str, int], Cell] = {}
        started = time.process_time()
        score(np.ones(shape, dtype=bool), whole)
        between = time.process_time()
        measure_matrix(partial(score, known=part), *shape, precision=PRECISIONS[0], seed=0, worst=True)
        if number:
            rates["whole"].append(len(whole) / (between - started))
            rates["parts"].append(len(part) / (time.process_time() - between))
    apart = [np.subtract(cell.log_probabilities, whole[at].log_probabilities) for at, cell in part.items()]
    return {
        "prompts": shape[0],
        "examples": shape[1],
        "cells_of_parts": len(part),
        "parts_over_whole": round(float(np.median(rates["parts"]) / np.median(rates["whole"])), 2),
        "scores_that_differ": sum(cell.score != whole[at].score for at, cell in part.items()),
        "largest_difference_in_nats": float(np.abs(apart).max()),
    }


def main() -> None:
    """Measure and write the figures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--paired", action="store_true", help="measure pairs of models anew, nothing else")
    path = Path(__file__).with_suffix(".json")
    if parser.parse_args().paired:
        write_json(path, read_json(path, "figures") | {"paired": paired()})
        return
    started = time.perf_counter()
    figures: dict[str, Any] = {
        "level": 95,
        "repetitions": REPETITIONS,
        "orders": ORDERS,
        "simulated": [
            simulated(name, size, wanted) for wanted in PRECISIONS for size in SIZES for name in NAMES
        ],
        "real": [row for wanted in PRECISIONS for row in real(wanted)],
        "without": without(),
        "paired": paired(),
        "speed": speed(),
        "seconds": round(time.perf_counter() - started),
        "environment": environment(),
    }
    write_json(path, figures)


if __name__ == "__main__":
    main()
