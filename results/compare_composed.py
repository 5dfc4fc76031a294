# python -m results.compare_composed COMMIT
"""Compare training on composed prompts with training on written ones; writes ``compose/composed.json`` here.

The first side are the runs of ``recipes/compose/composed.yaml`` (and ``both.yaml``, where it was run),
finished or not; the second are the predictions kept of ``recipes/paper/table1_small.yaml``: the same data,
settings and unseen prompts, other prompts to train on. Seeds that both sides have are compared. COMMIT is the
one that trained the first side.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from pyarrow import parquet

from paft.files import write_json
from paft.provenance import environment
from paft.report.folder import read_matrices, read_results
from paft.report.run_folder import SUMMARY, TRIALS
from paft.statistics.comparison import Difference, difference
from paft.statistics.summary import Floats

HERE = Path(__file__).parent
RUNS = HERE.parent / "runs" / "compose"
WRITTEN = HERE / "table1_small" / "predictions"
OUTPUT = HERE / "compose" / "composed.json"
STATISTICS = ("mean", "min")

Scores = dict[
    tuple[str, int], dict[tuple[str, int], float]
]  # by method and seed: score by prompt and example


def scores_of_run(folder: Path) -> tuple[Scores, str]:
    """Return the scores under the unseen prompts of a run's finished trials, and its bank's fingerprint."""
    results = read_results(folder)[0]
    found: Scores = {}
    for (method, seed, split), matrix in read_matrices(folder, results).items():
        if split == "test" and seed is not None:
            found[method, seed] = {(cell.prompt_id, cell.example): cell.score for cell in matrix.cells}
    return found, str(results["bank_fingerprint"])


def written_scores(task: str) -> Scores:
    """Return the scores of models trained on the written prompts, and of ``single``."""
    found: Scores = {}
    for row in parquet.read_table(WRITTEN / f"{task}.parquet").to_pylist():
        if row["split"] == "test" and row["seed"] is not None:
            key = (row["prompt_id"], row["example"])
            found.setdefault((row["method"], row["seed"]), {})[key] = row["score"]
    return found


def array_of(scores: Scores, method: str, seeds: list[int]) -> Floats:
    """Return scores, shape (seeds, prompts, examples), prompts and examples in one order."""
    cells = scores[method, seeds[0]]
    prompts, examples = (sorted({key[axis] for key in cells}) for axis in (0, 1))
    return np.array(
        [[[scores[method, seed][prompt, n] for n in examples] for prompt in prompts] for seed in seeds]
    )


def figures(scores: Floats) -> dict[str, float]:
    """Return mean, standard deviation and worst prompt in percent, averaged over seeds."""
    accuracy = 100 * scores.mean(axis=2)
    found = {"mean": accuracy.mean(axis=1), "std": accuracy.std(axis=1, ddof=1), "min": accuracy.min(axis=1)}
    return {name: round(float(values.mean()), 1) for name, values in found.items()}


def compare(row: str, task: str, folder: Path) -> list[dict[str, Any]]:
    """Return a record for each method of a run: both sides and their differences, in points."""
    (here, bank), written = scores_of_run(folder), written_scores(task)
    records = []
    for method in sorted({method for method, _ in here}):
        seeds = [seed for name, seed in sorted(here) if name == method and (name, seed) in written]
        sides = [array_of(scores, method, seeds) for scores in (here, written)]
        differences = difference(*sides, STATISTICS)
        records.append(
            {
                "row": row, "task": task, "method": method, "seeds": seeds, "bank_fingerprint": bank,
                "prompts": sides[0].shape[1], "examples": sides[0].shape[2],
                row: figures(sides[0]), "written": figures(sides[1]),
                "single": figures(array_of(written, "single", seeds)),
                "difference": {name: _in_points(found) for name, found in differences.items()},
            }
        )  # fmt: skip
    return records


def _in_points(found: Difference) -> dict[str, float]:
    points = {"value": found.value, "observed": found.observed}
    points |= {"low": found.interval.low, "high": found.interval.high}
    return {name: round(100 * value, 1) for name, value in points.items()}


def main() -> None:
    """Compare every run that has a finished trial."""
    records = []
    for row in ("composed", "both"):
        for folder in sorted(path.parent for path in (RUNS / row).glob("*/run.json")):
            if any(folder.glob(f"{TRIALS}/*/{SUMMARY}")):
                records += compare(row, folder.name, folder)
    write_json(
        OUTPUT, {"schema": 1, "trained_at": sys.argv[1], "records": records, "environment": environment()}
    )
    print(json.dumps(records, indent=1))


if __name__ == "__main__":
    main()
