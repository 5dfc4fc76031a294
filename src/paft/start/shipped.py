"""The tasks that ship with the package: a list of them, and a copy of one to edit."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from paft.builtin import BANKS, TASKS
from paft.errors import ConfigError
from paft.files import new_folder
from paft.schema import nearest
from paft.task.task import load_task

# Training and test rows, where they were counted; a task without local files has those of the Hub's copy.
ROWS = {
    "banking77": (10003, 3080), "csqa": (9741, 1221), "gsm8k": (7473, 1319), "hellaswag": (7944, 2098),
    "openbookqa": (4957, 500), "piqa": (1253, 585), "routing": (1800, 360), "sms_spam": (4148, 1012),
    "snips": (13784, 700), "subj": (8027, 1973), "winogrande": (842, 425),
}  # fmt: skip
TASK, BANK = "task.yaml", "bank.jsonl"


@dataclass(frozen=True)
class Shipped:
    """A task that ships with the package.

    Attributes:
        name: What ``--task`` calls it.
        data: Where its rows come from by default.
        rows: Training and test rows, where they were counted.
        rule: How it is answered.
        metric: Score of a cell.
        bank: Whether prompts written for it ship too; else they are composed.
    """

    name: str
    data: str
    rows: tuple[int, int] | None
    rule: str
    metric: str
    bank: bool


def list_shipped() -> list[Shipped]:
    """Return all of them, by name."""
    return [_describe(name) for name in sorted(TASKS)]


def _describe(name: str) -> Shipped:
    task = load_task(name)
    hub = task.data.hub
    if hub is not None:
        data = " ".join(filter(None, [hub.id, hub.config]))
    else:
        data = "built in" if _data_files(name) else "your files (--data)"
    return Shipped(name, data, ROWS.get(name), task.answer.rule, task.metric, name in BANKS)


def _data_files(name: str) -> list[Path]:
    """Return the files of rows that ship with a task."""
    task, folder = load_task(name), TASKS[name].parent
    found = [] if task.data.hub else [task.data.train, task.data.validation, task.data.test]
    return [folder / file for file in found if isinstance(file, str) and (folder / file).is_file()]


def copy_shipped(name: str, output: Path) -> list[str]:
    """Write a task, its bank and the rows that ship with it into a new folder; return the files' names.

    Raises:
        ConfigError: If there is no such task.
        PaftError: If the folder is there and not empty; nothing is overwritten.
    """
    if name not in TASKS:
        raise ConfigError(f"no task {name!r}: `paft tasks` lists those that ship{nearest(name, list(TASKS))}")
    files = {TASK: TASKS[name], **{path.name: path for path in _data_files(name)}}
    if name in BANKS:
        files[BANK] = BANKS[name]
    with new_folder(output) as folder:
        for target, source in files.items():
            shutil.copyfile(source, folder / target)
    return list(files)
