"""Records of a text file by byte offset: a million rows cost two whole numbers each, not their text.

One pass finds where each record begins and hashes every byte; a record is read when it is asked for.
Nothing is kept open, so loader workers share nothing.
"""

from __future__ import annotations

import csv
import io
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np
from xxhash import xxh3_128

from paft.errors import DataError, shown
from paft.files import to_utf8

if TYPE_CHECKING:
    from _csv import Reader

_CHUNK = 1 << 22  # bytes read at once
_NEWLINE = ord("\n")
_CELL = 1 << 30  # characters of a table's cell at most
_BROKEN = re.compile(r"[\t\n\r]")
_MARK = b"\xef\xbb\xbf"  # Excel begins its files with it
_HEAD = 1 << 16  # characters in which a delimiter is looked for
_ROWS = 50  # rows likewise
MARKS = ",;\t|"  # what may separate the cells of a CSV file


@dataclass(frozen=True, eq=False)
class Records:
    """Where the records of a file lie.

    Attributes:
        path: The file.
        spans: (N, 2) of int64: first byte of each record, and the byte behind its last.
        lines: (N,) of int64: number of the line that ends it, from 1.
        digest: Hash of all bytes.
        stamp: Size in bytes and time of change, nanoseconds, as of the pass over the file.
    """

    path: Path
    spans: np.ndarray
    lines: np.ndarray
    digest: str
    stamp: tuple[int, int]

    def __len__(self) -> int:
        return len(self.spans)

    def where(self, number: int) -> str:
        """Return ``file:line`` of a record."""
        return f"{self.path}:{self.lines[number]}"

    def text(self, number: int) -> str:
        """Read a record.

        Raises:
            DataError: If it is not UTF-8, or the file has changed since its records were found.
        """
        start, end = map(int, self.spans[number])
        try:
            with self.path.open("rb", buffering=0) as file:
                changed = _stamp(file) != self.stamp
                file.seek(start)
                content = file.read(end - start)
        except OSError as error:
            raise _unreadable(self.path, error) from None
        if changed:
            raise DataError(f"data file {self.path} was changed while it was in use: start again")
        try:
            return content.decode("utf-8")
        except UnicodeDecodeError as error:
            place, todo = start + error.start, to_utf8(self.path)
            raise DataError(f"{self.where(number)}: not UTF-8 (byte {place} of the file): {todo}") from None


def find_lines(path: Path) -> Records:
    r"""Find the lines of a file; only ``\n`` ends one. Blank lines are left out.

    Raises:
        DataError: If the file cannot be read.
    """
    digest, begin, fresh = xxh3_128(), 0, True
    starts, firsts = [np.empty(0, np.int64)], [np.empty(0, np.uint8)]
    try:
        with path.open("rb") as file:
            stamp = _stamp(file)
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
                letters = np.frombuffer(chunk, np.uint8)
                at = np.flatnonzero(letters == _NEWLINE) + 1
                at = np.concatenate([[0], at]) if fresh else at
                at = at[at < len(chunk)]
                starts.append(at + begin)
                firsts.append(letters[at])
                begin, fresh = begin + len(chunk), chunk[-1] == _NEWLINE
    except OSError as error:
        raise _unreadable(path, error) from None
    bounds = np.append(np.concatenate(starts), begin)
    spans = np.stack([bounds[:-1], bounds[1:]], axis=1)
    if len(spans) and _marked(path):
        spans[0, 0] = len(_MARK)
    found = Records(path, spans, np.arange(1, len(spans) + 1), digest.hexdigest(), stamp)
    full = np.ones(len(spans), dtype=bool)
    for i in np.flatnonzero(np.concatenate(firsts) != ord("{")):  # only these need a look
        full[i] = bool(found.text(int(i)).strip())
    return Records(path, spans[full], found.lines[full], found.digest, stamp)


def table_reader(lines: Iterator[str], delimiter: str) -> Reader:
    """Return a reader of CSV or TSV, both quoted as Excel and pandas do."""
    csv.field_size_limit(_CELL)  # the module's own limit refuses an article or a book
    return csv.reader(lines, strict=True, delimiter=delimiter)


def find_delimiter(path: Path) -> str:
    """Return what separates the cells of a CSV file: a comma, else what its first rows agree on.

    Where they agree on nothing it is what the header has most of, so that the row that differs is found.
    Excel writes semicolons where the comma is the decimal point; some programs write tabs or bars.

    Raises:
        DataError: If the file cannot be read.
    """
    try:
        with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
            head = file.read(_HEAD)
            whole = not file.read(1)
    except OSError as error:
        raise _unreadable(path, error) from None
    header = head.partition("\n")[0]
    return next((mark for mark in MARKS if _splits(head, mark, whole)), max(MARKS, key=header.count))


def _splits(head: str, delimiter: str, whole: bool) -> bool:
    """Whether all rows of a file's beginning have the same number of cells, two at least."""
    try:
        rows = list(islice(csv.reader(io.StringIO(head, newline=""), delimiter=delimiter), _ROWS))
    except csv.Error:
        return False
    rows = rows if whole or len(rows) == _ROWS else rows[:-1] or rows
    widths = {len(row) for row in rows if row}
    return len(widths) == 1 and min(widths) > 1


def find_csv(path: Path, delimiter: str = ",") -> tuple[list[str], Records]:
    """Return the names of the columns and the rows of a CSV or TSV file; all are checked for their width.

    Raises:
        DataError: If the file cannot be read, is malformed, two columns have one name, or a row has
            another width. With tabs, also if a cell holds a tab or a line break: files that do not
            use quotes look so too, and would be read wrongly.
    """
    spans, lines, digest, line = [], [], xxh3_128(), 0
    done = len(_MARK) if path.is_file() and _marked(path) else 0

    def counted(texts: Iterator[str]) -> Iterator[str]:
        nonlocal done
        for text in texts:
            content = text.encode("utf-8")
            digest.update(content)
            done += len(content)
            yield text

    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            stamp = _stamp(file)
            reader = table_reader(counted(iter(file)), delimiter)
            names = next(reader, [])
            # Columns without a name are used by nobody.
            double = next((name for name in names if name.strip() and names.count(name) > 1), None)
            if double is not None:
                raise DataError(f"{path}:1: two columns are called {shown(double)}: rename or remove one")
            before, line = done, reader.line_num
            for row in reader:
                if row and len(row) != len(names):
                    mark = "" if delimiter == "," else f"; cells are separated by {delimiter!r}"
                    raise DataError(
                        f"{path}:{line + 1}: a row with too many or too few columns "
                        f"({len(row)}, the header has {len(names)}{mark}): correct it"
                    )
                if delimiter == "\t" and any(_BROKEN.search(cell) for cell in row):
                    raise DataError(
                        f"{path}:{reader.line_num}: quotes hold a tab or a line break, which not every "
                        "program that writes TSV means so: save the file as .csv"
                    )
                if row:
                    spans.append((before, done))
                    lines.append(reader.line_num)
                before, line = done, reader.line_num
    except csv.Error as error:
        tabs = delimiter == "\t"
        kind, hint = ("TSV", ", or save a file without quotes as .csv") if tabs else ("CSV", "")
        raise DataError(
            f"{path}:{line + 1}: malformed {kind} in the row that begins here ({error}): close its quotes, "
            f'write a quote inside of them twice (""){hint}'
        ) from None
    except UnicodeDecodeError as error:
        raise DataError(f"data file {path} is not UTF-8 ({error.reason}): {to_utf8(path)}") from None
    except OSError as error:
        raise _unreadable(path, error) from None
    places = np.array(spans, dtype=np.int64).reshape(-1, 2)
    return names, Records(path, places, np.array(lines, dtype=np.int64), digest.hexdigest(), stamp)


def _marked(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(_MARK)) == _MARK


def _stamp(file: IO[Any]) -> tuple[int, int]:
    found = os.fstat(file.fileno())
    return found.st_size, found.st_mtime_ns


def _unreadable(path: Path, error: OSError) -> DataError:
    if isinstance(error, FileNotFoundError):
        return DataError(f"data file not found: {path}")
    return DataError(f"data file {path} cannot be read: {error.strerror}")
