"""Rows of a grid minus their reference: figures worked out by hand, and when there are none."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paft.grid.differences import COMPARED, Side, compare, difference_rows, task_differences
from paft.grid.file import Reference
from paft.statistics.comparison import difference


def side(accuracies, seeds=(0,), examples=4):
    """Cells without noise: every example of a prompt has the prompt's accuracy, by seed (S, P)."""
    table = np.array(accuracies, dtype=float).reshape(len(seeds), -1)
    return Side(
        data="rows",
        seeds=tuple(seeds),
        prompts=tuple(f"p{place}" for place in range(table.shape[1])),
        examples=tuple(range(examples)),
        scores=np.repeat(table[:, :, None], examples, axis=2),
        estimable=frozenset(COMPARED.values()),
    )


def values(found):
    return {name: found[name]["value"] for name in COMPARED}


def test_the_figures_of_a_difference_are_those_of_the_row_minus_those_of_the_reference():
    found = compare(side([0.0, 0.5, 1.0]), side([0.4, 0.5, 0.6]))
    assert values(found) == pytest.approx({"mean": 0.0, "std": 0.4, "min": -0.4, "cvar_10": -0.4})
    assert found["seeds"] == 1


def test_a_row_that_is_better_in_every_cell_by_the_same_has_intervals_of_no_width_about_it():
    found = compare(side([0.3, 0.6, 0.9]), side([0.2, 0.5, 0.8]))
    assert found["mean"]["interval"] == pytest.approx([0.1, 0.1])
    assert found["min"]["interval"] == pytest.approx([0.1, 0.1])
    assert found["std"]["value"] == pytest.approx(0.0)


def test_rows_that_train_are_compared_on_the_seeds_that_both_have():
    row = side([[0.9, 0.9, 0.9], [0.6, 0.7, 0.8], [0.5, 0.5, 0.5]], seeds=(4, 0, 2))
    other = side([[0.1, 0.2, 0.3], [0.2, 0.2, 0.2]], seeds=(0, 1))
    found = compare(row, other)
    assert found["seeds"] == 1 and found["mean"]["value"] == pytest.approx(0.5)
    assert found == compare(side([0.6, 0.7, 0.8]), side([0.1, 0.2, 0.3]))
    assert compare(row, side([0.1, 0.2, 0.3], seeds=(1,))) == {"none": "no seed in common yet"}


def test_a_row_that_does_not_train_is_compared_with_all_seeds_of_the_other():
    base, trained = side([0.1, 0.2, 0.3], seeds=(None,)), side([[0.5] * 3, [0.6] * 3, [1.0] * 3], (0, 1, 2))
    found, back = compare(base, trained), compare(trained, base)
    assert found["mean"]["value"] == pytest.approx(0.2 - 0.7) and back["mean"]["value"] == pytest.approx(0.5)
    assert (found["seeds"], back["seeds"]) == (1, 3)


@settings(deadline=None, max_examples=20)
@given(order=st.permutations(range(4)), seed=st.integers(0, 99))
def test_prompts_are_paired_by_their_ids_in_any_order(order, seed):
    generator = np.random.default_rng(seed)
    row, other = (replace(side([0.5] * 4), scores=generator.random((1, 4, 4))) for _ in range(2))
    shuffled = replace(
        other, prompts=tuple(other.prompts[place] for place in order), scores=other.scores[:, order]
    )
    found, plain = compare(row, shuffled), difference(row.scores, other.scores, list(COMPARED.values()))
    for key, name in COMPARED.items():
        interval = plain[name].interval
        assert found[key] == {"value": plain[name].value, "interval": [interval.low, interval.high]}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"prompts": ("p0", "p1", "p9")}, "other prompts"),
        ({"prompts": ("p0", "p1"), "scores": np.zeros((1, 2, 4))}, "other prompts"),
        ({"examples": (0, 1, 2, 9)}, "other examples"),
        ({"data": "other rows under the same numbers"}, "other examples"),
        ({"estimable": frozenset()}, "too few scored cells for an interval"),
    ],
)
def test_what_cannot_be_paired_has_a_reason_instead(change, reason):
    good = side([0.2, 0.5, 0.8])
    other = replace(good, **change)
    assert compare(good, other) == compare(other, good) == {"none": reason}


def test_too_few_prompts_for_a_std_leave_it_out_alone():
    few = frozenset(COMPARED.values()) - {"std"}
    found = compare(replace(side([0.5, 0.7]), estimable=few), replace(side([0.4, 0.4]), estimable=few))
    assert found["std"] is None and found["mean"]["value"] == pytest.approx(0.2)


def test_every_row_but_the_reference_is_compared_and_what_is_not_there_told():
    plain, k1 = (None, "plain", "paft"), (None, "k1", "paft")
    base, alone = (None, "plain", "base"), (None, "k1", "static")
    sides = {plain: side([0.1, 0.2, 0.3]), k1: side([0.2, 0.3, 0.4]), base: None, alone: side([0.5] * 3)}
    found = task_differences(Reference(setting="plain"), sides)
    assert set(found) == {k1, alone}
    assert found[k1]["mean"]["value"] == pytest.approx(0.1)
    assert found[alone] == {"none": "there is no such reference"}
    found = task_differences(Reference(setting="plain", method="paft"), sides)
    assert set(found) == {k1, base, alone} and found[base] == {"none": "not finished"}
    found = task_differences(Reference(setting="plain", method="base"), sides)
    assert {each["none"] for each in found.values()} == {"the reference is not finished"}


def test_rows_stand_in_the_order_of_the_table_with_what_each_was_compared_with():
    table = [
        {"model": None, "setting": setting, "method": method}
        for setting, method in (("b", "paft"), ("a", "paft"), ("b", "base"))
    ]
    by_task = {"t": {(None, "a", "paft"): {"none": "x"}, (None, "b", "base"): {"none": "y"}}, "u": {}}
    first, second = difference_rows(Reference(setting="b", method="paft"), table, by_task)
    named = {"model": None, "setting": "b", "method": "paft"}
    assert first == {
        "model": None, "setting": "a", "method": "paft", "reference": named,
        "tasks": {"t": {"none": "x"}, "u": {"none": "not in this task"}},
    }  # fmt: skip
    assert second["tasks"]["t"] == {"none": "y"} and second["reference"] == named
    assert difference_rows(None, table, {}) == []
