"""Configuration of a run: frozen models, YAML files, dotted overrides.

``paft run`` without a file and without a task uses the built-in task's own file
(``builtin/routing/run.yaml``). Every run saves its resolved configuration.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from numbers import Integral
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any, Self

import yaml
from pydantic import Field, ValidationInfo, field_validator, model_validator

from paft.builtin import IN_PYTHON, RUN
from paft.errors import ConfigError
from paft.evaluate.settings import Evaluate
from paft.experiment.baselines.settings import Choose
from paft.files import read_yaml
from paft.methods import DEFAULT, METHODS
from paft.model.settings import Chat
from paft.names import REVISION, pin_model
from paft.schema import Schema, nearest, parse
from paft.text_values import load_yaml
from paft.train.settings import LARGEST_SEED, Train

if TYPE_CHECKING:
    from paft.task.task import Task

Patch = dict[str, Any]
BUILTIN_TASK = "routing"
BUILTIN_MODEL = "tiny"
# What the built-in model needs where nothing is given: it has six million parameters and has read
# little, so an adapter on frozen weights learns a task slowly and all weights cost no more.
BUILTIN_TRAIN: dict[str, Any] = {"learning_rate": 1e-3, "batch_size": 8, "adapt": {"method": "full"}}
BUILTIN_GRPO: dict[str, Any] = {**BUILTIN_TRAIN, "learning_rate": 1e-4}


class ModelOnTask(Schema):
    """What every verb needs that works with a model.

    Attributes:
        task: A task file or a built-in name.
        data: Folder of the task's data files; the task file's own by default.
        bank: A bank file; by default the built-in task's bank, or one composed from the task file.
        model: A folder, a Hub id or ``tiny``.
        revision: Commit, tag or branch of a model on the Hub; pin it for a result that can be repeated.
        trust_remote_code: Whether code in the model's folder may be run on this machine.
        chat: Whether prompts are put as turns of the model's chat template; as in its training.
    """

    task: str = BUILTIN_TASK
    data: str | None = None
    bank: str | None = None
    model: str = BUILTIN_MODEL
    revision: str | None = Field(default=None, pattern=REVISION)
    trust_remote_code: bool = False
    chat: Chat = Chat()

    @field_validator("task", "bank", mode="before")
    @classmethod
    def _check_named(cls, value: Any, field: ValidationInfo) -> Any:
        if not isinstance(value, (str, int, float, list, dict, PurePath, type(None))):
            name = field.field_name
            raise ValueError(
                f"here stands the name or file of a {name}; one made in Python goes beside the settings, as "
                f"in run(config, {name}={name})"
            )
        return value

    def of_task(self, task: Task | None) -> Self:
        """Return the same for a task made in Python, if one is given: with its name, not that of another."""
        return self if task is None else self.model_copy(update={"task": f"{task.name}{IN_PYTHON}"})

    @property
    def pinned_model(self) -> str:
        """The model as all that loads models takes it, with its revision."""
        return pin_model(self.model, self.revision)


class RunConfig(ModelOnTask):
    """Everything ``paft run`` needs.

    Attributes:
        methods: What is compared; see :mod:`paft.methods`.
        seeds: Training seeds; every method but ``base`` runs once for each.
        output: Folder for everything the run makes; ``runs/<task>`` by default.
        train: Settings of stage 2. For the built-in model ``learning_rate`` is 0.001, ``batch_size`` 8 and
            ``adapt.method`` ``full`` where they are not given.
        evaluate: Settings of stage 3.
        choose: How methods that choose a prompt do so.
    """

    methods: tuple[str, ...] = Field(default=DEFAULT, min_length=1)
    seeds: tuple[int, ...] = Field(default=(0,), min_length=1)
    output: str
    train: Train = Train()
    evaluate: Evaluate = Evaluate()
    choose: Choose = Choose()

    @model_validator(mode="before")
    @classmethod
    def _fill_in(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        data = {"output": f"runs/{Path(str(data.get('task', BUILTIN_TASK))).stem}", **data}
        train = data.get("train", {})
        given = train.model_dump(exclude_unset=True) if isinstance(train, Train) else train
        if str(data.get("model", BUILTIN_MODEL)) == BUILTIN_MODEL and isinstance(given, dict):
            grpo = given.get("algorithm") == "grpo"
            data["train"] = merged(BUILTIN_GRPO if grpo else BUILTIN_TRAIN, given)
        return data

    @field_validator("methods", "seeds", mode="before")
    @classmethod
    def _read_list(cls, value: Any) -> Any:
        """Take text as on the command line, with commas between entries."""
        if isinstance(value, Integral):
            raise ValueError(f"seeds are a list: [{value}] for that seed alone, [0, 1, 2] for three of them")
        return tuple(map(str.strip, value.split(","))) if isinstance(value, str) else value

    @field_validator("methods")
    @classmethod
    def _check_methods(cls, methods: tuple[str, ...]) -> tuple[str, ...]:
        for name in methods:
            if name not in METHODS:
                raise ValueError(f"unknown method {name!r}{nearest(name, list(METHODS))}")
        return _distinct(methods)

    @field_validator("train")
    @classmethod
    def _check_schedule(cls, train: Train) -> Train:
        if train.schedule != Train().schedule:
            raise ValueError(
                f"schedule {train.schedule!r} is for a method to set, not for a configuration: name the "
                "method, one of those in docs/methods.md (per_example, say)"
            )
        return train

    @field_validator("seeds")
    @classmethod
    def _check_seeds(cls, seeds: tuple[int, ...]) -> tuple[int, ...]:
        if any(not 0 <= seed <= LARGEST_SEED for seed in seeds):
            raise ValueError(f"seeds are whole numbers from 0 to {LARGEST_SEED}")
        return _distinct(seeds)


def load_config(path: str | Path | None, overrides: Mapping[str, Any] | None = None) -> RunConfig:
    """Read a YAML file, whose paths are relative to the working directory; overrides by dotted key win.

    Without a file it is the built-in task's or, when the overrides name a task, nothing but defaults.

    Raises:
        ConfigError: If the file is malformed, a key is unknown or a value does not fit.
        DataError: If the file cannot be read.
    """
    if path is None and "task" not in (overrides or {}):
        path = RUN
    data = read_yaml(Path(path), "configuration") if path is not None else {}
    where = str(path) if path is not None else "configuration"
    return parse(RunConfig, merged(data, overrides or {}), where)


def merged(base: Mapping[str, Any], patch: Mapping[str, Any], where: str = "") -> Patch:
    """Return ``base`` with a patch over it; sections are merged, everything else is replaced.

    A patch has nested sections, or values by dotted key; ``where`` says who wrote it, for errors.

    Raises:
        ConfigError: If a dotted key goes through something that is no section.

    >>> merged({"train": {"epochs": 3}}, {"train.examples": 9, "train": {"epochs": 1}})
    {'train': {'epochs': 1, 'examples': 9}}
    """
    result = dict(base)
    for key, value in patch.items():
        head, _, rest = key.partition(".") if isinstance(key, str) else (key, "", "")
        if isinstance(value, dict) or rest:
            inner = {} if result.get(head) is None else result[head]
            if not isinstance(inner, dict):
                prefix = f"{where}: " if where else ""
                raise ConfigError(f"{prefix}key {key!r}: {head!r} is not a section")
            result[head] = merged(inner, {rest: value} if rest else value, where)
        else:
            result[key] = value
    return result


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
            found[key] = _number(value) if _number(value) is not None else load_yaml(value)
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


def _distinct(values: tuple[Any, ...]) -> tuple[Any, ...]:
    if len(set(values)) < len(values):
        raise ValueError(f"an entry stands twice: {list(values)}")
    return values
