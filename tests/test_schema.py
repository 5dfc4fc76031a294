"""What a user writes is checked: key paths, values and near keys stand in the message."""

import pytest
from pydantic import Field, model_validator

from paft.config import RunConfig, merged
from paft.config_reference import list_settings
from paft.errors import ConfigError
from paft.schema import OURS, Schema, find_setting, nearest, parse
from paft.train.settings import Train


class Wheel(Schema):
    spokes: int = Field(ge=1)


class Bicycle(Schema):
    colour: str = "red"
    front: Wheel
    spare: Wheel | None = None

    @model_validator(mode="after")
    def _check_wheels(self):
        if self.spare is not None and self.spare.spokes != self.front.spokes:
            raise ValueError("the wheels differ")
        return self


def complaint(data):
    with pytest.raises(ConfigError) as caught:
        parse(Bicycle, data, "bike.yaml")
    return str(caught.value)


def test_what_fits_is_built():
    assert parse(Bicycle, {"front": {"spokes": 3}}, "bike.yaml") == Bicycle(front=Wheel(spokes=3))


def test_a_model_is_frozen():
    with pytest.raises(ConfigError, match="a Wheel cannot be changed: make another one with spokes=4"):
        Wheel(spokes=3).spokes = 4


def test_an_unknown_key_is_refused_with_the_nearest_known_one():
    text = complaint({"front": {"spokes": 3}, "color": "blue"})
    assert text == "bike.yaml: unknown key 'color'; did you mean 'colour'?"


@pytest.mark.parametrize("section", ["front", "spare"])
def test_an_unknown_inner_key_is_named_by_its_path(section):
    text = complaint({"front": {"spokes": 3}, section: {"spokes": 3, "spoks": 2}})
    assert f"unknown key '{section}.spoks'; did you mean 'spokes'?" in text


def test_a_missing_key_is_named_by_its_path():
    assert complaint({"front": {}}) == "bike.yaml: key 'front.spokes' is missing"


def test_a_value_that_does_not_fit_is_shown():
    text = complaint({"front": {"spokes": 0}})
    assert "front.spokes: " in text
    assert "greater than or equal to 1 (got 0)" in text


def test_what_is_wrong_with_the_whole_names_no_key():
    assert complaint({"front": {"spokes": 3}, "spare": {"spokes": 4}}) == "bike.yaml: the wheels differ"


def test_all_complaints_stand_in_one_line():
    text = complaint({"front": {"spokes": "many"}, "wheels": 2})
    assert "(got 'many')" in text
    assert "unknown key 'wheels'" in text
    assert "\n" not in text


def test_the_nearest_word_is_offered_else_all_of_them():
    assert nearest("bock", ["block", "single"]) == "; did you mean 'block'?"
    assert nearest("xyz", ["block", "single"]) == " (known: block, single)"


@pytest.mark.parametrize(
    ("key", "ours"),
    [
        ("train.lr", "train.learning_rate"),
        ("lr", "train.learning_rate"),
        ("num_train_epochs", "train.epochs"),
        ("epochs", "train.epochs"),
        ("train.k", "train.resample_every"),
        ("train.adapt.r", "train.adapt.rank"),
        ("train.lora_r", "train.adapt.rank"),
        ("lora.r", "train.adapt"),
        ("train.max-seq-length", "train.max_length"),
        ("train.per_device_train_batch_size", "train.micro_batch_size (train.batch_size counts all devices)"),
        ("examples", "train.examples or evaluate.examples or choose.examples"),
        ("limit", "evaluate.examples"),
        ("method", "train.adapt.method or methods"),
        ("apply_chat_template", "chat.enabled"),
    ],
)
def test_names_of_other_tools_and_places_are_understood(key, ours):
    with pytest.raises(ConfigError) as caught:
        parse(RunConfig, merged({"output": "out"}, {key: 1}), "command line")
    assert str(caught.value).endswith(f" is {ours}")
    assert str(caught.value).startswith("command line: unknown key ")


@pytest.mark.parametrize(("model", "ours"), [(Train, "learning_rate"), (Wheel, None)])
def test_a_key_is_named_as_the_schema_has_it(model, ours):
    assert find_setting(model, "lr") == ours


def test_every_setting_that_other_tools_name_is_one():
    assert set(OURS.values()) <= {each.key for each in list_settings(RunConfig)}
