"""The methods that are compared. Each is a patch of one configuration, nothing more.

To add one, write its entry here. A method that trains names its schedule and whose prompts it
trains on; all methods take the same number of optimiser steps over the same examples.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from paft.train.schedule import Mode

if TYPE_CHECKING:
    from paft.config import Train


@dataclass(frozen=True)
class Method:
    """How one method differs from the others.

    Attributes:
        summary: One line for tables and help.
        schedule: When its prompt changes; None for a method that does not train.
        prompts: Whose prompts it trains on: the user's own or the bank's training split.
    """

    summary: str
    schedule: Mode | None
    prompts: Literal["user", "bank"] = "bank"

    def settings(self, train: Train) -> Train:
        """The training settings as this method has them."""
        return train.model_copy(update={"schedule": self.schedule or train.schedule})


METHODS = {
    "base": Method("the model as it is, without training", None),
    "single": Method("fine-tuned on the user's own prompt", "single", "user"),
    "static": Method("every example keeps one prompt of the bank", "static"),
    "per_example": Method("a new prompt for every example and epoch", "example"),
    "per_step": Method("a new prompt at every optimiser step", "step"),
    "paft": Method("a new prompt every K optimiser steps", "block"),
}
