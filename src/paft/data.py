"""Where a task's rows come from: local JSONL, CSV or Parquet files, rows in Python, or the Hub."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import Field, model_validator

from paft.errors import DataError
from paft.files import read_jsonl, read_text
from paft.schema import Schema

Files = str | tuple[str, ...] | tuple[dict[str, Any], ...]
FORMATS = (".jsonl", ".csv", ".parquet")


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
        train: File, list of files, list of rows or (with ``hub``) name of the Hub split.
        validation: Likewise; optional.
        test: Likewise.
        hub: Read the splits from this Hub dataset instead of files.
        columns: Column by field name, where they differ.
    """

    train: Files
    validation: Files | None = None
    test: Files
    hub: HubDataset | None = None
    columns: dict[str, str] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _check(self) -> DataSource:
        for name in ("train", "validation", "test"):
            value = getattr(self, name)
            if self.hub and value is not None and not isinstance(value, str):
                raise ValueError(f"with `hub`, `{name}` is the name of a Hub split")
            if value == () or value == "":
                raise ValueError(f"`{name}` is empty: give a file")
        return self

    def column(self, field: str) -> str:
        """The column that holds a field."""
        return self.columns.get(field, field)


def read_rows(source: DataSource, split: str, folder: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield ``("file:line", row)`` of a split.

    Args:
        source: Where the data lies.
        split: ``train``, ``validation`` or ``test``.
        folder: What relative paths are relative to.

    Raises:
        DataError: If the split is not defined, or a file or the Hub dataset cannot be read.
    """
    value: Files | None = getattr(source, split)
    if value is None:
        raise DataError(f"the task's data has no {split!r} split: add `data.{split}`")
    if source.hub is not None:
        yield from _read_hub(source.hub, str(value))
        return
    items = (value,) if isinstance(value, str) else value
    for number, item in enumerate(items):
        if isinstance(item, dict):
            yield f"{split} row {number}", item
        else:
            yield from _read_file(folder / str(item))


def _read_file(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    if path.suffix not in FORMATS:
        raise DataError(f"data file {path}: unknown format {path.suffix!r} (known: {', '.join(FORMATS)})")
    if path.suffix == ".jsonl":
        for line, row in read_jsonl(path, "data"):
            yield f"{path}:{line}", row
    elif path.suffix == ".csv":
        reader = csv.DictReader(io.StringIO(read_text(path, "data"), newline=""), strict=True)
        try:
            for row in reader:
                if None in row or None in row.values():
                    raise DataError(f"{path}:{reader.line_num}: a row with too many or too few columns")
                yield f"{path}:{reader.line_num}", row
        except csv.Error as error:
            raise DataError(f"{path}:{reader.line_num}: malformed CSV: {error}") from None
    else:
        yield from _read_parquet(path)


def _read_parquet(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    from pyarrow import ArrowException, parquet

    try:
        rows = parquet.read_table(path).to_pylist()
    except FileNotFoundError:
        raise DataError(f"data file not found: {path}") from None
    except (ArrowException, OSError) as error:
        raise DataError(f"data file {path} is not readable Parquet: {error}") from None
    for number, row in enumerate(rows, start=1):
        yield f"{path}:row {number}", row


def _read_hub(hub: HubDataset, split: str) -> Iterator[tuple[str, dict[str, Any]]]:
    from datasets import load_dataset

    try:
        rows = load_dataset(hub.id, hub.config, split=split, revision=hub.revision)
    except Exception as error:  # the library raises many unrelated types for one cause: not to be had
        raise DataError(
            f"Hub dataset {hub.id!r} split {split!r} cannot be loaded "
            f"({type(error).__name__}: {str(error).splitlines()[0] if str(error) else 'no detail'}): "
            "check the id, the split and the network, or give local files"
        ) from error
    for number, row in enumerate(rows):
        yield f"{hub.id}[{split}] row {number}", row
