"""What goes wrong in training and a user can mend, in one message each.

A training that diverges ends with the step, before anything of it is kept. Losses are looked at where they
are logged, every few steps, so no step waits for the device; the first that is not finite is remembered on
the device meanwhile. Weights are looked at before they are written or validated, since a gradient may ruin
them behind the last loss, and at the end what they compute. All processes find the same and end together.
"""

from __future__ import annotations

import errno
import math
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError
from transformers import TrainerCallback

from paft.errors import DataError, DivergedError, ModelError, PaftError
from paft.files import disk_error
from paft.model.encode import Encoder
from paft.model.weights import first_not_finite
from paft.train.settings import Train

if TYPE_CHECKING:
    from transformers import Trainer

_NEVER = 2**31 - 1
_FROM_WORKER = re.compile(r"paft\.errors\.DataError: (.*)\s*\Z", re.DOTALL)


@contextmanager
def clear_errors(config: Train, micro_batch_size: int | None) -> Iterator[None]:
    """Turn errors of loader workers and of the device's memory into ours.

    Args:
        config: Training settings, for what may be lowered.
        micro_batch_size: Examples of a forward pass; None while the model is put on the device.

    Raises:
        DataError: With the message alone, if a row cannot be used.
        PaftError: If the device runs out of memory.
    """
    try:
        yield
    except DataError as error:
        found = _FROM_WORKER.search(str(error))  # a worker's comes with the traceback in its text
        if found is None:
            raise
        raise DataError(found[1].strip()) from None
    except torch.OutOfMemoryError as error:
        raise PaftError(_out_of_memory(config, micro_batch_size, str(error).splitlines()[0])) from error


def _out_of_memory(config: Train, micro_batch_size: int | None, said: str) -> str:
    """Say what to lower when memory runs out; none of it changes what is learnt but ``max_length``."""
    if micro_batch_size is None:
        four_bit = ", or train.adapt.method=qlora, which holds it in 4 bit" * (config.adapt.method != "qlora")
        return f"out of memory ({said}): the model does not fit on the device: take a smaller one{four_bit}"
    lower = []
    if micro_batch_size > 1:
        lower.append(
            f"train.micro_batch_size (now {micro_batch_size}) to {micro_batch_size // 2}; batch_size stays"
        )
    if not config.gradient_checkpointing:
        lower.append("memory of activations with train.gradient_checkpointing=true")
    lower.append(f"train.max_length (now {config.max_length})")
    if config.adapt.method != "qlora":
        lower.append(
            "what is trained: train.adapt.method " + ("lora" if config.adapt.method == "full" else "qlora")
        )
    return (
        f"out of memory ({said}): lower {', or '.join(lower)}. `paft train --dry-run` estimates what fits; "
        "the same command goes on from the last checkpoint if only memory was short"
    )


def write_failure(path: Path, error: Exception) -> PaftError | None:
    """Return the one-line error for a failed write in any library's form; None for other errors."""
    if isinstance(error, PaftError):
        return error
    if isinstance(error, OSError):
        return disk_error(path, error)
    # safetensors and torch wrap what the system says, without its number: a disk that is full, as a rule.
    if isinstance(error, SafetensorError) or "inline_container" in str(error):
        return disk_error(path, OSError(errno.ENOSPC, str(error).splitlines()[0]))
    return None


def check_vocabulary(encoder: Encoder, model: Any, name: str) -> None:
    """Refuse a tokenizer that makes ids the model has no embedding for.

    Control tokens do not count: data never becomes one.

    Args:
        encoder: Of the tokenizer.
        model: The model.
        name: What the user called the model.

    Raises:
        ModelError: Naming the largest such id.
    """
    rows = int(model.get_input_embeddings().weight.shape[0])
    vocabulary = encoder.tokenizer.get_vocab()
    largest = max((i for i in vocabulary.values() if not encoder.is_control(i)), default=0)
    used = {"padding token": encoder.pad, "end-of-sequence token": encoder.end, "vocabulary": largest}
    for what, token in used.items():
        if token >= rows:
            raise ModelError(
                f"model {name}: its tokenizer's {what} has id {token}, but the model has embeddings for ids "
                f"below {rows}: use the tokenizer that the model was trained with, or enlarge the embeddings "
                "(model.resize_token_embeddings) and save it"
            )


class Watch(TrainerCallback):
    """Ends a training whose losses or weights are not finite.

    Args:
        trainer: What it watches.

    Attributes:
        first: The first step whose loss was not finite, on the device; None before the first loss.
        loss: That of the newest step in this process, on the device; None before.
    """

    def __init__(self, trainer: Trainer) -> None:
        self.trainer = trainer
        self.first: torch.Tensor | None = None
        self.loss: torch.Tensor | None = None
        self._step = 0

    def see(self, loss: torch.Tensor) -> None:
        """Take in a loss of the step that is under way."""
        number = self.trainer.state.global_step + 1
        part = loss.detach()
        self.loss = part if self.loss is None or number != self._step else self.loss + part
        self._step = number
        step = torch.full((), number, device=loss.device)
        at = step.masked_fill(loss.detach().isfinite().all(), _NEVER)
        self.first = at if self.first is None else torch.minimum(self.first, at)

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **kwargs: Any) -> None:
        """End the training if the mean loss of the last steps is no number.

        Raises:
            DivergedError: Naming the first step without a finite loss.
        """
        if not logs or "loss" not in logs or math.isfinite(float(logs["loss"])):
            return
        step = state.global_step
        if self.first is not None:
            step = min(step, int(self.trainer.accelerator.gather(self.first[None]).min()))
        raise diverged(f"the loss of step {step} is NaN or infinite", self.trainer.args.learning_rate)

    def check_weights(self) -> None:
        """End the training if a weight that is trained is no number; all processes call it together.

        Raises:
            DivergedError: Naming the step and the weights.
        """
        model: Any = self.trainer.model
        trained = ((name, weight) for name, weight in model.named_parameters() if weight.requires_grad)
        broken = first_not_finite(trained)
        self.end_if(
            broken is not None, "the weights hold NaN or infinite numbers", f" ({broken})" * bool(broken)
        )

    @torch.no_grad()
    def check_result(self) -> None:
        """End the training if what it leaves computes no numbers: no loss follows the last step.

        All processes call it together.

        Raises:
            DivergedError: Naming the step.
        """
        self.check_weights()
        some_tokens = torch.arange(8, device=self.trainer.accelerator.device)[None]
        logits = self.trainer.model_wrapped(input_ids=some_tokens).logits
        self.end_if(not logits.isfinite().all(), "the model computes no finite numbers")

    def end_if(self, broken: bool, what: str, where: str = "") -> None:
        """End the training in all processes if something is broken in one."""
        accelerator, step = self.trainer.accelerator, self.trainer.state.global_step
        if int(accelerator.reduce(torch.tensor(int(broken), device=accelerator.device), "sum")):
            raise diverged(f"after step {step} {what}{where}", self.trainer.args.learning_rate)


def diverged(what: str, rate: float) -> DivergedError:
    """Return the error for a training that diverged."""
    return DivergedError(
        f"training diverged: {what}, so nothing of it was kept; lower train.learning_rate (now {rate:g}) or "
        "raise train.warmup"
    )
