"""Cells of CSV files that no spreadsheet takes for formulas.

Excel, LibreOffice and Google Sheets run what stands in a cell that begins with ``=``, ``+``, ``-``,
``@`` (also full-width ones), a tab or a line break. A prompt may begin like that, and is text: it
gets an apostrophe before it, as spreadsheets mark text themselves. Numbers stay numbers. A text that
begins with apostrophes and then such a character gets one more, so that taking one off gives back
every text.

>>> inert("=1+1"), inert("- one item"), inert(-0.5), inert("-0.5"), inert("'tis")
("'=1+1", "'- one item", -0.5, '-0.5', "'tis")
"""

from __future__ import annotations

import re
from typing import TypeVar

T = TypeVar("T")

_FORMULA = re.compile(r"'*[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")


def inert(cell: T) -> T | str:
    """Return what is written for a cell."""
    if isinstance(cell, str) and _FORMULA.match(cell) and not _NUMBER.fullmatch(cell):
        return "'" + cell
    return cell


def restored(text: str) -> str:
    """Return the text that :func:`inert` wrote.

    >>> restored("'- one item"), restored("'tis")
    ('- one item', "'tis")
    """
    return text[1:] if text.startswith("'") and _FORMULA.match(text) else text
