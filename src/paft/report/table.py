"""A table of text, laid out for terminal, Markdown, LaTeX and CSV, and how a figure is printed in it."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from paft.spreadsheet import inert

if TYPE_CHECKING:
    from rich.table import Table as RichTable

TIE = 1e-9  # shares closer than this differ by rounding alone
SHORT = 12  # letters of a name that is not broken: those of methods
OUTSIDE = "\u2020"  # a dagger: the figure was observed, its interval is of the figure without noise
HEADS = {"mean": "Mean", "std": "Std", "min": "Min", "top": "Top", "cvar_10": "CVaR10"}
LATEX = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "%": r"\%", "#": r"\#",
    "_": r"\_", "^": r"\textasciicircum{}", "~": r"\textasciitilde{}", "<": r"\textless{}",
    ">": r"\textgreater{}", "|": r"\textbar{}", '"': r"\textquotedbl{}", OUTSIDE: r"\textdagger{}",
}  # fmt: skip


def escape_markdown(text: str) -> str:
    """Return text on one line, with what Markdown or a table would take for markup escaped."""
    return re.sub(r"([\\`*_{}\[\]<>|#&~$])", r"\\\1", " ".join(text.split()))


def escape_latex(text: str) -> str:
    """Return text on one line, with what LaTeX gives a meaning escaped."""
    return "".join(LATEX.get(letter, letter) for letter in " ".join(text.split()))


@dataclass(frozen=True)
class Table:
    """Cells under heads; the columns of figures may stand in groups, one behind the other.

    Attributes:
        head: Names of the columns.
        align: ``l`` or ``r`` for each column.
        rows: As many cells in each as there are columns.
        groups: Name and number of columns of each group; the columns before them name the row.
    """

    head: Sequence[str]
    align: str
    rows: Sequence[Sequence[Any]]
    groups: Sequence[tuple[str, int]] = ()

    @classmethod
    def grouped(
        cls,
        keys: Sequence[str],
        groups: Mapping[str, Sequence[str]],
        rows: Sequence[tuple[Sequence[str], Mapping[str, Sequence[str]]]],
    ) -> Table:
        """Make a table from the heads of its groups.

        Args:
            keys: Heads of the columns that name a row.
            groups: Heads of the columns of figures by group.
            rows: Names, one a key, and cells by group, one a head.
        """
        heads = [head for group in groups.values() for head in group]
        return cls(
            head=[*keys, *heads],
            align="l" * len(keys) + "r" * len(heads),
            rows=[[*names, *(cell for group in groups for cell in cells[group])] for names, cells in rows],
            groups=[(group, len(heads)) for group, heads in groups.items()],
        )

    @property
    def keys(self) -> Sequence[str]:
        """Heads of the columns before the groups."""
        return self.head[: len(self.head) - sum(width for _, width in self.groups)]

    def markdown(self, escape: Callable[[str], str] = escape_markdown) -> str:
        """Return Markdown without a line break at its end.

        Args:
            escape: What is done to each head and cell.
        """
        prefixes = [""] * len(self.keys) + [
            f"{group}: " for group, width in self.groups for _ in range(width)
        ]
        names = [prefix + name for prefix, name in zip(prefixes, self.head, strict=True)]
        lines = ["| " + " | ".join(map(escape, line)) + " |" for line in (names, *self.rows)]
        rule = "".join("---:|" if side == "r" else "---|" for side in self.align)
        return "\n".join([lines[0], f"|{rule}", *lines[1:]])

    def latex(self, caption: str, *, label: str, comments: Sequence[str] = ()) -> str:
        r"""Return LaTeX (booktabs).

        Args:
            caption: Under the table.
            label: ``tab:`` and this, in letters that a label may have, is what ``\ref`` takes.
            comments: Said above the table, for who edits it.
        """
        said = [" ".join(comment.split()) for comment in (r"Needs \usepackage{booktabs}", *comments)]
        head, *rows = (" & ".join(map(escape_latex, line)) + r" \\" for line in (self.head, *self.rows))
        return "\n".join(
            [
                *(f"% {comment}" for comment in said),
                r"\begin{table}",
                r"\centering",
                rf"\begin{{tabular}}{{{self.align}}}",
                r"\toprule",
                head,
                r"\midrule",
                *rows,
                r"\bottomrule",
                r"\end{tabular}",
                rf"\caption{{{escape_latex(caption)}}}",
                rf"\label{{tab:{re.sub('[^A-Za-z0-9]+', '-', label).strip('-') or 'paft'}}}",
                r"\end{table}",
                "",
            ]
        )

    def csv(self) -> str:
        """Return CSV with every cell quoted and none a formula."""
        text = io.StringIO(newline="")
        writer = csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n")
        writer.writerow(self.head)
        writer.writerows(map(inert, row) for row in self.rows)
        return text.getvalue()

    def terminal(self, title: str, caption: str | None = None, bold: Sequence[int] = ()) -> RichTable:
        """Return the table for the terminal, some rows in bold; no text in it is markup."""
        from rich.markup import escape
        from rich.table import Table as RichTable
        from rich.text import Text

        table = RichTable(title=escape(title), caption=None if caption is None else escape(caption))
        for number, (name, side) in enumerate(zip(self.head, self.align, strict=True)):
            # In a narrow terminal heads of two words break first, then long names; figures stay whole.
            if side == "l":
                short = max((len(row[number]) for row in self.rows), default=0) <= SHORT
                table.add_column(escape(name), overflow="fold", no_wrap=short)
            else:
                table.add_column(escape(name), justify="right", overflow="fold", no_wrap=" " not in name)
        for number, row in enumerate(self.rows):
            table.add_row(*map(Text, row), style="bold" if number in bold else None)
        return table

    def terminal_by_group(self, name: str, ending: str = "") -> list[RichTable]:
        """Return a table for each group, since all side by side are too wide.

        Args:
            name: What the title of each begins with.
            ending: What it ends with.
        """
        tables, start, keys = [], len(self.keys), len(self.keys)
        for group, width in self.groups:
            columns = [*range(keys), *range(start, start + width)]
            part = Table(
                [self.head[c] for c in columns],
                "".join(self.align[c] for c in columns),
                [[row[c] for c in columns] for row in self.rows],
            )
            tables.append(part.terminal(f"{name}: {group}{ending}"))
            tables[-1].title_justify = "left"
            start += width
        return tables


def percent(value: float | None) -> str:
    """Format a share as percent with one decimal; a dash for None."""
    return "-" if value is None else f"{100 * value:.1f}"


def marked(value: float | None, low: float, high: float) -> str:
    """Format a figure in percent, with a mark where it lies outside its interval, both as printed.

    >>> marked(0.883, 0.81, 0.92), marked(0.012, 0, 0.008)
    ('88.3', '1.2†')
    """
    if value is None:
        return percent(value)
    inside = float(percent(low)) <= float(percent(value)) <= float(percent(high))
    return percent(value) + ("" if inside else OUTSIDE)


def with_interval(value: float | None, low: float | None, high: float | None, *, unit: str = "") -> str:
    """Format a figure in percent with its interval, as far as there is one.

    >>> with_interval(0.883, 0.81, 0.92, unit=" %"), with_interval(0.883, None, None)
    ('88.3 % [81.0, 92.0]', '88.3')
    """
    if low is None or high is None:
        return percent(value) + unit
    return f"{marked(value, low, high)}{unit} [{percent(low)}, {percent(high)}]"


def difference_text(figure: Mapping[str, Any] | None) -> str:
    """Return a difference in points with its interval, starred where that leaves out 0; a dash for None."""
    if figure is None:
        return "-"
    low, high = figure["interval"]
    # Two sums of the same scores may differ by rounding, which is no difference.
    star = "*" if low > TIE or high < -TIE else ""
    return f"{_end(figure['value'], star, '+')}{star} [{_end(low, star)}, {_end(high, star)}]"


def signed_points(share: float) -> str:
    """Format a difference in points.

    >>> signed_points(0.0312), signed_points(-0.0001)
    ('+3.1', '+0.0')
    """
    return f"{_points(share):+.1f}"


def _end(share: float, star: str, sign: str = "-") -> str:
    """Return points; where a star says that they are not 0, with a digit that shows it.

    >>> _end(-0.0004, "*"), _end(-0.0004, ""), _end(0.0312, "*", "+")
    ('-0.04', '0.0', '+3.1')
    """
    points = _points(share)
    return f"{100 * share:{sign}.1g}" if star and not points else f"{points:{sign}.1f}"


def _points(share: float) -> float:
    """Round to what is shown; a difference that rounds to nothing has no sign."""
    return round(100 * share, 1) + 0.0
