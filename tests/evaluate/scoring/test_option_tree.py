"""Options merged into a tree, and closed where one begins with another."""

from __future__ import annotations

from paft.evaluate.scoring.batch_plan import close_options
from paft.evaluate.scoring.likelihood import OptionTree


def test_options_are_closed_only_when_one_begins_with_another():
    assert close_options([(5,), (5, 6), (7,)], end=2) == ((5, 2), (5, 6, 2), (7, 2))
    assert close_options([(5, 6), (5, 7), (7,)], end=2) == ((5, 6), (5, 7), (7,))
    assert close_options([(5, 6), (7,), (5, 6)], end=2)[0] == (5, 6, 2)


def test_closing_is_found_when_other_options_sort_between():
    assert close_options([(5,), (5, 6), (5, 6, 7), (5, 9)], end=2)[0] == (5, 2)


def test_the_tree_merges_beginnings_and_leaves_last_tokens_out():
    tree = OptionTree.build([(1, 2, 3), (1, 2, 4), (1, 5), (6,)])
    assert (tree.tokens, tree.parents) == ([1, 2], [-1, 0])
    assert tree.paths == [[(-1, 1), (0, 2), (1, 3)], [(-1, 1), (0, 2), (1, 4)], [(-1, 1), (0, 5)], [(-1, 6)]]
    assert tree.depths == [0, 1]
    assert tree.visible.tolist() == [[True, False], [True, True]]
