"""A lock on a file that dies with the process that holds it, so that none is ever stale."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from paft.errors import PaftError
from paft.files import disk_error

POLL = 0.1  # seconds between tries


@contextmanager
def locked(path: Path, what: str, *, wait: float = 0.0) -> Iterator[None]:
    """Hold a lock while the block runs; the file stays and means nothing by itself.

    Args:
        path: The file, made where it is missing.
        what: Who holds it otherwise, for the error.
        wait: Seconds to wait for another holder.

    Raises:
        PaftError: If another process holds the lock, or the file cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("a+b")
    except OSError as error:
        raise disk_error(path, error) from error
    with file:
        deadline = time.monotonic() + wait
        while not _taken(file):
            if time.monotonic() >= deadline:
                raise PaftError(f"{what} ({path} is locked): wait for it, or stop it first")
            time.sleep(POLL)
        yield  # closing the file lets go of the lock


def _taken(file: IO[bytes]) -> bool:
    """Try to take the lock; the system drops it when the file is closed or the process dies."""
    try:
        if sys.platform == "win32":
            import msvcrt

            file.seek(0)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):  # as Linux and Windows say that it is held
        return False
    return True
