"""What a run will go through, settled before its first step: prompts, schedule, number of steps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paft.errors import ConfigError
from paft.files import fingerprint
from paft.model.load import LanguageModel
from paft.prompt import Prompt
from paft.task.task import Example
from paft.train.average import Averager
from paft.train.batches import RenderedExamples
from paft.train.curriculum import rising_schedule
from paft.train.failures import check_vocabulary
from paft.train.length import training_steps
from paft.train.probe import SCORES, Score, nearest_prompts, probe
from paft.train.schedule import Schedule, make_schedule
from paft.train.settings import Train
from paft.train.tally import StepTally
from paft.train.variation import variation
from paft.train.worst import DrawnSchedule, WorstPrompts, drawn_schedule

if TYPE_CHECKING:
    from transformers import TrainingArguments

    from paft.train.trainer import PromptTrainer

# What has no part in schedule "single", which knows one prompt.
_OF_PROMPTS = (
    "worst", "consistency", "prompt_dropout", "crossover", "augment_fraction", "low_kl", "curriculum"
)  # fmt: skip


@dataclass(frozen=True)
class Course:
    """What a run will go through.

    Attributes:
        config: Its settings; those that have no part in the schedule are off.
        dataset: Its examples under its prompts.
        schedule: Chooses the prompts.
        plain: The same schedule with uniform draws, where prompts follow from losses: what can be
            looked at before training.
        steps: Optimiser steps.
        scores: Of the training prompts, where settings go by them.
    """

    config: Train
    dataset: RenderedExamples
    schedule: Schedule
    plain: Schedule
    steps: int
    scores: tuple[Score, ...] = ()

    def inputs(self) -> dict[str, Any]:
        """What a checkpoint depends on beside the settings, by name."""
        return {
            "steps": self.steps if self.config.tokens is not None else None,
            "scores of prompts": fingerprint([asdict(s) for s in self.scores]) if self.scores else None,
        }


@dataclass(frozen=True)
class Beside:
    """What a run needs beside the prompts it trains on, for some settings.

    Attributes:
        own: The user's own prompt, which ``train.low_kl`` compares with.
        reference: The training prompts of plain PAFT, whose tokens ``train.tokens: paft`` counts; by
            default those that are trained on.
        on_steps: Called with the number of steps where ``train.tokens`` decides it.
    """

    own: Prompt | None = None
    reference: Sequence[Prompt] | None = None
    on_steps: Callable[[int], None] = lambda steps: None


def plan_course(
    language_model: LanguageModel,
    examples: Sequence[Example],
    prompts: Sequence[Prompt],
    config: Train,
    beside: Beside,
    args: TrainingArguments,
    *,
    seed: int,
    output: Path,
) -> Course:
    """Settle what a run will go through.

    Args:
        language_model: Untouched; it scores the prompts where settings go by that.
        examples: Training examples.
        prompts: Training prompts, as of :func:`paft.train.schedule.make_schedule`.
        config: Training settings.
        beside: What else some settings need.
        args: The trainer's settings, which are told the number of steps if tokens decide it.
        seed: Seed of the run.
        output: Where the weights will lie; scores of prompts are kept beside them.

    Raises:
        ModelError: If the tokenizer makes ids that the model does not know.
        ConfigError: If settings do not fit the prompts.
        DataError: If an answer does not fit.
    """
    if config.schedule == "single":
        config = config.model_copy(update=dict.fromkeys(_OF_PROMPTS))
    reference = list(prompts if beside.reference is None else beside.reference)
    encoder = language_model.encoder(config.max_length)
    check_vocabulary(encoder, language_model.model, language_model.name)
    scores: list[Score] = []
    if config.low_kl is not None or config.curriculum is not None:
        if config.low_kl is not None and beside.own is None:
            raise ConfigError("train.low_kl needs the user's own prompt: give it (own), or leave low_kl out")
        with args.main_process_first(local=False):  # the others read what the first one wrote
            path = output.with_name(SCORES)
            scores = probe(language_model, examples, prompts, beside.own, config.max_length, path)
    if config.low_kl is not None:
        chosen = screened(scores, config.low_kl, config.own_prompt_first)
        prompts, scores = [prompts[i] for i in chosen], [scores[i] for i in chosen]
    dataset = RenderedExamples(examples, prompts, encoder, variation(config, prompts, seed))
    plain = make_schedule(config, prompts, seed=seed, examples=len(examples))
    steps = training_steps(config, dataset, plain, reference)
    if config.tokens is not None:
        args.max_steps = steps
        beside.on_steps(steps)
    schedule = plain
    if config.worst is not None:
        schedule = drawn_schedule(plain)
    elif config.curriculum is not None:
        schedule = rising_schedule(plain, config.curriculum, [score.loss for score in scores], steps)
    return Course(config, dataset, schedule, plain, steps, tuple(scores))


def screened(scores: Sequence[Score], share: float, own_first: bool) -> list[int]:
    """Return the prompts that ``train.low_kl`` keeps; the user's own is no part of the share.

    Args:
        scores: Of all training prompts.
        share: Share of them that stays.
        own_first: Whether the first is the user's own.
    """
    kept = nearest_prompts(scores[own_first:], share)
    return [0, *(i + 1 for i in kept)] if own_first else kept


def add_keepers(trainer: PromptTrainer, course: Course) -> None:
    """Add what some settings do between the steps.

    Raises:
        ConfigError: If weights are to be averaged of which each process holds a part.
    """
    config, schedule, tally = course.config, course.schedule, trainer.step_loss.tally
    if config.worst is not None and isinstance(schedule, DrawnSchedule) and isinstance(tally, StepTally):
        trainer.add_keeper(WorstPrompts(schedule, config.worst, tally, trainer.accelerator.reduce))
    if config.average is None:
        return
    if trainer.sharded:
        raise ConfigError(
            "train.average needs all weights in every process: leave it out with FSDP, DeepSpeed"
        )
    trainer.add_keeper(Averager(config.average, course.steps))
