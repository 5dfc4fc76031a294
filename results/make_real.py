# python -m results.make_real [--check]
"""Work out the figures of the grid on a pretrained model from the predictions beside them.

Writes real/figures.json: for each task and method the seeds, figures under unseen prompts and under the
user's, paired differences from ``single``, and SNIPS apart for prompts that list the options. ``--check``
changes nothing and fails when the file is not what the predictions give.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import Any

import numpy as np
from pyarrow import parquet

from paft.bank import load_bank
from paft.builtin import BANKS
from paft.config import RunConfig
from paft.files import write_json
from paft.grid.file import load_grid
from paft.grid.plan import plan_runs
from paft.statistics.comparison import difference, estimate
from paft.task.task import OPTIONS
from results.make_details import COMPARED, ROOT, Scores, drawn, figures, majority, scores_of, told
from results.sources import HERE

GRID = ROOT / "recipes" / "real" / "main.yaml"
FILE = HERE / "real" / "figures.json"
GPU, CPU = "real_gpu", "real"  # folders of predictions
DEVICES = {GPU: "NVIDIA H200, bfloat16", CPU: "CPU, float32"}
# Tasks whose main methods are finished, with where.
TASKS = {"snips": GPU, "subj": GPU, "sms_spam": GPU, "banking20": CPU}
RATE = "single_2e-3"  # the setting of `single` at the rate that was better for it on validation
OTHERS = {"user_share": "per_example"}  # further settings of the grid, each with one method


def configs() -> Mapping[str, RunConfig]:
    """Return the configuration of every run of the grid, by its name."""
    return {run.name: run.config for run in plan_runs(load_grid(GRID, []), str(GRID))}


def predictions(task: str) -> list[dict[str, Any]]:
    """Return a task's predictions; methods of further settings are named by the setting."""
    folder = HERE / TASKS[task] / "predictions"
    rows: list[dict[str, Any]] = parquet.read_table(folder / f"{task}-main.parquet").to_pylist()
    for setting, method in OTHERS.items():
        path = folder / f"{task}-{setting}.parquet"
        if path.exists():
            found = parquet.read_table(path).to_pylist()
            rows += [{**row, "method": setting} for row in found if row["method"] == method]
    return rows


def method_figures(test: np.ndarray, user: np.ndarray) -> dict[str, Any]:
    """Return what there is to say of one method.

    Args:
        test: Scores under unseen prompts, (seeds, prompts, examples).
        user: Scores under the user prompt, (seeds, 1, examples).
    """
    found = estimate(test, ("mean", "std"))
    accuracies = test.mean(axis=2)
    by_seed = [
        {"mean": float(each.mean()), "std": float(each.std(ddof=1)), "min": float(each.min())}
        for each in accuracies
    ]
    return {
        "seeds": by_seed,
        **figures(test),
        **{f"{name} interval": [each.interval.low, each.interval.high] for name, each in found.items()},
        "accuracies": accuracies.tolist(),
        "own": float(user.mean()),
    }


def task_figures(config: RunConfig, task: str) -> dict[str, Any]:
    """Return what there is to say of one task."""
    rows = predictions(task)
    bank = load_bank(BANKS[str(config.bank)])
    prompts = {prompt.id: prompt for prompt in bank.prompts("test")}
    test = [row for row in rows if row["split"] == "test"]
    user = [row for row in rows if row["split"] == "user"]
    scores, own = scores_of(test, list(prompts)), scores_of(user, [user[0]["prompt_id"]])
    listed = [name for name, prompt in prompts.items() if OPTIONS in prompt.placeholders]
    found: dict[str, Any] = {
        "device": DEVICES[TASKS[task]],
        "examples": config.train.examples,
        "epochs": config.train.epochs,
        "steps": config.train.epochs * -(-(config.train.examples or 0) // config.train.batch_size),
        "training prompts": len(bank.prompts("train")),
        "prompts reached by paft": drawn(config),
        "test prompts": len(prompts),
        "test prompts that list options": len(listed),
        "test examples": len({row["example"] for row in test}),
        "majority": majority(test),
        "methods": {method: method_figures(each, own[method]) for method, each in scores.items()},
        "differences from single": from_single(scores),
        "differences from single, user prompt": from_single(own, ("mean",)),
        "per_example - paft": told(difference(scores["per_example"], scores["paft"], COMPARED)),
    }
    if listed:
        plain = [name for name in prompts if name not in listed]
        parts = {"options listed": listed, "no options": plain}
        found |= {kind: from_single(scores_of(test, chosen)) for kind, chosen in parts.items()}
    return found


def from_single(scores: Scores, names: tuple[Any, ...] = COMPARED) -> dict[str, Any]:
    """Return every trained method's paired differences from ``single``."""
    return {
        method: told(difference(each, scores["single"], names))
        for method, each in scores.items()
        if method not in ("base", "single")
    }


def both_devices(task: str = "snips") -> dict[str, Any]:
    """Return the mean of each method on the cells that were scored on a CPU and on the GPU, by device."""
    sides = [
        {
            (row["method"], row["seed"], row["prompt_id"], row["example"]): row
            for row in parquet.read_table(folder / "predictions" / f"{task}-main.parquet").to_pylist()
            if row["split"] == "test"
        }
        for folder in (HERE / CPU, HERE / GPU)
    ]
    found: dict[str, Any] = {}
    for method in dict.fromkeys(key[0] for key in sides[0]):
        pairs = [
            (row, sides[1][key]) for key, row in sides[0].items() if key[0] == method and key in sides[1]
        ]
        if pairs:
            found[method] = {
                "cells": len(pairs),
                "cpu": float(np.mean([one["score"] for one, _ in pairs])),
                "gpu": float(np.mean([other["score"] for _, other in pairs])),
                "same": float(np.mean([one["prediction"] == other["prediction"] for one, other in pairs])),
            }
    return found


def other_rate(task: str) -> dict[str, Any] | None:
    """Return what ``single`` reaches at the rate that is better for it, beside its rate in the main table.

    It was scored on a CPU with fewer examples, so all figures are of these; None where it is not finished.
    """
    path = HERE / CPU / "predictions" / f"{task}-{RATE}.parquet"
    if not path.exists():
        return None
    rows = parquet.read_table(path).to_pylist()
    examples = {row["example"] for row in rows}
    found = [{**row, "method": RATE} for row in rows]
    found += [row for row in predictions(task) if row["example"] in examples]
    kept = [row for row in found if row["method"] in (RATE, "single", "per_example")]
    split = {name: [row for row in kept if row["split"] == name] for name in ("test", "user")}
    prompts = list(dict.fromkeys(row["prompt_id"] for row in split["test"]))
    scores = scores_of(split["test"], prompts)
    own = scores_of(split["user"], [split["user"][0]["prompt_id"]])
    return {
        "test examples": len(examples),
        "seeds": len(scores[RATE]),
        "methods": {name: {**figures(each), "own": float(own[name].mean())} for name, each in scores.items()},
        "per_example - single": told(difference(scores["per_example"], scores[RATE], COMPARED)),
    }


def real_figures() -> dict[str, Any]:
    """Return the content of the file."""
    found = configs()
    return {
        "model": "SmolLM2-135M-Instruct",
        "same trials on a CPU": both_devices(),
        RATE: {task: rates for task in TASKS if (rates := other_rate(task)) is not None},
        "tasks": {task: task_figures(found[f"{task}/main"], task) for task in TASKS},
    }


def main() -> None:
    """Write the file, or check it."""
    found = real_figures()
    if "--check" not in sys.argv:
        write_json(FILE, found)
    elif json.loads(FILE.read_text("utf-8")) != json.loads(json.dumps(found)):
        raise SystemExit("results/real/figures.json is not what the predictions give: `make results`")


if __name__ == "__main__":
    main()
