r"""The JSON value a reply gives, or None where there is none or it would be misread.

In this order: the whole reply, or its first line where it is no list or object; the value in a code
fence, one marked ``json`` first; the first object outside of every other value; the first list, a
citation such as ``[1]`` last. Nothing is read from inside of a value that is broken or cut, nor from
a Python literal. ``NaN``, ``Infinity``, keys that stand twice, numbers of thousands of digits and
nesting too deep to parse make a reply unreadable. A reply without a letter or digit must be a JSON
value and nothing else, as ``[]`` is.

>>> json_value('see [1]: ```json {"a": 1.0}``` ')
'{"a":1}'
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from paft.task.replies.reply_text import has_substance

LONGEST = 4_000  # digits of a number
_FENCE = re.compile(r"```[ \t]*(?P<language>[\w+-]*)\s+(?=[\[{\"\w-])")
_CITATION = re.compile(r"\[\s*\d+(?:\s*,\s*\d+)*\s*\]")


class _Unreadable(Exception):  # noqa: N818 - never leaves this module
    """What looks like JSON has no one value."""


def json_value(text: str) -> str | None:
    """Return a reply's JSON value in normal form: sorted keys, NFC, no white space, numbers by value.

    >>> json_value('Sure: {"b": 1, "a": 2} done')
    '{"a":2,"b":1}'
    """
    text = text.strip()
    try:
        found = _find(text)
        return None if found is None else _normal_form(found[0])
    except (_Unreadable, RecursionError):
        return None


def _find(text: str) -> tuple[Any] | None:
    """Return the value in a tuple, since the value None is one too."""
    whole = _decode(text, 0)
    if whole is not None and whole[1] == len(text):
        return (whole[0],)
    if not has_substance(text):
        return None
    if whole is not None and text[0] not in "[{" and re.match(r"[ \t]*\n", text[whole[1] :]):
        return (whole[0],)
    fences = list(_FENCE.finditer(text))
    for fence in sorted(fences, key=lambda fence: fence["language"].lower() != "json"):
        value = _decode(text, fence.end())
        if value is not None and re.match(r"\s*(?:```|\Z)", text[value[1] :]):
            return (value[0],)
        if fence["language"].lower() == "json":
            raise _Unreadable
    values = list(_containers(text))
    # Stable: of each kind the first.
    values.sort(key=lambda found: (not isinstance(found[0], dict), found[1]))
    return (values[0][0],) if values else None


def _containers(text: str) -> Iterator[tuple[Any, bool]]:
    """Yield lists and objects outside of each other, and whether they look like a citation."""
    place = 0
    while (start := re.compile(r"[\[{]").search(text, place)) is not None:
        found = _decode(text, start.start())
        if found is not None:
            yield found[0], _CITATION.fullmatch(text, start.start(), found[1]) is not None
        end = found[1] if found is not None else _closing(text, start.start())
        if end is None:
            return  # what follows may be inside of it
        place = end


def _closing(text: str, start: int) -> int | None:
    """Return the place behind the bracket that closes one; None where none does."""
    depth = 0
    for place in range(start, len(text)):
        depth += (text[place] in "[{") - (text[place] in "]}")
        if not depth:
            return place + 1
    return None


def _decode(text: str, start: int) -> tuple[Any, int] | None:
    try:
        return _DECODER.raw_decode(text, start)
    except (ValueError, IndexError):
        return None


def _normal_form(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    try:
        text.encode()
    except UnicodeEncodeError as error:  # half a surrogate pair could not be written to any file
        raise _Unreadable from error
    return unicodedata.normalize("NFC", text)


def _whole_or_float(text: str) -> int | float:
    number = Decimal(text)
    if abs(number.adjusted()) > LONGEST:
        raise _Unreadable
    if number == number.to_integral_value():
        return int(number)
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise _Unreadable
    return value


def _integer(text: str) -> int:
    if len(text) > LONGEST:
        raise _Unreadable
    return int(text)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    # Here and not in the written form: keys are sorted in between.
    found = {unicodedata.normalize("NFC", key): value for key, value in pairs}
    if len(found) < len(pairs):
        raise _Unreadable
    return found


def _refuse(constant: str) -> None:
    raise _Unreadable


_DECODER = json.JSONDecoder(
    object_pairs_hook=_object, parse_float=_whole_or_float, parse_int=_integer, parse_constant=_refuse
)
