"""The options of an example of a closed rule, and the gold answer as one of them.

A gold answer in the data may be an option's text, its letter, its key, or its number. Where the task
does not say which (``answer.gold``) and two of these fit but name different options, the row is
refused: a shift by one makes every figure wrong and looks like nothing. Where only texts can be
meant, what fits none may still be one of them to a reader (:func:`paft.task.answer.seen`).
"""

from __future__ import annotations

import re
import string
from collections.abc import Sequence

from paft.errors import shown
from paft.task.answer import Answer, seen

_WHOLE = re.compile(r"0|[1-9]\d{0,5}", re.ASCII)
_WHOLE_FLOAT = re.compile(r"(-?\d+)\.0+", re.ASCII)  # pandas writes the labels 0 and 1 so beside a gap
_MEANT = {
    "text": "the text of",
    "letter": "the letter of",
    "key": "the key of",
    "index": "the number, counted from 0, of",
    "position": "the number, counted from 1, of",
}


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
    if not fitting and usable == ("text",):  # elsewhere "b" may be a letter or a key as well
        alike = [i for i, word in enumerate(texts) if seen(word) == seen(gold)]
        fitting = {"text": alike} if alike else {}
    if fitting.keys().isdisjoint(usable):
        raise ValueError(_none(answer, gold, texts, keys))
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


def _none(answer: Answer, gold: str, texts: Sequence[str], keys: Sequence[str] | None) -> str:
    if keys is not None and answer.gold in (None, "key"):
        return f"is none of the keys ({_listed(keys)})"
    if answer.gold not in (None, "text"):
        return f"is not {_MEANT[str(answer.gold)]} an option, as the task's `answer.gold` says"
    listed = answer.gold is None and not isinstance(answer.options, dict)
    counted = listed and _WHOLE.fullmatch(gold) and int(gold) <= len(texts)
    hint = " or set `answer.gold` to index (counted from 0) or position (from 1)" if counted else ""
    also = f" nor their keys ({_listed(list(answer.options))})" if isinstance(answer.options, dict) else ""
    todo = f"correct the row or the task's `answer.options`{hint}"
    return f"is not among the options ({_listed(texts)}){also}: {todo}"


def _listed(words: Sequence[str]) -> str:
    return ", ".join(" ".join(word.split()) for word in words[:12]) + (", ..." if len(words) > 12 else "")
