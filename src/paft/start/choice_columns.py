"""Columns that hold the options of a multiple-choice question, one option each."""

from __future__ import annotations

import re
import string
from collections.abc import Sequence
from dataclasses import dataclass

from paft.start.columns import Column
from paft.task.numerals import read_number

LETTERS = string.ascii_uppercase
_ENDING = re.compile(r"^(.*?)[ _.-]?([A-Za-z]|\d{1,2})$")


@dataclass(frozen=True)
class ChoiceColumns:
    """The columns with options and how the answer names one.

    Attributes:
        columns: One column an option, in order.
        options: The letters, or what stands for them in the data, as a task file has them.
        why: What the guess rests on.
    """

    columns: tuple[Column, ...]
    options: list[str] | dict[str, str]
    why: str


def find_choices(columns: Sequence[Column], label: Column) -> ChoiceColumns | None:
    """Return the columns that the answers choose from, None if there are none."""
    named = {number if (number := read_number(text)) else text.strip() for text in label.filled}
    for family in _families([column for column in columns if column is not label]):
        letters = LETTERS[: len(family)]
        told = [column.name for column in family]
        for keys, how in (
            (list(letters), "a letter"),
            (list(letters.lower()), "a letter"),
            ([str(i) for i in range(len(family))], "a number, counted from 0"),
            ([str(i + 1) for i in range(len(family))], "a number, counted from 1"),
            (told, "a column's name"),
        ):
            # Unless the first, counted from 0, or the last, counted from 1, occurs, nobody knows which it is.
            sure = {"0": "0" in named, "1": keys[-1] in named}.get(how[-1], True)
            if named <= set(keys) and sure:
                options = list(letters) if keys == list(letters) else dict(zip(keys, letters, strict=True))
                why = f"the answer is {how} for one of {', '.join(told)}"
                return ChoiceColumns(tuple(family), options, why)
    return None


def _families(columns: Sequence[Column]) -> list[list[Column]]:
    """Return columns of one name but for a letter or number at its end, which counts up from the first."""
    stems: dict[str, list[tuple[str, Column]]] = {}
    for column in columns:
        match = _ENDING.match(column.name)
        if match and column.kind not in ("empty", "nested", "date"):
            stems.setdefault(match[1].lower(), []).append((match[2].upper(), column))
    found = []
    for members in stems.values():
        endings = [ending for ending, _ in members]
        runs = [list(LETTERS), [str(i) for i in range(100)], [str(i) for i in range(1, 100)]]
        if 2 <= len(endings) <= len(LETTERS) and any(endings == run[: len(endings)] for run in runs):
            found.append([column for _, column in members])
    return sorted(found, key=len, reverse=True)
