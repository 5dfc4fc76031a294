"""Pages use the terms of docs/concepts.md and the field, not those of earlier versions."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# results.md quotes names of grids and stored exhibits of earlier versions.
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted(path for path in (ROOT / "docs").glob("*.md") if path.name != "results.md"),
]
FORMER = re.compile(
    r"\b(wordings?|own prompts?|canonical|judg(?:e[sd]?|ing)|told by|surely|disturbances?|worst tenth|"
    r"cross(?:ed )?over|words left out|close calls?|journals?|ledgers?)\b",
    re.IGNORECASE,
)


def prose(path: Path) -> str:
    """Return a page without code, whose names may be those of files and keys."""
    text = re.sub(r"^```.*?^```", "", path.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    return re.sub(r"`[^`\n]*`|\]\([^)]*\)", "", text)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_a_page_uses_no_former_term(path: Path) -> None:
    assert [line for line in prose(path).splitlines() if FORMER.search(line)] == []
