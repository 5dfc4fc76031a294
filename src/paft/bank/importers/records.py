"""Text lines, JSON Lines and JSON lists of templates."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from paft.bank.importers.candidate import Candidate, Imported, candidate
from paft.errors import DataError
from paft.files import as_object, read_json, read_jsonl, read_text

KEYS = ("template", "text", "prompt")
_PLACEHOLDER = re.compile(r"(?<!\{)\{\w+\}(?!\})")


def read_lines(path: Path) -> Imported:
    r"""Read a template a line, in which ``\n`` stands for a line break; blank lines are skipped."""
    found = []
    for number, line in enumerate(read_text(path, "bank").split("\n"), start=1):
        if line.strip():
            found.append(candidate(path.name, line, number, f"{path} row {number}", escaped=True))
    return Imported(tuple(found))


def broken_prompts(lines: Sequence[Candidate], fields: Sequence[str]) -> list[str]:
    r"""Say which neighbouring lines of a text file look like a prompt that was written over several lines.

    Args:
        lines: What :func:`read_lines` gave.
        fields: Placeholders that a prompt must have.

    >>> texts = ["How urgent?", "{subject}", "{body}", "Rate {subject} {body}", "Urgency:"]
    >>> lines = [candidate("a.txt", text, i, "") for i, text in enumerate(texts, 1)]
    >>> for hint in broken_prompts(lines, ["subject", "body"]):
    ...     print(hint)
    lines 1 to 3 look like 1 prompt: a prompt takes one line, write \n where it breaks
    line 5 has no field: if it belongs to the line before or after it, make one line of both, with \n between
    """
    runs: dict[int, list[Candidate]] = {}  # of lines that lack a field, by last line
    for each in lines:
        if not all(f"{{{name}}}" in each.template for name in fields):
            row = int(each.provenance["row"])
            runs[row] = [*runs.pop(row - 1, []), each]
    found = []
    for last, run in runs.items():
        text, first = "\n".join(each.template for each in run), int(run[0].provenance["row"])
        counts = {text.count(f"{{{name}}}") for name in fields}
        where = f"line {last}" if first == last else f"lines {first} to {last}"
        if counts == {0}:
            if _PLACEHOLDER.search(text):  # of a field that there is not, as screening says
                continue
            verb = "has" if first == last else "have"
            found.append(
                f"{where} {verb} no field: if it belongs to the line before or after it, make one line of "
                r"both, with \n between"
            )
        elif len(counts) == 1 and len(run) > (count := counts.pop()):
            many = f"{count} prompt{'s' * (count > 1)}"
            found.append(rf"{where} look like {many}: a prompt takes one line, write \n where it breaks")
    return found


def read_json_lines(path: Path) -> Imported:
    """Read JSON objects, one a line."""
    return _records(path, "row", read_jsonl(path, "bank"))


def read_json_list(path: Path) -> Imported:
    """Read a JSON list of templates or of objects."""
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
        told = row.get("provenance")  # a prompt that was imported before keeps its first file and row
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
