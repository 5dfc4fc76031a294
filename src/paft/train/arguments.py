"""Our settings in the Trainer's terms: its arguments, where its log goes too, the optimizers it knows."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paft.errors import ConfigError
from paft.schema import nearest
from paft.train.settings import Train

if TYPE_CHECKING:
    from transformers import TrainingArguments

LOG_EVERY = 5  # optimiser steps between two entries of the loss curve
TENSORBOARD_FOLDER = "TENSORBOARD_LOGGING_DIR"
_named: set[str] = set()  # folders for TensorBoard that this process named, one a training


def training_arguments(config: Train, seed: int, folder: Path, logs: Path | None = None) -> TrainingArguments:
    """Translate our settings to the trainer's.

    Args:
        config: Our settings.
        seed: Seed of order and adapter initialisation.
        folder: For what is written while training.
        logs: For the files of ``train.report_to``, those that take a folder.

    Raises:
        ConfigError: If ``batch_size`` is not micro-batch size x devices x a whole number, or the optimizer
            cannot be used.
    """
    from transformers import Trainer, TrainingArguments

    check_optimizer(config.optimizer)
    args = TrainingArguments(**argument_values(config, seed, folder, logs))
    try:
        Trainer.get_optimizer_cls_and_kwargs(args)
    except (ImportError, ValueError, AttributeError) as error:
        said = str(error).splitlines()[0]
        raise ConfigError(f"train.optimizer {config.optimizer!r} cannot be used here: {said}") from error
    # Only the trainer's own count of devices decides how many examples a step really takes.
    devices, rows = args.world_size * max(1, args.n_gpu), config.rows_per_step
    micro = config.micro_batch_size or max(1, rows // devices)
    if rows % (micro * devices):
        each = f" x {config.grpo.generations} generations" if config.algorithm == "grpo" else ""
        raise ConfigError(
            f"train.batch_size {config.batch_size}{each} is not a multiple of micro_batch_size {micro} x "
            f"{devices} devices: change one of them"
        )
    args.per_device_train_batch_size = micro
    args.gradient_accumulation_steps = rows // (micro * devices)
    return args


def argument_values(config: Train, seed: int, folder: Path, logs: Path | None = None) -> dict[str, Any]:
    """Return our settings as keywords of the trainer's arguments; see :func:`training_arguments`."""
    import torch
    from transformers.trainer_utils import SaveStrategy

    accelerated = torch.accelerator.is_available()
    return dict(
        output_dir=str(folder),
        num_train_epochs=config.epochs,
        learning_rate=config.learning_rate,
        optim=config.optimizer,
        lr_scheduler_type=config.lr_scheduler,
        max_grad_norm=config.max_grad_norm,
        warmup_steps=config.warmup,
        weight_decay=config.weight_decay,
        seed=seed,
        use_cpu=not accelerated,  # said aloud, or processes on CPUs would train apart from each other
        save_strategy=SaveStrategy.NO,
        logging_strategy="steps",
        logging_steps=LOG_EVERY,
        report_to=report_to(config, logs),
        disable_tqdm=True,
        remove_unused_columns=False,
        label_names=["labels"],
        ddp_find_unused_parameters=False,  # what is trained is used in every pass: no search for the rest
        logging_nan_inf_filter=False,  # a lost loss shows in the curve, and no step waits for a look
        dataloader_pin_memory=accelerated,
        dataloader_num_workers=config.workers,
        log_level="error",
        neftune_noise_alpha=config.neftune,
        **trainer_settings(config),
    )


def trainer_settings(config: Train) -> dict[str, Any]:
    """Return what the trainer has to know of precision and memory, as keywords of its arguments."""
    import torch

    capable = torch.cuda.is_available() and torch.cuda.is_bf16_supported()
    settings: dict[str, Any] = {
        "bf16": config.precision == "bfloat16" or (config.precision == "auto" and capable)
    }
    if config.gradient_checkpointing:
        # The other kind needs gradients at a layer's input, which frozen embeddings do not give.
        kind = {"use_reentrant": False}
        settings |= {"gradient_checkpointing": True, "gradient_checkpointing_kwargs": kind}
    return settings


def report_to(config: Train, logs: Path | None) -> list[str]:
    """Return the trainer's setting of where to report.

    Credentials come from the environment, as the services themselves read them.

    Args:
        config: Training settings.
        logs: Folder for TensorBoard's files, unless the environment names one.

    Raises:
        ConfigError: If a name is unknown or its package is not installed.
    """
    if not config.report_to:
        return ["none"]
    from transformers.integrations import integration_utils

    integrations: Any = integration_utils
    known = sorted(integrations.INTEGRATION_TO_CALLBACK)
    for name in config.report_to:
        if name not in known:
            raise ConfigError(
                f"train.report_to {name!r} is not known (known: {', '.join(known)}){nearest(name, known)}"
            )
        if name not in integrations.get_available_reporting_integrations():
            raise ConfigError(
                f"train.report_to {name!r} needs its package, which is not installed here: install it "
                "(tensorboard: `pip install tensorboard`), or leave the name out"
            )
    users = os.environ.get(TENSORBOARD_FOLDER) not in (None, *_named)
    if "tensorboard" in config.report_to and logs is not None and not users:
        os.environ[TENSORBOARD_FOLDER] = str(logs)
        _named.add(str(logs))
    return list(config.report_to)


def check_optimizer(name: str) -> None:
    """Refuse an optimizer that the Trainer does not know.

    Raises:
        ConfigError: Naming the nearest that it knows.
    """
    from transformers.training_args import OptimizerNames

    known = sorted(each.value for each in OptimizerNames)
    if name not in known:
        raise ConfigError(f"train.optimizer {name!r} is not known{nearest(name, known)}")
