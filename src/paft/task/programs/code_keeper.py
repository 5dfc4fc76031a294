"""Starts a program apart from the network and ends it with all that it started; run as a script.

``python code_keeper.py COMMAND...`` is the parent of the program's process, and on Linux of every
process that one leaves behind (a *subreaper*: daemons come to it, not to the system). It ends when
the command does, or on SIGTERM, and before it goes it kills whatever is left. What it needs native
code for is done here, so that the program's own process never loads any.

This file uses the standard library alone: it runs without site-packages (``python -I -S``).
"""

import os
import signal
import sys
from contextlib import suppress

NEW_NETWORK, NEW_USER = 0x40000000, 0x10000000  # linux/sched.h
SET_CHILD_SUBREAPER = 36  # linux/prctl.h


def leave() -> None:
    """Enter a network namespace of our own where that is allowed, and become the parent of orphans."""
    if sys.platform != "linux":
        return
    import ctypes

    libc = ctypes.CDLL(None)
    if libc.unshare(NEW_NETWORK) != 0:
        libc.unshare(NEW_NETWORK | NEW_USER)
    libc.prctl(SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def children() -> list[int]:
    """Return the processes whose parent this one is, by ``/proc``; none where there is no such folder."""
    found = []
    with suppress(FileNotFoundError):
        for name in filter(str.isdigit, os.listdir("/proc")):
            with suppress(OSError), open(f"/proc/{name}/stat", "rb") as file:
                if int(file.read().rpartition(b")")[2].split()[1]) == os.getpid():
                    found.append(int(name))
    return found


def keep(command: list[str]) -> None:
    """Run a command to its end, or to ours, and kill what is left of it."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    child = None
    try:
        child = os.posix_spawn(command[0], command, {}, setpgroup=0, setsigdef=[signal.SIGTERM])
        os.closerange(0, 256)  # whoever reads from the command waits until nobody else can write
        os.waitpid(child, 0)
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        if child is not None:
            with suppress(OSError):
                os.killpg(child, signal.SIGKILL)
        while left := children():
            for process in left:
                os.kill(process, signal.SIGKILL)
                os.waitpid(process, 0)


if __name__ == "__main__":
    leave()
    keep(sys.argv[1:])
