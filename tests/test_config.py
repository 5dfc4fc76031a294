"""A run's configuration: defaults, YAML, dotted overrides, and what is refused."""

import pytest

from paft.config import RunConfig, load_config, parse_overrides
from paft.errors import ConfigError, DataError
from paft.train.settings import Train


def complaint(overrides=None, path=None):
    with pytest.raises(ConfigError) as caught:
        load_config(path, overrides)
    return str(caught.value)


def test_with_a_task_and_no_file_the_defaults_stand():
    assert load_config(None, {"task": "routing"}) == RunConfig()


def test_a_file_is_read_and_overrides_win_over_it(tmp_path):
    path = tmp_path / "run.yaml"
    path.write_text("train:\n  epochs: 5\n  adapt: {rank: 8}\nseeds: [1, 2]\n")
    config = load_config(path, {"train.epochs": 2, "train.adapt.alpha": 4})
    assert (config.train.epochs, config.train.adapt.rank, config.train.adapt.alpha) == (2, 8, 4)
    assert config.seeds == (1, 2)


def test_the_saved_copy_gives_the_same_run_again(tmp_path):
    config = load_config(None, {"train.epochs": 2, "train.learning_rate": 2e-5, "model": "a/b"})
    path = tmp_path / "config.yaml"
    path.write_text(config.to_yaml())
    assert load_config(path) == config


def test_the_built_in_model_brings_settings_that_anything_given_replaces():
    assert RunConfig(model="a/b").train == Train()
    assert RunConfig().train.adapt.method == "full"
    assert RunConfig().train.learning_rate > Train().learning_rate
    assert RunConfig(train=Train(learning_rate=0.5)).train.learning_rate == 0.5
    given = load_config(None, {"task": "routing", "train.adapt.method": "lora"}).train
    assert (given.adapt.method, given.batch_size) == ("lora", RunConfig().train.batch_size)


def test_a_run_without_file_or_task_is_the_built_in_one():
    assert load_config(None, {}).train.examples is not None
    assert load_config(None, {"model": "a/b"}).train.adapt.method == "lora"
    assert load_config(None, {"task": "routing"}).train.examples is None


def test_the_output_folder_is_named_after_the_task_unless_one_is_given():
    assert RunConfig(task="tasks/my.yaml").output == "runs/my"
    assert RunConfig(task="tasks/my.yaml", output="here").output == "here"


@pytest.mark.parametrize(
    ("item", "value"),
    [
        ("a.b=2", 2),
        ("a.b=2e-3", 0.002),
        ("a.b=0.5", 0.5),
        ("a.b=null", None),
        ("a.b=[1, 2]", [1, 2]),
        ("a.b=text with = sign", "text with = sign"),
        ("a.b=there", "there"),
    ],
)
def test_an_override_is_read_as_yaml(item, value):
    assert parse_overrides([item]) == {"a.b": value}


@pytest.mark.parametrize("item", ["train.epochs", "=2", "a=[1"])
def test_a_malformed_override_is_quoted(item):
    with pytest.raises(ConfigError) as caught:
        parse_overrides([item])
    assert f"--set {item!r}" in str(caught.value)


def test_an_override_below_a_value_is_refused(tmp_path):
    path = tmp_path / "run.yaml"
    path.write_text("train: fast\n")
    assert complaint({"train.epochs": 2}, path) == "key 'train.epochs': 'train' is not a section"


def test_a_misspelt_key_is_named_with_its_path_and_the_nearest_key(tmp_path):
    path = tmp_path / "run.yaml"
    path.write_text("train:\n  resample_evry: 4\n")
    text = complaint(path=path)
    assert text == f"{path}: unknown key 'train.resample_evry'; did you mean 'resample_every'?"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("train.resample_every", 0),
        ("train.epochs", 0),
        ("train.batch_size", 0),
        ("train.learning_rate", 0),
        ("train.learning_rate", -1),
        ("train.warmup", 1),
        ("train.schedule", "blok"),
        ("train.adapt.rank", 0),
        ("evaluate.choose", "best"),
        ("evaluate.examples", 0),
    ],
)
def test_a_setting_out_of_range_is_named_and_shown(key, value):
    text = complaint({key: value})
    assert f"{key}: " in text
    assert f"(got {value!r})" in text


def test_an_unknown_method_is_named_with_the_nearest():
    assert "unknown method 'pft'; did you mean 'paft'?" in complaint({"methods": ["base", "pft"]})


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("methods", ["paft", "paft"], "stands twice: ['paft', 'paft']"),
        ("seeds", [3, 3], "stands twice: [3, 3]"),
        ("seeds", [-1], "whole numbers from 0"),
        ("methods", [], "at least 1 item"),
        ("seeds", [], "at least 1 item"),
    ],
)
def test_lists_of_methods_and_seeds_are_checked(key, value, said):
    assert said in complaint({key: value})


@pytest.mark.parametrize(
    ("given", "rate"), [({}, 1e-4), ({"learning_rate": 1e-5}, 1e-5), ({"epochs": 2}, 1e-4)]
)
def test_the_built_in_model_has_a_rate_of_its_own_however_a_section_is_given(given, rate):
    train = {"algorithm": "grpo", **given}
    assert RunConfig(train=train).train.learning_rate == rate
    assert RunConfig(train=Train(**train)).train == RunConfig(train=train).train
    assert RunConfig(train=Train(**train), model="m").train.learning_rate == 1e-5


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match=r"configuration file not found: .*gone\.yaml"):
        load_config(tmp_path / "gone.yaml")
