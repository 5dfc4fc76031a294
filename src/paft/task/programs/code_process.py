"""The two processes that tell whether a program passes its tests; run as a script, never imported by PAFT.

The *candidate* holds the program a model wrote. The *judge* holds the tests; where they call the
function, the judge sends the arguments to the candidate and gets back plain data. So nothing the
program does inside its own process (leaving early, replacing built-ins, returning objects that
equal everything) reaches the tests, and only the judge knows the word that says "passed".

Both give up, before they run anything, all they can: time, memory, file size and new processes
(``resource``), and by an audit hook sockets, processes, signals, native code and files outside
their empty folder and the standard library. That stops accidents and plain mischief. It is no
sandbox for an adversary who knows CPython; bubblewrap is (:mod:`paft.task.programs.code_answer`).

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
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
REFUSED = (
    "cpython.", "ctypes.", "fcntl.", "gc.", "mmap.", "os.chdir", "os.chflags", "os.chmod",
    "os.chown", "os.exec", "os.fork", "os.kill", "os.link", "os.mkdir", "os.posix_spawn", "os.remove",
    "os.rename", "os.rmdir", "os.setxattr", "os.spawn", "os.symlink", "os.system", "os.truncate", "os.utime",
    "pty.", "resource.", "setopencodehook", "shutil.", "signal.", "socket.", "sqlite3.", "subprocess.",
    "syslog.",
)  # fmt: skip
NATIVE = frozenset({
    "_ctypes", "_dbm", "_gdbm", "_interpreters", "_multiprocessing", "_posixshmem", "_posixsubprocess",
    "_imp", "_testcapi", "_testinternalcapi", "_tkinter", "_xxsubinterpreters", "ctypes", "posix", "readline",
})  # fmt: skip
UNTOLD = ("chroot", "memfd_create", "mkfifo", "mknod", "pidfd_open", "setns", "unshare")  # to no hook
MUTABLE = (list, dict, set, bytearray)


class Wire:
    """How the arguments and the result of one call are written: plain data as JSON.

    A list, dict, set or bytearray has a number that both sides know it by. So one that is named twice
    stays one, and what a function does to its arguments happens to those of the caller.
    """

    def __init__(self) -> None:
        self.objects: dict[int, Any] = {}
        self._numbers: dict[int, int] = {}  # by identity
        self._sent: set[int] = set()

    def pack(self, value: Any) -> Any:
        """Return JSON for plain data; subclasses become what they are a kind of.

        Raises:
            TypeError: If the value is not made of plain types.
        """
        self._sent = set()
        return self._pack(value)

    def unpack(self, value: Any) -> Any:
        """Return what :meth:`pack` was given, of built-in types; known objects are brought up to date."""
        if not isinstance(value, dict):
            return value
        ((kind, inner),) = value.items()
        if kind == "int":
            return int(inner, 16)
        if kind == "float":
            return float(inner)
        if kind == "complex":
            return complex(*map(self.unpack, inner))
        if kind == "bytes":
            return bytes.fromhex(inner)
        if kind == "same":
            return self.objects[inner]
        if kind in ("tuple", "frozenset"):
            return (tuple if kind == "tuple" else frozenset)(map(self.unpack, inner))
        return self._update({k.__name__: k for k in MUTABLE}[kind], *inner)

    def _pack(self, value: Any) -> Any:
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, str):
            return str(value)
        if isinstance(value, int):
            return {"int": hex(value)}  # decimal digits beyond some thousands are refused
        if isinstance(value, float):
            return {"float": float.__repr__(value)}
        if isinstance(value, complex):
            return {"complex": [self._pack(value.real), self._pack(value.imag)]}
        if isinstance(value, bytes):
            return {"bytes": value.hex()}
        for kind in (tuple, frozenset):
            if isinstance(value, kind):
                return {kind.__name__: [self._pack(item) for item in value]}
        for mutable in MUTABLE:
            if isinstance(value, mutable):
                return self._pack_mutable(mutable.__name__, value)
        raise TypeError(f"a {type(value).__name__} is no plain data")

    def _pack_mutable(self, kind: str, value: Any) -> Any:
        number = self._numbers.get(id(value), len(self.objects))
        if number in self._sent:
            return {"same": number}
        self._know(number, value)
        self._sent.add(number)
        if kind == "bytearray":
            return {kind: [number, value.hex()]}
        if kind == "dict":
            return {kind: [number, [[self._pack(k), self._pack(v)] for k, v in value.items()]]}
        return {kind: [number, [self._pack(item) for item in value]]}

    def _update(self, kind: type, number: int, inner: Any) -> Any:
        """Make the object of a number what it is told to be; one that is equal already is let alone."""
        known = self.objects.get(number)
        if known is None:
            known = kind()
            self._know(number, known)
        if kind is bytearray:
            known[:] = bytes.fromhex(inner)
        elif kind is dict:
            pairs = [(self.unpack(k), self.unpack(v)) for k, v in inner]
            if list(dict.items(known)) != pairs:
                dict.clear(known)
                dict.update(known, pairs)
        else:
            items = [self.unpack(item) for item in inner]
            if kind is list and known != items:
                list.__setitem__(known, slice(None), items)
            elif kind is set:
                set.intersection_update(known, items)
                set.update(known, items)
        return known

    def _know(self, number: int, value: Any) -> None:
        self.objects[number] = value
        self._numbers[id(value)] = number


def give_up(seconds: int, wall: int, memory: int) -> None:
    """Limit seconds of CPU and of wall clock, bytes of memory and of files, and processes."""
    signal.alarm(wall + 1)  # should whoever started this be gone
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
    """Refuse, from now on, what a function has no need of.

    What the hook needs are defaults of its own, taken now: it looks up no name and calls nothing that
    is written in Python, so replacing a module's or a built-in's attributes changes nothing. Only the
    interpreter holds the hook, and looking for it (``gc``) is refused by it.
    """
    import _imp
    import _posixsubprocess
    import posix

    _imp.create_builtin = _refusing(_imp.create_builtin)  # another way to import, which tells no hook
    _posixsubprocess.fork_exec = None  # type: ignore[assignment]  # reports to no hook
    for name in UNTOLD:
        for module in (os, posix):
            if hasattr(module, name):
                setattr(module, name, None)
    folders = (os.path.dirname(os.__file__), sys.base_prefix + "/lib")
    libraries = tuple(f"{p}/" for folder in folders for p in (folder, os.path.realpath(folder)))
    sys.addaudithook(_hook(os.getcwd() + "/", libraries))


def _refusing(make: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Return a function that imports built-in modules, those apart that lead out of Python."""

    def create(
        spec: Any, *, make: Callable[[Any], Any] = make, native: frozenset[str] = NATIVE,
        kind: type = type, text: type = str, missing: type[Exception] = ImportError,
    ) -> Any:  # fmt: skip
        if kind(spec.name) is not text or spec.name in native:
            raise missing(f"{spec.name} is refused here")
        return make(spec)

    return create


def _hook(within: str, libraries: tuple[str, ...]) -> Callable[[str, tuple[Any, ...]], None]:
    def hook(
        event: str, arguments: tuple[Any, ...], *,
        own: str = within, library: tuple[str, ...] = libraries, refused: tuple[str, ...] = REFUSED,
        native: frozenset[str] = NATIVE, writing: int = WRITING, stat: Callable[[str], Any] = os.stat,
        kind: type = type, text: type = str, raw: type = bytes, number: type = int,
        no: type[Exception] = PermissionError, missing: type[Exception] = ImportError,
    ) -> None:  # fmt: skip
        if event.startswith(refused):
            raise no(f"{event} is refused here")
        if event == "import":
            name, file = arguments[:2]
            if kind(name) is not text or name.rpartition(".")[2] in native:
                raise missing(f"{name} is refused here")
            if file is not None and (kind(file) is not text or not file.startswith(library)):
                raise missing(f"native code of {file} is refused here")
        if event == "open" and kind(arguments[0]) is not number:
            path, mode, flags = arguments
            if kind(path) is raw:
                path = path.decode("utf-8", "surrogateescape")
            if kind(path) is not text or path.startswith("..") or "/.." in path:
                raise no("a path that leads elsewhere is refused here")
            if path.startswith("/") and not path.startswith(own):
                # Some give a mode and no flags. A folder could be opened to write by a path from there.
                writes = flags & writing or not (mode is None or mode in ("r", "rb"))
                if writes or not path.startswith(library) or stat(path)[0] & 0o170000 == 0o040000:
                    raise no(f"{path} is out of reach")

    return hook


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


def candidate(seconds: int, wall: int, memory: int) -> None:
    """Load the program that the first line holds, then answer a call a line."""
    calls, replies = channel(0, "r"), channel(1, "w")
    program = json.loads(calls.readline())
    give_up(seconds, wall, memory)
    guard()
    space: dict[str, Any] = {"__name__": "program"}
    begin(program["begins"], space)
    exec(compile(program["source"], "program", "exec"), space)
    function = space[program["entry"]]
    for line in calls:
        replies.write(json.dumps(answer(function, json.loads(line))) + "\n")
        replies.flush()


def answer(function: Callable[..., Any], call: Any) -> dict[str, Any]:
    """Return what one call of the program's function ends with, and its arguments if it changed them.

    An error goes by the name of the nearest built-in kind. A result that is no plain data is none, and
    neither is leaving (``SystemExit``).
    """
    wire = Wire()
    arguments, named = wire.unpack(call)
    try:
        value = function(*arguments, **named)
    except Exception as error:
        kind = next(kind for kind in type(error).__mro__ if kind.__module__ == "builtins")
        words = [word for word in error.args[:1] if type(word) is str]
        reply: dict[str, Any] = {"error": kind.__name__, "value": words}
    except BaseException:
        return {}
    else:
        try:
            reply = {"value": wire.pack(value)}
        except (TypeError, RecursionError):
            return {}
    try:
        after = wire.pack((arguments, named))
    except (TypeError, RecursionError):  # it keeps something else in them
        return reply
    return reply if after == call else {"after": after, **reply}


def judge(seconds: int, wall: int, memory: int, calls_to: int, replies_from: int) -> None:
    """Run the tests on the function behind the two pipes; print the word if all is well."""
    told, verdict = channel(0, "r"), channel(1, "w")
    calls = os.fdopen(calls_to, "w", encoding="utf-8")
    replies = os.fdopen(replies_from, "r", encoding="utf-8", errors="replace")
    given = json.loads(told.read())
    program, entry = given["program"], given["program"]["entry"]
    give_up(seconds, wall, memory)
    guard()
    called = 0

    def ask(message: Any) -> Any:
        calls.write(json.dumps(message) + "\n")
        calls.flush()
        return json.loads(replies.readline(LINE))

    def function(*arguments: Any, **named: Any) -> Any:
        nonlocal called
        called += 1
        wire = Wire()
        call = wire.pack((arguments, named))
        try:  # tests that expect an error are not to take the program's end for one
            reply = ask(call)
            if "after" in reply:
                wire.unpack(reply["after"])
            value = reply["value"] if "error" in reply else wire.unpack(reply["value"])
        except BaseException:
            os._exit(1)
        if "error" in reply:
            raise error_of(reply["error"], value)
        return value

    space: dict[str, Any] = {"__name__": "tests"}
    begin(program["begins"], space)
    calls.write(json.dumps(program) + "\n")
    space[entry] = function
    exec(compile(given["tests"], "tests", "exec"), space)
    if "check" in space:
        space["check"](function)
    if called:
        verdict.write(given["word"])
        verdict.flush()


def error_of(name: str, arguments: list[str]) -> Exception:
    """Return the error that a call ended with.

    ``StopIteration`` would end a ``map`` or ``for`` of the tests as if all were well, so it comes as
    ``RuntimeError``, as out of a generator.
    """
    kind = getattr(builtins, name, None)
    if not isinstance(kind, type) or issubclass(kind, (StopIteration, StopAsyncIteration)):
        return RuntimeError(name)
    if issubclass(kind, UnicodeError):  # which takes five arguments
        return UnicodeError(*arguments)
    return kind(*arguments) if issubclass(kind, Exception) else RuntimeError(name)


if __name__ == "__main__":
    role, *numbers = sys.argv[1:]
    sys.dont_write_bytecode = True
    try:
        (judge if role == "judge" else candidate)(*map(int, numbers))
    finally:
        os._exit(0)  # while it finalises itself, the interpreter asks no hook
