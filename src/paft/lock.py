"""One process at a time in an output folder; a lock dies with its holder, so that none is ever stale.

The lock is the system's (:mod:`filelock`), not the file: the file stays, holds nothing and means
nothing by itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from paft.errors import PaftError
from paft.files import disk_error

LOCK = ".lock"  # in every output folder
POLL = 0.1  # seconds between tries


@contextmanager
def locked(path: Path, what: str, *, wait: float = 0.0) -> Iterator[None]:
    """Hold a lock, a file that is made where it is missing, while the block runs.

    ``what`` says who holds it otherwise, for the error; another holder is waited for so many seconds.

    Raises:
        PaftError: If another process holds the lock, or the file cannot be written.
    """
    lock = FileLock(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=wait, poll_interval=POLL)
    except Timeout:
        raise PaftError(f"{what} ({path} is locked): wait for it, or stop it first") from None
    except OSError as error:
        raise disk_error(path, error) from error
    try:
        yield
    finally:
        lock.release()


@contextmanager
def sole_process(folder: Path) -> Iterator[None]:
    """Keep other PAFT processes out of an output folder, made where it is missing, while the block runs.

    Raises:
        PaftError: If another process works in the folder.
    """
    with locked(folder / LOCK, f"another PAFT process works in {folder}"):
        yield
