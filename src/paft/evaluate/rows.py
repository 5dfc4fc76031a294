"""Rows of ``results.json``: one for an evaluated split, one for each of its prompts, one for robustness."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from paft.evaluate.matrix import Matrix
from paft.prompt import Prompt
from paft.statistics import agreement
from paft.statistics.agreement import accuracy_given_parsed, parse_rate
from paft.statistics.summary import cvar, debiased_std, summarize
from paft.task.programs.code_answer import isolation
from paft.task.task import Example, Task


@dataclass(frozen=True)
class Robustness:
    """Robustness of one model over P prompts x N examples; None where a number is undefined.

    Shares, rates and accuracies lie in [0, 1].

    Attributes:
        prompts: P.
        examples: N.
        mean: Mean accuracy over prompts.
        std: Sample standard deviation over prompts (ddof 1), on these very examples.
        debiased_std: The same for an unlimited source of examples: without the noise of these N.
        min: Worst prompt.
        max: Best prompt.
        cvar_10: Mean of the worst 10 % of the prompts.
        threshold: t of Top@t.
        top: Share of prompts strictly above the threshold (the paper's Top).
        consistency: Share of prompt pairs with the same answer.
        all_correct: Share of examples right under all prompts.
        any_correct: Share of examples right under some prompt.
        parse_rate: Share of cells with a readable answer.
        accuracy_given_parsed: Accuracy in those cells.
        user_accuracy: Accuracy under the user prompt; None, like the next one, if not given.
        flip_rate: Share of cells answered otherwise than under the user prompt.
        adversarial_mean: Mean accuracy over the adversarial prompts; None if not given.
        adversarial_min: Worst adversarial prompt.
    """

    prompts: int
    examples: int
    mean: float
    std: float | None
    debiased_std: float | None
    min: float
    max: float
    cvar_10: float
    threshold: float
    top: float
    consistency: float | None
    all_correct: float
    any_correct: float
    parse_rate: float
    accuracy_given_parsed: float | None
    user_accuracy: float | None
    flip_rate: float | None
    adversarial_mean: float | None
    adversarial_min: float | None


def model_rows(
    method: str, seed: int | None, splits: Mapping[str, tuple[Sequence[Prompt], Matrix, float]], main: str,
    threshold: float, sample: Matrix | None, training: Mapping[str, Any],
) -> dict[str, list[dict[str, Any]]]:  # fmt: skip
    """Return ``rows``, ``per_prompt`` and ``robustness`` of one model, as ``results.json`` has them.

    ``splits`` has by split its prompts, its matrix and the seconds that scoring took; ``main`` is the one
    whose robustness is described, and of which there may be a sample of cells that were generated too;
    ``training`` is what each row says of the training. All else is as in :func:`split_row`.
    """
    rows, per_prompt = [], []
    for split, (prompts, matrix, seconds) in splits.items():
        generated = sample_figures(sample) if split == main else {}
        row = split_row(method, seed, split, matrix, threshold, seconds)
        rows.append({**row, **generated, **training})
        per_prompt += prompt_rows(method, seed, split, prompts, matrix, seconds)
    matrices = {split: matrix for split, (_, matrix, _) in splits.items()}
    return {
        "rows": rows,
        "per_prompt": per_prompt,
        "robustness": [robustness_row(method, seed, main, matrices, threshold)],
    }


def split_row(
    method: str, seed: int | None, split: str, matrix: Matrix, threshold: float, seconds: float
) -> dict[str, Any]:
    """Summarise a matrix in one flat row; accuracies in [0, 1].

    ``ties`` counts cells whose two likeliest options are within rounding of each other
    (:func:`paft.evaluate.scoring.score.rounding`): another batch size or device may answer otherwise.
    ``cut_answers`` and ``withheld_answers`` count as :func:`answer_ends` does.

    ``seed`` is that of the training, None if ``method`` was not trained here; ``threshold`` is t of Top@t;
    ``seconds`` is what scoring took.
    """
    return {
        "method": method,
        "seed": seed,
        "split": split,
        **dataclasses.asdict(summarize(matrix.scores.mean(axis=1), threshold)),
        "parse_rate": float(matrix.parsed.mean()),
        "ties": sum(cell.tie for cell in matrix.cells),
        **answer_ends(matrix),
        "context_tokens": sum(cell.context_tokens for cell in matrix.cells),
        "tokens": sum(cell.tokens for cell in matrix.cells),
        "n_prompts": len(matrix.prompt_ids),
        "n_examples": len(matrix.examples),
        "eval_seconds": seconds,
    }


def sample_figures(sample: Matrix | None) -> dict[str, float]:
    """Return what a row says of the cells that were generated too; nothing where none were.

    ``generated_accuracy`` counts an answer that could not be read as wrong.
    """
    if sample is None:
        return {}
    return {
        "generated_cells": len(sample.cells),
        "generated_parse_rate": float(np.mean([cell.parsed for cell in sample.cells])),
        "generated_accuracy": float(np.mean([cell.score for cell in sample.cells])),
    }


def prompt_rows(
    method: str, seed: int | None, split: str, prompts: Sequence[Prompt], matrix: Matrix, seconds: float
) -> list[dict[str, Any]]:
    """Return accuracy, parse rate and cost of every prompt, in order.

    ``context_tokens`` and ``tokens`` (generated) are means over examples. ``seconds`` is the prompt's
    share of the split's by tokens: prompts share batches, so no clock could separate them.
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
    """Return the :class:`Robustness` of one model in one flat row.

    Its cells are compared with those of ``user`` and ``adversarial``, where these are among the matrices.
    """
    numbers = robustness(
        matrices[split], threshold, user=matrices.get("user"), adversarial=matrices.get("adversarial")
    )
    return {"method": method, "seed": seed, "split": split, **dataclasses.asdict(numbers)}


def robustness(
    matrix: Matrix, threshold: float, *, user: Matrix | None = None, adversarial: Matrix | None = None
) -> Robustness:
    """Compute all robustness numbers of a matrix.

    ``user`` has the cells of the user prompt on the same examples.

    Raises:
        ValueError: If a matrix is empty, or ``user`` is not one prompt on the examples of ``matrix``.
    """
    if not all(given.cells for given in (matrix, user, adversarial) if given is not None):
        raise ValueError("a matrix without cells says nothing about robustness")
    scores, parsed = matrix.scores, matrix.parsed
    accuracies = scores.mean(axis=1)
    summary = summarize(accuracies, threshold)
    answers, reference = _answers(matrix, user)
    worst = adversarial.scores.mean(axis=1) if adversarial is not None else None
    return Robustness(
        prompts=scores.shape[0],
        examples=scores.shape[1],
        mean=summary.mean,
        std=summary.std,
        debiased_std=debiased_std(scores),
        min=summary.min,
        max=summary.max,
        cvar_10=cvar(accuracies),
        threshold=threshold,
        top=summary.top,
        consistency=agreement.consistency_rate(answers),
        all_correct=agreement.all_correct(scores),
        any_correct=agreement.any_correct(scores),
        parse_rate=parse_rate(parsed),
        accuracy_given_parsed=accuracy_given_parsed(scores, parsed),
        user_accuracy=float(user.scores.mean()) if user is not None else None,
        flip_rate=agreement.flip_rate(answers, reference) if reference is not None else None,
        adversarial_mean=float(worst.mean()) if worst is not None else None,
        adversarial_min=float(worst.min()) if worst is not None else None,
    )


def _answers(matrix: Matrix, user: Matrix | None) -> tuple[agreement.Codes, agreement.Codes | None]:
    """Return answer codes (P, N) and, coded alike, those of the user prompt (N,)."""
    shape = len(matrix.prompt_ids), len(matrix.examples)
    predictions = [cell.prediction for cell in matrix.cells]
    if user is None:
        return agreement.code_answers(predictions).reshape(shape), None
    if len(user.prompt_ids) != 1 or user.examples != matrix.examples:
        raise ValueError(
            f"the user's matrix has {len(user.prompt_ids)} prompts x {len(user.examples)} examples; "
            f"it needs 1 prompt on the {shape[1]} examples of the other, in their order"
        )
    codes = agreement.code_answers([*predictions, *(cell.prediction for cell in user.cells)])
    return codes[: len(predictions)].reshape(shape), codes[len(predictions) :]


def describe_scoring(task: Task, backend: str = "hf", generate: bool = False) -> dict[str, Any]:
    """Return how answers are scored: figures of different ways are not comparable.

    Returns:
        ``backend``; ``by``: ``likelihood`` of the options or ``generation``; ``rule``: what is read
        from the text, or the kind of options; for programs ``isolation``: what held them.
    """
    likelihood = task.answer.closed and backend != "openai" and not generate
    found = {
        "backend": backend,
        "by": "likelihood" if likelihood else "generation",
        "rule": task.answer.rule,
    }
    return found | ({"isolation": isolation()} if task.answer.rule == "code" else {})


def guess_levels(examples: Iterable[Example]) -> dict[str, Any] | None:
    """Return the accuracies that need no model; None for open rules, where a guess is as good as never right.

    Returns:
        ``chance``: of an option drawn at random; ``majority``: of the most frequent right ``answer``, given
        always, where all examples have the same options (else both None).

    >>> guess_levels([Example(0, {}, "b", ("a", "b")), Example(1, {}, "b", ("a", "b"))])
    {'chance': 0.5, 'majority': 1.0, 'answer': 'b'}
    """
    counts: Counter[str] = Counter()
    offered: Counter[tuple[str, ...]] = Counter()
    for example in examples:
        counts[example.gold] += 1
        offered[example.options] += 1
    if not counts or () in offered:
        return None
    chance = sum(count / len(options) for options, count in offered.items()) / counts.total()
    if len(offered) > 1:
        return {"chance": chance, "majority": None, "answer": None}
    # Equal counts are told apart by the text, so that the order of the examples does not matter.
    answer, count = min(counts.items(), key=lambda item: (-item[1], item[0]))
    return {"chance": chance, "majority": count / counts.total(), "answer": answer}


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


def scoring_line(found: Mapping[str, Any]) -> str:
    """Say in a line what :func:`describe_scoring` and :func:`answer_figures` found.

    >>> scoring_line({"by": "generation", "rule": "label", "parse_rate": 0.5, "tokens_per_answer": 3.0,
    ...               "accuracy_given_parsed": 1.0})
    'Scored by generation (rule label): 50.0 % of answers readable, 100.0 % of them right, 3.0 tokens each'
    """
    if found["by"] == "likelihood":
        return f"Scored by likelihood of the options (rule {found['rule']})"
    held = f", programs held by {found['isolation']}" if "isolation" in found else ""
    told = f"Scored by generation (rule {found['rule']}{held})"
    if "parse_rate" not in found:  # parts of the cells of several models
        return told
    right = found["accuracy_given_parsed"]
    return (
        f"{told}: {100 * found['parse_rate']:.1f} % of answers readable, "
        + ("" if right is None else f"{100 * right:.1f} % of them right, ")
        + f"{found['tokens_per_answer']:.1f} tokens each"
        + "".join(f", {words}" for words in ends_in_words(found))
    )


def scoring_lines(results: Mapping[str, Any]) -> list[str]:
    """Return :func:`scoring_line` of an evaluation, one for each of several models that generated."""
    scoring = results["scoring"]
    if scoring["by"] == "likelihood" or "parse_rate" in scoring or "budget" in results:
        return [scoring_line(scoring)]
    lines = []
    for figures in results["robustness"]:
        names = "method", "seed", "split"
        row = next(row for row in results["rows"] if all(row[name] == figures[name] for name in names))
        each = row["tokens"] / (row["n_prompts"] * row["n_examples"])
        line = scoring_line({**scoring, **figures, **row, "tokens_per_answer": each})
        lines.append(f"{row['method']}: {line[0].lower()}{line[1:]}")
    return lines


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
