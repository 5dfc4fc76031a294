"""The guard holds against programs that know of it; what crosses between the two processes is plain data."""

import json
import time

import pytest

from paft.task.programs.code_answer import passes
from paft.task.programs.code_process import Wire, error_of
from paft.task.replies.code_reply import CodeTests

# Each does what it can against the guard and leaves in `tools` what it found of use. What follows them
# tries to write outside of the folder, in its own process, in a shell, and in a daemon.
ATTACKS = {
    "names": """
        import __main__
        __main__.REFUSED = __main__.NATIVE = (); __main__.WRITING = 0
        os.fsdecode = lambda path: '.'
        os.path.realpath = os.path.abspath = lambda path, **more: os.getcwd()
        os.sep = ''
    """,
    "built-ins": """
        import builtins
        builtins.isinstance = lambda *_: False; builtins.any = lambda *_: True
        builtins.PermissionError = builtins.ImportError = builtins.str = builtins.type = lambda *_: None
    """,
    "modules": """
        import importlib
        for name in ('posix', '_posixsubprocess', 'os', 'subprocess', 'signal', '_signal', '__main__'):
            sys.modules.pop(name, None)
            try: tools.append(importlib.import_module(name))
            except ImportError: pass
    """,
    "reload": """
        import importlib, subprocess
        for module in (os, subprocess, sys.modules['posix']):
            try: importlib.reload(module)
            except ImportError: pass
    """,
    "garbage collector": """
        import gc
        for found in gc.get_objects():
            if getattr(found, '__name__', '') in ('hook', 'guard'):
                found.__code__ = (lambda *_, **__: None).__code__
                found.__kwdefaults__ = None
    """,
    "frames": """
        frame = sys._getframe()
        while frame:
            for names in (frame.f_locals, frame.f_globals):
                for name in ('refused', 'REFUSED', 'own', 'within', 'library', 'libraries', 'writing'):
                    names[name] = ('',)
                names.update(hook=None, guard=None, leave=None)
            frame = frame.f_back
    """,
    "traceback": """
        try: os.system('true')
        except PermissionError as error:
            trace = error.__traceback__
            while trace:
                trace.tb_frame.f_locals.update(refused=(), own='/', event='')
                trace.tb_frame.f_globals.clear()
                trace = trace.tb_next
    """,
    "hooks": "sys.addaudithook(lambda *_: None); sys.settrace(lambda *_: None)",
    "subclasses": """
        for kind in object.__subclasses__():
            space = getattr(getattr(kind, '__init__', None), '__globals__', {})
            tools += [value for value in space.values() if hasattr(value, 'system')]
            if kind.__name__ == '_CData': kind.__subclasses__()[0].from_address(0)
    """,
    "text": """
        class Text(str):
            startswith = lambda *_: False
            __contains__ = lambda *_: False
            __str__ = lambda self: 'own'
        class Path:
            __class__ = int
            def __fspath__(self): return str.__str__(self.text)
        path, other = Text(path), Path()
        other.text = path
        paths += [path, other, os.fsencode(path), os.getcwd() + '/..' * 9 + path, '..' + '/..' * 9 + path]
    """,
    "folders": """
        for change in (os.chdir, os.fchdir):
            try: change('/' if change is os.chdir else os.open('/', os.O_RDONLY))
            except OSError: pass
        paths += [path.lstrip('/')]
        fds.append(os.open('/', os.O_RDONLY))
    """,
    "interpreters": """
        import _xxsubinterpreters as i
        i.run_string(i.create(), f'import os; os.system("touch {path}")')
    """,
    "tcl": "import _tkinter; _tkinter.create().eval(f'exec touch {path}')",
    "finalisation": """
        class Late:
            def __call__(self, *_): pass
            def __del__(self, system=os.system, command=f'touch {path}'): system(command)
        sys.addaudithook(Late())
        threading = __import__('threading'); threading.Timer(0.05, sys.exit).start()
    """,
}
TRIES = """
import os, sys
path = {path!r}
paths, tools, fds = [path], [os], [None]
try:
{attack}
except BaseException: pass
import io
for way in paths:
    for number in fds:
        for write in (
            lambda: open(way, 'w'), lambda: io.FileIO(way, 'w'),
            lambda: os.open(way, os.O_CREAT | os.O_WRONLY, dir_fd=number),
        ):
            try: write()
            except BaseException: pass
def daemon():
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            import time
            time.sleep(0.3)
            open(path + '.daemon', 'w')
        os._exit(0)
for tool in tools:
    for call in (
        lambda: tool.system('touch ' + path), lambda: tool.posix_spawn('/bin/touch', ['touch', path], {{}}),
        lambda: tool.Popen(['touch', path]), daemon,
        lambda: tool.fork_exec(
            [b'touch', path.encode()], [b'/bin/touch'], True, (), None, None, -1, -1, -1, -1, -1, -1,
            *os.pipe(), True, False, -1, None, None, None, -1, None, False),
    ):
        try: call()
        except BaseException: pass
def f(x): return x
"""
UNARMED = CodeTests("", "f", "assert f(1) == 1")


def attack(name, path):
    lines = ATTACKS[name] if name else "pass"
    indent = min(len(line) - len(line.lstrip()) for line in lines.splitlines() if line.strip())
    body = "\n".join("    " + line[indent:] for line in lines.splitlines())
    return TRIES.format(path=str(path), attack=body)


def test_no_program_writes_outside_of_its_folder_or_leaves_a_daemon(isolation, tmp_path):
    for name in ("", *ATTACKS):
        passes(attack(name, tmp_path / (name or "plain")), UNARMED, wall=10)
    time.sleep(0.5)
    assert sorted(path.name for path in tmp_path.iterdir()) == []


LIBRARY = """
asyncio bisect calendar cmath collections copy csv dataclasses datetime decimal difflib doctest enum fractions
functools hashlib heapq itertools json logging math multiprocessing numbers operator os.path pathlib pickle
platform queue random re statistics string struct subprocess tempfile textwrap threading time typing
unicodedata unittest uuid xml.etree.ElementTree zoneinfo
"""


def test_the_standard_library_is_there(isolation):
    body = f"    import {', '.join(LIBRARY.split())}\n    return random.Random(x).random() and x"
    assert passes(body, CodeTests("def f(x):\n", "f", "assert f(1) == 1")) is True


VALUES = [
    {"a": [1, -2.5, float("inf"), None, True, (2**70, "\u2028{}")], 3: {4, 5}, "b": b"\x00", "c": 1 + 2j},
    [frozenset({(1, 2)}), bytearray(b"\xff"), {"same": [1]}, {"list": {}}, {"int": "0x1"}],
    "\ud800", "", [], {}, set(), -0.0,
]  # fmt: skip


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_plain_data_comes_out_as_it_went_in(value):
    sent = json.loads(json.dumps(Wire().pack(value)))
    assert repr(Wire().unpack(sent)) == repr(value)


def test_of_other_objects_nothing_crosses():
    assert type(Wire().unpack(Wire().pack(type("Odd", (int,), {})(3)))) is int
    with pytest.raises(TypeError, match="no plain data"):
        Wire().pack([object()])


def test_what_is_one_object_stays_one():
    row, here, there = [1], Wire(), Wire()
    sent = here.pack((row, [row, row], {"row": row}))
    first, rows, named = there.unpack(sent)
    assert rows[0] is rows[1] is named["row"] is first
    first.append(2)
    rows.append(rows)
    here.unpack(there.pack((first, rows, named)))
    assert row == [1, 2]


def test_errors_that_tests_would_not_see_become_ones_they_see():
    assert type(error_of("StopIteration", [])) is type(error_of("StopAsyncIteration", [])) is RuntimeError
    assert type(error_of("SystemExit", [])) is type(error_of("print", [])) is RuntimeError
    assert repr(error_of("KeyError", ["k"])) == "KeyError('k')"
    assert isinstance(error_of("UnicodeDecodeError", []), ValueError)
