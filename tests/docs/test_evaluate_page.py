"""docs/evaluate.md names only options, files and numbers that exist."""

import dataclasses
import re
from pathlib import Path

import typer

from paft.cli import app
from paft.evaluate.ledger import Ledger
from paft.evaluate.robustness import Robustness

PAGE = (Path(__file__).parents[2] / "docs" / "evaluate.md").read_text("utf-8")


def test_every_option_it_uses_exists():
    commands = typer.main.get_command(app).commands
    known = {name for verb in ("evaluate", "report") for p in commands[verb].params for name in p.opts}
    assert set(re.findall(r"(--[a-z][a-z-]*)", PAGE)) <= known


def test_every_number_it_explains_is_in_the_results():
    table = PAGE[PAGE.index("| number | says |") :]
    names = re.findall(r"`([a-z_0-9]+)`", "\n".join(line.split("|")[1] for line in table.splitlines()[2:]))
    assert len(names) > 10
    assert set(names) <= {field.name for field in dataclasses.fields(Robustness)}


def test_the_ledger_lies_where_it_says(tmp_path):
    assert Ledger(tmp_path, "<split>").path.name in PAGE
