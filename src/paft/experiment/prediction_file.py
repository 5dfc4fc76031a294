"""The rows that ``paft predict`` reads, from standard input too, and the table that it writes."""

from __future__ import annotations

import csv
import json
import math
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Literal, TextIO

from paft.errors import ConfigError, DataError
from paft.files import write_atomically
from paft.spreadsheet import inert
from paft.task.data import Rows, file_rows
from paft.task.task import Task

Format = Literal["csv", "jsonl"]
STDIN = "-"
NAMED = "standard input"  # what errors call it
BEGINNINGS = {b"{": ".jsonl", b"[": ".json", b"PAR1": ".parquet"}  # of files that are no table of text
HEAD = 1 << 16  # bytes that tell a format


@contextmanager
def open_rows(source: str) -> Iterator[Rows]:
    """Yield the rows of a file, or of standard input for ``-``, which is copied to the disk first.

    Raises:
        DataError: If it cannot be read, now or when a row is asked for.
    """
    if source != STDIN:
        yield file_rows(Path(source))
        return
    with tempfile.TemporaryDirectory() as folder:
        copy = _copied(sys.stdin.buffer, Path(folder))
        try:
            yield file_rows(copy)
        except DataError as error:
            raise DataError(str(error).replace(str(copy), NAMED)) from None


def _copied(stream: IO[bytes], folder: Path) -> Path:
    """Copy a stream to a file whose ending says what is in it."""
    head = stream.read(HEAD)
    bare = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    suffix = next((suffix for beginning, suffix in BEGINNINGS.items() if bare.startswith(beginning)), ".csv")
    path = folder / f"rows{suffix}"
    with path.open("wb") as file:
        file.write(head)
        shutil.copyfileobj(stream, file)
    return path


def choose_format(source: str, output: Path | None, given: Format | None) -> Format:
    """Return the format of the predictions: as asked for, by the name of the output, or like the rows.

    Raises:
        ConfigError: If name and format contradict each other, or the output is the file of the rows.
    """
    named = None if output is None else output.suffix.lower().removeprefix(".")
    if output is not None and source != STDIN and output.resolve() == Path(source).resolve():
        raise ConfigError(f"{output} holds the rows: give predictions another name")
    if named is not None and (named not in ("csv", "jsonl") or given not in (None, named)):
        asked = f"--format {given} needs" if given else "predictions need"
        raise ConfigError(f"--output {output}: {asked} a name that ends in .{given or 'csv or .jsonl'}")
    if given is not None or named is not None:
        return given or ("jsonl" if named == "jsonl" else "csv")
    return "jsonl" if Path(source).suffix.lower() in (".jsonl", ".json", ".parquet") else "csv"


def write_predictions(
    output: Path | None, format: Format, task: Task, columns: Sequence[str], added: Sequence[str],
    records: Iterable[Mapping[str, Any]],
) -> None:  # fmt: skip
    """Write records as they come, to standard output or atomically to a file.

    A CSV has a column for the probability of each of a task's fixed options. ``added`` is what records have
    besides the columns of the rows.

    Raises:
        PaftError: If the file cannot be written, or what the records raise.
    """

    def write(stream: TextIO) -> None:
        if format == "csv":
            _write_csv(stream, task, columns, added, records)
            return
        for record in records:
            told = {name: None if _endless(value) else value for name, value in record.items()}
            stream.write(json.dumps(told, ensure_ascii=False, default=str) + "\n")

    def fill(part: Path) -> None:
        with part.open("w", encoding="utf-8", newline="") as file:
            write(file)

    if output is None:
        write(sys.stdout)
    else:
        write_atomically(output, fill)


def _write_csv(
    stream: TextIO, task: Task, columns: Sequence[str], added: Sequence[str],
    records: Iterable[Mapping[str, Any]],
) -> None:  # fmt: skip
    """Write CSV; what a model wrote is no formula, columns of the rows stay as they are."""
    options = task.answer.words if "probabilities" in added else None
    heads = [name for name in added if options is None or name != "probabilities"]
    of_options = [f"p({option})" for option in options or ()]
    taken = [name for name in of_options if name in columns]
    if taken:
        raise DataError(f"the rows have a column {taken[0]!r} already, which predictions get: rename it")
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow([*columns, *heads, *of_options])
    for record in records:
        writer.writerow(
            [
                *(_cell(record.get(name)) for name in columns),
                *(inert(_cell(record[name])) for name in heads),
                *(record["probabilities"][option] for option in options or ()),
            ]
        )


def _cell(value: Any) -> Any:
    """Return what a cell of a CSV holds for a value of a row."""
    nested = isinstance(value, (list, dict))
    return json.dumps(value, ensure_ascii=False, default=str) if nested else value


def _endless(value: Any) -> bool:
    """Whether a value is a float that JSON does not have."""
    return isinstance(value, float) and not math.isfinite(value)
