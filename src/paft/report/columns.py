"""A table whose columns stand in groups: what says which row it is, then the same figures by group."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from paft.report.text import escape_markdown

if TYPE_CHECKING:
    from rich.table import Table

HEADS = {"mean": "Mean", "std": "Std", "min": "Min", "top": "Top", "cvar_10": "CVaR10"}


@dataclass(frozen=True)
class Layout:
    """A table as text, for any format to lay out.

    Attributes:
        keys: Heads of the columns that name a row.
        groups: Heads of the columns of figures by group.
        rows: Names, one a key, and cells by group, one a head.
    """

    keys: Sequence[str]
    groups: Mapping[str, Sequence[str]]
    rows: Sequence[tuple[Sequence[str], Mapping[str, Sequence[str]]]]

    @property
    def flat(self) -> list[tuple[list[str], list[str]]]:
        """Names and all cells of each row."""
        return [
            (list(names), [cell for group in self.groups for cell in cells[group]])
            for names, cells in self.rows
        ]

    def markdown(self) -> str:
        """Return the table as Markdown, without a line break at its end."""
        names = [*self.keys, *(f"{group}: {head}" for group, heads in self.groups.items() for head in heads)]
        lines = [
            "| " + " | ".join(map(escape_markdown, names)) + " |",
            "|" + "---|" * len(self.keys) + "---:|" * (len(names) - len(self.keys)),
        ]
        lines += [
            "| " + " | ".join(map(escape_markdown, [*mine, *cells])) + " |" for mine, cells in self.flat
        ]
        return "\n".join(lines)

    def terminal(self, name: str, told: str = "") -> list[Table]:
        """Return a table for each group, since all side by side are too wide.

        Args:
            name: What the title of each begins with.
            told: What it ends with.
        """
        from rich.table import Table

        tables = []
        for group, heads in self.groups.items():
            table = Table(title=f"{name}: {group}{told}", title_justify="left")
            for key in self.keys:
                table.add_column(key)
            for head in heads:
                table.add_column(head, justify="right")
            for names, cells in self.rows:
                table.add_row(*names, *cells[group])
            tables.append(table)
        return tables
