"""Programs are run apart, within limits, and pass only if their tests say so."""

import os
import textwrap
import time
from pathlib import Path

import pytest

from paft.errors import ConfigError
from paft.evaluate.cells import evaluate_matrix
from paft.evaluate.rows import describe_scoring, scoring_line
from paft.evaluate.scoring.generation import Generated
from paft.prompt import Prompt
from paft.schema import parse
from paft.task.programs import code_answer
from paft.task.programs.code_answer import check_opt_in, code_score, passes
from paft.task.replies.code_reply import CodeTests
from paft.task.task import Task

ADD = 'from typing import List\n\ndef add(a: int, b: int) -> int:\n    """Add two numbers."""\n'
TESTS = "def check(candidate):\n    assert candidate(1, 2) == 3\n    assert candidate(a=0, b=-1) == -1\n"
ADDING = CodeTests(ADD, "add", TESTS)
RIGHT = "    return a + b"


def add(body, tests=TESTS, **limits):
    """Whether ``add`` with these lines of body passes."""
    return passes(textwrap.indent(textwrap.dedent(body), "    "), CodeTests(ADD, "add", tests), **limits)


@pytest.mark.parametrize(
    ("answer", "right"),
    [
        ("    return a + b\n", True),
        ("     return a + b", True),  # with the space that parts prompt and answer
        ("return a + b", True),
        ("    total: List[int] = [a, b]\n    return sum(total)\n\nprint(add(1, 2))\nassert False", True),
        ("def add(a, b):\n    values: List[int] = [a, b]\n    return sum(values)\n", True),
        ("    return a - b", False),
        ("    return a +", False),
        ("    pass", False),
    ],
)
def test_an_answer_passes_if_its_program_does_what_the_tests_ask(answer, right, isolation):
    assert passes(answer, ADDING) is right


def test_no_answer_scores_nothing():
    assert code_score(None, ADDING) == 0.0


@pytest.mark.parametrize(
    "body",
    [
        "import os; os._exit(0)",
        "raise SystemExit(0)",
        "exit(0)",
        # What a test that runs beside the program would fall for:
        "class Same:\n    def __eq__(self, other): return True\nreturn Same()",
        "import builtins; builtins.AssertionError = ZeroDivisionError; return 7",
        "import sys; sys.modules['__main__'].__dict__.clear(); return 3",
        "import sys; f = sys._getframe(1); print(f.f_locals); sys.stdout.flush(); return 0",
        "import os\nfor n in range(9):\n    try: os.write(n, b'passed')\n    except OSError: pass\nreturn 0",
    ],
)
def test_a_program_that_leaves_early_or_cheats_does_not_pass(body, isolation):
    assert add(body) is False


def test_errors_of_the_program_are_seen_by_the_tests():
    tests = "def check(f):\n    try: f(1, 0)\n    except ZeroDivisionError: assert f(4, 2) == 2\n"
    assert add("return a // b", tests) is True
    assert add("return a // b + 1", tests) is False


@pytest.mark.parametrize(
    "body",
    ["raise StopIteration", "return next(iter(()))", "raise StopIteration(3)", "raise StopAsyncIteration"],
)
@pytest.mark.parametrize(
    "tests",
    [
        "assert list(map(add, [1, 2], [3, 4])) in ([4, 6], [])",
        "for total in map(add, [1], [2]):\n    assert total == 3",
        "assert all(map(add, [1, 2], [3, 4]))",
        "async def sums():\n    return [add(1, 2)]\ntry: sums().send(None)\nexcept StopIteration: pass",
    ],
)
def test_an_error_that_ends_an_iteration_of_the_tests_is_an_error(body, tests):
    assert add(body, tests) is False
    assert add("return a + b", tests) is True


def test_tests_that_expect_an_error_see_its_kind_and_words():
    tests = "try: add(1, 2)\nexcept ValueError as error: assert str(error) == 'negative'\nelse: assert False"
    assert add("class Negative(ValueError): pass\nraise Negative('negative')", tests) is True
    assert add("raise ValueError('something')", tests) is False
    assert add("raise TypeError('negative')", tests) is False


@pytest.mark.parametrize(
    "body", ["import os; os._exit(0)", "raise SystemExit", "return object()", "return (x for x in 'ab')"]
)
def test_tests_that_expect_an_error_do_not_take_an_end_for_one(body):
    tests = "try: add(1, 2)\nexcept Exception: pass\nelse: assert False"
    assert add(body, tests) is False
    assert add("raise ValueError", tests) is True


CHANGES = {
    "a.append(4)": "x = [1]; add(x, 0); assert x == [1, 4]",
    "a.sort(); return None": "x = [3, 1, 2]; assert add(x, 0) is None and x == [1, 2, 3]",
    "a[0][0] = 9": "x = [[1, 2], [3]]; row = x[0]; add(x, 0); assert x == [[9, 2], [3]] and row == [9, 2]",
    "a[1] = b; a.pop(0)": "x = {0: 0}; add(x, 5); assert x == {1: 5}",
    "a.pop('k'); a['k'] = 1": "x = {'k': 1, 'l': 2}; add(x, 0); assert list(x) == ['l', 'k']",
    "a.discard(1); a.add(b)": "x = {1, 2}; add(x, 3); assert x == {2, 3}",
    "a[0] = 65; a.extend(b'C')": "x = bytearray(b'B'); add(x, 0); assert x == b'AC'",
    "a.clear(); raise ValueError": "x = [1]\ntry: add(x, 0)\nexcept ValueError: pass\nassert x == []",
    "a[0][0].append(1)": "x = [([],)]; add(x, 0); assert x == [([1],)]",
    "a[0].append(1)": "row = []; x = [row] * 3; add(x, 0); assert x == [[1]] * 3",  # one row, three times
    "b.append(1); return a": "x = []; assert add(x, x) is x and x == [1]",
    "a.append(a)": "x = []; add(x, 0); assert x[0] is x",
    "a.append(b); return [a, a]": "x = [1]; y = add(x, 2); assert y[0] is y[1] is x and x == [1, 2]",
    "a = a + [4]": "x = [1]; add(x, 0); assert x == [1]  # no difference",
    "a.reverse() or a": "from collections import namedtuple\nP = namedtuple('P', 'x')\n"
    "x = [P(1)]; add(x, 0); assert x[0].x == 1  # no difference, and no plain tuple in its place",
}


@pytest.mark.parametrize("body", CHANGES)
def test_what_a_program_does_to_its_arguments_happens_to_those_of_the_tests(body):
    assert add(body, CHANGES[body]) is True
    if "no difference" not in CHANGES[body]:
        assert add("return 7", CHANGES[body]) is False


def test_an_argument_that_comes_to_hold_an_object_is_let_alone():
    assert add("a.append(object()); return 3", "assert add([], 0) == 3") is True


def test_tests_may_be_bare_assertions_but_must_call_the_function():
    assert add("return a + b", "assert add(2, 2) == 4") is True
    assert add("return a + b", "assert add(2, 2) == 5") is False
    assert add("return a + b", "assert True") is False


def test_tests_may_use_helpers_of_the_beginning(isolation):
    begins = 'import math\n\ndef half(x):\n    return x / 2\n\ndef root(x):\n    """Root."""\n'
    tests = CodeTests(begins, "root", "def check(f):\n    assert math.fabs(half(f(16)) - 2) < 1e-9\n")
    assert passes("    return math.sqrt(x)", tests) is True
    assert passes("    return half(half(x)) + 1", tests) is False


def test_an_endless_loop_and_a_long_wait_are_ended(isolation):
    started = time.monotonic()
    assert add("while True: pass", seconds=1) is False
    assert add("import time; time.sleep(600)", wall=1) is False
    assert time.monotonic() - started < 20


def test_time_on_the_wall_does_not_make_an_answer_wrong():
    assert add("import time; time.sleep(1.2); return a + b", seconds=1) is True


def test_memory_is_limited(isolation):
    assert add("x = bytearray(1 << 28); return a + b", memory=1 << 28) is False
    assert add("x = bytearray(200_000); return a + b", memory=1 << 28) is True
    assert add("x = [0]\nwhile True: x += x", memory=1 << 28) is False


REFUSED = [
    "import os; os.fork()",
    "import subprocess; subprocess.run(['true'])",
    "import os; os.system('true')",
    "import os; os.execv('/bin/true', ['true'])",
    "import _posixsubprocess; _posixsubprocess.fork_exec()",
    "import multiprocessing as m; m.get_context('fork').Process(target=print).start()",
    "import ctypes; ctypes.CDLL(None).fork()",
    "import os; os.kill(os.getppid(), 0)",
    "import resource; resource.setrlimit(resource.RLIMIT_CPU, (99, 99))",
    "import socket; socket.socket()",
    "import socket; socket.getaddrinfo('localhost', 80)",
]


def not_refused(lines):
    """The lines that a program may run; the others end in PermissionError.

    An import ends in ImportError, a function that was taken away in TypeError.
    """

    def refused(some):
        body = f"""
            done = []
            for line in {some!r}:
                try:
                    exec(line)
                    done.append(line)
                except (PermissionError, ImportError, TypeError):
                    pass
            return done
        """
        return add(body, "assert add(0, 0) == []")

    return [] if refused(lines) else [line for line in lines if not refused([line])]


def test_processes_signals_native_code_and_sockets_are_refused(isolation):
    assert not_refused(REFUSED) == []


def test_it_has_no_environment_and_reads_no_file_of_ours(monkeypatch, tmp_path, isolation):
    monkeypatch.setenv("SECRET_KEY", "hunter2")
    (tmp_path / "key").write_text("hunter2")
    paths = [f"/proc/{os.getpid()}/environ", "/proc/self/environ", str(tmp_path / "key"), __file__]
    assert not_refused([f"open({path!r}, 'rb').read()" for path in paths]) == []
    body = "import os, sys\nreturn [dict(os.environ), os.listdir('.'), sys.stdin.read()]"
    assert add(body, "assert add(0, 0)[1:] == [[], ''] and 'SECRET_KEY' not in add(0, 0)[0]") is True


def test_files_outside_of_its_folder_are_neither_written_nor_removed(tmp_path, isolation):
    kept, new = tmp_path / "kept", tmp_path / "new"
    kept.write_text("x")
    lines = [
        f"open({str(new)!r}, 'w')",
        f"open({str(kept)!r}, 'a')",
        f"import os; os.open({str(new)!r}, os.O_CREAT | os.O_WRONLY)",
        f"import os; os.remove({str(kept)!r})",
        f"import os; os.rename({str(kept)!r}, 'here')",
        f"import os; os.truncate({str(kept)!r}, 0)",
        f"import os; os.mkdir({str(new)!r})",
        f"import os; os.symlink({str(kept)!r}, 'link')",
    ]
    assert not_refused(lines) == []
    assert [path.name for path in tmp_path.iterdir()] == ["kept"] and kept.read_text() == "x"
    assert add("open('own', 'w').write('x'); return a + b if open('own').read() == 'x' else 0") is True
    assert add("open('own', 'wb').write(bytes(3_000_000)); return a + b") is False


def test_what_it_prints_goes_nowhere(capfd, isolation):
    assert add("print('x' * 10_000_000); return a + b") is True
    assert capfd.readouterr() == ("", "")


def code_task():
    row = {"code": ADD, "canonical_solution": RIGHT, "test": TESTS, "entry_point": "add"}
    answer = {"rule": "code", "field": "canonical_solution", "program": {"begins": "code"}}
    return parse(
        Task,
        {"name": "programs", "fields": {"code": ""}, "answer": answer, "prompt": "{code}",
         "data": {"train": [row], "test": [row, row]}},
        "task.yaml",
    )  # fmt: skip


def test_a_machine_that_fails_a_right_program_is_refused(monkeypatch):
    monkeypatch.setattr(code_answer, "bubblewrap", lambda: None)
    monkeypatch.setattr(code_answer, "SCRIPT", Path("/nowhere.py"))
    code_answer._passes.cache_clear()
    with pytest.raises(ConfigError, match="cannot be scored on this machine: one that is right fails"):
        check_opt_in(code_task(), True)
    code_answer._passes.cache_clear()


def test_results_and_terminal_say_what_held_the_programs(isolation):
    told = describe_scoring(code_task(), "hf")
    assert told == {"backend": "hf", "by": "generation", "rule": "code", "isolation": isolation}
    figures = {"parse_rate": 1.0, "accuracy_given_parsed": None, "tokens_per_answer": 1.0}
    assert f"(rule code, programs held by {isolation})" in scoring_line(told | figures)
    assert ("is no sandbox" in code_answer.WARNINGS[isolation]) is (isolation == "guard")


def test_nothing_is_run_without_a_yes(language_model):
    task = code_task()
    with pytest.raises(ConfigError, match=r"'programs' are programs: .* say --allow-code"):
        evaluate_matrix(language_model, task, task.prompts, task.examples("test"))
    check_opt_in(task, True)


def test_cells_are_scored_by_running_what_was_generated(language_model, monkeypatch):
    answers = [
        Generated("     return a + b\nprint(1)", 9),
        Generated("     return a", 3),
        *[Generated("", 1)] * 2,
    ]
    monkeypatch.setattr("paft.evaluate.cells.generate_answers", lambda *args, **options: answers)
    task = code_task()
    prompts = [*task.prompts, Prompt("Go on:\n{code}")]
    matrix = evaluate_matrix(language_model, task, prompts, task.examples("test"), allow_code=True)
    assert matrix.scores.tolist() == [[1.0, 0.0], [0.0, 0.0]]
    assert matrix.parsed.tolist() == [[True, True], [False, False]]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({"rule": "code"}, "rule 'code' with `program`"),
        ({"rule": "text", "program": {"begins": "code"}}, "`program` goes with rule 'code'"),
        ({"rule": "code", "program": {"begins": "cod"}}, "`answer.program.begins` is no field: 'cod'"),
        ({"rule": "code", "program": {"begins": "code", "tests": "code"}}, "'code' is for scoring answers"),
        ({"rule": "code", "program": {"begins": "code", "test": "x"}}, "did you mean 'tests'?"),
    ],
)
def test_a_code_task_that_makes_no_sense_is_refused(answer, said):
    data = {"train": [{"code": "x"}], "test": [{"code": "x"}]}
    with pytest.raises(ConfigError) as caught:
        parse(
            Task,
            {"name": "t", "fields": {"code": ""}, "answer": answer, "data": data, "prompt": "{code}"},
            "t",
        )
    assert said in str(caught.value)
