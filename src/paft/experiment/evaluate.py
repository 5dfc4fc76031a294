"""``paft evaluate``: one model, with or without an adapter, on the prompts of a split.

A comparison of one: the same folder layout, identity check and results as ``paft run``
(:mod:`paft.experiment.output_folder`), so that reports and exports read both.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any, Literal, TypedDict

import numpy as np
from pydantic import Field, model_validator

from paft.bank import Bank
from paft.config import BUILTIN_MODEL, ModelOnTask
from paft.errors import ConfigError, DataError
from paft.evaluate.matrix import Matrix
from paft.evaluate.parts import evaluate_parts
from paft.evaluate.rows import (
    answer_figures,
    cell_warnings,
    describe_scoring,
    guess_levels,
    prompt_rows,
    robustness_row,
    split_row,
)
from paft.evaluate.runner import evaluate_split, processes
from paft.evaluate.scoring.server import ServedModel, Server
from paft.evaluate.scoring.vllm import VllmModel, import_vllm, load_vllm
from paft.evaluate.settings import Evaluate
from paft.experiment.answer_tokens import check_lengths, check_options
from paft.experiment.bank_choice import choose_bank, is_composed, tell_composed
from paft.experiment.identity import FREE, task_identity, unset_keys
from paft.experiment.inputs import sample
from paft.experiment.output_folder import begin_output, working_in
from paft.experiment.repeats import count_repeats, repeats_warning
from paft.files import write_json
from paft.model.adapter import check_base, check_before_loading
from paft.model.chat import check_chat
from paft.model.files import hub_commit
from paft.model.load import (
    LanguageModel,
    check_model,
    load_encoder,
    load_model,
    model_fingerprint,
    resolve_model,
)
from paft.model.quantised import four_bit, trained_quantised
from paft.names import folder_name, short_name
from paft.progress import Reporter
from paft.prompt import Prompt
from paft.provenance import environment
from paft.report.findings import read_findings
from paft.report.run_folder import TRIALS
from paft.statistics.budget import estimate_mean, estimate_std, parse_budget, sample_cells
from paft.statistics.precision import Measured, WorstPrompt
from paft.task.programs.code_answer import check_opt_in
from paft.task.task import Example, Task, data_fingerprint, load_task

SERVER_IDENTITY = ("base_url", "completions", "max_tokens")  # what replies depend on
UNTRAINED = {"train_steps": 0, "train_tokens": 0, "train_seconds": 0.0}


class EvaluateConfig(ModelOnTask):
    """Everything ``paft evaluate`` needs.

    Attributes:
        split: Prompts to evaluate on.
        adapter: Folder of a PEFT adapter on top of it.
        any_base: Put the adapter on another base than it was tuned on too.
        backend: What runs the model: ``hf`` (Transformers in this process), ``vllm``
            (:mod:`paft.evaluate.scoring.vllm`) or ``openai``, any OpenAI-compatible server, whose models are
            scored by what they write (:mod:`paft.evaluate.scoring.server`).
        server: Where that server is.
        output: Folder for the results.
        max_length: Tokens of prompt and answer together at most.
        budget: Share of the cells to score, in (0, 1]; the rest is estimated
            (:mod:`paft.statistics.budget`).
        budget_evals: The same as a number of cells.
        budget_seed: Seed of the choice of cells, for ``precision`` too.
        precision: Score cells until the mean over all cells is known to so much on either side, in (0, 1),
            and the worst prompt to as much (:mod:`paft.statistics.precision`).
        mean_only: Do not look for the worst prompt, which takes more cells than the mean.
        evaluate: Settings of stage 3.
    """

    split: Literal["train", "validation", "test", "adversarial", "final"] = "test"
    adapter: str | None = None
    any_base: bool = False
    backend: Literal["hf", "vllm", "openai"] = "hf"
    server: Server = Server()
    output: str
    max_length: int = Field(default=1024, ge=8)
    budget: float | None = Field(default=None, gt=0, le=1)
    budget_evals: int | None = Field(default=None, ge=1)
    budget_seed: int = Field(default=0, ge=0)
    precision: float | None = Field(default=None, gt=0, lt=1)
    mean_only: bool = False
    evaluate: Evaluate = Evaluate()

    @model_validator(mode="after")
    def _check_budget(self) -> EvaluateConfig:
        if self.budget is not None and self.budget_evals is not None:
            raise ValueError("budget and budget_evals say the same in two ways: give one of them")
        if self.precision is not None and (self.budget is not None or self.budget_evals is not None):
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
        if self.adapter is not None:
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
    def name(self) -> str:
        """What rows and folders call the model."""
        if self.backend == "openai":  # an id there, even if a folder has the same name here
            return short_name(Path(self.model).name, "model")
        return folder_name(self.adapter or self.model, "model")


def evaluate(
    config: EvaluateConfig,
    reporter: Reporter | None = None,
    *,
    task: Task | None = None,
    bank: Bank | None = None,
) -> dict[str, Any]:
    """Evaluate a model on every prompt of a split and on the user's own prompt.

    Args:
        config: What to evaluate.
        reporter: Hears about progress.
        task: A task made in Python, instead of the one the configuration names.
        bank: A bank made in Python, likewise.

    Returns:
        The content of ``results.json``.

    Raises:
        PaftError: If an input is unusable; nothing is written before all inputs were checked.
        ResumeError: If the output folder belongs to another configuration.
    """
    reporter = reporter or Reporter()
    task = task or load_task(config.task, config.data)
    given = bank is not None or config.bank is not None
    bank = bank or choose_bank(config, task, Path(config.output))
    examples, warnings = _check(config, task, bank)
    for warning in warnings:
        reporter.finish(task.name, f"warning: {warning}")
    output = Path(config.output)
    with working_in(output):
        begin_output(output, _identity(config, task, bank, data_fingerprint(examples)), config, bank)
        if not given and is_composed(bank):
            reporter.finish(task.name, tell_composed(bank, output))
        results: dict[str, Any] = {
            "schema": 2,
            "task": task.name,
            "model": config.model,
            "bank_fingerprint": bank.fingerprint,
            "config": config.model_dump(mode="json"),
            "environment": environment(),
            **({} if config.backend == "openai" else hub_commit(config.pinned_model)),
            "levels": guess_levels(examples),
            **_evaluate_splits(config, task, bank, examples, reporter),
        }
        if results["rows"]:
            results["findings"] = [dataclasses.asdict(each) for each in read_findings(output, results)]
        results["warnings"] = [*warnings, *results["warnings"]]
        if processes()[0] == 0:
            write_json(output / "results.json", results)
    return results


def _check(config: EvaluateConfig, task: Task, bank: Bank) -> tuple[Sequence[Example], list[str]]:
    """Refuse what cannot be evaluated; return the examples to evaluate on, and warnings."""
    check_opt_in(task, config.evaluate.allow_code)
    for prompt in bank.require(config.split):
        task.check_prompt(prompt)
    if config.adapter is not None and not (Path(config.adapter) / "adapter_config.json").exists():
        raise ConfigError(f"{config.adapter} is no adapter folder: it has no adapter_config.json")
    _check_model(config)
    examples = sample(task.examples("test"), config.evaluate.examples)
    prompts = len(bank.require(config.split))
    chosen = config.cells(prompts, len(examples))
    part = "precision" if config.precision is not None else "budget" if chosen is not None else None
    if part is not None and min(prompts, len(examples)) < 2:
        raise ConfigError(
            f"{part} is about the differences between prompts and between examples: it needs two of each, "
            f"not {prompts} prompts and {len(examples)} examples"
        )
    return examples, [*_check_answers(config, task, examples), *_repeats(config, task, examples)]


def _repeats(config: EvaluateConfig, task: Task, examples: Sequence[Example]) -> list[str]:
    """Warn if a trained model is evaluated on examples that the task trains on."""
    whole = (Path(config.model).parent / "train.json").exists()  # all weights, as `paft train` leaves them
    if config.adapter is None and not whole:
        return []
    try:
        train = task.examples("train")
    except DataError:  # whoever evaluates a model need not have what it was trained on
        return []
    return repeats_warning(count_repeats(train, examples), len(examples))


def _check_answers(config: EvaluateConfig, task: Task, examples: Sequence[Example]) -> list[str]:
    """Refuse answers that the tokenizer cannot tell apart or that do not fit; a server tells neither."""
    if config.backend == "openai":
        return []
    encoder = load_encoder(
        config.pinned_model, config.max_length, config.chat, trust_remote_code=config.trust_remote_code
    )
    if task.answer.closed and not config.evaluate.generate:
        check_options(encoder, task, examples)
        return []
    return check_lengths(encoder, task, examples)


def _check_model(config: EvaluateConfig) -> None:
    """Refuse a model that cannot be had, or not in the way it is to be asked."""
    if config.backend != "hf" and processes()[1] > 1:
        raise ConfigError(
            f"--backend {config.backend} brings its own parallelism: start a single process of paft"
        )
    if config.backend == "openai":
        config.served.check()
        return
    if config.adapter is not None and trained_quantised(Path(config.adapter)):
        if config.backend == "vllm":
            raise ConfigError(
                f"{config.adapter} was trained beside weights in 4 bit, which --backend vllm does not load: "
                "evaluate it with --backend hf, or the model that `paft export --merge` makes of it"
            )
        four_bit()
    if config.backend == "vllm":
        import_vllm()
    for weights in filter(None, (config.adapter, resolve_model(config.model))):
        check_chat(Path(weights), config.chat)
    check_model(config.pinned_model, config.chat, trust_remote_code=config.trust_remote_code)
    if config.adapter is not None:
        check_before_loading(
            Path(config.adapter), config.pinned_model,
            any_base=config.any_base, trust_remote_code=config.trust_remote_code,
        )  # fmt: skip


def _load(config: EvaluateConfig) -> LanguageModel | VllmModel | ServedModel:
    if config.backend == "openai":
        return config.served
    if config.backend == "vllm":
        return load_vllm(
            config.pinned_model, config.adapter, max_length=config.max_length, chat=config.chat,
            trust_remote_code=config.trust_remote_code, any_base=config.any_base,
        )  # fmt: skip
    return load_model(
        config.pinned_model, config.adapter, chat=config.chat,
        trust_remote_code=config.trust_remote_code, any_base=config.any_base,
    )  # fmt: skip


def _evaluate_splits(
    config: EvaluateConfig, task: Task, bank: Bank, examples: Sequence[Example], reporter: Reporter
) -> dict[str, Any]:
    """Evaluate the split and the user's own prompt, or estimate the split from some of its cells."""
    name, threshold = config.name, task.thresholds[0]
    splits = {config.split: bank.require(config.split), "user": task.prompts[:1]}
    matrices, seconds, measured = _score_splits(config, task, splits, examples, reporter)
    matrix = matrices[config.split]
    of_base = None
    if config.adapter is not None:
        of_base = check_base(Path(config.adapter), config.pinned_model, any_base=config.any_base)
    every = None
    if measured is not None and matrix.complete:
        every = f"{name}: precision {config.precision:g} took all {len(matrix.cells)} {config.split} cells"
    about = {
        "warnings": [*filter(None, [of_base, every])]
        + [text for split in matrices for text in cell_warnings(name, split, matrices[split])],
        "scoring": describe_scoring(task, config.backend, config.evaluate.generate) | answer_figures(matrix),
    }
    if "user" not in matrices:
        found = _estimated(matrix.scores) if measured is None else _measured(config, matrix, measured)
        return {**about, "rows": [], "per_prompt": [], "budget": found}
    rows, per_prompt = [], []
    for split, prompts in splits.items():
        row = split_row(name, None, split, matrices[split], threshold, seconds[split])
        rows.append(row | UNTRAINED)
        per_prompt += prompt_rows(name, None, split, prompts, matrices[split], seconds[split])
    summary = robustness_row(name, None, config.split, matrices, threshold)
    return {**about, "rows": rows, "per_prompt": per_prompt, "robustness": [summary]}


def _score_splits(
    config: EvaluateConfig, task: Task, splits: Mapping[str, Sequence[Prompt]], examples: Sequence[Example],
    reporter: Reporter,
) -> tuple[dict[str, Matrix], dict[str, float], Measured | None]:  # fmt: skip
    """Return matrices and seconds by split, and what a precision was found from.

    Of a part of the cells only the split itself is scored; the user prompt is where all of it is.
    """
    chosen = config.cells(len(splits[config.split]), len(examples))
    loaded = cache(lambda: _load(config))  # a second engine would find the accelerator's memory taken
    matrices: dict[str, Matrix] = {}
    seconds: dict[str, float] = {}
    measured = None

    def load(split: str, cells: int) -> LanguageModel | VllmModel | ServedModel:
        reporter.stage(config.name, f"evaluate on {split} prompts", cells)
        return loaded()

    shared = _Shared(
        task=task, examples=examples, folder=Path(config.output) / TRIALS / config.name,
        settings=config.evaluate, max_length=config.max_length, on_cells=reporter.advance,
    )  # fmt: skip
    if config.precision is not None:
        matrix, measured = evaluate_parts(
            partial(load, config.split), prompts=splits[config.split], split=config.split,
            precision=config.precision, worst=not config.mean_only, seed=config.budget_seed, **shared,
        )  # fmt: skip
        if not matrix.complete:
            return {config.split: matrix}, {}, measured
    for split, prompts in splits.items():
        if split == config.split or chosen is None:
            cells = len(prompts) * len(examples) if chosen is None else int(chosen.sum())
            matrices[split], seconds[split] = evaluate_split(
                partial(load, split, cells), prompts=prompts, split=split, chosen=chosen, **shared
            )
    return matrices, seconds, measured


class _Shared(TypedDict):
    """What scoring of every split, whole or in parts, is given."""

    task: Task
    examples: Sequence[Example]
    folder: Path
    settings: Evaluate
    max_length: int
    on_cells: Callable[[int], None]


def _estimated(scores: np.ndarray) -> dict[str, Any]:
    """Return what some of the cells (P, N), NaN elsewhere, say of all of them."""
    return {
        "prompts": scores.shape[0],
        "examples": scores.shape[1],
        "cells": int((~np.isnan(scores)).sum()),
        "mean": dataclasses.asdict(estimate_mean(scores)),
        "std": dataclasses.asdict(estimate_std(scores)),
    }


def _measured(config: EvaluateConfig, matrix: Matrix, measured: Measured) -> dict[str, Any]:
    """Return what was found to a precision, as :func:`_estimated` does."""
    worst = measured.worst
    return {
        "prompts": len(matrix.prompt_ids),
        "examples": len(matrix.examples),
        "cells": len(matrix.cells),
        "mean": dataclasses.asdict(measured.mean),
        "std": dataclasses.asdict(measured.std),
        "precision": config.precision,
        "looks": list(measured.looks),
        **({} if worst is None else {"worst": _named(matrix, worst)}),
    }


def _named(matrix: Matrix, worst: WorstPrompt) -> dict[str, Any]:
    return dataclasses.asdict(worst) | {"prompt": matrix.prompt_ids[worst.prompt]}


def _identity(config: EvaluateConfig, task: Task, bank: Bank, examples: str) -> dict[str, Any]:
    """Everything a figure depends on, by name."""
    others = {"output", "task", "data", "bank", "evaluate", "server", "any_base"}
    others |= unset_keys(config.trust_remote_code, config.revision)
    others |= {"mean_only"} if not config.mean_only else set()
    settings = config.model_dump(mode="json", exclude=others)
    adapter = None if config.adapter is None else model_fingerprint(config.adapter)
    served = config.backend == "openai"
    scoring = {f"evaluate.{key}": value for key, value in config.evaluate.model_dump(mode="json").items()}
    asked = {key: getattr(config.server, key) for key in SERVER_IDENTITY} if served else {}
    return {
        **settings,
        **{key: value for key, value in scoring.items() if key not in FREE},
        **{f"server.{key}": value for key, value in asked.items()},
        "scored by": describe_scoring(task, config.backend, config.evaluate.generate)["by"],
        "chat": config.chat.identity(),
        "model files": None if served else model_fingerprint(config.pinned_model),
        "adapter files": adapter,
        **task_identity(task),
        "bank": bank.fingerprint,
        "test examples": examples,
    }
