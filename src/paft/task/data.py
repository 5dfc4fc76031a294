"""Where a task's rows come from: local JSON, CSV, TSV, Parquet or Excel files, rows in Python, or the Hub.

A split is a file, several, or a part of one (``tickets.csv[:80%]``); test rows may be a seeded share of the
training rows, which :class:`paft.task.task.Task` chooses, as it knows what is alike.
Rows are read when they are asked for: JSONL, CSV and TSV by byte offset (:mod:`paft.task.text_rows`), large
Parquet files and the Hub's from Arrow files that the ``datasets`` library maps into memory. Files of a
folder given on the command line stand in for the Hub, with its columns or the task's own names.
"""

from __future__ import annotations

import io
import json
from abc import abstractmethod
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from pydantic import (
    Field,
    SerializerFunctionWrapHandler,
    ValidationInfo,
    field_serializer,
    field_validator,
    model_validator,
)
from xxhash import xxh3_128_hexdigest

from paft.errors import DataError, shown
from paft.files import as_object, file_digest, fingerprint, read_text
from paft.names import part_range, split_part
from paft.schema import Schema
from paft.spreadsheet import frame_rows, read_sheet
from paft.task.text_rows import Records, find_csv, find_delimiter, find_lines, table_reader
from paft.task.values import Unknown, as_list, as_text, from_arrow
from paft.text_values import read_json_value

if TYPE_CHECKING:
    from datasets import Dataset
    from pyarrow import Table

Files = str | tuple[str, ...] | tuple[dict[str, Any], ...]
Located = tuple[str, dict[str, Any]]  # ("file:line", row)
FORMATS = (".jsonl", ".json", ".csv", ".tsv", ".parquet", ".xlsx")
ABSENT: Final = object()  # null is not absent
GIVEN = "give a file, a list of files, or rows: a list of dicts, a DataFrame, one split of a data set"
IN_MEMORY = 10_000  # rows of a Parquet file that are simply held


class HubDataset(Schema):
    """A dataset on the Hugging Face Hub.

    Attributes:
        id: ``owner/name``.
        config: Name of the configuration, if it has several.
        revision: Commit, tag or branch; pin it for a result that can be repeated.
    """

    id: str
    config: str | None = None
    revision: str | None = None


class DataSource(Schema):
    """Rows by split.

    Attributes:
        train: File or a part of one (``a.csv[:80%]``), list of files or (with ``hub``) name of the Hub split;
            in Python rows too: a list of dicts, a DataFrame (pandas, polars) or a ``datasets.Dataset``.
        validation: Likewise; optional.
        test: Likewise; only evaluation needs it.
        test_share: Share of the rows of ``train`` that are set apart for testing, instead of ``test``: labels
            in equal shares, near-duplicates on one side.
        seed: Of the choice of ``test_share``.
        hub: Read the splits from this Hub dataset instead of files.
        columns: Column, or dotted path into a nested one, by field name, where they differ. A row that
            lacks it may name the field itself; a row that has null there may not.
    """

    train: Files
    validation: Files | None = None
    test: Files | None = None
    test_share: float | None = Field(default=None, gt=0, lt=1)
    seed: int = Field(default=0, ge=0)
    hub: HubDataset | None = None
    columns: dict[str, str] = Field(default_factory=dict)

    @field_validator("train", "validation", "test", mode="before")
    @classmethod
    def _read_given(cls, value: Any, field: ValidationInfo) -> Any:
        """Read what Python holds rows in: DataFrames, data sets of the library ``datasets``, lists."""
        if value is None and field.field_name != "train":
            return None
        if isinstance(value, (str, Path)):
            return str(value)
        rows = frame_rows(value)
        # A column of a table has text for items too, which are no names of files.
        if isinstance(rows, Mapping) or not hasattr(rows, "__iter__") or hasattr(rows, "to_frame"):
            raise ValueError(f"{GIVEN}, not {type(value).__name__}")
        items = tuple(str(item) if isinstance(item, Path) else item for item in rows)
        files = bool(items) and isinstance(items[0], str)
        for place, item in enumerate(items):
            row = isinstance(item, dict) and all(isinstance(name, str) for name in item)
            if not (isinstance(item, str) if files else row):
                raise ValueError(f"{GIVEN}; item {place} is {type(item).__name__} {shown(item)}")
        return items

    def __repr_args__(self) -> Iterator[tuple[str, Any]]:
        """Say how many rows there are instead of printing them."""
        for name, value in super().__repr_args__():
            held = isinstance(value, tuple) and any(isinstance(item, dict) for item in value)
            yield str(name), f"<{len(value)} rows>" if held else value

    @model_validator(mode="after")
    def _check(self) -> DataSource:
        for name in ("train", "validation", "test"):
            value = getattr(self, name)
            if self.hub and value is not None and not isinstance(value, str):
                raise ValueError(f"with `hub`, `{name}` is the name of a Hub split")
            if value == () or value == "":
                raise ValueError(f"`{name}` is empty: give a file, or rows")
        if self.test is not None and self.test_share is not None:
            raise ValueError("`test_share` takes test rows from those of `train`: leave `test` out, or it")
        if self.seed and self.test_share is None:
            raise ValueError("`seed` goes with `test_share`")
        return self

    @field_serializer("train", "validation", "test", mode="wrap")
    def _write(self, value: Any, write: SerializerFunctionWrapHandler) -> Any:
        """Write rows from pandas too: its arrays, numbers and gaps in columns that nobody uses."""
        try:
            return write(value)
        except (TypeError, ValueError):
            return json.loads(json.dumps(value, default=repr))

    def column(self, field: str) -> str:
        return self.columns.get(field, field)

    def value(self, row: Mapping[str, Any], field: str, first: Mapping[str, Any]) -> Any:
        """Return what a row holds for a field, ``ABSENT`` if nothing.

        Args:
            row: The row.
            field: The field.
            first: The first row of the split. Where it lacks the field's column, all rows name the field
                itself. A later row alone may not: some writers of files leave null out.

        Raises:
            ValueError: If a row has the column that the first one lacks; the message says so.
        """
        column = self.column(field)
        if column == field or not _lacks(first, column):
            return look_up(row, column)
        if not _lacks(row, column):
            raise ValueError("is in this row, but not in the first one: name it alike in all rows")
        return row.get(field, ABSENT)

    def in_folder(self, folder: Path) -> DataSource:
        """Return the same fields from ``train.jsonl``, ``test.jsonl`` and, if there, ``validation.jsonl``.

        With ``test_share`` there need be no ``test.jsonl``; if there is one, it counts.
        """
        validation = "validation.jsonl" if (folder / "validation.jsonl").is_file() else None
        files: dict[str, Any] = {"train": "train.jsonl", "validation": validation, "hub": None}
        if self.test_share is None or (folder / "test.jsonl").is_file():
            files |= {"test": "test.jsonl", "test_share": None, "seed": 0}
        return self.model_copy(update=files)


def look_up(row: Mapping[str, Any], path: str) -> Any:
    """Return the value under a column's name, or a dotted path of keys and places.

    Returns:
        The value, None for null (on the way there too, as what is unknown), or ``ABSENT``.

    >>> look_up({"choices": {"text": ["red", "blue"]}}, "choices.text.1")
    'blue'
    """
    if path in row:
        return row[path]
    value: Any = row
    for part in path.split("."):
        if value is None or isinstance(value, Unknown):
            return value
        if isinstance(value, Mapping) and part in value:
            value = value[part]
        elif part.isdecimal() and int(part) < len(as_list(value) or ()):
            value = value[int(part)]
        else:
            return ABSENT
    return value


def _lacks(row: Mapping[str, Any], path: str) -> bool:
    """Whether a row has neither a column nor the nested one that its path leads into."""
    outer = row.get(path.partition(".")[0])
    return look_up(row, path) is ABSENT and not isinstance(outer, Mapping) and as_list(outer) is None


class Rows(Sequence[Located]):
    """Rows of a split with the place of each."""

    @abstractmethod
    def digest(self) -> str:
        """Hash of all rows; any change of any row shows."""

    @abstractmethod
    def at(self, number: int) -> Located:
        """Return a row, numbered from 0, and its place."""

    def __getitem__(self, number: Any) -> Any:
        if not 0 <= number < len(self):
            raise IndexError(f"row {number} of {len(self)}")
        return self.at(number)

    @cached_property
    def first_row(self) -> Mapping[str, Any]:
        row: Mapping[str, Any] = self[0][1]
        return row


@dataclass(eq=False)
class HeldRows(Rows):
    """Rows in memory."""

    rows: Sequence[Located]

    def __len__(self) -> int:
        return len(self.rows)

    def at(self, number: int) -> Located:
        return self.rows[number]

    def digest(self) -> str:
        return fingerprint([[where, repr(row)] for where, row in self.rows])


@dataclass(eq=False)
class TextRows(Rows):
    """Rows of a text file, read by byte offset when they are asked for.

    Attributes:
        records: Where they lie.
        parse: Returns the row in a record, given the record's text and place; must go through pickle.
    """

    records: Records
    parse: Callable[[str, str], dict[str, Any]]

    def __len__(self) -> int:
        return len(self.records)

    def at(self, number: int) -> Located:
        """Read a row.

        Raises:
            DataError: If it is malformed; file and line are named.
        """
        where, text = self.records.where(number), self.records.text(number)
        return where, self.parse(text, where)

    def digest(self) -> str:
        return self.records.digest


class ArrowRows(Rows):
    """Rows of an Arrow table, or of a data set that the ``datasets`` library maps into memory.

    Cells are read as Arrow holds them: ``datasets`` would open the images of a row for its text.
    """

    def __init__(self, rows: Table | Dataset, name: str, first: int) -> None:
        self.rows = rows.with_format("arrow") if hasattr(rows, "with_format") else rows
        self.name = name
        self.first = first

    def __len__(self) -> int:
        return len(self.rows)

    def at(self, number: int) -> Located:
        row = self._part(number, number + 1)
        return f"{self.name}{number + self.first}", {
            name: from_arrow(row.column(i)[0]) for i, name in enumerate(row.column_names)
        }

    def digest(self) -> str:
        """Hash of all rows, some thousands at a time."""
        from pyarrow import BufferOutputStream, ipc
        from xxhash import xxh3_128

        found = xxh3_128()
        for start in range(0, len(self), IN_MEMORY):
            table, buffer = self._part(start, start + IN_MEMORY), BufferOutputStream()
            with ipc.new_stream(buffer, table.schema) as stream:
                stream.write_table(table.combine_chunks())
            found.update(buffer.getvalue())
        return found.hexdigest()

    def _part(self, start: int, end: int) -> Table:
        return self.rows[start:end]


class JoinedRows(Rows):
    """Rows of several files, one file behind the other."""

    def __init__(self, parts: Sequence[Rows]) -> None:
        self.parts = parts
        self.ends = list(accumulate(map(len, parts)))

    def __len__(self) -> int:
        return self.ends[-1]

    def at(self, number: int) -> Located:
        part = bisect_right(self.ends, number)
        return self.parts[part].at(number - (self.ends[part - 1] if part else 0))

    def digest(self) -> str:
        """Hash of all files in their order."""
        return fingerprint([part.digest() for part in self.parts])


@dataclass(eq=False)
class ChosenRows(Rows):
    """Some of the rows of a split or file, in the order of ``places``."""

    rows: Rows
    places: Sequence[int] | np.ndarray

    def __len__(self) -> int:
        return len(self.places)

    def at(self, number: int) -> Located:
        """Return a chosen row, numbered from 0 among the chosen, and its place among all."""
        return self.rows.at(int(self.places[number]))

    def digest(self) -> str:
        """Hash of all rows that these are chosen from, and of which they are."""
        chosen = np.ascontiguousarray(self.places, dtype="<i8").tobytes()
        return fingerprint([self.rows.digest(), xxh3_128_hexdigest(chosen)])


def read_rows(source: DataSource, split: str, folder: Path) -> Rows:
    """Return the rows of a split, each as ``("file:line", row)``.

    Relative paths are relative to ``folder``.

    Raises:
        DataError: If the split is not defined, or a file or the Hub dataset cannot be read. A single
            row that cannot be read is an error when it is asked for.
    """
    value: Files | None = getattr(source, split)
    if value is None:
        share = (
            ", or `data.test_share: 0.2` to set a fifth of the training rows apart" if split == "test" else ""
        )
        raise DataError(f"the task's data has no {split!r} split: add `data.{split}`{share}")
    if source.hub is not None:
        return _hub_rows(source.hub, str(value))
    items = (value,) if isinstance(value, str) else value
    if all(isinstance(item, dict) for item in items):
        return HeldRows([(f"{split} row {i}", row) for i, row in enumerate(items) if isinstance(row, dict)])
    parts = [_part_rows(folder, str(item)) for item in items]
    return parts[0] if len(parts) == 1 else JoinedRows(parts)


def _part_rows(folder: Path, name: str) -> Rows:
    """Return the rows of a file, or of the part of it that a name such as ``a.csv[:80%]`` says."""
    file, part = split_part(name)
    if not part or (folder / name).exists():
        return file_rows(folder / name)
    rows = file_rows(folder / file)
    try:
        return ChosenRows(rows, part_range(part, len(rows)))
    except ValueError as error:
        raise DataError(
            f"data file {folder / name}: {error}; the file has {len(rows):,} rows: write [:80%] and [80%:], "
            "or numbers of rows counted from 0, as [:400] and [400:]"
        ) from None


def file_rows(path: Path) -> Rows:
    """Return the rows of a file of one of the ``FORMATS``; see :func:`read_rows`."""
    suffix = path.suffix.lower()
    if suffix not in FORMATS:
        raise DataError(f"data file {path}: unknown format {path.suffix!r} (known: {', '.join(FORMATS)})")
    if suffix == ".json":
        return _json_rows(path)
    if suffix == ".jsonl":
        return TextRows(find_lines(path), _json_row)
    if suffix in (".csv", ".tsv"):
        delimiter = "\t" if suffix == ".tsv" else find_delimiter(path)
        names, records = find_csv(path, delimiter)
        return TextRows(records, partial(_table_row, names, delimiter))
    return _sheet_rows(path) if suffix == ".xlsx" else _parquet_rows(path)


def _json_row(text: str, where: str) -> dict[str, Any]:
    return as_object(read_json_value(text, where, "each line must be one JSON object"), text, where)


def _table_row(names: Sequence[str], delimiter: str, text: str, where: str) -> dict[str, Any]:
    """Return a row of a CSV or TSV file; a cell is text, an empty one too."""
    values = next(table_reader(io.StringIO(text, newline=""), delimiter))
    return dict(zip(names, values, strict=True))


def _json_rows(path: Path) -> Rows:
    """Return the rows of a list of objects; a file that begins with an object is read as JSON Lines."""
    text = read_text(path, "data")
    if not text.lstrip().startswith("["):
        _check_no_object(text, path)
        return TextRows(find_lines(path), _json_row)
    rows = read_json_value(text, str(path), "a .json file is one list of objects")
    escapes = "\\u" if "\\u" in text else ""
    placed = ((f"{path}:row {number}", row) for number, row in enumerate(rows, start=1))
    return HeldRows([(where, as_object(row, escapes, where)) for where, row in placed])


def _check_no_object(text: str, path: Path) -> None:
    """Refuse a file that is one object, unless it stands in one line and may be a row."""
    whole = None
    with suppress(ValueError, RecursionError):  # of JSON Lines this fails behind the first
        whole = json.loads(text)
    if not isinstance(whole, dict):
        return
    columns = all(isinstance(value, list | dict) for value in whole.values())
    if columns or "\n" in text.strip():
        what = "columns" if columns else f"one object ({', '.join(map(shown, whole))})"
        raise DataError(f"{path} holds {what}: write a list of rows (in pandas orient='records')")


def _sheet_rows(path: Path) -> Rows:
    """Return the rows of a workbook's first sheet, whose first row names the columns; blank rows are none."""
    header, *rows = read_sheet(path, "data", formulas=False) or [()]
    names = ["" if cell.value is None else as_text(cell.value) for cell in header]
    double = next((name for name in names if name.strip() and names.count(name) > 1), None)
    if double is not None:
        raise DataError(f"{path}:row 1: two columns are called {shown(double)}: rename or remove one")
    filled = ((n, row) for n, row in enumerate(rows, start=2) if any(cell.value is not None for cell in row))
    placed = ((f"{path}:row {n}", dict(zip(names, map(_cell, row), strict=True))) for n, row in filled)
    return HeldRows(list(placed))


def _cell(cell: Any) -> Any:
    """Return what a cell of a workbook holds; what a formula could not work out is unknown."""
    return Unknown(f"an error of the spreadsheet ({cell.value})") if cell.data_type == "e" else cell.value


def _parquet_rows(path: Path) -> Rows:
    from pyarrow import ArrowException, parquet

    try:
        with parquet.ParquetFile(path) as file:
            names = file.schema_arrow.names
            double = next((name for name in names if names.count(name) > 1), None)
            if double is not None:
                raise DataError(f"data file {path}: two columns are called {shown(double)}: rename one")
            rows = _mapped(path) if file.metadata.num_rows > IN_MEMORY else None
            return ArrowRows(file.read() if rows is None else rows, f"{path}:row ", 1)
    except FileNotFoundError:
        raise DataError(f"data file not found: {path}") from None
    except (ArrowException, OSError) as error:
        raise DataError(f"data file {path} is not readable Parquet: {' '.join(str(error).split())}") from None


def _mapped(path: Path) -> Dataset | None:
    """Map a Parquet file into memory; None where it has columns that ``datasets`` does not know."""
    from datasets import Dataset, config

    try:
        # The library knows a file again by its time alone: another content of that time would stay unread.
        cache = Path(config.HF_DATASETS_CACHE) / "paft" / file_digest(path)
        return Dataset.from_parquet(str(path), cache_dir=str(cache))
    except Exception:  # many unrelated types; errors of the file itself are reported by its reader
        return None


def _hub_rows(hub: HubDataset, split: str) -> Rows:
    from datasets import load_dataset

    try:
        rows = load_dataset(hub.id, hub.config, split=split, revision=hub.revision)
    except Exception as error:  # the library raises many unrelated types for one cause: not to be had
        raise DataError(
            f"Hub dataset {hub.id!r} split {split!r} cannot be loaded "
            f"({type(error).__name__}: {str(error).splitlines()[0] if str(error) else 'no detail'}): "
            "check the id, the split and the network, or give a folder with train.jsonl and test.jsonl "
            "by --data"
        ) from error
    return ArrowRows(rows, f"{hub.id}[{split}] row ", 0)
