"""Validation while a model trains: accuracy on the bank's validation prompts, early stop, best weights.

Test prompts and test examples have no part in what is chosen here: when to stop, which weights stay. All
that is decided follows from the log, which checkpoints hold, so a resumed run decides as the uninterrupted
one. The weights of the best validation lie beside the checkpoints, each complete, until a checkpoint that
knows of a better one is whole.
"""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from transformers import TrainerCallback

from paft.errors import DataError, NotFiniteError, ResumeError
from paft.files import file_digest, fingerprint, read_json, write_json
from paft.model.load import LanguageModel
from paft.prompt import Prompt
from paft.task.task import Example, Task, data_fingerprint
from paft.train.settings import Train

if TYPE_CHECKING:
    from paft.train.trainer import ResumableTrainer

# (model, task, P prompts, N examples, tokens at most) -> scores in [0, 1], (P, N)
Scorer = Callable[[LanguageModel, Task, Sequence[Prompt], Sequence[Example], int], np.ndarray]
MEAN, MIN = "validation_mean", "validation_min"  # as they stand in the log


class Point(NamedTuple):
    """A validation.

    Attributes:
        step: After so many optimiser steps.
        mean: Mean accuracy over the validation prompts, in [0, 1].
        min: Accuracy under the worst of them.
    """

    step: int
    mean: float
    min: float


@dataclass(frozen=True)
class Validation:
    """What a model is validated on.

    Attributes:
        task: Says how answers are scored.
        prompts: P prompts that are neither trained nor tested on.
        examples: N examples, likewise.
        score: Scores a model on them (:func:`paft.evaluate.cells.score_cells`).
        rule: Settings by which it scores, other than its defaults.
        hear: Called with None where a validation begins, then with its figures and whether they are the
            best so far.
    """

    task: Task
    prompts: Sequence[Prompt]
    examples: Sequence[Example]
    score: Scorer
    rule: Mapping[str, Any] = field(default_factory=dict)
    hear: Callable[[Point | None, bool], None] | None = None

    @property
    def size(self) -> str:
        """What a validation looks at, in words."""
        return f"{len(self.examples)} examples x {len(self.prompts)} prompts"

    def fingerprint(self) -> str:
        """Hash of prompts, examples and, where it is not the default one, the rule of scoring."""
        on = [[prompt.id for prompt in self.prompts], data_fingerprint(self.examples)]
        return fingerprint([*on, dict(self.rule)] if self.rule else on)

    def sums(self, language_model: LanguageModel, max_length: int, rank: int, world: int) -> np.ndarray:
        """Return the sum of scores under each prompt, (P,), over the share of process ``rank`` of ``world``.

        The model is evaluated in evaluation mode and left as it was.
        """
        model: Any = language_model.model
        examples = self.examples[rank::world]
        if not examples:
            return np.zeros(len(self.prompts))
        training = model.training
        model.eval()
        try:
            scores = self.score(language_model, self.task, self.prompts, examples, max_length)
        finally:
            model.train(training)
        return np.asarray(scores.sum(axis=1), dtype=float)


class Validator(TrainerCallback):
    """Validates every so many steps and at the end, stops early, and keeps the best weights.

    Args:
        trainer: What it watches.
        language_model: What is trained, before anything was put around it.
        validation: What it is validated on.
        config: Training settings.
        save: Writes the weights as they are to a folder, which appears when complete; all processes
            call it together.
    """

    def __init__(
        self, trainer: ResumableTrainer, language_model: LanguageModel, validation: Validation, config: Train,
        save: Callable[[Path], None],
    ) -> None:  # fmt: skip
        self.trainer = trainer
        self.language_model = language_model
        self.validation = validation
        self.config = config
        self.save = save

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Validate where it is time to."""
        last = state.global_step == state.max_steps
        if state.global_step % validation_interval(self.config.validate_every, state.max_steps) and not last:
            return
        hear = self.validation.hear or (lambda *_: None)
        hear(None, False)
        accuracies, log = self._accuracies(), control.should_log
        self.trainer.log({MEAN: float(accuracies.mean()), MIN: float(accuracies.min())})
        control.should_log = log  # the loss of the step is still to be logged if it was before
        points = validation_points(state.log_history)
        best = best_point(points, self.config.validate_by)
        hear(points[-1], best == points[-1])
        if best.step == state.global_step and self.config.keep == "best":
            self.save(self._folder(best.step))
            if state.is_world_process_zero:
                write_json(self._digests(best.step), _digests_of(self._folder(best.step)))
        if self.config.patience and sum(p.step > best.step for p in points) >= self.config.patience:
            control.should_training_stop = control.should_log = True  # the curve ends with the run
            control.should_save = False  # a run that goes on from here would not know that it is over

    def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Delete weights that the new checkpoint knows to be no longer the best."""
        points = validation_points(state.log_history)
        best = self._folder(best_point(points, self.config.validate_by).step) if points else None
        for folder in self.trainer.checkpoints.folder.glob("best-*"):
            if folder != best and state.is_world_process_zero:
                shutil.rmtree(folder, ignore_errors=True)
                self._digests(int(folder.name[5:])).unlink(missing_ok=True)

    def best_weights(self) -> Path:
        """Return the folder with the weights of the best validation.

        Raises:
            ResumeError: If it is gone or not as it was written.
        """
        points = validation_points(self.trainer.state.log_history)
        step = best_point(points, self.config.validate_by).step
        folder, digests = self._folder(step), self._digests(step)
        try:
            whole = folder.is_dir() and read_json(digests, "digests") == _digests_of(folder)
        except (OSError, DataError):
            whole = False
        if not whole:
            raise ResumeError(
                f"the best weights {folder} are gone or were changed: delete {folder.parent} to train from "
                "the first step"
            )
        return folder

    def _folder(self, step: int) -> Path:
        return self.trainer.checkpoints.folder / f"best-{step}"

    def _digests(self, step: int) -> Path:
        return self.trainer.checkpoints.folder / f"digests-{step}.json"

    def _accuracies(self) -> np.ndarray:
        """Accuracy under each prompt over the shares of all processes, (P,).

        Raises:
            DivergedError: If the model computes no numbers any more.
        """
        self.trainer.watch.check_weights()
        found = self._shares()
        self.trainer.watch.end_if(not np.isfinite(found).all(), "the model computes no finite numbers")
        return found

    def _shares(self) -> np.ndarray:
        """As :meth:`_accuracies`; NaN where a process got no numbers, so that all of them end together."""
        accelerator = self.trainer.accelerator
        model = replace(self.language_model, model=accelerator.unwrap_model(self.trainer.model))
        if self.trainer.sharded:  # a pass needs all processes, so all make the same ones
            return self._sums(model, 0, 1) / len(self.validation.examples)
        sums = self._sums(model, accelerator.process_index, accelerator.num_processes)
        total = accelerator.reduce(torch.tensor(sums, dtype=torch.float32, device=accelerator.device), "sum")
        return np.asarray(total.cpu().numpy(), dtype=float) / len(self.validation.examples)

    def _sums(self, model: LanguageModel, rank: int, world: int) -> np.ndarray:
        try:
            return self.validation.sums(model, self.config.max_length, rank, world)
        except NotFiniteError:
            return np.full(len(self.validation.prompts), np.nan)


def _digests_of(folder: Path) -> dict[str, str]:
    return {str(f.relative_to(folder)): file_digest(f) for f in sorted(folder.rglob("*")) if f.is_file()}


def validation_interval(every: float | None, steps: int) -> int:
    """Return the steps between validations: ``every``, below 1 a share of all ``steps``, None for the end.

    >>> validation_interval(20, 300), validation_interval(0.25, 30), validation_interval(None, 30)
    (20, 8, 30)
    """
    if every is None:
        return steps
    return int(every) if every >= 1 else max(1, math.ceil(every * steps))


def validation_points(log: Sequence[Mapping[str, Any]]) -> list[Point]:
    """Return the validations of a trainer's log, in order."""
    return [Point(int(entry["step"]), entry[MEAN], entry[MIN]) for entry in log if MEAN in entry]


def best_point(points: Sequence[Point], by: str) -> Point:
    """Return the best of one or more validations by ``mean`` or ``min``, the earliest of equals.

    >>> best_point([Point(5, 0.5, 0.4), Point(10, 0.6, 0.2), Point(15, 0.6, 0.1)], "mean").step
    10
    """
    return max(points, key=lambda point: float(getattr(point, by)))
