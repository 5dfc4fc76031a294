"""Settings of reinforcement fine-tuning: what is refused, and what stands where nothing is said."""

from __future__ import annotations

from importlib import util

import pytest
import tomllib

from paft.config import RunConfig
from paft.errors import ConfigError
from paft.methods import METHODS
from paft.schema import parse
from paft.train.grpo.settings import Grpo, check_extras
from paft.train.schedule import make_schedule
from paft.train.settings import GRPO_RATE, Train


def grpo(**settings):
    return parse(Train, {"algorithm": "grpo", **settings}, "file")


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"tokens": 1000}, "does not go with tokens 1000"),
        ({"loss": "example"}, r"does not go with loss 'example'.*train\.grpo\.loss_type"),
        ({"padding_free": True}, "does not go with padding_free True"),
        ({"group_by_length": True}, "does not go with group_by_length True"),
        ({"neftune": 5.0}, r"does not go with neftune 5\.0"),
        ({"compile": True}, "does not go with compile True"),
        ({"adapt": {"dropout": 0.1}}, r"adapt\.dropout"),
        ({"adapt": {"modules_to_save": ["lm_head"]}}, r"adapt\.modules_to_save"),
        ({"adapt": {"targets": ["q_proj", "lm_head"]}}, "adapter on lm_head"),
        (
            {"save_every": 3, "grpo": {"iterations": 2}},
            "save_every 3 is not a multiple of",
        ),
        ({"draws": "cycle", "grpo": {"group": "spanning"}}, "leave draws at replacement"),
        ({"user_prompt_share": 0.5, "grpo": {"group": "spanning"}}, "user_prompt_share at 0"),
        ({"grpo": {"generations": 1}}, "generations"),
        ({"grpo": {"prompts_per_group": 2}}, "prompts_per_group goes with group 'spanning'"),
        ({"grpo": {"group": "spanning", "prompts_per_group": 3}}, "3 does not divide generations 8"),
        ({"grpo": {"group": "spanning", "vllm": "http://host:8000"}}, "does not go with a vLLM server"),
        ({"grpo": {"vllm": "somewhere"}}, "vllm"),
        ({"grpo": {"rewards": ["short.py"]}}, "write file.py:function"),
        ({"grpo": {"weights": [1.0, 2.0]}}, "weights has 2 numbers for 1 rewards"),
        ({"grpo": {"weights": [0.0]}}, "are all 0"),
        ({"grpo": {"weights": [float("nan")]}}, "finite number"),
    ],
)
def test_settings_that_do_not_go_together_are_one_clear_error(settings, told):
    with pytest.raises(ConfigError, match=told):
        grpo(**settings)


@pytest.mark.parametrize("key", ["generations", "beta", "length_cost", "group"])
def test_a_setting_of_grpo_under_sft_is_refused_not_passed_over(key):
    value = {"generations": 4, "beta": 0.1, "length_cost": 1.0, "group": "spanning"}[key]
    with pytest.raises(ConfigError, match=rf"grpo\.{key} goes with algorithm 'grpo'"):
        parse(Train, {"grpo": {key: value}}, "file")
    assert getattr(grpo(grpo={key: value}).grpo, key) == value


def test_what_a_reward_is_divided_by_follows_the_group_unless_said():
    assert Grpo().scale == "group"
    assert Grpo(group="spanning").scale == "none"
    assert Grpo(group="spanning", scale_rewards="group").scale == "group"
    assert Grpo(scale_rewards="batch").scale == "batch"


def test_prompts_of_a_group_and_weights_where_nothing_is_said():
    assert (Grpo().spanned, Grpo(group="spanning").spanned) == (1, 8)
    assert Grpo(group="spanning", prompts_per_group=2).spanned == 2
    assert Grpo(rewards=("a.py:f",)).reward_weights == [1.0, 1.0]


def test_the_rate_is_lower_than_that_of_sft_unless_given():
    assert grpo().learning_rate == GRPO_RATE < Train().learning_rate
    assert grpo(learning_rate=3e-4).learning_rate == 3e-4
    # A method's patch is read anew and keeps what was given.
    assert METHODS["paft"].settings(grpo(learning_rate=3e-4)).learning_rate == 3e-4


def test_the_built_in_model_has_a_lower_rate_too():
    rates = [RunConfig(train={"algorithm": algorithm}).train.learning_rate for algorithm in ("sft", "grpo")]
    assert rates[1] < rates[0]


@pytest.mark.parametrize("method", ["neftune", "token_matched"])
def test_methods_of_sft_alone_are_refused_by_name(method):
    with pytest.raises(ConfigError, match=r"a method sets.*algorithm 'grpo' does not go with"):
        METHODS[method].settings(grpo())


def test_a_spanning_group_needs_as_many_prompts_but_for_the_method_with_one():
    config = grpo(grpo={"group": "spanning", "generations": 4})
    with pytest.raises(ConfigError, match="a spanning group has 4 prompts, but training has 3"):
        make_schedule(config, 3, seed=0, examples=8)
    assert make_schedule(config, 4, seed=0, examples=8).bank_size == 4
    assert make_schedule(METHODS["single"].settings(config), 1, seed=0, examples=8).bank_size == 1


def test_batches_are_not_sorted_by_length():
    assert Train(schedule="example").groups_by_length
    assert not grpo(schedule="example").groups_by_length


@pytest.mark.parametrize(("missing", "told"), [("trl", r"pip install 'paft\[rl\]'"), ("vllm", "needs vLLM")])
def test_a_missing_extra_is_named(monkeypatch, missing, told):
    import paft.train.grpo.settings as module

    monkeypatch.setattr(module, "find_spec", lambda name: None if name == missing else util.find_spec("json"))
    with pytest.raises(ConfigError, match=told):
        check_extras(Grpo(vllm="colocate"))


def test_the_version_that_errors_name_is_that_of_the_extra():
    from pathlib import Path

    from paft.train.grpo.trainer import SUPPORTED

    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text("utf-8"))["project"]
    assert project["optional-dependencies"]["rl"] == [SUPPORTED]


def test_going_on_from_an_adapter_needs_one():
    with pytest.raises(ConfigError, match="start_from is an adapter: to go on with all weights"):
        parse(Train, {"start_from": "adapter", "adapt": {"method": "full"}}, "file")
