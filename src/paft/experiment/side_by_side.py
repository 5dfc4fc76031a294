"""``paft try``: what the models of a run answer to an input under the user prompt, unseen and typed prompts.

Models answer one after another (:mod:`paft.model.shared_base`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from paft.bank import Bank, load_bank
from paft.bank.compose.composed_bank import compose_bank
from paft.config import RunConfig, load_config
from paft.errors import ConfigError, DataError
from paft.evaluate.answers import Answer, answer_inputs
from paft.evaluate.settings import Evaluate
from paft.experiment.bank_choice import bank_file
from paft.experiment.contenders import AdapterOnTask, Contender, check_same_task, take_recorded, take_task
from paft.experiment.inputs import some
from paft.experiment.trial import trial_weights
from paft.files import read_yaml
from paft.methods import METHODS, method_to_train
from paft.model.adapter import check_adapter
from paft.model.shared_base import SharedBase
from paft.names import folder_name
from paft.prompt import Prompt
from paft.report.folder import read_results
from paft.report.run_folder import (
    BANK,
    CONFIG,
    IDENTITY,
    SUMMARY,
    Trial,
    plan_trials,
    refuse_former,
    weights_name,
)
from paft.task.task import Task, load_task


@dataclass(frozen=True)
class Shown:
    """A prompt to answer under, and where it comes from: ``user``, ``unseen`` or ``yours``."""

    kind: str
    prompt: Prompt


@dataclass
class SideBySide:
    """Models and prompts that inputs are put to.

    Attributes:
        task: The task.
        contenders: The models.
        prompts: The prompts, the user prompt first.
        models: Loads them in turn; says how all are asked.
        evaluate: Settings of stage 3.
        max_length: Tokens of prompt and answer at most.
        unfinished: Trials of the run that are not finished, if all of their method are not.
        bank: The run's, or the one that goes with the task; prompts are named by their id there.
    """

    task: Task
    contenders: Sequence[Contender]
    prompts: Sequence[Shown]
    models: SharedBase
    evaluate: Evaluate
    max_length: int
    unfinished: tuple[str, ...] = ()
    bank: Bank | None = None

    def answer(self, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, list[Answer]]]:
        """Return for each input the answers of every model, in the order of the prompts.

        Raises:
            DataError: If an input lacks a field or is empty; no model is loaded.
            ModelError: If a model cannot be loaded.
        """
        inputs = [self.task.unanswered(row, number) for number, row in enumerate(rows)]
        found: list[dict[str, list[Answer]]] = [{} for _ in inputs]
        for contender in self.contenders:
            with self.models.loaded(contender.model, contender.adapter) as model:
                answers = answer_inputs(
                    model, self.task, [shown.prompt for shown in self.prompts], inputs,
                    self.evaluate, self.max_length,
                )  # fmt: skip
            for each, mine in zip(found, answers, strict=True):
                each[contender.name] = mine
        return found


def try_run(
    folder: Path, unseen: int, templates: Sequence[str] = (), trial: str | None = None, *,
    task: Task | None = None,
) -> SideBySide:  # fmt: skip
    """Return the methods of a run side by side, each with its first finished seed, or what was trained.

    Args:
        folder: The folder of `paft run` or `paft train`.
        unseen: Number of its test prompts, from the one with the lowest accuracy in the run to the highest.
        templates: Prompts that the user typed.
        trial: The only trial wanted, by its name, or by its method if that has one seed.
        task: The task that the run was given, if it was made in Python.

    Raises:
        PaftError: If the folder is no run with a finished trial, weights of one are gone, its task has
            changed since, or a prompt does not fit.
    """
    if not folder.is_dir():
        raise DataError(f"no run in {folder}: give the folder that `paft run` names as its output")
    refuse_former(folder)
    if not (folder / CONFIG).is_file() or not (folder / IDENTITY).is_file():
        raise DataError(
            f"{folder} is no run: it has no {CONFIG} or no {IDENTITY}; give the folder of `paft run`"
        )
    if "methods" not in read_yaml(folder / CONFIG, "configuration"):
        raise ConfigError(
            f"{folder} is of `paft evaluate`, which keeps no weights: try them by --model or --adapter"
        )
    config = load_config(folder / CONFIG)
    name = config.task if task is None else None
    task = task or load_task(config.task, config.data)
    check_same_task(folder, task, name)
    bank = load_bank(folder / BANK)
    contenders, per_prompt = _trained_alone(folder, config), list[Any]()
    lacking: tuple[str, ...] = ()
    if not contenders:
        results, unfinished = read_results(folder)  # refuses a run without a finished trial
        contenders, per_prompt = _of_run(folder, config, trial), results["per_prompt"]
        known = {contender.name.partition("-")[0] for contender in contenders}
        lacking = tuple(name for name in unfinished if name.partition("-")[0] not in known)
    elif trial not in (None, contenders[0].name, contenders[0].name.rpartition("-")[0]):
        raise ConfigError(f"{folder} is of `paft train` and has the trial {contenders[0].name} alone")
    prompts = _prompts(task, _spread(bank.prompts("test"), per_prompt, unseen), templates)
    models = SharedBase(config.chat, config.trust_remote_code)
    return SideBySide(
        task, contenders, prompts, models, config.evaluate, config.train.max_length, lacking, bank
    )


def _trained_alone(folder: Path, config: RunConfig) -> list[Contender]:
    """Return what `paft train` trained; nothing for the folder of a run of several trials."""
    weights = folder / weights_name(config)
    if not weights.is_dir():
        return []
    name = Trial(method_to_train(config.methods), config.seeds[0]).name
    if config.train.adapt.method == "full":
        return [Contender(name, str(weights))]
    check_adapter(weights)
    return [Contender(name, config.pinned_model, weights)]


def _of_run(folder: Path, config: RunConfig, trial: str | None) -> list[Contender]:
    """Return the finished trials of a run, the first of each method, or the one that is named."""
    plans = [plan for plan in plan_trials(config) if (plan.folder(folder) / SUMMARY).exists()]
    of_method = [plan.name for plan in plans if plan.method == trial]
    trial = of_method[0] if len(of_method) == 1 else trial  # a method with one seed needs no number
    if trial is None:
        plans = list({plan.method: plan for plan in reversed(plans)}.values())
        plans.sort(key=lambda plan: config.methods.index(plan.method))
    elif trial not in {plan.name for plan in plans}:
        names = ", ".join(plan.name for plan in plans)
        raise ConfigError(f"the run in {folder} has no finished trial {trial!r}: choose one of {names}")
    else:
        plans = [plan for plan in plans if plan.name == trial]
    contenders = []
    for plan in plans:
        model, adapter = trial_weights(plan, config, plan.folder(folder))
        if METHODS[plan.method].schedule is not None and not Path(adapter or model).is_dir():
            raise DataError(f"trial {plan.name} is finished, but its weights are gone: no {adapter or model}")
        if adapter is not None:
            check_adapter(adapter)
        contenders.append(Contender(plan.name, model, adapter))
    return contenders


def try_model(
    config: AdapterOnTask, unseen: int, templates: Sequence[str] = (), *,
    task: Task | None = None, evaluate: Evaluate | None = None,
) -> SideBySide:  # fmt: skip
    """Return one model, with or without an adapter, under the prompts of a task.

    Args:
        config: The model. Where it names no task, that of the run around its weights counts.
        unseen: Number of test prompts of its bank.
        templates: Prompts that the user typed.
        task: A task made in Python, instead of the one the configuration names.
        evaluate: Settings of stage 3.

    Raises:
        PaftError: If something cannot be read, or a prompt does not fit.
    """
    if task is None and "task" not in config.model_fields_set:
        config = take_task(config, [config.adapter or config.model])
    config = config.of_task(task)
    task = task or load_task(config.task, config.data)
    config, _ = take_recorded(config, [] if config.adapter is None else [config.adapter])
    adapter = None if config.adapter is None else Path(config.adapter)
    if adapter is not None:
        check_adapter(adapter)
    file = bank_file(config)
    bank = compose_bank(task).bank if file is None else load_bank(file)
    test = bank.prompts("test")
    chosen = some(test, min(unseen, len(test)), 0)
    contender = Contender(folder_name(config.adapter or config.model, "model"), config.pinned_model, adapter)
    models = SharedBase(config.chat, config.trust_remote_code, config.any_base)
    return SideBySide(
        task, [contender], _prompts(task, chosen, templates), models, evaluate or Evaluate(),
        config.max_length, bank=bank,
    )  # fmt: skip


def _spread(test: Sequence[Prompt], per_prompt: Sequence[Mapping[str, Any]], count: int) -> list[Prompt]:
    """Choose prompts at equal steps of rank by a run's mean accuracy, from the lowest to the highest."""
    found = defaultdict(list)
    for entry in per_prompt:
        if entry["split"] == "test":
            found[entry["prompt_id"]].append(entry["accuracy"])
    ordered = sorted(test, key=lambda prompt: (float(np.mean(found.get(prompt.id, [1.0]))), prompt.id))
    places = np.linspace(0, len(ordered) - 1, min(count, len(ordered))).round().astype(int)
    return [ordered[place] for place in places]


def _prompts(task: Task, unseen: Sequence[Prompt], templates: Sequence[str]) -> list[Shown]:
    """Put the user prompt first, then unseen ones, then what the user typed; none stands twice."""
    typed = [Prompt(template, {"source": "typed"}) for template in templates]
    for prompt in typed:
        task.check_prompt(prompt)
    listed = [("user", task.prompts[0]), *(("unseen", p) for p in unseen), *(("yours", p) for p in typed)]
    shown: dict[str, Shown] = {}
    for kind, prompt in listed:
        shown.setdefault(prompt.id, Shown(kind, prompt))
    return list(shown.values())
