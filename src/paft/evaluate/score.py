"""Log-probability of every option of every request, with each context computed once.

A request is a context (a rendered prompt) and the options that may follow it, all as token ids.
Options share first tokens ("search creative work", "search screening event"), so they form a tree.
A context is run once with a key-value cache; then one more pass runs all inner nodes of the tree
behind it, each node seeing the context and its own ancestors only. The last token of an option
needs no pass of its own, so single-token options cost nothing beyond the context.

The plain path, one sequence per option, gives the same numbers up to rounding. It serves models
whose attention cannot take the tree's mask, and option sets too few requests share; the tests
hold the two paths against each other.

An option's log-probability is that of its tokens, closed by end of sequence when one option is the
beginning of another ("card", "card arrival"): otherwise the shorter could never lose.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from paft.evaluate.ledger import Ledger, run_batches
from paft.files import fingerprint
from paft.train.batches import left_pad

if TYPE_CHECKING:
    from transformers import PreTrainedModel

Tokens = tuple[int, ...]
Options = tuple[Tokens, ...]
OnCells = Callable[[int], None]  # called with the number of requests just finished
LOGIT_CELLS = 64_000_000  # logits in memory at once: 256 MB in float32
TREE_SHARERS = 4  # fewer requests than this with one option set take the plain path


@dataclass(frozen=True)
class Request:
    """A context and the options that may follow it.

    Attributes:
        context: Token ids, at least one.
        options: Token ids of each option, at least one each.
    """

    context: Tokens
    options: Options


@dataclass(frozen=True)
class OptionTree:
    """Options merged by common beginnings.

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

    def depths(self) -> list[int]:
        """Distance of each node from the end of the context, from 0."""
        depths: list[int] = []
        for parent in self.parents:
            depths.append(0 if parent < 0 else depths[parent] + 1)
        return depths

    def visible(self) -> torch.Tensor:
        """Which nodes each node attends to: itself and its ancestors, (N, N) of bool."""
        seen = torch.eye(len(self.tokens), dtype=torch.bool)
        for node, parent in enumerate(self.parents):
            if parent >= 0:
                seen[node] |= seen[parent]
        return seen


def close_options(options: Sequence[Tokens], end: int) -> tuple[Tokens, ...]:
    """Append ``end`` to every option if one of them begins with another, else leave all as they are."""
    ordered = sorted(options)
    overlap = any(b[: len(a)] == a for a, b in pairwise(ordered))
    return tuple((*option, end) for option in options) if overlap else tuple(options)


@torch.inference_mode()
def score_options(
    model: PreTrainedModel,
    requests: Sequence[Request],
    *,
    pad: int,
    batch_tokens: int = 4096,
    on_cells: OnCells | None = None,
    ledger: Ledger | None = None,
) -> list[np.ndarray]:
    """Return the log-probability of every option of every request.

    Identical requests are scored once; batches hold contexts of similar length.

    Args:
        model: A causal language model in evaluation mode.
        requests: What to score.
        pad: Token id for padding.
        batch_tokens: Tokens (padding counted) per forward pass at most, but at least one request.
        on_cells: Called as requests finish.
        ledger: Keeps what is finished; see :mod:`paft.evaluate.ledger`.

    Returns:
        For each request, in order, float64 of shape (options,), in nats, summed over tokens.
    """
    places: dict[Request, list[int]] = {}
    for i, request in enumerate(requests):
        places.setdefault(request, []).append(i)
    batches, paths = _plan(model, list(places), batch_tokens)

    def compute(batch: Sequence[Request]) -> list[list[float]]:
        run, tree = paths[batch[0].options]
        return [values.tolist() for values in run(model, batch, tree, pad)]

    def tell(number: int) -> None:
        if on_cells:
            on_cells(sum(len(places[request]) for request in batches[number]))

    def plan() -> str:
        return fingerprint([[[request.context, request.options] for request in batch] for batch in batches])

    results = run_batches(batches, compute, plan=plan, ledger=ledger, on_batch=tell)
    scores: list[np.ndarray] = [np.empty(0)] * len(requests)
    for batch, values in zip(batches, results, strict=True):
        for request, row in zip(batch, values, strict=True):
            for i in places[request]:
                scores[i] = np.array(row)
    return scores


def _plan(
    model: PreTrainedModel, requests: Sequence[Request], budget: int
) -> tuple[list[list[Request]], dict[Options, tuple[Callable[..., list[np.ndarray]], OptionTree]]]:
    """Return batches of requests with the same options, and by which path each set of options goes."""
    groups: dict[Options, list[Request]] = {}
    for request in requests:
        groups.setdefault(request.options, []).append(request)
    vocabulary = model.config.get_text_config().vocab_size
    batches: list[list[Request]] = []
    paths: dict[Options, tuple[Callable[..., list[np.ndarray]], OptionTree]] = {}
    for options, members in groups.items():
        tree = OptionTree.build(options)
        # A tree of single tokens has no inner node and asks nothing special of the attention.
        fits = not tree.tokens or (len(members) >= TREE_SHARERS and _takes_tree_mask(model))
        paths[options] = (_score_tree if fits else _score_plain, tree)
        width = len(tree.tokens) if fits else sum(map(len, options))
        batches += _batches(members, width, budget, vocabulary)
    return batches, paths


def _batches(
    requests: Sequence[Request], width: int, budget: int, vocabulary: int
) -> Iterator[list[Request]]:
    """Yield requests longest first, so that what does not fit in memory shows at once."""
    ordered = sorted(requests, key=lambda request: len(request.context), reverse=True)
    start = 0
    while start < len(ordered):
        size = max(1, budget // (len(ordered[start].context) + width))
        size = max(1, min(size, LOGIT_CELLS // ((width + 1) * vocabulary)))
        yield ordered[start : start + size]
        start += size


def _takes_tree_mask(model: PreTrainedModel) -> bool:
    """Whether every layer is full attention that accepts a four-dimensional mask."""
    config = model.config.get_text_config()
    kinds = getattr(config, "layer_types", None) or ["full_attention"]
    full = set(kinds) == {"full_attention"} and not getattr(config, "sliding_window", None)
    return full and config._attn_implementation in {"sdpa", "eager"}


def keeps_logits(model: PreTrainedModel) -> bool:
    """Whether the model can be asked for the logits of the last positions only."""
    base: Any = model
    if hasattr(base, "get_base_model"):
        base = base.get_base_model()
    return "logits_to_keep" in inspect.signature(base.forward).parameters


def _score_tree(
    model: PreTrainedModel, requests: Sequence[Request], tree: OptionTree, pad: int
) -> list[np.ndarray]:
    """Score requests that share one option tree: contexts, then all inner nodes behind them."""
    inputs = {
        name: tensor.to(model.device)
        for name, tensor in left_pad([request.context for request in requests], pad).items()
    }
    keep = {"logits_to_keep": 1} if keeps_logits(model) else {}
    first = model(**inputs, **keep, use_cache=bool(tree.tokens))
    logits = first.logits[:, -1:].float()
    if tree.tokens:
        logits = torch.cat([logits, _node_logits(model, inputs, tree, first.past_key_values)], dim=1)
    log_probabilities = logits.log_softmax(dim=-1)
    columns = []
    for path in tree.paths:
        nodes = torch.tensor([node + 1 for node, _ in path], device=model.device)
        tokens = torch.tensor([token for _, token in path], device=model.device)
        columns.append(log_probabilities[:, nodes, tokens].double().sum(dim=1))
    return list(torch.stack(columns, dim=1).cpu().numpy())


def _node_logits(
    model: PreTrainedModel, inputs: dict[str, torch.Tensor], tree: OptionTree, cache: object
) -> torch.Tensor:
    """Run all inner nodes behind cached contexts; returns logits (B, N, V) in float32."""
    rows, device = len(inputs["input_ids"]), model.device
    nodes = torch.tensor(tree.tokens, device=device).expand(rows, -1)
    lengths = inputs["attention_mask"].sum(dim=1, keepdim=True)
    positions = lengths + torch.tensor(tree.depths(), device=device)
    context = inputs["attention_mask"].bool()[:, None, :].expand(-1, len(tree.tokens), -1)
    own = tree.visible().to(device).expand(rows, -1, -1)
    hidden = ~torch.cat([context, own], dim=2)[:, None]
    mask = torch.zeros(hidden.shape, dtype=model.dtype, device=device)
    mask = mask.masked_fill(hidden, torch.finfo(model.dtype).min)
    out = model(
        input_ids=nodes, attention_mask=mask, position_ids=positions, past_key_values=cache, use_cache=True
    )
    logits: torch.Tensor = out.logits.float()
    return logits


def _score_plain(
    model: PreTrainedModel, requests: Sequence[Request], tree: OptionTree, pad: int
) -> list[np.ndarray]:
    """Score every (context, option) pair as a sequence of its own."""
    results = []
    for request in requests:
        longest = max(map(len, request.options))
        # The last token predicts nothing that is asked for.
        rows = [(*request.context, *option[:-1]) for option in request.options]
        inputs = {name: t.to(model.device) for name, t in left_pad(rows, pad).items()}
        keep = {"logits_to_keep": longest} if keeps_logits(model) else {}
        logits = model(**inputs, **keep, use_cache=False).logits.float()
        values = []
        for row, option in enumerate(request.options):
            tail = logits[row, logits.shape[1] - len(option) :].log_softmax(dim=-1)
            picked = tail[torch.arange(len(option)), torch.tensor(option, device=tail.device)]
            values.append(picked.double().sum().item())
        results.append(np.array(values))
    return results
