"""A figure of several cases as a line of a panel."""

from __future__ import annotations

from collections.abc import Sequence

from paper.case import Case
from paper.exhibit import Series


def curve(name: str, points: Sequence[tuple[float, Case]], figure: str) -> Series:
    """Return a figure of cases over x in percent with its intervals; cases without it are left out."""
    known = [
        (x, value, case.interval(figure)) for x, case in points if (value := case.value(figure)) is not None
    ]
    return Series(
        name=name,
        x=tuple(x for x, _, _ in known),
        y=tuple(100 * y for _, y, _ in known),
        low=tuple(None if low is None else 100 * low for _, _, (low, _) in known),
        high=tuple(None if high is None else 100 * high for _, _, (_, high) in known),
    )
