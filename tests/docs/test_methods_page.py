"""The page of the methods names all of them, and all settings of those that choose a prompt."""

import re
from pathlib import Path

from paft.experiment.baselines.bat import ATTACKS
from paft.experiment.baselines.settings import Choose
from paft.experiment.baselines.zopo import COMPONENTS
from paft.methods import METHODS

PAGE = (Path(__file__).parents[2] / "docs" / "methods.md").read_text("utf-8")
FIRST_CELLS = re.findall(r"^\| `([\w.]+)` \|", PAGE, re.MULTILINE)


def test_every_method_and_setting_has_its_row():
    settings = [f"choose.{name}" for name in Choose.model_fields]
    assert [*METHODS, *settings] == FIRST_CELLS


def test_numbers_are_those_of_the_code():
    assert f"({Choose().examples})" in PAGE and f"({Choose().budget})" in PAGE
    assert f"{COMPONENTS} principal components" in PAGE
    assert len(ATTACKS) == 9 and "all nine" in PAGE
    assert f"alpha {METHODS['neftune'].patch['neftune']:g}" in PAGE
