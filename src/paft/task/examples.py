"""Examples that are read from disk and checked when they are asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar, overload

import numpy as np

from paft.files import fingerprint

T = TypeVar("T")  # an example


class Examples(Sequence[T], Generic[T]):
    """Some or all examples of a split; memory holds none of them.

    Args:
        read: Returns the example at a place of the split; must go through pickle, for loader
            workers that are spawned.
        places: (N,) places in the split, in the order wanted.
        digest: Hash of all that ``read`` depends on.
    """

    def __init__(self, read: Callable[[int], T], places: np.ndarray, digest: str) -> None:
        self._read = read
        self._places = places
        self._digest = digest

    def __len__(self) -> int:
        return len(self._places)

    @overload
    def __getitem__(self, at: int) -> T: ...
    @overload
    def __getitem__(self, at: slice) -> Examples[T]: ...
    def __getitem__(self, at: int | slice) -> T | Examples[T]:
        """Read an example, or take a part without reading it.

        Raises:
            DataError: If the row does not fit the task; file and line are named.
        """
        if isinstance(at, slice):
            return self.take(range(len(self))[at])
        return self._read(int(self._places[at]))

    def take(self, numbers: Sequence[int] | np.ndarray) -> Examples[T]:
        """Return the examples of these numbers; none is read."""
        return Examples(self._read, self._places[np.asarray(numbers, dtype=np.int64)], self._digest)

    @property
    def fingerprint(self) -> str:
        """Hash of what they are read from, to the last byte, and of which they are."""
        chosen = np.ascontiguousarray(self._places, dtype="<i8").tobytes().hex()
        return fingerprint([self._digest, chosen])
