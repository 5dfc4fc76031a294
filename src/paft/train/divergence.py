"""A training that diverges ends with the step, before anything of it is kept.

Losses are looked at where they are logged, every few steps, so no step waits for the device; the first
that is not finite is remembered on the device meanwhile. Weights are looked at before they are written or
validated, since a gradient may ruin them behind the last loss, and at the end what they compute. All
processes find the same and end together.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch
from transformers import TrainerCallback

from paft.errors import DivergedError
from paft.model.weights import first_not_finite

if TYPE_CHECKING:
    from transformers import Trainer

_NEVER = 2**31 - 1


class Watch(TrainerCallback):
    """Ends a training whose losses or weights are not finite.

    Args:
        trainer: What it watches.

    Attributes:
        first: The first step whose loss was not finite, on the device; None before the first loss.
    """

    def __init__(self, trainer: Trainer) -> None:
        self.trainer = trainer
        self.first: torch.Tensor | None = None

    def see(self, loss: torch.Tensor) -> None:
        """Take in a loss of the step that is under way."""
        step = torch.full((), self.trainer.state.global_step + 1, device=loss.device)
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
        self._end_if(
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
        self._end_if(not logits.isfinite().all(), "the model computes no finite numbers")

    def _end_if(self, broken: bool, what: str, where: str = "") -> None:
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
