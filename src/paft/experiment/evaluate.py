"""``paft evaluate``: a model, or adapters and their base, on the prompts of a split.

The same folder layout, identity check and results as ``paft run`` (:mod:`paft.experiment.output_folder`), so
that reports and exports read both: each model is a trial without a seed.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from types import NoneType
from typing import Any, TypedDict

import numpy as np

from paft.bank import Bank
from paft.errors import ConfigError, DataError, expect
from paft.evaluate.matrix import Matrix
from paft.evaluate.parts import evaluate_parts
from paft.evaluate.rows import (
    answer_figures,
    cell_warnings,
    describe_scoring,
    guess_levels,
    prompt_rows,
    robustness_row,
    sample_figures,
    split_row,
)
from paft.evaluate.runner import evaluate_sample, evaluate_split, processes
from paft.evaluate.scoring.server import ServedModel
from paft.evaluate.scoring.vllm import VllmModel, import_vllm, load_vllm
from paft.evaluate.settings import Evaluate
from paft.experiment.answer_tokens import check_lengths, check_options
from paft.experiment.bank_choice import is_composed, tell_composed
from paft.experiment.contenders import Contender, take_recorded
from paft.experiment.evaluate_config import EvaluateConfig as EvaluateConfig
from paft.experiment.evaluated_bank import choose_evaluated
from paft.experiment.identity import FREE, task_identity, unset_keys
from paft.experiment.inputs import blank_options, sample
from paft.experiment.output_folder import begin_output, working_in
from paft.experiment.trained_card import fill_trained_card
from paft.files import write_json, write_text
from paft.model.adapter import check_base, check_before_loading
from paft.model.files import hub_commit
from paft.model.load import LanguageModel, check_model, load_encoder, model_fingerprint
from paft.model.quantised import four_bit, trained_quantised
from paft.model.shared_base import SharedBase
from paft.progress import Reporter, speaking
from paft.prompt import Prompt
from paft.provenance import environment
from paft.report.budget import budget_page, read_budget
from paft.report.findings import read_findings
from paft.report.html import write_report
from paft.report.results import Results
from paft.report.run_folder import PAGE, RESULTS, TRIALS
from paft.statistics.budget import estimate_mean, estimate_std
from paft.statistics.precision import Measured, WorstPrompt
from paft.task.programs.code_answer import check_opt_in
from paft.task.repeats import count_repeats, repeats_warning
from paft.task.task import Example, Task, data_fingerprint, load_task

SERVER_IDENTITY = ("base_url", "completions", "max_tokens")  # what replies depend on
UNTRAINED = {"train_steps": 0, "train_tokens": 0, "train_seconds": 0.0}


@speaking
def evaluate(
    config: EvaluateConfig,
    reporter: Reporter | None = None,
    *,
    task: Task | None = None,
    bank: Bank | None = None,
) -> Results:
    """Evaluate models on every prompt of a split and on the user's own prompt.

    Args:
        config: What to evaluate.
        reporter: Hears about progress; by default what speaks in terminals and notebooks, ``Reporter()`` is
            silent.
        task: A task made in Python, instead of the one the configuration names.
        bank: A bank made in Python, likewise.

    Returns:
        The content of ``results.json``.

    Raises:
        PaftError: If an input is unusable; nothing is written before all inputs were checked.
        ResumeError: If the output folder belongs to another configuration.
    """
    expect(config, EvaluateConfig, "the configuration of an evaluation")
    reporter = reporter or Reporter()
    expect(task, (Task, NoneType), "the task")
    expect(bank, (Bank, NoneType), "the bank")
    task = task or load_task(config.task, config.data)
    check_opt_in(task, config.evaluate.allow_code)
    told: list[str] = []
    if config.backend != "openai":
        config, told = take_recorded(config, [str(folder) for folder in config.adapter_folders.values()])
    given = bank is not None or config.bank is not None
    if bank is None:
        bank, lines = choose_evaluated(config, task, Path(config.output), config.split)
        told += lines
    examples, warnings = _check(config, task, bank)
    warnings = [*told, *warnings]
    for warning in warnings:
        reporter.finish(task.name, f"warning: {warning}")
    if config.base and config.partial and config.adapter_folders:
        reporter.finish(task.name, "the base is left out: a part of the cells is scored of one model")
    output = Path(config.output)
    with working_in(output):
        begin_output(output, _identity(config, task, bank, data_fingerprint(examples)), config, bank)
        if not given and is_composed(bank):
            reporter.finish(task.name, tell_composed(bank, output))
        content: dict[str, Any] = {
            "schema": 2,
            "task": task.name,
            "model": config.model,
            "bank_fingerprint": bank.fingerprint,
            "config": config.model_dump(mode="json"),
            "environment": environment(),
            **({} if config.backend == "openai" else hub_commit(config.pinned_model)),
            "levels": guess_levels(examples),
            **_evaluate_all(config, task, bank, examples, reporter),
        }
        if content["rows"]:
            content["findings"] = [dataclasses.asdict(each) for each in read_findings(output, content)]
        results = Results(content, output)
        results["warnings"] = [*warnings, *results["warnings"]]
        if processes()[0] == 0:
            write_json(output / RESULTS, results)
            _write_page(output, results, examples)
            for contender in config.contenders:
                line = fill_trained_card(
                    contender, output / TRIALS / contender.name, task, bank, results, examples,
                    _repeats(config, task, examples),
                )  # fmt: skip
                if line is not None:
                    reporter.finish(contender.name, line)
    return results


def _write_page(output: Path, results: Mapping[str, Any], examples: Sequence[Example]) -> None:
    """Write the report's page, as ``paft run`` does."""
    estimated = read_budget(output)
    if estimated is None:
        write_report(results, output / PAGE, folder=output, examples=examples)
    else:
        write_text(output / PAGE, budget_page(estimated))


def _check(config: EvaluateConfig, task: Task, bank: Bank) -> tuple[Sequence[Example], list[str]]:
    """Refuse what cannot be evaluated; return the examples to evaluate on, and warnings."""
    for prompt in bank.require(config.split):
        task.check_prompt(prompt)
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
    found = [*_check_answers(config, task, examples), *blank_options(task, examples)]
    return examples, [*found, *_repeats(config, task, examples)]


def _repeats(config: EvaluateConfig, task: Task, examples: Sequence[Example]) -> list[str]:
    """Warn if a trained model is evaluated on examples that the task trains on."""
    whole = (Path(config.model).parent / "train.json").exists()  # all weights, as `paft train` leaves them
    if not config.adapter_folders and not whole:
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
    for adapter in filter(trained_quantised, config.adapter_folders.values()):
        if config.backend == "vllm":
            raise ConfigError(
                f"{adapter} was trained beside weights in 4 bit, which --backend vllm does not load: "
                "evaluate it with --backend hf, or the model that `paft export --merge` makes of it"
            )
        four_bit()
    if config.backend == "vllm":
        import_vllm()
    check_model(config.pinned_model, config.chat, trust_remote_code=config.trust_remote_code)
    for adapter in config.adapter_folders.values():
        check_before_loading(
            adapter, config.pinned_model,
            any_base=config.any_base, trust_remote_code=config.trust_remote_code,
        )  # fmt: skip


@dataclass
class _Models:
    """What loads the models of an evaluation, one base or one engine for all of them."""

    config: EvaluateConfig
    _base: SharedBase
    _engine: VllmModel | None = None

    @contextmanager
    def loaded(self, contender: Contender) -> Iterator[LanguageModel | VllmModel | ServedModel]:
        """Give a model for a while."""
        config = self.config
        if config.backend == "openai":
            yield config.served
        elif config.backend == "hf":
            with self._base.loaded(contender.model, contender.adapter) as model:
                yield model
        else:
            # One engine: a second one would find the accelerator's memory taken.
            self._engine = self._engine or load_vllm(
                config.pinned_model, list(config.adapter_folders.values()), max_length=config.max_length,
                chat=config.chat, trust_remote_code=config.trust_remote_code, any_base=config.any_base,
            )  # fmt: skip
            yield self._engine.wearing(contender.adapter)


def _evaluate_all(
    config: EvaluateConfig, task: Task, bank: Bank, examples: Sequence[Example], reporter: Reporter
) -> dict[str, Any]:
    """Evaluate every model, one after another; return what the results hold of them."""
    models = _Models(config, SharedBase(config.chat, config.trust_remote_code, config.any_base))
    contenders = config.contenders
    found = [_evaluate_one(config, each, models, task, bank, examples, reporter) for each in contenders]
    if len(found) == 1:
        return found[0]
    first, *others = [each.name for each in contenders]
    return {
        "scoring": describe_scoring(task, config.backend, config.evaluate.generate),
        # Two adapters, the second against the first, or the only one against its base.
        "compared": list(reversed((others if config.with_base else [first, *others])[:2]))
        if len(config.adapter_folders) > 1
        else [others[0], first],
        **{
            key: [item for each in found for item in each[key]]
            for key in ("warnings", "rows", "per_prompt", "robustness")
        },
    }


def _evaluate_one(
    config: EvaluateConfig, contender: Contender, models: _Models, task: Task, bank: Bank,
    examples: Sequence[Example], reporter: Reporter,
) -> dict[str, Any]:  # fmt: skip
    """Evaluate the split and the user's own prompt, or estimate the split from some of its cells."""
    name, threshold = contender.name, task.thresholds[0]
    splits = {config.split: bank.require(config.split), "user": task.prompts[:1]}
    with ExitStack() as stack:
        loaded = cache(lambda: stack.enter_context(models.loaded(contender)))  # only where cells lack
        matrices, seconds, measured, sample = _score_splits(
            config, name, loaded, task, splits, examples, reporter
        )
    matrix = matrices[config.split]
    of_base = None
    if contender.adapter is not None:
        of_base = check_base(contender.adapter, config.pinned_model, any_base=config.any_base)
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
        rows.append(row | (sample_figures(sample) if split == config.split else {}) | UNTRAINED)
        per_prompt += prompt_rows(name, None, split, prompts, matrices[split], seconds[split])
    summary = robustness_row(name, None, config.split, matrices, threshold)
    return {**about, "rows": rows, "per_prompt": per_prompt, "robustness": [summary]}


def _score_splits(
    config: EvaluateConfig, name: str, loaded: Callable[[], LanguageModel | VllmModel | ServedModel],
    task: Task, splits: Mapping[str, Sequence[Prompt]], examples: Sequence[Example], reporter: Reporter,
) -> tuple[dict[str, Matrix], dict[str, float], Measured | None, Matrix | None]:  # fmt: skip
    """Return matrices and seconds by split, what a precision was found from, and the cells generated too.

    Of a part of the cells only the split itself is scored; the user prompt, and the sample that is
    generated, where all of it is.
    """
    chosen = config.cells(len(splits[config.split]), len(examples))
    matrices: dict[str, Matrix] = {}
    seconds: dict[str, float] = {}
    measured = None

    def load(split: str, cells: int) -> LanguageModel | VllmModel | ServedModel:
        reporter.stage(name, f"evaluate on {split} prompts", cells)
        return loaded()

    shared = _Shared(
        task=task, examples=examples, folder=Path(config.output) / TRIALS / name,
        settings=config.evaluate, max_length=config.max_length,
    )  # fmt: skip
    if config.precision is not None:
        matrix, measured = evaluate_parts(
            partial(load, config.split), prompts=splits[config.split], split=config.split,
            precision=config.precision, worst=not config.mean_only, seed=config.budget_seed,
            on_cells=reporter.advance, **shared,
        )  # fmt: skip
        if not matrix.complete:
            return {config.split: matrix}, {}, measured, None
    for split, prompts in splits.items():
        if split == config.split or chosen is None:
            cells = len(prompts) * len(examples) if chosen is None else int(chosen.sum())
            matrices[split], seconds[split] = evaluate_split(
                partial(load, split, cells), prompts=prompts, split=split, chosen=chosen,
                on_cells=reporter.advance, **shared,
            )  # fmt: skip
    if chosen is not None or config.backend == "openai":
        return matrices, seconds, measured, None
    sample = evaluate_sample(loaded, prompts=splits[config.split], split=config.split, **shared)
    return matrices, seconds, measured, sample


class _Shared(TypedDict):
    """What scoring of every split, whole or in parts, is given."""

    task: Task
    examples: Sequence[Example]
    folder: Path
    settings: Evaluate
    max_length: int


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
    others = {"output", "task", "data", "bank", "evaluate", "server", "any_base", "base", "adapters"}
    others |= unset_keys(config.trust_remote_code, config.revision)
    others |= {"mean_only"} if not config.mean_only else set()
    settings = config.model_dump(mode="json", exclude=others)
    adapter = None if config.adapter is None else model_fingerprint(config.adapter)
    adapters = {name: model_fingerprint(folder) for name, folder in config.adapters.items()}
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
        **({"adapters": adapters} if adapters else {}),
        **task_identity(task),
        "bank": bank.fingerprint,
        "test examples": examples,
    }
