"""Results in the layout of lm-evaluation-harness, for tools that read its folders.

For each scored model ``<model>/results_<stamp>.json`` and, where the task's data can be read, a
``<model>/samples_<task>_<stamp>.jsonl`` for each prompt. A prompt is a task of the harness, named
``<task>_<prompt id>``; all prompts of the split are the group ``<task>``, whose score is their mean.

What the harness has no place for is under ``prompt_robustness``. Differences to its own files:

- the standard error of the group is that of the mean over examples of the mean over prompts: the
  harness would take the prompts' examples as independent, which they are not;
- generated text is not kept, so ``resps`` of an open rule is the answer that was read;
- ``is_greedy`` of an option is not known (``None``);
- ``arguments`` hold the rendered prompt, without a chat template around it.

Source: lm_eval 0.4.13, ``loggers/evaluation_tracker.py``, ``evaluator.py``, ``evaluator_utils.py``.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from paft.bank.exporters.jinja import jinja_text
from paft.bank.exporters.lm_eval import ANSWER, CHOICES
from paft.files import write_json, write_text
from paft.model.encode import Encoder
from paft.names import short_name
from paft.prompt import Prompt
from paft.report.folder import read_examples, read_matrices, read_results, read_task
from paft.report.method_rows import LABELS, main_split, same_trial
from paft.report.run_folder import IDENTITY, RESULTS, Trial
from paft.shape import interpreted, read_record
from paft.statistics.comparison import estimable, estimate
from paft.task.answer import CLOSED_RULES
from paft.task.task import Example

if TYPE_CHECKING:
    from paft.evaluate.matrix import Cell, Matrix
    from paft.task.task import Task

VERSION = 1.0  # of the harness tasks we name
FILTER = "none"
UNSAFE = re.compile(r'["<>:/|\\?*\[\]]+')  # as lm_eval.utils.sanitize_model_name


@dataclass(frozen=True)
class EvaluatedModel:
    """One model on one split, as the harness sees it.

    Attributes:
        results: The content of ``results.json``.
        row: Its row of ``rows``.
        prompts: The prompts, in order (P).
        accuracies: Their accuracies (P).
        matrix: The cells; None where they are not there.
        task: The task; None where its file cannot be read.
        examples: By index; empty where the task's data cannot be read.
        available: Examples of the test data, as far as is known.
        metric: Name of the score: ``acc``, or the task's metric if answers are generated.
    """

    results: Mapping[str, Any]
    row: Mapping[str, Any]
    prompts: tuple[Prompt, ...]
    accuracies: tuple[float, ...]
    matrix: Matrix | None
    task: Task | None
    examples: Mapping[int, Example]
    available: int
    metric: str = "acc"

    @property
    def group(self) -> str:
        """Name of the harness group."""
        return str(self.results["task"])

    @property
    def name(self) -> str:
        """Name of the model: what was evaluated, without folders of this machine."""
        model = str(self.results["model"])
        model = Path(model).name if Path(model).is_absolute() else model
        cell = Trial(self.row["method"], self.row["seed"]).name
        return model if cell == Path(model).name else f"{model}/{cell}"

    def task_name(self, prompt: Prompt) -> str:
        """Name of a prompt's harness task."""
        return f"{self.group}_{prompt.id}"


def write_lm_eval(folder: Path, output: Path) -> list[Path]:
    """Write the layout for every scored model of a run; returns the files with results.

    Raises:
        DataError: If the folder holds no run or nothing finished.
    """
    with interpreted(folder / RESULTS):
        return _write(folder, output)


def _write(folder: Path, output: Path) -> list[Path]:
    results, _ = read_results(folder)
    stamp, written = _stamp(results, folder), []
    for scored in _evaluated_models(results, folder):
        place = output / _file_name(scored.name)
        samples = _samples(scored)
        for name, lines in samples.items():
            text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
            write_text(place / f"samples_{_file_name(name)}_{stamp}.jsonl", text)
        written.append(place / f"results_{stamp}.json")
        write_json(written[-1], _document(scored, samples))
    return written


def _file_name(name: str) -> str:
    """Return a name as the harness makes it one of a file, never one that leads to another folder."""
    return short_name(UNSAFE.sub("__", name), "model")


def _stamp(results: Mapping[str, Any], folder: Path) -> str:
    """Return the time of the run as the harness writes it: the same for the same folder."""
    time = results.get("environment", {}).get("time")
    if time is not None:
        when = datetime.fromisoformat(time)
    else:
        there = [folder / name for name in (RESULTS, IDENTITY) if (folder / name).exists()]
        when = datetime.fromtimestamp(int(there[0].stat().st_mtime), timezone.utc)
    return when.astimezone(timezone.utc).replace(tzinfo=None).isoformat().replace(":", "-")


def _evaluated_models(results: Mapping[str, Any], folder: Path) -> list[EvaluatedModel]:
    split = main_split(results)
    matrices, task = read_matrices(folder, results), read_task(folder)
    there = {index for key, matrix in matrices.items() if key[2] == split for index in matrix.examples}
    examples = {example.index: example for example in read_examples(folder, sorted(there))}
    available = len(task.examples("test")) if task is not None and examples else None
    metric = _metric(folder, task)
    found = []
    for row in (row for row in results["rows"] if row["split"] == split):
        mine = [entry for entry in results["per_prompt"] if same_trial(entry, row)]
        scored = EvaluatedModel(
            results=results,
            row=row,
            prompts=tuple(Prompt(entry["prompt"]) for entry in mine),
            accuracies=tuple(entry["accuracy"] for entry in mine),
            matrix=matrices.get((row["method"], row["seed"], split)),
            task=task,
            examples=examples,
            available=available or row["n_examples"],
            metric=metric,
        )
        found.append(scored)
    return found


def _metric(folder: Path, task: Task | None) -> str:
    """Return the name of the score, from the run's record where the task cannot be read."""
    if task is not None:
        return "acc" if task.answer.closed else task.metric
    place = folder / IDENTITY
    told = read_record(place, "run identity", {}) if place.exists() else {}
    is_open = "task.metric" in told and told.get("task.answer.rule") not in CLOSED_RULES
    return str(told["task.metric"]) if is_open else "acc"


def _document(scored: EvaluatedModel, samples: Mapping[str, Sequence[Mapping[str, Any]]]) -> dict[str, Any]:
    """Return the content of ``results_<stamp>.json``."""
    group, names = scored.group, [scored.task_name(prompt) for prompt in scored.prompts]
    scores = None if scored.matrix is None else scored.matrix.scores
    each = {
        name: _scores(scored, name, prompt.id, accuracy, None if scores is None else scores[place])
        for place, (name, prompt, accuracy) in enumerate(
            zip(names, scored.prompts, scored.accuracies, strict=True)
        )
    }
    together = None if scores is None else scores.mean(axis=0)
    whole = _scores(scored, group, group, float(np.mean(scored.accuracies)), together)
    counts = {"original": scored.available, "effective": scored.row["n_examples"]}
    return {
        "results": {group: whole, **each},
        "groups": {group: whole},
        "group_subtasks": {group: names},
        "configs": {scored.task_name(prompt): _config(scored, prompt) for prompt in scored.prompts},
        "versions": dict.fromkeys([group, *names], VERSION),
        "n-shot": dict.fromkeys([group, *names], 0),
        "higher_is_better": {name: {scored.metric: True} for name in [group, *names]},
        "n-samples": {name: dict(counts) for name in names},
        "prompt_robustness": _robustness(scored),
        **_origin(scored),
        "task_hashes": {name: _task_hash(lines) for name, lines in samples.items()},
    }


def _scores(
    scored: EvaluatedModel, name: str, alias: str, mean: float, by_example: np.ndarray | None
) -> dict[str, Any]:
    """Return one entry of ``results``; the error is the harness's: std (ddof 1) / sqrt(N)."""
    error: float | str = "N/A"
    if by_example is not None and len(by_example) > 1:
        error = float(by_example.std(ddof=1) / len(by_example) ** 0.5)
    return {
        "name": name,
        "alias": alias,
        "sample_len": scored.row["n_examples"],
        f"{scored.metric},{FILTER}": mean,
        f"{scored.metric}_stderr,{FILTER}": error,
    }


def _config(scored: EvaluatedModel, prompt: Prompt) -> dict[str, Any]:
    """Return a prompt's entry of ``configs``, with the keys the harness dumps for a task."""
    closed = scored.metric == "acc"
    generated = not closed or scored.results.get("scoring", {}).get("by") == "generation"
    literal, last = prompt.pieces[-1]
    return {
        "task": scored.task_name(prompt),
        "task_alias": prompt.id,
        "tag": scored.group,
        "doc_to_text": jinja_text(prompt),
        "doc_to_target": ANSWER,
        **({"doc_to_choice": CHOICES} if closed else {}),
        "target_delimiter": "" if last is None and literal[-1:].isspace() else " ",
        "output_type": "generate_until" if generated else "multiple_choice",
        "num_fewshot": 0,
        "repeats": 1,
        "metric_list": [{"metric": scored.metric, "aggregation": "mean", "higher_is_better": True}],
        "metadata": {
            "version": VERSION,
            "prompt": prompt.id,
            "template": prompt.template,
            "split": scored.row["split"],
            "bank": scored.results["bank_fingerprint"],
        },
    }


def _origin(scored: EvaluatedModel) -> dict[str, Any]:
    """Say what was evaluated, when and with which versions, under the harness's names."""
    results, row = scored.results, scored.row
    config, environment = results.get("config", {}), results.get("environment", {})
    time = environment.get("time")
    chat = config.get("chat") or {}
    return {
        "config": {
            "model": results.get("scoring", {}).get("backend", "hf"),
            "model_args": {"pretrained": results["model"], "method": row["method"], "seed": row["seed"]},
            "batch_size": None,
            "batch_sizes": [],
            "device": environment.get("accelerator") or "cpu",
            "limit": config.get("evaluate", {}).get("examples"),
            "bootstrap_iters": 0,
            "gen_kwargs": None,
            "random_seed": row["seed"],
        },
        "git_hash": environment.get("commit"),
        "date": None if time is None else datetime.fromisoformat(time).timestamp(),
        "paft_version": environment.get("paft"),
        "transformers_version": environment.get("transformers"),
        "max_length": config.get("max_length", config.get("train", {}).get("max_length")),
        "model_source": "paft",
        "model_name": scored.name,
        "model_name_sanitized": _file_name(scored.name),
        "system_instruction": chat.get("system"),
        "fewshot_as_multiturn": False,
        "total_evaluation_time_seconds": str(row.get("eval_seconds", "")),
    }


def _robustness(scored: EvaluatedModel) -> dict[str, Any]:
    """Return every robustness figure of this model, with 95 % intervals where the cells are there."""
    row, matrix = scored.row, scored.matrix
    figures = {key: row[key] for key in ("mean", "std", "min", "max", "top")}
    figures["threshold"] = row["top_threshold"]
    for entry in scored.results.get("robustness", []):
        if same_trial(entry, row):
            figures |= {key: value for key, value in entry.items() if key not in LABELS}
    if matrix is None:
        return {**figures, "intervals": {}}
    found = estimate(matrix.scores[None], estimable(*matrix.scores.shape), threshold=row["top_threshold"])
    kept = {str(name): {"value": e.value, **dataclasses.asdict(e.interval)} for name, e in found.items()}
    return {**figures, "intervals": kept}


def _samples(scored: EvaluatedModel) -> dict[str, list[dict[str, Any]]]:
    """Return the lines of every prompt's file by harness task; none where texts or cells lack."""
    matrix, known = scored.matrix, scored.examples
    if matrix is None or scored.task is None or not all(index in known for index in matrix.examples):
        return {}
    prompts = {prompt.id: prompt for prompt in scored.prompts}
    found: dict[str, list[dict[str, Any]]] = {}
    for cell in matrix.cells:
        prompt = prompts[cell.prompt_id]
        line = _sample(scored, scored.task, prompt, known[cell.example], cell)
        found.setdefault(scored.task_name(prompt), []).append(line)
    return found


def _sample(
    scored: EvaluatedModel, task: Task, prompt: Prompt, example: Example, cell: Cell
) -> dict[str, Any]:
    rendered = prompt.render(example.values)
    doc, target = _doc(example)
    if cell.log_probabilities:
        space = Encoder.separator(rendered)
        asked: list[tuple[str, Any]] = [(rendered, space + option) for option in example.options]
        answers: list[Any] = [[str(value), "None"] for value in cell.log_probabilities]
    else:
        asked = [(rendered, {"do_sample": False, "max_gen_toks": task.answer.token_limit})]
        answers = [cell.prediction or ""]
    arguments = {
        f"gen_args_{place}": {"arg_0": text, "arg_1": rest} for place, (text, rest) in enumerate(asked)
    }
    return {
        "doc_id": example.index,
        "doc": doc,
        "target": target,
        "arguments": arguments,
        "resps": [[answer] for answer in answers],
        "filtered_resps": answers,
        "filter": FILTER,
        "metrics": [scored.metric],
        "doc_hash": _hash(json.dumps(doc, indent=2, ensure_ascii=False)),
        "prompt_hash": _hash(rendered),
        "target_hash": _hash(target),
        scored.metric: cell.score,
        "prompt_id": cell.prompt_id,
        "prediction": cell.prediction,
        "parsed": cell.parsed,
    }


def _doc(example: Example) -> tuple[dict[str, Any], str]:
    """Return an example with the columns of `paft bank export --to lm-eval`, and its target."""
    if not example.options:
        return {**example.values, ANSWER: example.gold}, example.gold
    answer = example.options.index(example.gold)
    return {**example.values, ANSWER: answer, CHOICES: list(example.options)}, str(answer)


def _task_hash(lines: Sequence[Mapping[str, Any]]) -> str:
    return _hash("".join(line["doc_hash"] + line["prompt_hash"] + line["target_hash"] for line in lines))


def _hash(text: str) -> str:
    """Hash as lm_eval.utils.hash_string does."""
    return hashlib.sha256(text.encode("utf-8")).hexdigest()
