"""From a reply to the program in it: which part is code, and what it is a part of.

A reply is cut at its fence lines (three or more backticks or tildes). What stands between any two of
them, or between one and an end of the reply, is a *piece*: models forget fences, close one that the
prompt opened, and write fences into docstrings, so whether a piece is inside or outside of a block is
decided by what it holds. In this order, the program is

1. the last piece that is Python and defines the function, unless its body is empty or it is imported;
2. the first piece that goes on where the beginning stops; one that returns a value comes first;
3. the imports, definitions and assignments of the last part of the reply that defines the function,
   without the prose around them;
4. the first block that a fence opens, or all of the reply, which is hardly ever a program.

Whatever the program uses and does not define is taken from other pieces that define it.
"""

from __future__ import annotations

import ast
import builtins
import doctest
import re
import symtable
import textwrap
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

FENCE = re.compile(r"(?:`{3,}|~{3,})[ \t]*([\w+#.-]*)[^\n`]*(?:\n|\Z)")
PYTHON = re.compile(r"(?:i?py.*)?")  # tags of a block that may be Python
INSIDE = 12  # fence lines that a program's strings may hold
LINES = 40  # unindented lines that one statement may hold
KEPT_LINE = re.compile(r"@|(?:async|class|def|from|import)\b|[\w.,\[\] ]+(?::[^=]+)?=")
SENTENCE = re.compile(r"(?:[A-Z][^=()\[\]]*[.:!])?\s*")
BUILT_IN = set(dir(builtins))
KEPT = (
    ast.Import, ast.ImportFrom, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Assign,
    ast.AnnAssign,
)  # fmt: skip


@dataclass(frozen=True)
class CodeTests:
    """What a program is made of and tested with.

    Attributes:
        begins: Its beginning as the prompt shows it: imports, helpers, and the function's first lines.
        entry: Name of the function.
        tests: Python that calls the function by its name, or defines ``check(candidate)``.
    """

    begins: str
    entry: str
    tests: str


@dataclass(frozen=True)
class _Piece:
    """A part of a reply: the text, its block's tag, and whether a fence opens it and none is inside."""

    text: str
    tag: str
    fenced: bool
    plain: bool


def read_program(text: str, tests: CodeTests | None = None) -> str | None:
    r"""Return the program in a reply, or None where the reply is blank.

    The text is a reply without its thoughts. Without ``tests``, which name the function and its beginning,
    the fallback is taken.

    >>> tests = CodeTests("def add(a, b):\n", "add", "")
    >>> read_program("```bash\npip install x\n```\n```\ndef add(a, b):\n    return a + b\n```", tests)
    'def add(a, b):\n    return a + b'
    >>> read_program("    return a + b\n```\nThis adds them.", tests)
    '    return a + b'
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    found = None if tests is None else _find(text, tests)
    return (_fallback(text) if found is None else found).strip("\n").rstrip() or None


def source_of(answer: str, tests: CodeTests) -> str:
    r"""Return the program that an answer makes.

    An answer that defines the function is taken as it is. Any other continues the beginning: its
    first line is indented as the function's body is (the space between prompt and answer shifts
    it), and it ends before the first line that is not indented. Where that is no Python, or cuts off
    a ``return``, all of the answer is the body.

    >>> source_of("return 1\nprint()", CodeTests("def f():\n", "f", ""))
    'def f():\n    return 1\n'
    >>> source_of("x = 1\nreturn x", CodeTests("def f():\n", "f", ""))
    'def f():\n    x = 1\n    return x\n'
    """
    if tests.entry in _defined(answer):
        return answer
    begins, indent = tests.begins.rstrip() + "\n", _body_indent(tests.begins)
    first, *rest = answer.strip("\n").split("\n")
    end = next((i for i, line in enumerate(rest) if line[:1].strip()), len(rest))
    lines = [indent + first.lstrip(), *rest[:end]]
    cut = begins + "\n".join(lines).rstrip() + "\n"
    whole = begins + textwrap.indent(textwrap.dedent(answer.strip("\n")), indent).rstrip() + "\n"
    if _is_python(whole) and not (_is_python(cut) and _is_python("\n".join(rest[end:]))):
        return whole
    return cut


def _find(text: str, tests: CodeTests) -> str | None:
    pieces = list(_pieces(text, tests.entry))
    whole = [piece.text for piece in pieces if tests.entry in _defined(piece.text)]
    clean = [text for text in whole if not any(map(_is_word, _parse(text)))]
    program = next((text for text in reversed(clean) if not _is_stub(text, tests.entry)), None)
    statements = [_statements(piece.text) for piece in pieces if piece.plain]
    if program is None:
        program = _continuation(pieces, tests)
    if program is None:
        parts = ["\n".join(part) for part in statements]
        defining = [part for part in parts if tests.entry in _defined(part)]
        program = next((part for part in reversed(defining) if not _is_stub(part, tests.entry)), None)
    if program is None:
        return whole[-1] if whole else None
    return _with_helpers(program, [one for part in statements for one in part], tests)


def _pieces(text: str, entry: str) -> Iterator[_Piece]:
    """Yield what stands between any two fence lines that are near each other, ends of the text included."""
    fences = list(FENCE.finditer(text))
    starts = [(0, "")] + [(fence.end(), fence[1].lower()) for fence in fences]
    ends = [fence.start() for fence in fences] + [len(text)]
    session = re.compile(rf"^[ \t]*>>> (?:async )?(?:def|class) {re.escape(entry)}\b", re.MULTILINE)
    for i, (start, tag) in enumerate(starts):
        for j, end in enumerate(ends[i : i + INSIDE]):
            piece = text[start:end].strip("\n").rstrip()
            if j > 0 and not ('"""' in piece or "'''" in piece):
                continue  # only a string of many lines holds a fence
            if re.fullmatch(r"\s*`[^`]+`", piece):  # a line of code in a sentence's quotes
                piece = piece.strip().strip("`")
            if session.search(piece) and entry not in _defined(piece):
                piece = _session_source(piece)
            elif piece[:1].isspace() and entry in _defined(textwrap.dedent(piece)):
                piece = textwrap.dedent(piece)
            if piece.strip():
                yield _Piece(piece, tag, fenced=i > 0, plain=j == 0)
            bare = _without_sentences(piece)
            if bare != piece and bare.strip():
                yield _Piece(bare, tag, fenced=i > 0, plain=False)


def _without_sentences(text: str) -> str:
    """Return a text without the lines at both its ends that are sentences."""
    lines = text.split("\n")
    kept = [place for place, line in enumerate(lines) if not SENTENCE.fullmatch(line)]
    return "\n".join(lines[kept[0] : kept[-1] + 1]) if kept else ""


def _session_source(text: str) -> str:
    """Return what was typed in an interpreter session."""
    try:
        return "".join(example.source for example in doctest.DocTestParser().get_examples(text))
    except ValueError:  # its indentation is inconsistent
        return text


def _continuation(pieces: list[_Piece], tests: CodeTests) -> str | None:
    """Return the first piece that completes the beginning; those that return a value go first."""
    defines = re.compile(rf"^(?:async )?def {re.escape(tests.entry)}\b", re.MULTILINE)
    found: list[tuple[bool, bool, str]] = []
    for piece in pieces:
        indented = piece.text[0].isspace()
        if not PYTHON.fullmatch(piece.tag) or (not indented and defines.search(piece.text)):
            continue
        body = _body(source_of(piece.text, tests), tests.entry)
        if body and not all(_says_nothing(statement) for statement in body):
            found.append((not _returns(body), not (piece.fenced or indented), piece.text))
    return min(found, key=lambda one: one[:2])[2] if found else None


def _statements(text: str) -> list[str]:
    """Return the imports, definitions and assignments at the left edge of a text, prose passed over."""
    lines = text.split("\n")
    edges = [i for i, line in enumerate(lines) if line[:1].strip()] + [len(lines)]
    found, at = [], 0
    while at < len(edges) - 1:
        tries = LINES if KEPT_LINE.match(lines[edges[at]]) else 0
        for after in range(at + 1, min(at + tries, len(edges) - 1) + 1):
            source = "\n".join(lines[edges[at] : edges[after]]).rstrip()
            if _is_python(source):
                if all(isinstance(node, KEPT) and not _says_nothing(node) for node in _parse(source)):
                    found.append(source)
                at = after
                break
        else:
            at += 1
    return found


def _with_helpers(program: str, others: list[str], tests: CodeTests) -> str:
    """Put before a program what it uses, does not define, and other pieces of the reply define."""
    others = [other for other in others if tests.entry not in _defined(other)]
    while True:
        source = source_of(program, tests)
        missing = _used(source) - _defined(source) - _defined(tests.begins + "\n    pass\n") - BUILT_IN
        helper = next((o for o in others if missing and (_defined(o) & missing or "import *" in o)), None)
        if helper is None:
            return program
        others.remove(helper)
        whole = program if tests.entry in _defined(program) else source  # nothing stands before a body
        # From __future__ comes first, what a decorator or default needs comes before it.
        both = (f"{helper}\n\n{whole}", f"{whole}\n\n{helper}")
        program = next(filter(_is_python, both), program)


def _fallback(text: str) -> str:
    """Return the first block that a fence opens, else all of the text."""
    opened = FENCE.search(text)
    if opened is None:
        return text
    closed = FENCE.search(text, opened.end())
    return text[opened.end() : closed.start() if closed else len(text)]


@lru_cache(maxsize=64)
def _read(source: str) -> tuple[list[ast.stmt], symtable.SymbolTable] | None:
    """Return the statements and the names of Python source, None for any other text; nothing is run."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an invalid escape is the model's affair
            compile(source, "reply", "exec", dont_inherit=True)  # finds what the two others let pass
            return ast.parse(source).body, symtable.symtable(source, "reply", "exec")
    except (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError):
        return None


def _is_python(source: str) -> bool:
    return _read(source) is not None


def _parse(source: str) -> list[ast.stmt]:
    read = _read(source)
    return read[0] if read else []


def _defined(source: str, *, imports: bool = True) -> set[str]:
    """Return the names that Python source binds at the top, nothing if it is none."""
    read = _read(source)
    symbols = read[1].get_symbols() if read else []
    return {s.get_name() for s in symbols if s.is_assigned() or (imports and s.is_imported())}


def _used(source: str) -> set[str]:
    """Return the names that Python source looks up outside of its functions."""
    read = _read(source)
    waiting: list[symtable.SymbolTable] = [read[1]] if read else []
    names: set[str] = set()
    while waiting:
        table = waiting.pop()
        waiting += table.get_children()
        names |= {s.get_name() for s in table.get_symbols() if s.is_global() and s.is_referenced()}
    return names


def _body(source: str, entry: str) -> list[ast.stmt]:
    """Return the statements of the last function of a name, without its docstring."""
    nodes = [node for top in _parse(source) for node in ast.walk(top)]
    named = [n for n in nodes if isinstance(n, (ast.FunctionDef, ast.AsyncFunctionDef)) and n.name == entry]
    if not named:
        return []
    body = named[-1].body
    return body[1:] if ast.get_docstring(named[-1], clean=False) is not None else body


def _is_stub(source: str, entry: str) -> bool:
    """Whether a name stands for nothing that was written here: an import, or a function without a body."""
    if entry not in _defined(source, imports=False):
        return True
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    defined = {node.name for node in _parse(source) if isinstance(node, functions)}
    return entry in defined and all(_says_nothing(statement) for statement in _body(source, entry))


def _says_nothing(statement: ast.stmt) -> bool:
    """Whether a statement does nothing: ``pass``, a word, ``raise NotImplementedError``, ``note: this``."""
    if isinstance(statement, ast.Raise):
        return statement.exc is not None and "NotImplementedError" in ast.unparse(statement.exc)
    constant = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
    return constant or isinstance(statement, ast.Pass) or _is_word(statement)


def _is_word(statement: ast.stmt) -> bool:
    """Whether a statement is prose that happens to be Python: ``Done``, ``Note: this``."""
    if isinstance(statement, ast.AnnAssign):
        return statement.value is None
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Name)


def _returns(body: list[ast.stmt]) -> bool:
    """Whether a function's own statements return or yield something."""
    waiting: list[ast.AST] = list(body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, (ast.Return, ast.Yield, ast.YieldFrom)):
            return True
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)):
            waiting += ast.iter_child_nodes(node)
    return False


def _body_indent(begins: str) -> str:
    """Return the white space that the body of an unfinished function begins with."""
    last = begins.rstrip().rsplit("\n", 1)[-1]
    indent = last[: len(last) - len(last.lstrip())]
    return indent + "    " if last.endswith(":") else indent or "    "
