"""The program in a reply is found whatever stands around it, and nothing else is taken for it."""

import time
import warnings

import pytest

from paft.task.replies.code_reply import CodeTests, read_program, source_of
from paft.task.replies.extract import extract

ADD = CodeTests('from typing import List\n\ndef add(a: int, b: int) -> int:\n    """Add."""\n', "add", "")
WHOLE = "def add(a, b):\n    return a + b"
BODY = "    total = a + b\n    return total"
RIGHT = {
    "alone": WHOLE,
    "the body alone": BODY,
    "fenced": f"Here it is:\n```python\n{WHOLE}\n```\nIt adds `a` and `b`.",
    "no tag": f"```\n{WHOLE}\n```",
    "tildes": f"~~~python\n{WHOLE}\n~~~\nDone",
    "four backticks": f"````py\n{WHOLE}\n````",
    "a fence that is not closed": f"Sure!\n```python\n{WHOLE}\n",
    "a fence behind words": f"Here: ```python\n{WHOLE}```",
    "the prompt opened the fence": f"{WHOLE}\n```\nThis adds them.\n",
    "the prompt opened the fence of a body": f"{BODY}\n```\n\nFor example:\n```python\nprint(add(1, 2))\n```",
    "and example and output follow": f"{BODY}\n```\nUse:\n```\nadd(1, 2)\n```\nOutput:\n```\n3\n```",
    "a shell block first": f"```bash\npip install numpy\n```\nThen:\n```python\n{WHOLE}\n```",
    "a console block first": f"```console\n$ python add.py\n```\n```\n{WHOLE}\n```\n```sh\npython x.py\n```",
    "a shell block that is Python, before a body": f"```sh\nls\n```\n```\n{BODY}\n```",
    "a plan in a block first": f"```text\nadd a and b\n```\n```python\n{WHOLE}\n```",
    "prose behind, no fence": f"{WHOLE}\n\nThis function adds two numbers.",
    "prose on both sides, no fence": f"Sure\n\nHere is add:\n\n{WHOLE}\n\nDone",
    "prose that is Python": f"Sure\n\n{WHOLE}\n\nNote: this\n",
    "a definition on one line, prose behind": "def add(a, b): return a + b\n\nThis adds.",
    "prose behind a body": f"{BODY}\n\nThis function adds two numbers.",
    "a helper in another block": "```python\ndef twice(x):\n    return 2 * x\n```\nand\n```python\n"
    "def add(a, b):\n    return (twice(a) + twice(b)) // 2\n```",
    "a helper behind, that needs more": "```python\ndef add(a, b):\n    return half(a) + half(b)\n```\n"
    "where\n```python\nimport math\nHALF = 0.5\ndef half(x):\n    return math.floor(2 * x * HALF)\n```\n"
    "so\n```python\nresult = add(1, 2)\n```",
    "an import in another block": "```python\nfrom operator import add as plus\n```\n```python\n"
    "def add(a, b):\n    return plus(a, b)\n```",
    "a body and a helper": "```python\n    return plus(a, b)\n```\n```python\ndef plus(a, b):\n"
    "    return a + b\n```",
    "an import of all in another block": "```python\nfrom operator import *\n```\n```python\n"
    "def add(a, b):\n    return sub(a, neg(b))\n```",
    "a helper that cannot come first": "```python\nfrom __future__ import annotations\n\n"
    "def add(a: X, b: X):\n    return plus(a, b)\n```\n```python\ndef plus(a, b):\n    return a + b\n```",
    "a class that does it": "```python\nclass Sum:\n    def of(self, a, b):\n        return a + b\n\n"
    "def add(a, b):\n    return Sum().of(a, b)\n```",
    "a lambda": "```python\nadd = lambda a, b: a + b\n```",
    "a decorated function": f"import functools\n\n@functools.lru_cache(\n    maxsize=9,\n)\n{WHOLE}\n\nDone!",
    "an asynchronous helper": f"```python\nasync def later():\n    pass\n\n{WHOLE}\n```",
    "a first try that is wrong": f"```\ndef add(a, b):\n    return a - b\n```\nNo:\n```python\n{WHOLE}\n```",
    "a stub first": f"```python\ndef add(a, b):\n    ...\n```\n```python\n{WHOLE}\n```\n"
    "```python\ndef add(a, b):\n    raise NotImplementedError\n```",
    "a stub, then its body": f'```python\ndef add(a, b):\n    """Add."""\n```\nBody:\n```python\n{BODY}\n```',
    "printed twice": f"{WHOLE}\n\n{WHOLE}",
    "printed twice, fenced": f"```python\n{WHOLE}\n```\n```python\n{WHOLE}\n```",
    "prose before a body": f"Sure, here is the body:\n\n{BODY}",
    "prose around a body at the left edge": "The body is:\n\nif a:\n    return a + b\nreturn b\n\nDone.",
    "a second one is cut off": f"```python\n{WHOLE}\n```\nOr:\n```python\ndef add(a, b):\n    return sum((a,",
    "an example is cut off": f"```python\n{WHOLE}\n\nprint(add(1,",
    "a body, then another program": f"{BODY}\n\n\ndef add(a, b):\n    return a - b\n",
    "a fence in the docstring": '```python\ndef add(a, b):\n    """Add.\n\n    ```python\n    add(1, 2)\n'
    '    ```\n    """\n    return a + b\n```\nThat is all.',
    "a fence in a string at the left edge": '```py\ndef add(a, b):\n    """Add.\n```\nadd(1, 2)\n```\n"""\n'
    "    return a + b\n```\n",
    "one, and the prompt opened another": 'def add(a, b):\n    """Add.\n    ~~~\n    x\n    ~~~\n    """\n'
    "    return a + b\n```\nDone",
    "a session": ">>> def add(a, b):\n...     return a + b\n...\n>>> add(1, 2)\n3\n",
    "a fenced session": "```pycon\n>>> def add(a, b):\n...     return a + b\n>>> add(1, 2)\n3\n```",
    "in a list": "1. Write\n   ```python\n   def add(a, b):\n       return a + b\n   ```\n2. Run it",
    "in a list, its body": "- Body:\n  ```python\n      return a + b\n  ```",
    "an indented block": "    def add(a, b):\n        return a + b",
    "in quotes": "`return a + b`",
    "carriage returns": f"```python\n{WHOLE}\n```\n".replace("\n", "\r\n"),
    "carriage returns in a body": BODY.replace("\n", "\r\n"),
    "tabs": "```python\ndef add(a, b):\n\treturn a + b\n```",
    "tabs in a body": "\tif a:\n\t\treturn a + b\n\treturn b",
    "two spaces in a body": "  total = a + b\n  return total",
    "a body at the left edge": "if a:\n    return a + b\nreturn b",
    "a body whose first line lost its indentation": "total = a + b\n    return total\n\nprint(total)",
    "a body that changes nothing but names": "```python\n    a, c = b, a\n    return a + c\n```",
    "a wrong escape": "```python\nimport re\ndef add(a, b):\n    re.compile('\\d')\n    return a + b\n```",
    "a prompt that returns": f"The function should return a + b.\n\n```python\n{BODY}\n```",
}


@pytest.mark.parametrize("reply", RIGHT)
@pytest.mark.filterwarnings("error")
def test_the_program_is_found(reply):
    space = {}
    source = source_of(read_program(RIGHT[reply], ADD), ADD)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        exec(compile(source, "program", "exec", dont_inherit=True), space)
    assert (space["add"](1, 2), space["add"](0, -1), space["add"](4, 6)) == (3, -1, 10)


@pytest.mark.parametrize(
    ("reply", "read"),
    [
        ("```python\n\n```", None),
        (" \n\t", None),
        ("Sorry, I cannot.", "Sorry, I cannot."),
        ("```python\nx = 1\n```\n```\ny\n```", "x = 1"),  # no definition, no return: the first block
        ("```python\ndef add(a, b):\n    pass\n```", "def add(a, b):\n    pass"),  # nothing but a stub
        ("```python\ndef sub(a, b):\n    return a - b\n```", "def sub(a, b):\n    return a - b"),
    ],
)
def test_where_there_is_no_program_what_a_fence_opens_is_read(reply, read):
    assert read_program(reply, ADD) == read


def test_without_the_name_of_a_function_a_program_is_the_first_block_or_all():
    assert extract("code", "Here:\n```python\nx = 1\n```\nDone. ```y```") == "x = 1"
    assert extract("code", "    return 1\n\n") == "    return 1"
    assert extract("code", "```\nx = 1") == "x = 1"
    assert extract("code", " \n") is None


def test_what_other_blocks_do_is_not_taken_over():
    tests = "from solution import add\nimport sys\na = input()\nprint(add(a, 2))"
    reply = f"```python\n{WHOLE}\n```\nTry it:\n```python\n{tests}\n```"
    assert read_program(reply, ADD) == read_program(reply.replace(WHOLE, f"{WHOLE}\n"), ADD) == WHOLE
    assert read_program("from operator import add", ADD) == "from operator import add"


def test_a_body_is_indented_as_its_function_is():
    method = CodeTests("class A:\n    def f(self):", "f", "")
    assert source_of("  return 1\n        # why\n    x = 2", method) == (
        "class A:\n    def f(self):\n        return 1\n        # why\n    x = 2\n"
    )


@pytest.mark.parametrize(
    "reply",
    ["```\n" * 3000, "def add(\n" * 3000, "word word\n" * 5000, "(" * 50_000, "x = '''\n" * 2000,
     "-" * 50_000, "```python\n'''\n" * 500, "@a\n" * 3000],
    ids=lambda reply: reply[:12],
)  # fmt: skip
def test_a_reply_that_never_ends_is_read_in_time(reply):
    started = time.monotonic()
    source_of(read_program(reply, ADD) or "", ADD)
    assert time.monotonic() - started < 10
