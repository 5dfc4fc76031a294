"""The page of results says what the JSON files say, and its pictures are there."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from pyarrow import parquet

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "results.md"
TABLE1 = ROOT / "results" / "table1_small"


def test_page_is_that_of_the_result_files() -> None:
    module = "results.make_page"
    done = subprocess.run(
        [sys.executable, "-m", module, "--check"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_links_and_pictures_are_there() -> None:
    links = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", PAGE.read_text("utf-8"))
    local = [link for link in links if "://" not in link]
    assert any(link.endswith(".svg") for link in local)
    assert [link for link in local if not (PAGE.parent / link).exists()] == []


def test_grids_that_commands_name_are_shipped() -> None:
    named = set(re.findall(r"paft grid (\S+)", PAGE.read_text("utf-8")))
    assert named
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_kept_predictions_give_the_figures() -> None:
    figures = json.loads((TABLE1 / "main.json").read_text("utf-8"))["figures"]
    assert figures
    for task, methods in figures.items():
        rows = parquet.read_table(TABLE1 / "predictions" / f"{task}.parquet").to_pylist()
        for method, expected in methods.items():
            scores = [row["score"] for row in rows if (row["method"], row["split"]) == (method, "test")]
            assert sum(scores) / len(scores) == pytest.approx(expected["mean"]["value"]), (task, method)
