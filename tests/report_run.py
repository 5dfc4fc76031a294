"""A run folder as `paft run` leaves it, with invented cells: for tests of the report."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from paft.bank import Bank
from paft.config import RunConfig
from paft.evaluate.matrix import Cell, Matrix
from paft.evaluate.rows import prompt_rows, robustness_row, sample_figures, split_row
from paft.files import write_json, write_text
from paft.prompt import Prompt
from paft.report.run_folder import plan_trials
from paft.task.task import Task, data_fingerprint

HOSTILE_PROMPT = (
    "<script>document.title = 'obeyed'</script></style><img src=x onerror=\"document.title='obeyed'\"> "
    "\u202eright to left\u202c 'single' \"double\" & </script> {text}"
)
HOSTILE_TEXT = (
    "</script><script>document.title = 'obeyed'</script> <b>bold</b> \u2067\u202eabc <!-- & \u2028 'x'"
)
OPTIONS = ("yes", "no", "<i>maybe</i>")
SKILL = {"base": 0.0, "single": 1.2, "paft": 2.4}


def write_run(
    folder: Path,
    prompts: int = 3,
    examples: int = 12,
    methods: tuple[str, ...] = ("base", "single", "paft"),
    seeds: tuple[int, ...] = (0,),
) -> Path:
    """Write task, data and a finished run; returns the run's folder."""
    task = write_task(folder / "task", examples)
    bank = Bank({"train": (Prompt("Seen: {text}"),), "test": tuple(map(Prompt, texts(prompts)))})
    config = RunConfig(
        task=str(folder / "task" / "task.yaml"), bank="bank.jsonl", methods=methods, seeds=seeds,
        output=str(folder / "run"),
    )  # fmt: skip
    output = folder / "run"
    rows, per_prompt, robustness = [], [], []
    for plan in plan_trials(config):
        cell = _write_cell(output / "trials" / plan.name, plan, task, bank)
        rows += cell["rows"]
        per_prompt += cell["per_prompt"]
        robustness += cell["robustness"]
    bank.save(output / "bank.jsonl")
    write_text(output / "config.yaml", config.to_yaml())
    write_json(output / "run.json", {"test examples": data_fingerprint(task.examples("test"))})
    results = {
        "schema": 1, "task": task.name, "model": "tiny", "bank_fingerprint": bank.fingerprint,
        "near_duplicates": [], "warnings": ["a <b>warning</b>"], "config": config.model_dump(mode="json"),
        "environment": {"time": "2026-01-01T00:00:00+00:00", "paft": "0.1.0", "commit": "abc", "cpus": 2},
        "rows": rows, "per_prompt": per_prompt, "robustness": robustness,
    }  # fmt: skip
    write_json(output / "results.json", results)
    return output


def texts(count: int) -> list[str]:
    """Different prompts; the first is hostile, the second has several lines."""
    plain = [f"Question {i}: what does {{text}} mean?{' Think it over.' * (i % 4)}" for i in range(count)]
    return [HOSTILE_PROMPT, "Read this.\n\n{text}\n\nAnswer:", *plain][:count]


def write_task(folder: Path, examples: int) -> Task:
    """Write a task of three options whose first example is hostile."""
    folder.mkdir(parents=True)
    rows = [
        {"text": HOSTILE_TEXT if i == 0 else f"message {i}, some words", "label": OPTIONS[i % 3]}
        for i in range(examples)
    ]
    (folder / "test.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    (folder / "task.yaml").write_text(
        "name: mail\nfields: {text: a message}\n"
        f"answer: {{rule: label, field: label, options: {json.dumps(OPTIONS)}}}\n"
        "data: {train: test.jsonl, test: test.jsonl}\nthresholds: [0.5]\nprompt: 'Own {text}'\n",
        "utf-8",
    )
    return Task.from_yaml(folder / "task.yaml")


def _write_cell(folder, plan, task, bank):
    rows, per_prompt, matrices = [], [], {}
    trained = {"steps": 12, "tokens": 345, "seconds": 6.5, "loss": 0.4, "truncated": 0}
    for split, prompts in {"test": bank.prompts("test"), "user": task.prompts[:1]}.items():
        matrix = matrices[split] = _matrix(plan, task, prompts)
        matrix.save(folder / f"{split}.parquet")
        row = split_row(plan.method, plan.seed, split, matrix, task.thresholds[0], 1.5)
        row |= sample_figures(matrix) if split == "test" else {}  # as if all had been generated
        done = trained if plan.seed is not None else {"steps": 0, "tokens": 0, "seconds": 0.0}
        rows.append(row | {f"train_{key}": done[key] for key in ("steps", "tokens", "seconds")})
        per_prompt += prompt_rows(plan.method, plan.seed, split, prompts, matrix, 1.5)
    write_json(folder / "train.json", trained)
    robustness = [robustness_row(plan.method, plan.seed, "test", matrices, task.thresholds[0])]
    cell = {"rows": rows, "per_prompt": per_prompt, "robustness": robustness, "warnings": []}
    write_json(folder / "trial.json", cell)
    return cell


def _matrix(plan, task, prompts):
    """Scores from a logistic model; the first example is always wrong, some answers unreadable."""
    examples = task.examples("test")
    generator = np.random.default_rng([len(prompts), len(plan.method), plan.seed or 0])
    strength = SKILL.get(plan.method, 1.0) + generator.normal(0, 0.8, len(prompts))[:, None]
    chance = 1 / (1 + np.exp(-strength - np.linspace(-2, 1, len(examples))))
    right = generator.random(chance.shape) < chance
    unread = generator.random(chance.shape) < 0.05
    cells = []
    for p, prompt in enumerate(prompts):
        for n, example in enumerate(examples):
            good = bool(right[p, n]) and n > 0
            wrong = None if unread[p, n] and n > 0 else OPTIONS[(n + 2) % 3]
            answer = example.gold if good else wrong
            cells.append(Cell(prompt.id, example.index, answer, answer is not None, float(good), 0, ()))
    ids = tuple(prompt.id for prompt in prompts)
    return Matrix(ids, tuple(example.index for example in examples), tuple(cells))
