"""The mean of the weights over the last share of training, in place of those of the last step.

Every step of that share counts equally: after the n-th of them the mean moves by (weights - mean) / n.
It costs no token, and one more copy of what is trained, in float32. Steps late in training wander
about a flat place that their mean lies nearer to (Izmailov et al., arXiv 1803.05407); here they also
are steps under different prompts.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from paft.train.trainer import Keeper

WEIGHTS = "average.safetensors"


class Averager(Keeper):
    """Keeps the mean of the trained weights.

    Args:
        share: Share of the steps, at the end, in (0, 1].
        steps: Optimiser steps of the run.

    Attributes:
        first: The first step that counts, from 1.
        means: The mean so far, by the name of the weights; empty before.
    """

    def __init__(self, share: float, steps: int) -> None:
        self.first = steps - max(1, round(share * steps)) + 1
        self.means: dict[str, torch.Tensor] = {}

    @torch.no_grad()
    def on_step_end(self, args: Any, state: Any, control: Any, model: Any = None, **kwargs: Any) -> None:
        """Take in the weights of a step."""
        count = state.global_step - self.first + 1
        if count < 1:
            return
        for name, weights in _trained(model):
            now = weights.detach().float()
            if count == 1:
                self.means[name] = now.clone()
            else:
                mean = self.means[name] = self.means[name].to(now.device)
                mean.add_((now - mean) / count)

    @torch.no_grad()
    def on_train_end(self, args: Any, state: Any, control: Any, model: Any = None, **kwargs: Any) -> None:
        """Put the mean in the place of the weights."""
        for name, weights in _trained(model):
            weights.copy_(self.means[name])

    def save(self, folder: Path) -> None:
        """Write the mean to a checkpoint."""
        if self.means:
            save_file({name: mean.contiguous() for name, mean in self.means.items()}, folder / WEIGHTS)

    def load(self, folder: Path) -> None:
        """Go on from a checkpoint."""
        path = folder / WEIGHTS
        self.means = load_file(path) if path.exists() else {}


def _trained(model: torch.nn.Module) -> list[tuple[str, torch.nn.Parameter]]:
    return [(name, weights) for name, weights in model.named_parameters() if weights.requires_grad]
