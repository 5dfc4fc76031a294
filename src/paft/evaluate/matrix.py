"""The matrix: one model's score for every (prompt, example) cell.

Stored as Parquet, one row per cell: ``prompt_id``, ``example`` (index in the split's data),
``prediction``, ``parsed``, ``score`` in [0, 1], ``tokens`` (generated; 0 where options were compared),
``log_probabilities`` (nats per option, in option order; empty where the answer was generated),
``truncated`` (the prompt lost its first tokens to ``max_length``), ``tie`` (the two likeliest
options are within rounding of each other), ``context_tokens`` (of the rendered prompt), ``cut`` (the
generated answer ended at its limit of tokens, not by itself), ``withheld`` (a server's content filter
or the model's refusal stands in the answer's place) and ``sampled`` (a server's model takes no
temperature, so the answer is not the greedy one). Files of former versions lack the last three.
Behind a server every answer is generated, those of closed rules too, and the server counts the
tokens; ``generate`` asks for the same of a model in this process.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from paft.errors import DataError
from paft.files import write_atomically
from paft.shape import ADVICE
from paft.spreadsheet import make_frame

if TYPE_CHECKING:
    from pandas import DataFrame


@dataclass(frozen=True)
class Cell:
    """Outcome of one prompt on one example; fields as in the module docstring.

    ``reply``, what was generated, is for whoever asks now and is not stored.
    """

    prompt_id: str
    example: int
    prediction: str | None
    parsed: bool
    score: float
    tokens: int
    log_probabilities: tuple[float, ...]
    truncated: bool = False
    tie: bool = False
    context_tokens: int = 0
    cut: bool = False
    withheld: bool = False
    sampled: bool = False
    reply: str | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, repr=False)
class Matrix:
    """Cells of P prompts x N examples.

    Attributes:
        prompt_ids: Ids of the prompts, in order (P).
        examples: Indices of the examples, in order (N).
        cells: The cells that were scored, prompt by prompt; P x N unless only some were chosen.
    """

    prompt_ids: tuple[str, ...]
    examples: tuple[int, ...]
    cells: tuple[Cell, ...]

    def __repr__(self) -> str:
        size = f"{len(self.prompt_ids)} prompts x {len(self.examples)} examples"
        share = "" if self.complete else f", {len(self.cells)} cells of them"
        mean = f", mean score {np.mean([cell.score for cell in self.cells]):.3f}" if self.cells else ""
        return f"Matrix({size}{share}{mean})"

    def _repr_html_(self) -> str:
        """The mean score under each prompt, for notebooks."""
        scored = [row[~np.isnan(row)] for row in self.scores]
        rows = "".join(
            f"<tr><td><code>{escape(id_)}</code></td><td>{len(found)}</td>"
            f"<td>{f'{found.mean():.3f}' if len(found) else '-'}</td></tr>"
            for id_, found in zip(self.prompt_ids, scored, strict=True)
        )
        head = "<tr><th>prompt</th><th>cells</th><th>mean score</th></tr>"
        return f"<table><caption>{escape(repr(self))}</caption>{head}{rows}</table>"

    def frame(self) -> DataFrame:
        """Return the cells as a pandas DataFrame, a row each; columns as in the module docstring.

        Raises:
            DataError: If pandas is not installed.
        """
        return make_frame([vars(cell) for cell in self.cells])

    @property
    def scores(self) -> np.ndarray:
        """Scores, (P, N) of float in [0, 1]; NaN where a cell was not scored."""
        return self._spread([cell.score for cell in self.cells], np.nan)

    @property
    def parsed(self) -> np.ndarray:
        """Whether an answer could be read, (P, N) of bool; False where a cell was not scored."""
        return self._spread([cell.parsed for cell in self.cells], False)

    @property
    def complete(self) -> bool:
        """Whether every cell was scored."""
        return len(self.cells) == len(self.prompt_ids) * len(self.examples)

    def _spread(self, values: Sequence[float | bool], missing: float | bool) -> np.ndarray:
        rows = {prompt: place for place, prompt in enumerate(self.prompt_ids)}
        columns = {example: place for place, example in enumerate(self.examples)}
        table = np.full((len(rows), len(columns)), missing)
        at = [rows[cell.prompt_id] for cell in self.cells], [columns[cell.example] for cell in self.cells]
        table[at] = values
        return table

    def save(self, path: Path) -> None:
        """Write Parquet atomically."""
        import pyarrow
        from pyarrow import parquet

        rows = [{**vars(cell), "log_probabilities": list(cell.log_probabilities)} for cell in self.cells]
        table = pyarrow.Table.from_pylist(rows, schema=_parquet_schema())
        write_atomically(path, lambda part: parquet.write_table(table, part))

    @classmethod
    def load(cls, path: Path) -> Matrix:
        """Read what :meth:`save` wrote.

        Raises:
            DataError: If the file is missing, damaged or no matrix.
        """
        import pyarrow
        from pyarrow import parquet

        try:
            rows = parquet.read_table(path).to_pylist()
            cells = tuple(
                Cell(**{**row, "log_probabilities": tuple(row["log_probabilities"])}) for row in rows
            )
        except (OSError, pyarrow.ArrowException, KeyError, TypeError, ValueError) as error:
            raise DataError(f"{path} is no readable matrix: {' '.join(str(error).split())[:200]}") from error
        check_cells(path, cells)
        prompts = tuple(dict.fromkeys(cell.prompt_id for cell in cells))
        examples = tuple(sorted({cell.example for cell in cells}))
        return cls(prompts, examples, cells)


def _parquet_schema() -> object:
    import pyarrow as pa

    return pa.schema(
        [
            ("prompt_id", pa.string()),
            ("example", pa.int64()),
            ("prediction", pa.string()),
            ("parsed", pa.bool_()),
            ("score", pa.float64()),
            ("tokens", pa.int64()),
            ("log_probabilities", pa.list_(pa.float64())),
            ("truncated", pa.bool_()),
            ("tie", pa.bool_()),
            ("context_tokens", pa.int64()),
            ("cut", pa.bool_()),
            ("withheld", pa.bool_()),
            ("sampled", pa.bool_()),
        ]
    )


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

    Asked for are the cells of these prompts (ids) and examples (indices), or some of them: ``chosen``, (P, N)
    of bool.

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
    for kind, wrong in (("lacks", set(wanted) - set(found)), ("has too many", set(found) - set(wanted))):
        if wrong:
            prompt, example = min(wrong)
            raise DataError(
                f"{path} is damaged (it {kind}: {len(wrong)} of {len(wanted)} cells, the first of prompt "
                f"{prompt} and example {example}): {ADVICE}"
            )
    if chosen is None and found != wanted:
        raise DataError(f"{path} is damaged (its rows stand in another order): {ADVICE}")


def _wrong(cell: Cell) -> str:
    """Say what is wrong with one cell; an empty text where nothing is."""
    if not isinstance(cell.prompt_id, str) or not isinstance(cell.example, int):
        return f"prompt {cell.prompt_id!r} and example {cell.example!r}"
    if not isinstance(cell.score, float) or not 0 <= cell.score <= 1:
        return f"score {cell.score!r}"
    if not isinstance(cell.parsed, bool) or not isinstance(cell.tokens, int):
        return f"parsed {cell.parsed!r}, tokens {cell.tokens!r}"
    return ""
