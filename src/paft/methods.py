"""The methods that are compared. Each is a patch of one configuration, nothing more.

To add one, write its entry here. A method that trains names its schedule and whose prompts it
trains on; all methods take the same number of optimiser steps over the same examples, unless their
patch says otherwise. Sources and differences from them: ``docs/methods.md``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from paft.errors import ConfigError
from paft.schema import parse
from paft.train.settings import Mode, Train

Chooser = Literal["top_accuracy", "bat", "zopo"]


@dataclass(frozen=True)
class Method:
    """How one method differs from the others.

    Attributes:
        summary: One line for tables and help.
        schedule: When its prompt changes; None for a method that does not train.
        prompts: Whose prompts it trains on: the user's own, the bank's training split, or one that it
            chooses.
        chooser: Who chooses that one; see :mod:`paft.experiment.baselines.choice`.
        patch: Training settings of its own, by name.
    """

    summary: str
    schedule: Mode | None
    prompts: Literal["user", "bank", "chosen"] = "bank"
    chooser: Chooser | None = None
    patch: Mapping[str, Any] = field(default_factory=dict)

    @property
    def trains_on_bank(self) -> bool:
        """Whether it trains on the prompts of the bank's training split."""
        return self.schedule is not None and self.prompts == "bank"

    def settings(self, train: Train) -> Train:
        """The training settings as this method has them.

        Raises:
            ConfigError: If what the method sets does not go with them.
        """
        changed = {"schedule": self.schedule or train.schedule, **self.patch}
        if not self.patch:
            return train.model_copy(update=changed)
        told = ", ".join(f"train.{key} {value!r}" for key, value in self.patch.items())
        return parse(Train, {**train.model_dump(), **changed}, f"a method sets {told}")


def main_method(names: Iterable[str]) -> str | None:
    """Return the method that a comparison is about; None where none of them trains on the bank.

    It is ``paft`` where that is there, else the first named of those that train on the bank: never the
    best observed, which luck would choose.
    """
    of_bank = [name for name in names if name in METHODS and METHODS[name].trains_on_bank]
    return "paft" if "paft" in of_bank else of_bank[0] if of_bank else None


def method_to_train(names: Sequence[str]) -> str:
    """Return the method that one training has: the only one, or what a comparison of several is about.

    Raises:
        ConfigError: If none of several trains on the bank, or the only one does not train.
    """
    name = names[0] if len(names) == 1 else main_method(names)
    if name is None:
        raise ConfigError(f"one model has one method, got methods {list(names)}: choose one with --method")
    if METHODS[name].schedule is None:
        raise ConfigError(f"method {name!r} does not train: choose another with --method")
    return name


# What is compared where nobody names a method. A prompt for every example meets more prompts in as many
# steps than one for K steps: it is ahead in short trainings and not behind in long ones (docs/methods.md).
DEFAULT = ("base", "single", "per_example")

METHODS = {
    "base": Method("the model as it is, without training", None),
    "single": Method("fine-tuned on the user prompt", "single", "user"),
    "top_accuracy": Method(
        "fine-tuned on the training prompt with the highest training accuracy before",
        "single", "chosen", "top_accuracy",
    ),
    "bat": Method(
        "fine-tuned on a prompt rewritten until perturbations harm it least (BATprompt)",
        "single", "chosen", "bat",
    ),
    "zopo": Method(
        "fine-tuned on the training prompt that a local search in embedding space finds (ZOPO)",
        "single", "chosen", "zopo",
    ),
    "neftune": Method(
        "the user prompt with noise on the embeddings (NEFTune)",
        "single", "user", patch={"neftune": 5.0},
    ),
    "token_matched": Method(
        "the user prompt for as many tokens as PAFT trains on",
        "single", "user", patch={"tokens": "paft"},
    ),
    "static": Method("every example keeps one prompt of the bank", "static"),
    "per_example": Method("a new prompt for every example and epoch", "example"),
    "per_step": Method("a new prompt at every optimiser step", "step"),
    "paft": Method("a new prompt every K optimiser steps", "block"),
    "augmented": Method(
        "a new prompt for every example, half of them crossed over, with words left out; weights averaged",
        "example", patch={"recombination": 0.5, "word_dropout": 0.15, "average": 0.3},
    ),
}  # fmt: skip
