"""Imports run down: no module imports from a layer above its own, nor itself by way of others."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import paft

SOURCE = Path(paft.__file__).parent

# From the bottom up, as in CONTRIBUTING.md. What stands in one line may not import each other, but for the
# modules of the root, which have no rooms.
LAYERS = (
    ("root",),
    ("statistics", "builtin"),
    ("settings",),  # <room>/settings.py, one section of the configuration each
    ("task",),
    ("model",),
    ("methods",),
    ("config",),
    ("bank",),
    ("train", "evaluate"),
    ("report",),
    ("experiment", "start"),
    ("grid",),
    ("cli",),
)
HEIGHT = {room: height for height, layer in enumerate(LAYERS) for room in layer}


def modules() -> dict[str, Path]:
    """Return every module of the package with its file; a package has the name of its folder."""
    paths = {".".join(path.relative_to(SOURCE).with_suffix("").parts): path for path in SOURCE.rglob("*.py")}
    return {name.removesuffix(".__init__").replace("__init__", ""): path for name, path in paths.items()}


MODULES = modules()


def imports_of(name: str) -> Iterator[tuple[int, str]]:
    """Yield line and target of every import of a module of ours, those inside functions and for types too."""
    for node in ast.walk(ast.parse(MODULES[name].read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (
                (node.lineno, a.name.removeprefix("paft.")) for a in node.names if a.name.startswith("paft.")
            )
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "paft":
            package = (node.module or "").removeprefix("paft").removeprefix(".")
            for alias in node.names:
                inner = f"{package}.{alias.name}".removeprefix(".")
                yield node.lineno, inner if inner in MODULES else package


def room(name: str) -> str:
    """Return the layer's name that a module belongs to."""
    first, _, rest = name.partition(".")
    if rest.split(".")[-1] == "settings":
        return "settings"
    if name in HEIGHT:
        return name
    return first if first in HEIGHT else "root"


def closure(name: str) -> set[str]:
    """Return what a module imports, directly or by way of others, itself and packages included."""
    found, left = set(), [name]
    while left:
        module = left.pop()
        if module in found or module not in MODULES:
            continue
        found.add(module)
        left += [target for _, target in imports_of(module)]
        left += [module.rpartition(".")[0]] if "." in module else []
    return found


def test_every_room_has_a_layer() -> None:
    rooms = {path.name for path in SOURCE.iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert rooms <= set(HEIGHT)


@pytest.mark.parametrize("name", [name for name in MODULES if name not in ("", "__main__")])
def test_imports_run_down(name: str) -> None:
    own = room(name)
    up = [
        f"line {line}: {target}"
        for line, target in imports_of(name)
        if target and room(target) != own and HEIGHT[room(target)] >= HEIGHT[own]
    ]
    assert not up, f"{name} ({own}) imports from a layer that is not below it"


def test_there_is_no_circle() -> None:
    graph = {name: {target for _, target in imports_of(name)} - {""} for name in MODULES}
    try:
        tuple(TopologicalSorter(graph).static_order())
    except CycleError as error:
        raise AssertionError(" -> ".join(error.args[1])) from None


# A whole run needs most of the package; its number may fall, not rise.
@pytest.mark.parametrize(("name", "most"), [("train.schedule", 8), ("experiment.run", 158)])
def test_little_is_needed_to_read_a_module(name: str, most: int) -> None:
    assert len(closure(name)) < most, sorted(closure(name))
