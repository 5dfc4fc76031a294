"""Names that the Trainer knows: where its log goes besides our own record, and its optimizers."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from paft.errors import ConfigError
from paft.schema import nearest
from paft.train.settings import Train

TENSORBOARD_FOLDER = "TENSORBOARD_LOGGING_DIR"


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
    if "tensorboard" in config.report_to and logs is not None:
        os.environ.setdefault(TENSORBOARD_FOLDER, str(logs))
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
