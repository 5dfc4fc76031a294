"""Models in GGUF files: the numbers that are read, what is trained on them, what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

pytest.importorskip("gguf", reason="needs the package gguf: pip install 'paft[gguf]'")

from gguf_file import TEMPLATE, make_model, write_gguf
from paft.config import load_config
from paft.errors import ModelError
from paft.experiment.follow_up import deploy_command
from paft.model.files import model_fingerprint, weights_digest
from paft.model.gguf import GgufFile, find_gguf
from paft.model.load import check_model, load_encoder, load_model

IDS = torch.arange(3, 60)[None]


@pytest.fixture(scope="module")
def model():
    return make_model()


@pytest.fixture(scope="module")
def plain_file(model, tmp_path_factory):
    return str(write_gguf(model, tmp_path_factory.mktemp("gguf") / "plain.gguf"))


@pytest.fixture(scope="module")
def packed_file(model, tmp_path_factory):
    return str(write_gguf(model, tmp_path_factory.mktemp("gguf") / "packed.gguf", kind="Q8_0"))


def logits(model):
    with torch.no_grad():
        return model(input_ids=IDS).logits


def test_weights_are_those_of_the_file(model, plain_file):
    assert torch.allclose(logits(load_model(plain_file).model), logits(model), atol=1e-5)


def test_quantised_weights_are_plain_ones_near_those_before(model, packed_file):
    found = load_model(packed_file).model
    off = (logits(found) - logits(model)).abs().max()
    assert 0 < off < 0.05 * logits(model).abs().max()
    assert all(weight.dtype == torch.float32 for weight in found.parameters())
    assert not hasattr(found.config, "quantization_config")


def test_tokenizer_and_chat_template_come_along(packed_file):
    encoder = load_encoder(packed_file, 64)
    assert encoder.tokenizer.chat_template == TEMPLATE
    assert encoder.tokens("in the") == encoder.tokens("in") + encoder.tokens(" the")
    assert all(token > 2 for token in encoder.tokens("<|im_end|>"))  # data becomes no control token
    assert encoder.end == 2


def test_export_writes_a_plain_folder_of_the_same_model(paft, packed_file, tmp_path):
    code, _, err = paft("export", packed_file, "--output", tmp_path / "plain")
    assert code == 0, err
    again = load_model(str(tmp_path / "plain"))
    assert torch.equal(logits(again.model), logits(load_model(packed_file).model))
    assert again.tokenizer.chat_template == TEMPLATE
    assert "quantization_config" not in json.loads((tmp_path / "plain/config.json").read_text())


@pytest.mark.slow
def test_an_adapter_is_trained_evaluated_and_merged(paft, packed_file, desk, tmp_path):
    common = ["--task", desk / "task.yaml", "--bank", desk / "bank.jsonl", "--model", packed_file]
    code, _, err = paft("train", *common, "--output", tmp_path / "t", "--set", "train.epochs=1")
    assert code == 0, err
    adapter = tmp_path / "t/adapter"
    settings = json.loads((adapter / "adapter_config.json").read_text())
    assert settings["base_model_name_or_path"] == packed_file
    code, _, err = paft("evaluate", *common, "--adapter", adapter, "--output", tmp_path / "e")
    assert code == 0, err
    code, _, err = paft("export", adapter, "--merge", "--output", tmp_path / "merged")
    assert code == 0, err
    merged = load_model(str(tmp_path / "merged")).model
    assert torch.allclose(logits(merged), logits(load_model(packed_file, adapter).model), atol=1e-4)


def test_all_weights_are_trained(paft, packed_file, desk, tmp_path):
    code, _, err = paft(
        "train", "--task", desk / "task.yaml", "--bank", desk / "bank.jsonl", "--model", packed_file,
        "--output", tmp_path / "t", "--set", "train.epochs=1", "--set", "train.adapt.method=full",
    )  # fmt: skip
    assert code == 0, err
    trained = load_model(str(tmp_path / "t/model")).model
    assert not torch.equal(logits(trained), logits(load_model(packed_file).model))


def test_a_file_is_known_by_its_bytes(model, plain_file, packed_file, tmp_path):
    copy = str(write_gguf(model, tmp_path / "copy.gguf"))
    assert weights_digest(copy) == weights_digest(plain_file) != weights_digest(packed_file)
    assert model_fingerprint(copy) == model_fingerprint(plain_file) != model_fingerprint(packed_file)


def test_names_of_files_on_the_hub():
    assert find_gguf("owner/model-GGUF:sub/model.Q4_K_M.gguf") == GgufFile(
        "owner/model-GGUF", "sub/model.Q4_K_M.gguf"
    )
    assert find_gguf("owner/model.gguf-collection") is None


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"hello" * 100, "not a GGUF file"),
        (b"", "empty"),
        (None, "GGUF file not found"),
    ],
)
def test_files_that_are_none(tmp_path, content, said):
    path = tmp_path / "odd.gguf"
    if content is not None:
        path.write_bytes(content)
    for read in (check_model, load_model):
        with pytest.raises(ModelError, match=said) as error:
            read(str(path))
        assert "\n" not in str(error.value)


def test_a_file_that_was_cut_is_refused(plain_file, tmp_path):
    path = tmp_path / "cut.gguf"
    path.write_bytes(Path(plain_file).read_bytes()[:30_000])
    with pytest.raises(ModelError, match=r"cut\.gguf cannot be loaded"):
        check_model(str(path))


def test_an_unknown_architecture_is_named(model, tmp_path):
    path = write_gguf(model, tmp_path / "odd.gguf", architecture="grok9")
    with pytest.raises(ModelError, match="grok9"):
        check_model(str(path))


def test_a_part_of_a_model_says_how_to_join_it(tmp_path):
    path = tmp_path / "big-00001-of-00003.gguf"
    path.touch()
    with pytest.raises(ModelError, match="part 1 of 3 of a model: join the parts"):
        check_model(str(path))


def test_without_its_package_it_says_what_to_install(monkeypatch, plain_file):
    monkeypatch.setattr("paft.model.gguf.find_spec", lambda name: None)
    with pytest.raises(ModelError, match=r"pip install 'paft\[gguf\]'"):
        check_model(plain_file)


def test_four_bits_of_quantised_weights_are_refused(packed_file, monkeypatch):
    with pytest.raises(ModelError, match="holds quantised weights already"):
        load_model(packed_file, quantised=True)


@pytest.mark.slow
def test_card_and_follow_up_speak_of_the_file(paft, packed_file, desk, tmp_path):
    code, _, err = paft(
        "run", "--task", desk / "task.yaml", "--bank", desk / "bank.jsonl", "--model", packed_file,
        "--output", tmp_path / "run", "--set", "methods=[paft]", "--set", "train.epochs=1",
    )  # fmt: skip
    assert code == 0, err
    told = "\n".join(deploy_command(load_config(tmp_path / "run/config.yaml")))
    assert "paft export" in told and "--merge" in told  # vLLM is given a plain folder
    card = (tmp_path / "run/trials/paft-0/adapter/README.md").read_text("utf-8")
    assert "packed.gguf, a GGUF file: its quantised weights" in card
    assert "gguf_file='packed.gguf', quantization_config=GgufConfig(dequantize=True)" in card
