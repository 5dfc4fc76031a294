"""Checkpoints of a training run: whole or absent, at most two, and tied to their inputs.

A checkpoint is a folder ``step-<n>`` with what the Trainer saves (weights or adapter, optimiser,
learning-rate schedule, random state of every process, log) and ``paft.json``: the inputs it was made from,
the seconds of training so far and the digest of every file. It is written under another name, forced to the
disk and renamed, so a kill leaves the former one; a damaged one is passed over for the one before. Order and
prompts need no place in it: they are pure functions of (seed, epoch, step).

The number of processes is one of the inputs: with another one sums would run in another order and dropout
would draw from other streams, so such a resume is refused.
"""

from __future__ import annotations

import json
import math
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paft.errors import DataError, ResumeError
from paft.files import file_digest, fingerprint, read_json, write_json
from paft.model.load import LanguageModel, model_fingerprint
from paft.prompt import Prompt
from paft.task.task import Example, data_fingerprint
from paft.train.arguments import LOG_EVERY
from paft.train.settings import FREE, Train

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

RECORD = "paft.json"
_PACKAGES = ("paft", "torch", "transformers", "peft", "accelerate", "numpy")
_AT_LEAST = 50  # steps between checkpoints by default: shorter runs are sooner repeated than saved


@dataclass(frozen=True)
class Checkpoint:
    """A whole checkpoint.

    Attributes:
        folder: Where it lies.
        step: Optimiser steps done.
        seconds: Wall-clock seconds the loop took up to here, over all interruptions.
        inputs: What it was made from, by name; see :func:`training_inputs`.
    """

    folder: Path
    step: int
    seconds: float
    inputs: Mapping[str, Any]


class Checkpoints:
    """The checkpoints of one training run.

    Attributes:
        folder: Holds them all and nothing else.
        inputs: What this run is made from; see :func:`training_inputs`.
        damaged: Checkpoints that :meth:`latest` passed over, and what is wrong with each.
    """

    def __init__(self, folder: Path, inputs: Mapping[str, Any]) -> None:
        self.folder = folder
        self.inputs = inputs
        self.damaged: tuple[str, ...] = ()

    def latest(self) -> Checkpoint | None:
        """Return the newest whole checkpoint; None where there is none.

        Raises:
            ResumeError: If it was made from other inputs.
        """
        found, damaged = None, []
        for folder in _steps(self.folder):
            harm = damage(folder)
            if harm is None:
                record = read_json(folder / RECORD, "checkpoint record")
                found = Checkpoint(folder, record["step"], record["seconds"], record["inputs"])
                break
            damaged.append(f"checkpoint {folder.name} was passed over: {harm}")
        self.damaged = tuple(damaged)
        if found is None:
            return None
        then, now = dict(found.inputs), dict(self.inputs)
        changed = [key for key in {**then, **now} if then.get(key) != now.get(key)]
        if changed:
            shown = "; ".join(f"{k}: {then.get(k)!r} there, {now.get(k)!r} now" for k in changed[:4])
            raise ResumeError(
                f"checkpoint {found.folder} was made from other inputs ({shown}): restore what changed, "
                f"or delete {self.folder} to train from the first step"
            )
        return found

    def make_room(self) -> None:
        """Delete all but the newest whole checkpoint, so that with the next there are two."""
        whole = next((folder for folder in _steps(self.folder) if damage(folder) is None), None)
        for folder in _steps(self.folder):
            if folder != whole:
                shutil.rmtree(folder)

    def add(self, part: Path, step: int, seconds: float) -> None:
        """Complete what the Trainer wrote to ``part``, on the same disk, and move it here.

        Raises:
            OSError: If the disk is full.
        """
        record = {"step": step, "seconds": round(seconds, 3), "inputs": dict(self.inputs)}
        files = {str(f.relative_to(part)): file_digest(f) for f in part.rglob("*") if f.is_file()}
        write_json(part / RECORD, {**record, "files": files, "digest": fingerprint([record, files])})
        for path in (*part.rglob("*"), part):
            _sync(path)
        self.folder.mkdir(parents=True, exist_ok=True)
        target = self.folder / f"step-{step}"
        shutil.rmtree(target, ignore_errors=True)  # a broken one: a whole one would have been resumed
        part.rename(target)
        _sync(self.folder)


def checkpoint_folder(output: Path) -> Path:
    """Return the folder for the checkpoints of the weights that will lie at ``output``."""
    return output.with_name(f"{output.name}-checkpoints")


def remove_checkpoints(output: Path) -> None:
    """Delete the checkpoints of the weights at ``output``, if there are any."""
    shutil.rmtree(checkpoint_folder(output), ignore_errors=True)


def save_interval(save_every: int | None, steps: int) -> int:
    """Return the optimiser steps between checkpoints, 0 for none, of a run of so many steps.

    By default a tenth of the run, at least 50 steps, rounded up to fall on entries of the loss curve.

    >>> save_interval(None, 40), save_interval(None, 1234), save_interval(7, 40), save_interval(0, 40)
    (50, 125, 7, 0)
    """
    if save_every is not None:
        return save_every
    return LOG_EVERY * math.ceil(max(_AT_LEAST, steps / 10) / LOG_EVERY)


def training_inputs(
    language_model: LanguageModel,
    examples: Sequence[Example],
    prompts: Sequence[Prompt],
    config: Train,
    *,
    seed: int,
    processes: int,
    device: str,
) -> dict[str, Any]:
    """Return everything the weights of a run depend on, by the name a user knows it by."""
    start = config.start_from
    return {
        "model": model_fingerprint(language_model.name) or language_model.name,
        "tokenizer": tokenizer_fingerprint(language_model.tokenizer),
        "chat template": fingerprint(language_model.tokenizer.chat_template),
        "chat": language_model.chat.identity(),
        "prompts": fingerprint([prompt.id for prompt in prompts]),
        "training examples": data_fingerprint(examples),
        "seed": seed,
        **_flat("train", config.model_dump(mode="json", exclude={*FREE, "start_from"})),
        "start files": None if start is None else model_fingerprint(start),
        "processes": processes,
        "device": device,
        **{name: version(name) for name in _PACKAGES},
    }


def tokenizer_fingerprint(tokenizer: PreTrainedTokenizerBase) -> str:
    """Hash what turns text to ids; padding and truncation, which callers switch, are left out."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        return fingerprint([type(tokenizer).__name__, tokenizer.get_vocab()])
    settings = json.loads(backend.to_str())
    return fingerprint({key: settings[key] for key in settings.keys() - {"padding", "truncation"}})


def _flat(name: str, value: Any) -> dict[str, Any]:
    """Spell nested settings by dotted key, so that a message names the one that changed."""
    if not isinstance(value, dict):
        return {name: value}
    return {key: v for inner, item in value.items() for key, v in _flat(f"{name}.{inner}", item).items()}


def _steps(folder: Path) -> list[Path]:
    """Checkpoint folders, newest first, whole or not."""
    found = [path for path in folder.glob("step-*") if path.name[5:].isdigit()]
    return sorted(found, key=lambda path: int(path.name[5:]), reverse=True)


def damage(folder: Path) -> str | None:
    """Return what is wrong with a checkpoint, in a few words; None for one whose every byte is as written."""
    try:
        record = dict(read_json(folder / RECORD, "checkpoint record"))
        files, digest = record.pop("files"), record.pop("digest")
        if fingerprint([record, files]) != digest:
            return f"its record {RECORD} was changed"
        for name, was in files.items():
            if file_digest(folder / name) != was:
                return f"its file {name} was changed"
    except OSError as error:
        return f"its file {Path(str(error.filename)).name} cannot be read ({error.strerror})"
    except (DataError, ValueError, TypeError, KeyError, AttributeError):
        return f"its record {RECORD} is missing or none of a checkpoint"
    return None


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
