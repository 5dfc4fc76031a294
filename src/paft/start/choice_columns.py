"""Columns that hold the options of a multiple-choice question, one option each."""

from __future__ import annotations

import re
import string
from collections.abc import Sequence
from dataclasses import dataclass

from paft.start.columns import Column
from paft.task.numerals import read_number

LETTERS = string.ascii_uppercase
# Columns of such names are options whatever the answers are; others may be two texts that are compared.
_OF_OPTIONS = frozenset(
    "option opt choice ending sol solution answer ans alternative alt candidate quiz response way".split()  # noqa: SIM905
)
_ENDING = re.compile(r"^(.*?)[ _.-]?([A-Za-z]|\d{1,2})$")


@dataclass(frozen=True)
class ChoiceColumns:
    """The columns with options and how the answer names one.

    Attributes:
        columns: One column an option, in order.
        options: The letters, or what stands for them in the data, as a task file has them.
        why: What the guess rests on.
        sure: Whether nothing else is plausible.
    """

    columns: tuple[Column, ...]
    options: list[str] | dict[str, str]
    why: str
    sure: bool


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
            occurs = {"0": "0" in named, "1": keys[-1] in named}.get(how[-1])
            if named <= set(keys) and occurs is not False:
                options = list(letters) if keys == list(letters) else dict(zip(keys, letters, strict=True))
                why = f"the answer is {how} for one of {', '.join(told)}"
                sure = occurs is None or _are_options(family)
                return ChoiceColumns(tuple(family), options, why, sure)
    return None


def _are_options(family: Sequence[Column]) -> bool:
    """Whether the names of columns say that they are options: a letter each, or a word for options."""
    words = family[0].words
    return len(family[0].name) == 1 or bool(_OF_OPTIONS & {*words, words[-1].rstrip("0123456789")})


def _families(columns: Sequence[Column]) -> list[list[Column]]:
    """Return columns of one name but for a letter or number at its end, which counts up from the first."""
    stems: dict[str, list[tuple[str, Column]]] = {}
    for column in columns:
        match = _ENDING.match(column.name)
        if match and (
            column.kind in ("text", "words") or (column.kind == "number" and _are_options([column]))
        ):
            stems.setdefault(match[1].lower(), []).append((match[2].upper(), column))
    found = []
    for members in stems.values():
        endings = [ending for ending, _ in members]
        runs = [list(LETTERS), [str(i) for i in range(100)], [str(i) for i in range(1, 100)]]
        if 2 <= len(endings) <= len(LETTERS) and any(endings == run[: len(endings)] for run in runs):
            found.append([column for _, column in members])
    return sorted(found, key=len, reverse=True)
