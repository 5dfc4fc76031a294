"""Numbers, tables and filled-in templates, as the pages show them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from paft.report.table import percent
from results.sources import Figure

PLACE = re.compile(r"\{\{(.+?)\}\}")


def points(share: float) -> str:
    """Return a difference in points, with its sign.

    >>> points(0.0285), points(-0.0001)
    ('+2.9', '0.0')
    """
    shown = round(100 * share, 1)
    return f"{shown:+.1f}" if shown else "0.0"


def between(found: Figure) -> str:
    """Return a difference in points with its interval.

    >>> between({"value": 0.028, "interval": [0.0144, 0.0411]})
    '+2.8 (1.4 to 4.1)'
    """
    return f"{points(found['value'])} ({ends(found)})"


def ends(found: Figure) -> str:
    """Return both ends of an interval in percent or points.

    >>> ends({"interval": [-0.0001, 0.0411]})
    '0.0 to 4.1'
    """
    low, high = (f"{round(100 * end, 1) + 0.0:.1f}" for end in found["interval"])
    return f"{low} to {high}"


def span(numbers: Sequence[float]) -> str:
    """Return the range of counts.

    >>> span([57, 53, 55]), span([8, 8])
    ('53 to 57', '8')
    """
    low, high = min(numbers), max(numbers)
    return f"{low}" if low == high else f"{low} to {high}"


def listed(parts: Sequence[str]) -> str:
    """Return parts as a list in a sentence.

    >>> listed(["96.5", "96.2", "82.2"])
    '96.5, 96.2 and 82.2'
    """
    *first, last = parts
    return f"{', '.join(first)} and {last}" if first else last


def shares(values: Sequence[float]) -> str:
    """Return shares in percent as a list in a sentence."""
    return listed([percent(value) for value in values])


def table(head: Sequence[str], rows: Sequence[Sequence[object]], *, align: str = "") -> str:
    """Return a Markdown table.

    Args:
        head: Names of the columns.
        rows: Cells, as many as columns.
        align: ``l`` or ``r`` by column; by default all but the first are numbers.
    """
    sides = align or "l" + "r" * (len(head) - 1)
    rule = ["---:" if side == "r" else "---" for side in sides]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in (head, rule, *rows))


def fill(template: str, texts: Mapping[str, str]) -> str:
    """Return a template with every ``{{name}}`` replaced.

    Raises:
        KeyError: If a name is not known.
    """
    return PLACE.sub(lambda found: texts[found[1]], template)
