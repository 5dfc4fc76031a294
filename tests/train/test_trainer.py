"""What training relies on in the Trainer, and the settings that it passes on to it."""

from __future__ import annotations

from pathlib import Path

import pytest
import tomllib
import torch
from safetensors.torch import load_file
from transformers import Trainer

from paft.config import Train
from paft.errors import ConfigError, PaftError
from paft.model.load import load_model
from paft.schema import parse
from paft.train.arguments import training_arguments
from paft.train.loop import fine_tune
from paft.train.trainer import HOOKS, SUPPORTED, check_hooks


def test_the_installed_trainer_has_all_methods_that_ours_overrides():
    check_hooks(Trainer, HOOKS, SUPPORTED)


@pytest.mark.parametrize("change", ["gone", "changed"])
def test_a_trainer_without_such_a_method_is_refused_with_its_version(monkeypatch, change):
    monkeypatch.setattr("transformers.__version__", "9.9.9")
    if change == "gone":
        monkeypatch.delattr(Trainer, "_save_checkpoint")
    else:
        monkeypatch.setattr(Trainer, "_save_checkpoint", lambda self, model: None)
    with pytest.raises(PaftError, match=r"transformers 9\.9\.9: .* _save_checkpoint\(model, trial\).*pip"):
        check_hooks(Trainer, HOOKS, SUPPORTED)


def test_the_version_that_errors_name_is_that_of_the_package():
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text("utf-8"))["project"]
    assert SUPPORTED in project["dependencies"]


@pytest.fixture
def trained(model_folder, train_examples, bank, tmp_path):
    def run(name, **settings):
        config = Train(epochs=1, batch_size=8, learning_rate=5e-3, adapt={"rank": 4}, **settings)
        output = tmp_path / name
        prompts = bank.prompts("train")
        fine_tune(load_model(str(model_folder)), train_examples, prompts, config, seed=1, output=output)
        return load_file(output / "adapter_model.safetensors")

    return run


def test_a_setting_of_the_optimizer_changes_what_is_learnt(trained):
    plain = trained("plain")
    for settings in {"lr_scheduler": "constant"}, {"max_grad_norm": 1e-3}, {"optimizer": "sgd"}:
        changed = trained(next(iter(settings)), **settings)
        assert any(not torch.equal(plain[name], changed[name]) for name in plain), settings


def test_defaults_are_the_trainers_but_for_the_cosine(tmp_path):
    args = training_arguments(Train(), 0, tmp_path)
    assert (args.optim, args.lr_scheduler_type, args.max_grad_norm) == ("adamw_torch_fused", "cosine", 1.0)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"lr_scheduler": "cosin"}, r"lr_scheduler: .*'cosine'.*got 'cosin'"),
        ({"max_grad_norm": -1}, "max_grad_norm: .*greater than or equal to 0"),
        ({"optimizer": ""}, "optimizer: "),
    ],
)
def test_values_that_make_no_sense_are_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        parse(Train, settings, "run.yaml")


def test_an_optimizer_that_is_not_known_or_not_installed_is_refused(tmp_path, monkeypatch):
    with pytest.raises(ConfigError, match=r"train\.optimizer 'adamw_torsh' is not known; did you mean"):
        training_arguments(Train(optimizer="adamw_torsh"), 0, tmp_path)

    def missing(args, model=None):
        raise ImportError("You need to install `lomo_optim`")

    monkeypatch.setattr(Trainer, "get_optimizer_cls_and_kwargs", missing)
    with pytest.raises(ConfigError, match=r"train\.optimizer 'lomo' cannot be used here: .*lomo_optim"):
        training_arguments(Train(optimizer="lomo"), 0, tmp_path)
