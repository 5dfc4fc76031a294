"""The stock Trainer with whole checkpoints and exact resume, and on it the one of supervised fine-tuning.

Resuming repeats the uninterrupted run to the bit because nothing is left to chance or to the past:

- the epoch and the place in it follow from the step; plans before that place are passed over and
  nothing is rendered or read for them;
- weights, optimiser, learning rate and the random state of every process come from the checkpoint;
- a checkpoint closes an entry of the loss curve, so that no sum is under way when it is written.
"""

from __future__ import annotations

import inspect
import math
import shutil
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, cast

import torch
from safetensors import SafetensorError
from torch.utils.data import Sampler
from transformers import Trainer, TrainerCallback

from paft.errors import PaftError, ResumeError
from paft.files import read_json, write_json
from paft.train.batches import Plan, PlanSampler
from paft.train.checkpoint import Checkpoints, save_interval
from paft.train.failures import Watch, write_failure
from paft.train.loss import PromptSums, StepLoss

TALLY = "tally.json"  # in a checkpoint: the sums by prompt, of all processes
TELL_EVERY = 0.5  # seconds between reports that an accelerator has to wait for
SUPPORTED = "transformers>=5.2,<5.24"  # as in pyproject.toml
# Methods of the Trainer that ours take the place of, and their parameters.
HOOKS = {
    "_get_train_sampler": ("train_dataset",),
    "compute_loss": ("model", "inputs", "return_outputs", "num_items_in_batch"),
    "_get_num_items_in_batch": ("batch_samples", "device"),
    "_save_checkpoint": ("model", "trial"),
    "_issue_warnings_after_load": ("load_result",),
}
OnStep = Callable[[int, int, float, int], None]  # (step, all steps, loss or reward, tokens so far)


class Keeper(TrainerCallback, ABC):
    """A callback with a state of its own, which checkpoints hold."""

    @abstractmethod
    def save(self, folder: Path) -> None:
        """Write the state to a checkpoint; called in one process."""

    @abstractmethod
    def load(self, folder: Path) -> None:
        """Go on from a checkpoint; called in every process."""


class ResumableTrainer(Trainer):
    """Continues where a killed run left off; what it trains on and by which loss, others say.

    Args:
        checkpoints: Where this run keeps its own.
        save_every: Steps between checkpoints, as in :func:`paft.train.checkpoint.save_interval`.
        sums: What is counted by prompt.
        on_step: Called with (step, all steps, its loss, tokens so far); see :class:`_Progress`.

    Attributes:
        measure: The entry of the log by which progress is told.
        keepers: Callbacks with a state; see :meth:`add_keeper`.
        watch: Ends a training that diverges.
    """

    measure = "loss"

    def __init__(
        self,
        *args: Any,
        checkpoints: Checkpoints,
        save_every: int | None,
        sums: PromptSums,
        on_step: OnStep | None = None,
        **kwargs: Any,
    ) -> None:
        check_hooks(Trainer, HOOKS, SUPPORTED)
        super().__init__(*args, **kwargs)
        self.sums = sums
        self.checkpoints = checkpoints
        self.keepers: list[Keeper] = []
        self._began, self._seconds_before = time.monotonic(), 0.0
        self.watch = Watch(self)
        self.add_callback(self.watch)
        self.add_callback(_Rhythm(save_every))
        if on_step is not None:
            self.add_callback(_Progress(on_step, self._tokens, self))

    def add_keeper(self, keeper: Keeper) -> None:
        """Add a callback whose state is kept in checkpoints."""
        self.keepers.append(keeper)
        self.add_callback(keeper)

    def run(self) -> None:
        """Train to the last step, from the newest checkpoint if there is one.

        Raises:
            ResumeError: If that checkpoint was made from other inputs.
            DivergedError: If losses or weights come out that are not finite.
            PaftError: If a checkpoint cannot be written; the former ones stay.
        """
        found = self.checkpoints.latest()
        self._began, self._seconds_before = time.monotonic(), found.seconds if found else 0.0
        if found and self.is_world_process_zero():
            self.sums.restore(read_json(found.folder / TALLY, "sums by prompt"))
        if found:
            for keeper in self.keepers:
                keeper.load(found.folder)
        self.train(resume_from_checkpoint=str(found.folder) if found else None)
        self.watch.check_result()

    @property
    def seconds(self) -> float:
        """Wall-clock seconds of the run; work that a kill destroyed is not counted."""
        return self._seconds_before + time.monotonic() - self._began

    @property
    def sharded(self) -> bool:
        """Whether each process holds a part of the weights (FSDP, DeepSpeed)."""
        return bool(self.is_fsdp_enabled or self.is_deepspeed_enabled)

    def gathered(self) -> dict[str, torch.Tensor] | None:
        """Return all weights, None where every process has them; all processes must ask together."""
        if not self.sharded:
            return None
        return dict(self.accelerator.get_state_dict(self.model_wrapped))

    def _tokens(self) -> int:
        """Tokens of prompts and answers so far, if the other processes had as many as this one."""
        return int(self.sums.sums[:, 1].sum()) * int(self.args.world_size)

    def latest(self) -> torch.Tensor | None:
        """Return the measure of the newest step in this process, on the device; None before the first."""
        return self.watch.loss

    def curve(self, measure: str) -> list[tuple[int, float]]:
        """Return (step, mean since the former entry) of what the log has, up to the last step."""
        return [(int(log["step"]), float(log[measure])) for log in self.state.log_history if measure in log]

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        step, part = self.state.global_step, Path(str(self.args.output_dir))
        self.watch.check_weights()
        try:
            if self.is_world_process_zero():
                self.checkpoints.make_room()
            super()._save_checkpoint(model, trial)
            sums = self.sums.total(self.accelerator.reduce)
            if self.is_world_process_zero():
                write_json(part / f"checkpoint-{step}" / TALLY, sums)
                for keeper in self.keepers:
                    keeper.save(part / f"checkpoint-{step}")
            self.accelerator.wait_for_everyone()  # each process writes its own random state
            if self.is_world_process_zero():
                self.checkpoints.add(part / f"checkpoint-{step}", step, self.seconds)
        except (OSError, SafetensorError, RuntimeError, PaftError) as error:
            failed = write_failure(self.checkpoints.folder, error)
            if failed is None:
                raise
            shutil.rmtree(part, ignore_errors=True)
            raise failed from error
        self.accelerator.wait_for_everyone()

    def _issue_warnings_after_load(self, load_result: Any) -> None:
        """Weights that a checkpoint lacks are an error: to go on with fresh ones would be silent."""
        named = list(cast("torch.nn.Module", self.model).named_parameters(remove_duplicate=False))
        loaded = {id(weight) for name, weight in named if name not in load_result.missing_keys}
        lost = [name for name, weight in named if id(weight) not in loaded]  # tied ones come with their twin
        if lost:
            raise ResumeError(
                f"checkpoints in {self.checkpoints.folder} hold no weights for {lost[0]} and "
                f"{len(lost) - 1} others: delete that folder to train from the first step"
            )


class PromptTrainer(ResumableTrainer):
    """Supervised fine-tuning on the sampler's plans.

    Args:
        sampler: Yields (example, prompt) plans.
        step_loss: Takes the place of the stock loss.
    """

    loss_is_scaled_for_ga = True  # the loss is divided by what the whole step averages over

    def __init__(self, *args: Any, sampler: PlanSampler, step_loss: StepLoss, **kwargs: Any) -> None:
        super().__init__(*args, sums=step_loss.tally, **kwargs)
        self._plan_sampler = sampler
        self.step_loss = step_loss
        self.add_callback(_Epochs(sampler))

    def _get_train_sampler(self, train_dataset: Any = None) -> Sampler[Plan]:
        return self._plan_sampler

    def compute_loss(
        self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """Return this micro-batch's part of the step's loss."""
        # Gradients are averaged over the processes, and the parts are to be added up.
        loss = self.step_loss(model, inputs, num_items_in_batch) * self.args.world_size
        self.watch.see(loss)
        return loss

    def _get_num_items_in_batch(self, batch_samples: list[Any], device: torch.device) -> torch.Tensor:
        # Filled there: to copy a number to a GPU waits for all work that it was given.
        items = torch.full((), sum(map(self.step_loss.items, batch_samples)), device=device)
        return cast("torch.Tensor", self.accelerator.reduce(items, "sum"))


class _Epochs(TrainerCallback):
    """Tells the sampler the epoch."""

    def __init__(self, sampler: PlanSampler) -> None:
        self.sampler = sampler

    def on_epoch_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Set the epoch: with several processes a resumed loader would not pass it on."""
        self.sampler.set_epoch(state.global_step // self.sampler.steps)


class _Rhythm(TrainerCallback):
    """Says when to log and to save."""

    def __init__(self, save_every: int | None) -> None:
        self.save_every = save_every

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Save at every interval but the end, where the weights themselves are saved."""
        every = save_interval(self.save_every, state.max_steps)
        last = state.global_step == state.max_steps
        control.should_save = bool(every) and state.global_step % every == 0 and not last
        control.should_log = control.should_log or control.should_save or last


class _Progress(TrainerCallback):
    """Tells the caller about every step; on accelerators, which would have to wait, now and then."""

    def __init__(self, on_step: OnStep, tokens: Callable[[], int], trainer: ResumableTrainer) -> None:
        self.on_step = on_step
        self.tokens = tokens
        self.trainer = trainer
        self._told = -math.inf

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Report where a resumed run begins."""
        found = self.trainer.curve(self.trainer.measure)
        if found:
            self.on_step(state.global_step, state.max_steps, found[-1][1], self.tokens())

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Report the step's loss, or what stands for it, in this process."""
        latest, now = self.trainer.latest(), time.monotonic()
        waits = latest is not None and latest.device.type != "cpu" and now - self._told < TELL_EVERY
        if latest is None or (waits and state.global_step < state.max_steps):
            return
        self._told = now
        self.on_step(state.global_step, state.max_steps, float(latest), self.tokens())


def check_hooks(trainer: type, hooks: Mapping[str, tuple[str, ...]], supported: str) -> None:
    """Refuse a version of a library whose trainer would not call what ours overrides.

    Args:
        trainer: The library's.
        hooks: Methods that ours take the place of, and their parameters.
        supported: The requirement to install.

    Raises:
        PaftError: Naming the version and the method.
    """
    library = trainer.__module__.partition(".")[0]
    for name, needed in hooks.items():
        hook = getattr(trainer, name, None)
        if hook is None or tuple(inspect.signature(hook).parameters) != ("self", *needed):
            raise PaftError(
                f"{library} {import_module(library).__version__}: its {trainer.__name__} has no method "
                f"{name}({', '.join(needed)}), which training relies on: pip install '{supported}'"
            )
