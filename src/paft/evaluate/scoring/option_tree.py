"""Options merged by their common beginnings, so that no token is computed twice.

"search creative work" and "search screening event" share their first token. An inner node is a
token with something behind it; the last token of an option is asked for and never run, so options
of a single token cost nothing beyond the context.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import torch

Tokens = tuple[int, ...]


@dataclass(frozen=True)
class OptionTree:
    """A tree of tokens behind a context.

    Attributes:
        tokens: Token of each inner node, parents before children.
        parents: Index of each inner node's parent; -1 is the end of the context.
        paths: For each option, its (node that predicts, token predicted) pairs.
    """

    tokens: list[int]
    parents: list[int]
    paths: list[list[tuple[int, int]]]

    @classmethod
    def build(cls, options: Sequence[Tokens]) -> OptionTree:
        """Merge options; an option's last token is never a node."""
        tokens: list[int] = []
        parents: list[int] = []
        found: dict[tuple[int, int], int] = {}
        paths = []
        for option in options:
            node, path = -1, []
            for depth, token in enumerate(option):
                path.append((node, token))
                if depth == len(option) - 1:
                    break
                if (node, token) not in found:
                    found[node, token] = len(tokens)
                    tokens.append(token)
                    parents.append(node)
                node = found[node, token]
            paths.append(path)
        return cls(tokens, parents, paths)

    @cached_property
    def depths(self) -> list[int]:
        """Distance of each node from the end of the context, from 0."""
        depths: list[int] = []
        for parent in self.parents:
            depths.append(0 if parent < 0 else depths[parent] + 1)
        return depths

    @cached_property
    def visible(self) -> torch.Tensor:
        """Which nodes each node attends to: itself and its ancestors, (N, N) of bool."""
        seen = torch.eye(len(self.tokens), dtype=torch.bool)
        for node, parent in enumerate(self.parents):
            if parent >= 0:
                seen[node] |= seen[parent]
        return seen


def close_options(options: Sequence[Tokens], end: int) -> tuple[Tokens, ...]:
    """Append ``end`` to every option if one of them begins with another, else leave all as they are.

    The shorter of "card" and "card arrival" could otherwise never lose.
    """
    ordered = sorted(options)
    overlap = any(b[: len(a)] == a for a, b in pairwise(ordered))
    return tuple((*option, end) for option in options) if overlap else tuple(options)
