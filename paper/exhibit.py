"""A table or figure of the paper, made anew: what it holds, and its JSON form.

The JSON is all that is needed to draw the picture and to write the Markdown again, so documents are
made from committed JSON alone.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from paft.shape import read_record

SCHEMA = 1


@dataclass(frozen=True)
class Table:
    """A table as it is shown.

    Attributes:
        title: What it says.
        head: Names of the columns.
        rows: Cells as text, as many in each row as there are columns.
    """

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Series:
    """A line of a panel, or one line of dots.

    Attributes:
        name: In the legend, or before the dots.
        x: Places; empty for dots.
        y: Values in the unit of ``y_label``; of dots accuracies in [0, 1].
        low: Lower ends of intervals, None where there is none; empty without any.
        high: Upper ends.
        faint: Whether it stands in the background, as the paper's own figures do.
    """

    name: str
    x: tuple[float, ...]
    y: tuple[float, ...]
    low: tuple[float | None, ...] = ()
    high: tuple[float | None, ...] = ()
    faint: bool = False


@dataclass(frozen=True)
class Panel:
    """One part of a picture: lines over an axis that doubles, or accuracies by prompt as dots.

    Attributes:
        title: Above it.
        x_label: Below its axis.
        y_label: Beside its axis; empty for dots.
        series: What is drawn.
    """

    title: str
    x_label: str
    y_label: str
    series: tuple[Series, ...]

    @property
    def dots(self) -> bool:
        """Whether the series are lines of dots."""
        return not self.y_label


@dataclass(frozen=True)
class Exhibit:
    """A table or figure of the paper, made anew.

    Attributes:
        kind: Which one, a key of :data:`paper.report.KINDS`.
        title: What it is.
        tables: Ours, then the paper's beside ours.
        panels: Parts of the picture; none where a table says it all.
        notes: What the figures are, and what cannot be compared.
        figures: Every number behind the tables, by name; accuracies in [0, 1].
        environment: Of the grid, as in its ``results.json``.
        differences: Of every row from the grid's reference, where they are shown.
    """

    kind: str
    title: str
    tables: tuple[Table, ...]
    panels: tuple[Panel, ...]
    notes: tuple[str, ...]
    figures: Any
    environment: Mapping[str, Any] | None = None
    differences: Sequence[Mapping[str, Any]] | None = None

    def to_json(self) -> dict[str, Any]:
        """Return what :func:`read_exhibit` reads."""
        return {"schema": SCHEMA, **dataclasses.asdict(self)}


def read_exhibit(path: Path) -> Exhibit:
    """Read an exhibit's JSON.

    Raises:
        DataError: If the file cannot be read or is no JSON.
    """
    data = read_record(path, "exhibit", {})
    panels = tuple(
        Panel(**{**panel, "series": tuple(Series(**_tuples(series)) for series in panel["series"])})
        for panel in data["panels"]
    )
    tables = tuple(
        Table(table["title"], tuple(table["head"]), tuple(map(tuple, table["rows"])))
        for table in data["tables"]
    )
    return Exhibit(
        data["kind"], data["title"], tables, panels, tuple(data["notes"]), data["figures"],
        data["environment"], data.get("differences"),
    )  # fmt: skip


def _tuples(data: Mapping[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in data.items()}
