"""Prompt-agnostic fine-tuning: models that keep their accuracy when the prompt changes.

The public names below are loaded on first use, so ``import paft`` costs nothing heavy.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOMES = {
    "Bank": "paft.bank",
    "PaftError": "paft.errors",
    "Prompt": "paft.prompt",
    "Reporter": "paft.progress",
    "RunConfig": "paft.config",
    "Schedule": "paft.train.schedule",
    "Task": "paft.task.task",
    "evaluate_matrix": "paft.evaluate.cells",
    "fine_tune": "paft.train.loop",
    "load_bank": "paft.bank",
    "load_model": "paft.model.load",
    "load_task": "paft.task.task",
    "prompt_dataset": "paft.train.dataset",
    "run": "paft.experiment.run",
    "split_prompts": "paft.bank",
    "summarize": "paft.statistics.summary",
}

__all__ = list(_HOMES)
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """Import a public name from its home on first use."""
    if name not in _HOMES:
        raise AttributeError(f"module 'paft' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    """List the public names."""
    return sorted([*globals(), *_HOMES])
