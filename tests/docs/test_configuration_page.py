"""docs/configuration.md is what the code says of its settings, and every setting is explained."""

from pathlib import Path
from typing import Literal

import pytest

from paft.cli.config import settings_by_verb
from paft.config import BUILTIN_TRAIN
from paft.config_reference import Setting, list_settings
from paft.schema import Schema

PAGE = Path(__file__).parents[2] / "docs" / "configuration.md"
SETTINGS = {each.key: each for settings in settings_by_verb().values() for each in settings}


class Inner(Schema):
    """A section.

    Attributes:
        share: How much, see :mod:`paft.config`
            and more.
    """

    share: float | None = None


class Outer(Schema):
    """The whole.

    Attributes:
        inner: A section.
        kind: Which ``one``.
    """

    inner: Inner = Inner()
    kind: Literal["a", "b"] = "a"


def test_the_page_is_the_output_of_the_command(paft):
    code, out, _ = paft("config", "--markdown")
    assert code == 0
    assert PAGE.read_text("utf-8") == out, "run: paft config --markdown > docs/configuration.md"


@pytest.mark.parametrize("key", SETTINGS)
def test_every_setting_has_a_meaning_and_a_type(key):
    assert SETTINGS[key].meaning and SETTINGS[key].type


def test_settings_are_read_from_the_schemas():
    assert list(list_settings(Outer)) == [
        Setting("inner", "section", "", "A section."),
        Setting("inner.share", "number, or null", "null", "How much, see `paft.config` and more."),
        Setting("kind", "`a`, `b`", '"a"', "Which `one`."),
    ]


def test_keys_can_be_chosen_by_how_they_begin(paft):
    code, out, _ = paft("config", "train.adapt.r")
    assert code == 0
    assert "train.adapt.rank" in out and "train.adapt.rslora" in out and "train.epochs" not in out
    code, _, err = paft("config", "nothing")
    assert code == 2 and "no setting begins with 'nothing'" in err


def test_defaults_that_depend_on_the_model_are_said_where_they_are_set():
    assert BUILTIN_TRAIN == {"learning_rate": 0.001, "batch_size": 8, "adapt": {"method": "full"}}
    for key, value in (("learning_rate", "0.001"), ("batch_size", "8"), ("adapt.method", "as")):
        meaning = SETTINGS[f"train.{key}"].meaning
        assert f"{value} for the built-in model" in meaning
        assert f"`{key}`" in SETTINGS["train"].meaning
