"""From a value in the data to text: the same whatever kind of file it stands in."""

import datetime
import math
import pickle
from decimal import Decimal
from enum import Enum

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from paft.task.data import HeldRows, look_up
from paft.task.values import CLOCK, FILLED, as_text, from_arrow

NOON = datetime.datetime(2024, 5, 1, 12)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (" as it is\n", " as it is\n"),
        ("NaN", "NaN"),
        (Enum("Team", {"SALES": "sales"}, type=str).SALES, "sales"),
        (7, "7"),
        (10**40, "1" + "0" * 40),
        (np.int8(-7), "-7"),
        (0.00001, "0.00001"),
        (2e16, "20000000000000000"),
        (1.0, "1"),
        (-0.0, "0"),
        (0.1 + 0.2, "0.30000000000000004"),
        (5e-324, "0." + "0" * 323 + "5"),
        (np.float32(0.1), "0.1"),
        (np.float64(2.5), "2.5"),
        (Decimal("1.50"), "1.5"),
        (Decimal("1E+3"), "1000"),
        (True, "True"),
        (np.False_, "False"),
        (b"caf\xc3\xa9", "café"),
        (datetime.date(2024, 5, 1), "2024-05-01"),
        (datetime.datetime(2024, 5, 1), "2024-05-01"),
        (NOON, "2024-05-01 12:00:00"),
        (datetime.datetime(2024, 5, 1, tzinfo=datetime.UTC), "2024-05-01 00:00:00+00:00"),
        (pd.Timestamp("2024-05-01"), "2024-05-01"),
        (datetime.time(12, 30), "12:30:00"),
    ],
)
def test_a_value_has_one_text(value, text):
    assert as_text(value) == text


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (None, "is missing"),
        (math.nan, "is missing"),
        (np.float32("nan"), "is missing"),
        (Decimal("NaN"), "is missing"),
        (pd.NaT, "is missing"),
        (pd.NA, "is missing"),
        (math.inf, "is infinite"),
        (Decimal("-Infinity"), "is infinite"),
        (10**4_000, "a number of more than 1,000 digits"),
        (Decimal("1e999999"), "a number of more than 1,000 digits"),
        (b"\xff\xfe", "bytes that are not UTF-8"),
        ([1], "must be text or a number, got list"),
        ({"a": 1}, "must be text or a number, got dict"),
        (datetime.timedelta(1), "got timedelta"),
        (FILLED, "typed columns do not tell which"),
        (CLOCK, "give the file itself"),
    ],
)
def test_what_is_no_text_is_refused(value, said):
    with pytest.raises(ValueError, match=said):
        as_text(value)


@given(st.floats(allow_nan=False, allow_infinity=False, width=32))
def test_a_float_of_32_bits_is_shown_with_the_digits_it_has(number):
    text = as_text(from_arrow(pa.scalar(number, pa.float32())))
    assert np.float32(text) == np.float32(number)
    assert len(text.replace(".", "").strip("-0")) <= 9


@pytest.mark.parametrize(
    ("kind", "value", "found"),
    [
        (pa.float16(), float(np.float16(0.1)), 0.1),
        (pa.float64(), 0.1, 0.1),
        (pa.list_(pa.float32()), [float(np.float32(0.1)), None], [0.1, None]),
        (pa.struct([("x", pa.float32())]), {"x": float(np.float32(0.2))}, {"x": 0.2}),
        (pa.struct([("x", pa.string()), ("y", pa.int8())]), {"x": "a", "y": None}, {"x": "a", "y": FILLED}),
        (pa.list_(pa.struct([("x", pa.string())])), [{"x": None}], [{"x": FILLED}]),
        (pa.string(), None, None),
        (pa.timestamp("s"), datetime.datetime(2024, 5, 1), datetime.datetime(2024, 5, 1)),
        (pa.timestamp("s"), NOON, CLOCK),
        (pa.timestamp("us"), NOON, NOON),
        (pa.map_(pa.string(), pa.float32()), [("a", np.float32(0.1)), ("b", None)], {"a": 0.1, "b": None}),
    ],
)
def test_arrow_values_are_what_their_types_say(kind, value, found):
    assert from_arrow(pa.scalar(value, kind)) == found


def test_rows_with_values_that_cannot_be_told_have_one_hash_in_every_process():
    rows = HeldRows(
        [("a.parquet:row 1", {"x": from_arrow(pa.scalar({"y": None}, pa.struct([("y", pa.string())])))})]
    )
    assert rows.digest() == HeldRows(pickle.loads(pickle.dumps(rows.rows))).digest()
    assert " at 0x" not in repr(rows.rows)


@pytest.mark.parametrize("path", ["n.k", "n.k.0", "n.k.deep.er"])
def test_null_on_the_way_to_a_nested_value_is_no_absent_column(path):
    kind = pa.struct([("k", pa.list_(pa.string()))])
    assert look_up({"n": from_arrow(pa.scalar({"k": None}, kind))}, path) is FILLED
    assert look_up({"n": {"k": None}}, path) is None
