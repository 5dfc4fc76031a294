# python -m results.make_grpo [--check]
"""Work out the figures of reinforcement fine-tuning from the predictions beside them: ``grpo/figures.json``.

For each task: the starting weights (base), ``single``, PAFT with shared groups and with spanning ones, under
unseen, adversarial and user prompts, and their paired differences. ``--check`` changes nothing and fails when
the file is not what the predictions give.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from pyarrow import parquet

from paft.files import write_json
from paft.statistics.comparison import Name, difference, estimate
from results.make_details import Rows, Scores, figures, scores_of, told
from results.sources import HERE

FOLDER = HERE / "grpo"
FILE = FOLDER / "figures.json"
LONGER = "_300"  # end of the names of settings with 300 steps
GROUPS = ("shared", "spanning")  # settings of the grid; the first has single too, and of 100 steps base
RUNS = {"snips": GROUPS, "arithmetic": GROUPS, f"snips{LONGER}": ("shared",)}  # finished with all seeds
PAIRS = (("shared", "single"), ("spanning", "single"), ("spanning", "shared"), ("single", "base"))
COMPARED: tuple[Name, ...] = ("mean", "std", "min")


def predictions(run: str) -> Rows:
    """Return the predictions on a task, PAFT's named by its groups."""
    found: list[dict[str, Any]] = []
    task, longer, _ = run.partition(LONGER)
    for group in RUNS[run]:
        rows = parquet.read_table(FOLDER / "predictions" / f"{task}-{group}{longer}.parquet").to_pylist()
        found += [{**row, "method": group} if row["method"] == "paft" else row for row in rows]
    return found


def scores_under(rows: Rows, split: str) -> Scores:
    """Return each model's scores under the prompts of a split."""
    chosen = [row for row in rows if row["split"] == split]
    return scores_of(chosen, sorted({row["prompt_id"] for row in chosen}))


def differences(scores: Scores, names: tuple[Name, ...] = COMPARED) -> dict[str, Any]:
    """Return the paired differences of all pairs, a first minus a second."""
    return {
        f"{first} - {second}": told(difference(scores[first], scores[second], names))
        for first, second in PAIRS
        if first in scores and second in scores
    }


def run_figures(run: str) -> dict[str, Any]:
    """Return what there is to say of one task after so many steps."""
    rows = predictions(run)
    test, user, adversarial = (scores_under(rows, split) for split in ("test", "user", "adversarial"))
    models: dict[str, Any] = {}
    for model, scores in test.items():
        found = estimate(scores, ("mean", "std"))
        models[model] = {
            "seeds": [figures(each[None]) for each in scores],
            **figures(scores),
            **{f"{name} interval": [each.interval.low, each.interval.high] for name, each in found.items()},
            "own": float(user[model].mean()),
            "adversarial": figures(adversarial[model]),
        }
    return {
        "test prompts": test["single"].shape[1],
        "test examples": test["single"].shape[2],
        "adversarial prompts": adversarial["single"].shape[1],
        "models": models,
        **{
            f"std of {name} / std of single": models[name]["std"] / models["single"]["std"]
            for name in RUNS[run]
        },
        "differences": differences(test),
        "differences, adversarial prompts": differences(adversarial, ("mean", "min")),
        "differences, user prompt": differences(user, ("mean",)),
    }


def main() -> None:
    """Write the file, or check it."""
    found = {run: run_figures(run) for run in RUNS}
    if "--check" not in sys.argv:
        write_json(FILE, found)
    elif json.loads(FILE.read_text("utf-8")) != json.loads(json.dumps(found)):
        raise SystemExit("results/grpo/figures.json is not what the predictions give: `make results`")


if __name__ == "__main__":
    main()
