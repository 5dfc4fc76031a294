"""What an importer returns: candidates in the order of the file, and what could not become one."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from paft.bank.backslashes import decode_escapes


@dataclass(frozen=True)
class Candidate:
    """The text of one row, not yet known to be a valid template.

    Attributes:
        template: The text, placeholders written as ``{field}``, escapes decoded.
        written: The text as it stands in the file.
        provenance: Where it came from: ``source``, ``file``, ``row`` and what the file tells.
        where: File and row, for messages.
        split: The split the row names, if it does.
    """

    template: str
    written: str
    provenance: Mapping[str, Any]
    where: str
    split: str | None


@dataclass(frozen=True)
class Skipped:
    """A row (``where``: file and row) that no template with plain ``{field}`` placeholders can express.

    ``reason`` says what it uses.
    """

    where: str
    reason: str


@dataclass(frozen=True)
class Imported:
    """Everything one file gave, in its order; candidates may be repeats and invalid templates."""

    candidates: tuple[Candidate, ...]
    skipped: tuple[Skipped, ...] = ()


def rename_placeholders(template: str, names: Mapping[str, str]) -> str:
    """Give placeholders other names.

    >>> rename_placeholders("{prompt} {{prompt}}", {"prompt": "sentence"})
    '{sentence} {{prompt}}'
    """
    # Doubled braces are literal text, and so is what stands between them.
    return re.sub(
        r"\{\{|\}\}|\{(\w+)\}", lambda m: "{" + names.get(m[1], m[1]) + "}" if m[1] else m[0], template
    )


def candidate(
    file: str,
    text: str,
    row: int | str,
    where: str,
    told: Mapping[str, Any] | None = None,
    split: str | None = None,
    *,
    escaped: bool = False,
) -> Candidate:
    """Return a candidate whose provenance names file and row.

    ``file`` is without its folder: a bank shall not depend on a machine's paths. ``told`` is what
    the file says about the row, for instance its ``generator``; or the file that the row came from first.
    Backslash and n are a line break in an ``escaped`` text.
    """
    told = told or {}
    place = {} if {"file", "row"} <= told.keys() else {"file": file, "row": row}
    provenance = {"source": "import", **told, **place}
    return Candidate(decode_escapes(text) if escaped else text, text, provenance, where, split)
