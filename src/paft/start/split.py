"""Training and test rows out of one table: labels in equal shares, and no row in both in other words.

Rows with the same words, and rows whose word trigrams overlap (:mod:`paft.bank.similarity`), form
groups that are never divided. Seeded, so that the same table is split alike everywhere.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence

import numpy as np
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components

from paft.bank.similarity import similar_sets, word_grams
from paft.errors import DataError
from paft.start.draft import Draft
from paft.start.rows import Item
from paft.task.answer import CLOSED_RULES

SHARE = 0.2  # of the rows, for testing
NEAR = 0.7  # Jaccard similarity; utterances of one pattern, as "play some music by ...", stay apart
COMPARED = 20_000  # rows that are compared with each other
FEW = 50  # test rows, below which figures are coarse
_LARGE = 0.1  # of the test rows: larger groups are for training


def split_items(items: Sequence[Item], draft: Draft, seed: int = 0) -> dict[str, list[Item]]:
    """Return training and test rows, each in the table's order."""
    groups = _groups(items)
    near = len(items) - len(groups)
    wanted = max(1, round(SHARE * len(items)))
    free = [group for group in groups if len(group) <= max(1, _LARGE * wanted)]
    labels = (
        [str(items[group[0]].answer) for group in free]
        if draft.rule in CLOSED_RULES and not draft.listed
        else None
    )
    test = {at for i in _chosen(len(free), labels, seed) for at in free[i]}
    parts = {
        "train": [item for at, item in enumerate(items) if at not in test],
        "test": [item for at, item in enumerate(items) if at in test],
    }
    stratified = f"stratified by {draft.label.title}, " if labels else ""
    alike = f"near-duplicates kept together: {near:,}" if near else "no near-duplicates"
    alike += "" if len(items) <= COMPARED else f" (of {len(items):,} rows only equal words were looked for)"
    draft.guesses["split"] = (
        f"{len(parts['train']):,} rows for training, {len(parts['test']):,} for test: "
        f"{stratified}{alike}, seed {seed}"
    )
    if len(parts["test"]) < FEW:
        draft.warnings.append(
            f"{len(parts['test'])} test rows are few: one of them is {100 / len(parts['test']):.0f} points "
            "of a figure; more rows make differences visible"
        )
    return parts


def _chosen(count: int, labels: list[str] | None, seed: int) -> list[int]:
    """Return which of so many groups are for testing; a label of one group is for training."""
    from sklearn.model_selection import train_test_split

    places = list(range(count))
    if labels is not None:
        often = Counter(labels)
        places = [at for at in places if often[labels[at]] > 1]
    if len(places) < 2:
        raise DataError(
            "no test rows can be set apart: the rows are near-duplicates of each other, or have a label "
            "each; add rows"
        )
    kinds = None if labels is None else [labels[at] for at in places]
    # Of each label one row at least; a table of many labels and few rows has a larger share for testing.
    wanted = max(round(SHARE * count), len(set(kinds or ())), 1)
    if kinds is not None and len(places) - wanted < len(set(kinds)):
        kinds, wanted = None, max(1, round(SHARE * count))
    _, test = train_test_split(places, test_size=wanted, stratify=kinds, random_state=seed)
    return list(test)


def _groups(items: Sequence[Item]) -> list[list[int]]:
    """Return the numbers of the items, those that are alike in one group."""
    texts = [_words(item) for item in items]
    same: dict[str, list[int]] = defaultdict(list)
    for at, text in enumerate(texts):
        same[text].append(at)
    firsts = [places[0] for places in same.values()]
    pairs = []
    if len(items) <= COMPARED:
        pairs = similar_sets([word_grams(texts[at]) for at in firsts], NEAR)
    rows, columns = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    links = csr_matrix((np.ones(len(rows)), (rows, columns)), shape=(len(firsts), len(firsts)))
    groups: dict[int, list[int]] = defaultdict(list)
    for first, group in zip(firsts, connected_components(links, directed=False)[1].tolist(), strict=True):
        groups[group] += same[texts[first]]
    return list(groups.values())


def _words(item: Item) -> str:
    """Return the words of what is asked, without signs."""
    return " ".join(re.findall(r"\w+", item.plain)) or item.plain
