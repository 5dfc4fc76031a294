"""The committed JSON files that the pages are made of, and what is asked of them most."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from paft.report.table import TIE

HERE = Path(__file__).parent
TASKS = {"snips": "SNIPS", "subj": "Subj", "sms_spam": "SMS spam", "banking77": "Banking77"}
NAMES = TASKS | {"banking20": "Banking20"}  # those of the pretrained model too
MAIN, DETAILS = "table1_small/main.json", "table1_small/details.json"
K_T, PROMPTS = "k_and_t/k_t.json", "prompts/prompts.json"
ADVERSARIAL, HELD_OUT = "unseen/adversarial.json", "unseen/held_out.json"
INFERENCE, TIME = "inference/inference.json", "time/time.json"
BEYOND, POOLED = "beyond/beyond.json", "wordings/beyond.json"
REAL, FINAL = "real/figures.json", "real_gpu/final.json"
GRPO = "grpo/figures.json"
CONFIRMED, TRIALS = "wordings/beyond_seeds_8_to_15.json", "wordings/trials.json"
GRIDS = (MAIN, K_T, PROMPTS, ADVERSARIAL, HELD_OUT, INFERENCE, TIME, BEYOND, POOLED)

Figure = Mapping[str, Any]  # ``value`` and ``interval``, shares in [0, 1]


@cache
def read(name: str) -> Any:
    """Return the content of a file below ``results``."""
    return json.loads((HERE / name).read_text("utf-8"))


def main_figures(task: str, method: str) -> Mapping[str, Any]:
    """Return a method's figures in the main table."""
    found: Mapping[str, Any] = read(MAIN)["figures"][task][method]
    return found


def task_details(task: str, name: str = DETAILS) -> Mapping[str, Any]:
    """Return what the details of the main table, or of the pretrained model (``REAL``), say of a task."""
    found: Mapping[str, Any] = read(name)["tasks"][task]
    return found


def from_single(task: str, method: str, name: str = DETAILS) -> Mapping[str, Figure]:
    """Return a method's paired differences from ``single``: mean, std and min."""
    found: Mapping[str, Figure] = task_details(task, name)["differences from single"][method]
    return found


def from_reference(name: str, task: str, key: str) -> Mapping[str, Figure]:
    """Return differences from a grid's reference.

    Args:
        name: File of the exhibit.
        task: Task of the row.
        key: Its setting, or its method in a grid without settings.
    """
    rows = read(name)["differences"]
    found: Mapping[str, Figure]
    (found,) = (row for row in rows if (row["task"], row["setting"] or row["method"]) == (task, key))
    return found


def drawn(grid: str, run: str) -> list[int]:
    """Return how many prompts a run's draws reach, by seed."""
    found: list[int] = read(DETAILS)["prompts reached"][grid][run]
    return found


def significant(found: Figure, *, better: int = 0) -> bool:
    """Whether the interval of a difference excludes 0.

    Args:
        found: The difference.
        better: 1 or -1 counts only differences above or below 0.
    """
    low, high = found["interval"]
    return (better >= 0 and low > TIE) or (better <= 0 and high < -TIE)
