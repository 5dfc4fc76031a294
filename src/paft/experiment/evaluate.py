"""``paft evaluate``: a model, or adapters and their base, on the prompts of a split.

The same folder layout, identity check and results as ``paft run`` (:mod:`paft.experiment.output_folder`), so
that reports and exports read both: each model is a trial without a seed.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from types import NoneType
from typing import Any

from paft.bank import Bank
from paft.errors import ConfigError, DataError, expect
from paft.evaluate.cells import AnyModel
from paft.evaluate.matrix import Matrix
from paft.evaluate.parts import evaluate_parts
from paft.evaluate.rows import (
    answer_figures,
    cell_warnings,
    describe_scoring,
    guess_levels,
    model_rows,
)
from paft.evaluate.runner import evaluate_sample, evaluate_split, processes
from paft.evaluate.scoring.vllm import VllmModel, import_vllm, load_vllm
from paft.experiment.answer_tokens import check_lengths, check_options
from paft.experiment.bank_choice import is_composed, tell_composed
from paft.experiment.contenders import Contender, take_recorded, take_task
from paft.experiment.evaluate_config import EvaluateConfig as EvaluateConfig
from paft.experiment.evaluated_bank import choose_evaluated
from paft.experiment.identity import FREE, task_identity, unset_keys
from paft.experiment.inputs import blank_fields, sample
from paft.experiment.output_folder import begin_output, working_in
from paft.experiment.trained_card import fill_trained_card
from paft.files import write_json, write_text
from paft.model.adapter import check_base, check_before_loading
from paft.model.files import hub_commit
from paft.model.load import check_model, load_encoder, model_fingerprint
from paft.model.quantised import four_bit, trained_quantised
from paft.model.shared_base import SharedBase
from paft.progress import Reporter, speaking
from paft.prompt import Prompt
from paft.provenance import environment
from paft.report.budget import budget_page, read_budget
from paft.report.findings import read_findings, trained_prompts_findings
from paft.report.html import write_report
from paft.report.results import Results
from paft.report.run_folder import PAGE, RESULTS, TRIALS, met_in_training
from paft.statistics.budget import PartEstimate, estimate_mean, estimate_std
from paft.statistics.precision import Measured
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
        reporter: Hears about progress; by default a bar in terminals, lines in notebooks and, on standard
            error, in scripts; ``Reporter()`` is silent.
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
    if task is None and "task" not in config.model_fields_set and config.backend != "openai":
        config = take_task(config, [*map(str, config.adapter_folders.values())] or [config.model])
    if task is None and "task" not in config.model_fields_set:
        reporter.finish(config.task, "the built-in task, since none is given: name yours")
    config = config.of_task(task)
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
    trained_on = _trained_on(config, bank)
    trained = [each.text for each in trained_prompts_findings(trained_on, len(bank.require(config.split)))]
    warnings = [*told, *trained, *warnings]
    for warning in warnings:
        reporter.finish(task.name, f"warning: {warning}")
    if config.base and config.budgeted and config.adapter_folders:
        reporter.finish(task.name, "the base is left out: a budget of cells is for one model")
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
            **({"trained_on": trained_on} if trained_on else {}),
            **({} if config.backend == "openai" else hub_commit(config.pinned_model)),
            "levels": guess_levels(examples),
            **_Evaluation(config, task, bank, examples, reporter).run(),
        }
        if content["rows"]:
            content["findings"] = [dataclasses.asdict(each) for each in read_findings(output, content)]
        results = Results(content, output)
        results["warnings"] = [*warnings, *results["warnings"]]
        if processes()[0] == 0:
            write_json(output / RESULTS, results)
            _write_page(output, results, examples)
            for name, line in _fill_cards(config, output, task, bank, results, examples):
                reporter.finish(name, line)
    return results


def _fill_cards(
    config: EvaluateConfig, output: Path, task: Task, bank: Bank, results: Results,
    examples: Sequence[Example],
) -> Iterator[tuple[str, str]]:  # fmt: skip
    """Write figures into the cards of what was trained; yield what became of each."""
    repeats = _repeats(config, task, examples)
    for contender in config.contenders:
        folder = output / TRIALS / contender.name
        line = fill_trained_card(contender, folder, task, bank, results, examples, repeats)
        if line is not None:
            yield contender.name, line


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
    found = [*_check_answers(config, task, examples), *blank_fields(task, "test", examples)]
    return examples, [*found, *_repeats(config, task, examples)]


def _trained_on(config: EvaluateConfig, bank: Bank) -> list[dict[str, Any]]:
    """Return which prompts of the split each model met in its training; the training split is meant to be."""
    if config.backend == "openai" or config.split == "train":
        return []
    found = []
    for each in config.contenders:
        met = met_in_training([each.model, *([str(each.adapter)] if each.adapter is not None else [])])
        ids = [prompt.id for prompt in bank.require(config.split) if prompt.id in met]
        found += [{"method": each.name, "weights": each.weights, "prompts": ids}] if ids else []
    return found


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


class _Evaluation:
    """One evaluation: what it is on, and its models, which share one base or one engine."""

    def __init__(
        self, config: EvaluateConfig, task: Task, bank: Bank, examples: Sequence[Example], reporter: Reporter
    ) -> None:
        self.config, self.task, self.reporter = config, task, reporter
        self.prompts = bank.require(config.split)
        self.cells = config.cells(len(self.prompts), len(examples))
        self.shared: dict[str, Any] = {
            "task": task, "examples": examples, "settings": config.evaluate, "max_length": config.max_length,
        }  # fmt: skip
        self._base = SharedBase(config.chat, config.trust_remote_code, config.any_base)
        self._stack = ExitStack()
        self._engine: VllmModel | None = None
        self._held: tuple[Contender, AnyModel] | None = None

    def run(self) -> dict[str, Any]:
        """Evaluate every model, one after another; return what the results hold of them."""
        with self._stack:
            if self.config.precision is not None:
                found = self._measure_all(self.config.precision)
                if found is not None:
                    return found
            each = [self._evaluate_one(contender) for contender in self.config.contenders]
        if len(each) == 1:
            return each[0]
        return {
            "scoring": self._scoring(),
            "compared": self.config.compared,
            **{
                key: [item for one in each for item in one[key]]
                for key in ("warnings", "rows", "per_prompt", "robustness")
            },
        }

    def _measure_all(self, precision: float) -> dict[str, Any] | None:
        """Score the split until the precision is reached; None if that took every cell of every model."""
        config = self.config
        contenders = {each.name: each for each in config.contenders}
        matrices, measured, differences = evaluate_parts(
            lambda name, cells: self._start(contenders[name], config.split, cells),
            prompts=self.prompts, split=config.split,
            folders={name: self._folder(name) for name in contenders},
            precision=precision, worst=not config.mean_only, seed=config.budget_seed,
            on_cells=self.reporter.advance, **self.shared,
        )  # fmt: skip
        if all(matrix.complete for matrix in matrices.values()):
            return None
        warnings = [
            text
            for name, each in contenders.items()
            for text in self._warnings(each, {config.split: matrices[name]})
        ]
        about = self._scoring()
        if len(contenders) == 1:
            about |= answer_figures(next(iter(matrices.values())))
        found = {name: _measured(matrices[name], measured[name]) for name in contenders}
        budget = _measured_budget(config, found, differences)
        return {"warnings": warnings, "scoring": about, "rows": [], "per_prompt": [], "budget": budget}

    def _evaluate_one(self, contender: Contender) -> dict[str, Any]:
        """Evaluate the split and the user's own prompt, or estimate the split from some of its cells."""
        name, main, chosen, examples = contender.name, self.config.split, self.cells, self.shared["examples"]
        tested: dict[str, Sequence[Prompt]] = {main: self.prompts}
        if chosen is None:  # else the user prompt is where all of the split is
            tested["user"] = self.task.prompts[:1]
        splits: dict[str, tuple[Sequence[Prompt], Matrix, float]] = {}
        for split, prompts in tested.items():
            cells = len(prompts) * len(examples) if chosen is None else int(chosen.sum())
            matrix, seconds = evaluate_split(
                partial(self._start, contender, split, cells),
                prompts=prompts, split=split, folder=self._folder(name), chosen=chosen,
                on_cells=self.reporter.advance, **self.shared,
            )  # fmt: skip
            splits[split] = prompts, matrix, seconds
        matrices = {split: matrix for split, (_, matrix, _) in splits.items()}
        about = {
            "warnings": self._warnings(contender, matrices),
            "scoring": self._scoring() | answer_figures(matrices[main]),
        }
        if chosen is not None:
            scores = matrices[main].scores
            budget = _estimated(matrices[main], estimate_mean(scores), estimate_std(scores))
            return {**about, "rows": [], "per_prompt": [], "budget": budget}
        sample = None
        if self.config.backend != "openai":
            sample = evaluate_sample(
                partial(self._hold, contender),
                prompts=self.prompts, split=main, folder=self._folder(name), **self.shared,
            )  # fmt: skip
        return about | model_rows(name, None, splits, main, self.task.thresholds[0], sample, UNTRAINED)

    def _start(self, contender: Contender, split: str, cells: int) -> AnyModel:
        """Return a model that is to score so many cells."""
        self.reporter.stage(contender.name, f"evaluate on {split} prompts", cells)
        return self._hold(contender)

    def _hold(self, contender: Contender) -> AnyModel:
        """Return a model, and let go of the one before."""
        if self._held is None or self._held[0] != contender:
            self._held = None
            self._stack.close()
            self._held = contender, self._stack.enter_context(self._loaded(contender))
        return self._held[1]

    @contextmanager
    def _loaded(self, contender: Contender) -> Iterator[AnyModel]:
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

    def _warnings(self, contender: Contender, matrices: Mapping[str, Matrix]) -> list[str]:
        """Warn of an adapter on another base, of a precision that took every cell, and of what cells say."""
        config, name, matrix = self.config, contender.name, matrices[self.config.split]
        found = []
        if contender.adapter is not None:
            found.append(check_base(contender.adapter, config.pinned_model, any_base=config.any_base))
        if config.precision is not None and matrix.complete:
            cells = len(matrix.cells)
            found.append(f"{name}: precision {config.precision:g} took all {cells} {config.split} cells")
        return [*filter(None, found)] + [
            text for split in matrices for text in cell_warnings(name, split, matrices[split])
        ]

    def _scoring(self) -> dict[str, Any]:
        return describe_scoring(self.task, self.config.backend, self.config.evaluate.generate)

    def _folder(self, name: str) -> Path:
        return Path(self.config.output) / TRIALS / name


def _measured_budget(
    config: EvaluateConfig,
    models: Mapping[str, dict[str, Any]],
    differences: Mapping[tuple[str, str], PartEstimate],
) -> dict[str, Any]:
    """Return what was found to a precision: of one model itself, of several by name, and differences."""
    first = next(iter(models.values()))
    if len(models) == 1:
        return first | {"precision": config.precision}
    shared = "prompts", "examples", "looks"
    return {
        **{key: first[key] for key in shared},
        "cells": sum(made["cells"] for made in models.values()),
        "precision": config.precision,
        "compared": config.compared,
        "models": [
            {"name": name, **{key: made[key] for key in made if key not in shared}}
            for name, made in models.items()
        ],
        "differences": [
            {"first": first, "second": second, **dataclasses.asdict(found)}
            for (first, second), found in differences.items()
        ],
    }


def _measured(matrix: Matrix, measured: Measured) -> dict[str, Any]:
    """Return what was found of one model to a precision."""
    found = _estimated(matrix, measured.mean, measured.std) | {"looks": list(measured.looks)}
    if measured.worst is not None:
        prompt = matrix.prompt_ids[measured.worst.prompt]
        found["worst"] = dataclasses.asdict(measured.worst) | {"prompt": prompt}
    return found


def _estimated(matrix: Matrix, mean: PartEstimate, std: PartEstimate) -> dict[str, Any]:
    """Return what some of the cells say of all of them."""
    return {
        "prompts": len(matrix.prompt_ids),
        "examples": len(matrix.examples),
        "cells": len(matrix.cells),
        "mean": dataclasses.asdict(mean),
        "std": dataclasses.asdict(std),
    }


def _identity(config: EvaluateConfig, task: Task, bank: Bank, examples: str) -> dict[str, Any]:
    """Everything a figure depends on, by name."""
    others = {"output", "task", "data", "bank", "evaluate", "server", "any_base", "base", "adapters"}
    others |= unset_keys(config)
    others |= {"mean_only"} if not config.mean_only else set()
    if config.precision is not None and config.with_base:  # which cells are scored depends on every model
        others -= {"base"}
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
