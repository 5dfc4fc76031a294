"""Supervised fine-tuning: the Hugging Face Trainer, fed by the prompt schedule.

Three things differ from the stock trainer: the sampler, which yields (example, prompt) plans, the
loss, which looks at answer tokens alone, and checkpoints, from which a killed run continues to the
same bits. Devices, precision and scale stay accelerate's.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import torch
from safetensors import SafetensorError
from transformers import PrinterCallback, TrainingArguments, set_seed

from paft.errors import ConfigError, DivergedError, expect, expect_items, expect_whole
from paft.model.adapter import CONFIG as ADAPTER_CONFIG
from paft.model.adapter import base_record
from paft.model.chat import save_chat
from paft.model.load import LanguageModel
from paft.model.quantised import is_quantised
from paft.progress import quiet
from paft.prompt import Prompt
from paft.task.task import Example
from paft.train.arguments import training_arguments
from paft.train.average import Averager
from paft.train.batches import Collator, RenderedExamples, make_sampler
from paft.train.checkpoint import Checkpoints, checkpoint_folder, remove_checkpoints, training_inputs
from paft.train.failures import check_vocabulary, clear_errors, write_failure
from paft.train.length import Preview, preview, training_steps
from paft.train.loss import PromptSums, StepCollator, StepLoss, Tally
from paft.train.numerics import trainable
from paft.train.schedule import Schedule, make_schedule
from paft.train.settings import LARGEST_SEED, Train
from paft.train.trainer import OnStep, PromptTrainer, ResumableTrainer
from paft.train.validation import Point, Validation, Validator, best_point, validation_points
from paft.train.variation import variation

if TYPE_CHECKING:
    from transformers import PreTrainedModel


@dataclass(frozen=True, repr=False)
class Trained:
    """What a training run did.

    Attributes:
        steps: Optimiser steps.
        tokens: Tokens of prompts and answers that went through the model, padding not counted.
        seconds: Wall-clock seconds of the loop over all interruptions; work that a kill destroyed
            is not counted.
        loss: Mean loss of the steps, in nats; see :mod:`paft.train.loss`.
        truncated: Training sequences, of those looked at, whose prompt was cut to ``max_length``.
        looked_at: Sequences looked at, spread over the first epoch; see :mod:`paft.train.length`.
        curve: (step, mean loss of the steps since the former entry), every few steps
            and at every checkpoint.
        by_prompt: How training went under each prompt, by its id; under ``grpo`` of
            :class:`paft.train.grpo.rewards.RewardRecord`.
        validations: (step, mean, min) of every validation; see :mod:`paft.train.validation`.
        kept: The step whose weights were kept; with ``train.average`` the last of those averaged.
        damaged: Checkpoints that were passed over when it was resumed, and what is wrong with each.
        rewards: (step, mean reward of the completions since the former entry), under ``grpo``.
    """

    steps: int
    tokens: int
    seconds: float
    loss: float
    truncated: int
    looked_at: int
    curve: tuple[tuple[int, float], ...]
    by_prompt: dict[str, Any]
    validations: tuple[Point, ...] = ()
    kept: int | None = None
    damaged: tuple[str, ...] = ()
    rewards: tuple[tuple[int, float], ...] = ()

    def __repr__(self) -> str:
        met = f"{len(self.by_prompt)} prompts met"
        return f"Trained({self.steps} steps, {self.tokens} tokens, mean loss {self.loss:.3f}, {met})"


@quiet()
def fine_tune(
    language_model: LanguageModel,
    examples: Sequence[Example],
    prompts: Sequence[Prompt],
    config: Train,
    *,
    seed: int,
    output: str | Path,
    on_step: OnStep | None = None,
    keep_checkpoints: bool = False,
    validation: Validation | None = None,
    reference: Sequence[Prompt] | None = None,
    on_steps: Callable[[int], None] | None = None,
) -> Trained:
    """Fine-tune and save the result; continue from a checkpoint that a killed run left.

    Args:
        language_model: What to start from; its weights are changed in place.
        examples: Training examples.
        prompts: The prompts the schedule draws from; see :func:`paft.train.schedule.make_schedule`.
        config: Settings, schedule included.
        seed: Seed of schedule, order and adapter initialisation.
        output: Folder for the adapter (LoRA) or the whole model (full); appears when complete.
        on_step: Called with (step, all steps, its loss, tokens so far), first where a resumed run begins.
        keep_checkpoints: Leave them to the caller, who deletes them when the record is safe too.
        validation: What ``train.validate_every`` validates on; without it nothing is validated.
        reference: The prompts whose tokens ``train.tokens: paft`` counts; by default ``prompts``.
        on_steps: Called with the number of steps where ``train.tokens`` decides it.

    Raises:
        ConfigError: If settings do not fit the prompts, the devices or each other.
        DataError: If an answer does not fit ``max_length``.
        ModelError: If the tokenizer makes ids that the model does not know.
        ResumeError: If there is a checkpoint of other inputs.
        DivergedError: If losses or weights are not finite; nothing of it is kept.
        PaftError: If a checkpoint or the result cannot be written.
    """
    seed, output = check_arguments(language_model, examples, prompts, config, seed, output, "sft")
    set_seed(seed)
    part = output.with_name(f".{output.name}.part")
    args = training_arguments(config, seed, part, logs=output.with_name("logs"))

    # On which batches: examples under the prompts that the schedule draws.
    encoder = language_model.encoder(config.max_length)
    check_vocabulary(encoder, language_model.model, language_model.name)
    dataset = RenderedExamples(examples, prompts, encoder, variation(config, prompts, seed))
    schedule = make_schedule(config, len(prompts), seed=seed, examples=len(examples))
    steps = training_steps(config, dataset, schedule, prompts if reference is None else reference)
    if config.tokens is not None or config.max_steps is not None:
        args.max_steps = steps
        if config.tokens is not None and on_steps is not None:
            on_steps(steps)
    looked = preview(dataset, make_sampler(config, dataset, schedule))

    # From the newest checkpoint of the same inputs, if there is one.
    shutil.rmtree(part, ignore_errors=True)
    inputs = training_inputs(
        language_model, examples, prompts, config,
        seed=seed, processes=args.world_size, device=args.device.type,
    )  # fmt: skip
    inputs |= {"validation": validation and validation.fingerprint(), "steps": config.tokens and steps}
    checkpoints = Checkpoints(checkpoint_folder(output), inputs)

    # What is trained, with which loss.
    with clear_errors(config, None):
        trainer = make_trainer(language_model, dataset, schedule, config, args, checkpoints, on_step)
    return complete_training(
        trainer, language_model, config, validation, part, output,
        steps=steps, keep_checkpoints=keep_checkpoints,
        summarise=lambda: summarise(trainer, config, looked, trainer.step_loss.tally, dataset.prompts),
    )  # fmt: skip


def complete_training(
    trainer: ResumableTrainer, language_model: LanguageModel, config: Train, validation: Validation | None,
    part: Path, output: Path, *, steps: int, keep_checkpoints: bool, summarise: Callable[[], Trained],
) -> Trained:  # fmt: skip
    """Train to the last step with all that stands beside the steps, and save the weights that stay.

    Args:
        trainer: Ready to run.
        language_model: What it trains.
        config: Settings.
        validation: What ``train.validate_every`` validates on, if anything.
        part: Folder to write to first.
        output: Where the result goes.
        steps: Optimiser steps.
        keep_checkpoints: Leave them to the caller.
        summarise: Says what the training did, before the weights are saved.
    """
    _average_weights(trainer, config, steps)
    validator = _validator(trainer, language_model, validation, config)
    try:
        with clear_errors(config, trainer.args.per_device_train_batch_size):
            trainer.run()
    except DivergedError:
        if trainer.is_world_process_zero():
            shutil.rmtree(part, ignore_errors=True)
            remove_checkpoints(output)
        raise
    # The weights that stay, then the record; checkpoints go last.
    trained = summarise()
    _save_result(trainer, language_model, validator, config, part, output)
    if trainer.is_world_process_zero() and not keep_checkpoints:
        remove_checkpoints(output)
    trainer.accelerator.wait_for_everyone()
    return trained


def _average_weights(trainer: ResumableTrainer, config: Train, steps: int) -> None:
    if config.average is None:
        return
    if trainer.sharded:
        raise ConfigError(
            "train.average needs all weights in every process: leave it out with FSDP, DeepSpeed"
        )
    trainer.add_keeper(Averager(config.average, steps))


def check_arguments(
    language_model: LanguageModel, examples: Sequence[Example], prompts: Sequence[Prompt], config: Train,
    seed: int, output: str | Path, algorithm: str,
) -> tuple[int, Path]:  # fmt: skip
    """Refuse arguments of other types than a training takes, and settings of another algorithm.

    Returns:
        Seed and output as Python's own.

    Raises:
        ConfigError: Naming the first.
    """
    expect(language_model, LanguageModel, "the model (as load_model returns it)")
    expect_items(examples, Example, "the training examples")
    expect_items(prompts, Prompt, "the training prompts (of a split: bank['train'])")
    expect(config, Train, "the training settings")
    seed = expect_whole(seed, "the seed", most=LARGEST_SEED)
    expect(output, (str, Path), "the folder for the result")
    if not len(examples) or not len(prompts):
        raise ConfigError("training needs one example and one prompt at least")
    if config.algorithm != algorithm:
        raise ConfigError(
            f"train.algorithm is {config.algorithm!r}: `fine_tune` trains by 'sft', `reinforce` by 'grpo'"
        )
    return seed, Path(output)


def _save_result(
    trainer: ResumableTrainer, language_model: LanguageModel, validator: Validator | None, config: Train,
    part: Path, output: Path,
) -> None:  # fmt: skip
    """Write the weights that stay; all processes call it together."""
    best = validator is not None and config.keep == "best"
    weights = None if best else trainer.gathered()
    if not trainer.is_world_process_zero():
        return
    if validator is not None and best:
        found = validator.best_weights()
        with _appearing(part, output):
            shutil.rmtree(part, ignore_errors=True)
            shutil.copytree(found, part)  # they stay where they are until the record of the run is safe
    else:
        model = trainer.accelerator.unwrap_model(trainer.model)
        save(model, language_model, part, output, weights, max_length=config.max_length)


def make_trainer(
    language_model: LanguageModel, dataset: RenderedExamples, schedule: Schedule, config: Train,
    args: TrainingArguments, checkpoints: Checkpoints, on_step: OnStep | None = None,
) -> PromptTrainer:  # fmt: skip
    """Put model, data, schedule and loss together; see :func:`fine_tune`."""
    fill = args.per_device_train_batch_size * args.world_size if args.world_size > 1 else 1
    model = trainable(language_model, dataset, config, copies=args.n_gpu)
    # Several copies of a model in one process see different rows of a batch.
    head = cast("Any", model).get_output_embeddings() if args.n_gpu <= 1 else None
    trainer = PromptTrainer(
        model=model,
        args=args,
        train_dataset=dataset,
        data_collator=StepCollator(Collator(dataset.encoder.pad, config.padding_free)),
        step_loss=StepLoss(config.loss, head, Tally(len(dataset.prompts))),
        sampler=make_sampler(config, dataset, schedule, fill),
        checkpoints=checkpoints,
        save_every=config.save_every,
        on_step=on_step,
    )
    trainer.remove_callback(PrinterCallback)  # progress goes to on_step, not to standard output
    return trainer


def summarise(
    trainer: ResumableTrainer, config: Train, looked: Preview, sums: PromptSums, prompts: Sequence[Prompt]
) -> Trained:
    """Return what a training did; all processes call it together."""
    reduce = trainer.accelerator.reduce
    points = validation_points(trainer.state.log_history)
    best = best_point(points, config.validate_by).step if points and config.keep == "best" else None
    steps = trainer.state.global_step
    return Trained(
        steps=steps,
        tokens=sums.tokens(reduce),
        seconds=round(trainer.seconds, 2),
        loss=mean_loss(trainer.curve("loss")),
        truncated=looked.truncated,
        looked_at=looked.size,
        curve=tuple(trainer.curve("loss")),
        by_prompt=sums.records(prompts, reduce),
        validations=tuple(points),
        kept=steps if best is None else best,
        damaged=trainer.checkpoints.damaged,
        rewards=tuple(trainer.curve("reward")),
    )


def _validator(
    trainer: ResumableTrainer, language_model: LanguageModel, validation: Validation | None, config: Train
) -> Validator | None:
    if validation is None:
        return None

    def write(folder: Path) -> None:
        weights = trainer.gathered()
        if trainer.is_world_process_zero():
            model = trainer.accelerator.unwrap_model(trainer.model)
            part = folder.with_name(f".{folder.name}.part")
            save(model, language_model, part, folder, weights, max_length=config.max_length)

    validator = Validator(trainer, language_model, validation, config, write)
    trainer.add_callback(validator)
    return validator


def mean_loss(curve: Sequence[tuple[int, float]]) -> float:
    """Return the mean over all steps of a loss curve whose last entry is the last step.

    >>> mean_loss([(5, 2.0), (6, 8.0)])
    3.0
    """
    before = (0, *(step for step, _ in curve))
    total = sum(loss * (step - last) for (step, loss), last in zip(curve, before, strict=False))
    return total / curve[-1][0]


def save(
    model: PreTrainedModel, source: LanguageModel, part: Path, output: Path,
    weights: Mapping[str, torch.Tensor] | None = None, *, max_length: int,
) -> None:  # fmt: skip
    """Write adapter or model as safetensors, with the tokenizer and the chat setting of its source.

    The folder appears when complete.

    Args:
        model: What was trained.
        source: What it was trained from.
        part: Folder to write to first.
        output: Where the result goes.
        weights: All weights by name, where this process's model holds a part of them only.
        max_length: Tokens of prompt and answer together at most, as it was trained with.
    """
    with _appearing(part, output):
        part.mkdir(parents=True, exist_ok=True)
        # Beside what is trained TRL may hold a copy of an adapter, its reference.
        only: dict[str, Any] = {"selected_adapters": ["default"]} if hasattr(model, "peft_config") else {}
        model.save_pretrained(part, state_dict=None if weights is None else dict(weights), **only)
        source.tokenizer.save_pretrained(part)
        base = base_record(source.name) if (part / ADAPTER_CONFIG).exists() else None
        quantised = is_quantised(source.model)
        save_chat(part, source.chat, max_length=max_length, quantised=quantised, base=base)


@contextmanager
def _appearing(part: Path, output: Path) -> Iterator[None]:
    """Let a folder that is written beside its place appear there when it is complete."""
    try:
        yield
        shutil.rmtree(output, ignore_errors=True)
        part.rename(output)
    except (OSError, SafetensorError) as error:
        shutil.rmtree(part, ignore_errors=True)
        raise write_failure(output, error) or error from error
