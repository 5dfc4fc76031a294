"""Files of ours that were damaged: cut off, overwritten, edited, half restored from a backup.

What is read is held against its shape before anything is made of it, so that a damaged file is one
line with its name and what is wrong, not a traceback from the depths, and not a wrong figure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from paft.errors import DataError, PaftError
from paft.files import read_json

ADVICE = "restore it, or delete it and run the same command again"
NUMBER = (int, float)
OPTIONAL_NUMBER = (int, float, type(None))

# What everything that reads these files needs; they hold more.
ROW = {
    "method": str, "seed": (int, type(None)), "split": str, "mean": NUMBER, "std": OPTIONAL_NUMBER,
    "min": NUMBER, "max": NUMBER, "top": NUMBER, "top_threshold": NUMBER, "n_prompts": int,
    "n_examples": int, "train_steps": int,
}  # fmt: skip
PROMPT_ROW = {
    "method": str, "seed": (int, type(None)), "split": str, "prompt_id": str, "prompt": str,
    "accuracy": NUMBER,
}  # fmt: skip
RESULTS = {
    "rows": [ROW], "per_prompt": [PROMPT_ROW], "warnings": [str], "task": str, "model": str,
    "bank_fingerprint": str,
}  # fmt: skip
TRIAL = {"rows": [ROW], "per_prompt": [PROMPT_ROW], "warnings": [str], "robustness": []}
ESTIMATE = {"value": NUMBER, "standard_error": NUMBER, "low": NUMBER, "high": NUMBER}
BUDGET = {"prompts": int, "examples": int, "cells": int, "mean": ESTIMATE, "std": ESTIMATE}
WORST = {"value": NUMBER, "low": NUMBER, "high": NUMBER, "prompt": str}
PRECISION = {"precision": NUMBER, "looks": [int], "worst": WORST}  # what a budget may have besides
COMPARED = {  # a budget of several models, each of which may have a worst prompt
    "prompts": int, "examples": int, "cells": int, "precision": NUMBER, "looks": [int], "compared": [str],
    "models": [{"name": str, "cells": int, "mean": ESTIMATE, "std": ESTIMATE}],
    "differences": [{"first": str, "second": str, **ESTIMATE}],
}  # fmt: skip
TRAINED = {
    "steps": int,
    "tokens": int,
    "seconds": NUMBER,
    "truncated": int,
    "looked_at": int,
    "by_prompt": {},
}


def read_record(path: Path, what: str, shape: Mapping[str, Any]) -> dict[str, Any]:
    """Return the object in a JSON file of ours; ``what`` it is, is named in errors.

    A shape is a type (or types) by key, for what must be there; a list with one shape for a list of
    such, a mapping for an object.

    Raises:
        DataError: If it cannot be read or has another shape; file and place are named.
    """
    try:
        data = read_json(path, what)
    except DataError as error:
        raise DataError(f"{error}; {ADVICE}") from None
    wrong = difference(data, shape)
    if wrong:
        raise DataError(f"{path} is damaged ({wrong}): {ADVICE}")
    found: dict[str, Any] = data
    return found


def difference(data: Any, shape: Any, place: str = "") -> str:
    """Say where data have another shape; an empty text where they have not.

    >>> difference({"rows": [{"mean": "x"}]}, {"rows": [{"mean": NUMBER}]})
    "rows[0].mean is 'x'"
    >>> difference([], {"rows": []}), difference({}, {"rows": []})
    ('it is a list, no object', 'rows is missing')
    """
    if isinstance(shape, Mapping):
        if not isinstance(data, Mapping):
            return f"{place or 'it'} is a {type(data).__name__}, no object"
        inside = f"{place}." if place else ""
        missing = next((key for key in shape if key not in data), None)
        if missing is not None:
            return f"{inside}{missing} is missing"
        return _first(difference(data[key], shape[key], inside + key) for key in shape)
    if isinstance(shape, list):
        if not isinstance(data, list):
            return f"{place} is a {type(data).__name__}, no list"
        return _first(difference(item, shape[0], f"{place}[{n}]") for n, item in enumerate(data) if shape)
    types = shape if isinstance(shape, tuple) else (shape,)
    if isinstance(data, types) and (bool in types or not isinstance(data, bool)):
        return ""
    return f"{place} is {str(data)[:40]!r}"


@contextmanager
def interpreted(path: Path) -> Iterator[None]:
    """Blame a file for what goes wrong while figures are laid out that it alone holds.

    Raises:
        DataError: Instead of an error about a missing key or a value of another kind.
    """
    try:
        yield
    except PaftError:
        raise
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, ZeroDivisionError) as error:
        problem = " ".join(f"{type(error).__name__}: {error}".split())[:120]
        raise DataError(
            f"{path} is damaged, its figures do not fit together ({problem}): {ADVICE}"
        ) from error


def _first(found: Iterator[str]) -> str:
    return next(filter(None, found), "")
