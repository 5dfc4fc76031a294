"""The base of everything a user writes in YAML or Python, and the errors for what does not fit.

Models are frozen and refuse unknown keys. A pydantic error becomes one :class:`ConfigError` that
names the file (or the class), the key path, the value and, for a misspelt key, the nearest known one.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from datetime import date
from pathlib import PurePath
from typing import Any, TypeVar, get_args

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError, field_validator

from paft.errors import ConfigError, share_hint, shown


class Schema(BaseModel):
    """A frozen model that refuses unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, allow_inf_nan=False)

    def __init__(self, *given: Any, **data: Any) -> None:
        name = type(self).__name__
        if given:
            raise ConfigError(
                f"{name} takes its keys by name, as in {name}(key=value) or {name}(**MAPPING), not "
                f"{shown(given[0])}"
            )
        try:
            super().__init__(**data)
        except ValidationError as error:
            raise _config_error(type(self), error, name) from None

    # By this mark of its own __init__ pydantic builds inner models without a call, so that their errors
    # are gathered with their place and only the outermost model raises.
    __init__.__pydantic_base_init__ = True  # type: ignore[attr-defined]

    @field_validator("*", mode="before")
    @classmethod
    def _write_paths(cls, value: Any) -> Any:
        """Take a path of Python as the text that a file would have."""
        if isinstance(value, dict):
            return {key: cls._write_paths(each) for key, each in value.items()}
        return str(value) if isinstance(value, PurePath) else value

    def __setattr__(self, name: str, value: Any) -> None:
        if not name.startswith("_"):
            raise ConfigError(
                f"a {type(self).__name__} cannot be changed: make another one with {name}={shown(value)}"
            )
        super().__setattr__(name, value)

    def to_yaml(self) -> str:
        """The values as YAML, defaults written out."""
        return yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False, allow_unicode=True)


_TOLD = 6  # errors told at once
S = TypeVar("S", bound=Schema)
NAME = r"^[A-Za-z0-9][A-Za-z0-9_.-]*$"  # what may be part of a file's name
# What TRL, Transformers, axolotl and lm-evaluation-harness call our settings, for messages that help. They
# are not taken in place of ours: files with two names for one thing would be hard to compare.
_NAMES_ELSEWHERE = {
    # Length, batches and rate
    "train.epochs": "num_train_epochs num_epochs n_epochs t",
    "train.max_steps": "max_train_steps num_steps total_steps",
    "train.batch_size": "train_batch_size global_batch_size effective_batch_size bs",
    "train.micro_batch_size": "per_device_train_batch_size gradient_accumulation_steps",
    "train.learning_rate": "lr peak_lr",
    "train.lr_scheduler": "lr_scheduler_type scheduler",
    "train.warmup": "warmup_ratio warmup_steps",
    "train.optimizer": "optim",
    "train.max_grad_norm": "gradient_clipping grad_clip max_norm",
    "train.neftune": "neftune_noise_alpha",
    "train.max_length": "max_seq_length max_seq_len sequence_len model_max_length cutoff_len block_size",
    # Prompts
    "train.resample_every": "k resample_interval",
    # What is trained, and how
    "train.adapt": "lora peft peft_config lora_config",
    "train.adapt.method": "use_peft use_lora use_qlora load_in_4bit finetuning_type",
    "train.adapt.rank": "r lora_r lora_rank",
    "train.adapt.alpha": "lora_alpha",
    "train.adapt.dropout": "lora_dropout",
    "train.adapt.targets": "target_modules lora_target_modules lora_target lora_target_linear",
    "train.adapt.rslora": "use_rslora peft_use_rslora",
    "train.adapt.dora": "use_dora peft_use_dora",
    "train.adapt.modules_to_save": "lora_modules_to_save",
    "train.precision": "bf16 fp16 tf32 torch_dtype dtype",
    "train.compile": "torch_compile",
    "train.attention": "attn_implementation flash_attention",
    "train.padding_free": "packing sample_packing",
    "train.workers": "dataloader_num_workers num_workers",
    # Checkpoints and validation
    "train.save_every": "save_steps",
    "train.validate_every": "eval_steps evals_per_epoch",
    "train.validate_examples": "val_set_size",
    "train.keep": "load_best_model_at_end",
    "train.validate_by": "metric_for_best_model",
    "train.patience": "early_stopping_patience",
    # Model, data and evaluation
    "model": "model_name_or_path model_name base_model model_path model_id pretrained",
    "revision": "model_revision",
    "task": "tasks dataset dataset_name datasets",
    "output": "output_dir output_path",
    "seeds": "seed data_seed",
    "methods": "method",
    "train.examples": "max_train_samples train_samples",
    "evaluate.examples": "limit max_eval_samples test_examples",
    "evaluate.batch_tokens": "per_device_eval_batch_size eval_batch_size",
    "evaluate.allow_code": "confirm_run_unsafe_code",
    "chat.enabled": "apply_chat_template chat_template",
    "chat.system": "system_instruction system_prompt default_system_message system_message",
}
OURS = {other: key for key, others in _NAMES_ELSEWHERE.items() for other in others.split()}
# Where not the name alone is another.
_NOTES = {
    "gradient_accumulation_steps": "batch_size stays what a step takes",
    "per_device_train_batch_size": "train.batch_size counts all devices",
    "warmup_steps": "a share of all steps",
    "load_in_4bit": "qlora",
    "use_qlora": "qlora",
    "load_best_model_at_end": "best",
    "packing": "the examples of a batch in one row",
    "sample_packing": "the examples of a batch in one row",
}


def parse(model: type[S], data: Mapping[str, Any], where: str) -> S:
    """Validate what the user wrote in a file (or on the ``"command line"``), which ``where`` names in errors.

    Raises:
        ConfigError: On what does not fit, with key path, value and a suggestion.
    """
    try:
        return model.model_validate(dict(data))
    except ValidationError as error:
        raise _config_error(model, error, where) from None


def nearest(word: str, known: list[str]) -> str:
    """Return ``"; did you mean 'x'?"`` for the closest known word, else the list of all."""
    return _near(word, known) or f" (known: {', '.join(known)})"


def _near(word: str, known: list[str]) -> str:
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    return f"; did you mean {close[0]!r}?" if close else ""


def _config_error(model: type[BaseModel], error: ValidationError, where: str) -> ConfigError:
    found: list[dict[str, Any]] = [dict(item) for item in error.errors(include_url=False)]
    deeper = {item["loc"][:-1] for item in found}
    # Of a list whose entries do not fit pydantic says too that it is short of entries.
    found = [item for item in found if not (item["type"] == "too_short" and item["loc"] in deeper)]
    lines = dict.fromkeys(_explain(model, item) for item in found[:_TOLD])
    more = f"; and {len(found) - _TOLD} more" if len(found) > _TOLD else ""
    return ConfigError(f"{where}: " + "; ".join(lines) + more)


def _explain(model: type[BaseModel], item: dict[str, Any]) -> str:
    location = [str(part) for part in item["loc"]]
    path = ".".join(location)
    if item["type"] == "extra_forbidden":
        known = _known_keys(model, location[:-1])
        ours = find_setting(model, location[-1])
        # A misspelt key of this section comes before a key elsewhere that is called so.
        if ours is not None and (_our_key(location[-1]) is not None or not _near(location[-1], known)):
            return f"unknown key {path!r}: {path} is {ours}"
        return f"unknown key {path!r}{nearest(location[-1], known)}"
    if item["type"] == "missing":
        return f"key {path!r} is missing"
    value = item.get("input")
    message = item["msg"].removeprefix("Value error, ")
    if item["type"] == "string_type":
        return f"{path}: {unquoted(value)}"
    if item["type"] in ("model_type", "dict_type"):
        keys = _known_keys(model, location)
        message = "give a mapping" + f" with some of the keys {', '.join(keys)}" * (0 < len(keys) <= 10)
    if item["type"] == "string_pattern_mismatch" and item["ctx"]["pattern"] == NAME:
        message = "use letters, digits, _ . and -, a letter or digit first"
    if item["type"] == "tuple_type":
        message = "Input should be a list"
        message += f", as in [{shown(value)}]" if isinstance(value, (str, int, float)) else ""
    if item["type"] == "too_short":
        message = message.replace("Tuple", "List")
    if item["type"] in ("less_than", "less_than_equal") and 1 in item["ctx"].values():
        message += share_hint(value)
    got = "" if isinstance(value, dict) else f" (got {shown(value)})"
    if item["type"] == "literal_error":
        known = re.findall(r"'([^']*)'", item["ctx"]["expected"])
        got += _near(str(value), known)
    return f"{path}: {message}{got}" if path else f"{message}{got}"


def unquoted(value: Any) -> str:
    """Say what to do about a value that YAML took for something else than the text it is to be.

    >>> unquoted(True)
    "Input should be a valid string (got True): quote 'yes', 'on' or 'true'"
    """
    told = f"Input should be a valid string (got {shown(value)})"
    words = {True: "'yes', 'on' or 'true'", False: "'no', 'off' or 'false'", None: "'null' or '~'"}
    if value is None or isinstance(value, bool):  # 1 is not True here
        return f"{told}: quote {words[value]}"
    return f"{told}: quote '{value}'" if isinstance(value, (int, float, date)) else told


def find_setting(model: type[BaseModel], name: str) -> str | None:
    """Return the keys of settings with this name, ours or that of another tool; None where there are none."""
    found, other = _keys_named(model, name), _our_key(name)
    if other is not None:
        parts = other[0].split(".")
        # A schema may be a section of the whole, or have no such section around the setting.
        ends = (".".join(parts[first:]) for first in range(len(parts)))
        found += [end + other[1] for end in ends if _has_key(model, end)][:1]
    return " or ".join(found) or None


def _keys_named(model: type[BaseModel], name: str, prefix: str = "") -> list[str]:
    found = [prefix + name] if name in model.model_fields else []
    for key, field in model.model_fields.items():
        section = section_of(field.annotation)
        found += [] if section is None else _keys_named(section, name, f"{prefix}{key}.")
    return found


def _has_key(model: type[BaseModel], key: str) -> bool:
    head, _, rest = key.rpartition(".")
    return rest in _known_keys(model, head.split(".") if head else [])


def _known_keys(model: type[BaseModel], path: list[str]) -> list[str]:
    for part in path:
        if part.isdigit():  # a place in a list, whose model was entered by the list's name
            continue
        section = section_of(model.model_fields[part].annotation) if part in model.model_fields else None
        if section is None:
            return []
        model = section
    return sorted(model.model_fields)


def section_of(annotation: Any) -> type[BaseModel] | None:
    """Return the schema of a section that a field holds; None where it holds something else."""
    for each in (annotation, *get_args(annotation)):
        if isinstance(each, type) and issubclass(each, BaseModel):
            return each
    return None


def _our_key(name: str) -> tuple[str, str] | None:
    """Return what we call a setting of other tools, and a note on it in brackets or nothing.

    >>> _our_key("lora_r"), _our_key("load-in-4bit"), _our_key("epochs")
    (('train.adapt.rank', ''), ('train.adapt.method', ' (qlora)'), None)
    """
    name = name.lower().replace("-", "_")
    if name not in OURS:
        return None
    return OURS[name], f" ({_NOTES[name]})" if name in _NOTES else ""
