"""Tables of scores from elsewhere: which column holds what, and every score with its place.

Long, one score a row::

    prompt,example,score              also: method, seed, split, prediction
    Is it spam? {text},17,1

or wide, prompts in rows; the other columns are examples, or methods with an accuracy each::

    prompt,1,2,3                      prompt,flan-t5-small,flan-t5-base
    Is it spam? {text},1,0,1          Is it spam? {text},0.36,0.52

The columns of a run's own tables (``paft report --format csv``, the Parquet files of its cells) are known
too.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

from paft.errors import ConfigError, DataError
from paft.evaluate.matrix import Cell
from paft.report.text import CSV_COLUMNS
from paft.task.data import file_rows

Columns = Literal["examples", "methods"]
PROMPT, EXAMPLE, METHOD, SEED, SPLIT = "prompt", "example", "method", "seed", "split"
PREDICTION = "prediction"
PROMPT_ID = "prompt_id"  # stands in for the prompt in the cells of a run
SCORES = ("score", "correct", "accuracy")
BOOLEANS = {"true": 1.0, "false": 0.0, "yes": 1.0, "no": 0.0}
# A run's own tables have them; what they say here follows from the other columns.
OF_RUNS = {*CSV_COLUMNS, *(field.name for field in dataclasses.fields(Cell))} - {*SCORES, PREDICTION}


class Score(NamedTuple):
    """A score and where it comes from.

    Attributes:
        where: File and line.
        split: None in a table without splits, likewise ``seed`` and ``example``.
        method: The file's name in a table without methods.
        score: In [0, 1]; of a whole prompt where there are no examples.
        prediction: The answer; None where it could not be read, or the table has none.
    """

    where: str
    split: str | None
    method: str
    seed: int | None
    prompt: str
    example: str | None
    score: float
    prediction: str | None


@dataclass(frozen=True)
class ScoreTable:
    """What a file holds; ``predicted`` is whether it has a column of answers."""

    scores: list[Score]
    predicted: bool


@dataclass(frozen=True)
class _Layout:
    """The columns by what they hold, None for what a table lacks.

    ``scores`` is one column in a long table; in a wide one they are examples or methods, as ``wide`` says.
    """

    prompt: str
    scores: tuple[str, ...]
    wide: Columns | None
    method: str | None
    seed: str | None
    split: str | None
    example: str | None = None
    prediction: str | None = None


def read_scores(path: Path, columns: Columns | None) -> ScoreTable:
    """Read every score of a file.

    Args:
        path: CSV, TSV, JSON, JSON Lines or Parquet.
        columns: What the columns of a wide table are; None for a long one.

    Raises:
        DataError: If the file cannot be read, a column is unknown, or a score is not in [0, 1].
        ConfigError: If the table is wide and ``columns`` does not say so, or the other way round.
    """
    rows = file_rows(path)
    if not len(rows):
        raise DataError(f"{path} has no row: a table has a head and one row for each score or prompt")
    names = list(rows.first_row)
    layout = _wide_layout(path, names, columns) if columns else _long_layout(path, names)
    scores = []
    for where, row in rows:
        if set(row) != set(names):
            different = ", ".join(sorted(map(str, set(row) ^ set(names))))
            raise DataError(f"{where}: not every row has the columns {different[:200]}: name all in each")
        scores += _row_scores(where, row, layout, path.stem)
    return ScoreTable(scores, layout.prediction is not None)


def _long_layout(path: Path, names: Sequence[str]) -> _Layout:
    prompt = next((name for name in (PROMPT, PROMPT_ID) if name in names), None)
    values = [name for name in SCORES if name in names]
    if prompt is None or not values:
        raise ConfigError(
            f"{path} has the columns {', '.join(names)[:200]}: a long table has {PROMPT} and one of "
            f"{', '.join(SCORES)}; of a wide one --columns says what the columns are, examples or methods"
        )
    if len(values) > 1:
        raise DataError(f"{path}: {' and '.join(values)} could both be the score: remove or rename one")
    predicted = PREDICTION if EXAMPLE in names and PREDICTION in names else None
    has = {name: name if name in names else None for name in (METHOD, SEED, SPLIT, EXAMPLE)}
    known = {prompt, *values, *has, predicted, *OF_RUNS}
    # Writers of tables may put the number of the row into a column without a name.
    unknown = [name for name in names if name.strip() and name not in known]
    if unknown:
        raise DataError(
            f"{path}: unknown column {unknown[0][:60]!r}: a long table has {PROMPT} and {values[0]}, and may "
            f"have {METHOD}, {SEED}, {SPLIT}, {EXAMPLE} and with it {PREDICTION}; remove or rename it, or "
            "say with --columns what the columns of a wide table are"
        )
    return _Layout(prompt, (values[0],), None, has[METHOD], has[SEED], has[SPLIT], has[EXAMPLE], predicted)


def _wide_layout(path: Path, names: Sequence[str], columns: Columns) -> _Layout:
    value = next((name for name in SCORES if name in names), None)
    if value is not None and EXAMPLE in names:
        raise ConfigError(f"{path} is a long table (it has {EXAMPLE} and {value}): leave --columns out")
    has = {name: name if name in names else None for name in (METHOD, SEED, SPLIT)}
    if columns == "methods" and has[METHOD]:
        raise ConfigError(f"{path} has a column {METHOD}: its other columns cannot be methods too")
    rest = [name for name in names if name not in has]
    prompt = PROMPT if PROMPT in rest else rest[0] if rest else ""
    scores = tuple(name for name in rest if name != prompt and name.strip())
    if not scores:
        raise DataError(
            f"{path} has one column: a wide table has a prompt and a column for each of the {columns}"
        )
    return _Layout(prompt, scores, columns, has[METHOD], has[SEED], has[SPLIT])


def _row_scores(where: str, row: Mapping[str, Any], layout: _Layout, stem: str) -> list[Score]:
    """Return the scores in a row.

    Raises:
        DataError: As :func:`read_scores`.
    """
    split = _name(row[layout.split], where, SPLIT) if layout.split else None
    method = _name(row[layout.method], where, METHOD) if layout.method else stem
    seed = _seed(row[layout.seed], where) if layout.seed else None
    prompt = _name(row[layout.prompt], where, layout.prompt or PROMPT)
    example = _name(row[layout.example], where, EXAMPLE) if layout.example else None
    prediction = row[layout.prediction] if layout.prediction else None
    # An answer that could not be read is nothing in CSV, which has no null.
    answer = None if prediction is None or prediction == "" else str(prediction)
    return [
        Score(
            where,
            split,
            name if layout.wide == "methods" else method,
            seed,
            prompt,
            name if layout.wide == "examples" else example,
            _score(row[name], where, name),
            answer,
        )
        for name in layout.scores
    ]


def _name(value: Any, where: str, column: str) -> str:
    text = "" if value is None else str(value)
    if not text.strip():
        raise DataError(f"{where}: {column} is empty: every score has one")
    return text


def _seed(value: Any, where: str) -> int | None:
    """Return a seed, None where there is none; pandas writes whole numbers with gaps as 0.0, nan."""
    text = "" if value is None else str(value).strip()
    if text.lower() in ("", "nan"):
        return None
    try:
        return int(text.removesuffix(".0"))
    except ValueError:
        raise DataError(
            f"{where}: {SEED} is {text[:40]!r}, no whole number: give one, or nothing for a model without"
        ) from None


def _score(value: Any, where: str, column: str) -> float:
    text = "" if value is None else str(value).strip()
    what = f"{where}: {column[:60]!r}"
    if text.lower() in ("", "nan", "none", "null"):
        raise DataError(f"{what} has no score: score the cell, or leave its prompt or example out")
    try:
        score = BOOLEANS[text.lower()] if text.lower() in BOOLEANS else float(text)
    except ValueError:
        hint = ": divide percent by 100" if text.endswith("%") else ": give a number, or true or false"
        raise DataError(f"{what} is {text[:40]!r}, no score in [0, 1]{hint}") from None
    if 0 <= score <= 1:
        return score
    hint = ": are these percent? Divide by 100" if 1 < score <= 100 else ": bring the scores to this range"
    raise DataError(f"{what} is {text[:40]}, and a score lies in [0, 1]{hint}")
