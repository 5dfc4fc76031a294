"""Parts: what a target is written to before it is renamed, and what killed writers left of them.

A part lies beside its target, as ``.<target>.<random>.part``, and is locked while its writer lives.
So whoever writes the same target next can tell what ``kill -9`` left from what somebody is writing,
and removes the one and not the other. Where the system or the disk has no such locks nothing is
removed.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SUFFIX = ".part"


@contextmanager
def part_of(target: Path, *, folder: bool = False) -> Iterator[Path]:
    """Yield an empty part of a target, a file or a folder; what is not renamed in the block is deleted.

    Raises:
        OSError: If it cannot be made.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    remove_left(target)
    part, handle = _make(target, folder)
    try:
        yield part
    finally:
        if handle is not None:
            os.close(handle)  # also gives the lock back
        _remove(part)


def remove_left(target: Path) -> None:
    """Delete the parts of a target whose writers are dead."""
    for part in parts(target):
        with contextlib.suppress(OSError):
            handle = _open(part)
            try:
                if handle is not None and _lock(handle, wait=False):
                    _remove(part)
            finally:
                if handle is not None:
                    os.close(handle)


def parts(target: Path) -> list[Path]:
    """Return the parts of a target that are there, living or not."""
    own = re.compile(rf"\.{re.escape(target.name)}\.[a-z0-9_]{{8}}{re.escape(SUFFIX)}")
    return [path for path in target.parent.iterdir() if own.fullmatch(path.name)]


def in_writing(target: Path) -> bool:
    """Whether another writer of a target is alive."""
    remove_left(target)
    return bool(parts(target))


def _make(target: Path, folder: bool) -> tuple[Path, int | None]:
    """Return a new part and the handle that holds its lock, None where there are no locks."""
    prefix = f".{target.name}."
    while True:
        if folder:
            part = Path(tempfile.mkdtemp(prefix=prefix, suffix=SUFFIX, dir=target.parent))
        else:
            made, name = tempfile.mkstemp(prefix=prefix, suffix=SUFFIX, dir=target.parent)
            os.close(made)
            part = Path(name)
        handle = _open(part)
        if handle is None or not _lock(handle, wait=True):
            return part, handle
        with contextlib.suppress(OSError):
            if part.stat().st_ino == os.fstat(handle).st_ino:
                return part, handle
        os.close(handle)  # somebody took it for a dead writer's before it was locked


def _open(part: Path) -> int | None:
    # Windows renames and deletes no open file, so it needs no lock there and can have none.
    return None if sys.platform == "win32" else os.open(part, os.O_RDONLY)


def _lock(handle: int, *, wait: bool) -> bool:
    """Lock a part; False where another holds it or the disk has no locks."""
    if sys.platform == "win32":
        return False
    import fcntl

    try:
        fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError:
        return False
    return True


def _remove(part: Path) -> None:
    if part.is_dir():
        shutil.rmtree(part, ignore_errors=True)
    else:
        part.unlink(missing_ok=True)
