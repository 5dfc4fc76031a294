"""Score a split in parts until its figures are precise enough (:mod:`paft.statistics.precision`).

Each part holds the cells that the last look found to be needed, and is scored as a split of its own
(:func:`paft.evaluate.runner.evaluate_split`): finished parts and the log of the last one lie in ``parts/``
beside the matrix to come, so that an evaluation that was killed goes on behind its last batch. Which
cells a part holds follows from the seed and from the scores before it, of all models, never from a clock.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np

from paft.errors import DataError
from paft.evaluate.cells import AnyModel
from paft.evaluate.log import EvaluationLog
from paft.evaluate.matrix import Cell, Matrix, require_cells
from paft.evaluate.runner import evaluate_split, processes
from paft.evaluate.settings import Evaluate
from paft.files import write_json
from paft.prompt import Prompt
from paft.shape import ADVICE, NUMBER, read_record
from paft.statistics.budget import PartEstimate
from paft.statistics.precision import Measured, measure_models
from paft.task.task import Example, Task

PARTS = "parts"  # folder beside the matrix


def evaluate_parts(
    load: Callable[[str, int], AnyModel],
    *,
    task: Task,
    prompts: Sequence[Prompt],
    examples: Sequence[Example],
    folders: Mapping[str, Path],
    split: str,
    settings: Evaluate,
    max_length: int,
    precision: float,
    worst: bool,
    seed: int,
    on_cells: Callable[[int], None] | None = None,
) -> tuple[dict[str, Matrix], dict[str, Measured], dict[tuple[str, str], PartEstimate]]:
    """Score as many cells of a split as the precision takes, or return what a former run left.

    Arguments are those of :func:`paft.evaluate.runner.evaluate_split` for each model by its name, and what
    :func:`paft.statistics.precision.measure_models` takes; ``load`` is also given the number of cells of the
    part that is to be scored.

    Returns:
        The matrix of each model with the cells that were scored, what they say, and the mean of one model
        less that of another by their names, in this order.

    Raises:
        DataError: If a matrix that a former run left is damaged.
    """
    ids, places = tuple(prompt.id for prompt in prompts), tuple(example.index for example in examples)

    def score(name: str, folder: Path, part: str, chosen: np.ndarray) -> tuple[Matrix, float]:
        """Score these cells of a model as a split of their own."""
        return evaluate_split(
            partial(load, name, int(chosen.sum())), task, prompts, examples, folder=folder / PARTS,
            split=part, settings=settings, max_length=max_length, on_cells=on_cells, chosen=chosen,
        )  # fmt: skip

    parts = [
        _Parts(ids, places, folder, split, partial(score, name, folder)) for name, folder in folders.items()
    ]
    found, differences = measure_models(
        [each.look for each in parts], len(ids), len(places), precision=precision, seed=seed, worst=worst
    )
    for each, measured in zip(parts, found, strict=True):
        each.keep(measured)
    names = list(folders)
    return (
        {name: each.matrix for name, each in zip(names, parts, strict=True)},
        dict(zip(names, found, strict=True)),
        {(names[later], names[earlier]): made for (earlier, later), made in differences.items()},
    )


@dataclass
class _Parts:
    """The cells of all parts of one model so far.

    Attributes:
        prompts: Ids of the P prompts.
        examples: Indices of the N examples.
        folder: Where the matrix goes.
        split: Its name.
        score: Scores chosen cells as a split of a name, and says how many seconds it took.
        finished: Whether a former run left the whole.
        number: Parts that were asked for in this run.
        seconds: What scoring all of them took.
    """

    prompts: tuple[str, ...]
    examples: tuple[int, ...]
    folder: Path
    split: str
    score: Callable[[str, np.ndarray], tuple[Matrix, float]]
    finished: bool = False
    number: int = 0
    seconds: float = 0.0
    _cells: dict[tuple[str, int], Cell] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.finished = self._path.exists() and self._timing.exists()
        if self.finished:
            self._add(Matrix.load(self._path).cells)
            self.seconds = float(read_record(self._timing, "timing", {"seconds": NUMBER})["seconds"])

    def look(self, mask: np.ndarray) -> np.ndarray:
        """Return the scores of these cells, NaN elsewhere; those not known yet are scored as a part."""
        missing = mask & np.isnan(self.matrix.scores)
        if missing.any() and self.finished:
            raise DataError(f"{self._path} is damaged (it lacks {int(missing.sum())} cells): {ADVICE}")
        if missing.any():
            self.number += 1
            made, seconds = self.score(f"{self.split}-{self.number}", missing)
            self._add(made.cells)
            self.seconds += seconds
        return np.where(mask, self.matrix.scores, np.nan)

    def keep(self, measured: Measured) -> None:
        """Write the whole, then remove the parts: the first process does, once none reads them any more."""
        require_cells(self._path, self.matrix.cells, self.prompts, self.examples, ~np.isnan(measured.scores))
        rank, world = processes()
        if rank == 0 and not (self._path.exists() and self._timing.exists()):
            self.matrix.save(self._path)
            write_json(self._timing, {"seconds": round(self.seconds, 2)})
        EvaluationLog(self.folder, self.split, rank=rank, world=world).wait()
        if rank == 0:
            shutil.rmtree(self.folder / PARTS, ignore_errors=True)

    @property
    def matrix(self) -> Matrix:
        """All cells, prompt by prompt."""
        ordered = [(prompt, example) for prompt in self.prompts for example in self.examples]
        return Matrix(
            self.prompts, self.examples, tuple(self._cells[at] for at in ordered if at in self._cells)
        )

    def _add(self, cells: Sequence[Cell]) -> None:
        """Take the cells of another part."""
        self._cells |= {(cell.prompt_id, cell.example): cell for cell in cells}

    @property
    def _path(self) -> Path:
        return self.folder / f"{self.split}.parquet"

    @property
    def _timing(self) -> Path:
        return self.folder / f"{self.split}.json"
