"""Tables and sentences about reinforcement fine-tuning, from its committed JSON file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from paft.report.table import percent
from paper.published import published
from results.sources import GRPO, read, significant
from results.text import between, ends, table

NAMES = {"snips": "SNIPS", "arithmetic": "largest number", "snips_300": "SNIPS after 300 steps"}
MODELS = {
    "base": "start (`single` by a short SFT)",
    "single": "`single`",
    "shared": "`paft`, shared groups",
    "spanning": "`paft`, spanning groups",
}


def grpo_table() -> str:
    """Return every model on each task, after so many steps."""
    rows = []
    for task, found in read(GRPO).items():
        name = NAMES[task]
        for model, called in MODELS.items():
            if model not in found["models"]:  # the start is in the rows of 100 steps
                continue
            figures = found["models"][model]
            mean = f"{percent(figures['mean'])} ({ends({'interval': figures['mean interval']})})"
            adversarial = (
                f"{percent(figures['adversarial']['mean'])}, {percent(figures['adversarial']['min'])}"
            )
            rest = [percent(figures[key]) for key in ("std", "min", "own")]
            rows.append((name, called, mean, *rest, adversarial))
            name = ""  # once a task
    heads = ("mean", "std over prompts", "worst prompt", "user prompt", "adversarial: mean, worst")
    return table(("task", "model", *heads), rows, align="llrrrrr")


def grpo_differences() -> str:
    """Return the paired differences."""
    rows = []
    for task, found in read(GRPO).items():
        name = NAMES[task]
        for pair, moved in found["differences"].items():
            adversarial = found["differences, adversarial prompts"][pair]["mean"]
            user = found["differences, user prompt"][pair]["mean"]
            parts = (moved["mean"], moved["std"], moved["min"], user, adversarial)
            rows.append((name, pair.replace("base", "start"), *map(between, parts)))
            name = ""
    heads = ("mean", "std", "worst prompt", "user prompt", "adversarial: mean")
    return table(("task", "pair", *heads), rows, align="llrrrrr")


def moved(pair: str, name: str) -> str:
    """Return a difference on each task, as a sentence has it."""
    return ", ".join(f"{NAMES[task]} {between(found)}" for task, found in _found(pair, name).items())


def better(pair: str, name: str) -> int:
    """Return on how many tasks the first of a pair is significantly better."""
    return sum(significant(found, better=-1 if name == "std" else 1) for found in _found(pair, name).values())


def _found(pair: str, name: str) -> dict[str, Mapping[str, Any]]:
    runs = read(GRPO).items()
    return {task: found["differences"][pair][name] for task, found in runs if pair in found["differences"]}


def grpo_texts() -> dict[str, str]:
    """Return the figures of the sentences, by name."""
    found = read(GRPO)
    ratios = {
        group: ", ".join(
            f"{NAMES[task]} {each[f'std of {group} / std of single']:.2f}"
            for task, each in found.items()
            if group in each["models"]
        )
        for group in ("shared", "spanning")
    }
    theirs = published()["benchmarks"]["rows"]["GSM8K"]
    first = next(iter(found.values()))
    return {
        "grpo shared - single mean": moved("shared - single", "mean"),
        "grpo shared - single min": moved("shared - single", "min"),
        "grpo spanning - single mean": moved("spanning - single", "mean"),
        "grpo spanning - shared mean": moved("spanning - shared", "mean"),
        "grpo spanning - shared std": moved("spanning - shared", "std"),
        "grpo ratio": ratios["shared"],
        "grpo ratio spanning": ratios["spanning"],
        "grpo spanning - single min": moved("spanning - single", "min"),
        "grpo ratio of the paper": f"{theirs['paft'][1] / theirs['single'][1]:.2f}",
        "grpo seeds": str(len(first["models"]["single"]["seeds"])),
        "grpo examples": str(first["test examples"]),
        "grpo prompts": " and ".join(dict.fromkeys(str(each["test prompts"]) for each in found.values())),
    }


GRPO_TABLES = {"grpo": grpo_table, "grpo differences": grpo_differences}
