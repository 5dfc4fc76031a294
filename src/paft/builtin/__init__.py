"""What ships with the package: a default task with data, bank and model, and the files of public data sets.

``routing`` is an ordinary task file with ordinary data files (drawn once from the grammar in
``recipes/routing_data``), so it also serves as the example to copy. ``tiny`` is the model that
``recipes/pretrain_tiny.py`` trained; its card lies beside it. ``tasks`` has a task file for each public data
set, whose rows are on the Hub; ``banks`` has prompts for some of them, ``banks/unseen`` the same prompts in
other splits. A task takes the bank of its name.
"""

from __future__ import annotations

from pathlib import Path

_HERE = Path(__file__).parent


def _files(pattern: str) -> dict[str, Path]:
    """Return files by name, without their ending."""
    return {path.stem: path for path in sorted(_HERE.glob(pattern))}


TASKS = {"routing": _HERE / "routing" / "task.yaml", **_files("tasks/*.yaml")}
RUN = _HERE / "routing" / "run.yaml"  # settings of a run on the default task
BANKS = {
    "routing": _HERE / "routing" / "bank.jsonl",
    **_files("banks/*.jsonl"),
    **_files("banks/unseen/*.jsonl"),
}
MODELS = {"tiny": _HERE / "tiny"}
IN_PYTHON = " (made in Python)"  # behind the name of a task, in records of what was done with it
