"""What ``paft evaluate`` is told: models, prompts, cells and backend."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import Field, model_validator

from paft.config import BUILTIN_MODEL
from paft.errors import ConfigError
from paft.evaluate.scoring.server import ServedModel, Server
from paft.evaluate.settings import Evaluate
from paft.experiment.contenders import BASE, AdapterOnTask, Contender, check_name
from paft.names import folder_name, short_name
from paft.statistics.budget import parse_budget, sample_cells


class EvaluateConfig(AdapterOnTask):
    """Everything ``paft evaluate`` needs.

    Attributes:
        split: Prompts to evaluate on.
        adapters: Folders of several PEFT adapters by the name that tells them apart, instead of ``adapter``.
        base: Evaluate the model under the adapters too; not within a budget of cells.
        backend: What runs the model: ``hf`` (Transformers in this process), ``vllm``
            (:mod:`paft.evaluate.scoring.vllm`) or ``openai``, any OpenAI-compatible server, whose models are
            scored by what they write (:mod:`paft.evaluate.scoring.server`).
        server: Where that server is.
        output: Folder for the results.
        budget: Share of the cells to score, in (0, 1]; the rest is estimated
            (:mod:`paft.statistics.budget`).
        budget_evals: The same as a number of cells.
        budget_seed: Seed of the choice of cells, for ``precision`` too.
        precision: Score cells until the mean over all cells is known to so much on either side, in (0, 1),
            and the worst prompt to as much (:mod:`paft.statistics.precision`); of several models also the
            difference of every two means.
        mean_only: Do not look for the worst prompt, which takes more cells than the mean.
        evaluate: Settings of stage 3.
    """

    split: Literal["train", "validation", "test", "adversarial", "final"] = "test"
    adapters: dict[str, str] = Field(default_factory=dict)
    base: bool = True
    backend: Literal["hf", "vllm", "openai"] = "hf"
    server: Server = Server()
    output: str
    budget: float | None = Field(default=None, gt=0, le=1)
    budget_evals: int | None = Field(default=None, ge=1)
    budget_seed: int = Field(default=0, ge=0)
    precision: float | None = Field(default=None, gt=0, lt=1)
    mean_only: bool = False
    evaluate: Evaluate = Evaluate()

    @model_validator(mode="after")
    def _check_adapters(self) -> EvaluateConfig:
        if self.adapter is not None and self.adapters:
            raise ValueError("adapter and adapters say the same in two ways: give one of them")
        if len(self.adapters) > 1 and self.budgeted:
            raise ValueError(
                "a budget of cells is for one model: leave it out, give precision, which compares several, "
                "or evaluate each adapter into a folder of its own"
            )
        if self.any_base and not self.adapter_folders:
            raise ValueError("any_base puts an adapter on another base: give the adapter too")
        for name in self.adapters:
            check_name(name)
        if self.with_base and BASE in self.adapter_folders:
            raise ValueError(f"an adapter called {BASE!r} stands beside the base itself: --adapter NAME=DIR")
        return self

    @model_validator(mode="after")
    def _check_model(self) -> EvaluateConfig:
        _, sign, folder = self.model.partition("=")
        if sign and not Path(self.model).exists() and Path(folder).is_dir():
            raise ValueError(
                f"model {self.model!r}: whole models are evaluated one by one and have no names; evaluate "
                "each into a folder of its own (--output), and compare them by `paft report FOLDER FOLDER`"
            )
        return self

    @model_validator(mode="after")
    def _check_budget(self) -> EvaluateConfig:
        if self.budget is not None and self.budget_evals is not None:
            raise ValueError("budget and budget_evals say the same in two ways: give one of them")
        if self.precision is not None and self.budgeted:
            raise ValueError("a budget sets the number of cells, and so does precision: give one of them")
        if self.mean_only and self.precision is None:
            raise ValueError("mean_only says what precision is wanted of: give precision too")
        return self

    @model_validator(mode="after")
    def _check_backend(self) -> EvaluateConfig:
        if self.backend != "openai":
            if self.server != Server():
                raise ValueError("a server (--base-url, server.*) needs --backend openai")
            return self
        if self.revision is not None:
            raise ValueError("a server says itself which revision of a model it has: leave --revision out")
        if self.adapter_folders:
            raise ValueError("a server loads its adapters itself: give what it calls the adapter as --model")
        if self.model == BUILTIN_MODEL and "model" not in self.model_fields_set:
            raise ValueError("a server has models of its own: name one with --model")
        if self.chat.enabled and self.server.completions:
            raise ValueError("--chat and --completions exclude each other: give one of them")
        return self

    @property
    def served(self) -> ServedModel:
        """The model behind the server."""
        return ServedModel(self.model, self.server, self.chat.system)

    def cells(self, prompts: int, examples: int) -> np.ndarray | None:
        """Return which cells to score, shape ``(P, N)`` of bool; None for all.

        Raises:
            ConfigError: If the budget is too small or larger than the matrix.
        """
        if self.budget is not None:
            count = parse_budget(str(self.budget), prompts, examples)
        elif self.budget_evals is not None:
            count = self.budget_evals
        else:
            return None
        try:
            return sample_cells(prompts, examples, count, self.budget_seed)
        except ValueError as error:
            raise ConfigError(f"budget: {error}") from error

    @property
    def budgeted(self) -> bool:
        """Whether a given number of the cells is scored."""
        return (self.budget, self.budget_evals) != (None, None)

    @property
    def with_base(self) -> bool:
        """Whether the model under adapters is evaluated too."""
        return self.base and bool(self.adapter_folders) and not self.budgeted

    @property
    def adapter_folders(self) -> dict[str, Path]:
        """The folders of all adapters by name."""
        if self.adapter is not None:
            return {self.name: Path(self.adapter)}
        return {name: Path(folder) for name, folder in self.adapters.items()}

    @property
    def contenders(self) -> list[Contender]:
        """All models, the base first."""
        adapters = [Contender(name, self.pinned_model, at) for name, at in self.adapter_folders.items()]
        if adapters:
            return [Contender(BASE, self.pinned_model)] * self.with_base + adapters
        return [Contender(self.name, self.pinned_model)]

    @property
    def compared(self) -> list[str]:
        """Names of the pair in the headline: the second adapter and the first, or one and its base."""
        names = [each.name for each in self.contenders]
        adapters = names[self.with_base :] if len(self.adapter_folders) > 1 else names
        return adapters[1::-1]

    @property
    def name(self) -> str:
        """What rows and folders call the only model."""
        if self.backend == "openai":  # an id there, even if a folder has the same name here
            return short_name(Path(self.model).name, "model")
        return folder_name(self.adapter or self.model, "model")
