"""Which column holds the answer: told by the user, or by its name, its values and its place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from paft.errors import ConfigError
from paft.schema import nearest
from paft.start.choices import find_choices, find_listed
from paft.start.columns import Column

_NAMES = (
    (5, "label labels gold target answer answers class"),
    (4, "category intent output y completion response sentiment topic emotion"),
    (
        3,
        "urgency priority status team department queue type tag genre rating stars spam verdict decision "
        "outcome result score grade level severity language stance toxicity reply summary translation",
    ),
)
NAMED = {name: points for points, names in _NAMES for name in names.split()}
# Such a name tells of one of a few, whatever the column holds.
OF_A_FEW = frozenset(
    "label labels class category intent topic type tag genre sentiment emotion status".split()  # noqa: SIM905
)
_BY_NAME = 4  # points of a name that says enough
_CLOSE = 1.0  # points between two columns that may both be meant


@dataclass(frozen=True)
class Candidate:
    """A column that may hold the answer.

    Attributes:
        column: The column.
        points: How much speaks for it.
        why: What does.
    """

    column: Column
    points: float
    why: str


def find_answer(columns: Sequence[Column], label: str | None) -> tuple[Candidate, list[Candidate]]:
    """Return the column with the answer, and others that may be meant as well.

    Raises:
        ConfigError: If there is no column of the name that the user gave, or none that could be meant.
    """
    if label is not None:
        found = [column for column in columns if column.name == label]
        found = found or [column for column in columns if column.name.lower() == label.strip().lower()]
        if not found:
            names = [column.title for column in columns]
            raise ConfigError(f"--label {label!r} is no column of the table{nearest(label, names)}")
        return Candidate(found[0], 0, "named by you"), []
    rated = (_rate(columns, at) for at in range(len(columns)))
    known = _without_codes([each for each in rated if each is not None])
    known = known or _named(columns) or _last_text(columns)
    if not known:
        listed = ", ".join(f"{column.title} ({column.kind})" for column in columns)
        raise ConfigError(f"no column looks like an answer ({listed}): name it with --label COLUMN")
    first, *others = sorted(known, key=lambda each: -each.points)
    return first, [each for each in others if each.points >= first.points - _CLOSE]


def named_points(column: Column) -> int:
    """Return how much a column's name says that it holds the answer."""
    words = column.words
    if not words:
        return 0
    if len(words) == 1:
        return NAMED.get(words[0], 0)
    return max(0, NAMED.get(words[-1], 0) - 1) or max(0, NAMED.get(words[0], 0) - 1)


def _rate(columns: Sequence[Column], at: int) -> Candidate | None:
    """Return how much speaks for a column, None if it cannot be meant."""
    column = columns[at]
    points, why = float(named_points(column)), []
    if column.kind in ("empty", "constant", "date", "id"):
        return None
    if not points and (column.kind in ("text", "nested") or not column.closed):
        return None
    if points:
        why.append("its name")
    if column.closed and column.fractional <= 0.5:
        points += 3
        why.append(f"{len(column.counts)} different values")
    elif column.kind == "number" and column.fractional <= 0.5:
        points += 1
        why.append("numbers")
    choices = find_choices(columns, column)
    if (choices and choices.sure) or find_listed(columns, column):
        points += 2
        why.append("other columns hold its options")
    if at == len(columns) - 1:
        points += 1
        why.append("the last column")
    return Candidate(column, points, ", ".join(why))


def _named(columns: Sequence[Column]) -> list[Candidate]:
    """Return the column of an answer's name though its values are not those of one: the rule says why."""
    best = max(columns, key=named_points)
    return [Candidate(best, 0, "its name")] if named_points(best) >= _BY_NAME else []


def _last_text(columns: Sequence[Column]) -> list[Candidate]:
    """Return the last of several columns of text: where nothing else is told, answers come last."""
    texts = [column for column in columns if column.kind == "text"]
    return [Candidate(texts[-1], 0, "the last column of text")] if len(texts) > 1 else []


def _without_codes(candidates: list[Candidate]) -> list[Candidate]:
    """Leave out a column of numbers where another one has a word for each of them."""
    coded = {
        id(code.column): word
        for code in candidates
        for word in candidates
        if code.column.kind == "number" and word.column.kind == "words" and _one_to_one(code, word)
    }
    best = {
        id(word.column): max(word.points, code.points)
        for code in candidates
        if (word := coded.get(id(code.column)))
    }
    return [
        Candidate(each.column, best.get(id(each.column), each.points), each.why)
        for each in candidates
        if id(each.column) not in coded
    ]


def _one_to_one(one: Candidate, other: Candidate) -> bool:
    pairs = {pair for pair in zip(one.column.texts, other.column.texts, strict=True) if None not in pair}
    return len(pairs) == len({a for a, _ in pairs}) == len({b for _, b in pairs}) > 1
