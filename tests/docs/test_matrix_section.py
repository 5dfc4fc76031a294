"""docs/evaluate.md, scores from elsewhere: its tables and commands work as they stand there."""

import re
import shlex
from pathlib import Path

import pytest

from paft.report.foreign_scores import BOOLEANS, EXAMPLE, METHOD, PREDICTION, PROMPT, SCORES, SEED, SPLIT

PAGE = (Path(__file__).parents[2] / "docs" / "evaluate.md").read_text("utf-8")
SECTION = PAGE[PAGE.index("### Scores from elsewhere") :].partition("\n## ")[0]
TABLES = dict(re.findall(r"`(\w+\.csv)`:\n\n```csv\n(.*?)```", SECTION, re.DOTALL))
COMMANDS = re.findall(r"^paft (report .*?)(?: +#.*)?$", SECTION, re.MULTILINE)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    for name, text in TABLES.items():
        (tmp_path / name).write_text(text, "utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_it_has_tables_and_commands():
    assert (set(TABLES), len(COMMANDS)) == ({"scores.csv", "accuracies.csv"}, 4)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_makes_its_report(folder, paft, command):
    code, out, err = paft(*shlex.split(command))
    assert code == 0, err
    if "--format md" in command:
        assert "| before | 44.0 |" in out and "| after | 80.0 |" in out
    else:
        place = folder / "reports" if "--output" in command else folder
        for ending in ("html", "svg", "png"):
            assert (place / f"scores_report.{ending}").stat().st_size > 500
        second = "before" if "--compare" in command else "after"
        page = (place / "scores_report.html").read_text("utf-8")
        assert f"{second}" in page and "100.0" in page


def test_it_names_every_column():
    table = SECTION[SECTION.index("| column | holds |") :].partition("\n\n")[0]
    named = set(re.findall(r"`(\w+)`", "\n".join(line.split("|")[1] for line in table.splitlines()[2:])))
    assert named == {PROMPT, EXAMPLE, METHOD, SEED, SPLIT, PREDICTION, *SCORES}
    assert {"true", "false"} <= set(BOOLEANS)
