"""A task group for lm-evaluation-harness: a task per prompt, a group that averages over them.

``lm_eval --include_path FOLDER --tasks paft_TASK_SPLIT`` runs it. The task's test examples lie in
the folder with their fields, options and answers resolved, so no code is needed. Closed rules are
scored by likelihood (``acc``), numbers and texts by what is generated (``exact_match``).

Differences to PAFT's own figures that the harness's format leaves no way around: an option is not
closed by end of sequence where it begins another one; a text answer's inner spaces and letters that
fold to several (``ß``) are compared as they stand; thoughts, Markdown, boxed numbers and numbers that
are a part of something else (``3/4``) are not read as :mod:`paft.task.replies.extract` does.
"""

from __future__ import annotations

import glob
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from paft.bank.exporters.jinja import jinja_text, require_exportable
from paft.bank.exporters.tables import write_parquet
from paft.bank.foreign_yaml import yaml_text
from paft.bank.store import Bank
from paft.errors import ConfigError, PromptError
from paft.files import new_folder, write_text
from paft.prompt import Prompt
from paft.task.replies.extract import extract
from paft.task.task import Example, Task

# Hyphens keep these columns apart from every field, whose names are identifiers.
ANSWER, CHOICES = "paft-answer", "paft-choices"
COMMON = "_common_yaml"  # without .yaml, so that the harness takes it for no task
MOVED = (
    "# The harness looks for a relative path in the folder it is started in, so this one is whole: correct\n"
    "# data_files if you move this folder.\n"
)
FILTER = "paft"
# The plain numbers of paft.task.replies.number_reply without trailing zeros, then what else spells them.
NUMBER = r"[-+]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d*[1-9])?|[-+]?\.\d*[1-9]"
SAME_NUMBER = [",", r"^\+", r"(?<![\d.])0+(?=\d)", r"(?<!\d)0(?=\.)", r"^-(?=0$)"]
FIRST_LINE = r"\S[^\n\r]*"
OUTER_PUNCTUATION = [r"^[\s.,;:!?\"'`]+", r"[\s.,;:!?\"'`]+$"]


def write_lm_eval(bank: Bank, output: Path, task: Task, split: str) -> None:
    """Write the task group's folder; what has no counterpart there is a :class:`ConfigError`.

    The data file is named by its full path, since the harness would look for a relative one in its
    own working folder: after moving the folder, correct the path in ``_common_yaml``.
    """
    if task.metric == "token_f1":
        raise ConfigError(
            f"task {task.name!r} cannot be exported for lm-eval: metric 'token_f1' has no counterpart there "
            "that needs no code"
        )
    prompts, examples = require_exportable(task, bank, split, "lm-eval")
    for prompt in prompts:
        if task.answer.closed:
            _check_text(prompt, examples)
    group = f"paft_{task.name}_{split}"
    names = [f"{group}_{prompt.id}" for prompt in prompts]
    with new_folder(output) as folder:
        write_parquet(folder / "test.parquet", [_row(task, example) for example in examples])
        write_text(folder / COMMON, MOVED + yaml_text(_common(task, output.absolute() / "test.parquet")))
        for name, prompt in zip(names, prompts, strict=True):
            text = yaml_text(_prompt_task(name, prompt, bank.fingerprint, split))
            write_text(folder / f"{prompt.id}.yaml", text)
        write_text(folder / f"{group}.yaml", yaml_text(_group(task, group, names)))


def _row(task: Task, example: Example) -> dict[str, Any]:
    if task.answer.closed:
        answer: dict[str, Any] = {ANSWER: example.options.index(example.gold), CHOICES: list(example.options)}
    else:
        answer = {ANSWER: extract(task.answer.rule, example.gold)}
    return {**example.values, **answer}


def _common(task: Task, data: Path) -> dict[str, Any]:
    common: dict[str, Any] = {
        "dataset_path": "parquet",
        # Data files are named by patterns: brackets and stars of a folder's name are escaped.
        "dataset_kwargs": {"data_files": {"test": glob.escape(str(data))}},
        "test_split": "test",
        "num_fewshot": 0,
        "doc_to_target": ANSWER,
    }
    if task.answer.closed:
        metric: dict[str, Any] = {"metric": "acc"}
        common |= {"output_type": "multiple_choice", "doc_to_choice": CHOICES}
    else:
        number = task.answer.rule == "number"
        metric = {
            "metric": "exact_match",
            "regexes_to_ignore": SAME_NUMBER if number else OUTER_PUNCTUATION,
            "ignore_case": True,
        }
        pattern = {"function": "regex", "regex_pattern": NUMBER if number else FIRST_LINE, "group_select": 0}
        common |= {
            "output_type": "generate_until",
            "generation_kwargs": {"until": [], "do_sample": False, "max_gen_toks": task.answer.token_limit},
            "filter_list": [{"name": FILTER, "filter": [pattern, {"function": "take_first"}]}],
        }
    return {**common, "metric_list": [{**metric, "aggregation": "mean", "higher_is_better": True}]}


def _prompt_task(name: str, prompt: Prompt, fingerprint: str, split: str) -> dict[str, Any]:
    # As in paft.model.encode: a space before the answer unless the prompt already ends in white space.
    # The harness fixes it per task, so a last placeholder's value is taken to end in none.
    literal, last = prompt.pieces[-1]
    return {
        "include": COMMON,
        "task": name,
        "task_alias": prompt.id,
        "doc_to_text": jinja_text(prompt),
        "target_delimiter": "" if last is None and literal[-1:].isspace() else " ",
        "metadata": {"version": 1.0, "prompt": prompt.id, "split": split, "bank": fingerprint},
    }


def _group(task: Task, group: str, names: Sequence[str]) -> dict[str, Any]:
    closed = task.answer.closed
    metric = {
        "metric": "acc" if closed else "exact_match",
        "aggregation": "mean",
        "weight_by_size": False,
        "filter_list": ["none" if closed else FILTER],
    }
    return {
        "group": group,
        "group_alias": group,
        "task": list(names),
        "aggregate_metric_list": [metric],
        "metadata": {"version": 1.0},
    }


def _check_text(prompt: Prompt, examples: Sequence[Example]) -> None:
    """Refuse a rendered prompt of digits alone: the harness reads it as the index of a choice."""
    literals = "".join(literal for literal, _ in prompt.pieces)
    if literals and not literals.isdigit():
        return
    for example in examples:
        if prompt.render(example.values).isdigit():
            raise PromptError(
                f"prompt {prompt.id} renders to digits alone with test example {example.index}, which "
                "lm-eval reads as the index of a choice: remove the prompt from the bank"
            )
