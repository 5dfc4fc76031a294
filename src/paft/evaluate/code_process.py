"""The two processes that tell whether a program passes its tests; run as a script, never imported by PAFT.

The *candidate* holds the program a model wrote. The *judge* holds the tests; where they call the
function, the judge sends the arguments to the candidate and gets back plain data. So nothing the
program does inside its own process (leaving early, replacing built-ins, returning objects that
equal everything) reaches the tests, and only the judge knows the word that says "passed".

Both give up, before they run anything, all they can: network (a network namespace of their own,
where the system allows it), time, memory, file size and new processes (``resource``), and by an
audit hook sockets, processes, signals, native code and files outside their empty folder and the
standard library. That stops accidents and plain mischief. It is no sandbox for an adversary who
knows CPython; run untrusted models in a container.

This file uses the standard library alone: it runs without site-packages (``python -I -S``).
"""

import builtins
import json
import os
import resource
import signal
import sys
from collections.abc import Callable
from typing import IO, Any

LINE = 1 << 24  # characters of one message at most
FILE_SIZE = 1 << 20  # bytes of a written file at most
FILES = 32  # open at the same time
NEW_NETWORK, NEW_USER = 0x40000000, 0x10000000  # linux/sched.h
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
REFUSED = (
    "ctypes.", "fcntl.", "mmap.", "os.chflags", "os.chmod", "os.chown", "os.exec", "os.fork", "os.kill",
    "os.link", "os.mkdir", "os.mkfifo", "os.mknod", "os.posix_spawn", "os.remove", "os.rename", "os.rmdir",
    "os.setxattr", "os.spawn", "os.symlink", "os.system", "os.truncate", "os.utime", "pty.", "resource.",
    "setopencodehook", "shutil.", "signal.", "socket.", "sqlite3.", "subprocess.", "syslog.",
)  # fmt: skip


def pack(value: Any) -> Any:
    """Return JSON for plain data; subclasses become what they are a kind of.

    Raises:
        TypeError: If the value is not made of plain types.
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return str(value)
    if isinstance(value, int):
        return {"int": hex(value)}  # decimal digits beyond some thousands are refused
    if isinstance(value, float):
        return {"float": float.__repr__(value)}
    if isinstance(value, complex):
        return {"complex": [pack(value.real), pack(value.imag)]}
    if isinstance(value, (bytes, bytearray)):
        return {"bytes": bytes(value).hex()}
    if isinstance(value, dict):
        return {"dict": [[pack(k), pack(v)] for k, v in value.items()]}
    for kind in (list, tuple, set, frozenset):
        if isinstance(value, kind):
            return {kind.__name__: [pack(item) for item in value]}
    raise TypeError(f"a {type(value).__name__} is no plain data")


def unpack(value: Any) -> Any:
    """Return what :func:`pack` was given, of built-in types alone."""
    if not isinstance(value, dict):
        return value
    ((kind, inner),) = value.items()
    if kind == "int":
        return int(inner, 16)
    if kind == "float":
        return float(inner)
    if kind == "complex":
        return complex(unpack(inner[0]), unpack(inner[1]))
    if kind == "bytes":
        return bytes.fromhex(inner)
    if kind == "dict":
        return {unpack(k): unpack(v) for k, v in inner}
    makers: dict[str, Callable[[Any], Any]] = {
        "list": list, "tuple": tuple, "set": set, "frozenset": frozenset
    }  # fmt: skip
    return makers[kind](unpack(item) for item in inner)


def give_up(seconds: int, memory: int) -> None:
    """Leave the network and limit CPU seconds, bytes of memory and of files, and processes."""
    signal.alarm(seconds + 1)  # should whoever started this be gone
    if sys.platform == "linux":
        import ctypes

        libc = ctypes.CDLL(None)
        if libc.unshare(NEW_NETWORK) != 0:
            libc.unshare(NEW_NETWORK | NEW_USER)
    limits = {
        resource.RLIMIT_CPU: seconds, resource.RLIMIT_AS: memory, resource.RLIMIT_FSIZE: FILE_SIZE,
        resource.RLIMIT_NOFILE: FILES, resource.RLIMIT_NPROC: 0, resource.RLIMIT_CORE: 0,
    }  # fmt: skip
    for what, limit in limits.items():
        try:
            resource.setrlimit(what, (limit, limit))
        except (ValueError, OSError):  # macOS knows no limit of address space
            continue


def guard() -> None:
    """Refuse, from now on, what a function has no need of."""
    separator, resolve = os.sep, os.path.realpath
    own, library, beside = map(resolve, (".", os.__file__ + "/..", sys.base_prefix + "/lib"))

    def inside(path: str, *folders: str) -> bool:
        return any(path == folder or path.startswith(folder + separator) for folder in folders)

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event.startswith(REFUSED):
            raise PermissionError(f"{event} is refused here")
        if event == "open" and isinstance(arguments[0], (str, bytes)):
            path, flags = resolve(os.fsdecode(arguments[0])), arguments[2]
            writes = isinstance(flags, int) and flags & WRITING
            if not inside(path, own) and (writes or not inside(path, library, beside)):
                raise PermissionError(f"{path} is out of reach")

    import _posixsubprocess

    _posixsubprocess.fork_exec = None  # type: ignore[assignment]  # reports to no hook
    sys.addaudithook(hook)


def begin(source: str, space: dict[str, Any]) -> None:
    """Run the beginning of a program on its own, for its imports and helpers.

    The unfinished function at its end is a stub: its docstring is its body, or ``pass`` is.
    """
    for text in (source, source + "\n    pass\n"):
        try:
            code = compile(text, "beginning", "exec")
        except SyntaxError:
            continue
        exec(code, space)
        return


def channel(number: int, mode: str) -> IO[str]:
    """Return a text stream on a copy of a file descriptor and point the descriptor nowhere."""
    stream: IO[str] = os.fdopen(os.dup(number), mode, encoding="utf-8")
    nowhere = os.open(os.devnull, os.O_RDWR)
    os.dup2(nowhere, number)
    os.close(nowhere)
    return stream


def candidate(seconds: int, memory: int) -> None:
    """Load the program that the first line holds, then answer a call a line."""
    calls, replies = channel(0, "r"), channel(1, "w")
    program = json.loads(calls.readline())
    give_up(seconds, memory)
    guard()
    space: dict[str, Any] = {"__name__": "program"}
    begin(program["begins"], space)
    exec(compile(program["source"], "program", "exec"), space)
    function = space[program["entry"]]
    for line in calls:
        try:
            arguments, named = unpack(json.loads(line))
            reply = {"value": pack(function(*arguments, **named))}
        except BaseException as error:
            reply = {"error": type(error).__name__}
        replies.write(json.dumps(reply) + "\n")
        replies.flush()


def judge(seconds: int, memory: int, calls_to: int, replies_from: int) -> None:
    """Run the tests on the function behind the two pipes; print the word if all is well."""
    told, verdict = channel(0, "r"), channel(1, "w")
    calls = os.fdopen(calls_to, "w", encoding="utf-8")
    replies = os.fdopen(replies_from, "r", encoding="utf-8", errors="replace")
    given = json.loads(told.read())
    program, entry = given["program"], given["program"]["entry"]
    give_up(seconds, memory)
    guard()
    called = 0

    def send(message: Any) -> None:
        calls.write(json.dumps(message) + "\n")
        calls.flush()

    def function(*arguments: Any, **named: Any) -> Any:
        nonlocal called
        called += 1
        send(pack([arguments, named]))
        line = replies.readline(LINE)
        if not line.endswith("\n"):
            raise RuntimeError("the program left or wrote too much")
        reply = json.loads(line)
        if "error" in reply:
            kind = getattr(builtins, str(reply["error"]), None)
            if isinstance(kind, type) and issubclass(kind, Exception):
                raise kind()
            raise RuntimeError(reply["error"])
        return unpack(reply["value"])

    space: dict[str, Any] = {"__name__": "tests"}
    begin(program["begins"], space)
    send(program)
    space[entry] = function
    exec(compile(given["tests"], "tests", "exec"), space)
    if "check" in space:
        space["check"](function)
    if called:
        verdict.write(given["word"])
        verdict.flush()


if __name__ == "__main__":
    role, *numbers = sys.argv[1:]
    sys.dont_write_bytecode = True
    if role == "judge":
        judge(*map(int, numbers))
    else:
        candidate(*map(int, numbers))
