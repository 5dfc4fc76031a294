"""Methods are patches of one configuration, and a comparison is planned seed by seed."""

from pathlib import Path
from typing import get_args

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from paft.config import RunConfig
from paft.methods import METHODS
from paft.report.run_folder import plan_trials
from paft.train.schedule import Mode

PAPER = Path(__file__).parents[2] / "recipes" / "paper"


def names(methods, seeds):
    return [cell.name for cell in plan_trials(RunConfig(methods=methods, seeds=seeds))]


def test_a_method_that_does_not_train_runs_once_and_the_others_once_a_seed():
    assert names(("base", "paft"), (3, 1)) == ["base", "paft-3", "paft-1"]


def test_an_interrupted_comparison_has_whole_seeds():
    assert names(("single", "base", "paft"), (0, 1)) == ["base", "single-0", "paft-0", "single-1", "paft-1"]


@settings(max_examples=40, deadline=None)
@given(
    methods=st.lists(st.sampled_from(sorted(METHODS)), min_size=1, unique=True),
    seeds=st.lists(st.integers(0, 99), min_size=1, max_size=5, unique=True),
)
def test_every_method_and_seed_is_planned_in_a_folder_of_its_own(methods, seeds):
    cells = plan_trials(RunConfig(methods=tuple(methods), seeds=tuple(seeds)))
    expected = {(m, s) for m in methods for s in (seeds if METHODS[m].schedule else [None])}
    assert {(cell.method, cell.seed) for cell in cells} == expected
    assert len({cell.name for cell in cells}) == len(cells) == len(expected)


def test_the_default_comparison_is_planned():
    assert {cell.method for cell in plan_trials(RunConfig())} == {"base", "single", "per_example"}


@pytest.mark.parametrize("name", sorted(METHODS))
def test_a_method_is_described_and_uses_a_known_schedule(name):
    method = METHODS[name]
    assert method.summary
    assert method.schedule is None or method.schedule in get_args(Mode)


def test_only_the_base_model_is_untrained_and_controls_see_the_users_prompt_alone():
    assert [name for name, method in METHODS.items() if method.schedule is None] == ["base"]
    own = [name for name, method in METHODS.items() if method.prompts == "user"]
    assert own == ["single", "neftune", "token_matched"]
    chosen = {name: method.chooser for name, method in METHODS.items() if method.prompts == "chosen"}
    assert chosen == {name: name for name in ("top_accuracy", "bat", "zopo")}
    assert [method.chooser for method in METHODS.values()].count(None) == len(METHODS) - 3
    assert {METHODS[name].schedule for name in (*own, *chosen)} == {"single"}
    assert METHODS["paft"].schedule == "block"
    assert METHODS["single"].schedule == "single"


def test_the_method_for_hard_wordings_is_what_the_grid_of_that_name_measured():
    grid = yaml.safe_load((PAPER / "wordings.yaml").read_text("utf-8"))
    tried = dict(grid["settings"]["wordings"])
    (schedule,) = {METHODS[name].schedule for name in tried.pop("methods")}
    assert METHODS["augmented"].schedule == schedule
    assert {f"train.{name}": value for name, value in METHODS["augmented"].patch.items()} == tried


def test_every_schedule_is_somebodys():
    assert {method.schedule for method in METHODS.values()} - {None} == set(get_args(Mode))
