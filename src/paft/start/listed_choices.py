"""A column with a list of options in every row, of which the answer names one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from paft.start.choice_columns import LETTERS
from paft.start.columns import MOST, Column, nested_value
from paft.task.answer import Answer, Gold
from paft.task.data import ABSENT, look_up
from paft.task.options import find_gold
from paft.task.values import as_list

_LOOKED_AT = 1_000  # rows
_READINGS: tuple[Gold | None, ...] = (None, "letter", "text", "index", "position")
_COUNTED = ("index", "position")


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
