"""Score a split in parts until its figures are precise enough (:mod:`paft.statistics.precision`).

Each part holds the cells that the last look found to be needed, and is scored as a split of its own
(:func:`paft.evaluate.runner.evaluate_split`): finished parts and the log of the last one lie in ``parts/``
beside the matrix to come, so that an evaluation that was killed goes on behind its last batch. Which
cells a part holds follows from the seed and from the scores before it, never from a clock.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np

from paft.errors import DataError
from paft.evaluate.log import EvaluationLog
from paft.evaluate.matrix import Cell, Matrix, require_cells
from paft.evaluate.runner import evaluate_split, processes
from paft.evaluate.scoring.server import ServedModel
from paft.evaluate.scoring.vllm import VllmModel
from paft.evaluate.settings import Evaluate
from paft.files import write_json
from paft.model.load import LanguageModel
from paft.prompt import Prompt
from paft.shape import ADVICE, NUMBER, read_record
from paft.statistics.precision import Measured, measure_matrix
from paft.task.task import Example, Task

PARTS = "parts"  # folder beside the matrix


def evaluate_parts(
    load: Callable[[int], LanguageModel | VllmModel | ServedModel],
    *,
    task: Task,
    prompts: Sequence[Prompt],
    examples: Sequence[Example],
    folder: Path,
    split: str,
    settings: Evaluate,
    max_length: int,
    precision: float,
    worst: bool,
    seed: int,
    on_cells: Callable[[int], None] | None = None,
) -> tuple[Matrix, Measured]:
    """Score as many cells of a split as the precision takes, or return what a former run left.

    Args:
        load: Loads the model; called with the number of cells of each part that is to be scored.
        task: The task.
        prompts: P prompts, at least 2.
        examples: N examples, at least 2.
        folder: Where the matrix goes.
        split: Its name.
        settings: Stage 3.
        max_length: Tokens of prompt and answer at most.
        precision: Half-width of the interval that is wanted.
        worst: Whether the worst prompt is looked for.
        seed: Of the order of the cells.
        on_cells: Called with the number of cells just finished.

    Returns:
        The matrix with the cells that were scored, and what they say.

    Raises:
        DataError: If the matrix that a former run left is damaged.
    """
    score = partial(
        evaluate_split,
        task=task, prompts=prompts, examples=examples,
        folder=folder / PARTS, settings=settings, max_length=max_length, on_cells=on_cells,
    )  # fmt: skip
    path, timing = folder / f"{split}.parquet", folder / f"{split}.json"
    ids, places = tuple(prompt.id for prompt in prompts), tuple(example.index for example in examples)
    parts = _Parts(ids, places)
    finished = path.exists() and timing.exists()
    if finished:
        parts.add(Matrix.load(path).cells)
        parts.seconds = float(read_record(timing, "timing", {"seconds": NUMBER})["seconds"])

    def look(mask: np.ndarray) -> np.ndarray:
        """Return the scores of these cells; those not known yet are a part."""
        missing = mask & np.isnan(parts.matrix.scores)
        if missing.any() and finished:
            raise DataError(f"{path} is damaged (it lacks {int(missing.sum())} cells): {ADVICE}")
        if missing.any():
            parts.number += 1
            cells = int(missing.sum())
            made, seconds = score(partial(load, cells), split=f"{split}-{parts.number}", chosen=missing)
            parts.add(made.cells)
            parts.seconds += seconds
        return np.where(mask, parts.matrix.scores, np.nan)

    measured = measure_matrix(look, len(prompts), len(examples), precision=precision, seed=seed, worst=worst)
    matrix = parts.matrix
    require_cells(path, matrix.cells, ids, places, ~np.isnan(measured.scores))
    _keep(matrix, parts.seconds, path, timing, split)
    return matrix, measured


@dataclass
class _Parts:
    """The cells of all parts so far.

    Attributes:
        prompts: Ids of the P prompts.
        examples: Indices of the N examples.
        number: Parts that were asked for in this run.
        seconds: What scoring all of them took.
    """

    prompts: tuple[str, ...]
    examples: tuple[int, ...]
    number: int = 0
    seconds: float = 0.0
    _cells: dict[tuple[str, int], Cell] = field(default_factory=dict)

    def add(self, cells: Sequence[Cell]) -> None:
        """Take the cells of another part."""
        self._cells |= {(cell.prompt_id, cell.example): cell for cell in cells}

    @property
    def matrix(self) -> Matrix:
        """All cells, prompt by prompt."""
        ordered = [(prompt, example) for prompt in self.prompts for example in self.examples]
        return Matrix(
            self.prompts, self.examples, tuple(self._cells[at] for at in ordered if at in self._cells)
        )


def _keep(matrix: Matrix, seconds: float, path: Path, timing: Path, split: str) -> None:
    """Write the whole, then remove the parts: the first process does, once none reads them any more."""
    rank, world = processes()
    if rank == 0 and not (path.exists() and timing.exists()):
        matrix.save(path)
        write_json(timing, {"seconds": round(seconds, 2)})
    EvaluationLog(path.parent, split, rank=rank, world=world).wait()
    if rank == 0:
        shutil.rmtree(path.parent / PARTS, ignore_errors=True)
