"""What the figures of a folder depend on, by name, and which changes of it make a rerun refuse.

A folder is refused when something changed that changes figures. Nothing else is: a corrected
description, another threshold (:func:`paft.experiment.trial.run_trial` counts anew), other example prompts of
the task, how many processes render, how often a checkpoint is written, how many cells share a pass.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from paft.config import ModelOnTask, RunConfig
from paft.errors import SHOWN, shown
from paft.evaluate.settings import Evaluate
from paft.experiment.baselines.settings import Choose
from paft.experiment.inputs import SCORING, Inputs
from paft.files import fingerprint
from paft.methods import METHODS
from paft.model.load import model_fingerprint
from paft.task.answer import Answer
from paft.task.task import Task, data_fingerprint
from paft.train.grpo.rewards import reward_digests
from paft.train.settings import FREE as FREE_IN_TRAINING
from paft.train.settings import Train

# Settings that change no figure.
FREE = (
    *(f"train.{key}" for key in FREE_IN_TRAINING), "evaluate.batch_tokens", "evaluate.allow_code",
)  # fmt: skip
# Names of files, and their hash: with the same hash they may lie elsewhere.
FILES = {
    "model": "model files",
    "revision": "model files",
    "adapter": "adapter files",
    "train.start_from": "start files",
    "choose.writer": "choose.writers",
}
KEPT = 20  # characters that are shown before the first that differs


def run_identity(config: RunConfig, inputs: Inputs, methods: tuple[str, ...] | None = None) -> dict[str, Any]:
    """Return everything a finished trial of the planned methods depends on, by name."""
    apart = {"methods", "seeds", "output", "task", "data", "bank", "choose"}
    apart |= unset_keys(config)
    settings = config.model_dump(mode="json", exclude=apart)
    flat = {f"{key}.{k}": v for key in ("train", "evaluate") for k, v in settings.pop(key).items()}
    return {
        **settings,
        **{key: value for key, value in flat.items() if key not in FREE},
        "chat": config.chat.identity(),
        **choice_identity(config.choose, methods or config.methods, inputs),
        "model files": model_fingerprint(config.pinned_model),
        **_training_files(config.train),
        **task_identity(inputs.task),
        "bank": inputs.bank.fingerprint,
        "training examples": data_fingerprint(inputs.pool or inputs.train),
        "validation examples": data_fingerprint(inputs.validation) if inputs.validation else None,
        "test examples": data_fingerprint(inputs.test),
    }


def _training_files(train: Train) -> dict[str, Any]:
    """Return the hashes of files that training settings name, where they name any."""
    found: dict[str, Any] = {}
    if train.start_from is not None:
        found["start files"] = model_fingerprint(train.start_from)
    if train.grpo.rewards:
        found["reward files"] = list(reward_digests(train.grpo.rewards).values())
    return found


def unset_keys(config: ModelOnTask) -> set[str]:
    """Return the keys that no identity has where nobody sets them."""
    return {key for key in ("trust_remote_code", "revision") if not getattr(config, key)}


def training_identity(config: RunConfig, inputs: Inputs, method: str, seed: int) -> dict[str, Any]:
    """Return everything that the weights of one training depend on, by name; nothing of their evaluation."""
    whole = run_identity(config, inputs, (method,))
    # Of evaluation only what decides which weights a validation keeps.
    scoring = [f"evaluate.{key}" for key in SCORING if inputs.validation]
    found = {key: value for key, value in whole.items() if not key.startswith("evaluate.") or key in scoring}
    del found["test examples"]
    return {**found, "method": method, "seed": seed}


def task_identity(task: Task) -> dict[str, Any]:
    """Return what figures depend on of a task; its rows are hashed apart."""
    answer = task.answer.model_dump(mode="json")
    return {
        "task.fields": sorted(task.fields),
        "task.metric": task.metric,
        "task.prompt": task.prompts[0].template,
        **{f"task.answer.{key}": value for key, value in answer.items()},
    }


def choice_identity(choose: Choose, methods: tuple[str, ...], inputs: Inputs) -> dict[str, Any]:
    """Return what the prompt that a method chooses depends on; nothing where no method chooses."""
    if not any(METHODS[name].chooser for name in methods):
        return {}
    found = {f"choose.{key}": value for key, value in choose.model_dump(mode="json").items()}
    writers = inputs.generators
    if writers is None:
        return {**found, "choose.writers": None}
    task = inputs.task
    asked = [[each.name, each.model, each.base_url, each.parameters] for each in writers.generators]
    return {**found, "choose.writers": fingerprint([asked, task.name, task.description, task.fields])}


def changes(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[str]:
    """Return the names of what differs and changes figures: what a folder was made from, and is to be now."""
    # A version that did not have a setting yet worked as one that leaves it alone.
    then = {**{key: value for key, value in _defaults(wanted).items() if key in wanted}, **found}
    return [
        key
        for key in {**then, **wanted}
        if then.get(key) != wanted.get(key) and not _unchanged(key, found, wanted)
    ]


def _unchanged(key: str, found: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Whether values of a key that differ mean the same figures, as far as a folder can tell."""
    if key in FREE:
        return True
    if key.startswith("choose.") and (key not in wanted or not any(k.startswith("choose.") for k in found)):
        return True  # no method chooses now, or none did
    if key in FILES:
        files = FILES[key]
        return found.get(files) is not None and found.get(files) == wanted.get(files)
    # Which revision of a model on the Hub it was may not have been known.
    return key == "model files" and found.get(key) is None


def told(key: str, then: Any, now: Any) -> str:
    """Say in a line what a key was and is: of a section what differs, of a long text from there on.

    >>> told("adapt", {"rank": 4, "alpha": 8}, {"rank": 8, "alpha": 8})
    "adapt: {'rank': 4} there, {'rank': 8} now"
    """
    if isinstance(then, Mapping) and isinstance(now, Mapping):
        names = [name for name in {**then, **now} if then.get(name) != now.get(name)]
        then, now = ({name: side.get(name) for name in names} for side in (then, now))
    elif isinstance(then, str) and isinstance(now, str):
        pairs = enumerate(zip(then, now, strict=False))
        first = next((place for place, (a, b) in pairs if a != b), min(len(then), len(now)))
        same = max(0, first - KEPT)
        then, now = (side if len(side) <= SHOWN else "..." * (same > 0) + side[same:] for side in (then, now))
    return f"{key}: {shown(then)} there, {shown(now)} now"


def _defaults(wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of all sections as they are where nobody sets them, by dotted key."""
    sections = {"train": Train(), "evaluate": Evaluate(), "choose": Choose()}
    found = {
        f"{name}.{key}": value
        for name, section in sections.items()
        for key, value in section.model_dump(mode="json").items()
    }
    if "task.answer.rule" in wanted:
        settings = Answer.model_fields.items()
        found |= {f"task.answer.{key}": field.default for key, field in settings if not field.is_required()}
    return found
