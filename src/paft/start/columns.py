"""What a column of a table holds, as far as its cells tell."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any, Literal

from paft.task.answer import seen
from paft.task.numerals import read_number
from paft.task.values import Unknown, as_list, as_text

Kind = Literal["empty", "nested", "constant", "date", "id", "number", "words", "text"]
MOST = 0.95  # share of the cells that must agree
MANY = 300  # different labels at most
NUMBERS = 20  # different numbers that may be labels, at most
LONG = 80  # characters of a label at most
MISSING = ("nan", "NaN", "NULL", "null", "<NA>", "#N/A")
_DATE = re.compile(
    r"(?:\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4})(?:[T ]\d{1,2}:\d{2}.*)?"
)
_ID_NAMES = {"id", "ids", "idx", "index", "uuid", "guid", "key", "nr", "no", "number", "row", "unnamed", "#"}
_CODE = re.compile(r"[\d_@/:.\\-]")


@dataclass(frozen=True, eq=False)
class Column:
    """A column.

    Attributes:
        name: Its name in the table.
        texts: A text for each row; None where the cell is empty.
        nested: Whether a cell holds a list or an object.
    """

    name: str
    texts: Sequence[str | None]
    nested: bool = False

    @property
    def title(self) -> str:
        """Its name as messages have it: in quotes where it is no plain text of one line."""
        return self.name if self.name.strip() and self.name.isprintable() else repr(self.name)

    @cached_property
    def filled(self) -> list[str]:
        """The texts that there are."""
        return [text for text in self.texts if text is not None]

    @property
    def empty(self) -> int:
        """Number of empty cells."""
        return len(self.texts) - len(self.filled)

    @cached_property
    def counts(self) -> Counter[str]:
        """How often a reader sees each text: case and white space aside."""
        return Counter(map(seen, self.filled))

    @cached_property
    def numbers(self) -> list[str]:
        """The plain forms of the texts that are numbers."""
        return [number for number in map(read_number, self.filled) if number is not None]

    @property
    def words(self) -> list[str]:
        """The words of the column's name: of ``answerKey`` these are answer and key."""
        parts = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", self.name)
        return re.findall(r"[^\W_]+(?:['\u2019][^\W_]+)*|#", parts.lower())

    @property
    def mean_words(self) -> float:
        """Words of a text, on average."""
        return sum(len(text.split()) for text in self.filled) / max(1, len(self.filled))

    @property
    def closed(self) -> bool:
        """Whether it holds few different short texts, each twice or more on average."""
        few = 2 <= len(self.counts) <= MANY and 2 * len(self.counts) <= len(self.filled)
        return few and max(map(len, self.counts)) <= LONG

    @property
    def beginning(self) -> str:
        """The words with which nearly every text begins: three at least, or a cue with a colon."""
        return " ".join(_shared([text.split() for text in self.filled]))

    @property
    def ending(self) -> str:
        """The words with which nearly every text ends, as ``beginning``."""
        return " ".join(_shared([text.split()[::-1] for text in self.filled])[::-1])

    @property
    def fractional(self) -> float:
        """Share of numbers that are not whole."""
        return sum("." in number for number in self.numbers) / max(1, len(self.numbers))

    @cached_property
    def kind(self) -> Kind:
        """What it holds; ``words`` are few different short texts, ``text`` is everything else."""
        if not self.filled:
            return "empty"
        if self.nested:
            return "nested"
        if len(self.counts) == 1 and len(self.filled) > 1:
            return "constant"
        if self._share(lambda text: _DATE.fullmatch(text.strip()) is not None) >= MOST:
            return "date"
        if len(self.numbers) >= MOST * len(self.filled):
            counted = self._unlike >= MOST and self._counts_up
            return "id" if counted or (self._named_id and self._unlike > 0.5) else "number"
        if self._unlike >= MOST and (self._named_id or self._share(_is_code) >= MOST):
            return "id"
        return "words" if self.closed else "text"

    @property
    def _named_id(self) -> bool:
        return bool(self.words) and (self.words[-1] in _ID_NAMES or self.words[0] == "unnamed")

    @property
    def _unlike(self) -> float:
        """Share of texts that are different."""
        return len(self.counts) / max(1, len(self.filled))

    @property
    def _counts_up(self) -> bool:
        """Whether its numbers are those of the rows."""
        steps = [b == str(int(a) + 1) for a, b in pairwise(self.numbers) if a.lstrip("-").isdigit()]
        return len(steps) > 2 and sum(steps) >= MOST * (len(self.numbers) - 1)

    def _share(self, holds: Callable[[str], bool]) -> float:
        return sum(map(holds, self.filled)) / max(1, len(self.filled))


def read_columns(names: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> list[Column]:
    """Return the columns of a table."""
    return [
        Column(
            name,
            [cell_text(row.get(name)) for row in rows],
            any(_is_nested(row.get(name)) for row in rows),
        )
        for name in names
    ]


def cell_text(value: Any) -> str | None:
    """Return a cell as text, lists and objects as JSON; None for an empty one.

    >>> cell_text(" "), cell_text(1.0), cell_text(["a"])
    (None, '1', '["a"]')
    """
    if isinstance(value, Unknown):
        return None
    if _is_nested(value):
        return json_text(value)
    try:
        text = as_text(value)
    except ValueError:
        return None
    return None if not text.strip() or text.strip() in MISSING else text


def json_text(value: Any) -> str:
    """Return a value as JSON: null for what is unknown, text for what JSON has not."""
    return json.dumps(
        value, ensure_ascii=False, default=lambda part: None if isinstance(part, Unknown) else str(part)
    )


def nested_value(text: str) -> Any:
    """Return the list or object that a cell's text stands for, the text itself where it is none."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def _is_nested(value: Any) -> bool:
    return isinstance(value, Mapping) or as_list(value) is not None


def _shared(texts: Sequence[Sequence[str]]) -> tuple[str, ...]:
    """Return the first words that most of ten texts or more have, before words of their own."""
    found: tuple[str, ...] = ()
    while True:
        size = len(found) + 1
        longer = Counter(tuple(words[:size]) for words in texts if len(words) > size)
        best, count = longer.most_common(1)[0] if longer else ((), 0)
        if count < max(10, MOST * len(texts)):
            break
        found = best
    return found if len(found) >= 3 or any(word.endswith(":") for word in found) else ()


def _is_code(text: str) -> bool:
    """Whether a text is one word with digits or signs in it, and no number."""
    word = len(text.split()) == 1 and text.isascii() and _CODE.search(text) is not None
    return word and read_number(text) is None
