"""A log: an append-only file of finished work, JSON Lines with a header in the first line.

Each line is on the disk before the work goes on, so ``kill -9`` loses none that was recorded; the
line that it tears is cut off when the log is opened again. The header says which work the log belongs
to. What a line holds, and how it is checked, is its owner's: :mod:`paft.evaluate.log` and
:mod:`paft.bank.generate.request_log`.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from paft.files import disk_error
from paft.lock import locked


class Log:
    """One log file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def begin(self, header: Mapping[str, Any]) -> None:
        """Cut off a torn last line; write the header if nothing is left."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("ab+") as file:
                file.seek(0)
                whole = file.read().rfind(b"\n") + 1
                file.truncate(whole)
        except OSError as error:
            raise disk_error(self.path, error) from error
        if not whole:
            self.append(header)

    def lines(self) -> list[bytes]:
        """Return all whole lines, the header first."""
        # Only "\n" ends a line: splitlines would also break inside texts.
        return self.path.read_bytes().split(b"\n")[:-1]

    def append(self, row: Any) -> None:
        """Add a line and wait until it is on the disk; of one that cannot be written no part stays."""
        rest = memoryview((json.dumps(row, ensure_ascii=False) + "\n").encode("utf-8"))
        try:
            with self.path.open("ab", buffering=0) as file:
                before = os.fstat(file.fileno()).st_size
                try:
                    while rest:
                        rest = rest[os.write(file.fileno(), rest) :]
                    os.fsync(file.fileno())
                except OSError:
                    with contextlib.suppress(OSError):
                        file.truncate(before)
                    raise
        except OSError as error:
            raise disk_error(self.path, error) from error

    def lock(self) -> AbstractContextManager[None]:
        """Keep other processes out while a block runs."""
        lock = self.path.with_name(f".{self.path.name}.lock")
        return locked(lock, f"another PAFT process works on {self.path}")
