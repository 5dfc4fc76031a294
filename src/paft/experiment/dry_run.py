"""``--dry-run``: what a training, or each of a comparison, takes and what looks wrong. Loads no weights."""

from __future__ import annotations

import dataclasses
from collections import Counter
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from paft.bank import Bank, near_duplicates_across, near_warnings
from paft.config import BUILTIN_MODEL, RunConfig
from paft.errors import DataError
from paft.experiment.answer_tokens import spread
from paft.experiment.inputs import Inputs, encoder_of
from paft.experiment.run import checked_inputs
from paft.experiment.train import only_seed, training_inputs
from paft.methods import METHODS, method_to_train
from paft.model.encode import Encoder
from paft.report.findings import planned_prompts_findings, tested_findings, training_findings
from paft.task.task import Task
from paft.train.schedule import Schedule, make_schedule
from paft.train.settings import Train
from paft.train.show import outline

if TYPE_CHECKING:
    from paft.train.batches import PlanSampler, RenderedExamples
    from paft.train.length import Preview

MAJORITY = 0.8  # share of one answer above which guessing it is worth a warning
_GIB = 2**30


def dry_run(config: RunConfig, *, task: Task | None = None, bank: Bank | None = None) -> dict[str, Any]:
    """Plan a training without doing it; arguments are those of :func:`paft.experiment.train.train`.

    Returns:
        What ``paft train --dry-run --json`` prints. Figures of sequences come from a sample
        (:mod:`paft.train.length`), memory from :mod:`paft.train.memory_estimate`.

    Raises:
        PaftError: If an input is unusable, an answer that does not fit among them.
    """
    from paft.train.batches import RenderedExamples
    from paft.train.variation import variation

    inputs = training_inputs(config, task, bank)
    name, seed = method_to_train(config.methods), only_seed(config)
    settings = METHODS[name].settings(config.train)
    prompts = inputs.training_prompts(METHODS[name], settings, seed=seed)
    size = len(inputs.train)
    schedule = make_schedule(settings, len(prompts), seed=seed, examples=size)
    encoder = encoder_of(config)
    varied = variation(settings, prompts, seed)
    dataset = RenderedExamples(inputs.train, prompts, encoder, varied)
    planned = _plan_sampled if settings.algorithm == "grpo" else _plan_supervised
    found: dict[str, Any] = {
        "task": inputs.task.name,
        "model": config.model,
        "method": name,
        "seed": seed,
        "examples": size,
        "validation_examples": len(inputs.validation),
        "validation_prompts": len(inputs.bank.prompts("validation")) if inputs.validation else 0,
        "composed": inputs.composed,
        "prompts": len(prompts),
        "answers": answer_shares(inputs),
        **planned(config, settings, inputs, dataset, schedule),
    }
    few = training_findings(name, steps=found["steps"], met=found["prompts_used"], prompts=len(prompts))
    few += planned_prompts_findings(name, len(prompts))
    warnings = [
        *near_warnings(inputs.bank, near_duplicates_across(inputs.bank)),
        *_beyond_builtin(config, inputs),
        *inputs.repeats,
        *inputs.warnings,
        *(each.text for each in few),
        *_warnings(found, unreachable(inputs, encoder), encoder.max_length),
    ]
    return {**found, "warnings": warnings}


def _beyond_builtin(config: RunConfig, inputs: Inputs) -> list[str]:
    rule = inputs.task.answer.rule
    if config.model != BUILTIN_MODEL or rule == "label":
        return []
    return [f"the built-in model learns labels only: for rule {rule} take a pretrained model (--model)"]


def plan_run(config: RunConfig) -> dict[str, Any]:
    """Plan a comparison without doing it: check all inputs, and plan each training under the first seed.

    Returns:
        ``trainings``, each as :func:`dry_run` returns it, and ``warnings`` of the whole. A method that
        chooses its prompt first has no plan before it chose.

    Raises:
        PaftError: If an input is unusable.
    """
    inputs = checked_inputs(config)
    planned = [
        name for name in config.methods if METHODS[name].schedule is not None and not METHODS[name].chooser
    ]
    one = [config.model_copy(update={"methods": (name,), "seeds": config.seeds[:1]}) for name in planned]
    warnings = [*inputs.warnings, *inputs.repeats]
    trainings = [dry_run(each) for each in one]
    for each in trainings:  # what is told of the whole is not told of every part
        each["warnings"] = [warning for warning in each["warnings"] if warning not in warnings]
    tested = tested_findings({}, "test", len(inputs.bank.require("test")), len(inputs.test))
    return {
        "trainings": trainings,
        "test_prompts": len(inputs.bank.require("test")),
        "test_examples": len(inputs.test),
        "warnings": [*warnings, *(each.text for each in tested)],
    }


def _plan_supervised(
    config: RunConfig, settings: Train, inputs: Inputs, dataset: RenderedExamples, schedule: Schedule
) -> dict[str, Any]:
    """Return the steps, tokens and memory of supervised fine-tuning."""
    from paft.train.batches import make_sampler
    from paft.train.length import preview, training_steps

    sampler = make_sampler(settings, dataset, schedule)
    looked = preview(dataset, sampler)
    total = training_steps(settings, dataset, schedule, inputs.bank.require("train"))
    return {
        **_lengths(looked, sampler.steps, total),
        "tokens": round(float(looked.lengths.mean()) * len(dataset) * total / sampler.steps),
        "longest": int(looked.lengths.max()),
        "prompts_used": len(prompts_met(sampler, total)),
        "memory": _memory(config, longest=int(looked.lengths.max()), answer=int(looked.answers.max())),
    }


def _plan_sampled(
    config: RunConfig, settings: Train, inputs: Inputs, dataset: RenderedExamples, schedule: Schedule
) -> dict[str, Any]:
    """Return the steps, tokens and memory of reinforcement fine-tuning with the longest completions."""
    from paft.train.grpo.rows import completion_limit, make_group_sampler, preview_prompts, unroll_rows

    sampler, limit = (
        make_group_sampler(settings, schedule, len(dataset)),
        completion_limit(settings, inputs.task),
    )
    looked = preview_prompts(dataset, sampler, dataset.encoder, limit)
    per_epoch = sampler.steps * settings.iterations
    total = settings.length(per_epoch)
    rounds = -(-total // settings.iterations)
    completions, longest = rounds * settings.rows_per_step, int(looked.lengths.max()) + limit
    return {
        **_lengths(looked, per_epoch, total),
        "completions": completions,
        "tokens": round((float(looked.lengths.mean()) + limit) * completions),
        "longest": longest,
        "prompts_used": len(np.unique(unroll_rows(sampler, settings, rounds)["prompt_number"])),
        "memory": _memory(config, longest=longest, answer=limit),
    }


def _lengths(looked: Preview, per_epoch: int, total: int) -> dict[str, Any]:
    """Return the length of a training, and what was found where some of its sequences were looked at."""
    return {
        "epochs": total // per_epoch if total % per_epoch == 0 else round(total / per_epoch, 2),
        "steps": total,
        "looked_at": looked.size,
        "truncated_share": looked.truncated / looked.size,
    }


def prompts_met(sampler: PlanSampler, length: int) -> set[int]:
    """Return the indices of the prompts that so many optimiser steps meet.

    Only an epoch that ends early is planned: grouping by length takes time, and a whole one has all examples.
    """
    whole, rest = divmod(length, sampler.steps)
    found = {plan.prompt for plan in islice(sampler.plans(whole), rest * sampler.batch)}
    if whole:
        uses = outline(
            sampler.schedule, length=whole * sampler.steps, steps=sampler.steps, examples=sampler.size
        ).uses
        found |= set(np.flatnonzero(uses).tolist())
    return found


def answer_shares(inputs: Inputs) -> dict[str, float]:
    """Return the share of each answer of a closed rule, fixed options that never occur among them.

    Of many training examples those of :func:`spread` are looked at.
    """
    if not inputs.task.answer.closed:
        return {}
    counts = Counter(example.gold for example in spread(inputs.train))
    words = dict.fromkeys([*(inputs.task.answer.words or ()), *counts])
    return {word: counts[word] / counts.total() for word in words}


def unreachable(inputs: Inputs, encoder: Encoder) -> list[str]:
    """Return the fixed options that leave no room for a prompt within ``max_length``."""
    found, rendered = [], inputs.task.prompts[0].render(inputs.train[0].values)
    for word in inputs.task.answer.words or ():
        try:
            encoder.encode(rendered, word)
        except DataError:
            found.append(word)
    return found


def _memory(config: RunConfig, *, longest: int, answer: int) -> dict[str, Any]:
    import torch

    from paft.train.memory_estimate import estimate_memory, fitting_micro_batch, free_memory, shape_of

    train, accelerated = config.train, torch.accelerator.is_available()
    shape = shape_of(config.pinned_model, train.adapt, trust_remote_code=config.trust_remote_code)
    devices = max(1, torch.accelerator.device_count()) if accelerated else 1
    batch = max(1, train.rows_per_step // devices)
    sampled = batch if train.algorithm == "grpo" else 0

    def of(size: int) -> Any:
        return estimate_memory(
            shape, train, micro_batch_size=size, length=longest, answer=answer, accelerated=accelerated,
            sampled=sampled,
        )  # fmt: skip

    used, free = of(train.micro_batch_size or batch), free_memory()
    return {
        **dataclasses.asdict(used),
        "total": used.total,
        "free": free,
        "fits": used.total <= free,
        "trained_weights": shape.trained,
        "micro_batch_size": train.micro_batch_size or batch,
        "micro_batch_size_that_fits": fitting_micro_batch(lambda size: int(of(size).total), batch, free),
    }


def _warnings(found: dict[str, Any], unfit: list[str], max_length: int) -> list[str]:
    shares, memory, warnings = found["answers"], found["memory"], []
    if found["truncated_share"]:
        warnings.append(
            f"{found['truncated_share']:.1%} of the prompts looked at lose their beginning to max_length "
            f"{max_length}: raise train.max_length if the model has positions for more"
        )
    most = max(shares, key=shares.__getitem__, default=None)
    if most is not None and shares[most] > MAJORITY:
        warnings.append(f"{shares[most]:.0%} of the answers are {most!r}: guessing it is that good already")
    never = [word for word, share in shares.items() if not share]
    if never:
        warnings.append(f"no training example has the answer {_listed(never)}")
    if unfit:
        warnings.append(f"max_length {max_length} leaves no room for a prompt before {_listed(unfit)}")
    if not memory["fits"]:
        size = memory["micro_batch_size_that_fits"]
        lower = "train.gradient_checkpointing=true or a shorter train.max_length"
        mend = f"set train.micro_batch_size to {size}" if size else f"not even one example at a time: {lower}"
        warnings.append(
            f"about {memory['total'] / _GIB:.1f} GiB needed, {memory['free'] / _GIB:.1f} GiB free: {mend}"
        )
    return warnings


def _listed(words: list[str], limit: int = 5) -> str:
    return ", ".join(map(repr, words[:limit])) + (f" and {len(words) - limit} more" if words[limit:] else "")


def describe_plan(found: dict[str, Any]) -> list[str]:
    """Return the plan as lines of text; warnings are left out."""
    memory = found["memory"]
    parts = ("weights", "gradients", "optimiser", "activations", "logits")
    prompts = f"{found['prompts']} {'composed ' if found['composed'] else ''}prompts"
    size = f"{found['validation_examples']} examples x {found['validation_prompts']} prompts"
    validated = f"; validates on {size}" if found["validation_examples"] else ""
    sampled = f", {found['completions']:,} completions" if "completions" in found else ""
    unit, about = ("completions", "at most") if sampled else ("examples", "about")
    return [
        f"{found['task']} on {found['model']}, method {found['method']}, seed {found['seed']}: nothing is "
        "trained or written",
        f"examples  {found['examples']:,} x {found['epochs']:g} epochs{validated}",
        f"steps     {found['steps']:,}{sampled}, under {found['prompts_used']} of {prompts}",
        f"tokens    {about} {found['tokens']:,}; the longest of {found['looked_at']} sequences looked at has "
        f"{found['longest']}, {found['truncated_share']:.1%} are cut",
        f"memory    about {memory['total'] / _GIB:.2f} GiB with {memory['micro_batch_size']} {unit} at a "
        f"time ({', '.join(f'{part} {memory[part] / _GIB:.2f}' for part in parts)}); "
        f"{memory['free'] / _GIB:.2f} GiB free, enough for {memory['micro_batch_size_that_fits'] or 'none'}",
    ]
