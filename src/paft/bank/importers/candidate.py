"""What an importer returns: candidates in the order of the file, and what could not become one."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Candidate:
    """The text of one row, not yet known to be a valid template.

    Attributes:
        template: The text, placeholders written as ``{field}``.
        provenance: Where it came from: ``source``, ``file``, ``row`` and what the file tells.
        where: File and row, for messages.
        split: The split the row names, if it does.
    """

    template: str
    provenance: Mapping[str, Any] = field(default_factory=dict)
    where: str = ""
    split: str | None = None


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
    template: str,
    row: int | str,
    where: str,
    told: Mapping[str, Any] | None = None,
    split: str | None = None,
) -> Candidate:
    """Return a candidate whose provenance names file and row.

    ``file`` is without its folder: a bank shall not depend on a machine's paths. ``told`` is what
    the file says about the row, for instance its ``generator``; or the file that the row came from first.
    """
    told = told or {}
    place = {} if {"file", "row"} <= told.keys() else {"file": file, "row": row}
    provenance = {"source": "import", **told, **place}
    return Candidate(template, provenance, where, split)
