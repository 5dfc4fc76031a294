"""Stage 2: supervised fine-tuning while the prompt is resampled every K optimiser steps.

``fine_tune`` is PAFT's own loop, ``reinforce`` reinforcement fine-tuning by TRL; ``prompt_dataset`` brings
the rows to the trainers of others. All load torch, so they are imported on first use.
"""

from importlib import import_module
from typing import Any

from paft.train.schedule import Schedule

_HOMES = {
    "PromptDataset": "paft.train.dataset",
    "RowCollator": "paft.train.dataset",
    "answer_loss": "paft.train.loss",
    "fine_tune": "paft.train.loop",
    "prompt_dataset": "paft.train.dataset",
    "reinforce": "paft.train.grpo.loop",
}

__all__ = ["Schedule", *_HOMES]


def __getattr__(name: str) -> Any:
    """Import a public name from its home on first use."""
    if name not in _HOMES:
        raise AttributeError(f"module 'paft.train' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
