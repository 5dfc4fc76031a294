"""An exhibit as Markdown."""

from __future__ import annotations

from paft.report.text import escape_markdown
from paper.exhibit import Exhibit, Table


def markdown(exhibit: Exhibit, *, level: int = 1, picture: str | None = None) -> str:
    """Return headings, tables, the picture and the notes as Markdown.

    Args:
        exhibit: The exhibit.
        level: Of its heading; its tables' titles are one below.
        picture: Address of its picture, if it has one and it is to be shown.
    """
    parts = [f"{'#' * level} {escape_markdown(exhibit.title)}"]
    for table in exhibit.tables:
        parts += [f"{'#' * (level + 1)} {escape_markdown(table.title)}", _table(table)]
    if picture is not None and exhibit.panels:
        parts.append(f"![{escape_markdown(exhibit.title)}]({picture})")
    parts += map(escape_markdown, exhibit.notes)
    return "\n\n".join(parts) + "\n"


def _table(table: Table) -> str:
    lines = [table.head, tuple("---:" if column else "---" for column in range(len(table.head))), *table.rows]
    escaped = [lines[0], *lines[2:]]
    shown = ["| " + " | ".join(map(escape_markdown, line)) + " |" for line in escaped]
    shown.insert(1, "|" + "|".join(lines[1]) + "|")
    return "\n".join(shown)
