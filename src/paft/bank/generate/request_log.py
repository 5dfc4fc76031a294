"""The log of a generation: every reply that was paid for, on disk before anything is made of it.

A :class:`paft.log.Log` beside the bank (``<output>.log.jsonl``): its header says what it belongs to,
each line holds one reply and a digest of it. The bank is built from the log alone, so it does not
matter how often a run died. No key and no HTTP header is ever stored here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from paft.errors import DataError, ResumeError
from paft.files import as_object, fingerprint
from paft.log import Log
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
    counted: bool


def request_log_path(output: str | Path) -> Path:
    """Return where the log of a bank's requests lies.

    >>> request_log_path("banks/mail.jsonl").name
    'mail.jsonl.log.jsonl'
    """
    output = Path(output)
    require_file(output)
    return output.with_name(output.name + ".log.jsonl")


class RequestLog:
    """An open, locked log of requests; a context manager.

    Attributes:
        path: Where it lies.
        records: What it holds, in the order of arrival.
    """

    def __init__(self, path: Path, header: Mapping[str, str]) -> None:
        """Open the log, or begin one.

        No other process may have it open. ``header`` is a hash by name of everything the whole run depends
        on; one that changed is named.
        """
        self.path = path
        self._log = Log(path)
        with ExitStack() as stack:
            stack.enter_context(self._log.lock())
            self._log.begin({"log": FORMAT, **header})
            first, *lines = self._log.lines()
            self._check_header(first, header)
            self.records = [self._record(line, number) for number, line in enumerate(lines, 2)]
            self._held = stack.pop_all()

    def __enter__(self) -> RequestLog:
        return self

    def __exit__(self, *error: object) -> None:
        self._held.close()

    def append(self, record: Record) -> None:
        """Add a reply and wait until it is on the disk."""
        row = record.model_dump()
        self._log.append({**row, DIGEST: fingerprint(row)})
        self.records.append(record)

    def _check_header(self, line: bytes, header: Mapping[str, str]) -> None:
        found = self._object(line, 1)
        if found.get("log") != FORMAT:
            raise DataError(
                f"{self.path}:1: not a log of `paft bank generate` that this version reads: {_ADVICE}"
            )
        changed = [name for name, value in header.items() if found.get(name) != value]
        if changed:
            raise ResumeError(
                f"{self.path} was begun with other inputs: {' and '.join(changed)} changed since. Restore "
                "what was there, or choose another output; replies to other requests cannot be mixed in"
            )

    def _record(self, line: bytes, number: int) -> Record:
        row = self._object(line, number)
        if row.pop(DIGEST, None) != fingerprint(row):
            raise DataError(
                f"{self.path}:{number}: the reply was damaged or changed after it was recorded (its digest "
                "is another): remove the line, and its call is made again"
            )
        return parse(Record, row, f"{self.path}:{number}")

    def _object(self, line: bytes, number: int) -> dict[str, Any]:
        where = f"{self.path}:{number}"
        try:
            text = line.decode("utf-8")
            return as_object(json.loads(text), text, where)
        except UnicodeDecodeError as error:
            raise DataError(f"{where}: not UTF-8 (byte {error.start}): {_ADVICE}") from None
        except (DataError, ValueError, RecursionError):
            raise DataError(f"{where}: not a JSON object: {_ADVICE}") from None


_ADVICE = "remove the file to start anew, or choose another output"
