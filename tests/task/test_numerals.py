"""Numbers as people write them: what is one, what is none, and that nothing of them is lost."""

import time
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paft.task.numerals import LIMIT, find_numbers, fold, plain, read_number


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("18", "18"),
        (" 18\n", "18"),
        ("+18", "18"),
        ("18.0", "18"),
        ("18.", "18"),
        ("007", "7"),
        (".5", "0.5"),
        ("-0", "0"),
        ("-0.000", "0"),
        ("100", "100"),
        ("1e-05", "0.00001"),
        ("2e16", "20000000000000000"),
        ("2E+3", "2000"),
        ("0.10000000000000000000000001", "0.10000000000000000000000001"),
        ("1,250.50", "1250.5"),
        ("12,345,678", "12345678"),
        ("1'250", "1250"),
        ("1\u2019250", "1250"),
        ("1\u00a0250", "1250"),
        ("1\u202f250\u202f000", "1250000"),
        ("1\u2009250.5", "1250.5"),
        ("\u22127", "-7"),
        ("\u20137", "-7"),
        ("\uff0d\uff11\uff12\uff0e\uff15", "-12.5"),
        ("\u0661\u0662\u066b\u0665", "12.5"),
        ("\u0967\u0968", "12"),
        ("\U0001d7d7", "9"),
    ],
)
def test_a_number_has_one_plain_form(text, number):
    assert read_number(text) == number


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "-", ".", "five", "3/4", "50%", "50 %", "$5", "5 kg", "2024-05-01", "12:30", "1 234", "1,5",
        "1,2500", "1,25,000", "1.250,50", "1,250 000", "1_000", "10\u00b2", "\u00bd", "2\u00bd", "0x1f", "1e",
        "e5", "--7", "- 7", "7-", "nan", "NaN", "inf", "-Infinity", "1\n2", "1..2", "1.2.3", "10^3", "\u2167",
    ],
)  # fmt: skip
def test_what_is_not_wholly_one_number_is_none(text):
    assert read_number(text) is None


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("", []),
        ("no digits", []),
        ("The total is $1,250.50, I think", ["1250.5"]),
        ("1 250 EUR", ["1250"]),
        ("1 2500", ["1", "2500"]),
        ("1,2500", ["1", "2500"]),
        ("It is 18. That took 3 steps.", ["18", "3"]),
        ("\u22127 \u2026 \uff18", ["-7", "8"]),
        ("5-7", ["5", "-7"]),
        ("1e3 and 2e", ["1000", "2"]),
        (".5.", ["0.5"]),
    ],
)
def test_the_numbers_of_a_text(text, numbers):
    assert [numeral.value for numeral in find_numbers(text)] == numbers


def test_a_number_knows_its_place():
    text = "\u0661 is \u22121\u00a0250.\n"
    assert [text[n.start : n.end] for n in find_numbers(text)] == ["\u0661", "\u22121\u00a0250"]


@pytest.mark.parametrize(
    "text", ["7" * 5_000, "1e999999999", "1e-999999999", "1e" + "9" * 5_000, "0." + "0" * 5_000 + "1"]
)
def test_a_number_too_long_to_write_out_is_none_at_once(text):
    begun = time.process_time()
    assert read_number(text) is None
    assert [numeral.value for numeral in find_numbers(text)] == [None]
    assert time.process_time() - begun < 2


@pytest.mark.parametrize("piece", ["1,111", "1 ", "1.", "-", "1e", "1,", "1\u00a0", "1'111'"])
def test_a_long_text_is_read_in_time_linear_in_it(piece):
    begun = time.process_time()
    list(find_numbers(piece * 20_000))
    read_number(piece * 20_000)
    assert time.process_time() - begun < 5


def test_as_many_digits_as_there_may_be_are_kept():
    assert read_number("7" * LIMIT) == "7" * LIMIT
    assert read_number("0." + "7" * LIMIT) == "0." + "7" * LIMIT
    assert plain(Decimal("nan")) is None


@settings(deadline=None)
@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_float_survives_and_its_form_is_plain(number):
    found = read_number(repr(number))
    assert found is not None and float(found) == number
    assert set(found) <= set("-0123456789.")
    assert read_number(found) == found


@given(st.integers(-(10**40), 10**40), st.sampled_from([",", "'", "\u00a0", "\u202f", "_"]))
def test_every_integer_survives_with_its_groups(number, separator):
    written = f"{number:,}".replace(",", separator)
    single = -1000 < number < 1000
    assert read_number(written) == (str(number) if separator != "_" or single else None)
    assert read_number(str(number)) == str(number)


@given(st.text(max_size=30))
def test_folding_keeps_every_place(text):
    assert len(fold(text)) == len(text)
