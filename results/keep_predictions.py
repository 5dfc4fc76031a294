# python results/keep_predictions.py runs/GRID [FOLDER]
"""Keep every prediction of a grid, finished or not, in results/GRID/predictions, a Parquet file for each run.

FOLDER is the name below results where it is not that of the grid's.

A row is one model's answer to one test example under one unseen prompt (split ``test``) or under the
user's (``user``): enough to work out any other statistic without training again. The file's
metadata has the rows of the run's results (steps, tokens, seconds of every trial) as JSON under ``rows``.
Log-probabilities of the options are left out: they are nearly all of what a grid weighs.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pyarrow
from pyarrow import parquet

from paft.report.folder import read_matrices, read_results
from paft.report.run_folder import SUMMARY, TRIALS

HERE = Path(__file__).parent


def predictions(folder: Path, results: dict[str, Any]) -> pyarrow.Table:
    """Return the predictions of a run's finished trials."""
    rows = [
        {
            "method": method, "seed": seed, "split": split, "prompt_id": cell.prompt_id,
            "example": cell.example, "prediction": cell.prediction, "score": cell.score,
        }
        for (method, seed, split), matrix in read_matrices(folder, results).items()
        for cell in matrix.cells
    ]  # fmt: skip
    table = pyarrow.Table.from_pylist(rows)
    return table.replace_schema_metadata({"rows": json.dumps(results["rows"])})


def main() -> None:
    """Write the files of the grid that is named."""
    grid = Path(sys.argv[1])
    output = HERE / (sys.argv[2] if len(sys.argv) > 2 else grid.name) / "predictions"
    output.mkdir(parents=True, exist_ok=True)
    for path in sorted(grid.rglob("run.json")):
        run = path.parent
        if any(run.glob(f"{TRIALS}/*/{SUMMARY}")):
            table = predictions(run, read_results(run)[0])
            name = run.relative_to(grid).as_posix().replace("/", "-")
            parquet.write_table(table, output / f"{name}.parquet", compression="zstd")


if __name__ == "__main__":
    main()
