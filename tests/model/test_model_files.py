"""Fingerprints of models: every byte counts, a Hub id is its commit."""

from __future__ import annotations

import json
import os
import shutil
import time

import huggingface_hub
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from paft.errors import ModelError, ResumeError
from paft.experiment.evaluate import EvaluateConfig, evaluate
from paft.experiment.export import export
from paft.experiment.follow_up import next_command
from paft.experiment.identity import run_identity
from paft.experiment.inputs import load_inputs
from paft.experiment.output_folder import check_output, claim_output
from paft.experiment.run import run
from paft.model.adapter import base_record, check_base
from paft.model.chat import save_chat
from paft.model.files import (
    hub_revision,
    model_fingerprint,
    weight_files,
    weights_digest,
)
from paft.model.load import check_model, load_model
from paft.model.settings import Chat
from paft.names import pin_model

ONE, TWO = "a" * 40, "b" * 40


@pytest.fixture
def own(model_folder, tmp_path):
    return shutil.copytree(model_folder, tmp_path / "model")


@pytest.fixture
def hub(model_folder, tmp_path, monkeypatch):
    """A cache of the Hub with ``somebody/tiny``; returns a function that moves its branch to a commit."""
    folder = tmp_path / "hub" / "models--somebody--tiny"
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))

    def move(commit):
        if not (folder / "snapshots" / commit).exists():
            shutil.copytree(model_folder, folder / "snapshots" / commit)
        (folder / "refs").mkdir(exist_ok=True)
        (folder / "refs" / "main").write_text(commit)
        return folder / "snapshots" / commit

    move(ONE)
    return move


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.floats(0, 1))
def test_any_byte_of_large_weights_changes_the_fingerprint(tmp_path_factory, place):
    folder = tmp_path_factory.mktemp("model")
    save_file({"weight": torch.zeros(800_000)}, folder / "model.safetensors")
    os.utime(folder / "model.safetensors", ns=(1, 1))
    before = model_fingerprint(str(folder)), weights_digest(str(folder))
    file = folder / "model.safetensors"
    time.sleep(0.01)  # clocks of file systems may be coarse
    at = round(place * (file.stat().st_size - 1))
    with file.open("r+b") as opened:
        opened.seek(at)
        byte = opened.read(1)
        opened.seek(at)
        opened.write(bytes([byte[0] ^ 1]))
    os.utime(file, ns=(1, 1))  # as a copy that keeps times has it
    after = model_fingerprint(str(folder)), weights_digest(str(folder))
    assert all(one != other for one, other in zip(before, after, strict=True))


@pytest.mark.parametrize("name", ["modeling_own.py", "tokenizer.model", "chat_template.jinja", "vocab.json"])
def test_files_that_decide_what_is_computed_are_part_of_it(own, name):
    before = model_fingerprint(str(own))
    (own / name).write_text("one")
    one = model_fingerprint(str(own))
    (own / name).write_text("two!")
    assert len({before, one, model_fingerprint(str(own))}) == 3


def test_cards_and_records_are_none(own):
    before = model_fingerprint(str(own))
    (own / "README.md").write_text("words")
    (own / "paft.json").write_text("{}")
    assert model_fingerprint(str(own)) == before


def test_a_model_that_only_moved_is_the_same(own, tmp_path):
    before = model_fingerprint(str(own)), weights_digest(str(own))
    own.rename(tmp_path / "elsewhere")
    moved = str(tmp_path / "elsewhere")
    assert (model_fingerprint(moved), weights_digest(moved)) == before


def test_a_folder_that_cannot_be_written_is_read_all_the_same(own):
    own.chmod(0o555)
    try:
        assert model_fingerprint(str(own)) and sorted(own.iterdir())
    finally:
        own.chmod(0o755)


def test_a_hub_id_is_known_by_its_commit(hub):
    check_model("somebody/tiny")
    assert model_fingerprint("somebody/tiny") == hub_revision("somebody/tiny") == ONE
    (hub(ONE) / "BF16").mkdir()
    (hub(ONE) / "BF16" / "tiny.gguf").touch()
    assert hub_revision("somebody/tiny:BF16/tiny.gguf") == ONE
    assert [file.name for file in weight_files("somebody/tiny")] == ["model.safetensors"]
    hub(TWO)
    assert model_fingerprint("somebody/tiny") == TWO


@pytest.mark.parametrize("name", ["nobody/none", "misspelt", "no such/ name", "a/b/c"])
def test_what_is_neither_here_nor_in_the_cache_has_none(hub, name):
    assert (model_fingerprint(name), hub_revision(name), weights_digest(name)) == (None, None, None)


def test_a_run_is_not_resumed_with_another_commit_of_its_model(hub, configure, tmp_path):
    config = configure(tmp_path / "out", model="somebody/tiny", methods=("base",))
    results = run(config)
    assert results["model_revision"] == ONE
    assert run(config)["rows"] == results["rows"]
    hub(TWO)
    with pytest.raises(ResumeError, match=f"model files: '{ONE}' there, '{TWO}' now"):
        run(config)


def test_a_judgement_is_not_resumed_with_another_commit_of_its_model(hub, desk, tmp_path):
    config = EvaluateConfig(
        task=str(desk / "task.yaml"), bank=str(desk / "bank.jsonl"), model="somebody/tiny",
        output=str(tmp_path / "out"),
    )  # fmt: skip
    assert evaluate(config)["model_revision"] == ONE
    hub(TWO)
    with pytest.raises(ResumeError, match="model files"):
        evaluate(config)


def test_a_folder_has_no_commit_in_the_results(configure, tmp_path):
    assert "model_revision" not in run(configure(tmp_path / "out", methods=("base",)))


def test_a_run_is_not_resumed_with_another_byte_of_its_model(configure, own, tmp_path):
    config = configure(tmp_path / "out", model=str(own))
    wanted = run_identity(config, load_inputs(config))
    claim_output(tmp_path / "out", wanted)
    assert check_output(tmp_path / "out", wanted)
    with (own / "config.json").open("a") as file:
        file.write("\n")
    with pytest.raises(ResumeError, match="model files"):
        check_output(tmp_path / "out", {**wanted, "model files": model_fingerprint(str(own))})


def test_a_run_on_the_hub_that_did_not_know_the_commit_goes_on(hub, configure, tmp_path):
    config = configure(tmp_path / "out", model="somebody/tiny")
    wanted = run_identity(config, load_inputs(config))
    claim_output(tmp_path / "out", {**wanted, "model files": None})
    assert check_output(tmp_path / "out", wanted)


def test_settings_that_nobody_sets_are_no_new_part_of_a_run(configure, tmp_path):
    config = configure(tmp_path / "out")
    assert "trust_remote_code" not in run_identity(config, load_inputs(config))
    trusted = config.model_copy(update={"trust_remote_code": True})
    assert run_identity(trusted, load_inputs(trusted))["trust_remote_code"] is True


def test_the_base_of_an_adapter_is_its_commit_or_its_bytes(hub, model_folder, tmp_path):
    save_chat(tmp_path, Chat(), base=base_record("somebody/tiny"))
    record = json.loads((tmp_path / "paft.json").read_text())["base"]
    assert record == {
        "name": "somebody/tiny", "revision": ONE, "weights": weights_digest(str(model_folder)),
    }  # fmt: skip
    assert check_base(tmp_path, "somebody/tiny") is None
    assert check_base(tmp_path, str(model_folder)) is None  # downloaded by hand
    snapshot = hub(TWO)
    assert check_base(tmp_path, "somebody/tiny") is None  # a commit that left the weights alone
    save_file({"weight": torch.zeros(3)}, snapshot / "model.safetensors")
    with pytest.raises(ModelError, match=f"at {ONE[:12]}, .* than somebody/tiny .*at {TWO[:12]}"):
        check_base(tmp_path, "somebody/tiny")


def test_a_base_that_is_not_downloaded_yet_is_neither_refused_nor_vouched_for(hub, model_folder, tmp_path):
    (tmp_path / "adapter").mkdir()
    save_chat(tmp_path / "adapter", Chat(), base=base_record("somebody/tiny"))
    snapshot = hub(TWO)
    (snapshot / "model.safetensors").unlink()
    for name in ("somebody/tiny", "nobody/none"):
        assert "was not verified" in check_base(tmp_path / "adapter", name)
    shutil.copy(model_folder / "model.safetensors", snapshot)
    assert check_base(tmp_path / "adapter", "somebody/tiny") is None


def test_a_model_of_the_hub_is_loaded_from_the_cache(hub):
    assert load_model("somebody/tiny").name == "somebody/tiny"


def test_a_revision_says_which_commit_of_a_model_is_meant(hub, tmp_path):
    hub(TWO)  # the branch moved on; both are in the cache
    pinned = pin_model("somebody/tiny", ONE)
    check_model(pinned)
    assert model_fingerprint("somebody/tiny") == TWO
    assert model_fingerprint(pinned) == hub_revision(pinned) == ONE
    assert weight_files(pinned)[0].parent.name == ONE
    shutil.rmtree(tmp_path / "hub" / "models--somebody--tiny" / "snapshots" / TWO)
    assert load_model(pinned).name == pinned
    with pytest.raises(ModelError):
        load_model("somebody/tiny")


def test_a_run_is_of_its_revision(hub, configure, tmp_path):
    config = configure(tmp_path / "out", model="somebody/tiny", revision=ONE, methods=("base",))
    results = run(config)
    assert (results["model_revision"], results["config"]["revision"]) == (ONE, ONE)
    hub(TWO)
    assert run(config)["rows"] == results["rows"]  # the branch is not what it depends on
    unpinned = config.model_copy(update={"revision": None})
    with pytest.raises(ResumeError, match=f"revision: '{ONE}' there, None now"):
        run(unpinned)
    hub(ONE)
    assert run(unpinned)["rows"] == results["rows"]  # the same commit under another name


def test_an_identity_has_no_revision_where_none_is_given(configure, tmp_path):
    config = configure(tmp_path / "out")
    assert "revision" not in run_identity(config, load_inputs(config))


def test_an_adapter_is_exported_with_the_commit_it_was_tuned_on(hub, configure, tmp_path):
    config = configure(tmp_path / "out", model="somebody/tiny", revision=ONE, methods=("paft",))
    run(config)
    hub(TWO)
    export(tmp_path / "out", tmp_path / "adapter")
    written = json.loads((tmp_path / "adapter" / "adapter_config.json").read_text())
    assert (written["base_model_name_or_path"], written["revision"]) == ("somebody/tiny", ONE)


def test_a_folder_has_no_revisions(model_folder):
    for model in ("tiny", str(model_folder)):
        with pytest.raises(ModelError, match="leave it out"):
            check_model(pin_model(model, ONE))


def test_the_commands_that_follow_name_the_revision(configure, tmp_path):
    config = configure(tmp_path / "out", model="somebody/tiny", revision=ONE)
    assert f"--model somebody/tiny --revision {ONE} --adapter" in next_command(config)[-1]
