"""Supervised fine-tuning: the Hugging Face Trainer, fed by the prompt schedule.

Only two things differ from the stock trainer: the sampler, which yields (example, prompt) plans,
and the loss, which looks at answer tokens alone. Devices, precision and scale stay accelerate's.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch.utils.data import Sampler
from transformers import PrinterCallback, Trainer, TrainerCallback, TrainingArguments, set_seed
from transformers.trainer_utils import SaveStrategy

from paft.chat import save_chat
from paft.config import Train
from paft.errors import ConfigError, DataError
from paft.files import disk_error
from paft.model import LanguageModel
from paft.prompt import Prompt
from paft.task import Example
from paft.train.adapt import adapted
from paft.train.batches import Collator, Plan, PlanSampler, RenderedExamples
from paft.train.loss import answer_loss
from paft.train.schedule import Schedule

if TYPE_CHECKING:
    from transformers import PreTrainedModel

OnStep = Callable[[int, int, float], None]  # (step, all steps, loss)


@dataclass(frozen=True)
class Trained:
    """What a training run did.

    Attributes:
        steps: Optimiser steps.
        tokens: Tokens of prompts and answers that went through the model, padding not counted.
        seconds: Wall-clock seconds of the loop.
        loss: Mean loss over the run, nats per answer token.
        truncated: Training examples whose prompt was cut to ``max_length`` in the first epoch.
        curve: (step, mean loss of the steps since the former entry), every few steps.
    """

    steps: int
    tokens: int
    seconds: float
    loss: float
    truncated: int
    curve: tuple[tuple[int, float], ...]


class PromptTrainer(Trainer):
    """The stock trainer with the plan sampler in place of a random one."""

    def __init__(self, *args: Any, sampler: PlanSampler, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._plan_sampler = sampler

    def _get_train_sampler(self, train_dataset: Any = None) -> Sampler[Plan]:
        return self._plan_sampler


class _Progress(TrainerCallback):
    """Tells the caller about every optimiser step."""

    def __init__(self, on_step: OnStep) -> None:
        self.on_step = on_step

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **kwargs: Any) -> None:
        """Report the loss of the steps since the last log."""
        if logs and "loss" in logs:
            self.on_step(state.global_step, state.max_steps, float(logs["loss"]))


def fine_tune(
    language_model: LanguageModel,
    examples: Sequence[Example],
    prompts: Sequence[Prompt],
    config: Train,
    *,
    seed: int,
    output: Path,
    on_step: OnStep | None = None,
) -> Trained:
    """Fine-tune and save the result.

    Args:
        language_model: What to start from; its weights are changed in place.
        examples: Training examples.
        prompts: The prompts the schedule draws from.
        config: Settings, schedule included.
        seed: Seed of schedule, order and adapter initialisation.
        output: Folder for the adapter (LoRA) or the whole model (full); appears when complete.
        on_step: Called with (step, all steps, loss).

    Raises:
        ConfigError: If the batch size does not divide over devices and micro-batches.
        DataError: If an answer does not fit ``max_length``.
    """
    set_seed(seed)
    schedule = Schedule(config.schedule, len(prompts), config.resample_every, seed)
    encoder = language_model.encoder(config.max_length)
    dataset = RenderedExamples(examples, prompts, encoder)
    truncated = count_truncated(dataset, schedule, config.batch_size)
    part = output.with_name(f".{output.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    args = training_arguments(config, seed, part)
    fill = args.per_device_train_batch_size * args.world_size if args.world_size > 1 else 1
    trainer = PromptTrainer(
        model=adapted(language_model.model, config.adapt).train(),
        args=args,
        train_dataset=dataset,
        data_collator=Collator(encoder.pad),
        compute_loss_func=answer_loss,
        callbacks=[_Progress(on_step)] if on_step else None,
        sampler=PlanSampler(schedule, len(examples), config.batch_size, fill),
    )
    trainer.remove_callback(PrinterCallback)  # progress goes to on_step, not to standard output
    started = time.monotonic()
    result = trainer.train()
    seconds = time.monotonic() - started
    if trainer.is_world_process_zero():
        save(trainer.accelerator.unwrap_model(trainer.model), language_model, part, output)
    trainer.accelerator.wait_for_everyone()
    return Trained(
        steps=trainer.state.global_step,
        tokens=int(trainer.state.num_input_tokens_seen),
        seconds=round(seconds, 2),
        loss=float(result.training_loss),
        truncated=truncated,
        curve=tuple((int(log["step"]), log["loss"]) for log in trainer.state.log_history if "loss" in log),
    )


def training_arguments(config: Train, seed: int, folder: Path) -> TrainingArguments:
    """Translate our settings to the trainer's.

    Raises:
        ConfigError: If ``batch_size`` is not micro-batch size x devices x a whole number.
    """
    import torch

    accelerated = torch.accelerator.is_available()
    args = TrainingArguments(
        output_dir=str(folder),
        num_train_epochs=config.epochs,
        learning_rate=config.learning_rate,
        lr_scheduler_type="cosine",
        warmup_steps=config.warmup,
        weight_decay=config.weight_decay,
        seed=seed,
        bf16=torch.cuda.is_available() and torch.cuda.is_bf16_supported(),
        save_strategy=SaveStrategy.NO,
        logging_strategy="steps",
        logging_steps=5,
        report_to="none",
        disable_tqdm=True,
        remove_unused_columns=False,
        label_names=["labels"],
        include_num_input_tokens_seen="non_padding",
        dataloader_pin_memory=accelerated,
        log_level="error",
    )
    # Only the trainer's own count of devices decides how many examples a step really takes.
    devices = args.world_size * max(1, args.n_gpu)
    micro = config.micro_batch_size or max(1, config.batch_size // devices)
    if config.batch_size % (micro * devices):
        raise ConfigError(
            f"train.batch_size {config.batch_size} is not a multiple of micro_batch_size {micro} x "
            f"{devices} devices: change one of them"
        )
    args.per_device_train_batch_size = micro
    args.gradient_accumulation_steps = config.batch_size // (micro * devices)
    return args


def count_truncated(dataset: RenderedExamples, schedule: Schedule, batch: int) -> int:
    """Count prompts cut in the first epoch; an answer that does not fit is an error already here."""
    plans = PlanSampler(schedule, len(dataset), batch)
    try:
        return sum(dataset[plan].truncated for plan in plans)
    except DataError as error:
        raise DataError(f"training examples: {error}") from None


def save(model: PreTrainedModel, source: LanguageModel, part: Path, output: Path) -> None:
    """Write adapter or model as safetensors, with the tokenizer and the chat setting of its source.

    The folder appears when complete.
    """
    try:
        part.mkdir(parents=True, exist_ok=True)
        model.save_pretrained(part)
        source.tokenizer.save_pretrained(part)
        save_chat(part, source.chat)
        shutil.rmtree(output, ignore_errors=True)
        part.rename(output)
    except OSError as error:
        shutil.rmtree(part, ignore_errors=True)
        raise disk_error(output, error) from error
