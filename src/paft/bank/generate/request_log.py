"""The journal of a generation: every reply that was paid for, on disk before anything is made of it.

JSON Lines beside the bank (``<output>.journal.jsonl``): a header that says what the journal belongs
to, then one line per reply. Lines are only ever appended, each flushed to the disk before the next
call is judged, so ``kill -9`` loses no recorded reply; a last line torn by it is cut off when the
journal is opened again. An exclusive lock keeps a second process out. The bank is built from the
journal alone, which is why it does not matter how often a run died.

Each reply's line ends with a digest of it, so that one that was damaged or edited is noticed. No key
and no HTTP header is ever stored here.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from paft.errors import DataError, PaftError, ResumeError
from paft.files import disk_error, encodable, fingerprint
from paft.names import require_file
from paft.schema import Schema, parse

FORMAT = 1
DIGEST = "digest"


class Record(Schema):
    """One reply.

    Attributes:
        call: Id of the call.
        attempt: Which reply to this call, from 1; above 1 the ones before were broken.
        request: Hash of what was sent.
        generator: The generator's name.
        model: Its model.
        strategy: ``few-shot`` or ``zero-shot``.
        style: Name of the style brief.
        date: When the reply arrived (UTC).
        parameters: Temperature and the like.
        text: The reply.
        input_tokens: Tokens of the request.
        output_tokens: Tokens of the reply.
        counted: Whether the endpoint counted them; else they are estimates.
    """

    call: str
    attempt: int
    request: str
    generator: str
    model: str
    strategy: str
    style: str
    date: str
    parameters: dict[str, float | int | None]
    text: str
    input_tokens: int
    output_tokens: int
    counted: bool = True


def journal_path(output: str | Path) -> Path:
    """Return where the journal of a bank lies.

    Raises:
        ConfigError: If the bank is to be a folder.

    >>> journal_path("banks/mail.jsonl").name
    'mail.jsonl.journal.jsonl'
    """
    output = Path(output)
    require_file(output)
    return output.with_name(output.name + ".journal.jsonl")


class Journal:
    """An open, locked journal; a context manager.

    Attributes:
        path: Where it lies.
        records: What it holds, in the order of arrival.
    """

    def __init__(self, path: Path, header: Mapping[str, str]) -> None:
        """Open the journal, or begin one.

        Args:
            path: The file.
            header: Hash by name of everything the whole run depends on.

        Raises:
            ResumeError: If the journal belongs to other inputs; they are named.
            DataError: If a line is no record.
            PaftError: If another process has it open, or it cannot be written.
        """
        self.path = path
        self.records: list[Record] = []
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        except OSError as error:
            raise disk_error(path, error) from error
        try:
            self._lock()
            lines = self._whole_lines()
            if lines:
                self._check_header(lines[0], header)
                self.records = [self._record(line, number) for number, line in enumerate(lines[1:], 2)]
            else:
                self._write({"journal": FORMAT, **header})
        except BaseException:
            os.close(self._file)
            raise

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._file)  # also gives the lock back

    def append(self, record: Record) -> None:
        """Add a reply and wait until it is on the disk.

        Raises:
            PaftError: If it cannot be written; the journal then holds no part of it.
        """
        row = record.model_dump()
        self._write({**row, DIGEST: fingerprint(row)})
        self.records.append(record)

    def _write(self, row: Mapping[str, Any]) -> None:
        data = (json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n").encode("utf-8")
        before = os.fstat(self._file).st_size
        try:
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(self._file, rest) :]
            os.fsync(self._file)
        except OSError as error:
            with contextlib.suppress(OSError):
                os.ftruncate(self._file, before)
            raise disk_error(self.path, error) from error

    def _lock(self) -> None:
        if sys.platform == "win32":
            return  # has no flock: there two processes on one bank are the user's to avoid
        import fcntl

        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise PaftError(
                f"another PAFT process works on {self.path}: wait until it ends, or choose another output"
            ) from None
        except OSError as error:
            raise disk_error(self.path, error) from error

    def _whole_lines(self) -> list[str]:
        """Read all lines; a torn last one is cut off the file."""
        with open(self._file, "rb", closefd=False) as file:
            data = file.read()
        whole = data.rfind(b"\n") + 1
        if whole < len(data):
            os.ftruncate(self._file, whole)
        try:
            # Only "\n" ends a line: str.splitlines would also break inside texts.
            return data[:whole].decode("utf-8").split("\n")[:-1]
        except UnicodeDecodeError as error:
            raise DataError(f"{self.path} is not UTF-8 (byte {error.start}): {_ADVICE}") from None

    def _check_header(self, line: str, header: Mapping[str, str]) -> None:
        found = self._object(line, 1)
        if found.get("journal") != FORMAT:
            raise DataError(
                f"{self.path}:1: not a journal of `paft bank generate` this version reads: {_ADVICE}"
            )
        changed = [name for name, value in header.items() if found.get(name) != value]
        if changed:
            raise ResumeError(
                f"{self.path} was begun with other inputs: {' and '.join(changed)} changed since. Restore "
                "what was there, or choose another output; replies to other requests cannot be mixed in"
            )

    def _record(self, line: str, number: int) -> Record:
        row = self._object(line, number)
        digest = row.pop(DIGEST, None)  # lines of an older version have none
        if digest is not None and digest != fingerprint(row):
            raise DataError(
                f"{self.path}:{number}: the reply was damaged or changed after it was recorded (its digest "
                "is another): remove the line, and its call is made again"
            )
        return parse(Record, row, f"{self.path}:{number}")

    def _object(self, line: str, number: int) -> dict[str, Any]:
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            row = None
        if not isinstance(row, dict) or not encodable(json.dumps(row, ensure_ascii=False)):
            raise DataError(f"{self.path}:{number}: not a JSON object: {_ADVICE}")
        return row


_ADVICE = "remove the file to start anew, or choose another output"
