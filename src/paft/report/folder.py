"""What a run left in its folder, finished or not: figures, matrices, the texts of the examples.

``results.json`` is written last, so trials that finished after it (or without it) are read from
their own ``trial.json``. A trial without one is named as unfinished and adds nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paft.builtin import IN_PYTHON
from paft.config import load_config
from paft.errors import DataError, PaftError
from paft.files import read_yaml
from paft.report.method_rows import same_trial
from paft.report.run_folder import (
    BANK,
    CONFIG,
    IDENTITY,
    PAGE,
    RESULTS,
    SUMMARY,
    TRAINED,
    Trial,
    matrix_file,
    plan_trials,
    refuse_former,
)
from paft.shape import ADVICE, TRIAL, difference, interpreted, read_record
from paft.shape import RESULTS as RESULTS_SHAPE
from paft.task.task import Example, Task, data_fingerprint, load_task

if TYPE_CHECKING:
    from paft.evaluate.matrix import Matrix

Trained = Mapping[tuple[str, int | None], Mapping[str, Any]]

KEYS = {"task", "model", "bank_fingerprint", "warnings", "rows", "per_prompt"}


def read_results(folder: Path) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Return what is known of a run.

    Args:
        folder: The output folder of ``paft run``.

    Returns:
        The content of ``results.json``, with the trials finished since, and the names of the trials
        that are planned and not finished.

    Raises:
        DataError: If the folder is missing, is no run, or no trial of it is finished.
    """
    saved = folder / RESULTS
    if (folder / "grid.yaml").exists():
        raise DataError(
            f"{folder} is of `paft grid`: its tables are in {folder / PAGE}; give the folder of one of its "
            "runs"
        )
    if not saved.exists() and not (folder / IDENTITY).exists():
        raise DataError(
            f"{folder} is no run: it has neither results.json nor run.json; give the folder that "
            "`paft run` names as its output"
        )
    refuse_former(folder)
    if not saved.exists():
        _refuse_training(folder)
    results = read_record(saved, "results", {}) if saved.exists() else _started(folder)
    lacking = sorted(KEYS - results.keys())
    if lacking:
        raise DataError(f"{saved} was not written by `paft run`: it lacks {', '.join(lacking)}; {ADVICE}")
    wrong = difference(results, RESULTS_SHAPE) or _disagreement(results)
    if wrong:
        raise DataError(f"{saved} is damaged ({wrong}): {ADVICE}")
    if "budget" in results:
        raise DataError(
            f"{folder} holds an estimate from a part of the cells (--budget, --precision) and this needs "
            "them all: evaluate without it into another folder"
        )
    unfinished = _add_trials(results, folder)
    if not results["rows"]:
        raise DataError(f"no trial of the run in {folder} is finished yet: the command that began it goes on")
    return results, unfinished


def read_matrices(folder: Path, results: Mapping[str, Any]) -> dict[tuple[str, int | None, str], Matrix]:
    """Return the matrices that are there, by (method, seed, split).

    Raises:
        DataError: If one is there and cannot be read.
    """
    from paft.evaluate.matrix import Matrix, require_cells

    found = {}
    for row in results["rows"]:
        path = matrix_file(Trial(row["method"], row["seed"]).folder(folder), row["split"])
        if path.exists():
            matrix = Matrix.load(path)
            mine = [entry["prompt_id"] for entry in results["per_prompt"] if same_trial(entry, row)]
            examples = matrix.examples
            if len(examples) != row["n_examples"]:
                raise DataError(
                    f"{path} is damaged (it has {len(examples)} examples, the results {row['n_examples']}): "
                    f"{ADVICE}"
                )
            require_cells(path, matrix.cells, mine, examples)
            found[row["method"], row["seed"], row["split"]] = matrix
    return found


def read_trained(folder: Path, results: Mapping[str, Any]) -> Trained:
    """Return what the trainings recorded, by (method, seed); those without a record are left out.

    Raises:
        DataError: If a record is there and cannot be read.
    """
    found: dict[tuple[str, int | None], dict[str, Any]] = {}
    for method, seed in dict.fromkeys((row["method"], row["seed"]) for row in results["rows"]):
        path = Trial(method, seed).folder(folder) / TRAINED
        if seed is not None and path.exists():  # else times of the training split, as `paft evaluate` has
            record = read_record(path, "training record", {"steps": int})
            with interpreted(path):
                for name in ("curve", "rewards"):
                    record[name] = [(int(step), float(value)) for step, value in record.get(name, [])]
            found[method, seed] = record
    return found


def read_task(folder: Path) -> Task | None:
    """Return the task a run's configuration names; None where it cannot be read from here."""
    try:
        config = read_yaml(folder / CONFIG, "configuration")
        with interpreted(folder / CONFIG):
            return load_task(config["task"], config["data"])
    except PaftError:
        return None


def read_examples(folder: Path, indices: Sequence[int]) -> tuple[Example, ...]:
    """Return the test examples with these indices, as far as they are still the run's.

    The matrices hold no texts. They are read from where the configuration says the task lies; when
    that cannot be read from here, or holds other rows by now, there are none.
    """
    task = read_task(folder)
    try:
        identity = read_record(folder / IDENTITY, "run identity", {})
        rows = [] if task is None else task.examples("test")
    except PaftError:
        return ()
    chosen = tuple(rows[index] for index in indices if index < len(rows))
    return chosen if identity.get("test examples") == data_fingerprint(chosen) else ()


def _refuse_training(folder: Path) -> None:
    """Refuse the folder of ``paft train``, which trains one method and evaluates nothing.

    Raises:
        DataError: Saying how what it trained is evaluated.
    """
    if not {"method", "seed"} <= read_record(folder / IDENTITY, "run identity", {}).keys():
        return
    evaluated, trained = folder / "evaluated", [folder / "adapter", folder / "model"]
    if (evaluated / RESULTS).exists():
        raise DataError(
            f"{folder} is of `paft train`; its evaluation is in {evaluated}: paft report {evaluated}"
        )
    for option, weights in zip(("--adapter", "--model"), trained, strict=True):
        if weights.is_dir():
            raise DataError(
                f"{folder} is of `paft train`, which evaluates nothing: evaluate what it trained "
                f"(paft evaluate {option} {weights} --output {evaluated}, with its --task and --bank) and "
                "report that folder"
            )
    raise DataError(f"{folder} is of `paft train` and not finished: the command that began it goes on")


def _disagreement(results: Mapping[str, Any]) -> str:
    """Say where rows and their prompts do not fit together; an empty text where they do."""
    rows = {(row["method"], row["seed"], row["split"]): row["n_prompts"] for row in results["rows"]}
    counts = Counter((entry["method"], entry["seed"], entry["split"]) for entry in results["per_prompt"])
    if "budget" not in results and (rows != counts or len(rows) != len(results["rows"])):
        return "rows and per_prompt are of different trials"
    return ""


def _started(folder: Path) -> dict[str, Any]:
    """Return results without a trial, from what a run writes before its first one."""
    from paft.bank import load_bank, near_duplicates_across

    config = read_yaml(folder / CONFIG, "configuration")
    wrong = difference(config, {"task": str, "model": str, "data": (str, type(None))})
    if wrong:
        raise DataError(f"{folder / 'config.yaml'} is damaged ({wrong}): {ADVICE}")
    bank = load_bank(folder / BANK)
    return {
        "schema": 2,
        "task": _task_name(config),
        "model": config["model"],
        "bank_fingerprint": bank.fingerprint,
        "bank_prompts": {split: len(prompts) for split, prompts in bank.splits.items()},
        "near_duplicates": [
            {"seen": seen.id, "unseen": unseen.id, "similarity": round(similarity, 3)}
            for seen, unseen, similarity in near_duplicates_across(bank)
        ],
        "warnings": [],
        "config": config,
        "rows": [],
        "per_prompt": [],
    }


def _task_name(config: Mapping[str, Any]) -> str:
    """Return the name of a run's task, or what the configuration calls it if it cannot be read."""
    try:
        return load_task(config["task"], config["data"]).name
    except PaftError:
        return str(config["task"]).removesuffix(IN_PYTHON)


def _add_trials(results: dict[str, Any], folder: Path) -> tuple[str, ...]:
    """Add finished trials that the results lack; return the names of unfinished ones."""
    known = {(row["method"], row["seed"]) for row in results["rows"]}
    missing = [trial for trial in _planned(folder) if (trial.method, trial.seed) not in known]
    done = {trial.name: trial.folder(folder) / SUMMARY for trial in missing}
    for name, path in done.items():
        if path.exists():
            trial = read_record(path, f"trial {name}", TRIAL)
            for key in ("rows", "per_prompt", "robustness", "warnings"):
                results[key] = [*results.get(key, []), *trial.get(key, [])]
    return tuple(name for name, path in done.items() if not path.exists())


def _planned(folder: Path) -> list[Trial]:
    """Return the trials a comparison plans; none for `paft evaluate`, which has one and no methods."""
    path = folder / CONFIG
    if not path.exists() or "methods" not in read_yaml(path, "configuration"):
        return []
    return plan_trials(load_config(path))
