"""Reinforcement fine-tuning (GRPO) of one model on the prompts that the schedule draws; see docs/grpo.md.

The engine is TRL's GRPOTrainer, which the extra ``rl`` brings. Rows come from :mod:`paft.train.grpo.rows`,
rewards from :mod:`paft.train.grpo.rewards`; checkpoints, validation and saving are those of supervised
fine-tuning (:mod:`paft.train.loop`).
"""

from __future__ import annotations

import copy
import shutil
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from transformers import PrinterCallback, set_seed

from paft.errors import ConfigError, expect, said
from paft.model.load import LanguageModel
from paft.model.reply import ends
from paft.names import split_revision
from paft.progress import quiet
from paft.prompt import Prompt
from paft.task.task import Example, Task
from paft.train.arguments import argument_values, training_arguments
from paft.train.batches import RenderedExamples
from paft.train.checkpoint import Checkpoints, checkpoint_folder, save_interval, training_inputs
from paft.train.failures import check_vocabulary, clear_errors
from paft.train.grpo.rewards import CompletionReader, load_reward, own_reward, reward_digests
from paft.train.grpo.rows import (
    RowRenderer,
    completion_limit,
    make_group_sampler,
    preview_prompts,
    unroll_rows,
)
from paft.train.grpo.settings import check_extras
from paft.train.grpo.sums import RewardSums
from paft.train.loop import Trained, check_arguments, complete_training, summarise
from paft.train.numerics import trainable
from paft.train.schedule import make_schedule
from paft.train.settings import Train
from paft.train.trainer import OnStep
from paft.train.validation import Validation
from paft.train.variation import variation


@quiet()
def reinforce(
    language_model: LanguageModel,
    task: Task,
    examples: Sequence[Example],
    prompts: Sequence[Prompt],
    config: Train,
    *,
    seed: int,
    output: str | Path,
    on_step: OnStep | None = None,
    keep_checkpoints: bool = False,
    validation: Validation | None = None,
) -> Trained:
    """Fine-tune by reinforcement and save the result; continue from a checkpoint that a killed run left.

    Args:
        language_model: What to start from; its weights are changed in place.
        task: Says how completions are read and scored; those that are programs are run.
        examples: Training examples.
        prompts: The prompts the schedule draws from.
        config: Settings, schedule included.
        seed: Seed of schedule, order, adapter initialisation and samples.
        output: Folder for the adapter (LoRA) or the whole model (full); appears when complete.
        on_step: Called with (step, all steps, mean reward, tokens so far).
        keep_checkpoints: Leave them to the caller.
        validation: What ``train.validate_every`` validates on.

    Raises:
        ConfigError: If a reward function fails, besides what :func:`paft.train.loop.fine_tune` raises.
        PaftError: If in the first rounds no completion was better than another.
    """
    seed, output = check_arguments(language_model, examples, prompts, config, seed, output, "grpo")
    expect(task, Task, "the task")
    check_extras(config.grpo)
    rewards = [load_reward(spec) for spec in config.grpo.rewards]
    set_seed(seed)
    part = output.with_name(f".{output.name}.part")
    limit = completion_limit(config, task)

    # On which rows: examples under the prompts that the schedule draws.
    encoder = language_model.encoder(config.max_length)
    check_vocabulary(encoder, language_model.model, language_model.name)
    dataset = RenderedExamples(examples, prompts, encoder, variation(config, prompts, seed))
    schedule = make_schedule(config, len(prompts), seed=seed, examples=len(examples))
    sampler = make_group_sampler(config, schedule, len(examples))
    looked = preview_prompts(dataset, sampler, encoder, limit)
    steps = config.length(sampler.steps * config.iterations)
    stops = ends(encoder, language_model.model.generation_config)

    # From the newest checkpoint of the same inputs, if there is one.
    shutil.rmtree(part, ignore_errors=True)
    args = grpo_arguments(config, seed, part, limit, stops, language_model, logs=output.with_name("logs"))
    args.max_steps = steps
    inputs = training_inputs(
        language_model, examples, prompts, config,
        seed=seed, processes=args.world_size, device=args.device.type,
    )  # fmt: skip
    inputs |= {"validation": validation and validation.fingerprint()}
    checkpoints = Checkpoints(checkpoint_folder(output), {**inputs, **_reward_inputs(config, task, limit)})

    sums = RewardSums(len(prompts))
    trainer = _make_trainer(
        config,
        model=trainable(language_model, dataset, config, copies=1),
        args=args,
        processing_class=copy.deepcopy(language_model.tokenizer),  # TRL gives it padding
        reward_funcs=[own_reward(config.grpo, limit), *rewards],
        train_dataset=_row_dataset(unroll_rows(sampler, config, -(-steps // config.iterations))),
        renderer=RowRenderer(dataset),
        reader=CompletionReader(task, examples, encoder, stops),
        sums=sums,
        checkpoints=checkpoints,
        save_every=_save_interval(config, steps),
        on_step=on_step,
    )
    return complete_training(
        trainer, language_model, config, validation, part, output,
        steps=steps, keep_checkpoints=keep_checkpoints,
        summarise=lambda: summarise(trainer, config, looked, sums, prompts),
    )  # fmt: skip


def _reward_inputs(config: Train, task: Task, limit: int) -> dict[str, Any]:
    """Return what the weights depend on besides what those of supervised fine-tuning do, by name."""
    return {
        "answer": task.answer.settings,
        "metric": task.metric,
        "completion limit": limit,
        "reward files": reward_digests(config.grpo.rewards),
        "trl": version("trl"),
    }


def _make_trainer(config: Train, **keywords: Any) -> Any:
    from paft.train.grpo.trainer import GroupTrainer

    try:
        with clear_errors(config, None):
            trainer = GroupTrainer(**keywords)
    except ValueError as error:
        raise ConfigError(f"train.grpo: TRL refuses these settings: {said(error)}") from error
    trainer.remove_callback(PrinterCallback)  # progress goes to on_step, not to standard output
    return trainer


def _row_dataset(columns: Mapping[str, np.ndarray]) -> Any:
    from datasets import Dataset

    return Dataset.from_dict(dict(columns))


def _save_interval(config: Train, steps: int) -> int:
    """Return the steps between checkpoints: between rounds, where no completions are in use."""
    every, iterations = save_interval(config.save_every, steps), config.iterations
    return -(-every // iterations) * iterations


def grpo_arguments(
    config: Train, seed: int, folder: Path, limit: int, stops: Sequence[int], language_model: LanguageModel,
    logs: Path | None = None,
) -> Any:  # fmt: skip
    """Translate our settings to those of TRL.

    Args:
        config: Our settings.
        seed: Seed of the run.
        folder: For what is written while training.
        limit: Tokens of a completion at most.
        stops: Tokens that end a completion.
        language_model: What is trained.
        logs: For the files of ``train.report_to``.

    Raises:
        ConfigError: If a step's completions do not divide over devices and passes.
    """
    from trl import GRPOConfig

    divided = training_arguments(config, seed, folder, logs)
    if divided.n_gpu > 1:
        raise ConfigError(
            f"train.algorithm 'grpo' needs a process for each device, and this one has {divided.n_gpu}: "
            f"start it with `torchrun --nproc-per-node {divided.n_gpu}`, or show it one device "
            "(CUDA_VISIBLE_DEVICES)"
        )
    grpo = config.grpo
    values = argument_values(config, seed, folder, logs)
    revision = split_revision(language_model.name)[1]
    return GRPOConfig(
        **{**values, "num_train_epochs": 1, "gradient_checkpointing": config.gradient_checkpointing},
        per_device_train_batch_size=divided.per_device_train_batch_size,
        gradient_accumulation_steps=divided.gradient_accumulation_steps,
        num_generations=grpo.generations,
        num_iterations=grpo.iterations,
        max_completion_length=limit,
        temperature=grpo.temperature,
        generation_kwargs={"stop_token_ids" if grpo.vllm else "eos_token_id": list(stops)},
        beta=grpo.beta,
        epsilon=grpo.epsilon,
        loss_type=grpo.loss_type,
        scale_rewards=grpo.scale,
        reward_weights=grpo.reward_weights,
        shuffle_dataset=False,
        disable_dropout=True,  # what is sampled and its probability come from the same weights
        # The reference of beta, where all weights are trained.
        model_init_kwargs={"revision": revision} if revision and grpo.beta else None,
        **_vllm(grpo.vllm),
    )


def _vllm(where: str | None) -> dict[str, Any]:
    if where is None:
        return {}
    if where == "colocate":
        return {"use_vllm": True, "vllm_mode": "colocate"}
    return {"use_vllm": True, "vllm_mode": "server", "vllm_server_base_url": where}
