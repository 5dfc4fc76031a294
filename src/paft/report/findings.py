"""What stands against a result: models no better than a guess, trainings too short, prompts too few.

Terminal, report and ``results.json`` list the same sentences. Each says what was seen and what to do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from paft.config import BUILTIN_MODEL
from paft.methods import METHODS, main_method
from paft.report.cells import Cells, gather_cells
from paft.report.folder import Trained, read_matrices, read_trained
from paft.report.method_rows import (
    MethodRow,
    best_guess,
    level_in_words,
    main_split,
    method_rows,
    prompts_name,
)
from paft.report.run_folder import Trial
from paft.report.table import percent
from paft.statistics.comparison import FEW_PROMPTS, estimate
from paft.train.settings import BY_EXAMPLE

FEW_TRAINING_PROMPTS = 16  # on SNIPS so many did as well as 77, and 8 did not (docs/results.md)
FEW_STEPS = 20
FEW_EXAMPLES = 50  # below, an answer is 2 points or more
_SNIPS = f"on SNIPS {FEW_TRAINING_PROMPTS} did as well as 77, 8 did not"
TAKE_MORE = f"take more ({_SNIPS}; without a bank 250 are composed)"
NEAR_ZERO = 0.05  # of an open rule, where no guess is right
HARDLY = 0.98  # of the first loss: a loss that ends above this has not moved
ROUNDING = 1e-9  # equal means of as many answers may differ by so much
Kind = Literal[
    "trained_prompts",
    "nothing_learnt",
    "not_above_base",
    "loss_did_not_fall",
    "reward_did_not_rise",
    "few_steps",
    "few_prompts_met",
    "few_training_prompts",
    "few_test_prompts",
    "few_test_examples",
]
NO_GAIN: tuple[Kind, ...] = ("nothing_learnt", "not_above_base")  # nothing to deploy yet
TRAIN_MORE = "train longer (train.epochs), on more examples, or at another rate (train.learning_rate)"


@dataclass(frozen=True)
class Finding:
    """One thing that stands against a result.

    Attributes:
        kind: A name for programs.
        text: What was seen and what to do, in a sentence without a full stop.
    """

    kind: Kind
    text: str


def read_findings(folder: Path, results: Mapping[str, Any]) -> list[Finding]:
    """Return the findings of a run whose trials lie in a folder; arguments as of ``read_verdict``.

    Raises:
        DataError: If a file of a trial is there and cannot be read.
    """
    return list_findings(results, read_cells(folder, results), read_trained(folder, results))


def read_cells(folder: Path, results: Mapping[str, Any]) -> dict[str, Cells | None]:
    """Return the cells of each method of a run on the prompts it is about, None where they are not there.

    Raises:
        DataError: If a matrix is there and cannot be read.
    """
    matrices, split = read_matrices(folder, results), main_split(results)
    names = [row.method for row in method_rows(results, split)]
    return {name: gather_cells(matrices, name, split) for name in names}


def list_findings(
    results: Mapping[str, Any], cells: Mapping[str, Cells | None], trained: Trained
) -> list[Finding]:
    """Return what stands against a result, the gravest first.

    Args:
        results: The content of ``results.json``.
        cells: The cells of each method's unseen prompts, None where they are not there.
        trained: What the trainings recorded, by (method, seed), as far as they did.
    """
    split = main_split(results)
    rows = method_rows(results, split)
    row = next(row for row in results["rows"] if row["split"] == split)
    return [
        *trained_prompts_findings(results.get("trained_on", ()), row["n_prompts"]),
        *_nothing_learnt(results, rows, cells, trained),
        *_not_above_base(rows),
        *_of_trainings(results, trained),
        *_few_training_prompts(results, rows),
        *tested_findings(results, split, row["n_prompts"], row["n_examples"]),
    ]


def training_findings(
    method: str, *, steps: int, met: int, prompts: int | None, curve: Sequence[Sequence[float]] = (),
    rewards: Sequence[Sequence[float]] = (),
) -> list[Finding]:  # fmt: skip
    """Return what stands against one training, done or planned.

    Args:
        method: Its method.
        steps: Its optimiser steps.
        met: How many prompts it met.
        prompts: How many of the bank it draws from; None where that is not known.
        curve: (Step, loss) over the training; empty before it.
        rewards: (Step, reward) likewise, of reinforcement fine-tuning, whose loss says little.
    """
    found = []
    if len(rewards) > 1:
        first, last = _ends(rewards)
        if last <= first:
            told = f"the reward did not rise ({first:.2f} at the beginning, {last:.2f} at the end)"
            found.append(Finding("reward_did_not_rise", f"{told}: {TRAIN_MORE}"))
    elif len(curve) > 1:
        first, last = _ends(curve)
        if last > HARDLY * first:
            fell = "did not fall" if last >= first else "hardly fell"
            told = f"the loss {fell} ({first:.2f} at the beginning, {last:.2f} at the end)"
            found.append(Finding("loss_did_not_fall", f"{told}: {TRAIN_MORE}"))
    if steps < FEW_STEPS:
        told = f"{steps} optimiser step{'s are' if steps != 1 else ' is'} few"
        found.append(
            Finding("few_steps", f"{told}: train longer (train.epochs, train.max_steps), or on more examples")
        )
    of_bank = method in METHODS and METHODS[method].trains_on_bank
    if of_bank and prompts is not None and 2 * met < prompts:
        found.append(Finding("few_prompts_met", _few_met(method, steps, met, prompts)))
    return found


def _ends(curve: Sequence[Sequence[float]]) -> tuple[float, float]:
    """Return the means of the first and the last fifth of a curve."""
    part = max(1, len(curve) // 5)
    first, last = (float(np.mean([value for _, value in ends])) for ends in (curve[:part], curve[-part:]))
    return first, last


def guessed(
    results: Mapping[str, Any], rows: Sequence[MethodRow], cells: Mapping[str, Cells | None]
) -> str | None:
    """Return the level that no method is better than, in words; None where one is, or it is not known."""
    levels = results.get("levels")
    if levels is None:
        return None
    better = any(_above(best_guess(levels), row, cells.get(row.method)) for row in rows)
    return None if better else level_in_words(levels)


def _above(level: float, row: MethodRow, cells: Cells | None) -> bool:
    """Whether a method's mean over these prompts is significantly above a level, as far as cells can tell."""
    if cells is None or np.isnan(cells.scores).any() or len(cells.examples) < 2:
        return row.mean > level
    by_example = cells.scores.mean(axis=(0, 1))[None, None]
    return estimate(by_example, ["mean"])["mean"].interval.low > level


def _nothing_learnt(
    results: Mapping[str, Any], rows: Sequence[MethodRow], cells: Mapping[str, Cells | None], trained: Trained
) -> list[Finding]:
    level = guessed(results, rows, cells)
    closed = "table" in results or results.get("levels") is not None
    if level is None and (closed or max(row.mean for row in rows) >= NEAR_ZERO):
        return []
    if level is None:
        who = "every method" if len(rows) > 1 else repr(rows[0].method)
        told = f"{who} is right in less than 5 % of the cells"
    else:
        who = "no method is" if len(rows) > 1 else f"{rows[0].method!r} is not"
        told = f"{who} significantly better than {level}"
    told += ", so nothing here is about prompts"
    if results["model"] == BUILTIN_MODEL:
        told += "; the built-in model can learn to put short messages into classes and little else: take a "
        told += "pretrained model (--model, or model= in Python), or train longer"
        return [Finding("nothing_learnt", told)]
    todo = f"{TRAIN_MORE}, or take a larger model"
    todo = todo if trained else "take a larger model, or one that was trained longer or on more examples"
    return [Finding("nothing_learnt", f"{told}: {todo}")]


def _not_above_base(rows: Sequence[MethodRow]) -> list[Finding]:
    """Say that the method in question is not better than no training, in point."""
    by_name = {row.method: row for row in rows}
    trained = [name for name in by_name if name in METHODS and METHODS[name].schedule is not None]
    name = main_method(trained) or next(iter(trained), None)
    if name is None or "base" not in by_name or by_name[name].mean > by_name["base"].mean + ROUNDING:
        return []
    mean, base = percent(by_name[name].mean), percent(by_name["base"].mean)
    told = f"{name!r} has no higher mean than the untrained model ({mean} % against {base} %)"
    return [Finding("not_above_base", f"{told}: {TRAIN_MORE}")]


def _of_trainings(results: Mapping[str, Any], trained: Trained) -> list[Finding]:
    """Return what stands against each training, once for all of which it is the same."""
    names: dict[Finding, list[str]] = {}
    for (method, seed), record in trained.items():
        found = training_findings(
            method,
            steps=record["steps"],
            met=len(record.get("by_prompt", ())),
            prompts=_training_prompts(results) if "by_prompt" in record else None,
            curve=record.get("curve", ()),
            rewards=record.get("rewards", ()),
        )
        for each in found:
            names.setdefault(each, []).append(Trial(method, seed).name)
    return [Finding(each.kind, f"{', '.join(trials)}: {each.text}") for each, trials in names.items()]


def _few_met(method: str, steps: int, met: int, prompts: int) -> str:
    told = f"training meets {met} of {prompts} prompts of the bank"
    if METHODS[method].schedule in BY_EXAMPLE:
        return f"{told}: take more examples, or train longer (train.epochs)"
    often = max(1, steps // prompts)
    return (
        f"{told}: per_example meets most in as many steps; or resample more often "
        f"(train.resample_every={often}), draw in cycles (train.draws=cycle), train longer (train.epochs)"
    )


def _few_training_prompts(results: Mapping[str, Any], rows: Sequence[MethodRow]) -> list[Finding]:
    """Warn where a method on one prompt is likely to win, and say so where it did."""
    prompts, means = _training_prompts(results), {row.method: row.mean for row in rows}
    main = main_method(means)
    if main is None or prompts is None or prompts >= FEW_TRAINING_PROMPTS:
        return []
    if means.get("single", 0) < means[main] + ROUNDING:
        return planned_prompts_findings(main, prompts)
    told = (
        f"{main!r} trained on a bank of {prompts} prompts and 'single' has the higher mean: so few are often"
    )
    return [Finding("few_training_prompts", f"{told} worse than one: {TAKE_MORE}")]


def planned_prompts_findings(method: str, prompts: int) -> list[Finding]:
    """Return what stands against training a method on a bank of so many prompts, whatever comes of it."""
    if method not in METHODS or not METHODS[method].trains_on_bank or prompts >= FEW_TRAINING_PROMPTS:
        return []
    told = f"{prompts} training prompts are few, and 'single' may do better: {TAKE_MORE}"
    return [Finding("few_training_prompts", told)]


def _training_prompts(results: Mapping[str, Any]) -> int | None:
    """Return how many prompts of the bank a training draws from; None where that is not recorded."""
    chosen = results.get("config", {}).get("train", {}).get("prompts")
    found = chosen or results.get("bank_prompts", {}).get("train")
    return None if found is None else int(found)


def trained_prompts_findings(trained_on: Sequence[Mapping[str, Any]], prompts: int) -> list[Finding]:
    """Return what stands against evaluating models on prompts of their own training.

    Args:
        trained_on: What of the prompts each model met there, as in ``results.json``.
        prompts: How many there are to evaluate on.
    """
    found = []
    for each in trained_on:
        met, model = len(each["prompts"]), f"{each['method']!r} ({each['weights']})"
        some = "all" if 1 < met == prompts else f"{met} of the"
        were, their = ("was", "its figures say") if met == 1 else ("were", "their figures say")
        told = f"{some} {prompts} prompts {were} in the training of {model}"
        found.append(
            Finding("trained_prompts", f"{told}: {their} nothing about unseen prompts, take others instead")
        )
    return found


def tested_findings(results: Mapping[str, Any], split: str, prompts: int, examples: int) -> list[Finding]:
    """Return what stands against an evaluation on so many prompts and examples, 0 where none are known."""
    found = []
    if prompts < FEW_PROMPTS:
        told = f"{prompts_name(results, split, prompts)} {'is' if prompts == 1 else 'are'} too few"
        what = "to say how much accuracy depends on the prompt"
        found.append(Finding("few_test_prompts", f"{told} {what}: take {FEW_PROMPTS} or more, better 20"))
    if 0 < examples < FEW_EXAMPLES:
        told = f"{examples} test examples are few"
        found.append(Finding("few_test_examples", f"{told}: one answer is {100 / examples:.1f} points"))
    return found
