"""Rows of ``results.json``: one for a judged split, one for each of its prompts, one for robustness."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from paft.evaluate.matrix import Matrix
from paft.evaluate.robustness import robustness
from paft.prompt import Prompt
from paft.statistics.agreement import accuracy_given_parsed, parse_rate
from paft.statistics.metrics import summarize
from paft.task.programs.code_answer import isolation
from paft.task.task import Task


def split_row(
    method: str, seed: int | None, split: str, matrix: Matrix, threshold: float, seconds: float
) -> dict[str, Any]:
    """Summarise a matrix in one flat row; accuracies in [0, 1].

    ``close_calls`` counts cells whose two likeliest options are within rounding of each other
    (:func:`paft.evaluate.scoring.score.rounding`): another batch size or device may answer otherwise.
    ``cut_answers`` and ``withheld_answers`` count as :func:`answer_ends` does.

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
        "parse_rate": float(matrix.parsed.mean()),
        "close_calls": sum(cell.close for cell in matrix.cells),
        **answer_ends(matrix),
        "context_tokens": sum(cell.context_tokens for cell in matrix.cells),
        "tokens": sum(cell.tokens for cell in matrix.cells),
        "n_prompts": len(matrix.prompt_ids),
        "n_examples": len(matrix.examples),
        "eval_seconds": seconds,
    }


def prompt_rows(
    method: str, seed: int | None, split: str, prompts: Sequence[Prompt], matrix: Matrix, seconds: float
) -> list[dict[str, Any]]:
    """Return accuracy, parse rate and cost of every prompt, in order.

    ``context_tokens`` and ``tokens`` (generated) are means over examples. ``seconds`` is the prompt's
    share of the split's by tokens: prompts share batches, so no clock could tell them apart.

    Args:
        method: What was judged.
        seed: Its training seed; None if it was not trained here.
        split: Which prompts it was judged on.
        prompts: The prompts (P), in the matrix's order.
        matrix: Every cell.
        seconds: What judging the split took.
    """
    accuracies, rates = matrix.scores.mean(axis=1), matrix.parsed.mean(axis=1)
    shape = len(prompts), len(matrix.examples)
    contexts, tokens = (
        np.array(counts).reshape(shape).mean(axis=1)
        for counts in zip(*((cell.context_tokens, cell.tokens) for cell in matrix.cells), strict=True)
    )
    used = contexts + tokens
    shares = used / used.sum() if used.any() else np.full(len(prompts), 1 / len(prompts))
    return [
        {
            "method": method,
            "seed": seed,
            "split": split,
            "prompt_id": prompt.id,
            "prompt": prompt.template,
            "accuracy": float(accuracy),
            "parse_rate": float(rate),
            "context_tokens": float(context),
            "tokens": float(count),
            "seconds": round(float(seconds * share), 4),
        }
        for prompt, accuracy, rate, context, count, share in zip(
            prompts, accuracies, rates, contexts, tokens, shares, strict=True
        )
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


def judging(task: Task, backend: str = "hf", generate: bool = False) -> dict[str, Any]:
    """Return how answers are told: figures that were judged in different ways are not comparable.

    Args:
        task: Gives the answer rule.
        backend: ``hf``, ``vllm`` or ``openai``; a server gives no likelihood of an option.
        generate: Whether options are written and read too.

    Returns:
        ``backend``; ``by``: ``likelihood`` of the options or ``generation``; ``rule``: what is read
        from the text, or the kind of options; for programs ``isolation``: what held them.
    """
    likelihood = task.answer.closed and backend != "openai" and not generate
    told = {
        "backend": backend,
        "by": "likelihood" if likelihood else "generation",
        "rule": task.answer.rule,
    }
    return told | ({"isolation": isolation()} if task.answer.rule == "code" else {})


def answer_figures(matrix: Matrix) -> dict[str, Any]:
    """Return parse rate, accuracy of what was read, and mean generated tokens, over all cells scored."""
    cells = matrix.cells
    scores, parsed = np.array([[c.score for c in cells]]), np.array([[c.parsed for c in cells]])
    return {
        "parse_rate": parse_rate(parsed),
        "accuracy_given_parsed": accuracy_given_parsed(scores, parsed),
        "tokens_per_answer": sum(cell.tokens for cell in cells) / len(cells),
        **answer_ends(matrix),
    }


def answer_ends(matrix: Matrix) -> dict[str, int]:
    """Count the generated answers that were cut at their limit of tokens, and those withheld."""
    return {
        "cut_answers": sum(cell.cut for cell in matrix.cells),
        "withheld_answers": sum(cell.withheld for cell in matrix.cells),
    }


def judging_line(told: Mapping[str, Any]) -> str:
    """Say in a line what :func:`judging` and :func:`answer_figures` found.

    >>> judging_line({"by": "generation", "rule": "label", "parse_rate": 0.5, "tokens_per_answer": 3.0,
    ...               "accuracy_given_parsed": 1.0})
    'Judged by generation (rule label): 50.0 % of answers readable, 100.0 % of them right, 3.0 tokens each'
    """
    if told["by"] == "likelihood":
        return f"Judged by likelihood of the options (rule {told['rule']})"
    right = told["accuracy_given_parsed"]
    held = f", programs held by {told['isolation']}" if "isolation" in told else ""
    return (
        f"Judged by generation (rule {told['rule']}{held}): "
        + f"{100 * told['parse_rate']:.1f} % of answers readable, "
        + ("" if right is None else f"{100 * right:.1f} % of them right, ")
        + f"{told['tokens_per_answer']:.1f} tokens each"
        + "".join(f", {words}" for words in ends_in_words(told))
    )


def ends_in_words(counts: Mapping[str, Any]) -> list[str]:
    """Say which answers had no end of their own, as counted by :func:`answer_ends`; nothing for none.

    >>> ends_in_words({"cut_answers": 3, "withheld_answers": 0})
    ['3 cut at the limit of tokens']
    """
    words = {
        "cut_answers": "cut at the limit of tokens",
        "withheld_answers": "withheld by a content filter or refusal",
    }
    return [f"{counts[key]} {what}" for key, what in words.items() if counts.get(key)]


def cell_warnings(name: str, split: str, matrix: Matrix) -> list[str]:
    """Return a warning for every kind of cell whose score may not say what the model can do."""
    kinds = {
        "truncated": "cells were cut to max_length",
        "cut": "answers were cut at the limit of tokens (answer.max_tokens or server.max_tokens): raise it",
        "withheld": "answers were withheld by a content filter or refusal, and count as wrong",
        "sampled": "answers were sampled, since the model takes no temperature: another run gives others",
    }
    counts = {kind: sum(getattr(cell, kind) for cell in matrix.cells) for kind in kinds}
    total = len(matrix.cells)
    return [f"{name}: {counts[k]} of {total} {split} {what}" for k, what in kinds.items() if counts[k]]
