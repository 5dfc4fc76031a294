"""Text lines, JSON Lines and JSON lists of templates."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from paft.bank.backslashes import decode_escapes
from paft.bank.importers.candidate import Candidate, Imported, candidate
from paft.errors import DataError
from paft.files import encodable, read_text

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
    rows = []
    # Only "\n" ends a line: str.splitlines would also break inside texts at U+2028 and friends.
    for number, line in enumerate(read_text(path, "bank").split("\n"), start=1):
        if line.strip():
            row = _parse(line, f"{path}:{number}")
            if not isinstance(row, dict):
                raise DataError(f"{path}:{number}: expected a JSON object, got {type(row).__name__}")
            rows.append((number, row))
    return _records(path, "row", rows)


def read_json_list(path: Path, decode: bool) -> Imported:
    """Read a JSON list of templates or of objects; texts are taken literally."""
    data = _parse(read_text(path, "bank"), str(path))
    if not isinstance(data, list):
        raise DataError(f"{path}: expected a JSON list of templates, got {type(data).__name__}")
    rows = []
    for number, item in enumerate(data, start=1):
        if not isinstance(item, (str, dict)):
            raise DataError(f"{path} item {number}: expected a text or an object, got {type(item).__name__}")
        rows.append((number, {"template": item} if isinstance(item, str) else item))
    return _records(path, "item", rows)


def _records(path: Path, unit: str, rows: Iterable[tuple[int, Mapping[str, Any]]]) -> Imported:
    found: list[Candidate] = []
    key = None
    for number, row in rows:
        if key is None:  # the first row decides, so that one file never mixes two columns
            key = next((name for name in KEYS if isinstance(row.get(name), str)), KEYS[0])
        place = f"{path}:{number}" if unit == "row" else f"{path} {unit} {number}"
        text = row.get(key)
        if not isinstance(text, str):
            present = ", ".join(map(str, row)) or "nothing"
            raise DataError(f"{place}: key {key!r} with text is missing, the row has: {present}")
        provenance = row.get("provenance")
        more = provenance if isinstance(provenance, dict) else {}
        found.append(
            Candidate(
                text,
                {"source": "import", **more, "file": path.name, "row": number},
                f"{path} {unit} {number}",
                row["split"] if isinstance(row.get("split"), str) else None,
            )
        )
    return Imported(tuple(found))


def _parse(text: str, where: str) -> Any:
    try:
        data = json.loads(text)
    except json.JSONDecodeError as error:
        raise DataError(
            f"{where}: malformed JSON ({error.msg} at line {error.lineno} column {error.colno})"
        ) from None
    except (ValueError, RecursionError) as error:  # a number of thousands of digits, thousands of brackets
        raise DataError(f"{where}: JSON that cannot be read: {error}") from None
    if "\\u" in text and not encodable(json.dumps(data, ensure_ascii=False)):
        raise DataError(f"{where}: a \\ud8xx escape is half a surrogate pair: remove it")
    return data
