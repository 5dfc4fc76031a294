"""TRL's trainer in one call: the weights of the long way to the bit, and errors in our own words."""

import builtins

import pytest
import torch

from paft import load_model, make_sft_trainer
from paft.errors import ConfigError
from paft.train.dataset import prompt_dataset
from paft.train.settings import Adapt, Train

CONFIG = Train(
    batch_size=8,
    micro_batch_size=4,
    epochs=2,
    learning_rate=1e-2,
    resample_every=2,
    adapt=Adapt(method="full"),
)


@pytest.fixture
def make(fresh_model, task, bank, tmp_path):
    """Make a trainer of a newly loaded model."""

    def make(config=CONFIG, model=fresh_model.model, **arguments):
        return make_sft_trainer(
            model, fresh_model.tokenizer, task, bank, config, output=tmp_path / "short", seed=3, **arguments
        )

    return make


def long_way(loaded, task, bank, output):
    """The same training with nothing of the helper; see what TRL refuses in its module."""
    from datasets import Dataset
    from transformers import TrainerCallback
    from trl import SFTConfig, SFTTrainer

    rows = prompt_dataset(task, bank, loaded.tokenizer, CONFIG, seed=3)

    class Epochs(TrainerCallback):
        def on_epoch_begin(self, args, state, control, **kwargs):
            rows.set_epoch(int(state.epoch or 0))

    def fetch(batch):
        found = [rows[at] for at in batch["position"]]
        return {name: [row[name] for row in found] for name in ("input_ids", "labels")}

    arguments = SFTConfig(
        output_dir=str(output), num_train_epochs=2, per_device_train_batch_size=4,
        gradient_accumulation_steps=2, learning_rate=1e-2, lr_scheduler_type="cosine", warmup_steps=0.1,
        train_sampling_strategy="sequential", remove_unused_columns=False, bf16=False,
        dataset_kwargs={"skip_prepare_dataset": True}, gradient_checkpointing=False, save_strategy="no",
        report_to="none", seed=3, use_cpu=not torch.accelerator.is_available(),
    )  # fmt: skip
    return SFTTrainer(
        model=loaded.model,
        args=arguments,
        train_dataset=Dataset.from_dict({"position": list(range(len(rows)))}).with_transform(fetch),
        processing_class=loaded.tokenizer,
        callbacks=[Epochs()],
    )


def test_one_call_trains_what_the_long_way_trains(make, model_folder, task, bank, tmp_path):
    pytest.importorskip("trl")
    short = make(logging_steps=1)
    short.train()
    long = long_way(load_model(str(model_folder)), task, bank, tmp_path / "long")
    long.train()
    expected = long.model.state_dict()
    start = load_model(str(model_folder)).model.state_dict()
    assert short.args.logging_steps == 1 and short.state.global_step == long.state.global_step == 6
    assert any(not torch.equal(start[name], expected[name]) for name in expected)
    for name, weight in short.model.state_dict().items():
        assert torch.equal(weight, expected[name]), name


def test_the_length_in_steps_counts(make):
    pytest.importorskip("trl")
    trainer = make(CONFIG.model_copy(update={"max_steps": 4}))
    trainer.train()
    assert trainer.state.global_step == 4 and trainer.state.epoch > 1


def test_the_adapter_of_the_settings_is_put_on_and_one_that_is_there_is_kept(make):
    pytest.importorskip("trl")
    config = CONFIG.model_copy(update={"adapt": Adapt(rank=3)})
    model = make(config).model
    assert model.peft_config["default"].r == 3
    kept = make(CONFIG.model_copy(update={"adapt": Adapt(rank=5)}), model=model)
    assert kept.model.peft_config["default"].r == 3


def test_reporting_nowhere_may_be_said_twice(make):
    pytest.importorskip("trl")
    assert make(CONFIG, report_to="none").args.report_to == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"report_to": "tensorboard"}, "SFTConfig's report_to follows from Train.report_to"),
        ({"loging_steps": 2}, "SFTConfig has no argument 'loging_steps'; did you mean 'logging_steps'"),
        ({"num_train_epochs": 2}, "SFTConfig's num_train_epochs follows from Train.epochs"),
        ({"packing": True}, "SFTConfig's packing is False, as PAFT's rows need it"),
        ({"config": Train(keep="best", validate_every=0.5)}, "train.validate_every is a setting of PAFT's"),
        ({"max_steps": 2}, "SFTConfig's max_steps follows from Train.max_steps"),
        ({"config": Train(start_from="a")}, "train.start_from is a setting of PAFT's"),
        ({"config": Train(algorithm="grpo")}, "train.algorithm is a setting of PAFT's"),
        ({"config": {"epochs": 1}}, "the training settings must be of type Train, not dict"),
        ({"model": "tiny"}, "the model .* must be of type PreTrainedModel or PeftModel, not str"),
    ],
)  # fmt: skip
def test_arguments_that_do_not_fit_are_refused_before_anything_is_loaded(make, arguments, said):
    pytest.importorskip("trl")
    with pytest.raises(ConfigError, match=said):
        make(**arguments)


def test_without_trl_the_error_names_the_extra(make, monkeypatch):
    load = builtins.__import__

    def without(name, *args, **kwargs):
        if name == "trl":
            raise ImportError(name)
        return load(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ConfigError, match=r"pip install 'paft\[rl\]'"):
        make()
