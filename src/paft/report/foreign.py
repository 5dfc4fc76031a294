"""A table of scores from elsewhere, read as the results of a run, so that every report can show it.

Long, one score a row::

    prompt,example,score              also: method, seed
    Is it spam? {text},17,1

or wide, prompts in rows; the columns behind the first are examples, or methods with an accuracy each::

    prompt,1,2,3                      prompt,flan-t5-small,flan-t5-base
    Is it spam? {text},1,0,1          Is it spam? {text},0.36,0.52

Long tables without examples have one accuracy for each prompt. There are no intervals then: what could vary
over examples is not in the table.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from paft.errors import ConfigError, DataError
from paft.evaluate.matrix import Cell, Matrix
from paft.files import fingerprint
from paft.report.data import Report, gather
from paft.statistics.summary import debiased_std, summarize
from paft.task.data import file_rows

Columns = Literal["examples", "methods"]
SPLIT = "table"
PROMPT, EXAMPLE, METHOD, SEED = "prompt", "example", "method", "seed"
SCORES = ("score", "correct", "accuracy")
BOOLEANS = {"true": 1.0, "false": 0.0, "yes": 1.0, "no": 0.0}


class _Score(NamedTuple):
    """A score and where it comes from."""

    where: str
    method: str
    seed: int | None
    prompt: str
    example: str | None
    score: float


@dataclass(frozen=True)
class _Side:
    """The scores of one method under one seed: (P, N), or accuracies (P, 1) where there are no examples."""

    method: str
    seed: int | None
    scores: np.ndarray


def read_foreign_report(
    path: Path,
    *,
    columns: Columns | None = None,
    compare: tuple[str, str] | None = None,
    threshold: float = 0.9,
) -> Report:
    """Return the report of a table of scores.

    Args:
        path: CSV, TSV, JSON, JSON Lines or Parquet.
        columns: What the columns of a wide table are; None for a long one.
        compare: The two methods of the verdict, the first against the second; by default the second of two
            against the first.
        threshold: t of Top@t, in [0, 1].

    Raises:
        DataError: If the file cannot be read, or a score is missing, doubled or not in [0, 1].
        ConfigError: If it is wide and ``columns`` does not say how, or a method to compare is not in it.
    """
    found = list(_read_scores(path, columns))
    prompts = list(dict.fromkeys(each.prompt for each in found))
    examples = list(dict.fromkeys(each.example for each in found))
    sides = _arrange(path, found, prompts, examples)
    methods = list(dict.fromkeys(side.method for side in sides))
    by_example = examples != [None]
    results = _results(path, sides, prompts, len(examples) if by_example else 0, threshold)
    results["compared"] = _compared(path, methods, compare)
    ids = [fingerprint(prompt) for prompt in prompts]
    matrices = {(side.method, side.seed, SPLIT): _matrix(ids, side.scores) for side in sides if by_example}
    return gather(results, matrices)


def _compared(path: Path, methods: Sequence[str], compare: tuple[str, str] | None) -> list[str] | None:
    if compare is None:
        return [methods[1], methods[0]] if len(methods) == 2 else None
    for name in compare:
        if name not in methods:
            raise ConfigError(f"--compare: {path} has no method {name!r} (it has {', '.join(methods)})")
    if compare[0] == compare[1]:
        raise ConfigError(f"--compare: {compare[0]!r} cannot be compared with itself")
    return list(compare)


def _read_scores(path: Path, columns: Columns | None) -> Iterator[_Score]:
    """Yield every score of the file, row by row.

    Raises:
        DataError: As :func:`read_foreign_report`.
        ConfigError: Likewise.
    """
    rows = file_rows(path)
    if not len(rows):
        raise DataError(f"{path} has no row: a table has a head and one row for each score or prompt")
    names = list(rows.first_row)
    value = next((name for name in SCORES if name in names), None)
    if columns is None and (value is None or PROMPT not in names):
        raise ConfigError(
            f"{path} has the columns {', '.join(names)[:200]}: a long table has {PROMPT} and one of "
            f"{', '.join(SCORES)}; of a wide one --columns says what the columns are, examples or methods"
        )
    if columns is not None and len(names) < 2:
        raise DataError(
            f"{path} has one column: a wide table has a prompt and a column for each of the {columns}"
        )
    for where, row in rows:
        if list(row) != names:
            raise DataError(f"{where}: columns {', '.join(map(str, row))} are not those of the first row")
        if columns is None:
            assert value is not None
            yield _long_row(where, row, value)
            continue
        prompt = _name(row[names[0]], where, names[0])
        for name in names[1:]:
            score = _score(row[name], where, name)
            if columns == "methods":
                yield _Score(where, name, None, prompt, None, score)
            else:
                yield _Score(where, path.stem, None, prompt, name, score)


def _long_row(where: str, row: Mapping[str, Any], value: str) -> _Score:
    return _Score(
        where,
        _name(row[METHOD], where, METHOD) if METHOD in row else Path(where.rpartition(":")[0]).stem,
        _seed(row[SEED], where) if SEED in row else None,
        _name(row[PROMPT], where, PROMPT),
        _name(row[EXAMPLE], where, EXAMPLE) if EXAMPLE in row else None,
        _score(row[value], where, value),
    )


def _name(value: Any, where: str, column: str) -> str:
    text = "" if value is None else str(value)
    if not text.strip():
        raise DataError(f"{where}: {column} is empty: every score has one")
    return text


def _seed(value: Any, where: str) -> int | None:
    if value is None or str(value).strip() == "":
        return None
    try:
        return int(str(value))
    except ValueError:
        raise DataError(f"{where}: {SEED} is {str(value)[:40]!r}, no whole number") from None


def _score(value: Any, where: str, column: str) -> float:
    text = str(value).strip()
    try:
        score = BOOLEANS[text.lower()] if text.lower() in BOOLEANS else float(text)
    except ValueError:
        raise DataError(f"{where}: {column[:60]!r} is {text[:40]!r}, no score in [0, 1]") from None
    if 0 <= score <= 1:
        return score
    hint = ": are these percent? Divide by 100" if 1 < score <= 100 else ""
    raise DataError(f"{where}: {column[:60]!r} is {text[:40]}, and a score lies in [0, 1]{hint}")


def _arrange(
    path: Path, found: Sequence[_Score], prompts: Sequence[str], examples: Sequence[str | None]
) -> list[_Side]:
    """Return the scores of each method and seed as an array over prompts and examples.

    Raises:
        DataError: If a score is there twice or not at all, or a method has several unnamed seeds.
    """
    rows = {prompt: place for place, prompt in enumerate(prompts)}
    places = {example: place for place, example in enumerate(examples)}
    tables: dict[tuple[str, int | None], np.ndarray] = {}
    for each in found:
        table = tables.setdefault((each.method, each.seed), np.full((len(rows), len(places)), np.nan))
        at = rows[each.prompt], places[each.example]
        what = f"method {each.method!r}, prompt {each.prompt[:60]!r}" + (
            "" if each.example is None else f", example {each.example[:40]!r}"
        )
        if not np.isnan(table[at]):
            raise DataError(
                f"{each.where}: a second score of {what}: name the seed if they are two trainings"
            )
        table[at] = each.score
    for (method, seed), table in tables.items():
        if np.isnan(table).any():
            row, column = np.argwhere(np.isnan(table))[0]
            of = "" if seed is None else f" under seed {seed}"
            example = "" if examples == [None] else f" on example {examples[column]!r}"
            raise DataError(
                f"{path}: no score of method {method!r}{of} under prompt {prompts[row][:60]!r}{example} "
                f"({int(np.isnan(table).sum())} missing): all methods need the same prompts and examples"
            )
    return [_Side(method, seed, table) for (method, seed), table in tables.items()]


def _results(
    path: Path, sides: Sequence[_Side], prompts: Sequence[str], examples: int, threshold: float
) -> dict[str, Any]:
    """Return what ``results.json`` of a run would hold."""
    rows, per_prompt, robustness = [], [], []
    for side in sides:
        of = {"method": side.method, "seed": side.seed, "split": SPLIT}
        accuracies = side.scores.mean(axis=1)
        summary = vars(summarize(accuracies, threshold))
        counts = {"n_prompts": len(prompts), "n_examples": examples, "train_steps": 0}
        rows.append({**of, **summary, **counts})
        per_prompt += [
            {**of, "prompt_id": fingerprint(prompt), "prompt": prompt, "accuracy": float(accuracy)}
            for prompt, accuracy in zip(prompts, accuracies, strict=True)
        ]
        if examples:
            all_right = (side.scores == 1).all(axis=0).mean()
            some_right = (side.scores == 1).any(axis=0).mean()
            figures = {"debiased_std": debiased_std(side.scores), "all_correct": float(all_right)}
            robustness.append({**of, **figures, "any_correct": float(some_right)})
    return {
        "schema": 2,
        "task": path.stem,
        "model": path.name,
        "bank_fingerprint": fingerprint(list(prompts)),
        "near_duplicates": [],
        "warnings": [],
        "rows": rows,
        "per_prompt": per_prompt,
        "robustness": robustness,
    }


def _matrix(ids: Sequence[str], scores: np.ndarray) -> Matrix:
    cells = [
        Cell(prompt, example, None, True, float(scores[row, example]), 0, ())
        for row, prompt in enumerate(ids)
        for example in range(scores.shape[1])
    ]
    return Matrix(tuple(ids), tuple(range(scores.shape[1])), tuple(cells))
