"""What the paper printed, as far as it is known: ``published.json`` beside this file."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paft.experiment.baselines.settings import RULES

if TYPE_CHECKING:
    from paper.case import Case


@cache
def published() -> dict[str, Any]:
    """Return the paper's figures by kind of exhibit, with table and unit, and their ``source``."""
    found: dict[str, Any] = json.loads(Path(__file__).with_suffix(".json").read_text("utf-8"))
    return found


def published_row(kind: str, case: Case) -> Any:
    """Return the paper's row for a method; None where it has none, or has a different method of that name.

    Args:
        kind: An exhibit whose rows are by method.
        case: ``bat`` with rules in place of a writer rewrites nothing, so it is not the paper's BATprompt.
    """
    if case.method == "bat" and case.run.config.choose.writer == RULES:
        return None
    return published()[kind]["rows"].get(case.method)
