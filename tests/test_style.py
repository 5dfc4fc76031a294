"""House rules that a reader relies on, read from the syntax tree of src."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import paft

SOURCE = Path(paft.__file__).parent
FILES = sorted(SOURCE.rglob("*.py"))
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
HEAVY = {"torch", "transformers", "datasets"}

every_file = pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))


def tree(path):
    return ast.parse(path.read_text(encoding="utf-8"))


def functions(path):
    return [node for node in ast.walk(tree(path)) if isinstance(node, FUNCTIONS)]


def dotted(node):
    """Return the dotted name an expression spells, '' if it spells none."""
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def test_there_is_source_to_check():
    assert {"prompt.py", "task.py", "config.py"} <= {path.name for path in FILES}


@every_file
def test_a_file_has_at_most_500_lines(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 500


@every_file
def test_a_file_begins_with_a_docstring(path):
    assert ast.get_docstring(tree(path))


@every_file
def test_a_function_has_at_most_80_lines(path):
    lengths = {node.name: node.end_lineno - node.lineno + 1 for node in functions(path)}
    assert {name: length for name, length in lengths.items() if length > 80} == {}


@every_file
def test_public_functions_and_classes_have_docstrings(path):
    public = [n for n in tree(path).body if isinstance(n, (*FUNCTIONS, ast.ClassDef)) and n.name[0] != "_"]
    assert [node.name for node in public if not ast.get_docstring(node)] == []


@every_file
def test_no_code_draws_from_a_global_or_unseeded_generator(path):
    allowed = {"random.Random", "np.random.default_rng", "np.random.Generator"}
    calls = [node for node in ast.walk(tree(path)) if isinstance(node, ast.Call)]
    for call in calls:
        name = dotted(call.func)
        if name.startswith(
            ("random.", "np.random.", "numpy.random.", "torch.rand", "torch.seed", "torch.manual_seed")
        ):
            assert name in allowed, f"line {call.lineno}: {name}"
        if name in allowed:
            assert call.args, f"line {call.lineno}: {name} without a seed"


def loaded_by(code):
    command = f"import sys\n{code}\nprint(*sys.modules, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True, check=True)
    return done.stdout, {name.split(".")[0] for name in done.stderr.split()}


def test_importing_the_package_loads_nothing_heavy():
    _, loaded = loaded_by("import paft, paft.task.task, paft.bank, paft.config, paft.grid")
    assert "paft" in loaded
    assert not loaded & HEAVY


def test_asking_for_help_loads_nothing_heavy():
    code = "from paft.cli.main import app\napp(['--help'], standalone_mode=False)"
    shown, loaded = loaded_by(code)
    assert "Usage" in shown
    assert not loaded & HEAVY


def test_every_public_name_can_be_had():
    assert paft.__all__
    for name in paft.__all__:
        assert getattr(paft, name).__name__ in (name, name.removesuffix("_model"))


def test_a_name_the_package_does_not_have_is_an_ordinary_error():
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = paft.nothing
