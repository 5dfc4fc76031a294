"""Options that a reader, man or program, could not tell apart."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from functools import lru_cache


def twins(options: Sequence[str]) -> tuple[str, str] | None:
    """Return two options that a reader could not tell apart, None if there are none.

    Letters of either case, compatible and composed forms of characters, and white space count as one.

    >>> twins(("US", "UK", "us"))
    ('US', 'us')
    """
    return _twins(tuple(options))


def seen(option: str) -> str:
    """Return what a reader sees of an option; that of twins is equal."""
    # Twice: folding may bring forth characters that normalisation takes apart.
    form = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", option).casefold())
    return " ".join(form.split())


@lru_cache(maxsize=4096)
def _twins(options: tuple[str, ...]) -> tuple[str, str] | None:
    first: dict[str, str] = {}
    for option in options:
        other = first.setdefault(seen(option), option)
        if other is not option:
            return other, option
    return None
