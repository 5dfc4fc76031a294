"""What is trained: a LoRA adapter beside frozen weights, or all weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from paft.config import Adapt
from paft.errors import ConfigError

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def adapted(model: PreTrainedModel, adapt: Adapt) -> PreTrainedModel:
    """Return the model ready to train.

    Args:
        model: Freshly loaded weights; LoRA layers are put into it.
        adapt: What to train.

    Raises:
        ConfigError: If ``adapt.targets`` names no module of the model.
    """
    if adapt.method == "full":
        return model
    from peft import LoraConfig, TaskType, get_peft_model

    targets = adapt.targets if isinstance(adapt.targets, str) else list(adapt.targets)
    config = LoraConfig(
        task_type=TaskType.CAUSAL_LM,
        r=adapt.rank,
        lora_alpha=adapt.alpha,
        lora_dropout=adapt.dropout,
        target_modules=targets,
        modules_to_save=list(adapt.modules_to_save or ()) or None,
        # A tied output projection must follow its trained embedding.
        ensure_weight_tying=bool(adapt.modules_to_save),
    )
    try:
        return cast("PreTrainedModel", get_peft_model(model, config))
    except ValueError as error:
        raise ConfigError(f"train.adapt.targets: {str(error).splitlines()[0]} (got {targets!r})") from error
