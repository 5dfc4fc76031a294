"""The user's table: a file, a folder with one file for each split, or a data set on the Hub."""

from __future__ import annotations

import ast
import codecs
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from paft.errors import DataError, said
from paft.files import to_utf8
from paft.task.data import FORMATS, ArrowRows, DataSource, HubDataset, Rows, file_rows, read_rows

Row = Mapping[str, Any]
SPLIT_OF = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("validation", "valid", "val", "dev", "development"), "validation"),
    **dict.fromkeys(("test", "testing", "eval", "evaluation"), "test"),
}
SPLITS = ("train", "validation", "test")
SPLIT_COLUMNS = ("split", "set", "subset", "partition", "fold")
CONVERSATIONS = ("messages", "conversations", "conversation")
ROLES = ("system", "user", "assistant")
_BINARY = {
    b"PK\x03\x04": "a zip archive or an Excel workbook (.xlsx)",
    b"PAR1": "Parquet",
    b"\xd0\xcf\x11\xe0": "an Excel workbook of the old kind (.xls)",
    b"\x1f\x8b": "compressed with gzip",
    b"%PDF": "a PDF",
    b"<!DO": "an HTML page",
    b"<htm": "an HTML page",
}
_OWN = {".xlsx": b"PK\x03\x04", ".parquet": b"PAR1"}


@dataclass(frozen=True)
class Table:
    """Rows by split.

    Attributes:
        source: What the user named.
        columns: Names of the columns that have one, in order.
        splits: Rows by split, those for training first; under ``train`` alone where the table has no split.
        origins: By split the file, or the name of the Hub's split, that holds exactly its rows.
        hub: The data set on the Hub, if it is one.
        words: By column what its numbers stand for, counted from 0, where the data says so.
    """

    source: str
    columns: tuple[str, ...]
    splits: Mapping[str, Sequence[Row]]
    origins: Mapping[str, str] = field(default_factory=dict)
    hub: HubDataset | None = None
    words: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @property
    def rows(self) -> list[Row]:
        """All rows, those for training first."""
        return [row for rows in self.splits.values() for row in rows]


def read_table(data: str) -> Table:
    """Read a file, a folder or a data set on the Hub (``owner/name`` or ``owner/name:config``).

    Raises:
        DataError: If it cannot be read or holds no rows.
    """
    path = Path(data)
    if path.is_dir():
        return _part_turns(_read_folder(path))
    if path.exists() or path.suffix.lower() in FORMATS:
        table = _table(data, {"train": _read_file(path)}, {"train": data})
        return _by_column(_part_turns(_with_lists(table)))
    if data.count("/") != 1 or path.suffix.lower() in (".xls", ".ods", ".txt", ".gz", ".zip"):
        raise DataError(f"data file not found: {path} (a data set on the Hub is owner/name)")
    return _part_turns(_read_hub(data))


def _table(source: str, splits: Mapping[str, Rows], origins: Mapping[str, str], **more: Any) -> Table:
    """Read all rows; a column may be absent from some."""
    held = {split: [row for _, row in splits[split]] for split in SPLITS if split in splits}
    names = dict.fromkeys(name for rows in held.values() for row in rows for name in row if name.strip())
    if not names or not any(held.values()):
        raise DataError(f"{source} holds no rows: give a file with a header line and a row for each example")
    return Table(source, tuple(names), held, origins, **more)


def _read_file(path: Path) -> Rows:
    if path.suffix.lower() == ".xls":
        raise DataError(f"{path} is an Excel workbook of the old kind: save it as .xlsx or .csv")
    _check_ending(path)
    return file_rows(path)


def _check_ending(path: Path) -> None:
    """Refuse a file whose first bytes are not those of the kind that its ending says."""
    suffix = path.suffix.lower()
    if suffix not in FORMATS or not path.is_file():
        return  # the reader says so
    with path.open("rb") as file:
        head = file.read(1000)
    if suffix not in _OWN and head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise DataError(f"{path} is text in UTF-16: {to_utf8(path)}")
    if not head.strip():
        raise DataError(f"{path} is empty: give a file with a header line and a row for each example")
    found = next((what for mark, what in _BINARY.items() if head.startswith(mark)), None)
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if suffix in _OWN:
        wrong = not head.startswith(_OWN[suffix])
        found = found or ("something else" if b"\0" in head else "text")
    else:
        is_json = text[:1] in (b"{", b"[")
        wrong = found is not None or b"\0" in head or is_json != (suffix in (".json", ".jsonl"))
        found = found or ("no text" if b"\0" in head else "JSON" if is_json else "no JSON")
    if wrong:
        raise DataError(
            f"{path} is not what its ending says: it is {found}; give it its right ending, or save it as "
            f"{suffix}"
        )


def _with_lists(table: Table) -> Table:
    """Read the lists that tables without lists hold as text, as ``["red", "blue"]`` or Python writes them."""
    held: dict[str, list[list[Any] | None]] = {}
    for name in table.columns:
        cells = [row.get(name) for row in table.rows]
        # One look tells of most columns that they are none.
        if all(isinstance(cell, str) and cell.strip().startswith("[") for cell in cells[:5]):
            lists = [_read_list(cell) for cell in cells]
            held |= {name: lists} if all(lists) else {}
    if not held:
        return table
    rows = [{**row, **{name: lists[at] for name, lists in held.items()}} for at, row in enumerate(table.rows)]
    return Table(table.source, table.columns, {"train": rows})


def _read_list(cell: Any) -> list[Any] | None:
    """Return the list of two texts or more that a cell stands for, None if it is none."""
    for read in (json.loads, ast.literal_eval):
        try:
            found = read(cell)
        except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
            continue
        if isinstance(found, list) and len(found) > 1 and all(isinstance(item, str) for item in found):
            return found
    return None


def _part_turns(table: Table) -> Table:
    """Give the turns of conversations of one question and one answer columns of their own.

    Raises:
        DataError: If a conversation has other turns.
    """
    name = next((name for name in CONVERSATIONS if name in table.columns), None)
    if name is None or _turns(table.rows[0].get(name)) is None:
        return table
    splits: dict[str, list[Row]] = {}
    for split, rows in table.splits.items():
        for number, row in enumerate(rows, start=1):
            turns = _turns(row.get(name)) or []
            if [role for role, _ in turns if role != "system"] != ["user", "assistant"]:
                told = ", ".join(role for role, _ in turns) or "no turn"
                raise DataError(
                    f"{table.source}: row {number} of {split}: {name!r} holds {told}: a task has one input "
                    "and one answer; give them columns of their own"
                )
            others = {column: value for column, value in row.items() if column != name}
            splits.setdefault(split, []).append({**others, **dict(turns)})
    rows = [row for part in splits.values() for row in part]
    roles = [role for role in ROLES if any(role in row for row in rows)]
    names = dict.fromkeys([*(column for column in table.columns if column != name), *roles])
    return Table(table.source, tuple(names), splits)


def _turns(cell: Any) -> list[tuple[str, str]] | None:
    """Return role and text of every turn of a conversation; None if a cell is none."""
    if not isinstance(cell, list) or not all(isinstance(turn, Mapping) for turn in cell):
        return None
    turns = [(turn.get("role", turn.get("from")), turn.get("content", turn.get("value"))) for turn in cell]
    if not all(isinstance(role, str) and isinstance(text, str) for role, text in turns):
        return None
    named = {"human": "user", "gpt": "assistant", "model": "assistant"}
    return [(named.get(role, role), text) for role, text in turns]


def _by_column(table: Table) -> Table:
    """Split a table by a column that says of each row whether it is for training or test."""
    for name in table.columns:
        if name.lower() not in SPLIT_COLUMNS:
            continue
        told = [SPLIT_OF.get(str(row.get(name)).strip().lower()) for row in table.rows]
        if None in told or "train" not in told or len(set(told)) == 1:
            continue
        rows = list(zip(told, table.rows, strict=True))
        splits = {split: [row for of, row in rows if of == split] for split in SPLITS if split in told}
        return Table(table.source, tuple(column for column in table.columns if column != name), splits)
    return table


def split_beside(data: str) -> str | None:
    """Return the file of another split that lies beside a file of one, test.csv beside train.csv say."""
    path = Path(data)
    own = SPLIT_OF.get(path.stem.lower())
    if own is None or not path.is_file():
        return None
    others = (each for each in sorted(path.parent.iterdir()) if each.suffix.lower() in FORMATS)
    return next((each.name for each in others if SPLIT_OF.get(each.stem.lower(), own) != own), None)


def _read_folder(folder: Path) -> Table:
    files: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        split = SPLIT_OF.get(path.stem.lower())
        if split and path.suffix.lower() in FORMATS and path.is_file():
            if split in files:
                raise DataError(f"{folder} holds {files[split].name} and {path.name}: give the file to take")
            files[split] = path
    if "train" not in files:
        raise DataError(f"{folder} holds no file of training rows, train.csv say: give the file itself")
    found = {split: _read_file(path) for split, path in files.items()}
    return _table(str(folder), found, {split: str(path) for split, path in files.items()})


def _read_hub(data: str) -> Table:
    from datasets import get_dataset_config_names, get_dataset_split_names

    name, _, config = data.partition(":")
    try:
        configs = get_dataset_config_names(name)
        if not config and len(configs) > 1 and "default" not in configs:
            listed = ", ".join(configs[:12]) + (", ..." if len(configs) > 12 else "")
            raise DataError(
                f"{name} has several configurations ({listed}): name one, {name}:{configs[0]} say"
            )
        config = config or ("default" if "default" in configs else configs[0])
        names = get_dataset_split_names(name, config)
    except DataError:
        raise
    except Exception as error:  # the library raises many unrelated types for one cause: not to be had
        raise DataError(
            f"{data!r} is neither a file here nor a data set that can be had from the Hub "
            f"({said(error)}): check the name and the network"
        ) from None
    hub = HubDataset(id=name, config=config)
    kept = {SPLIT_OF[each]: each for each in reversed(names) if each in SPLIT_OF}
    if "train" not in kept:
        kept = {"train": names[0]}
    found = {
        split: read_rows(DataSource(train=each, test=each, hub=hub), "train", Path())
        for split, each in kept.items()
    }
    return _table(data, found, kept, hub=hub, words=_class_names(found["train"]))


def _class_names(rows: Rows) -> dict[str, Sequence[str]]:
    """Return what numbers stand for in columns of the type ``ClassLabel``."""
    features = getattr(rows.rows, "features", None) if isinstance(rows, ArrowRows) else None
    return {name: each.names for name, each in (features or {}).items() if hasattr(each, "names")}
