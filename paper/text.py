"""An exhibit as Markdown."""

from __future__ import annotations

from paft.report import table
from paft.report.table import escape_markdown
from paper.exhibit import Exhibit


def markdown(exhibit: Exhibit, *, level: int = 1, picture: str | None = None) -> str:
    """Return headings, tables, the picture and the notes as Markdown.

    Args:
        exhibit: The exhibit.
        level: Of its heading; its tables' titles are one below.
        picture: Address of its picture, if it has one and it is to be shown.
    """
    parts = [f"{'#' * level} {escape_markdown(exhibit.title)}"]
    for shown in exhibit.tables:
        laid_out = table.Table(shown.head, "l" + "r" * (len(shown.head) - 1), shown.rows)
        parts += [f"{'#' * (level + 1)} {escape_markdown(shown.title)}", laid_out.markdown()]
    if picture is not None and exhibit.panels:
        parts.append(f"![{escape_markdown(exhibit.title)}]({picture})")
    parts += map(escape_markdown, exhibit.notes)
    return "\n\n".join(parts) + "\n"
