"""Numbers and notes as exhibits show them."""

from __future__ import annotations

from collections.abc import Sequence

from paft.report import table
from paft.report.data import INTERVALS
from paper.case import Case


def with_interval(case: Case, name: str) -> str:
    """Return a figure in percent with its interval in brackets, as far as there is one."""
    return table.with_interval(case.value(name), *case.interval(name))


def number(value: float | None, digits: int = 1, suffix: str = "") -> str:
    """Return a number with so many decimals; a dash for None.

    >>> number(1.254, 2, "x"), number(None)
    ('1.25x', '-')
    """
    return "-" if value is None else f"{value:.{digits}f}{suffix}"


def points(value: float | None) -> str:
    """Return a difference of shares in points, with its sign; a dash for None.

    >>> points(-0.0312)
    '-3.1'
    """
    return "-" if value is None else f"{100 * value:+.1f}"


def measured(found: Sequence[Case]) -> str:
    """Say what accuracies are over, how many seeds there are, and what the intervals are."""
    sizes = dict.fromkeys(
        f"{case.task}: {row['n_prompts']} unseen prompts x {row['n_examples']} examples"
        for case in found
        for row in case.rows
        if row["split"] == "test"
    )
    seeds = sorted({case.seeds for case in found if case.rows[0]["seed"] is not None})
    told = " or ".join(map(str, seeds)) + (" seed" if seeds == [1] else " seeds") if seeds else "no training"
    return (
        f"Accuracy in percent ({'; '.join(sizes)}), means over {told}; std is over prompts. "
        f"In brackets 95 % intervals. {INTERVALS}"
    )


def models(found: Sequence[Case]) -> str:
    """Name the models that were trained, and how."""
    names = dict.fromkeys(
        f"{case.run.config.model} ({'all weights' if adapt.method == 'full' else f'LoRA rank {adapt.rank}'})"
        for case in found
        if (adapt := case.run.config.train.adapt)
    )
    return ", ".join(names)
