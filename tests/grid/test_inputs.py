"""What a run works on, and that how prompts are drawn is part of what a run is."""

import pytest

from paft.bank import Bank
from paft.errors import ConfigError
from paft.grid.inputs import load_inputs
from paft.grid.methods import METHODS
from paft.grid.runner import identity


def ids(prompts):
    return [prompt.id for prompt in prompts]


@pytest.mark.parametrize("ratio", [0.0, 0.25])
@pytest.mark.parametrize("in_bank", [False, True])
def test_the_users_own_prompt_is_the_first_where_it_has_a_share_and_never_stands_twice(
    configure, tmp_path, bank, task, ratio, in_bank
):
    own, seen = task.prompts[0], bank.prompts("train")
    seen = (*seen, own) if in_bank else seen
    config = configure(tmp_path, train={"canonical_ratio": ratio})
    inputs = load_inputs(config, bank=Bank({**bank.splits, "train": seen}))
    settings = METHODS["paft"].settings(config.train)
    found = ids(inputs.training_prompts(METHODS["paft"], settings))
    others = [name for name in ids(seen) if name != own.id]
    assert found == ([own.id, *others] if ratio else ids(seen))
    assert ids(inputs.training_prompts(METHODS["single"], settings)) == [own.id]


@pytest.mark.parametrize("name", [name for name in METHODS if METHODS[name].schedule])
def test_a_method_changes_the_schedule_and_nothing_else(configure, tmp_path, name):
    train = configure(tmp_path).train
    changed = METHODS[name].settings(train)
    assert changed.schedule == METHODS[name].schedule
    assert changed.model_copy(update={"schedule": train.schedule}) == train


def test_weights_of_unknown_prompts_are_refused_before_anything_is_written(configure, tmp_path):
    config = configure(tmp_path / "out", train={"weights": {"feedfeedfeed": 2}})
    with pytest.raises(ConfigError, match="no training prompt has the id 'feedfeedfeed'"):
        load_inputs(config)
    assert not (tmp_path / "out").exists()


def test_how_prompts_are_drawn_is_part_of_what_a_run_is(configure, tmp_path, bank):
    plain = configure(tmp_path)
    inputs = load_inputs(plain)
    for name, value in {
        "draws": "cycle",
        "canonical_ratio": 0.5,
        "weights": {bank.prompts("train")[0].id: 2.0},
    }.items():
        changed = identity(configure(tmp_path, train={name: value}), inputs)
        before = identity(plain, inputs)
        assert [key for key in before if before[key] != changed[key]] == [f"train.{name}"]
