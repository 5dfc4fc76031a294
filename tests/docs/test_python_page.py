"""docs/python.md: its examples run in their order, give what their comments say, and all names are listed."""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

import paft

PAGE = (Path(__file__).parents[2] / "docs" / "python.md").read_text("utf-8")
SAID = re.compile(r"^(\S.*?)  # -> (.+)$", re.MULTILINE)


@pytest.mark.slow
def test_examples_run_and_give_what_their_comments_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MPLBACKEND", "Agg")
    names: dict[str, Any] = {}
    blocks = re.findall(r"```python( trl)?\n(.*?)```", PAGE, re.DOTALL)
    assert len(blocks) == 8
    for needs_trl, block in blocks:
        if needs_trl and find_spec("trl") is None:
            continue
        exec(compile(block, "docs/python.md", "exec"), names)
        for expression, said in SAID.findall(block):
            assert repr(eval(expression, names)) == said
    assert (tmp_path / "plot.png").stat().st_size > 1000
    assert (tmp_path / "runs" / "tickets" / "report.html").exists()
    assert find_spec("trl") is None or (tmp_path / "sft" / "adapter_config.json").exists()


def test_every_public_name_is_listed_once() -> None:
    table = PAGE.split("## Names")[1]
    listed = [name for row in re.findall(r"^\| (`.*?) \|", table, re.MULTILINE)
              for name in re.findall(r"`(\w+)`", row)]  # fmt: skip
    assert sorted(listed) == sorted(paft.__all__)
