"""From a configuration to a report: plan the cells, run what is missing, gather the results.

The output folder belongs to one configuration and one set of inputs. Both are written there before
anything else (``run.json``); a run into a folder of other inputs is refused with the name of what
differs. Methods and seeds are no part of that identity: cells do not depend on each other, so a
later run may add some.

Layout of the output folder::

    config.yaml   resolved configuration        results.json  all figures
    run.json      identity: what must not change report.html   table and plot
    bank.jsonl    the bank, frozen              cells/<method>-<seed>/...
    .lock         keeps a second process out, empty
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from paft.bank import Bank, near_duplicates_across, near_warnings
from paft.config import RunConfig
from paft.errors import DivergedError, ResumeError
from paft.evaluate.rows import judging
from paft.evaluate.runner import processes
from paft.experiment.answer_tokens import check_lengths, check_options
from paft.experiment.baselines.choice import check_chooser
from paft.experiment.identity import FREE, changes, choice_identity, task_identity, told
from paft.experiment.inputs import Inputs, load_inputs
from paft.experiment.trial import Reporter, run_trial
from paft.files import disk_error, write_json, write_text
from paft.lock import LOCK, sole_process
from paft.methods import METHODS
from paft.model.files import hub_commit, sampled_fingerprint
from paft.model.load import check_model, load_encoder, model_fingerprint
from paft.model.quantised import four_bit
from paft.part import parts
from paft.progress import Silent
from paft.provenance import environment
from paft.report import read_verdict, write_report
from paft.report.card import tell_verdict
from paft.report.run_folder import BANK, CONFIG, IDENTITY, PAGE, RESULTS, Trial, plan_trials, weights_name
from paft.shape import read_record
from paft.task.task import Task, data_fingerprint
from paft.train.adapt import check_adapt

CELL_LISTS = ("rows", "per_prompt", "robustness", "warnings")  # what every cell brings


def run(
    config: RunConfig,
    reporter: Reporter | None = None,
    *,
    task: Task | None = None,
    bank: Bank | None = None,
) -> dict[str, Any]:
    """Run a comparison, or what is missing of it.

    Args:
        config: What to compare.
        reporter: Hears about progress.
        task: A task made in Python, instead of the one the configuration names.
        bank: A bank made in Python, likewise.

    Returns:
        The content of ``results.json``.

    Raises:
        PaftError: If an input is unusable; nothing is written before all inputs were checked.
        ResumeError: If the output folder belongs to another configuration.
        DivergedError: If every trial failed; one that did is named in the results, and the others run.
        PaftError: If another process works in it.
    """
    reporter = reporter or Silent()
    inputs = checked_inputs(config, task, bank)
    with working_in(Path(config.output)):
        prepare(config, inputs)
        for warning in inputs.warnings:
            reporter.finish(inputs.task.name, f"warning: {warning}")
        cells, failures = [], {}
        for plan in plan_trials(config):
            try:
                cells.append(run_trial(plan, config, inputs, cell_folder(config, plan), reporter))
            except DivergedError as error:  # the other cells do not depend on it
                failures[plan.name] = str(error)
                reporter.finish(plan.name, f"failed: {error}")
            except OSError as error:
                raise disk_error(cell_folder(config, plan), error) from error
        if not cells:
            raise DivergedError(f"no trial has figures: {'; '.join(failures.values())}")
        return gather_run(config, inputs, cells, failures)


def checked_inputs(config: RunConfig, task: Task | None = None, bank: Bank | None = None) -> Inputs:
    """Load everything a run works on and check it; nothing is written.

    Args:
        config: What to compare.
        task: A task made in Python, instead of the one the configuration names.
        bank: A bank made in Python, likewise.

    Raises:
        PaftError: If an input is unusable.
    """
    inputs = load_inputs(config, task, bank)
    check_trained(config)
    for plan in plan_trials(config):
        chooser = METHODS[plan.method].chooser
        if chooser is not None and not (cell_folder(config, plan) / "choice.json").exists():
            check_chooser(chooser, config, inputs.generators)
    encoder = load_encoder(
        config.model, config.train.max_length, config.chat, trust_remote_code=config.trust_remote_code
    )
    check_options(encoder, inputs.task, inputs.train, inputs.test)
    if inputs.task.answer.closed and not config.evaluate.generate:
        return inputs
    return dataclasses.replace(inputs, warnings=check_lengths(encoder, inputs.task, inputs.test))


def check_trained(config: RunConfig) -> None:
    """Refuse a model that cannot be had, or not with the adapter it is to get; no weights are loaded.

    Raises:
        PaftError: Saying why.
    """
    check_model(config.model, config.chat, trust_remote_code=config.trust_remote_code)
    if config.train.adapt.quantised:
        four_bit()
    check_adapt(config.model, config.train.adapt, trust_remote_code=config.trust_remote_code)


def prepare(config: RunConfig, inputs: Inputs) -> None:
    """Make the output folder this run's, with all that its cells have in common.

    Raises:
        ResumeError: If the folder belongs to another configuration.
    """
    if processes()[0] > 0:
        return  # the first of several processes writes for all
    output = Path(config.output)
    claim_output(output, identity(config, inputs))
    write_text(output / CONFIG, config.to_yaml())
    inputs.bank.save(output / BANK)


@contextmanager
def working_in(output: Path) -> Iterator[None]:
    """Keep other processes out of an output folder while the block runs; see :mod:`paft.lock`.

    Raises:
        ResumeError: If it holds files of something else, which gets no lock put beside it.
        PaftError: If another process works in it.
    """
    rank = processes()[0]
    if rank == 0:
        _begun(output)
    with sole_process(output, rank=rank):
        yield


def cell_folder(config: RunConfig, plan: Trial) -> Path:
    """Return where a trial of a run lies."""
    return plan.folder(Path(config.output))


def gather_run(
    config: RunConfig,
    inputs: Inputs,
    cells: Sequence[Mapping[str, Any]],
    failures: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Write ``results.json`` and ``report.html`` of finished cells.

    Args:
        config: What was compared.
        inputs: What it was compared on.
        cells: What :func:`paft.experiment.trial.run_trial` returned.
        failures: What other cells failed of, by their name.

    Returns:
        The content of ``results.json``.
    """
    output = Path(config.output)
    gathered = {key: [item for cell in cells for item in cell[key]] for key in CELL_LISTS}
    near = near_duplicates_across(inputs.bank)
    failed = [{"cell": cell, "error": error} for cell, error in (failures or {}).items()]
    lost = [f"{failure['cell']} failed and has no figures: {failure['error']}" for failure in failed]
    results = {
        "schema": 1,
        "task": inputs.task.name,
        "model": config.model,
        "bank_fingerprint": inputs.bank.fingerprint,
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
        "judging": judging(inputs.task, generate=config.evaluate.generate),
        "config": config.model_dump(mode="json"),
        "environment": environment(),
        **hub_commit(config.model),
        **({"failures": failed} if failed else {}),
        **gathered,
    }
    write_json(output / RESULTS, results)
    write_report(results, output / PAGE, folder=output, examples=inputs.test)
    tell_cards(config, read_verdict(output, results))
    return results


def tell_cards(config: RunConfig, verdict: str) -> None:
    """Put a run's verdict into the model cards of all that it trained.

    Args:
        config: The run's configuration.
        verdict: The sentence of terminal and report.
    """
    for plan in plan_trials(config):
        tell_verdict(cell_folder(config, plan) / weights_name(config), verdict)


def identity(config: RunConfig, inputs: Inputs, methods: tuple[str, ...] | None = None) -> dict[str, Any]:
    """Return everything a finished cell depends on, by name (:mod:`paft.experiment.identity`).

    Args:
        config: The run's configuration.
        inputs: What it works on.
        methods: Methods that are planned; by default those of the configuration.
    """
    apart = {"methods", "seeds", "output", "task", "data", "bank", "choose"}
    apart |= set() if config.trust_remote_code else {"trust_remote_code"}  # as before there was any
    settings = config.model_dump(mode="json", exclude=apart)
    flat = {f"{key}.{k}": v for key in ("train", "evaluate") for k, v in settings.pop(key).items()}
    return {
        **settings,
        **{key: value for key, value in flat.items() if key not in FREE},
        "chat": config.chat.identity(),
        **choice_identity(config.choose, methods or config.methods, inputs),
        "model files": model_fingerprint(config.model),
        **task_identity(inputs.task),
        "bank": inputs.bank.fingerprint,
        "training examples": data_fingerprint(inputs.pool or inputs.train),
        "validation examples": data_fingerprint(inputs.validation) if inputs.validation else None,
        "test examples": data_fingerprint(inputs.test),
    }


def claim_output(output: Path, wanted: dict[str, Any]) -> None:
    """Make the output folder ours, or make sure it is.

    Raises:
        ResumeError: If it belongs to other inputs or holds files of something else.
    """
    path = output / IDENTITY
    if not check_output(output, wanted):
        write_json(path, wanted)
        return
    found = read_record(path, "run identity", {})
    # What a former version, or a run of fewer methods, did not tell is known from now on.
    known = {**found, **{key: value for key, value in wanted.items() if found.get(key) is None}}
    if known != found:
        write_json(path, known)


def check_output(output: Path, wanted: dict[str, Any]) -> bool:
    """Return whether the output folder is ours already; False if it is free to be made ours.

    Raises:
        ResumeError: If it belongs to other inputs or holds files of something else.
    """
    if not _begun(output):
        return False
    found = dict(read_record(output / IDENTITY, "run identity", {}))
    found |= {key: wanted[key] for key in ("model files", "adapter files") if _as_before(key, found, wanted)}
    changed = changes(found, wanted)
    if changed:
        shown = "; ".join(told(key, found.get(key), wanted.get(key)) for key in changed[:4])
        raise ResumeError(
            f"output {output} holds a run with other inputs ({shown}): choose another --output, "
            "restore what changed, or delete the folder"
        )
    return True


def _as_before(key: str, found: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Whether a model is the one that a former version wrote down, from samples of its weights."""
    name = wanted.get(key.split()[0])
    return isinstance(name, str) and key in found and found[key] == sampled_fingerprint(name)


def _begun(output: Path) -> bool:
    """Return whether a run was begun in an output folder; False if it is free.

    Raises:
        ResumeError: If it holds files of something else.
    """
    path = output / IDENTITY
    if path.exists():
        return True
    if output.exists():
        left = {path.with_name(LOCK), *parts(path)} if output.is_dir() else set()
        if not output.is_dir() or set(output.iterdir()) - left:
            raise ResumeError(f"output {output} is not empty and holds no PAFT run: choose another --output")
    return False
