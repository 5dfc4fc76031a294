"""JSON as data: read whole or refused, in one line, whatever is in it.

Python's own reader takes the last of two equal keys, makes infinity of ``1e400``, drops digits that
a float does not hold, and gives up with a traceback on long numbers and deep nesting.
"""

from __future__ import annotations

import json
import math
from decimal import Decimal, InvalidOperation
from typing import Any

from paft.errors import DataError, shown

DEPTH = 200  # lists and objects inside of each other at most


class _DoubleKeyError(Exception):
    """A key stands twice."""


def read_json_value(text: str, where: str, what: str = "") -> Any:
    """Return the one value of a JSON text; a float that is not the number written is a ``Decimal`` instead.

    Args:
        text: JSON.
        where: File and line, named in errors.
        what: What is expected, for the error of malformed JSON.

    Raises:
        DataError: If it is malformed, has a key twice, or is nested too deeply.
    """
    try:
        value = _DECODER.decode(text)
    except _DoubleKeyError as error:
        raise DataError(f"{where}: the key {error} stands twice in one object: leave one") from None
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, " if error.lineno > 1 else ""
        hint = f": {what}" if what else ""
        raise DataError(
            f"{where}: malformed JSON ({error.msg} at {place}column {error.colno}){hint}"
        ) from None
    except RecursionError:
        value = None
    else:
        if _depth(value) <= DEPTH:
            return value
    raise DataError(f"{where}: lists and objects are nested more than {DEPTH} deep: is this data?")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise _DoubleKeyError(shown(next(name for name in names if names.count(name) > 1)))
    return found


def _float(text: str) -> float | Decimal:
    value = float(text)
    try:
        exact = Decimal(text)
    except InvalidOperation:  # an exponent beyond all bounds
        return math.inf
    return value if math.isfinite(value) and Decimal(repr(value)) == exact else exact


def _whole(text: str) -> int | Decimal:
    return int(text) if len(text) < 1_000 else Decimal(text)


def _depth(value: Any) -> int:
    """Return how many lists and objects stand inside of each other."""
    depth, level = 0, [value]
    while level := [outer for outer in level if isinstance(outer, (list, dict))]:
        depth += 1
        level = [inner for o in level for inner in (o.values() if isinstance(o, dict) else o)]
    return depth


_DECODER = json.JSONDecoder(parse_float=_float, parse_int=_whole, object_pairs_hook=_object)
