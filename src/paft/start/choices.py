"""Where the options of multiple-choice questions are: one column each, or a list of them in every row."""

from __future__ import annotations

import re
import string
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from paft.start.columns import MOST, Column, nested_value
from paft.task.answer import Answer, Gold
from paft.task.data import ABSENT, look_up
from paft.task.numerals import read_number
from paft.task.options import find_gold
from paft.task.values import as_list

LETTERS = string.ascii_uppercase
# Columns of such names are options whatever the answers are; others may be two texts that are compared.
_OF_OPTIONS = frozenset(
    "option opt choice ending sol solution answer ans alternative alt candidate quiz response way".split()  # noqa: SIM905
)
_ENDING = re.compile(r"^(.*?)[ _.-]?([A-Za-z]|\d{1,2})$")
_LOOKED_AT = 1_000  # rows
_READINGS: tuple[Gold | None, ...] = (None, "letter", "text", "index", "position")
_COUNTED = ("index", "position")


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


@dataclass(frozen=True)
class ListedChoices:
    """Where the options of a row are, and how the answer names one.

    Attributes:
        column: Name of the column.
        texts: Dotted path to the list of options.
        keys: Dotted path to the list of their keys, if the answer is one of these.
        gold: What of an option the answer is, where it could be read in two ways.
    """

    column: str
    texts: str
    keys: str | None = None
    gold: Gold | None = None

    @property
    def why(self) -> str:
        """What the guess rests on."""
        return f"the answer is one of {self.texts}" + (f", by its key in {self.keys}" if self.keys else "")

    def names_option(self, row: Mapping[str, Any], answer: str) -> bool:
        """Whether an answer names one of its row's options."""
        texts, keys = _list_at(row, self.texts), _list_at(row, self.keys or self.texts)
        if not 1 < len(texts) <= len(LETTERS) or len(keys) != len(texts):
            return False
        rule = Answer(rule="choice", options_field="texts", keys_field=self.keys and "keys", gold=self.gold)
        try:
            return find_gold(rule, answer.strip(), texts, keys if self.keys else None) >= 0
        except ValueError:
            return False


def find_listed(columns: Sequence[Column], label: Column) -> ListedChoices | None:
    """Return the column whose lists hold what the answers name, None if there is none."""
    for column in columns:
        if column is label or not column.nested:
            continue
        values = [None if text is None else nested_value(text) for text in column.texts[:_LOOKED_AT]]
        pairs = zip(values, label.texts, strict=False)
        rows = [
            ({column.name: value}, text) for value, text in pairs if value is not None and text is not None
        ]
        paths = list(
            dict.fromkeys(path for row, _ in rows[:5] for path in _lists(row[column.name], column.name))
        )
        for texts in paths:
            readings = [ListedChoices(column.name, texts, key, "key") for key in paths if key != texts]
            readings += [ListedChoices(column.name, texts, None, gold) for gold in _READINGS]
            for found in readings:
                right = sum(found.names_option(row, text) for row, text in rows)
                if right >= MOST * len(rows) and (found.gold not in _COUNTED or _all_occur(rows, texts)):
                    return found
    return None


def _lists(value: Any, path: str) -> Iterator[str]:
    """Yield the paths to lists of texts in a value."""
    if isinstance(value, list) and len(value) > 1 and all(isinstance(item, str) for item in value):
        yield path
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from _lists(inner, f"{path}.{key}")


def _all_occur(rows: Sequence[tuple[dict[str, Any], str]], texts: str) -> bool:
    """Whether all lists are as long as there are different answers: not so of words of a text."""
    return {len(_list_at(row, texts)) for row, _ in rows} == {len({text for _, text in rows})}


def _list_at(row: Mapping[str, Any], path: str) -> list[str]:
    found = look_up(row, path)
    return [] if found is ABSENT else [str(item) for item in as_list(found) or ()]
