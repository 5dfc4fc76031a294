"""The values in a text of JSON or YAML: read whole or refused, in one line, whatever is in it.

Python's own reader of JSON takes the last of two equal keys, makes infinity of ``1e400``, drops digits that
a float does not hold, and gives up with a traceback on long numbers and deep nesting; that of YAML takes
the last of two equal keys too, and unfolds a bomb of aliases.
"""

from __future__ import annotations

import json
import math
from decimal import Decimal, InvalidOperation
from typing import Any

import yaml

from paft.errors import DataError, shown

DEPTH = 200  # lists and objects of JSON inside of each other at most
SIZE = 1_000_000  # characters that aliases may add to a document of YAML


class _DoubleKeyError(Exception):
    """A key stands twice."""


def read_json_value(text: str, where: str, what: str = "") -> Any:
    """Return the one value of a JSON text; a float that is not the number written is a ``Decimal`` instead.

    Errors name ``where`` it stands, file and line, and, if it is malformed, ``what`` is expected.

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


def load_yaml(text: str) -> Any:
    """Return what a YAML document says.

    Raises:
        yaml.YAMLError: If it is malformed, has a key twice, is nested too deeply, or its aliases
            stand for more than ``SIZE`` characters or for themselves.
    """
    loader = yaml.SafeLoader(text)
    try:
        node = loader.get_single_node()
        if node is None:
            return None
        if _size(node, {}) > SIZE + 3 * len(text):
            raise _refusal(node, f"its aliases stand for more than {SIZE:,} characters: write them out")
        return loader.construct_document(node)
    except RecursionError:
        raise yaml.MarkedYAMLError(problem="lists and mappings are nested too deeply") from None
    except ValueError as error:  # of a number or a date
        if isinstance(error, yaml.YAMLError):
            raise
        raise yaml.MarkedYAMLError(problem=f"a number or date that is none: {error}") from None
    finally:
        loader.dispose()


def _size(node: yaml.Node, known: dict[int, int]) -> int:
    """Return how many characters a node stands for, aliases followed; its keys and texts are checked."""
    if isinstance(node, yaml.ScalarNode):
        node.value = _paired(node)
        return 1 + len(node.value)
    key = id(node)
    if key not in known:
        known[key] = 0
        if isinstance(node, yaml.MappingNode):
            _check_keys(node)
            parts = [part for pair in node.value for part in pair]
        else:
            parts = node.value
        known[key] = 1 + sum(_size(part, known) for part in parts)
    elif not known[key]:
        raise _refusal(node, "an alias stands for a value that it is a part of")
    return known[key]


def _paired(node: yaml.ScalarNode) -> str:
    r"""Return a node's text with ``\ud83d\ude00``, which JSON writes for one character, as that character."""
    try:
        return str(node.value).encode("utf-16-le", "surrogatepass").decode("utf-16-le")
    except UnicodeDecodeError:
        raise _refusal(node, "a \\ud8xx escape is half a surrogate pair: remove it") from None


def _check_keys(node: yaml.MappingNode) -> None:
    seen = set()
    for key, _ in node.value:
        if isinstance(key, yaml.ScalarNode) and key.tag != "tag:yaml.org,2002:merge":
            if (key.tag, key.value) in seen:
                raise _refusal(key, f"the key {key.value[:80]!r} stands twice: leave one")
            seen.add((key.tag, key.value))


def _refusal(node: yaml.Node, problem: str) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=problem, problem_mark=node.start_mark)
