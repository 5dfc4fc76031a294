# python -m results.make_details [--check]
"""Work out what the main table rests on, from the predictions beside it, the banks and the grid files.

Writes table1_small/details.json: the set-up of each task, how many prompts PAFT's draws reached, the
mean of every seed, paired differences from ``single``, and figures apart for unseen prompts that list the
options. ``--check`` changes nothing and fails when the file is not what they give.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pyarrow import parquet

from paft.bank import load_bank
from paft.builtin import BANKS
from paft.config import RunConfig
from paft.files import write_json
from paft.grid.file import load_grid
from paft.grid.plan import plan_runs
from paft.methods import METHODS
from paft.prompt import Prompt
from paft.statistics.comparison import Difference, difference
from paft.statistics.summary import Name
from paft.task.task import OPTIONS, load_task
from paft.train.schedule import make_schedule
from paft.train.show import outline

HERE = Path(__file__).parent
ROOT = HERE.parent
FILE = HERE / "table1_small" / "details.json"
DRAWN = ("table1_small", "k_and_t", "prompts")  # grids whose draws are counted
COMPARED: tuple[Name, ...] = ("mean", "std", "min")

Rows = Sequence[Mapping[str, Any]]
Scores = Mapping[str, np.ndarray]


def configs(grid: str) -> dict[str, RunConfig]:
    """Return the configuration of every run of a grid, by its name."""
    path = ROOT / "recipes" / "paper" / f"{grid}.yaml"
    return {run.name: run.config for run in plan_runs(load_grid(path, []), str(path))}


def unseen(config: RunConfig) -> dict[str, Prompt]:
    """Return the test prompts of a run by id."""
    return {prompt.id: prompt for prompt in load_bank(BANKS[str(config.bank)]).prompts("test")}


def scores_of(rows: Rows, prompts: Sequence[str]) -> Scores:
    """Return each method's scores under these prompts, (seeds, prompts, examples)."""
    cells: dict[str, dict[Any, dict[tuple[str, int], float]]] = {}
    for row in rows:
        place = cells.setdefault(row["method"], {}).setdefault(row["seed"], {})
        place[row["prompt_id"], row["example"]] = row["score"]
    return {
        method: np.array(
            [
                [[judged[prompt, n] for n in sorted({n for _, n in judged})] for prompt in prompts]
                for judged in by_seed.values()
            ]
        )
        for method, by_seed in cells.items()
    }


def figures(scores: np.ndarray) -> dict[str, float]:
    """Return mean, std and worst prompt, each the mean over seeds."""
    accuracies = scores.mean(axis=2)
    return {
        "mean": float(accuracies.mean()),
        "std": float(accuracies.std(axis=1, ddof=1).mean()),
        "min": float(accuracies.min(axis=1).mean()),
    }


def apart(rows: Rows, prompts: Sequence[str]) -> dict[str, Any]:
    """Return every method's figures under some prompts, and PAFT's differences from ``single`` there."""
    scores = scores_of(rows, prompts)
    found = difference(scores["paft"], scores["single"], COMPARED)
    return {
        "prompts": len(prompts),
        "methods": {method: figures(each) for method, each in scores.items()},
        "paft - single": told(found),
    }


def told(found: Mapping[Name, Difference]) -> dict[str, Any]:
    """Return differences as the other files of figures have them."""
    return {
        name: {"value": each.value, "interval": [each.interval.low, each.interval.high]}
        for name, each in found.items()
    }


def majority(rows: Rows) -> float:
    """Return the share of the most frequent gold answer: that of right predictions."""
    gold = {row["example"]: row["prediction"] for row in rows if row["score"] == 1}
    return max(Counter(gold.values()).values()) / len({row["example"] for row in rows})


def drawn(config: RunConfig, method: str = "paft") -> list[int]:
    """Return how many training prompts a run's steps reach, by seed."""
    settings = METHODS[method].settings(config.train)
    prompts = load_bank(BANKS[str(config.bank)]).prompts("train")[: config.train.prompts]
    size = config.train.examples or 0
    steps = -(-size // settings.batch_size)
    found = []
    for seed in config.seeds:
        schedule = make_schedule(settings, len(prompts), seed=seed, examples=size)
        seen = outline(schedule, length=settings.length(steps), steps=steps, examples=size)
        found.append(int((seen.uses > 0).sum()))
    return found


def task_details(config: RunConfig, rows: Rows) -> dict[str, Any]:
    """Return what there is to say of a task of the first table."""
    prompts, train = unseen(config), config.train
    test = [row for row in rows if row["split"] == "test"]
    listed = [name for name, prompt in prompts.items() if OPTIONS in prompt.placeholders]
    plain = [name for name in prompts if name not in listed]
    seen = listing(load_bank(BANKS[str(config.bank)]).prompts("train"))
    scores = scores_of(test, list(prompts))
    found: dict[str, Any] = {
        "examples": train.examples,
        "epochs": train.epochs,
        "steps": train.epochs * -(-(train.examples or 0) // train.batch_size),
        "training prompts": seen["prompts"],
        "training prompts that list options": seen["list options"],
        "test prompts": len(prompts),
        "test prompts that list options": len(listed),
        "test examples": len({row["example"] for row in test}),
        "majority": majority(test),
        "threshold": load_task(str(config.task)).thresholds[0],
        "seeds": {
            method: [float(each) for each in judged.mean(axis=(1, 2))] for method, judged in scores.items()
        },
        "differences from single": {
            method: told(difference(judged, scores["single"], COMPARED))
            for method, judged in scores.items()
            if method not in ("base", "single")
        },
        "augmented - per_example": told(difference(scores["augmented"], scores["per_example"], COMPARED)),
    }
    if listed:
        found |= {"options listed": apart(test, listed), "no options": apart(test, plain)}
    return found


def details() -> dict[str, Any]:
    """Return the content of the file."""
    tasks = {
        name: task_details(
            config, parquet.read_table(HERE / "table1_small" / "predictions" / f"{name}.parquet").to_pylist()
        )
        for name, config in configs("table1_small").items()
    }
    reached = {
        grid: {
            name: drawn(config, "per_example" if config.methods == ("per_example",) else "paft")
            for name, config in configs(grid).items()
        }
        for grid in DRAWN
    }
    splits = {
        name: {
            split: listing(load_bank(BANKS[str(config.bank)]).prompts(split))
            for split in ("test", "adversarial")
        }
        for name, config in configs("unseen").items()
    }
    return {"tasks": tasks, "prompts reached": reached, "prompts that list options": splits}


def listing(prompts: Sequence[Prompt]) -> dict[str, int]:
    """Return how many prompts there are, and how many of them list the options."""
    return {"prompts": len(prompts), "list options": sum(OPTIONS in each.placeholders for each in prompts)}


def main() -> None:
    """Write the file, or check it."""
    found = details()
    if "--check" not in sys.argv:
        write_json(FILE, found)
    elif json.loads(FILE.read_text("utf-8")) != json.loads(json.dumps(found)):
        raise SystemExit("results/table1_small/details.json is not what the predictions give: `make results`")


if __name__ == "__main__":
    main()
