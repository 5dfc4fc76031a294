"""The gold answer of an open rule: read whole, or refused with the reason.

A reply is searched for an answer; a gold answer is one. What is read from a reply that equals the
gold answer must be the gold answer, so each rule has a condition: ``number`` one number and nothing
else; ``final_number`` one number behind the first ``####``, else a last number that is no part of a
fraction, date, percentage or group of digits; ``text`` one line; ``json`` one value and nothing else.

A list of gold answers (not under rule ``json``, where a list is a value, nor ``code``) holds
references of equal right: training has the first, a reply scores against the best.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from decimal import Decimal
from numbers import Integral
from typing import Any

import numpy as np

from paft.errors import DataError
from paft.task.numerals import find_numbers, fold, number_meant, read_number
from paft.task.replies.extract import FINAL, extract
from paft.task.values import Unknown, as_list, as_text
from paft.text_values import read_json_value

SEVERAL = ("number", "final_number", "text")  # rules whose gold answer may be a list of references
_FRACTIONS = "\u00bc-\u00be\u2150-\u215e"
_POWERS = "\u00b2\u00b3\u00b9\u2070-\u2079"
_BEFORE = re.compile(
    rf"[\d)%{_FRACTIONS}](?:[ \u00a0]*[/\u2044\u2215\uff0f\u00f7^*\u00d7\u00b1-]\s*| :\s*|:)$|\d[.,]$|\w$"
)
_BEHIND = re.compile(rf"\s*[%\u2030\uff05/\u2044\u2215\uff0f\u00b0^:{_FRACTIONS}]|[\w{_POWERS}]|[.,-]\d")


def gold_texts(rule: str, value: Any) -> tuple[str, ...]:
    """Return what a row holds as gold answer, as text; several where it holds a list of references.

    Raises:
        ValueError: If it is missing or no text; the message says what it is.
    """
    if rule == "json" and not isinstance(value, str) and value is not None:
        return (_json_text(value),)
    listed = as_list(value)
    if rule in SEVERAL and listed is not None:
        if not listed:
            raise ValueError("is an empty list: no answer could be right")
        return tuple(dict.fromkeys(map(as_text, listed)))
    return (as_text(value),)


def why_unreadable(rule: str, gold: str) -> str | None:
    r"""Return why a text is no gold answer under an open rule, None if it is one.

    >>> why_unreadable("number", "50%")
    'it is not one number and nothing else; 50 would be'
    >>> why_unreadable("final_number", "8 + 10 = 18\n#### 18")
    """
    check = _CHECKS.get(rule)
    why = check(gold) if check else None
    if why is not None:
        return why
    read = extract(rule, gold)
    if read is None:
        return "there is no answer in it"
    number = read_number(gold) if rule in ("number", "final_number") else None
    return None if number in (None, read) else f"a reply that equals it would be read as {read}"


def _json_text(value: Any) -> str:
    if isinstance(value, (Decimal, float)):
        return as_text(value)
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False, default=_json_part)
    except (TypeError, ValueError) as error:  # a TypeError of a key
        raise ValueError(f"holds a value that JSON has not: {error}") from None


def _json_part(value: Any) -> Any:
    if isinstance(value, Unknown):
        raise ValueError(value.why)
    if isinstance(value, (np.bool_, Integral)):  # numpy's, which are no Python numbers
        return bool(value) if isinstance(value, np.bool_) else int(value)
    if isinstance(value, (Decimal, np.floating)):
        return float(str(value))
    listed = as_list(value)
    return as_text(value) if listed is None else listed


def _number(gold: str) -> str | None:
    if read_number(gold) is not None:
        return None
    return f"it is not one number and nothing else{_as_meant(gold)}"


def _as_meant(text: str) -> str:
    """Return a hint at how a number is written that a text likely means, '' if it likely means none."""
    number = number_meant(text)
    if number is None:
        return ""
    comma = ": write decimal points in all rows, as 3,500 is read as 3500 and 1.234 as it stands"
    return f"; {number} would be{comma if ',' in text and '.' in number else ''}"


def _final_number(gold: str) -> str | None:
    if read_number(gold) is not None:
        return None
    _, mark, result = gold.partition(FINAL)
    if mark:
        if read_number(result):
            return None
        return f"behind {FINAL} stands not one number and nothing else{_as_meant(result)}"
    found = list(find_numbers(gold))
    if not found:
        return "there is no number in it"
    last, folded = found[-1], fold(gold)
    number = folded[last.start : last.end]
    sign = len(number) - len(number.lstrip("+-"))
    before, behind = folded[: last.start] + number[:sign], folded[last.end :]
    if last.value is None or " " in number or _BEFORE.search(before) or _BEHIND.match(behind):
        return f"its last number, {number[-40:]!r}, is a part of something else{_as_meant(gold)}"
    return None


def _text(gold: str) -> str | None:
    lines = [line for line in gold.splitlines() if line.strip()]
    return None if len(lines) < 2 else f"it has {len(lines)} lines, and an answer is one line"


def _json(gold: str) -> str | None:
    try:
        _json_text(read_json_value(gold, "gold"))
    except (DataError, ValueError) as error:
        return f"it is not one JSON value and nothing else ({str(error).removeprefix('gold: ')})"
    return None


_CHECKS: dict[str, Callable[[str], str | None]] = {
    "number": _number,
    "final_number": _final_number,
    "text": _text,
    "json": _json,
}
