"""Every figure that is printed with an interval lies in it, as printed, or has the mark that says why not."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from paft.evaluate.matrix import Cell, Matrix
from paft.evaluate.rows import prompt_rows, robustness_row, split_row
from paft.grid import gather as gathered
from paft.grid.table import FIGURES, _cell
from paft.prompt import Prompt
from paft.report import card
from paft.report.data import INTERVALS, gather
from paft.report.html import page
from paft.report.table import OUTSIDE, difference_text, with_interval
from paft.report.text import latex, markdown
from paft.statistics.comparison import FEW_PROMPTS, difference, estimate

ROOT = Path(__file__).parents[2]
NUMBER = r"[-+]?\d+(?:\.\d+)?(?:e-\d+)?"
PAIR = re.compile(rf"({NUMBER})(\*?)({OUTSIDE}?)(?: %)? \\?\[({NUMBER}), ({NUMBER})\\?\]")
few = settings(max_examples=25, deadline=None)
SCORES = st.tuples(st.integers(1, 3), st.integers(1, 6), st.integers(2, 8)).flatmap(
    lambda shape: arrays(float, shape, elements=st.sampled_from([0.0, 1.0]) | st.floats(0, 1, width=16))
)


def pairs(text):
    """Yield (value, starred, marked, low, high) of every figure that stands before an interval."""
    for value, star, mark, low, high in PAIR.findall(
        text.replace("\\*", "*").replace(r"\textdagger{}", OUTSIDE)
    ):
        yield float(value), bool(star), bool(mark), float(low), float(high)


def check(text):
    """Check every pair of a text and return how many there are."""
    found = list(pairs(text))
    for value, star, mark, low, high in found:
        assert low <= high, text
        assert (low <= value <= high) != mark, (value, low, high, mark)
        assert not star or low > 0 or high < 0, (value, low, high)
    return len(found)


def run_of(scores):
    """Return results and matrices of one method with so many seeds."""
    prompts = [Prompt(f"Prompt {i}: {{text}}") for i in range(scores.shape[1])]
    rows, per_prompt, robustness, matrices = [], [], [], {}
    for seed, judged in enumerate(scores):
        cells = [
            Cell(prompt.id, n, "a", True, float(score), 0, ())
            for prompt, line in zip(prompts, judged, strict=True)
            for n, score in enumerate(line)
        ]
        matrix = Matrix(tuple(p.id for p in prompts), tuple(range(judged.shape[1])), tuple(cells))
        matrices["paft", seed, "test"] = matrix
        trained = {"train_steps": 1, "train_tokens": 1, "train_seconds": 1.0}
        rows.append(split_row("paft", seed, "test", matrix, 0.5, 1.0) | trained)
        per_prompt += prompt_rows("paft", seed, "test", prompts, matrix, 1.0)
        robustness.append(robustness_row("paft", seed, "test", {"test": matrix}, 0.5))
    results = {
        "task": "t", "model": "m", "bank_fingerprint": "f", "warnings": [], "environment": {},
        "rows": rows, "per_prompt": per_prompt, "robustness": robustness,
    }  # fmt: skip
    return results, matrices


@few
@given(scores=SCORES)
def test_reports_cards_and_tables_print_no_figure_outside_its_interval_without_a_mark(scores):
    results, matrices = run_of(scores)
    report = gather(results, matrices)
    least = 2 if scores.shape[1] < FEW_PROMPTS else 4 if scores.shape[2] < 3 else 5
    assert check(markdown(report)) >= least and check(latex(report)) >= least
    figures = gathered._figures(report.methods[0], threshold=0.5)
    assert sum(check(_cell(figures[name])) for name in FIGURES) >= least
    estimates = report.methods[0].estimates if len(scores) == 1 else {}
    shown = card.figure_rows(results["robustness"][0], estimates)
    check("; ".join(f"{value} [{ends.replace(' to ', ', ')}]" for _, value, ends in shown if ends))


def test_every_format_marks_what_lies_outside():
    """Of twelve prompts with few right answers one has none: that was luck, and no prompt's true accuracy."""
    scores = (np.random.default_rng(1).random((1, 12, 40)) < 0.05).astype(float)
    report = gather(*run_of(scores))
    html = re.sub("<small>(.*?) \u2013 (.*?)</small>", r" [\1, \2]", page(report))
    assert check(html) >= 6 and html.count(f"<td>0.0{OUTSIDE} [") == 2
    assert f"0.0{OUTSIDE} [" in markdown(report) and r"0.0\textdagger{} [" in latex(report)
    shown = card.figure_rows(report.results["robustness"][0], report.methods[0].estimates)
    assert ("worst prompt", f"0.0{OUTSIDE}") in [row[:2] for row in shown]


@few
@given(scores=SCORES.filter(lambda scores: min(scores.shape[1:]) >= 3), data=st.data())
def test_differences_lie_in_their_intervals_and_a_star_shows_that_0_does_not(scores, data):
    other = data.draw(arrays(float, scores.shape, elements=st.sampled_from([0.0, 1.0])))
    for found in difference(scores, other).values():
        ends = [found.interval.low, found.interval.high]
        assert check(difference_text({"value": found.value, "interval": ends})) == 1


@pytest.mark.parametrize(
    ("value", "low", "high", "text"),
    [
        (-0.029, -0.067, -0.0002, "-2.9* [-6.7, -0.02]"),
        (0.0004, 0.00012, 0.02, "+0.04* [0.01, 2.0]"),
        (0.017, 0.0, 0.035, "+1.7 [0.0, 3.5]"),
        (-0.0004, -0.001, 0.0004, "0.0 [-0.1, 0.0]"),
        (-0.08, -0.1, -0.05, "-8.0* [-10.0, -5.0]"),
    ],
)
def test_a_star_beside_an_end_that_rounds_to_nothing_gets_the_digit_that_shows_it(value, low, high, text):
    assert difference_text({"value": value, "interval": [low, high]}).removeprefix("+0.0 ") in (
        text,
        text[4:],
    )


def test_the_mark_is_explained_where_intervals_are():
    scores = np.zeros((1, 4, 6))
    scores[0, 0, :3] = scores[0, 1, 3:] = scores[0, 2, ::2] = scores[0, 3, 1::2] = 1
    found = estimate(scores, ["std", "min"])["min"]
    assert found.observed == 0.5 and found.value > 0
    assert OUTSIDE in with_interval(0.012, 0, 0.008) and OUTSIDE in INTERVALS
    assert OUTSIDE not in with_interval(0.0084, 0, 0.008)  # it rounds to the end


@pytest.mark.parametrize("path", [ROOT / "docs" / "results.md", *sorted((ROOT / "results").glob("*/*.json"))])
def test_published_tables_keep_the_rule(path):
    text = path.read_text("utf-8")
    if path.suffix == ".json":
        tables = json.loads(text).get("tables", []) if isinstance(json.loads(text), dict) else []
        text = "\n".join(cell for table in tables for row in table["rows"] for cell in row)
    check(text.replace("\\[", "[").replace("\\]", "]"))
