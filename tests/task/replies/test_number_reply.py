"""Which number a reply gives: whole, by itself, or none at all."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from paft.task.numerals import read_number
from paft.task.replies.extract import cell_score, extract


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("\\boxed{18}. That took 3 steps.", "18"),
        ("First 3, then \\boxed{5}, no: $\\boxed{1{,}250 \\text{ EUR}}$ in 4 steps", "1250"),
        ("\\boxed{x = -18}", "-18"),
        ("It costs 1 250 EUR.", "1250"),
        ("1\u00a0250,", "1250"),
        ("1\u202f250\u202f000 people", "1250000"),
        ("1'250 and 1\u2019250.50", "1250"),
        ("1,250.50", "1250.5"),
        ("1.250,50", "1250.5"),
        ("1.250", "1.25"),
        ("1,250", "1250"),
        ("1.250.000", "1250000"),
        ("$18", "18"),
        ("-$18", "-18"),
        ("$-18", "-18"),
        ("\\$18", "18"),
        ("R$18", "18"),
        ("50%", "50"),
        ("18\\%", "18"),
        ("18kg", "18"),
        ("**18** apples", "18"),
        ("`18`", "18"),
        ("\u22125", "-5"),
        ("\uff11\uff18", "18"),
        ("\u0663", "3"),
        ("18.", "18"),
        ("\u5171 18\u4e2a\u3002", "18"),
        ("Rs.500", "500"),
        ("1e5", "100000"),
        ("18/month", "18"),
        ("a 3-year plan", "3"),
        ("<think>3 or 4?</think>18", "18"),
        ("\\boxed{18^\\circ}", "18"),
        ("__18__", "18"),
        ("#### 18", "18"),
        ("Answer \u2014 5", "5"),
        ("18. It took a while", "18"),
        ("3\u5e74", "3"),
    ],
)
def test_a_number_is_read_as_it_is_written(text, number):
    assert extract("number", text) == number


@pytest.mark.parametrize(
    "text",
    [
        "3\u20444", "It is 3\u22154", "3\uff0f4", "3 : 4", "3\u22364",
        "3/4", "\\frac{3}{4}", "\\boxed{\\frac{3}{4}}", "1 1/2", "1\xbd", "2024-05-01", "5/1/2024",
        "01.05.2024", "10:30", "5-7", "5\u20137 days", "5 to 7", "5 or 7", "12,5", "1,2,3", "1,234,56",
        "12,34,567", "555 123 4567", "3.5 million", "3,5 Millionen", "5k", "10M", "18\u4e07", "3x10^5",
        "3\xd710^5", "2^10", "10\xb2", "2x + 3", "\\sqrt{2}", "\u221a2", "2\u03c0", "\u2265 5", "5 \xb1 2",
        "48-2", "B12", "COVID-19", "0x1F", "1_000", "- 5", "minus 5", "5'3\"", "9.5/10", "\\boxed{3, 4}",
        "\\boxed{18", "\\boxed{}", "1e999999999", "<think>18", "five", "...", "",
        "Part 2", "#18", "May 5, 2024", "5 May 2024", "2024\u5e745\u67081\u65e5", "\uff15\uff0c\uff16",
        "the 3rd", "the 21st", "x < 5", "x > 5", "\xb15", "-$-5",
        "1.5 M\u20ac", "5\ucc9c", "between 5 and 7", "Cost - $5", "Answer - 5", "9" * 5_000,
    ],
)  # fmt: skip
def test_a_number_that_is_part_of_something_else_is_not_read(text):
    assert extract("number", text) is None
    assert extract("final_number", text) is None


def test_a_calculation_has_no_first_number_but_a_result():
    assert extract("number", "12 * 4 = 48") is None
    assert extract("number", "Step 1: add them. 48") is None
    assert extract("final_number", "12 * 4 = 48") == "48"


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("\\boxed{18}. That took 3 steps.", "18"),
        ("#### Step 1\n3 + 15\n#### 18\nThat is all, 2 steps.", "18"),
        ("#### 1. Add 3 and 15\nThey make 18", "18"),
        ("#### $1 250", "1250"),
        ("#### 72 apples", "72"),
        ("#### **72**", "72"),
        ("so 3 + 15 = 18", "18"),
        ("so it is 3 + 15", None),
        ("in all 3/4", None),
        ("#### Answer\n18", "18"),
        ("### Step 1\n3 + 15 = 18\n### Answer\n18", "18"),
        ("\\boxed{18 \\text{ cm}^2}", "18"),
        ("\\boxed{18\\text{ cm}^{2}}", "18"),
        ("It falls at 9.8 m/s^2.", "9.8"),
        ("It is 3^2", None),
    ],
)
def test_the_result_is_read_behind_its_mark(text, number):
    assert extract("final_number", text) == number


@pytest.mark.parametrize(
    ("rule", "text", "number"),
    [
        ("number", "It is 12", None),
        ("number", "It is 12.", None),
        ("number", "12 of", "12"),
        ("final_number", "3 + 4 = 7, so that", None),
        ("final_number", "#### 12", None),
        ("final_number", "#### 12\nQuestion", "12"),
        ("final_number", "\\boxed{12} since", "12"),
    ],
)
def test_a_number_that_touches_the_limit_may_lack_digits_and_working_its_result(rule, text, number):
    assert extract(rule, text, cut=True) == number
    assert extract(rule, text) is not None


NUMBERS = st.integers(-(10**12), 10**12) | st.decimals(-(10**6), 10**6, places=2)


@settings(deadline=None, max_examples=100)
@given(number=NUMBERS, rule=st.sampled_from(["number", "final_number"]))
@example(number=0, rule="number")
def test_a_number_scores_one_in_every_dress_and_any_other_zero(number, rule):
    gold, other = format(number, "f"), format(number + 1, "f")
    spaced = format(number, ",").replace(",", "\u202f")
    for dress in (
        gold,
        f"{number:,}",
        spaced,
        f"**{gold}**",
        f"It is {gold}.",
        f"${gold}$",
        f"\\boxed{{{gold}}} in 3 steps",
    ):
        assert cell_score("exact_match", rule, extract(rule, dress), gold) == 1.0, dress
        assert cell_score("exact_match", rule, extract(rule, dress), other) == 0.0, dress


@settings(deadline=None, max_examples=100)
@given(st.from_regex(r"\s?[-+]?(\d{1,3}(,\d{3}){0,2}|\d{1,6})(\.\d{0,3})?([eE][-+]?\d)?\s?", fullmatch=True))
@example("+.5e-3")
@example("\u221217")
@example("1'250")
def test_a_gold_that_is_wholly_a_number_is_read_whole(gold):
    for rule in ("number", "final_number"):
        assert extract(rule, gold) == read_number(gold)


@settings(deadline=None, max_examples=200)
@given(text=st.text(st.characters(categories=["P", "S", "Z", "Cc", "L", "M"]), max_size=12))
def test_a_reply_without_a_digit_gives_no_number(text):
    assert extract("number", text) is None
    assert extract("final_number", text) is None
