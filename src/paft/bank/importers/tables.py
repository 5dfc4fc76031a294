"""Spreadsheets and CSV tables with a column of templates."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from paft.bank.importers.candidate import Candidate, Imported, candidate
from paft.errors import DataError
from paft.files import read_text
from paft.spreadsheet import read_sheet, restored

STATE_OF_WHAT_ART = "prompt template"  # the column of "State of What Art?" tables
XLSX_COLUMNS = ("text", STATE_OF_WHAT_ART)
CSV_COLUMNS = ("template", "text", STATE_OF_WHAT_ART, "prompt")
PROVENANCE = ("source", "generator", "strategy")
BANK_COLUMNS = ("id", "split", "template", *PROVENANCE)  # of our own export, which marks texts as such
CORRECT = {"true": True, "1": True, "false": False, "0": False}


def read_xlsx(path: Path) -> Imported:
    """Read the first sheet of a workbook; rows whose template cell is blank are skipped."""
    sheet = read_sheet(path, "bank")
    rows = [[cell.value for cell in row] for row in sheet]
    header = _names(rows[0]) if rows else []
    column = next((name for name in XLSX_COLUMNS if name in header), None)
    if column is None:
        raise DataError(f"{path}: the first row must name a column 'text', found: {_shown(header)}")
    place = header.index(column)
    for number, row in enumerate(sheet, start=1):
        if place < len(row) and row[place].data_type == "f":
            raise DataError(
                f"{path} row {number}: the template is a formula ({str(row[place].value)[:40]!r}): write its "
                "text (in the spreadsheet: copy, paste values only)"
            )
    cells = [(number, _texts(row)) for number, row in enumerate(rows[1:], start=2)]
    return _candidates(path, header, column, cells, escaped=True)


def read_csv(path: Path) -> Imported:
    """Read a table with a header line; rows whose template cell is blank are skipped.

    A quoted cell may hold line breaks, so escapes are not decoded. In a table that
    :func:`paft.bank.exporters.tables.write_csv` wrote, texts lose the apostrophe that keeps spreadsheets
    from running them.
    """
    reader = csv.reader(io.StringIO(read_text(path, "bank", newline=""), newline=""), strict=True)
    rows = []
    try:
        for row in reader:
            rows.append((reader.line_num, row))
    except csv.Error as error:
        raise DataError(f"{path}:{reader.line_num}: malformed CSV: {error}") from None
    header = _names(rows[0][1]) if rows else []
    column = next((name for name in CSV_COLUMNS if name in header), None)
    if column is None:
        wanted = ", ".join(map(repr, CSV_COLUMNS))
        raise DataError(f"{path}: the first line must name a column of {wanted}, found: {_shown(header)}")
    for line, row in rows[1:]:
        if row and len(row) != len(header):
            raise DataError(f"{path}:{line}: {len(row)} cells, but the header names {len(header)} columns")
    ours = tuple(header[: len(BANK_COLUMNS)]) == BANK_COLUMNS
    numbered = [
        (number, list(map(restored, row)) if ours else row)
        for number, (_, row) in enumerate(rows[1:], start=2)
    ]
    return _candidates(path, header, column, numbered, escaped=False)


def _candidates(
    path: Path, header: list[str], column: str, rows: Sequence[tuple[int, Sequence[str]]], *, escaped: bool
) -> Imported:
    if header.count(column) > 1:
        raise DataError(f"{path}: two columns are called {column!r}: rename or remove one")
    found: list[Candidate] = []
    for number, cells in rows:
        row = dict(zip(header, cells, strict=False))
        text = row.get(column, "")
        if not text.strip():
            continue
        more: dict[str, Any] = {name: row[name] for name in PROVENANCE if row.get(name)}
        if column == STATE_OF_WHAT_ART:
            more |= _paraphrase(row)
        split, where = row.get("split") or None, f"{path} row {number}"
        found.append(candidate(path.name, text, number, where, more, split, escaped=escaped))
    return Imported(tuple(found))


def _paraphrase(row: dict[str, str]) -> dict[str, Any]:
    """Return how a paraphrase was made and whether people found it correct, as far as the row says."""
    found: dict[str, Any] = {"strategy": row["method"]} if row.get("method") else {}
    correct = CORRECT.get(row.get("correct", "").strip().lower())
    return found if correct is None else {**found, "correct": correct}


def _texts(row: Sequence[object]) -> list[str]:
    return ["" if cell is None else str(cell) for cell in row]


def _names(row: Sequence[object]) -> list[str]:
    return [name.strip() for name in _texts(row)]


def _shown(header: list[str]) -> str:
    return ", ".join(header) or "nothing"
