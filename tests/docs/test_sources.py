"""Whatever a comment, a docstring or a page names of this repository is there."""

from __future__ import annotations

import ast
import io
import json
import re
import tokenize
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pathlib import Path

import pytest

from paft.evaluate.scoring.batch_plan import SHARING_GATE

ROOT = Path(__file__).parents[2]
CODE = [path for top in ("src", "tests", "recipes", "results", "benchmarks", "examples")
        for path in sorted((ROOT / top).rglob("*.py"))]  # fmt: skip
PAGES = [path for path in sorted(ROOT.rglob("*.md")) if not set(path.parts) & {".venv", "runs"}]
TOPS = "src|tests|docs|results|recipes|benchmarks|examples"
PATH = re.compile(rf"(?<![\w./-])((?:{TOPS})/[\w./-]*\w\.(?:py|md|ya?ml|jsonl?|parquet|svg|csv))")
NAME = re.compile(r"(?<![\w./-])paft(?:\.[A-Za-z_]\w*)+")
FILES = ("paft.json", "paft.yaml", "paft.part")  # names of files, not of modules


def spoken(path: Path) -> Iterator[str]:
    """Yield the comments and docstrings of a Python file, or the text of a page."""
    text = path.read_text("utf-8")
    if path.suffix == ".md":
        yield text
        return
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            yield token.string
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            yield ast.get_docstring(node, clean=False) or ""


@cache
def known(name: str) -> bool:
    """Whether a dotted name is a module, or something in one."""
    parts = name.split(".")
    for count in range(len(parts), 0, -1):
        try:
            found = import_module(".".join(parts[:count]))
        except ModuleNotFoundError:
            continue
        for part in parts[count:]:
            fields = {**getattr(found, "__annotations__", {}), **getattr(found, "model_fields", {})}
            if not hasattr(found, part) and part not in fields:
                return False
            found = getattr(found, part, None)
        return True
    return False


@pytest.mark.parametrize("path", [*CODE, *PAGES], ids=lambda path: path.relative_to(ROOT).as_posix())
def test_files_and_names_that_are_spoken_of_exist(path: Path) -> None:
    for text in spoken(path):
        places = (ROOT, path.parent, ROOT / "docs")  # links of a page start beside it, its template's in docs
        lost = [each for each in PATH.findall(text) if not any((place / each).exists() for place in places)]
        assert lost == [], f"no such file: {lost}"
        names = {found for found in NAME.findall(text) if found not in FILES}
        assert {name for name in names if not known(name)} == set()


def test_the_gate_of_shared_beginnings_rests_on_its_benchmark() -> None:
    rows = json.loads((ROOT / "benchmarks" / "prefix_sharing.json").read_text("utf-8"))["rows"]
    told = {round(100 * row["tokens_left"]): round(100 * row["time_left"]) for row in rows}
    assert {98: 100, 90: 95, 76: 79}.items() <= told.items()
    assert all(row["time_left"] < 1 for row in rows if row["tokens_left"] <= SHARING_GATE + 0.005)


def test_what_does_not_exist_is_found() -> None:
    assert PATH.findall("see `benchmarks/no_such.py`, ../docs/other.md") == ["benchmarks/no_such.py"]
    assert not known("paft.bank.generate.run.reword") and not known("paft.no_such")
    assert known("paft.bank.generate.reword")
    assert known("paft.task.task.Task.examples") and known("paft.task.answer.Answer.max_tokens")
