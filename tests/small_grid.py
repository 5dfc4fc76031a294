"""A grid on the tiny random model whose cells take a second each, and how to compare two of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

from paft.grid.file import load_grid
from paft.grid.run import Checked, Execution, check_grid, run_grid

LOCAL = Execution()
TRAIN = {
    "epochs": 1, "batch_size": 8, "learning_rate": 1e-2, "resample_every": 2, "examples": 16, "save_every": 1,
    "adapt": {"rank": 4},
}  # fmt: skip


def write_grid(path: Path, desk: Path, model: Path, **changes: Any) -> Path:
    """Two settings of one task: three cells, of which one does not train."""
    grid = {
        "output": str(path.parent / "out"),
        "base": {"model": str(model), "methods": ["base", "paft"], "train": TRAIN, "seeds": [0]},
        "tasks": {"desk": {"task": str(desk / "task.yaml"), "bank": str(desk / "bank.jsonl")}},
        "settings": {"k2": {}, "k1": {"train.resample_every": 1, "methods": ["paft"]}},
        **changes,
    }
    path.write_text(yaml.safe_dump(grid, sort_keys=False), encoding="utf-8")
    return path


def checked(path: Path, output: Path | None = None, only: str | None = None) -> Checked:
    return check_grid(load_grid(path, output=None if output is None else str(output)), path, only)


def run(path: Path, output: Path | None = None, execution: Execution = LOCAL, **more: Any) -> dict[str, Any]:
    return run_grid(checked(path, output, more.pop("only", None)), execution, **more)


def lasting(data: Any) -> Any:
    """What two runs of one grid have in common: all but times, environment and the output folder."""
    if isinstance(data, dict):
        return {
            key: lasting(value)
            for key, value in data.items()
            if not key.endswith("seconds") and key not in ("environment", "output")
        }
    return [lasting(item) for item in data] if isinstance(data, list) else data


def figures(output: Path) -> str:
    """The lasting part of a grid's ``results.json``, as bytes to compare."""
    return json.dumps(lasting(json.loads((output / "results.json").read_text(encoding="utf-8"))), indent=1)
