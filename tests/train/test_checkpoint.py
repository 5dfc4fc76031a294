"""Checkpoints as folders: which one is picked up, what is kept, and what a resume is refused for."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paft.errors import ResumeError
from paft.model.settings import Chat
from paft.train import checkpoint
from paft.train.checkpoint import Checkpoints, save_interval, tokenizer_fingerprint, training_inputs
from paft.train.loop import mean_loss
from paft.train.settings import FREE, Train

INPUTS = {"prompts": "a1", "train.epochs": 3}


@pytest.fixture
def add(tmp_path):
    """Add a checkpoint of two files; returns the store."""

    def make(step, inputs=INPUTS):
        store = Checkpoints(tmp_path / "adapter-checkpoints", inputs)
        part = tmp_path / "part" / "inner"
        part.mkdir(parents=True)
        (part / "weights").write_bytes(b"x" * step)
        (part / "state.json").write_text("{}")
        store.add(part, step, seconds=1.5 * step)
        return store

    return make


def test_the_newest_by_number_is_the_latest_and_says_what_it_was_told(add):
    for step in (9, 10, 8):
        store = add(step)
    found = store.latest()
    assert (found.step, found.seconds, found.folder.name) == (10, 15.0, "step-10")
    assert (found.folder / "weights").read_bytes() == b"x" * 10
    assert found.inputs == INPUTS


def test_there_is_none_in_a_folder_that_does_not_exist_or_holds_other_things(tmp_path):
    store = Checkpoints(tmp_path / "none", INPUTS)
    assert store.latest() is None
    (tmp_path / "none" / "step-old").mkdir(parents=True)
    (tmp_path / "none" / "step-5").mkdir()
    assert store.latest() is None


HARMS = {
    "shorter": "its file weights was changed",
    "longer": "its file weights was changed",
    "a byte": "its file weights was changed",
    "a byte of a state": "its file state.json was changed",
    "missing": "its file weights cannot be read",
    "no record": "its record paft.json is missing or none",
    "half a record": "its record paft.json is missing or none",
    "a list for a record": "its record paft.json is missing or none",
    "null for a record": "its record paft.json is missing or none",
    "no files in the record": "its record paft.json was changed",
    "other files in the record": "its record paft.json was changed",
    "another step in the record": "its record paft.json was changed",
    "a text for the step": "its record paft.json was changed",
    "bytes that are no text": "its record paft.json is missing or none",
}


def edited(record, **values):
    record.write_text(json.dumps({**json.loads(record.read_text()), **values}))


@pytest.mark.parametrize("harm", HARMS)
def test_a_broken_one_is_passed_over(add, harm):
    add(4)
    store = add(6)
    weights, record = (store.folder / "step-6" / name for name in ("weights", "paft.json"))
    if harm == "missing":
        weights.unlink()
    elif harm == "no record":
        record.unlink()
    elif harm == "half a record":
        record.write_text(record.read_text()[:40])
    elif harm == "a byte":
        weights.write_bytes(b"xxyxxx")
    elif harm == "a byte of a state":
        weights.with_name("state.json").write_text("[]")
    elif harm == "a list for a record":
        record.write_text("[]")
    elif harm == "null for a record":
        record.write_text("null")
    elif harm == "no files in the record":
        edited(record, files=None)
    elif harm == "other files in the record":
        edited(record, files={})
    elif harm == "another step in the record":
        edited(record, step=7)
    elif harm == "a text for the step":
        edited(record, step="six")
    elif harm == "bytes that are no text":
        record.write_bytes(b"\xff\xfe{")
    else:
        weights.write_bytes(b"x" * (5 if harm == "shorter" else 7))
    assert store.latest().step == 4
    (told,) = store.damaged
    assert told.startswith(f"checkpoint step-6 was passed over: {HARMS[harm]}")
    assert add(6).latest().step == 6  # the broken one gives way


def test_room_is_made_by_deleting_all_but_the_newest_whole_one(add):
    for step in (2, 4, 6):
        store = add(step)
    (store.folder / "step-6" / "weights").unlink()
    store.make_room()
    assert [path.name for path in store.folder.iterdir()] == ["step-4"]


def test_a_changed_input_is_refused_by_name_with_both_values_and_nothing_is_deleted(add):
    store = add(6)
    with pytest.raises(ResumeError) as error:
        Checkpoints(store.folder, {**INPUTS, "train.epochs": 4}).latest()
    assert "train.epochs: 3 there, 4 now" in str(error.value)
    assert str(store.folder) in str(error.value)
    assert "prompts" not in str(error.value).split("(")[1]
    assert store.latest().step == 6


def test_an_input_that_only_one_side_knows_is_refused_too(add):
    store = add(6)
    with pytest.raises(ResumeError, match="seed: None there, 0 now"):
        Checkpoints(store.folder, {**INPUTS, "seed": 0}).latest()


@pytest.fixture
def inputs_of(language_model, train_examples, bank):
    """Describe a run that differs from the plain one in what is given."""

    def describe(**changes):
        values = {
            "language_model": language_model,
            "examples": train_examples,
            "prompts": bank.prompts("train"),
            "config": Train(),
            "seed": 0,
            "processes": 1,
            "device": "cpu",
            **changes,
        }
        return training_inputs(**values)

    return describe


def changed(one, other):
    return {key for key in {**one, **other} if one.get(key) != other.get(key)}


def test_the_same_run_has_the_same_inputs_and_they_survive_json(inputs_of):
    inputs = inputs_of()
    assert inputs == inputs_of()
    assert json.loads(json.dumps(inputs)) == inputs
    assert {"torch", "transformers", "peft", "accelerate", "train.adapt.rank"} <= inputs.keys()


def test_every_input_shows_under_its_own_name(inputs_of, language_model, bos_tokenizer, bank, train_examples):
    plain = inputs_of()

    def differs(**changes):
        return changed(plain, inputs_of(**changes))

    prompts = bank.prompts("train")
    assert differs(prompts=prompts[1:]) == {"prompts"}
    assert differs(prompts=prompts[::-1]) == {"prompts"}
    assert differs(examples=train_examples[1:]) == {"training examples"}
    assert differs(seed=1) == {"seed"}
    assert differs(processes=2) == {"processes"}
    assert differs(device="cuda") == {"device"}
    assert differs(language_model=replace(language_model, tokenizer=bos_tokenizer)) == {"tokenizer"}
    assert differs(language_model=replace(language_model, name="org/other")) == {"model"}
    assert differs(language_model=replace(language_model, chat=Chat(enabled=True))) == {"chat"}
    assert differs(config=Train(adapt={"dropout": 0.5})) == {"train.adapt.dropout"}


def test_every_setting_that_changes_figures_is_an_input(inputs_of):
    inputs = inputs_of()
    assert inputs_of(config=Train(workers=2, save_every=7, report_to=("tensorboard",))) == inputs
    for name in set(Train.model_fields) - {*FREE, "start_from"}:
        assert f"train.{name}" in inputs or any(key.startswith(f"train.{name}.") for key in inputs), name


def test_of_an_adapter_to_start_from_its_files_are_an_input_and_not_its_place(
    inputs_of, adapter_pair, tmp_path
):
    old, new = (inputs_of(config=Train(start_from=adapter_pair[name])) for name in ("old", "new"))
    assert changed(old, new) == {"start files"}
    moved = shutil.copytree(adapter_pair["old"], tmp_path / "moved")
    assert inputs_of(config=Train(start_from=str(moved))) == old


def test_a_library_of_another_version_is_an_input(inputs_of, monkeypatch):
    plain = inputs_of()
    monkeypatch.setattr(checkpoint, "version", lambda name: "0.0" if name == "torch" else plain[name])
    assert changed(plain, inputs_of()) == {"torch"}


def test_the_chat_template_is_an_input(inputs_of, language_model, monkeypatch):
    plain = inputs_of()
    monkeypatch.setattr(language_model.tokenizer, "chat_template", "{{ messages }}")
    assert changed(plain, inputs_of()) == {"chat template"}


def test_padding_and_truncation_that_a_caller_switched_do_not_count(tokenizer):
    before = tokenizer_fingerprint(tokenizer)
    tokenizer(["a", "b c"], padding=True, truncation=True, max_length=7)
    assert tokenizer_fingerprint(tokenizer) == before


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 10**7))
def test_by_default_there_are_at_most_ten_checkpoints_on_entries_of_the_curve(steps):
    every = save_interval(None, steps)
    assert every >= 50
    assert every % 5 == 0
    assert steps // every <= 10


def test_the_mean_loss_weighs_entries_by_their_steps():
    # Losses 1 2 3 4 5 | 7 9 | 10: entries at steps 5, 7 and 8.
    assert mean_loss([(5, 3.0), (7, 8.0), (8, 10.0)]) == 41 / 8
