"""Configuration of a run: frozen models, YAML files, dotted overrides.

``paft run`` without a file and without a task uses the built-in task's own file
(``builtin/routing/run.yaml``). Every run saves its resolved configuration.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import Field, field_validator, model_validator

from paft.errors import ConfigError
from paft.files import read_yaml
from paft.schema import Schema, nearest, parse
from paft.train.schedule import Draws, Mode

BUILTIN_TASK = "routing"
BUILTIN_MODEL = "tiny"
# What the built-in model needs where nothing is given: it has six million parameters and has read
# little, so an adapter on frozen weights learns a task slowly and all weights cost no more.
BUILTIN_TRAIN: dict[str, Any] = {"learning_rate": 1e-3, "batch_size": 8, "adapt": {"method": "full"}}

Weight = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Adapt(Schema):
    """What is trained.

    Attributes:
        method: ``lora`` (an adapter beside frozen weights), ``qlora`` (the same beside weights held
            in 4 bit) or ``full`` (all weights).
        rank: Rank r of LoRA. PAPER: 8.
        alpha: LoRA's scale is alpha / rank. PAPER: 16.
        dropout: Dropout before the adapter.
        targets: Names of modules that get an adapter, or ``all-linear``. PAPER: q_proj, v_proj.
        rslora: Scale by alpha / sqrt(rank) instead, which keeps high ranks learning.
        dora: Learn length and direction of each weight apart (DoRA); slower, for low ranks.
        modules_to_save: Names of modules trained whole and stored in the adapter; none by default.
    """

    method: Literal["lora", "qlora", "full"] = "lora"
    rank: int = Field(default=16, ge=1)
    alpha: float = Field(default=32, gt=0)
    dropout: float = Field(default=0.0, ge=0, lt=1)
    targets: str | tuple[str, ...] = "all-linear"
    rslora: bool = False
    dora: bool = False
    modules_to_save: tuple[str, ...] | None = None

    @model_validator(mode="after")
    def _check_variants(self) -> Adapt:
        on = [name for name in ("rslora", "dora", "modules_to_save") if getattr(self, name)]
        if self.method == "full" and on:
            raise ValueError(f"{on[0]} needs an adapter: set method to lora or qlora, or leave it out")
        return self

    @property
    def quantised(self) -> bool:
        """Whether the frozen weights are held in 4 bit."""
        return self.method == "qlora"


class Train(Schema):
    """Stage 2.

    Attributes:
        schedule: When the prompt changes; methods set it.
        resample_every: K, optimiser steps that share one prompt (schedule ``block``).
        draws: ``replacement`` (PAPER), or ``cycle``: every prompt comes once before one comes again.
        weights: How often a prompt is drawn, by its id, relative to those not named, which have 1.
        canonical_ratio: Share of steps (of examples in schedules by example) that train on the
            user's own prompt, which is then drawn at no other.
        epochs: T, passes over the training examples.
        batch_size: Examples per optimiser step over all devices.
        micro_batch_size: Examples per device and forward pass; all of them by default.
        learning_rate: Peak rate of AdamW. PAPER: 1e-4.
        warmup: Share of steps over which the rate rises.
        weight_decay: AdamW's weight decay.
        max_length: Tokens of prompt and answer together at most.
        examples: Training examples used at most (a fixed random sample); all by default.
        workers: Processes beside each training process that render and tokenise; none by default.
        save_every: Optimiser steps between checkpoints; 0 for none; by default a tenth of the run,
            at least 50 steps.
        loss: What a step averages over: answer tokens or examples; see :mod:`paft.train.loss`.
        group_by_length: Batches of similar length, for less padding. Off is PAPER.
        padding_free: No padding at all: the examples of a batch share one row.
        precision: ``auto``, ``float32`` or ``bfloat16``; see :mod:`paft.train.numerics`.
        gradient_checkpointing: Compute layers again in the backward pass: less memory, more time.
        compile: Compile the layers (torch.compile); costs minutes at the start, so for long runs.
        attention: The library's name of an implementation (``sdpa``, ``flash_attention_2``); the
            model's own choice by default.
        validate_every: Optimiser steps between validations on the bank's validation prompts, or a
            share of all steps below 1; none by default. See :mod:`paft.train.validation`.
        validate_examples: Validation examples at most: of the task's validation data, else held out
            from the training examples (then at most a tenth of them).
        validate_by: What a better model is better in: ``mean`` or ``min`` (worst) accuracy over the
            validation prompts.
        keep: Weights that stay: those of the ``best`` validation or the ``last``.
        patience: Validations in a row without a better one after which training stops.
        report_to: Where the log goes too, as the Trainer names it: ``tensorboard``, ``wandb`` ...
        adapt: What is trained.
    """

    schedule: Mode = "block"
    resample_every: int = Field(default=4, ge=1)
    draws: Draws = "replacement"
    weights: dict[str, Weight] | None = Field(default=None, min_length=1)
    canonical_ratio: float = Field(default=0.0, ge=0, le=1)
    epochs: int = Field(default=3, ge=1)
    batch_size: int = Field(default=16, ge=1)
    micro_batch_size: int | None = Field(default=None, ge=1)
    learning_rate: float = Field(default=2e-4, gt=0)
    warmup: float = Field(default=0.1, ge=0, lt=1)
    weight_decay: float = Field(default=0.0, ge=0)
    max_length: int = Field(default=1024, ge=8)
    examples: int | None = Field(default=None, ge=1)
    workers: int = Field(default=0, ge=0)
    save_every: int | None = Field(default=None, ge=0)
    loss: Literal["token", "example"] = "token"
    group_by_length: bool = False
    padding_free: bool = False
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    gradient_checkpointing: bool = False
    compile: bool = False
    attention: str | None = Field(default=None, min_length=1)
    validate_every: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    validate_examples: int = Field(default=200, ge=1)
    validate_by: Literal["mean", "min"] = "mean"
    keep: Literal["best", "last"] = "last"
    patience: int | None = Field(default=None, ge=1)
    report_to: tuple[str, ...] = ()
    adapt: Adapt = Adapt()

    @field_validator("weights", mode="before")
    @classmethod
    def _check_ids(cls, weights: Any) -> Any:
        if isinstance(weights, dict):
            for name in weights:
                if not isinstance(name, str):  # an id of digits alone is a number to YAML
                    raise ValueError(f"the prompt id {name!r} was read as a number: put it in quotes")
        return weights

    @model_validator(mode="after")
    def _check_attention(self) -> Train:
        if self.precision == "float32" and (self.attention or "").startswith("flash"):
            raise ValueError(f"attention {self.attention!r} cannot compute in float32: set precision to auto")
        return self

    @field_validator("report_to", mode="before")
    @classmethod
    def _check_report_to(cls, names: Any) -> Any:
        names = [names] if isinstance(names, str) else names
        return [] if names == ["none"] else names

    @model_validator(mode="after")
    def _check_validation(self) -> Train:
        every = self.validate_every
        if every is not None and every >= 1 and every % 1:
            raise ValueError(f"validate_every {every}: give whole steps, or a share of all steps below 1")
        if every is None and (self.keep == "best" or self.patience is not None):
            raise ValueError("keep 'best' and patience need validations: set validate_every, say to 0.1")
        return self

    @model_validator(mode="after")
    def _check_draws(self) -> Train:
        if self.weights is not None and self.draws == "cycle":
            raise ValueError("weights do not go with draws 'cycle': there every prompt comes equally often")
        return self


class Chat(Schema):
    """Whether prompts go to the model as turns of its own chat template; see :mod:`paft.chat`.

    Attributes:
        enabled: A rendered prompt is the user's turn, its answer the assistant's; else plain text.
        system: Text of a system turn before the user's; what the template does without by default.
    """

    enabled: bool = False
    system: str | None = None

    @model_validator(mode="after")
    def _check_system(self) -> Chat:
        if self.system is not None and not self.enabled:
            raise ValueError("a system turn needs chat: switch it on (--chat) or leave the system text out")
        if self.system is not None and not self.system.strip():
            raise ValueError("the system text is empty: leave it out")
        return self

    def identity(self) -> dict[str, Any] | None:
        """What a result depends on; None where chat is off."""
        return self.model_dump(mode="json") if self.enabled else None


class Evaluate(Schema):
    """Stage 3.

    Attributes:
        examples: Test examples used at most (a fixed random sample); all by default.
        choose: The option with the largest log-probability (``sum``) or the largest one per token
            (``mean``) is the prediction.
        batch_tokens: Tokens per forward pass at most; lower it when memory runs out.
    """

    examples: int | None = Field(default=None, ge=1)
    choose: Literal["sum", "mean"] = "sum"
    batch_tokens: int = Field(default=4096, ge=1)


class RunConfig(Schema):
    """Everything ``paft run`` needs.

    Attributes:
        task: A task file or a built-in name.
        data: Folder of the task's data files; the task file's own by default.
        bank: A bank file; by default the built-in task's bank.
        model: A folder, a Hub id or ``tiny``.
        methods: What is compared; see :mod:`paft.grid.methods`.
        seeds: Training seeds; every method but ``base`` runs once for each.
        output: Folder for everything the run makes; ``runs/<task>`` by default.
        chat: Whether prompts are put as turns of the model's chat template.
        train: Settings of stage 2. For the built-in model, ``BUILTIN_TRAIN`` stands in for what is
            not given.
        evaluate: Settings of stage 3.
    """

    task: str = BUILTIN_TASK
    data: str | None = None
    bank: str | None = None
    model: str = BUILTIN_MODEL
    methods: tuple[str, ...] = Field(default=("base", "single", "paft"), min_length=1)
    seeds: tuple[int, ...] = Field(default=(0,), min_length=1)
    output: str
    chat: Chat = Chat()
    train: Train = Train()
    evaluate: Evaluate = Evaluate()

    @model_validator(mode="before")
    @classmethod
    def _fill_in(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        data = {"output": f"runs/{Path(str(data.get('task', BUILTIN_TASK))).stem}", **data}
        train = data.get("train", {})
        given = train.model_dump(exclude_unset=True) if isinstance(train, Train) else train
        if data.get("model", BUILTIN_MODEL) == BUILTIN_MODEL and isinstance(given, dict):
            adapt = given.get("adapt", {})
            merged = {**BUILTIN_TRAIN, **given}
            if isinstance(adapt, dict):
                merged["adapt"] = {**BUILTIN_TRAIN["adapt"], **adapt}
            data["train"] = merged
        return data

    @field_validator("methods")
    @classmethod
    def _check_methods(cls, methods: tuple[str, ...]) -> tuple[str, ...]:
        from paft.grid.methods import METHODS

        for name in methods:
            if name not in METHODS:
                raise ValueError(f"unknown method {name!r}{nearest(name, list(METHODS))}")
        return _distinct(methods)

    @field_validator("seeds")
    @classmethod
    def _check_seeds(cls, seeds: tuple[int, ...]) -> tuple[int, ...]:
        if any(seed < 0 for seed in seeds):
            raise ValueError("seeds are whole numbers from 0")
        return _distinct(seeds)


def load_config(path: str | Path | None, overrides: Mapping[str, Any] | None = None) -> RunConfig:
    """Read a configuration.

    Args:
        path: YAML file; None for the built-in task's file or, when the overrides name a task, for
            nothing but defaults. Paths in it are relative to the working directory.
        overrides: Values by dotted key (``{"train.epochs": 2}``); they win over the file.

    Raises:
        ConfigError: If the file is malformed, a key is unknown or a value does not fit.
        DataError: If the file cannot be read.
    """
    from paft.builtin import RUNS

    if path is None and "task" not in (overrides or {}):
        path = RUNS[BUILTIN_TASK]
    data = read_yaml(Path(path), "configuration") if path is not None else {}
    return parse(RunConfig, nested(data, overrides or {}), str(path) if path is not None else "configuration")


def nested(data: dict[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """Put values by dotted key (``{"train.epochs": 2}``) into nested ``data`` and return it.

    Raises:
        ConfigError: If a key goes through something that is not a section.
    """
    for key, value in values.items():
        _set(data, key, value)
    return data


def parse_overrides(items: Sequence[str]) -> dict[str, Any]:
    """Turn ``["train.epochs=2", ...]`` into a mapping; values are read as YAML.

    Raises:
        ConfigError: If an item is not ``key=value``.
    """
    found = {}
    for item in items:
        key, equals, value = item.partition("=")
        if not equals or not key:
            raise ConfigError(f"--set {item!r}: write key=value, for instance train.epochs=2")
        try:
            # YAML 1.1 reads 2e-3 as text; numbers in exponent form are common for learning rates.
            found[key] = _number(value) if _number(value) is not None else yaml.safe_load(value)
        except yaml.YAMLError:
            raise ConfigError(f"--set {item!r}: the value is not valid YAML") from None
    return found


def _number(text: str) -> float | None:
    if "e" not in text.lower():
        return None
    try:
        return float(text)
    except ValueError:
        return None


def _set(data: dict[str, Any], key: str, value: Any) -> None:
    *parents, last = key.split(".")
    for parent in parents:
        inner = data.setdefault(parent, {})
        if not isinstance(inner, dict):
            raise ConfigError(f"key {key!r}: {parent!r} is not a section")
        data = inner
    data[last] = value


def _distinct(values: tuple[Any, ...]) -> tuple[Any, ...]:
    if len(set(values)) < len(values):
        raise ValueError(f"an entry stands twice: {list(values)}")
    return values
