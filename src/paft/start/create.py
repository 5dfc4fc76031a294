"""From a table to the folder of a task."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from paft.errors import ConfigError, DataError
from paft.files import require_new_folder
from paft.start.columns import cell_text, read_columns
from paft.start.draft import Ask, Draft
from paft.start.files import run_command, write_files
from paft.start.proposal import propose
from paft.start.rows import Item, usable_items, warn_of_labels, without_repeats
from paft.start.split import split_items
from paft.start.table import Table, read_table, split_beside
from paft.task.answer import CLOSED_RULES
from paft.task.options import HIDDEN
from paft.task.text_rows import find_delimiter

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


@dataclass(frozen=True)
class Started:
    """A task that was made of a table.

    Attributes:
        rows: Number of rows of the table.
        columns: Number of its columns.
        draft: What was guessed, left open and warned of.
        folder: Where the files are.
        files: Their names.
    """

    rows: int
    columns: int
    draft: Draft
    folder: Path
    files: list[str]

    @property
    def command(self) -> str:
        """What to run next."""
        return run_command(self.folder)


def create_task(
    data: str, ask: Ask, *, label: str | None = None, name: str | None = None, output: str | None = None
) -> Started:
    """Take a table for a task and write its folder.

    Args:
        data: A file, a folder with a file for each split, or a data set on the Hub.
        ask: Returns the answer to a question that the table leaves open.
        label: Name of the column with the answer.
        name: Name of the task; by default that of the data.
        output: Folder to write; by default the name's. It must be new or empty.

    Raises:
        PaftError: If the table cannot be read or is no task, or the folder cannot be written.
    """
    name = _task_name(data, name)
    folder = Path(output or name)
    require_new_folder(folder)  # before any question
    table = read_table(data)
    draft = propose(read_columns(table.columns, table.splits["train"]), label, ask, table.words)
    if Path(data).suffix.lower() == ".csv" and (mark := find_delimiter(Path(data))) != ",":
        draft.guesses["cells"] = f"separated by {mark!r}"
    if beside := split_beside(data):
        both = shlex.join(["paft", "init", Path(data).parent.as_posix()])
        draft.unsure.append(f"{beside} lies beside it and is not used: `{both}` takes both")
    used = _with_answers(table, draft)
    if "test" in used.splits:
        parts = {split: usable_items(rows, draft, f"{split} rows") for split, rows in used.splits.items()}
        as_it_is = _is_clean(used, parts, draft)
        _describe_split(parts, draft)
    else:
        items = without_repeats(usable_items(used.splits["train"], draft), draft)
        parts, as_it_is = split_items(items, draft), False
    warn_of_labels(parts["train"], draft)
    if draft.rule != "label":
        draft.warnings.append(
            f"the built-in model learns labels only; for rule {draft.rule} set `model` in run.yaml to a "
            "folder or a Hub id, Qwen/Qwen3-0.6B say"
        )
    files = write_files(folder, name, draft, used, parts, as_it_is=as_it_is)
    return Started(len(table.rows), len(table.columns), draft, folder, files)


def _task_name(data: str, name: str | None) -> str:
    if name is not None and not _NAME.fullmatch(name):
        raise ConfigError(f"--name {name!r}: use letters, digits, '_', '.' and '-', a letter or digit first")
    if name is not None:
        return name
    path = Path(data.partition(":")[0] if not Path(data).exists() else data).resolve()
    stem = path.stem if path.suffix else path.name
    return re.sub(r"[^A-Za-z0-9_.-]+", "_", stem).strip("_.-") or "task"


def _with_answers(table: Table, draft: Draft) -> Table:
    """Return the table without splits that have no answers; validation stands in for a test split."""
    splits, origins = dict(table.splits), dict(table.origins)
    for split in ("test", "validation"):
        answers = [cell_text(row.get(draft.label.name)) for row in splits.get(split, ())]
        if answers and all(answer is None or answer in HIDDEN for answer in answers):
            del splits[split]
            origins.pop(split, None)
            draft.warnings.append(f"the {split} rows have no answers: they are not used")
    if "test" not in splits and "validation" in splits:
        draft.unsure.append("there are no test rows, so the validation rows are used for testing")
        splits["test"] = splits.pop("validation")
        if "validation" in origins:
            origins["test"] = origins.pop("validation")
    return replace(table, splits=splits, origins=origins)


def _is_clean(table: Table, parts: Mapping[str, Sequence[Item]], draft: Draft) -> bool:
    """Whether the task can read the table where it is: no row is left out and no cell is changed."""
    if not set(table.splits) <= set(table.origins):
        return False
    for split, rows in table.splits.items():
        if len(rows) != len(parts[split]):
            return False
        for item in parts[split]:
            cells = [item.row.get(column.name) for column in draft.fields.values()]
            answer = cell_text(item.row.get(draft.label.name))
            if None in map(cell_text, cells) or (draft.rule in CLOSED_RULES and answer != item.answer):
                return False
    return True


def _describe_split(parts: Mapping[str, Sequence[Item]], draft: Draft) -> None:
    """Say that the table's own split is used, and how many test rows are training rows too."""
    for split, items in parts.items():
        if not items:
            raise DataError(f"no {split} row is usable: {'; '.join(draft.warnings)}")
    counted = ", ".join(f"{len(items):,} rows for {split}" for split, items in parts.items())
    draft.guesses["split"] = f"{counted}: the data's own"
    seen_rows = {item.plain for item in parts["train"]}
    again = sum(item.plain in seen_rows for item in parts["test"])
    if again:
        draft.warnings.append(f"{again:,} of {len(parts['test']):,} test rows are training rows too")
