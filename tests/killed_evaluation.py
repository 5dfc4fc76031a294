"""An evaluation that is killed after each batch and begun again until it comes to its end."""

from __future__ import annotations

from typing import Any

import pytest

from paft.evaluate.log import EvaluationLog
from paft.experiment.evaluate import EvaluateConfig, evaluate


class Killed(BaseException):
    """Stands for the end of the process."""


def evaluate_through_kills(
    config: EvaluateConfig, monkeypatch: pytest.MonkeyPatch
) -> tuple[dict[str, Any], int]:
    """Return what the evaluation finds in the end, and how often it was killed."""
    append, deaths = EvaluationLog.append, 0

    def dying(self: EvaluationLog, number: Any, results: Any) -> None:
        nonlocal deaths
        append(self, number, results)
        deaths += 1
        raise Killed

    monkeypatch.setattr(EvaluationLog, "append", dying)
    while True:
        try:
            return evaluate(config), deaths
        except Killed:
            continue
