"""Links, settings and examples of the pages: what they lead to, name and show exists."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest
import yaml

from paft.builtin import BANKS, TASKS
from paft.cli.config import settings_by_verb
from paft.grid.file import GridFile

ROOT = Path(__file__).parents[2]
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "benchmarks/README.md", "recipes/README.md")),
    *sorted((ROOT / "docs").glob("*.md")),
]
KEYS = {each.key for settings in settings_by_verb().values() for each in settings}
SECTIONS = "train|evaluate|choose|server|chat"
FILES = (".md", ".json", ".jsonl", ".csv")  # of the same names


def prose(path: Path) -> str:
    """Return a page without its blocks of code."""
    return re.sub(r"^```.*?^```", "", path.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)


@cache
def anchors(path: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    titles = re.findall(r"^#+ (.+)$", prose(path), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_lead_to_a_file_and_a_heading(path: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", prose(path)):
        if "://" in link:
            continue
        name, _, anchor = link.partition("#")
        target = (path.parent / name).resolve() if name else path
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_settings_that_a_page_names_exist(path: Path) -> None:
    if path.name == "results.md":  # it tells of settings that were removed
        return
    named = re.findall(rf"(?<![\w./-])((?:{SECTIONS})\.[a-z_.]*[a-z])(?![\w/])", path.read_text("utf-8"))
    assert {name for name in named if not name.endswith(FILES)} <= KEYS


def test_grid_example_is_a_grid_file() -> None:
    text, axes = re.findall(r"```yaml\n(.*?)```", (ROOT / "docs/grid.md").read_text("utf-8"), re.DOTALL)
    file = yaml.safe_load(text)
    assert list(GridFile(output="runs/small", **file).settings) == ["k4", "k1"]
    more = GridFile(**{"output": "runs/small", **file, **yaml.safe_load(axes)})
    assert all(task["task"] in TASKS and task["bank"] in BANKS for task in more.tasks.values())
