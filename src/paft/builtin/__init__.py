"""The embedded default: a task, its bank and a small language model, so that nothing is needed.

``routing`` is an ordinary task file with ordinary data files (drawn once from the grammar in
``recipes/routing_data``), so it also serves as the example to copy. ``tiny`` is the model that
``recipes/pretrain_tiny.py`` trained; its card lies beside it.
"""

from __future__ import annotations

from pathlib import Path

_HERE = Path(__file__).parent

TASKS = {"routing": _HERE / "routing" / "task.yaml"}
RUNS = {"routing": _HERE / "routing" / "run.yaml"}
BANKS = {"routing": _HERE / "routing" / "bank.jsonl"}
MODELS = {"tiny": _HERE / "tiny"}
