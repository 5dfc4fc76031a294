"""Prompt-agnostic fine-tuning: models that keep their accuracy when the prompt changes.

The public names below are loaded on first use, so ``import paft`` costs nothing heavy.
"""

from __future__ import annotations

from importlib import import_module
from logging import LogRecord, getLogger
from typing import Any

# Module of each, and its name there where that is another: `paft.train` and `paft.evaluate` are packages.
_HOMES = {
    "Bank": "paft.bank",
    "EvaluateConfig": "paft.experiment.evaluate_config",
    "PaftError": "paft.errors",
    "Prompt": "paft.prompt",
    "Reporter": "paft.progress",
    "RunConfig": "paft.config",
    "Results": "paft.report.results",
    "Schedule": "paft.train.schedule",
    "Task": "paft.task.task",
    "Train": "paft.train.settings",
    "evaluate_matrix": "paft.evaluate.cells",
    "evaluate_model": "paft.experiment.evaluate:evaluate",
    "fine_tune": "paft.train.loop",
    "load_bank": "paft.bank",
    "load_model": "paft.model.load",
    "load_results": "paft.report.results",
    "load_task": "paft.task.task",
    "make_sft_trainer": "paft.train.trl",
    "predict": "paft.experiment.predict",
    "prompt_dataset": "paft.train.dataset",
    "run": "paft.experiment.run",
    "split_prompts": "paft.bank",
    "summarize": "paft.statistics.summary",
    "train_model": "paft.experiment.train:train",
}

__all__ = list(_HOMES)
__version__ = "0.1.0"


def _of_interest(record: LogRecord) -> bool:
    """Whether bitsandbytes, which peft imports, tells more than that it has no kernel of the Hub.

    It asks for a package that would fetch one, which `paft.model.quantised.keep_layout` never uses.
    """
    return not record.getMessage().startswith("Failed to load CPU gemm_4bit_forward from kernels-community")


getLogger("bitsandbytes.backends.cpu.ops").addFilter(_of_interest)  # before anything here imports peft


def __getattr__(name: str) -> Any:
    """Import a public name from its home on first use."""
    if name not in _HOMES:
        raise AttributeError(f"module 'paft' has no attribute {name!r}")
    module, _, there = _HOMES[name].partition(":")
    return getattr(import_module(module), there or name)


def __dir__() -> list[str]:
    """List the public names."""
    return sorted([*globals(), *_HOMES])
