"""What a user is told when memory runs out, a worker meets a bad row, or ids have no embedding."""

from __future__ import annotations

import os

import pytest
import torch
from tokenizers import AddedToken
from transformers import Trainer

from paft.errors import ConfigError, DataError, ModelError, PaftError
from paft.train.arguments import TENSORBOARD_FOLDER, report_to
from paft.train.failures import check_vocabulary, clear_errors
from paft.train.loop import fine_tune
from paft.train.settings import Train


def test_out_of_memory_says_what_to_lower():
    with pytest.raises(PaftError) as caught, clear_errors(Train(max_length=512), 8):
        raise torch.OutOfMemoryError("tried to allocate 2 GiB\nlong advice")
    said = str(caught.value)
    assert "tried to allocate 2 GiB" in said and "advice" not in said
    for part in (
        "micro_batch_size (now 8) to 4",
        "gradient_checkpointing=true",
        "max_length (now 512)",
        "qlora",
    ):
        assert part in said


def test_only_what_can_be_lowered_is_named():
    config = Train(gradient_checkpointing=True, adapt={"method": "qlora"})
    with pytest.raises(PaftError) as caught, clear_errors(config, 1):
        raise torch.OutOfMemoryError("full")
    assert "lower train.max_length (now 1024). " in str(caught.value)


def test_a_model_that_does_not_fit_on_the_device_is_one_line(
    fresh_model, train_examples, bank, tmp_path, monkeypatch
):
    def full(*_):
        raise torch.OutOfMemoryError("tried to allocate 2 GiB")

    monkeypatch.setattr(Trainer, "_move_model_to_device", full)
    monkeypatch.setattr(Trainer, "place_model_on_device", True, raising=False)
    with pytest.raises(PaftError, match=r"does not fit on the device: take a smaller one, or .*qlora"):
        fine_tune(fresh_model, train_examples, bank["train"], Train(), seed=0, output=tmp_path / "out")


@pytest.mark.parametrize("workers", [0, 2])
def test_a_bad_row_is_one_line_whoever_reads_it(
    fresh_model, train_examples, bank, tmp_path, workers, monkeypatch
):
    monkeypatch.setattr("paft.train.length.LOOKED_AT", 1)

    class Bad(list):
        def __getitem__(self, at):
            if at == 5:
                raise DataError("train.jsonl:6: gold answer 'x' is not among the options")
            return super().__getitem__(at)

    config = Train(epochs=1, batch_size=8, workers=workers, adapt={"rank": 4})
    with pytest.raises(DataError) as caught:
        fine_tune(
            fresh_model, Bad(train_examples), bank.prompts("train"), config, seed=0, output=tmp_path / "out"
        )
    assert str(caught.value) == "train.jsonl:6: gold answer 'x' is not among the options"


def test_a_tokenizer_with_ids_beyond_the_embeddings_is_refused(language_model):
    from transformers import AutoTokenizer

    model = language_model.model
    check_vocabulary(language_model.encoder(64), model, "ours")
    tokenizer = AutoTokenizer.from_pretrained(language_model.name)
    tokenizer.add_special_tokens({"additional_special_tokens": ["<image>"]})
    from paft.model.encode import Encoder

    check_vocabulary(Encoder(tokenizer, 64), model, "ours")  # data never becomes a control token
    tokenizer.add_tokens([AddedToken("word", special=False)])
    rows = model.get_input_embeddings().weight.shape[0]
    with pytest.raises(ModelError, match=rf"vocabulary has id {rows + 1}, .* below {rows}"):
        check_vocabulary(Encoder(tokenizer, 64), model, "ours")
    tokenizer.pad_token = "<image>"
    with pytest.raises(ModelError, match=rf"padding token has id {rows},"):
        check_vocabulary(Encoder(tokenizer, 64), model, "ours")


def test_a_log_that_cannot_be_written_is_refused(monkeypatch):
    from transformers.integrations import integration_utils

    assert report_to(Train(), None) == ["none"] == report_to(Train(report_to="none"), None)
    with pytest.raises(ConfigError, match=r"'tensorbord' is not known .*did you mean 'tensorboard'"):
        report_to(Train(report_to="tensorbord"), None)
    monkeypatch.setattr(integration_utils, "get_available_reporting_integrations", lambda: ["wandb"])
    with pytest.raises(ConfigError, match="'tensorboard' needs its package"):
        report_to(Train(report_to="tensorboard"), None)
    assert report_to(Train(report_to=["wandb"]), None) == ["wandb"]


def test_each_training_of_a_run_has_a_log_of_its_own_for_tensorboard(monkeypatch, tmp_path):
    from transformers.integrations import integration_utils

    monkeypatch.setattr(integration_utils, "get_available_reporting_integrations", lambda: ["tensorboard"])
    monkeypatch.delenv(TENSORBOARD_FOLDER, raising=False)
    for name in ("one", "two"):
        report_to(Train(report_to="tensorboard"), tmp_path / name)
        assert os.environ[TENSORBOARD_FOLDER] == str(tmp_path / name)
    monkeypatch.setenv(TENSORBOARD_FOLDER, "mine")
    report_to(Train(report_to="tensorboard"), tmp_path / "three")
    assert os.environ[TENSORBOARD_FOLDER] == "mine"
