"""What lies beside an adapter is taken from there; what contradicts it is refused or said, in a sentence."""

from __future__ import annotations

import json
import shutil

import pytest

from paft.errors import ConfigError, DataError, ModelError
from paft.experiment.contenders import AdapterOnTask, Contender, name_adapters, take_recorded
from paft.experiment.evaluate_config import EvaluateConfig
from paft.experiment.export import export
from paft.experiment.inputs import load_inputs
from paft.experiment.side_by_side import try_model
from paft.model.adapter import base_name
from paft.model.load import check_model
from paft.model.settings import Chat
from paft.schema import parse

CHAT, OFF = {"enabled": True, "system": "Be brief."}, {"enabled": False, "system": None}


@pytest.fixture
def adapter(tmp_path, model_folder):
    """Return a function that writes what lies beside an adapter; there are no weights."""

    def make(name="adapter", base=None, record=None, config=None):
        folder = tmp_path / name
        folder.mkdir(parents=True)
        base = str(model_folder) if base is None else base
        told = {"peft_type": "LORA", "base_model_name_or_path": base, **(config or {})}
        (folder / "adapter_config.json").write_text(json.dumps(told))
        if record is not None:
            (folder / "paft.json").write_text(json.dumps({"schema": 1, "chat": OFF, **record}))
        return str(folder)

    return make


def taken(*adapters, **given):
    return take_recorded(AdapterOnTask(**given), adapters)


def test_base_chat_system_text_and_length_come_from_beside_the_adapter(adapter, model_folder):
    folder = adapter(record={"chat": CHAT, "max_length": 300})
    config, warnings = taken(folder)
    assert (config.model, config.revision, config.max_length) == (str(model_folder), None, 300)
    assert config.chat == Chat(**CHAT) and warnings == []


def test_what_is_set_wins_and_a_contradiction_is_said(adapter, model_folder):
    folder = adapter(record={"chat": CHAT, "max_length": 300})
    config, warnings = taken(folder, model=str(model_folder), max_length=77, chat={"enabled": True})
    assert config.max_length == 77 and config.chat == Chat(**CHAT)
    assert warnings == [f"{folder} was trained with max_length 300, and is asked with 77"]
    with pytest.raises(ConfigError, match=r"trained with chat on .* to be evaluated with chat off: give the"):
        taken(folder, chat={"enabled": False})
    with pytest.raises(ConfigError, match=r"to be evaluated with chat on and system turn 'Else\.'"):
        taken(folder, chat={"enabled": True, "system": "Else."})


def test_an_adapter_of_others_names_its_base_alone(adapter, model_folder):
    config, warnings = taken(adapter())
    assert (config.model, config.max_length, config.chat, warnings) == (str(model_folder), 1024, Chat(), [])


def test_whole_weights_have_a_record_too(model_folder, tmp_path):
    folder = shutil.copytree(model_folder, tmp_path / "model")
    (folder / "paft.json").write_text(json.dumps({"chat": CHAT, "max_length": 64}))
    config, _ = take_recorded(AdapterOnTask(model=str(folder)), [])
    assert (config.chat, config.max_length) == (Chat(**CHAT), 64)


def test_the_base_is_the_first_of_both_files_that_is_here(adapter, model_folder):
    moved = {"base": {"name": "gone/far/away"}}
    assert base_name_of(adapter("a", record=moved)) == str(model_folder)
    assert base_name_of(adapter("b", base="/elsewhere/tiny", record={"base": {"name": "tiny"}})) == "tiny"
    assert base_name_of(adapter("c", base="owner/name")) == "owner/name"  # the Hub may have it


def base_name_of(folder):
    from pathlib import Path

    found = base_name(Path(folder))
    assert taken(folder)[0].model == found
    return found


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"base": ""}, "name no base model: give it by --model"),
        ({"base": "/not/here"}, "was tuned on /not/here, which is not there now: give its base by --model"),
    ],
)
def test_an_adapter_without_a_base_is_told_in_a_sentence(adapter, given, words):
    with pytest.raises(ConfigError, match=words):
        taken(adapter(**given))


def test_a_damaged_record_is_named(adapter):
    with pytest.raises(DataError, match=r"paft\.json is damaged \(chat is 3, no object\)"):
        taken(adapter("a", record={"chat": 3}))
    with pytest.raises(ConfigError, match="the record beside the weights: max_length"):
        taken(adapter("b", record={"max_length": "long"}))


def test_adapters_that_need_different_things_are_refused(adapter, model_folder, tmp_path):
    first, same = adapter("a", record={"chat": CHAT}), adapter("b", record={"chat": CHAT})
    assert taken(first, same)[0].chat == Chat(**CHAT)
    copy = shutil.copytree(model_folder, tmp_path / "copy")
    assert taken(first, adapter("c", base=str(copy), record={"chat": CHAT}))[0].model == str(model_folder)
    with pytest.raises(ConfigError, match=r"do not have the same chat setting \(chat on .*paft report"):
        taken(first, adapter("d", record={"chat": OFF}))
    with pytest.raises(ConfigError, match="do not have the same base"):
        taken(first, adapter("e", base="tiny", record={"chat": CHAT}))
    with pytest.raises(ConfigError, match=r"the same max_length \(None and 9\)"):
        taken(first, adapter("f", record={"chat": CHAT, "max_length": 9}))


def test_an_adapter_is_no_model_and_a_model_no_adapter(adapter, model_folder, configure, tmp_path):
    folder = adapter()
    sentence = (
        f"{folder} is an adapter, no model: `paft evaluate` and `paft try` take it by --adapter {folder}; "
        f"--model takes its base, {model_folder}"
    )
    for check in (
        lambda: check_model(folder),
        lambda: taken(model=folder),
        lambda: try_model(AdapterOnTask(model=folder), 1),
        lambda: load_inputs(configure(tmp_path / "out", model=folder)),
    ):
        with pytest.raises(ModelError, match="is an adapter, no model") as error:
            check()
        assert str(error.value) == sentence
    with pytest.raises(ModelError, match="is a whole model, no adapter: give it by --model instead"):
        taken(str(model_folder))
    beside = shutil.copytree(model_folder, tmp_path / "trained" / "model")
    with pytest.raises(ModelError, match=f"{beside} is a whole model, no adapter: give it by --model"):
        taken(beside.with_name("adapter"))


def test_the_folder_of_a_run_is_asked_for_its_adapters(adapter, tmp_path):
    for name in ("paft-0", "single-0"):
        adapter(f"run/trials/{name}/adapter")
    with pytest.raises(ModelError, match=r"did you mean .*/trials/paft-0/adapter or .*/single-0/adapter\?"):
        taken(str(tmp_path / "run"))


def test_names_of_adapters(tmp_path):
    (tmp_path / "x=y" / "adapter").mkdir(parents=True)
    given = str(tmp_path / "x=y" / "adapter")
    assert name_adapters([given]) == {"adapter": given}  # a folder, whatever it is called
    assert name_adapters([f"n={given}"]) == {"n": given}
    assert list(name_adapters(["r/a/adapter", "r/b/adapter"])) == ["a", "b"]
    with pytest.raises(ConfigError, match=r"two adapters are called 'a'.* --adapter NAME=DIR"):
        name_adapters(["a=x", "a=y"])


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"adapter": "x", "adapters": {"a": "y"}}, "give one of them"),
        ({"adapters": {"base": "x"}}, "an adapter called 'base' stands beside the base itself"),
        ({"adapters": {"a/b": "x"}}, "no name of a folder"),
        ({"adapters": {"a": "x", "b": "y"}, "budget": 0.5}, "a budget of cells is for one model"),
        ({"adapters": {"a": "x"}, "backend": "openai", "model": "m"}, "a server loads its adapters itself"),
    ],
)
def test_adapters_that_make_no_sense_are_refused(given, words):
    with pytest.raises(ConfigError, match=words):
        parse(EvaluateConfig, {"output": "out", **given}, "command line")


def test_the_base_stands_first_unless_it_is_left_out():
    def names(**given):
        return [each.name for each in EvaluateConfig(output="out", **given).contenders]

    assert names() == ["tiny"] and names(adapter="x/mine") == ["base", "mine"]
    assert names(adapter="x/mine", base=False) == names(adapter="x/mine", budget=0.1) == ["mine"]
    assert names(adapter="x/mine", precision=0.1) == ["base", "mine"]
    assert names(adapters={"b": "x", "a": "y"}) == ["base", "b", "a"]
    assert EvaluateConfig(output="out", adapters={"a": "y"}).contenders[0] == Contender("base", "tiny")


def test_a_trial_with_one_seed_is_named_by_its_method(adapter, tmp_path):
    for name in ("paft-0", "single-0", "static-0", "static-1"):
        adapter(f"run/trials/{name}/adapter")
    with pytest.raises(ModelError, match=r"single-0/adapter has no adapter_model"):
        export(tmp_path / "run", tmp_path / "out", trial="single")
    with pytest.raises(ConfigError, match=r"no trained trial 'static': choose one by --trial \(paft-0"):
        export(tmp_path / "run", tmp_path / "out", trial="static")


def test_a_whole_model_with_a_name_is_told_how_models_are_compared(tmp_path):
    with pytest.raises(ConfigError, match=r"one by one .* compare them by `paft report FOLDER FOLDER`"):
        EvaluateConfig(output="out", model=f"mine={tmp_path}")
    (tmp_path / "a=b").mkdir()  # a folder whose name has the sign
    assert EvaluateConfig(output="out", model=str(tmp_path / "a=b")).model == str(tmp_path / "a=b")
