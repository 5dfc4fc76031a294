"""A table of scores from elsewhere (:mod:`paft.report.foreign_scores`) as the results of a run.

So every report can show it, with the same figures, intervals and verdict. Accuracies by prompt, without
examples, have no intervals: what could vary over examples is not in the table.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from paft.errors import ConfigError, DataError
from paft.evaluate.matrix import Cell, Matrix
from paft.evaluate.rows import robustness_row
from paft.files import fingerprint
from paft.report.data import Report, gather
from paft.report.foreign_scores import Columns, Score, ScoreTable, read_scores
from paft.statistics.summary import summarize

TABLE = "table"  # the split of a table that names none
UNSEEN = "test"  # the split that is reported where there are several
NUMBER = re.compile("0|[1-9][0-9]{0,15}")
OF_ANSWERS = ("consistency", "parse_rate", "accuracy_given_parsed", "flip_rate")


@dataclass(frozen=True)
class _Side:
    """The scores of one method under one seed: (P, N), or accuracies (P, 1) where there are no examples.

    ``predictions`` are the answers, (P, N) of str or None; None where the table has no column of them.
    """

    method: str
    seed: int | None
    scores: np.ndarray
    predictions: np.ndarray | None


def read_foreign_report(
    path: Path,
    *,
    columns: Columns | None = None,
    split: str | None = None,
    compare: tuple[str, str] | None = None,
    threshold: float = 0.9,
) -> Report:
    """Return the report of a table of scores.

    Args:
        path: CSV, TSV, JSON, JSON Lines or Parquet.
        columns: What the columns of a wide table are; None for a long one.
        split: Which prompts to report, of a table with several splits; by default ``test``.
        compare: The two methods of the verdict, the first against the second; by default the second of two
            against the first.
        threshold: t of Top@t, in [0, 1].

    Raises:
        DataError: If the file cannot be read, a column is unknown, or a score is missing, doubled or not
            in [0, 1].
        ConfigError: If an option does not fit the table, or one is needed to know what it holds.
    """
    table = read_scores(path, columns)
    split, found = _choose_split(path, table, split)
    prompts = list(dict.fromkeys(each.prompt for each in found))
    examples = _order_examples(found)
    sides = _arrange(path, found, prompts, examples, table.predicted)
    results = _empty_results(path, prompts)
    results["compared"] = _compared(path, list(dict.fromkeys(side.method for side in sides)), compare)
    numbers = _numbers(examples)
    indices = list(range(len(examples))) if numbers is None else numbers
    if numbers is None and examples != [None]:
        results["example_names"] = dict(zip(map(str, indices), examples, strict=True))
    matrices = {}
    for side in sides:
        matrix = None if examples == [None] else _matrix(prompts, indices, side)
        _add_side(results, split, prompts, side, matrix, threshold)
        if matrix is not None:
            matrices[side.method, side.seed, split] = matrix
    return gather(results, matrices, keep_threshold=True)


def _choose_split(path: Path, table: ScoreTable, asked: str | None) -> tuple[str, list[Score]]:
    """Return the split to report and its scores.

    Raises:
        ConfigError: If the one asked for is not there, or nobody says which of several.
    """
    splits = [split for split in dict.fromkeys(each.split for each in table.scores) if split is not None]
    has = f"the splits {', '.join(splits)}" if splits else "no column split"
    if asked is not None and asked not in splits:
        raise ConfigError(f"--split: {path} has no split {asked!r} (it has {has})")
    if not splits:
        return TABLE, table.scores
    chosen = asked or (splits[0] if len(splits) == 1 else UNSEEN)
    if chosen not in splits:
        raise ConfigError(f"{path} has {has}: say with --split which to report")
    return chosen, [each for each in table.scores if each.split == chosen]


def _compared(path: Path, methods: Sequence[str], compare: tuple[str, str] | None) -> list[str] | None:
    if compare is None:
        return [methods[1], methods[0]] if len(methods) == 2 else None
    for name in compare:
        if name not in methods:
            raise ConfigError(f"--compare: {path} has no method {name!r} (it has {', '.join(methods)})")
    if compare[0] == compare[1]:
        raise ConfigError(f"--compare: {compare[0]!r} cannot be compared with itself")
    return list(compare)


def _order_examples(found: Sequence[Score]) -> list[str | None]:
    """Return the examples in order: numbers by size, as a run has them, other names as they first appear."""
    names = list(dict.fromkeys(each.example for each in found))
    numbers = _numbers(names)
    return names if numbers is None else [name for _, name in sorted(zip(numbers, names, strict=True))]


def _numbers(names: Sequence[str | None]) -> list[int] | None:
    """Return names of examples as numbers; None if one of them is not as a number is written."""
    numbers = [int(name) for name in names if name is not None and NUMBER.fullmatch(name)]
    return numbers if len(numbers) == len(names) else None


def _arrange(
    path: Path,
    found: Sequence[Score],
    prompts: Sequence[str],
    examples: Sequence[str | None],
    predicted: bool,
) -> list[_Side]:
    """Return the scores of each method and seed as an array over prompts and examples.

    Raises:
        DataError: If a score is there twice or not at all, or a method has several unnamed seeds.
    """
    rows = {prompt: place for place, prompt in enumerate(prompts)}
    places = {example: place for place, example in enumerate(examples)}
    shape = len(rows), len(places)
    sides: dict[tuple[str, int | None], _Side] = {}
    for each in found:
        key = each.method, each.seed
        if key not in sides:
            sides[key] = _Side(*key, np.full(shape, np.nan), np.full(shape, None) if predicted else None)
        side, at = sides[key], (rows[each.prompt], places[each.example])
        if not np.isnan(side.scores[at]):
            cell = _where(each.method, each.seed, each.prompt, each.example)
            raise DataError(
                f"{each.where}: a second score of {cell}: name the seed if they are two trainings, else "
                "remove one"
            )
        side.scores[at] = each.score
        if side.predictions is not None:
            side.predictions[at] = each.prediction
    for side in sides.values():
        missing = np.argwhere(np.isnan(side.scores))
        if len(missing):
            row, column = missing[0]
            raise DataError(
                f"{path}: no score of {_where(side.method, side.seed, prompts[row], examples[column])} "
                f"({len(missing)} missing): all methods need the same prompts and "
                "examples: score it, or leave the prompt or the example out"
            )
    return list(sides.values())


def _where(method: str, seed: int | None, prompt: str, example: str | None) -> str:
    """Name a cell in an error."""
    of = "" if seed is None else f", seed {seed}"
    on = "" if example is None else f", example {example[:40]!r}"
    return f"method {method[:60]!r}{of}, prompt {prompt[:60]!r}{on}"


def _empty_results(path: Path, prompts: Sequence[str]) -> dict[str, Any]:
    """Return what ``results.json`` of a run would hold, without figures."""
    return {
        "schema": 2,
        "task": path.stem,
        "model": path.name,
        TABLE: path.name,
        "bank_fingerprint": fingerprint(list(prompts)),
        "near_duplicates": [],
        "warnings": [],
        "rows": [],
        "per_prompt": [],
        "robustness": [],
    }


def _add_side(
    results: dict[str, Any], split: str, prompts: Sequence[str], side: _Side, matrix: Matrix | None,
    threshold: float,
) -> None:  # fmt: skip
    """Add the figures of a method under a seed, as a run has them."""
    of = {"method": side.method, "seed": side.seed, "split": split}
    accuracies = side.scores.mean(axis=1)
    examples = 0 if matrix is None else len(matrix.examples)
    counts = {"n_prompts": len(prompts), "n_examples": examples, "train_steps": 0}
    results["rows"].append({**of, **vars(summarize(accuracies, threshold)), **counts})
    read = None if matrix is None or side.predictions is None else matrix.parsed.mean(axis=1)
    for place, (prompt, accuracy) in enumerate(zip(prompts, accuracies, strict=True)):
        rate = {} if read is None else {"parse_rate": float(read[place])}
        named = {"prompt_id": fingerprint(prompt), "prompt": prompt, "accuracy": float(accuracy)}
        results["per_prompt"].append({**of, **named, **rate})
    if matrix is not None:
        figures = robustness_row(side.method, side.seed, split, {split: matrix}, threshold)
        unknown = OF_ANSWERS if side.predictions is None else ()
        results["robustness"].append(figures | dict.fromkeys(unknown))


def _matrix(prompts: Sequence[str], indices: Sequence[int], side: _Side) -> Matrix:
    ids, cells = [fingerprint(prompt) for prompt in prompts], []
    for row, prompt in enumerate(ids):
        for column, index in enumerate(indices):
            answer = None if side.predictions is None else side.predictions[row, column]
            parsed = side.predictions is None or answer is not None
            cells.append(Cell(prompt, index, answer, parsed, float(side.scores[row, column]), 0, ()))
    return Matrix(tuple(ids), tuple(indices), tuple(cells))
