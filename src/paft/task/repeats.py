"""Rows that are alike: counted between training and test, and kept on one side where one table is split.

A test example that is a training example says what was learnt by heart. So the rows of a table that has no
split are divided by groups: rows with the same words, and rows whose word trigrams overlap
(:mod:`paft.similarity`), are never separated. Seeded, so that the same table is split alike everywhere.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Protocol

import numpy as np
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components
from xxhash import xxh3_64_intdigest

from paft.errors import DataError
from paft.similarity import similar_sets, word_grams

NEAR = 0.7  # Jaccard similarity; utterances of one pattern, as "play some music by ...", stay apart
COMPARED = 20_000  # rows that are compared with each other
_LARGE = 0.1  # of the test rows: larger groups are for training
_CHUNK = 10_000  # examples hashed at once


class Asked(Protocol):
    """What an example asks, and its answer."""

    @property
    def fields(self) -> Mapping[str, str]:
        """Text by field name."""

    @property
    def gold(self) -> str:
        """The right answer."""

    @property
    def option_texts(self) -> tuple[str, ...]:
        """The example's own options, if it has some."""


def plain_text(texts: Iterable[str]) -> str:
    """Return the texts of an example as one, white space and case aside."""
    return "\0".join(" ".join(text.casefold().split()) for text in texts)


def asked_text(example: Asked) -> str:
    """Return what an example asks, white space and case aside."""
    return plain_text([*(text for _, text in sorted(example.fields.items())), *example.option_texts])


def count_repeats(train: Sequence[Asked], test: Sequence[Asked]) -> int:
    """Return how many test examples have the fields of a training example, white space and case aside.

    Memory holds one hash for each test example, whatever the number of training examples.
    """
    wanted = np.concatenate([np.empty(0, np.uint64), *_hashes(test)])
    found = np.zeros(len(wanted), dtype=bool)
    for hashes in _hashes(train) if len(wanted) else ():
        found |= np.isin(wanted, hashes)
    return int(found.sum())


def hold_out(examples: Sequence[Asked], order: np.ndarray, count: int) -> np.ndarray:
    """Return the places of so many examples at most, by an order; repeats of one another all or none.

    Where no example is a repeat, these are the first ``count`` of the order.
    """
    _, group, sizes = np.unique(np.concatenate([*_hashes(examples)]), return_inverse=True, return_counts=True)
    chosen, held = np.zeros(len(sizes), dtype=bool), 0
    for at in order:
        if held == count:
            break
        if not chosen[group[at]] and held + sizes[group[at]] <= count:
            chosen[group[at]] = True
            held += int(sizes[group[at]])
    return np.flatnonzero(chosen[group])


def repeats_warning(count: int, examples: int, split: str = "test") -> list[str]:
    """Return a warning if examples of a split are training examples."""
    if not count:
        return []
    return [
        f"{count:,} of {examples:,} {split} examples are training examples too (same fields, white space and "
        "case aside): figures say less about new examples; remove them from one of the two"
    ]


def row_words(text: str, rows: int) -> Hashable:
    """Return the words that one of so many rows is known by; of very many rows their hash."""
    words = " ".join(re.findall(r"\w+", text)) or text
    return words if rows <= COMPARED else xxh3_64_intdigest(words.encode("utf-8"))


def choose_test_rows(
    words: Sequence[Hashable], labels: Sequence[str] | None, share: float, seed: int, *, near: bool = True
) -> tuple[list[int], int]:
    """Choose the rows of a table that are for testing.

    Args:
        words: The words of each row (:func:`row_words`).
        labels: The answer of each row where shares of labels are to be kept.
        share: Share of the rows.
        seed: Of the choice.
        near: Whether near-duplicates are kept on one side, not only rows of the same words.

    Returns:
        The rows' numbers in order, and how many rows are near-duplicates of an earlier one.

    Raises:
        DataError: If no row can be set apart.
    """
    groups = _group_alike(words, near)
    wanted = max(1, round(share * len(words)))
    free = [group for group in groups if len(group) <= max(1, _LARGE * wanted)]
    kinds = None if labels is None else [labels[group[0]] for group in free]
    # So many groups that their rows are about as many as wanted, but not most of the rows that differ.
    among = min(wanted / max(1, sum(map(len, free))), 2 * share, (1 + share) / 2)
    chosen = _choose_groups(len(free), kinds, among, seed)
    return sorted(at for i in chosen for at in free[i]), len(words) - len(groups)


def divide_rows(
    examples: Iterable[Asked], count: int, share: float, seed: int, *, by_label: bool
) -> dict[str, np.ndarray]:
    """Return the places of training and of test rows among so many examples (:func:`choose_test_rows`)."""
    words, labels = [], []
    for example in examples:
        words.append(row_words(asked_text(example), count))
        labels.append(example.gold)
    test, _ = choose_test_rows(words, labels if by_label else None, share, seed)
    return {"train": np.delete(np.arange(count), test), "test": np.array(test)}


def _choose_groups(count: int, labels: list[str] | None, share: float, seed: int) -> list[int]:
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
    wanted = max(round(share * count), len(set(kinds or ())), 1)
    if kinds is not None and len(places) - wanted < len(set(kinds)):
        kinds, wanted = None, max(1, round(share * count))
    _, test = train_test_split(
        places, test_size=min(wanted, len(places) - 1), stratify=kinds, random_state=seed
    )
    return list(test)


def _group_alike(words: Sequence[Hashable], near: bool) -> list[list[int]]:
    """Return the numbers of the rows, those that are alike in one group."""
    same: dict[Hashable, list[int]] = defaultdict(list)
    for at, key in enumerate(words):
        same[key].append(at)
    near = near and len(words) <= COMPARED
    pairs = similar_sets([word_grams(str(key)) for key in same], NEAR) if near else []
    rows, columns = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    links = csr_matrix((np.ones(len(rows)), (rows, columns)), shape=(len(same), len(same)))
    groups: dict[int, list[int]] = defaultdict(list)
    for places, group in zip(
        same.values(), connected_components(links, directed=False)[1].tolist(), strict=True
    ):
        groups[group] += places
    return list(groups.values())


def _hashes(examples: Sequence[Asked]) -> Iterator[np.ndarray]:
    hashes = (xxh3_64_intdigest(asked_text(examples[i]).encode("utf-8")) for i in range(len(examples)))
    while chunk := list(islice(hashes, _CHUNK)):
        yield np.array(chunk, dtype=np.uint64)
