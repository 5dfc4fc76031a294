"""Forward passes that give the log-probability of every option of a batch of requests.

Three ways, each with the same result up to rounding:

======  ======================================================================================
tree    a context is run once with a key-value cache; then one more pass runs all inner nodes of
        its option tree behind it, each seeing the context and its own ancestors only
rows    every option is a sequence of its own behind its context, padded on the left
single  the same without any padding: the slow way that every model can go
======  ======================================================================================

Not every model can take the faster ways: :func:`paft.evaluate.scoring.score.find_way` tries them.
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from itertools import chain
from typing import TYPE_CHECKING, Any

import torch

from paft.evaluate.scoring.batch_plan import Options, Request, Tokens
from paft.model.encode import left_pad

if TYPE_CHECKING:
    from transformers import PreTrainedModel


class Way(Enum):
    """How requests are scored; see the module's docstring."""

    TREE = "tree"
    ROWS = "rows"
    SINGLE = "single"


@dataclass(frozen=True)
class OptionTree:
    """Options merged by their common beginnings, so that no token is computed twice.

    "search creative work" and "search screening event" share their first token. An inner node is a
    token with something behind it; the last token of an option is asked for and never run, so options
    of a single token cost nothing beyond the context.

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


class Scorer:
    """Scores batches on one model; remembers option trees and the last shared beginning.

    Args:
        model: A causal language model in evaluation mode.
        pad: Token id for padding.

    Attributes:
        accepted: Names of the inputs its forward pass takes.
    """

    def __init__(self, model: PreTrainedModel, pad: int) -> None:
        self.model: Any = model
        self.pad = pad
        self._trees: dict[Options, OptionTree] = {}
        self._beginning: tuple[Tokens, Any] = ((), None)
        base: Any = self.model
        if hasattr(base, "get_base_model"):  # an adapter's own signature takes anything
            base = base.get_base_model()
        self.accepted = set(inspect.signature(base.forward).parameters)

    def tree(self, options: Options) -> OptionTree:
        """The options' tree."""
        if options not in self._trees:
            self._trees[options] = OptionTree.build(options)
        return self._trees[options]

    def nodes(self, options: Options) -> int:
        """Number of inner nodes of the options' tree."""
        return len(self.tree(options).tokens)

    def score(self, way: Way, requests: Sequence[Request], prefix: Tokens = ()) -> list[list[float]]:
        """Return the log-probability of each option of each request, in nats, summed over tokens.

        Args:
            way: How.
            requests: A batch.
            prefix: Tokens that all contexts begin with, to be run once; for ``Way.TREE`` only.
        """
        if way is Way.TREE:
            return self._score_tree(requests, prefix)
        pairs = [(request.context, option) for request in requests for option in request.options]
        step = 1 if way is Way.SINGLE else len(pairs)
        parts = [self._score_rows(pairs[at : at + step]) for at in range(0, len(pairs), step)]
        found = chain.from_iterable(parts)
        return [[next(found) for _ in request.options] for request in requests]

    def _score_tree(self, requests: Sequence[Request], prefix: Tokens) -> list[list[float]]:
        trees = [self.tree(request.options) for request in requests]
        inputs = self._inputs([request.context[len(prefix) :] for request in requests], len(prefix))
        inner = any(tree.tokens for tree in trees)
        cache = self._cache(prefix, len(requests))
        first = self._forward(inputs, keep=1, past_key_values=cache, use_cache=inner or cache is not None)
        logits = [first.logits[:, -1:]]
        if inner:
            logits.append(self._node_logits(inputs, trees, first.past_key_values))
        picks = [
            (row, node + 1, token, option)
            for row, tree in enumerate(trees)
            for option, path in enumerate(tree.paths)
            for node, token in path
        ]
        rows, nodes, tokens, options = torch.tensor(picks).T
        values = _log_probabilities(logits, rows, nodes, tokens)
        sums = torch.zeros(len(trees), max(len(tree.paths) for tree in trees), dtype=torch.float64)
        sums.index_put_((rows, options), values, accumulate=True)
        return [sums[row, : len(tree.paths)].tolist() for row, tree in enumerate(trees)]

    def _node_logits(
        self, inputs: dict[str, torch.Tensor], trees: Sequence[OptionTree], cache: Any
    ) -> torch.Tensor:
        """Run all inner nodes behind cached contexts; returns logits (B, N, V)."""
        width = max(len(tree.tokens) for tree in trees)
        nodes = torch.full((len(trees), width), self.pad)
        depths = torch.zeros_like(nodes)
        own = torch.eye(width, dtype=torch.bool).repeat(len(trees), 1, 1)
        for row, tree in enumerate(trees):
            count = len(tree.tokens)
            nodes[row, :count] = torch.tensor(tree.tokens)
            depths[row, :count] = torch.tensor(tree.depths)
            own[row, :count, :count] = tree.visible
        device, dtype = self.model.device, self.model.dtype
        context = inputs["attention_mask"].bool()[:, None, :].expand(-1, width, -1)
        hidden = ~torch.cat([context, own.to(device)], dim=2)[:, None]
        mask = torch.zeros(hidden.shape, dtype=dtype, device=device)
        mask = mask.masked_fill(hidden, torch.finfo(dtype).min)
        after = inputs["attention_mask"].sum(dim=1, keepdim=True)
        out = self.model(
            input_ids=nodes.to(device), attention_mask=mask, position_ids=after + depths.to(device),
            past_key_values=cache, use_cache=True,
        )  # fmt: skip
        logits: torch.Tensor = out.logits
        return logits

    def _score_rows(self, pairs: Sequence[tuple[Tokens, Tokens]]) -> list[float]:
        # The last token predicts nothing that is asked for.
        inputs = self._inputs([(*context, *option[:-1]) for context, option in pairs])
        longest = max(len(option) for _, option in pairs)
        logits = self._forward(inputs, keep=longest, use_cache=False).logits[:, -longest:]
        picks = [
            (row, longest - len(option) + place, token)
            for row, (_, option) in enumerate(pairs)
            for place, token in enumerate(option)
        ]
        rows, places, tokens = torch.tensor(picks).T
        values = _log_probabilities([logits], rows, places, tokens)
        sums = torch.zeros(len(pairs), dtype=torch.float64).index_add_(0, rows, values)
        return list(sums.tolist())

    def _inputs(self, rows: Sequence[Tokens], before: int = 0) -> dict[str, torch.Tensor]:
        """Pad rows on the left; ``before`` cached tokens stand in front of each."""
        inputs = left_pad(rows, self.pad)
        seen = torch.ones(len(rows), before, dtype=torch.long)
        inputs["attention_mask"] = torch.cat([seen, inputs["attention_mask"]], dim=1)
        inputs["position_ids"] = inputs["position_ids"] + before
        return {name: tensor.to(self.model.device) for name, tensor in inputs.items()}

    def _forward(self, inputs: dict[str, torch.Tensor], keep: int, **options: Any) -> Any:
        known: dict[str, Any] = {name: value for name, value in inputs.items() if name in self.accepted}
        if "logits_to_keep" in self.accepted:
            known["logits_to_keep"] = keep
        return self.model(**known, **options)

    def _cache(self, prefix: Tokens, rows: int) -> Any:
        """Return keys and values of a shared beginning, once for each row; None for no beginning."""
        if not prefix:
            return None
        if self._beginning[0] != prefix:
            out = self._forward(self._inputs([prefix]), keep=1, use_cache=True)
            self._beginning = (prefix, out.past_key_values)
        cache = copy.deepcopy(self._beginning[1])
        cache.batch_repeat_interleave(rows)
        return cache


def _log_probabilities(
    logits: Sequence[torch.Tensor], rows: torch.Tensor, places: torch.Tensor, tokens: torch.Tensor
) -> torch.Tensor:
    """Return float64 log-probabilities of single tokens, on the CPU.

    Args:
        logits: (B, L_i, V) each, side by side: place ``L_1`` is the first of the second. Never
            joined, nor normalised as a whole: with a large vocabulary each copy counts.
        rows: Row of each pick (K).
        places: Its place (K).
        tokens: Its token (K).
    """
    values = torch.empty(len(rows), dtype=torch.float64)
    start = 0
    for part in logits:
        stop = start + part.shape[1]
        here = ((places >= start) & (places < stop)).nonzero()[:, 0]
        at = (rows[here].to(part.device), (places[here] - start).to(part.device))
        part = part.float()
        total = torch.logsumexp(part, dim=-1)
        picked = part[(*at, tokens[here].to(part.device))] - total[at]
        # One infinite logit leaves the others impossible: that is no distribution either.
        picked = picked.masked_fill(~total[at].isfinite(), torch.nan)
        values[here] = picked.double().cpu()
        start = stop
    return values
