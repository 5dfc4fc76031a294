"""The models that are evaluated or tried, and what the files beside their weights say of how they are asked.

Beside an adapter lie ``adapter_config.json``, which names its base, and in one of ours ``paft.json`` (chat
setting, system text, ``max_length``, base). What nobody sets comes from there; what somebody sets wins, and
where it contradicts the training that is refused (another chat setting, another base without ``any_base``)
or said (another ``max_length``).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import Field

from paft.bank import load_bank
from paft.config import ModelOnTask, load_config
from paft.errors import ConfigError, DataError, shown
from paft.experiment.identity import task_identity
from paft.model.adapter import (
    RECORD,
    base_name,
    check_base,
    is_here,
    refuse_as_model,
    require_adapter,
    training_record,
)
from paft.model.chat import check_chat, described
from paft.model.files import resolve_model, weights_digest
from paft.model.settings import Chat
from paft.names import folder_name, pin_model, short_name, split_revision
from paft.report.run_folder import BANK, CONFIG, IDENTITY, training_of
from paft.schema import parse
from paft.shape import ADVICE, read_record
from paft.task.task import Task, load_task

BASE = "base"  # what the model under an adapter is called


class AdapterOnTask(ModelOnTask):
    """What every verb needs that asks a model, with or without an adapter.

    Attributes:
        model: A folder, a Hub id or ``tiny``; for an adapter by default the base that its own files name.
        chat: Whether prompts are put as turns of the model's chat template; by default as in its training.
        adapter: Folder of a PEFT adapter on top of it.
        any_base: Put an adapter on another base than it was tuned on too.
        max_length: Tokens of prompt and answer together at most; by default as in its training.
    """

    adapter: str | None = None
    any_base: bool = False
    max_length: int = Field(default=1024, ge=8)


@dataclass(frozen=True)
class Contender:
    """One model: what it is called, its weights, the adapter on top of them."""

    name: str
    model: str
    adapter: Path | None = None

    @property
    def weights(self) -> str:
        """Where that lies which tells it from others."""
        return self.model if self.adapter is None else str(self.adapter)


C = TypeVar("C", bound=AdapterOnTask)
T = TypeVar("T")


def take_task(config: C, weights: Sequence[str]) -> C:
    """Take task, data and bank of the run or training in whose folder the weights lie, if they do.

    Args:
        config: What was set, without a task.
        weights: Folders of all adapters that it asks, or of the model.

    Raises:
        ConfigError: If the task has changed since or was made in Python, or they were trained on several.
    """
    homes = [home for home in map(training_of, weights) if home is not None]
    if not homes:
        return config
    trained = [load_config(home / CONFIG) for home in homes]
    data = trained[0].data if config.data is None else config.data
    task = load_task(trained[0].task, data)
    for home in homes:
        check_same_task(home, task, trained[0].task)
    banks = {load_bank(home / BANK).fingerprint: str(home / BANK) for home in homes}
    if config.bank is None and len(banks) > 1:
        raise ConfigError(f"{' and '.join(banks.values())} are different banks: give one by --bank")
    bank = {} if config.bank is not None else {"bank": next(iter(banks.values()))}
    return config.model_copy(update={"task": trained[0].task, "data": data, **bank})


def check_same_task(folder: Path, task: Task, name: str | None) -> None:
    """Refuse a task with other fields, options or user prompt than those its models were trained with.

    Args:
        folder: The run's.
        task: The task.
        name: What it was loaded by, of the run's configuration; None for one made in Python.

    Raises:
        ConfigError: Saying what differs.
    """
    then = read_record(folder / IDENTITY, "run identity", {})
    now = json.loads(json.dumps(task_identity(task)))
    other = [key for key, value in now.items() if key in then and then[key] != value]
    if not other:
        return
    if name is None:
        raise ConfigError(
            f"the task that is given is not that of the run in {folder} ({', '.join(other)} differ): give "
            "the one that its models were trained with"
        )
    raise ConfigError(
        f"the task has changed since the run in {folder} ({', '.join(other)}): restore it, or run it anew"
    )


def take_recorded(config: C, adapters: Sequence[str]) -> tuple[C, list[str]]:
    """Fill in from the files beside the weights what nobody set.

    ``adapters`` are the folders of all adapters that it asks.

    Returns:
        The configuration to work with, and warnings of what was set otherwise than in the training.

    Raises:
        PaftError: If a folder is none of an adapter or names no base, or adapters differ in what they need.
    """
    refuse_as_model(config.model)
    for adapter in adapters:
        require_adapter(Path(adapter))
    changed: dict[str, Any] = {}
    if adapters and "model" not in config.model_fields_set:
        changed["model"], revision = split_revision(_agreed({a: _base_of(a) for a in adapters}, "base"))
        if config.revision is None:
            changed["revision"] = revision
    name = changed.get("model", config.model)
    for adapter in adapters:  # before all else, which another base may not have
        check_base(
            Path(adapter), pin_model(name, changed.get("revision", config.revision)), any_base=config.any_base
        )
    base = resolve_model(name)
    records = {folder: training_record(Path(folder)) for folder in adapters or [base]}
    chats = {folder: _chat_of(folder, record, config.chat) for folder, record in records.items()}
    changed["chat"] = _agreed(chats, "chat setting") or config.chat
    for folder in dict.fromkeys([*adapters, base]):
        check_chat(Path(folder), changed["chat"])
    lengths = {folder: record.get("max_length") for folder, record in records.items()}
    warnings = []
    if "max_length" in config.model_fields_set:
        warnings = [
            f"{folder} was trained with max_length {length}, and is asked with {config.max_length}"
            for folder, length in lengths.items()
            if length not in (None, config.max_length)
        ]
    elif (length := _agreed(lengths, "max_length")) is not None:
        changed["max_length"] = length
    given = config.model_dump(exclude_unset=True)
    return parse(type(config), given | changed, "the record beside the weights"), warnings


def _base_of(adapter: str) -> str:
    """Return the base that an adapter's own files name.

    Raises:
        ConfigError: If they name none, or a place where nothing is.
    """
    name = base_name(Path(adapter))
    if name is None:
        raise ConfigError(f"the files beside adapter {adapter} name no base model: give it by --model")
    if not is_here(name) and (name.startswith((".", "/", "~")) or name.count("/") > 1):  # not on the Hub
        raise ConfigError(
            f"adapter {adapter} was tuned on {name}, which is not there now: give its base by --model"
        )
    return name


def _chat_of(folder: str, record: Mapping[str, Any], given: Chat) -> Chat | None:
    """Return how weights are asked: as trained, and over that what was set; None if nothing tells."""
    trained, asked = record.get("chat"), given.model_dump(exclude_unset=True)
    if trained is None or asked.get("enabled") is False:
        return None
    if not isinstance(trained, Mapping):
        raise DataError(f"{Path(folder) / RECORD} is damaged (chat is {shown(trained)}, no object): {ADVICE}")
    return parse(Chat, {**trained, **asked}, str(Path(folder) / RECORD))


def _agreed(found: Mapping[str, T], what: str) -> T:
    """Return what weights need, by their folder, as far as all need the same.

    Raises:
        ConfigError: Naming two that do not.
    """
    (first, wanted), *others = found.items()
    for folder, value in others:
        if value != wanted and not (what == "base" and _same_weights(str(wanted), str(value))):
            here, there = (described(v.model_dump()) if isinstance(v, Chat) else v for v in (wanted, value))
            raise ConfigError(
                f"adapters {first} and {folder} do not have the same {what} ({here} and {there}): evaluate "
                "each into a folder of its own and compare them by `paft report FOLDER FOLDER`"
            )
    return wanted


def _same_weights(first: str, second: str) -> bool:
    """Whether two names stand for the same weights on this machine, as of a folder and its copy."""
    digest = weights_digest(first)
    return digest is not None and digest == weights_digest(second)


def name_adapters(given: Sequence[str]) -> dict[str, str]:
    """Return folders by name, of ``DIR`` and ``NAME=DIR``; a name that nobody gives is that of the folder.

    Where several folders are called alike, as ``adapter`` of two runs, the folder around it gives the name.

    Raises:
        ConfigError: If two adapters have the same name.

    >>> name_adapters(["a=runs/x/adapter", "runs/y/adapter", "runs/z/adapter"])
    {'a': 'runs/x/adapter', 'y': 'runs/y/adapter', 'z': 'runs/z/adapter'}
    """
    pairs = [("", text) if Path(text).is_dir() else _parted(text) for text in given]
    plain = [folder_name(folder, "adapter") for name, folder in pairs if not name]
    found: dict[str, str] = {}
    for name, folder in pairs:
        own = name or folder_name(folder, "adapter")
        if not name and plain.count(own) > 1:
            own = folder_name(str(Path(folder).parent), "adapter")
        if own in found:
            raise ConfigError(
                f"two adapters are called {own!r}, {found[own]} and {folder}: name them, --adapter NAME=DIR"
            )
        found[own] = folder
    return found


def _parted(text: str) -> tuple[str, str]:
    name, sign, folder = text.partition("=")
    return (name, folder) if sign else ("", text)


def check_name(name: str) -> None:
    """Refuse what cannot be the name of a folder.

    Raises:
        ValueError: Saying how to name an adapter.
    """
    if "/" in name or "\\" in name or "\0" in name or short_name(name, "") != name:
        raise ValueError(f"{name!r} is no name of a folder: write --adapter NAME=DIR with a short name")
