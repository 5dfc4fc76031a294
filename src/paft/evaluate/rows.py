"""Rows of ``results.json``: one for a judged split, one for each of its prompts, one for robustness."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from paft.evaluate.matrix import Matrix
from paft.evaluate.metrics import summarize
from paft.evaluate.robustness import robustness
from paft.prompt import Prompt


def split_row(
    method: str, seed: int | None, split: str, matrix: Matrix, threshold: float, seconds: float
) -> dict[str, Any]:
    """Summarise a matrix in one flat row; accuracies in [0, 1].

    Args:
        method: What was judged.
        seed: Its training seed; None if it was not trained here.
        split: Which prompts it was judged on.
        matrix: Every cell.
        threshold: t of Top@t.
        seconds: What judging took.
    """
    return {
        "method": method,
        "seed": seed,
        "split": split,
        **dataclasses.asdict(summarize(matrix.scores.mean(axis=1), threshold)),
        "n_prompts": len(matrix.prompt_ids),
        "n_examples": len(matrix.examples),
        "eval_seconds": seconds,
    }


def prompt_rows(
    method: str, seed: int | None, split: str, prompts: Sequence[Prompt], matrix: Matrix
) -> list[dict[str, Any]]:
    """Return accuracy and parse rate of every prompt, in order."""
    accuracies, rates = matrix.scores.mean(axis=1), matrix.parsed.mean(axis=1)
    return [
        {
            "method": method,
            "seed": seed,
            "split": split,
            "prompt_id": prompt.id,
            "prompt": prompt.template,
            "accuracy": float(accuracy),
            "parse_rate": float(rate),
        }
        for prompt, accuracy, rate in zip(prompts, accuracies, rates, strict=True)
    ]


def robustness_row(
    method: str, seed: int | None, split: str, matrices: Mapping[str, Matrix], threshold: float
) -> dict[str, Any]:
    """Return all that the matrices of one model say (:class:`paft.evaluate.robustness.Robustness`).

    Args:
        method: What was judged.
        seed: Its training seed; None if it was not trained here.
        split: Which of the matrices to describe.
        matrices: By split; ``user`` and ``adversarial`` are compared with, where they are there.
        threshold: t of Top@t.
    """
    numbers = robustness(
        matrices[split], threshold, user=matrices.get("user"), adversarial=matrices.get("adversarial")
    )
    return {"method": method, "seed": seed, "split": split, **dataclasses.asdict(numbers)}


def truncation_warning(name: str, split: str, matrix: Matrix) -> list[str]:
    """Return a warning if prompts of a matrix were cut to ``max_length``."""
    cut = sum(cell.truncated for cell in matrix.cells)
    return [f"{name}: {cut} of {len(matrix.cells)} {split} cells were cut to max_length"] if cut else []
