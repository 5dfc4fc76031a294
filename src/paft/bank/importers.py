"""Read prompts that others wrote: the paper's spreadsheets, text lines, JSON Lines.

The paper's banks (``.xlsx``, one column ``text``) store every line break as the two characters
backslash and n. Escapes are decoded once, here, so that training and evaluation see the same text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from paft.errors import DataError, PromptError
from paft.files import read_jsonl, read_text
from paft.prompt import Prompt

ESCAPES = {"\\n": "\n", "\\t": "\t", "\\r": ""}
FORMATS = (".xlsx", ".jsonl", ".txt")


def import_prompts(path: str | Path, rename: Mapping[str, str] | None = None) -> list[Prompt]:
    """Read prompts from ``.xlsx`` (column ``text``), ``.jsonl`` (key ``template``) or ``.txt`` (lines).

    Args:
        path: The file.
        rename: New placeholder name by old one.

    Returns:
        Prompts in file order, exact repeats removed; provenance names file and row.

    Raises:
        DataError: If the file cannot be read.
        PromptError: If a row is not a valid template, or the file has none.
    """
    path = Path(path)
    readers = {".xlsx": _read_xlsx, ".jsonl": _read_jsonl, ".txt": _read_txt}
    if path.suffix not in readers:
        raise DataError(f"cannot import {path}: unknown format (known: {', '.join(FORMATS)})")
    prompts: dict[str, Prompt] = {}
    for row, text, provenance in readers[path.suffix](path):
        try:
            prompt = Prompt(
                _rename(text, rename or {}), {"source": "import", **provenance, "file": path.name, "row": row}
            )
        except PromptError as error:
            raise PromptError(f"{path} row {row}: {error}") from None
        prompts.setdefault(prompt.id, prompt)
    if not prompts:
        raise PromptError(f"{path} has no prompts")
    return list(prompts.values())


def decode_escapes(text: str) -> str:
    r"""Turn the two characters backslash-n (t, r) into the one they stand for.

    >>> decode_escapes("a\\nb")
    'a\nb'
    """
    return re.sub(r"\\[ntr]", lambda match: ESCAPES[match.group()], text)


def _rename(template: str, names: Mapping[str, str]) -> str:
    # Doubled braces are literal text, and so is what stands between them.
    return re.sub(
        r"\{\{|\}\}|\{(\w+)\}",
        lambda m: "{" + names.get(m[1], m[1]) + "}" if m[1] else m[0],
        template,
    )


def _read_xlsx(path: Path) -> list[tuple[int, str, dict[str, object]]]:
    try:
        from openpyxl import load_workbook
        from openpyxl.utils.exceptions import InvalidFileException
    except ImportError:
        raise DataError(f"reading {path} needs openpyxl: pip install 'paft[xlsx]'") from None
    import zipfile

    try:
        rows = list(load_workbook(path, read_only=True).worksheets[0].iter_rows(values_only=True))
    except FileNotFoundError:
        raise DataError(f"bank file not found: {path}") from None
    except (OSError, zipfile.BadZipFile, InvalidFileException, KeyError) as error:
        raise DataError(f"{path} is not a readable .xlsx workbook: {error}") from None
    header = [str(cell).strip() if cell is not None else "" for cell in rows[0]] if rows else []
    if "text" not in header:
        found_columns = ", ".join(header) or "nothing"
        raise DataError(f"{path}: the first row must name a column 'text', found: {found_columns}")
    column = header.index("text")
    found: list[tuple[int, str, dict[str, object]]] = []
    for number, row in enumerate(rows[1:], start=2):
        cell = row[column] if column < len(row) else None
        if cell is not None and str(cell).strip():
            found.append((number, decode_escapes(str(cell)), {}))
    return found


def _read_jsonl(path: Path) -> list[tuple[int, str, dict[str, object]]]:
    found: list[tuple[int, str, dict[str, object]]] = []
    for number, row in read_jsonl(path, "bank"):
        if not isinstance(row.get("template"), str):
            raise DataError(f"{path}:{number}: key 'template' with text is missing")
        provenance = row.get("provenance")
        found.append((number, row["template"], provenance if isinstance(provenance, dict) else {}))
    return found


def _read_txt(path: Path) -> list[tuple[int, str, dict[str, object]]]:
    lines = enumerate(read_text(path, "bank").split("\n"), start=1)
    return [(number, decode_escapes(line), {}) for number, line in lines if line.strip()]
