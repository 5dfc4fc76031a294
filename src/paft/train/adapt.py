"""What is trained: an adapter beside frozen weights (LoRA, rsLoRA, DoRA, QLoRA), or all weights."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from paft.errors import ConfigError, ModelError
from paft.model.adapter import check_before_loading, put_adapter
from paft.model.quantised import is_quantised
from paft.model.weights import empty_model
from paft.schema import nearest
from paft.train.settings import Adapt

if TYPE_CHECKING:
    from peft import LoraConfig
    from transformers import PreTrainedModel


# Settings of an adapter as peft names them, with ours.
_SAME = {"r": "rank", "lora_alpha": "alpha", "use_rslora": "rslora", "use_dora": "dora"}


def adapted(model: PreTrainedModel, adapt: Adapt, start_from: str | None = None) -> PreTrainedModel:
    """Return the model ready to train.

    Args:
        model: Freshly loaded weights; LoRA layers are put into it.
        adapt: What to train.
        start_from: Folder of an adapter that is trained on (:func:`check_start`); a new one by default.

    Raises:
        ConfigError: If ``adapt.targets`` or ``adapt.modules_to_save`` names no module of the model,
            or the weights are in 4 bit although the method is not ``qlora``, or the reverse.
    """
    if is_quantised(model) != adapt.quantised:
        held = "in 4 bit" if is_quantised(model) else "not in 4 bit"
        raise ConfigError(
            f"train.adapt.method {adapt.method!r} got weights that are {held}: load them with "
            f"load_model(..., quantised={adapt.quantised})"
        )
    if adapt.method == "full":
        return model
    from peft import get_peft_model, prepare_model_for_kbit_training

    check_names(model, adapt)
    if adapt.quantised:
        # Layers that stay whole, such as norms, get float32; checkpointing is the trainer's matter.
        model = prepare_model_for_kbit_training(model, use_gradient_checkpointing=False)
    if start_from is not None:
        return cast("PreTrainedModel", put_adapter(model, Path(start_from), dropout=adapt.dropout))
    config = lora_config(adapt)
    try:
        return cast("PreTrainedModel", get_peft_model(model, config))
    except ValueError as error:
        raise ConfigError(
            f"train.adapt.targets: {str(error).splitlines()[0]} (got {config.target_modules!r})"
        ) from error


def check_names(model: PreTrainedModel, adapt: Adapt) -> None:
    """Refuse names of modules that the model does not have: peft is content with one that it has.

    Raises:
        ConfigError: Naming the key, the name and one that is near.
    """
    modules = [name for name, _ in model.named_modules() if name]
    named = {"targets": adapt.targets, "modules_to_save": adapt.modules_to_save or ()}
    for key, names in named.items():
        for name in () if isinstance(names, str) else names:  # text is all-linear or a regular expression
            if any(f".{module}".endswith(f".{name}") for module in modules):
                continue
            last = sorted({module.rpartition(".")[2] for module in modules})
            known = [module for module in last if not module.isdigit()]
            raise ConfigError(
                f"train.adapt.{key}: the model has no module named {name!r}{nearest(name, known)}"
            )


def check_start(name: str, start_from: str, adapt: Adapt, *, trust_remote_code: bool = False) -> None:
    """Refuse to go on from an adapter that does not fit, before any weights are loaded.

    Args:
        name: Folder, Hub id or built-in name of the model.
        start_from: Folder of the adapter.
        adapt: What is to be trained; it must say what the adapter has.
        trust_remote_code: Whether code in the model's folder may be run.

    Raises:
        ModelError: If it is no LoRA adapter or not one of this model.
        ConfigError: If ``adapt`` says something else.
    """
    from peft import PeftConfig

    folder = Path(start_from)
    check_before_loading(folder, name, trust_remote_code=trust_remote_code)
    found: Any = PeftConfig.from_pretrained(start_from)
    if str(found.peft_type.value) != "LORA":
        raise ModelError(
            f"train.start_from {start_from} is an adapter of the kind {found.peft_type.value}, not LoRA"
        )
    model: Any = adapted(empty_model(name, trust_remote_code=trust_remote_code), unquantised(adapt))
    wanted = model.peft_config["default"]
    for theirs, ours in _SAME.items():
        there, here = getattr(found, theirs), getattr(wanted, theirs)
        if there != here:
            raise ConfigError(
                f"train.adapt.{ours} is {here!r}, but the adapter {start_from} has {there!r}: set it to that"
            )
    for theirs, ours in {"target_modules": "targets", "modules_to_save": "modules_to_save"}.items():
        there, here = (_names(getattr(each, theirs)) for each in (found, wanted))
        if there != here:
            raise ConfigError(
                f"train.adapt.{ours} gives {here!r}, but the adapter {start_from} has {there!r}: set it "
                "to that"
            )


def _names(modules: str | Iterable[str] | None) -> str | list[str]:
    """Return modules of an adapter to compare: their names in order, or the expression that finds them."""
    return modules if isinstance(modules, str) else sorted(modules or ())


def unquantised(adapt: Adapt) -> Adapt:
    """Return LoRA in the place of QLoRA, for models without weights."""
    return adapt.model_copy(update={"method": "lora"}) if adapt.quantised else adapt


def check_adapt(name: str, adapt: Adapt, *, trust_remote_code: bool = False) -> None:
    """Refuse names of modules that a model does not have, before its weights are loaded.

    Args:
        name: Folder, Hub id or built-in name of the model.
        adapt: What is to be trained.
        trust_remote_code: Whether code in the model's folder may be run.

    Raises:
        ConfigError: As :func:`check_names`.
    """
    if adapt.method == "full" or (isinstance(adapt.targets, str) and not adapt.modules_to_save):
        return
    check_names(empty_model(name, trust_remote_code=trust_remote_code), adapt)


def lora_config(adapt: Adapt) -> LoraConfig:
    """Return the settings of the adapter in peft's terms."""
    from peft import LoraConfig, TaskType

    return LoraConfig(
        task_type=TaskType.CAUSAL_LM,
        r=adapt.rank,
        lora_alpha=adapt.alpha,
        lora_dropout=adapt.dropout,
        target_modules=adapt.targets if isinstance(adapt.targets, str) else list(adapt.targets),
        use_rslora=adapt.rslora,
        use_dora=adapt.dora,
        modules_to_save=list(adapt.modules_to_save or ()) or None,
        # A tied output projection must follow its trained embedding.
        ensure_weight_tying=bool(adapt.modules_to_save),
    )
