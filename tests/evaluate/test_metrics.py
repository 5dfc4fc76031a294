"""Statistics over prompts are the textbook ones, with Top counted strictly above its threshold."""

import statistics

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paft.evaluate.metrics import summarize

ACCURACIES = st.lists(st.integers(0, 200).map(lambda hits: hits / 200), min_size=2, max_size=40)


@settings(max_examples=60, deadline=None)
@given(accuracies=ACCURACIES, threshold=st.integers(0, 200).map(lambda hits: hits / 200))
def test_the_summary_equals_the_definitions(accuracies, threshold):
    summary = summarize(accuracies, threshold)
    assert summary.mean == pytest.approx(statistics.fmean(accuracies))
    assert summary.std == pytest.approx(statistics.stdev(accuracies))
    assert (summary.min, summary.max) == (min(accuracies), max(accuracies))
    assert summary.top == pytest.approx(sum(a > threshold for a in accuracies) / len(accuracies))
    assert summary.top_threshold == threshold


def test_a_prompt_exactly_at_the_threshold_is_not_above_it():
    assert summarize([0.8, 0.9, 1.0], 0.9).top == pytest.approx(1 / 3)


def test_the_spread_of_a_single_prompt_is_unknown_not_zero():
    assert summarize([0.7], 0.5).std is None
    assert summarize([0.7, 0.7], 0.5).std == pytest.approx(0)


def test_an_array_is_taken_like_a_list():
    assert summarize(np.array([0.2, 0.4]), 0.3) == summarize([0.2, 0.4], 0.3)


def test_no_prompt_at_all_is_an_error():
    with pytest.raises(ValueError, match="no prompt"):
        summarize([], 0.5)
