"""What a column holds."""

from __future__ import annotations

import datetime
from decimal import Decimal

import numpy as np
import pytest

from paft.start.columns import cell_text, read_columns
from paft.task.values import CLOCK
from tests.start_tables import text


def column(name, values):
    return read_columns([name], [{name: value} for value in values])[0]


@pytest.mark.parametrize(
    ("name", "values", "kind"),
    [
        ("a", ["", " ", None, float("nan"), "NaN", "NULL"], "empty"),
        ("a", ["x"] * 9 + ["X "], "constant"),
        ("a", [["x"]] + ["y"] * 9, "nested"),
        ("a", [{"x": 1}] * 9, "nested"),
        ("a", ["2024-05-01", "2024-05-02 12:30", "1.5.2024", "05/01/24"] * 5, "date"),
        ("a", [datetime.date(2024, 5, 1), datetime.datetime(2024, 5, 2, 3)] * 5, "date"),
        ("a", list(range(30)), "id"),
        ("a", list(range(30, 0, -1)), "number"),
        ("row id", [i * i for i in range(30)], "id"),
        ("answer", [i * i for i in range(30)], "number"),
        ("a", ["1,250", "-3", "4.50", Decimal("7.0")] * 5, "number"),
        ("a", [f"T-{i}" for i in range(30)], "id"),
        ("a", [f"https://example.org/{i}" for i in range(30)], "id"),
        ("a", [f"somebody{i}@example.org" for i in range(30)], "id"),
        ("uuid", [f"word{chr(97 + i)}" for i in range(20)], "id"),
        ("a", [f"word{chr(97 + i)}" for i in range(20)], "text"),
        ("a", [f"\u5929\u6c14{i}" for i in range(30)], "text"),
        ("a", ["red", "blue", "Red "] * 9, "words"),
        ("a", [True, False] * 9, "words"),
        ("a", ["x" * 81, "y" * 81] * 9, "text"),
        ("a", [text(i) for i in range(30)], "text"),
        ("a", [f"w {i}" for i in range(301)] * 3, "text"),
    ],
)
def test_the_kind_of_a_column_is_told_by_its_values(name, values, kind):
    assert column(name, values).kind == kind


def test_few_cells_that_differ_do_not_decide():
    assert column("a", [*range(100, 0, -1), "n/a", ""]).kind == "number"
    assert column("a", [*range(9, 0, -1), "n/a"]).kind == "text"


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        ("  x ", "  x "),
        (1.0, "1"),
        (True, "True"),
        (np.float32(2.5), "2.5"),
        (CLOCK, None),
        (float("inf"), None),
        ("#N/A", None),
        ("N/A", "N/A"),
        ("None", "None"),
    ],
)
def test_a_cell_is_text_or_empty(value, wanted):
    assert cell_text(value) == wanted


def test_a_row_may_lack_a_column():
    (found,) = read_columns(["a"], [{"a": "x"}, {}, {"a": "y"}])
    assert found.texts == ["x", None, "y"] and found.empty == 1
