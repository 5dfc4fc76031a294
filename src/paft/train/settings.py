"""Settings of stage 2, the section ``train`` of a configuration."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from paft.schema import Schema
from paft.train.grpo.settings import Grpo

Mode = Literal["single", "static", "example", "step", "block"]  # see paft.train.schedule
BY_EXAMPLE = ("static", "example")  # those in which examples of a step have prompts of their own
Draws = Literal["replacement", "cycle"]
LARGEST_SEED = 2**32 - 1  # that the generators of numpy take
GRPO_RATE = 1e-5  # peak rate of reinforcement fine-tuning where none is given
LrScheduler = Literal[
    "linear",
    "cosine",
    "cosine_with_restarts",
    "polynomial",
    "constant",
    "constant_with_warmup",
    "inverse_sqrt",
]
# Former names of keys, which files of earlier versions have.
RENAMED = {
    "canonical_ratio": "user_prompt_share",
    "crossover": "recombination",
    "prompt_dropout": "word_dropout",
}
# What did not pay and was removed; see docs/results.md.
_REMOVED = ("worst", "consistency", "curriculum", "low_kl", "augment_fraction", "weights")
# Settings that change no figure: who does the work, what is kept of it, where it is reported.
FREE = ("workers", "save_every", "report_to")
# Switches, and the values of others that they go with alone.
_APART: dict[str, list[tuple[str, Any, str]]] = {
    "max_steps": [("tokens", None, "both set the length of training")],
    "neftune": [("padding_free", False, "the noise depends on the length of a row")],
    "average": [
        ("keep", "last", "the best weights are those of one step"),
        ("patience", None, "the last share of the steps must be known"),
    ],
}
# What reinforcement fine-tuning cannot do, by key: what it must be left at, and why.
_NOT_IN_GRPO: dict[str, tuple[Any, str]] = {
    "tokens": (None, "how long sampled completions are is not known beforehand"),
    "loss": ("token", "its own loss is train.grpo.loss_type"),
    "padding_free": (False, "its batches are padded"),
    "group_by_length": ("auto", "its batches are those that the schedule draws"),
    "neftune": (None, "noise would be in what is sampled"),
    "compile": (False, "sampling changes shapes at every token"),
}


class Adapt(Schema):
    """What is trained.

    Attributes:
        method: ``lora`` (an adapter beside frozen weights), ``qlora`` (the same beside weights held
            in 4 bit) or ``full`` (all weights, as for the built-in model).
        rank: Rank r of LoRA. PAPER: 8.
        alpha: LoRA's scale is alpha / rank. PAPER: 16.
        dropout: Dropout before the adapter.
        targets: Names of modules that get an adapter, or ``all-linear``. PAPER: q_proj, v_proj.
        rslora: Scale by alpha / sqrt(rank) instead, which keeps high ranks learning.
        dora: Learn length and direction of each weight apart (DoRA); slower, for low ranks.
        modules_to_save: Names of modules trained whole and stored in the adapter; none by default.
    """

    method: Literal["lora", "qlora", "full"] = "lora"
    rank: int = Field(default=16, ge=1)
    alpha: float = Field(default=32, gt=0)
    dropout: float = Field(default=0.0, ge=0, lt=1)
    targets: str | tuple[str, ...] = "all-linear"
    rslora: bool = False
    dora: bool = False
    modules_to_save: tuple[str, ...] | None = None

    @model_validator(mode="after")
    def _check_variants(self) -> Adapt:
        on = [name for name in ("rslora", "dora", "modules_to_save") if getattr(self, name)]
        if self.method == "full" and on:
            raise ValueError(f"{on[0]} needs an adapter: set method to lora or qlora, or leave it out")
        return self

    @property
    def quantised(self) -> bool:
        """Whether the frozen weights are held in 4 bit."""
        return self.method == "qlora"


class Train(Schema):
    """Stage 2.

    Attributes:
        algorithm: ``sft``: supervised fine-tuning on the gold answers; ``grpo``: reinforcement fine-tuning
            on sampled answers and their rewards, section ``grpo``; needs the extra ``rl``.
        schedule: When the prompt changes; methods set it.
        resample_every: K, optimiser steps that share one prompt (schedule ``block``).
        draws: ``replacement`` (PAPER), or ``cycle``: every prompt comes once before one comes again.
        user_prompt_share: Share of steps (of examples in schedules by example) that train on the
            user prompt, which is then drawn at no other.
        prompts: Training prompts of the bank that are used, a random choice by the run's seed; all by
            default. That of 4 is a part of that of 8.
        examples: Training examples used at most (a fixed random sample); all by default.
        redraw: Draw that sample anew for each seed, so that differences between seeds are also those between
            training examples.
        max_length: Tokens of prompt and answer together at most.
        word_dropout: Share of a prompt's words that is left out, anew for every example and step;
            see :mod:`paft.train.variation`. Like the next one, no part of ``single``.
        recombination: Share of the examples whose prompt ends as another one does, drawn anew for every
            example and step; see :mod:`paft.train.variation`.
        epochs: T, passes over the training examples.
        max_steps: Length of training in optimiser steps instead of ``epochs``, as the Trainer's
            ``max_steps``: it ends within an epoch or goes on past T of them. The draws stay the same.
        tokens: Length of training in tokens of prompts and answers instead of ``epochs``; ``paft``:
            as many as method ``paft`` takes without it. See :mod:`paft.train.length`.
        batch_size: Examples per optimiser step over all devices; 8 for the built-in model.
        micro_batch_size: Examples (under ``grpo`` completions) per device and forward pass; all of them by
            default.
        group_by_length: Batches of similar length, for less padding. ``auto``: in schedules by example,
            whose prompts differ in length within a batch, unless there is no padding. Off is PAPER.
        padding_free: No padding at all: the examples of a batch share one row.
        workers: Processes beside each training process that render and tokenise; none by default.
        loss: What a step averages over: answer tokens or examples; see :mod:`paft.train.loss`.
        optimizer: As the Trainer's ``optim`` names it: ``adamw_torch_fused``, ``adamw_8bit``, ``sgd`` ...
        learning_rate: Peak rate; 0.001 for the built-in model. PAPER: 1e-4. Under ``grpo`` 1e-5, for the
            built-in model 1e-4; PAPER: 5e-6.
        lr_scheduler: How the rate changes after the warmup, as the Trainer's ``lr_scheduler_type``
            names it; of those that need no further arguments.
        warmup: Share of steps over which the rate rises.
        weight_decay: The optimizer's weight decay.
        max_grad_norm: Norm to which the gradient of a step is clipped; 0 for no clipping.
        neftune: Noise on embeddings, alpha of NEFTune (arXiv 2310.05914).
        average: Share of the steps, at the end, over which the weights are averaged; see
            :mod:`paft.train.average`.
        precision: ``auto``, ``float32`` or ``bfloat16``; see :mod:`paft.train.numerics`.
        gradient_checkpointing: Compute layers again in the backward pass: less memory, more time.
        compile: Compile the layers (torch.compile); costs minutes at the start, so for long runs.
        attention: The library's name of an implementation (``sdpa``, ``flash_attention_2``); the
            model's own choice by default.
        save_every: Optimiser steps between checkpoints; 0 for none; by default a tenth of the run,
            at least 50 steps.
        report_to: Where the log goes too, as the Trainer names it: ``tensorboard``, ``wandb`` ...
        validate_every: Optimiser steps between validations on the bank's validation prompts, or a
            share of all steps below 1; none by default. See :mod:`paft.train.validation`.
        validate_examples: Validation examples at most: of the task's validation data, else held out
            from the training examples (then at most a tenth of them).
        validate_by: What a better model is better in: ``mean`` or ``min`` (worst) accuracy over the
            validation prompts.
        keep: Weights that stay: those of the ``best`` validation or the ``last``.
        patience: Validations in a row without a better one after which training stops.
        start_from: Folder of a LoRA adapter to go on from, of SFT say; by default a new one is trained.
        adapt: What is trained.
        grpo: Settings of ``algorithm: grpo``.
    """

    algorithm: Literal["sft", "grpo"] = "sft"

    # The prompt schedule
    schedule: Mode = "block"
    resample_every: int = Field(default=4, ge=1)
    draws: Draws = "replacement"
    user_prompt_share: float = Field(default=0.0, ge=0, le=1)

    # What is trained on
    prompts: int | None = Field(default=None, ge=1)
    examples: int | None = Field(default=None, ge=1)
    redraw: bool = False
    max_length: int = Field(default=1024, ge=8)
    word_dropout: float | None = Field(default=None, gt=0, lt=1)
    recombination: float | None = Field(default=None, gt=0, le=1)

    # How long, in which batches
    epochs: int = Field(default=3, ge=1)
    max_steps: int | None = Field(default=None, ge=1)
    tokens: Literal["paft"] | Annotated[int, Field(ge=1)] | None = None
    batch_size: int = Field(default=16, ge=1)
    micro_batch_size: int | None = Field(default=None, ge=1)
    group_by_length: bool | Literal["auto"] = "auto"
    padding_free: bool = False
    workers: int = Field(default=0, ge=0)

    # Loss and optimizer
    loss: Literal["token", "example"] = "token"
    optimizer: str = Field(default="adamw_torch_fused", min_length=1)
    learning_rate: float = Field(default=2e-4, gt=0)
    lr_scheduler: LrScheduler = "cosine"
    warmup: float = Field(default=0.1, ge=0, lt=1)
    weight_decay: float = Field(default=0.0, ge=0)
    max_grad_norm: float = Field(default=1.0, ge=0, allow_inf_nan=False)
    neftune: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    average: float | None = Field(default=None, gt=0, le=1)

    # Precision, memory and speed
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    gradient_checkpointing: bool = False
    compile: bool = False
    attention: str | None = Field(default=None, min_length=1)

    # Checkpoints, log and validation
    save_every: int | None = Field(default=None, ge=0)
    report_to: tuple[str, ...] = ()
    validate_every: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    validate_examples: int = Field(default=200, ge=1)
    validate_by: Literal["mean", "min"] = "mean"
    keep: Literal["best", "last"] = "last"
    patience: int | None = Field(default=None, ge=1)

    # What is trained
    start_from: str | None = Field(default=None, min_length=1)
    adapt: Adapt = Adapt()

    grpo: Grpo = Grpo()

    @model_validator(mode="before")
    @classmethod
    def _read_former(cls, data: Any) -> Any:
        """Read former names; refuse by name what was removed, but for null, which was recorded for off."""
        if not isinstance(data, dict):
            return data
        for name in _REMOVED:
            if data.get(name) is not None:
                raise ValueError(
                    f"{name} was removed, since it showed no benefit (docs/results.md): leave it out, or use "
                    "commit e504c2b, the last that has it"
                )
        for old, new in RENAMED.items():
            if old in data and new in data:
                raise ValueError(f"{old} is the former name of {new}, which is there too: leave {old} out")
        return {RENAMED.get(key, key): value for key, value in data.items() if key not in _REMOVED}

    @model_validator(mode="after")
    def _fill_in_rate(self) -> Train:
        if self.algorithm == "grpo" and "learning_rate" not in self.model_fields_set:
            self.__dict__["learning_rate"] = GRPO_RATE  # not as set: the built-in model has a rate of its own
        return self

    @model_validator(mode="after")
    def _check_attention(self) -> Train:
        if self.precision == "float32" and (self.attention or "").startswith("flash"):
            raise ValueError(f"attention {self.attention!r} cannot compute in float32: set precision to auto")
        return self

    @field_validator("report_to", mode="before")
    @classmethod
    def _check_report_to(cls, names: Any) -> Any:
        names = [names] if isinstance(names, str) else names
        return [] if names == ["none"] else names

    @model_validator(mode="after")
    def _check_validation(self) -> Train:
        every = self.validate_every
        if every is not None and every >= 1 and every % 1:
            raise ValueError(f"validate_every {every}: give whole steps, or a share of all steps below 1")
        if every is None and (self.keep == "best" or self.patience is not None):
            raise ValueError("keep 'best' and patience need validations: set validate_every, say to 0.1")
        return self

    @property
    def user_prompt_first(self) -> bool:
        """Whether the user prompt is the first of the training prompts, with a share of its own."""
        return self.schedule != "single" and self.user_prompt_share > 0

    def length(self, per_epoch: int) -> int:
        """Return the optimiser steps of a training whose epochs have so many, unless ``tokens`` decides."""
        return self.epochs * per_epoch if self.max_steps is None else self.max_steps

    def rounds(self, per_epoch: int) -> int:
        """Return the steps of the schedule of a training whose epochs have so many of them."""
        return -(-self.length(per_epoch * self.iterations) // self.iterations)

    @property
    def groups_by_length(self) -> bool:
        """Whether batches are of similar length."""
        if self.group_by_length == "auto":
            return self.schedule in BY_EXAMPLE and not self.padding_free and self.algorithm == "sft"
        return self.group_by_length

    @property
    def rows_per_step(self) -> int:
        """Sequences of a step over all devices: examples, under ``grpo`` completions."""
        return self.batch_size * (self.grpo.generations if self.algorithm == "grpo" else 1)

    @property
    def told(self) -> dict[str, str | None]:
        """What a reader of a model card has to know of the algorithm and the start; None for nothing."""
        algorithm = self.grpo.summary if self.algorithm == "grpo" else None
        return {"Reinforcement": algorithm, "Started from": self.start_from}

    @property
    def iterations(self) -> int:
        """Optimiser steps of one step of the schedule."""
        return self.grpo.iterations if self.algorithm == "grpo" else 1

    @model_validator(mode="after")
    def _check_algorithm(self) -> Train:
        """Refuse settings that the algorithm would pass over."""
        if self.algorithm == "sft":
            changed = [key for key in Grpo.model_fields if getattr(self.grpo, key) != getattr(Grpo(), key)]
            if changed:
                raise ValueError(f"grpo.{changed[0]} goes with algorithm 'grpo': set it, or leave grpo out")
            return self
        for name, (off, why) in _NOT_IN_GRPO.items():
            if getattr(self, name) != off:
                raise ValueError(f"algorithm 'grpo' does not go with {name} {getattr(self, name)!r}: {why}")
        if self.adapt.dropout:
            raise ValueError(
                "algorithm 'grpo' does not go with adapt.dropout: it would be in what is sampled"
            )
        if self.adapt.modules_to_save or "lm_head" in self.adapt.targets:
            raise ValueError(
                "algorithm 'grpo' does not go with adapt.modules_to_save or an adapter on lm_head: TRL reads "
                "probabilities from the output's own weights"
            )
        if self.save_every and self.save_every % self.iterations:
            raise ValueError(
                f"save_every {self.save_every} is not a multiple of grpo.iterations {self.iterations}: "
                "between steps on the same completions nothing is saved"
            )
        if self.grpo.spanned > 1 and (self.draws == "cycle" or self.user_prompt_share):
            raise ValueError(
                "grpo.group 'spanning' draws several prompts at once: leave draws at replacement and "
                "user_prompt_share at 0"
            )
        return self

    @model_validator(mode="after")
    def _check_start(self) -> Train:
        if self.start_from is not None and self.adapt.method == "full":
            raise ValueError(
                "start_from is an adapter: to go on with all weights, name their folder as model"
            )
        return self

    @model_validator(mode="after")
    def _check_switches(self) -> Train:
        for one, others in _APART.items():
            if getattr(self, one) is None:
                continue
            for name, off, why in others:
                if getattr(self, name) != off:
                    raise ValueError(f"{one} does not go with {name} {getattr(self, name)!r}: {why}")
        return self

    @model_validator(mode="after")
    def _check_redraw(self) -> Train:
        if self.redraw and self.examples is None:
            raise ValueError("redraw draws anew what examples limits: set examples, or leave redraw out")
        return self
