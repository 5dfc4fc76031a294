"""docs/tasks.md: the table of replies that are programs says what passes; what it says of limits is so."""

import re
from pathlib import Path

import pytest

from paft.task.programs import code_answer, code_process
from paft.task.programs.code_answer import code_score
from paft.task.replies.code_reply import CodeTests, read_program

PAGE = (Path(__file__).parents[2] / "docs" / "tasks.md").read_text("utf-8")
TABLE = re.search(r"<!-- programs.*?-->\n(.*?)<!-- /programs -->", PAGE, re.DOTALL)[1]
ROWS = [[cell.strip() for cell in line.split("|")[1:-1]] for line in TABLE.splitlines()[2:]]
TESTS = CodeTests("def f(x):\n", "f", "assert f(1) == 2 and f(-1) == 0\n")


@pytest.mark.parametrize(("rule", "reply", "passes"), ROWS, ids=[row[1] for row in ROWS])
def test_the_table_is_right(rule, reply, passes):
    assert passes in ("yes", "no") and reply[0] == reply[-1] == "`"
    for fence in ("~~~", "```"):
        text = reply[1:-1].replace("\\n", "\n").replace("~~~", fence)
        assert code_score(read_program(text, TESTS), TESTS) == (passes == "yes")


def test_the_limits_are_those_it_names():
    assert f"{code_answer.SECONDS} seconds of CPU" in PAGE and f"{code_answer.WALL} of wall clock" in PAGE
    assert code_answer.MEMORY == 1 << 30 and code_process.FILE_SIZE == 1 << 20
