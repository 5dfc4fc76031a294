"""The options of an example of a closed rule, and the gold answer as one of them.

A gold answer in the data may be an option's text, its letter, its key, or its number. Where the task
does not say which (``answer.gold``) and two of these fit but name different options, the row is
refused: a shift by one makes every figure wrong and looks like nothing. Where only texts can be
meant, what fits none may still be one of them to a reader (:func:`paft.task.answer.seen`).

Gold answers that do not fit are told all at once, with a mapping to fill in where that would mend them.
"""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import yaml

from paft.errors import DataError, shorten, shown
from paft.task.answer import Answer, seen

HIDDEN = ("", "-1")  # gold answers of test sets whose answers are kept back

_WHOLE = re.compile(r"0|[1-9]\d{0,5}", re.ASCII)
_WHOLE_FLOAT = re.compile(r"(-?\d+)\.0+", re.ASCII)  # pandas writes the labels 0 and 1 so beside a gap
_MEANT = {
    "text": "the text of",
    "letter": "the letter of",
    "key": "the key of",
    "index": "the number, counted from 0, of",
    "position": "the number, counted from 1, of",
}
_COUNTED = " or set `answer.gold` to index (counted from 0) or position (from 1)"
_LISTED = 12  # options, and values that are none, in a message
_FILL = "fill it in ('' for an empty text)"
_VALUE = 40  # characters of such a value


class NoOptionError(ValueError):
    """A gold answer that is none of the options."""


class GoldError(DataError):
    """A gold answer that does not fit.

    Attributes:
        where: The row's place.
        gold: What the row holds, None for null.
        unlisted: Whether it is only that it is none of the options.
    """

    def __init__(
        self, message: str = "", where: str = "", gold: str | None = None, *, unlisted: bool = False
    ) -> None:
        super().__init__(f"{where}: {message}" if where else message)  # pickle gives the message alone
        self.where = where
        self.gold = gold
        self.unlisted = unlisted

    @property
    def blank(self) -> bool:
        """Whether the row holds no answer."""
        return self.gold is None or not self.gold.strip()


class NullError(DataError):
    """A field without a value.

    Attributes:
        what: The field, and that it is missing.
        where: The row's place.
    """

    def __init__(self, what: str = "", where: str = "") -> None:
        super().__init__(f"{where}: {what}: {_FILL}, or remove the row" if where else what)
        self.what = what
        self.where = where


def find_gold(answer: Answer, gold: str, texts: Sequence[str], keys: Sequence[str] | None = None) -> int:
    """Return which option a gold answer names, counted from 0.

    ``texts`` are the options, ``keys`` their keys, where the row has some; ``answer.gold`` says how the data
    names an option.

    Raises:
        ValueError: If it names none, or possible readings name different ones.
    """
    usable, rivals = _considered(answer, keys)
    readings = {name: _spelt(name, answer, gold, texts, keys) for name in rivals}
    if readings.get("key") and isinstance(answer.options, dict) and set(texts) <= answer.options.keys():
        del readings["text"]  # every word is a key too: the mapping says of each what it stands for
    fitting = {name: found for name, found in readings.items() if found}
    if not fitting:
        alike = _alike(answer, usable, gold, texts)
        fitting = {"text": alike} if alike else {}
    if fitting.keys().isdisjoint(usable):
        raise _none(answer, gold, texts, keys)
    places = sorted(set().union(*fitting.values()))
    if len(places) == 1:
        return places[0]
    if len(fitting) == 1:
        raise ValueError(f"is {_MEANT[next(iter(fitting))]} {len(places)} options: they must differ")
    readings_found = " and ".join(
        f"{_MEANT[name]} {shown(texts[found[0]])}" for name, found in fitting.items()
    )
    raise ValueError(f"is {readings_found}: say which is meant with `answer.gold: {' | '.join(fitting)}`")


def _considered(answer: Answer, keys: Sequence[str] | None) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the readings that may be used, and those that must not say otherwise."""
    if answer.gold is not None:
        return (answer.gold,), (answer.gold,)
    if isinstance(answer.options, dict):
        return ("key", "text"), ("key", "text")
    if answer.options is not None:
        return ("text",), ("text",)
    if keys is not None:
        return ("key",), ("key", "text")
    if answer.rule == "choice":
        return ("text", "letter"), ("text", "letter", "index", "position")
    return ("text",), ("text", "index", "position")


def _spelt(
    name: str, answer: Answer, gold: str, texts: Sequence[str], keys: Sequence[str] | None
) -> list[int]:
    """Read a gold answer as it stands, a whole number otherwise in its other spelling, 1 or 1.0."""
    whole, spellings = _WHOLE_FLOAT.fullmatch(gold), [gold]
    if whole or _WHOLE.fullmatch(gold.removeprefix("-")):
        spellings.append(whole[1] if whole else f"{gold}.0")
    found = (_reading(name, answer, spelling, texts, keys) for spelling in spellings)
    return next(filter(None, found), [])


def _reading(
    name: str, answer: Answer, gold: str, texts: Sequence[str], keys: Sequence[str] | None
) -> list[int]:
    """Return the options that a gold answer names, read in one way."""
    if name == "key" and isinstance(answer.options, dict):
        return [texts.index(answer.options[gold])] if gold in answer.options else []
    if name in ("text", "key"):
        return [i for i, word in enumerate(texts if name == "text" else keys or ()) if word == gold]
    if name == "letter":
        place = string.ascii_uppercase.find(gold) if len(gold) == 1 else -1
    else:
        place = int(gold) - (name == "position") if _WHOLE.fullmatch(gold) else -1
    return [place] if 0 <= place < len(texts) else []


def _alike(answer: Answer, usable: tuple[str, ...], gold: str, texts: Sequence[str]) -> list[int]:
    """Return the options that a gold answer names to a reader, if it must be a text or a mapping's key."""
    if usable == ("text",):  # elsewhere "b" may be a letter or a key as well
        return [i for i, word in enumerate(texts) if seen(word) == seen(gold)]
    if not isinstance(answer.options, dict) or answer.gold is not None:
        return []
    spelt = [*answer.options.items(), *((text, text) for text in texts)]
    found = {texts.index(word) for value, word in spelt if seen(value) == seen(gold)}
    return list(found) if len(found) == 1 else []


def _none(answer: Answer, gold: str, texts: Sequence[str], keys: Sequence[str] | None) -> ValueError:
    if keys is not None and answer.gold in (None, "key"):
        return ValueError(f"is none of the keys ({_listed(keys)})")
    if answer.gold not in (None, "text"):
        return ValueError(f"is not {_MEANT[str(answer.gold)]} an option, as the task's `answer.gold` says")
    listed = answer.gold is None and not isinstance(answer.options, dict)
    counted = listed and _WHOLE.fullmatch(gold) and int(gold) <= len(texts)
    hint = _COUNTED if counted else ""
    also = f" nor their keys ({_listed(list(answer.options))})" if isinstance(answer.options, dict) else ""
    setting = "options" if answer.options is not None else "options_field"
    todo = f"correct the row or the task's `answer.{setting}`{hint}"
    return NoOptionError(f"is not among the options ({_listed(texts)}){also}: {todo}")


def _listed(words: Sequence[str]) -> str:
    more = ", ..." if len(words) > _LISTED else ""
    return ", ".join(" ".join(word.split()) for word in words[:_LISTED]) + more


def explain_rows(found: Sequence[DataError], answer: Answer, rows: int) -> str:
    """Say in one message what is wrong with so many rows, their gold answers first, and how to mend it.

    ``found`` are the errors of the rows that have one, in order. Others than those of gold answers and of
    fields without a value are told when these are mended.
    """
    golds = [error for error in found if isinstance(error, GoldError)]
    nulls = [error for error in found if isinstance(error, NullError)]
    told = [_explain_golds(golds, answer, rows)] if golds else []
    return "; ".join([*told, *([_explain_nulls(nulls)] if nulls else [])])


def _explain_golds(found: Sequence[GoldError], answer: Answer, rows: int) -> str:
    """Say in one message what is wrong with the gold answers of so many rows, and how to mend it.

    ``found`` are the errors of the rows that have one, in order.
    """
    if len(found) == rows and all(error.gold in HIDDEN for error in found):
        return (
            f"{found[0].where}: gold answer {shown(found[0].gold)} is how a data set hides its answers: "
            "evaluate on a split that has them (`data.test`)"
        )
    blank = [error for error in found if error.blank]
    others = [error for error in found if not error.blank]
    told = [_explain_others(others, answer, rows)] if others else []
    if len(blank) == 1:
        told.append(str(blank[0]))
    elif blank:
        places = _places([error.where for error in blank])
        told.append(f"{places}: no answer in {len(blank):,} rows: fill it in, or remove these rows")
    return "; ".join(told)


def _explain_nulls(found: Sequence[NullError]) -> str:
    if len(found) == 1:
        return str(found[0])
    told = "; ".join(dict.fromkeys(error.what for error in found))
    places = _places([error.where for error in found])
    return f"{places}: {told}, in {len(found):,} rows: {_FILL}, or remove these rows"


def _explain_others(found: Sequence[GoldError], answer: Answer, rows: int) -> str:
    if len(found) == 1:
        return str(found[0])
    counts = Counter(str(error.gold) for error in found)
    values = ", ".join(f"{shorten(repr(v), _VALUE)} ({n:,})" for v, n in counts.most_common(_LISTED))
    values += f" and {len(counts) - _LISTED:,} more" if len(counts) > _LISTED else ""
    if not all(error.unlisted for error in found) or answer.words is None:
        return f"{found[0]}; in all {len(found):,} of {rows:,} gold answers do not fit: {values}"
    return (
        f"{found[0].where}: {len(found):,} of {rows:,} gold answers are not among the options "
        f"({_listed(answer.words)}): {values}; {_mend(answer, answer.words, counts, len(found) == rows)}"
    )


def _mend(answer: Answer, words: Sequence[str], values: Iterable[str], everywhere: bool) -> str:
    """Say how to map values that are none of the options, the mapping written out where it is short."""
    known = answer.options if isinstance(answer.options, dict) else {word: word for word in words}
    guessed = _count_options(words, values) if list(known) == list(known.values()) else {}
    added = {**guessed, **{value: "" for value in values if value not in guessed}}
    whole = all(map(_WHOLE.fullmatch, added))
    todo = "correct the rows, or map what they hold to options"
    if len(known) + len(added) > _LISTED:
        return f"{todo}: `answer.options` may be a mapping {{value: option}}"
    pairs = ", ".join(f"{_yaml(v)}: {_yaml(w) if w else ''}" for v, w in (known | added).items())
    gap = "" if all(added.values()) else ", with an option after each value"
    if all(added.values()) and everywhere:
        name, base = ("index", 0) if "0" in added else ("position", 1)
        gap += f"; or set `answer.gold: {name}`, as they count the options from {base}"
    elif gap and whole and max(map(int, added)) <= len(words):
        gap += f",{_COUNTED}"
    return f"{todo}: `options: {{{pairs}}}`{gap}"


def _count_options(words: Sequence[str], values: Iterable[str]) -> Mapping[str, str]:
    """Return the options that whole numbers stand for, if they can only be counted from 0, or from 1."""
    numbers = sorted(int(value) for value in values if _WHOLE.fullmatch(value))
    if not numbers or not (numbers[0] == 0) ^ (numbers[-1] == len(words)) or numbers[-1] > len(words):
        return {}
    return {str(number): word for number, word in enumerate(words, start=int(numbers[0] > 0))}


def _places(places: Sequence[str]) -> str:
    """Return places of one file with its name once: ``a.csv:5, 9 and 2 more``."""
    head, _, _ = places[0].rpartition(":")
    told = [places[0], *(place.removeprefix(f"{head}:") for place in places[1:_LISTED])]
    return ", ".join(told) + (f" and {len(places) - _LISTED:,} more" if len(places) > _LISTED else "")


def _yaml(text: str) -> str:
    """Return a text as YAML writes it between others, in quotes where it must be."""
    return str(yaml.safe_dump([text], default_flow_style=True, allow_unicode=True, width=10_000)).strip()[
        1:-1
    ]
