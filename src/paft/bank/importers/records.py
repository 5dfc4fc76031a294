"""Text lines, JSON Lines and JSON lists of templates."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from paft.bank.backslashes import decode_escapes
from paft.bank.importers.candidate import Candidate, Imported, candidate
from paft.errors import DataError
from paft.files import as_object, read_json, read_jsonl, read_text

KEYS = ("template", "text", "prompt")


def read_lines(path: Path, decode: bool) -> Imported:
    """Read a template a line; blank lines are skipped."""
    found = []
    for number, line in enumerate(read_text(path, "bank").split("\n"), start=1):
        if line.strip():
            template = decode_escapes(line) if decode else line
            found.append(candidate(path.name, template, number, f"{path} row {number}"))
    return Imported(tuple(found))


def read_json_lines(path: Path, decode: bool) -> Imported:
    """Read JSON objects, one a line; texts are taken literally whatever ``decode`` says."""
    return _records(path, "row", read_jsonl(path, "bank"))


def read_json_list(path: Path, decode: bool) -> Imported:
    """Read a JSON list of templates or of objects; texts are taken literally."""
    data = read_json(path, "bank")
    if not isinstance(data, list):
        raise DataError(f"{path}: expected a JSON list of templates, got {type(data).__name__}")
    rows = []
    for number, item in enumerate(data, start=1):
        where = f"{path} item {number}"
        if not isinstance(item, (str, dict)):
            raise DataError(f"{where}: expected a text or an object, got {type(item).__name__}")
        row = {"template": item} if isinstance(item, str) else item
        rows.append((number, as_object(row, "\\u", where)))
    return _records(path, "item", rows)


def _records(path: Path, unit: str, rows: Iterable[tuple[int, Mapping[str, Any]]]) -> Imported:
    found: list[Candidate] = []
    key = None
    for number, row in rows:
        if key is None:  # the first row decides, so that one file never mixes two columns
            key = next((name for name in KEYS if isinstance(row.get(name), str)), KEYS[0])
        text, split = row.get(key), row.get("split")
        if not isinstance(text, str):
            place = f"{path}:{number}" if unit == "row" else f"{path} {unit} {number}"
            present = ", ".join(map(str, row)) or "nothing"
            raise DataError(f"{place}: key {key!r} with text is missing, the row has: {present}")
        told = row.get("provenance")
        found.append(
            candidate(
                path.name,
                text,
                number,
                f"{path} {unit} {number}",
                told if isinstance(told, dict) else {},
                split=split if isinstance(split, str) else None,
            )
        )
    return Imported(tuple(found))
