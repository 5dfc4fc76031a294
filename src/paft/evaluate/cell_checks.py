"""Whether the cells in a file are those of a matrix: whole, once each, with scores in [0, 1]."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from paft.errors import DataError
from paft.shape import ADVICE

if TYPE_CHECKING:
    import numpy as np

    from paft.evaluate.matrix import Cell


def check_cells(path: Path, cells: Sequence[Cell]) -> None:
    """Refuse cells that no evaluation writes.

    Raises:
        DataError: Naming the file and the first cell that is wrong.
    """
    if not cells:
        raise DataError(f"{path} is damaged (it holds no cell): {ADVICE}")
    seen: set[tuple[str, int]] = set()
    for number, cell in enumerate(cells, start=1):
        wrong = _wrong(cell)
        if not wrong and (cell.prompt_id, cell.example) in seen:
            wrong = f"prompt {cell.prompt_id} and example {cell.example} stand there twice"
        if wrong:
            raise DataError(f"{path} is damaged (row {number}: {wrong}): {ADVICE}")
        seen.add((cell.prompt_id, cell.example))


def require_cells(
    path: Path, cells: Sequence[Cell], prompts: Sequence[str], examples: Sequence[int],
    chosen: np.ndarray | None = None,
) -> None:  # fmt: skip
    """Refuse cells of other prompts or examples than those that were judged, and a lack of some.

    Args:
        path: The file.
        cells: What it holds.
        prompts: Ids of the P prompts.
        examples: Indices of the N examples.
        chosen: Which cells were scored, (P, N) of bool; all by default.

    Raises:
        DataError: Naming the file and the first cell that is missing or too many.
    """
    wanted = [
        (prompt, example)
        for i, prompt in enumerate(prompts)
        for j, example in enumerate(examples)
        if chosen is None or chosen[i, j]
    ]
    found = [(cell.prompt_id, cell.example) for cell in cells]
    _same(path, wanted, found)
    if chosen is None and found != wanted:
        raise DataError(f"{path} is damaged (its rows stand in another order): {ADVICE}")


def _same(path: Path, wanted: Collection[tuple[str, int]], found: Collection[tuple[str, int]]) -> None:
    for kind, cells in (("lacks", set(wanted) - set(found)), ("has too many", set(found) - set(wanted))):
        if cells:
            prompt, example = min(cells)
            raise DataError(
                f"{path} is damaged (it {kind}: {len(cells)} of {len(wanted)} cells, the first of prompt "
                f"{prompt} and example {example}): {ADVICE}"
            )


def _wrong(cell: Cell) -> str:
    """Say what is wrong with one cell; an empty text where nothing is."""
    if not isinstance(cell.prompt_id, str) or not isinstance(cell.example, int):
        return f"prompt {cell.prompt_id!r} and example {cell.example!r}"
    if not isinstance(cell.score, float) or not 0 <= cell.score <= 1:
        return f"score {cell.score!r}"
    if not isinstance(cell.parsed, bool) or not isinstance(cell.tokens, int):
        return f"parsed {cell.parsed!r}, tokens {cell.tokens!r}"
    return ""
