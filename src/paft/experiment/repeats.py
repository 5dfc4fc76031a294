"""Test examples that are training examples: their scores say what was learnt by heart."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice

import numpy as np
from xxhash import xxh3_64_intdigest

from paft.task.task import Example

_CHUNK = 10_000  # examples hashed at once


def count_repeats(train: Sequence[Example], test: Sequence[Example]) -> int:
    """Return how many test examples have the fields of a training example, white space and case aside.

    Memory holds one hash for each test example, whatever the number of training examples.
    """
    wanted = np.concatenate([np.empty(0, np.uint64), *_hashes(test)])
    found = np.zeros(len(wanted), dtype=bool)
    for hashes in _hashes(train) if len(wanted) else ():
        found |= np.isin(wanted, hashes)
    return int(found.sum())


def repeats_warning(count: int, examples: int) -> list[str]:
    """Return a warning if test examples are training examples."""
    if not count:
        return []
    return [
        f"{count:,} of {examples:,} test examples are training examples too (same fields, white space and "
        "case aside): figures say less about new examples; remove them from one of the two"
    ]


def _hashes(examples: Sequence[Example]) -> Iterable[np.ndarray]:
    hashes = (_hash(examples[i]) for i in range(len(examples)))
    while chunk := list(islice(hashes, _CHUNK)):
        yield np.array(chunk, dtype=np.uint64)


def _hash(example: Example) -> int:
    parts = [*(text for _, text in sorted(example.fields.items())), *example.option_texts]
    return xxh3_64_intdigest("\0".join(" ".join(part.casefold().split()) for part in parts).encode("utf-8"))
