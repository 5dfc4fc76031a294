"""Workbooks that are read, DataFrames, and cells of CSV files that no spreadsheet takes for formulas.

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
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from paft.errors import DataError, said, shown

if TYPE_CHECKING:
    from pandas import DataFrame

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


def read_sheet(path: Path, what: str, *, formulas: bool = True) -> list[Sequence[Any]]:
    """Return the cells of a workbook's first sheet, row by row, all rows of one length.

    Args:
        path: The file.
        what: What it is, for errors.
        formulas: Whether a cell with a formula holds that, else what it was last worked out to.

    Raises:
        DataError: If it is no workbook, or the library that reads it is not installed.
    """
    try:
        from openpyxl import load_workbook
        from openpyxl.cell.read_only import EMPTY_CELL
    except ImportError:
        raise DataError(f"reading {path} needs openpyxl: pip install 'paft[xlsx]'") from None
    try:
        rows = list(load_workbook(path, read_only=True, data_only=not formulas).worksheets[0].iter_rows())
    except FileNotFoundError:
        raise DataError(f"{what} file not found: {path}") from None
    except Exception as error:  # the library raises many unrelated types for one cause: no workbook
        raise DataError(f"{path} is not a readable .xlsx workbook: {said(error)}") from None
    # A sheet that does not tell its size has rows that end with their last cell.
    width = max(map(len, rows), default=0)
    return [(*row, *[EMPTY_CELL] * (width - len(row))) for row in rows]


def make_frame(rows: Sequence[Mapping[str, Any]]) -> DataFrame:
    """Return rows as a DataFrame of pandas.

    Raises:
        DataError: If pandas is not installed.
    """
    try:
        from pandas import DataFrame
    except ImportError:
        raise DataError("a DataFrame needs the package pandas: pip install pandas") from None
    return DataFrame(list(rows))


def frame_rows(value: Any) -> Any:
    """Return the rows of a DataFrame (pandas, polars) as a list of dicts, anything else as it is.

    Raises:
        ValueError: If columns have no names of their own.
    """
    if hasattr(value, "to_dicts"):  # polars
        return value.to_dicts()
    if not hasattr(value, "iterrows"):
        return value
    names = list(value.columns)  # pandas
    wrong = next((name for name in names if not isinstance(name, str) or names.count(name) > 1), None)
    if wrong is not None:
        raise ValueError(f"the DataFrame's columns need names that are text and distinct, not {shown(wrong)}")
    return value.to_dict("records")
