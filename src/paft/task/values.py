"""From a value in the data to text: one rule for every kind of file, in the tables of docs/tasks.md.

Missing values, infinity, lists and objects are refused. Arrow (Parquet, the Hub) says the type of a column,
and fills the keys that an object lacks with null.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from numbers import Integral
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from paft.errors import shown
from paft.task.numerals import LIMIT, plain
from paft.text_values import read_json_value

if TYPE_CHECKING:
    from pyarrow import DataType, Scalar


@dataclass(frozen=True)
class Unknown:
    """A value whose content is unknown; using it is refused with the reason.

    Attributes:
        why: What is unknown.
    """

    why: str


FILLED: Final = Unknown("null, or left out: files with typed columns do not tell which")
CLOCK: Final = Unknown(
    "a time that the `datasets` library made of a JSON text, whose wording it does not keep: "
    "give the file itself under `data`"
)


def is_missing(value: Any) -> bool:
    """Whether a value is null, NaN, or pandas' NaT or NA."""
    if isinstance(value, Decimal):
        return value.is_nan()
    comparable = isinstance(value, (float, np.floating, datetime.datetime))  # pandas' NaT is a datetime
    unknown = type(value).__name__ == "NAType"  # pandas', which is not loaded for this
    return value is None or unknown or (comparable and bool(value != value))


def as_list(value: Any) -> list[Any] | None:
    """Return a list of values, None for anything else; pandas holds lists as arrays."""
    array = isinstance(value, np.ndarray) and value.ndim > 0
    return list(value) if array or isinstance(value, (list, tuple)) else None


def as_text(value: Any) -> str:
    r"""Return a value as text.

    Raises:
        ValueError: If it is none; the message says what it is.

    >>> [as_text(value) for value in (1e-05, 2e16, Decimal("1.50"), True, b"caf\xc3\xa9")]
    ['0.00001', '20000000000000000', '1.5', 'True', 'café']
    """
    if isinstance(value, str):
        return str.__str__(value)  # numpy has a class of its own, a member of an Enum tells its name
    if is_missing(value):
        return _refuse("is missing (null or NaN)")
    if isinstance(value, Unknown):
        return _refuse(f"is {value.why}")
    if isinstance(value, (bool, np.bool_)):
        return str(bool(value))
    if isinstance(value, (Integral, Decimal, float, np.floating)):
        return _number(value)
    if isinstance(value, datetime.datetime):
        return str(value).removesuffix(" 00:00:00")
    if isinstance(value, (datetime.date, datetime.time)):
        return str(value)
    if isinstance(value, (bytes, bytearray)):
        try:
            return value.decode("utf-8")
        except UnicodeDecodeError:
            return _refuse(f"is no text but bytes that are not UTF-8 ({shown(bytes(value))})")
    return _refuse(f"must be text or a number, got {type(value).__name__}")


def from_arrow(cell: Scalar) -> Any:
    """Return a cell of Arrow data, mended where its Python value says less than its type."""
    try:
        return _mended(cell.as_py(), cell.type)
    except (OverflowError, ValueError) as error:  # a year beyond 9999, text that is not UTF-8
        return Unknown(f"a {cell.type} that cannot be read ({error})")


def _mended(value: Any, kind: DataType) -> Any:
    from pyarrow import JsonType, types

    if value is None:
        return None
    if types.is_float16(kind) or types.is_float32(kind):
        shortest = str((np.float16 if types.is_float16(kind) else np.float32)(value))
        return float(shortest)
    if types.is_timestamp(kind) and kind.unit == "s" and kind.tz is None:
        return value if value.time() == datetime.time() else CLOCK
    if isinstance(kind, JsonType):  # what `datasets` makes of a column of several types
        return read_json_value(value, "JSON in a column")
    if types.is_map(kind):  # unlike an object, it has no null for a key that it lacks
        return {key: _mended(item, kind.item_type) for key, item in value}
    if types.is_struct(kind) and isinstance(value, Mapping):
        found = {field.name: (value.get(field.name), field.type) for field in kind}
        return {key: FILLED if v is None else _mended(v, inner) for key, (v, inner) in found.items()}
    if hasattr(kind, "value_type") and isinstance(value, list):
        return [_mended(item, kind.value_type) for item in value]
    return value


def _number(value: Any) -> str:
    exact = (
        Decimal(str(value))
        if isinstance(value, (float, np.floating))
        else Decimal(value if isinstance(value, Decimal) else int(value))
    )
    if not exact.is_finite():
        return _refuse("is infinite")
    return plain(exact) or _refuse(f"is a number of more than {LIMIT:,} digits")


def _refuse(why: str) -> str:
    raise ValueError(why)
