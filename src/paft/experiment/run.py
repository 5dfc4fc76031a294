"""``paft run``: from a configuration to a report: plan the trials, run what is missing, gather the results.

Methods and seeds are no part of what the output folder is tied to: trials do not depend on each other,
so a later run may add some.

Behind what every output folder begins with (:mod:`paft.experiment.output_folder`) come the trials in
``trials/<method>-<seed>/``, ``results.json`` with all figures and ``report.html``.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from paft.bank import Bank, near_duplicates_across, near_warnings
from paft.config import RunConfig
from paft.errors import DivergedError, expect
from paft.evaluate.rows import describe_scoring, guess_levels
from paft.experiment.answer_tokens import check_completions, check_lengths, check_options
from paft.experiment.bank_choice import tell_composed
from paft.experiment.baselines.choice import check_chooser
from paft.experiment.identity import run_identity
from paft.experiment.inputs import (
    Inputs,
    blank_fields,
    chat_hint,
    check_trained,
    encoder_of,
    few_validation_cells,
    load_inputs,
)  # fmt: skip
from paft.experiment.output_folder import begin_output, working_in
from paft.experiment.trial import run_trial
from paft.files import disk_error, write_json
from paft.methods import METHODS
from paft.model.files import hub_commit
from paft.model.quantised import four_bit
from paft.progress import Reporter, speaking
from paft.provenance import environment
from paft.report import read_verdict, write_report
from paft.report.card import tell_verdict
from paft.report.findings import Finding, read_findings, trained_prompts_findings
from paft.report.results import Results
from paft.report.run_folder import PAGE, RESULTS, met_in_training, plan_trials, weights_name
from paft.task.task import Task

TRIAL_LISTS = ("rows", "per_prompt", "robustness", "warnings")  # what every trial brings


@speaking
def run(
    config: RunConfig,
    reporter: Reporter | None = None,
    *,
    task: Task | None = None,
    bank: Bank | None = None,
) -> Results:
    """Run a comparison, or what is missing of it, and return the content of ``results.json``.

    Args:
        config: What to compare.
        reporter: Hears about progress; by default a bar in terminals, lines in notebooks and, on standard
            error, in scripts; ``Reporter()`` is silent.
        task: A task made in Python, instead of the one the configuration names.
        bank: A bank made in Python, likewise.

    Raises:
        PaftError: If an input is unusable, with nothing written, or another process works in the folder.
        ResumeError: If the output folder belongs to another configuration.
        DivergedError: If every trial failed; one that did is named in the results, and the others run.
    """
    expect(config, RunConfig, "the configuration of a run")
    reporter = reporter or Reporter()
    inputs = checked_inputs(config, task, bank)
    config = config.of_task(task)
    output = Path(config.output)
    with working_in(output):
        prepare(config, inputs)
        if inputs.composed:
            reporter.finish(inputs.task.name, tell_composed(inputs.bank, output))
        for hint in inputs.hints:
            reporter.finish(inputs.task.name, hint)
        for warning in inputs.warnings:
            reporter.finish(inputs.task.name, f"warning: {warning}")
        trials, failures = [], {}
        for plan in plan_trials(config):
            try:
                trials.append(run_trial(plan, config, inputs, plan.folder(output), reporter))
            except DivergedError as error:  # the other trials do not depend on it
                failures[plan.name] = str(error)
                reporter.finish(plan.name, f"failed: {error}")
            except OSError as error:
                raise disk_error(plan.folder(output), error) from error
        if not trials:
            raise DivergedError(f"no trial has figures: {'; '.join(failures.values())}")
        return gather_run(config, inputs, trials, failures)


def checked_inputs(config: RunConfig, task: Task | None = None, bank: Bank | None = None) -> Inputs:
    """Load everything a run works on and check it; nothing is written.

    Raises:
        PaftError: If an input is unusable.
    """
    inputs = load_inputs(config, task, bank)
    check_trained(config)
    if config.train.adapt.quantised:
        four_bit()
    for plan in plan_trials(config):
        chooser = METHODS[plan.method].chooser
        if chooser is not None and not (plan.folder(Path(config.output)) / "choice.json").exists():
            check_chooser(chooser, config, inputs.generators)
    encoder = encoder_of(config)
    check_options(encoder, inputs.task, inputs.train, inputs.test)
    known = trained_prompts_findings(_trained_on(config, inputs.bank), len(inputs.bank.require("test")))
    warnings = [each.text for each in known]
    warnings += few_validation_cells(inputs) + blank_fields(inputs.task, "test", inputs.test)
    warnings += blank_fields(inputs.task, "train", inputs.pool or inputs.train)
    warnings += check_completions(encoder, config, inputs.task, inputs.train)
    if not inputs.task.answer.closed or config.evaluate.generate:
        warnings += check_lengths(encoder, inputs.task, inputs.test)
    return dataclasses.replace(inputs, warnings=warnings, hints=chat_hint(encoder, config))


def prepare(config: RunConfig, inputs: Inputs) -> None:
    """Make the output folder this run's, with all that its trials have in common.

    Raises:
        ResumeError: If the folder belongs to another configuration.
    """
    begin_output(Path(config.output), run_identity(config, inputs), config, inputs.bank)


def gather_run(
    config: RunConfig,
    inputs: Inputs,
    trials: Sequence[Mapping[str, Any]],
    failures: Mapping[str, str] | None = None,
) -> Results:
    """Write ``results.json`` and ``report.html`` of finished trials; return the content of the first.

    ``trials`` is what :func:`paft.experiment.trial.run_trial` returned; ``failures`` says by name what others
    failed of.
    """
    output = Path(config.output)
    gathered = {key: [item for trial in trials for item in trial[key]] for key in TRIAL_LISTS}
    near = near_duplicates_across(inputs.bank)
    failed = [{"trial": trial, "error": error} for trial, error in (failures or {}).items()]
    lost = [f"{failure['trial']} failed and has no figures: {failure['error']}" for failure in failed]
    content = {
        "schema": 2,
        "task": inputs.task.name,
        "model": config.model,
        "bank_fingerprint": inputs.bank.fingerprint,
        "bank_prompts": {split: len(prompts) for split, prompts in inputs.bank.splits.items()},
        "near_duplicates": [
            {"seen": seen.id, "unseen": unseen.id, "similarity": round(similarity, 3)}
            for seen, unseen, similarity in near
        ],
        "warnings": [
            *near_warnings(inputs.bank, near),
            *lost,
            *inputs.warnings,
            *inputs.repeats,
            *gathered.pop("warnings"),
        ],
        "scoring": describe_scoring(inputs.task, generate=config.evaluate.generate),
        "config": config.model_dump(mode="json"),
        "environment": environment(),
        **hub_commit(config.pinned_model),
        **({"trained_on": trained_on} if (trained_on := _trained_on(config, inputs.bank)) else {}),
        **({"failures": failed} if failed else {}),
        "levels": guess_levels(inputs.test),
        **gathered,
    }
    findings = read_findings(output, content)
    content["findings"] = [dataclasses.asdict(each) for each in findings]
    results = Results(content, output)
    write_json(output / RESULTS, results)
    write_report(results, output / PAGE, folder=output, examples=inputs.test)
    tell_cards(config, read_verdict(output, results), findings)
    return results


def _trained_on(config: RunConfig, bank: Bank) -> list[dict[str, Any]]:
    """Return which unseen prompts the weights that all methods begin from met in a former training."""
    begun = [config.model, *([config.train.start_from] if config.train.start_from is not None else [])]
    met = met_in_training(begun)
    ids = [prompt.id for prompt in bank.require("test") if prompt.id in met]
    return [{"method": "base", "weights": begun[-1], "prompts": ids}] if ids else []


def tell_cards(config: RunConfig, verdict: str, findings: Sequence[Finding]) -> None:
    """Put a run's verdict and what stands against it into the model cards of all that it trained."""
    for plan in plan_trials(config):
        tell_verdict(plan.folder(Path(config.output)) / weights_name(config), verdict, findings)
