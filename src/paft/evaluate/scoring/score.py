"""Log-probability of every option of every request, on one loaded model.

Identical requests are scored once, batches are planned over the whole matrix
(:mod:`paft.evaluate.scoring.batch_plan`), contexts and common beginnings of options are run once
(:mod:`paft.evaluate.scoring.likelihood`), and logits exist only where an option's token is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch

from paft.evaluate.log import EvaluationLog, run_unique
from paft.evaluate.scoring.batch_plan import Limits, Plan, Request, Tokens, plan_batches
from paft.evaluate.scoring.likelihood import Scorer, Way
from paft.files import fingerprint
from paft.model.finite import check_scores

if TYPE_CHECKING:
    from transformers import PreTrainedModel

OnCells = Callable[[int], None]  # called with the number of requests just finished
# Logits in memory at once, in float32: 128 MB on a CPU, 1 GB on an accelerator.
LOGITS_CPU, LOGITS_ACCELERATOR = 32_000_000, 256_000_000

# Nats by which rounding may move an option: sums come out differently in batches of other sizes and
# on other devices. Predictions of options further apart do not depend on either.
EPSILON, EPSILON_HALF = 1e-4, 0.25


def rounding(dtype: torch.dtype) -> float:
    """Return the nats within which two options count as equally likely."""
    return EPSILON if dtype in (torch.float32, torch.float64) else EPSILON_HALF


@torch.inference_mode()
def score_options(
    model: PreTrainedModel,
    requests: Sequence[Request],
    *,
    pad: int,
    batch_tokens: int = 4096,
    on_cells: OnCells | None = None,
    log: EvaluationLog | None = None,
) -> list[np.ndarray]:
    """Return the log-probability of every option of every request.

    ``batch_tokens`` is the most tokens of a forward pass, padding counted, unless a single request has more.

    Returns:
        For each request, in order, float64 of shape (options,), in nats, summed over tokens.

    Raises:
        NotFiniteError: If log-probabilities come out that are no numbers.
    """
    if not requests:
        return []
    scorer = Scorer(model, pad)
    way, plan = _plan(scorer, list(dict.fromkeys(requests)), batch_tokens)

    def compute(batch: Sequence[Request]) -> list[list[float]]:
        found = scorer.score(way, batch, batch[0].prefix if plan.sharing else ())
        check_scores(found, str(scorer.model.config._name_or_path))
        return found

    def identity() -> str:
        batches = [[[request.context, request.options] for request in batch] for batch in plan.batches]
        return fingerprint([way.value, plan.sharing, batches])

    found = run_unique(requests, plan.batches, compute, plan=identity, log=log, on_cells=on_cells)
    return [np.array(row) for row in found]


def _plan(scorer: Scorer, requests: Sequence[Request], batch_tokens: int) -> tuple[Way, Plan]:
    """Return the way to score requests and their batches."""
    way, may_share = find_way(scorer, requests)
    config = scorer.model.config.get_text_config()
    logits = LOGITS_CPU if scorer.model.device.type == "cpu" else LOGITS_ACCELERATOR
    limits = Limits(batch_tokens, logits, config.vocab_size)

    def behind(request: Request) -> int:
        if way is Way.TREE:
            return scorer.nodes(request.options)
        # Every option is a sequence of its own, as long as the longest of them.
        longest = max(map(len, request.options)) - 1
        return len(request.options) * (len(request.context) + longest) - len(request.context)

    return way, plan_batches(requests, behind, limits, may_share=may_share)


def find_way(scorer: Scorer, requests: Sequence[Request]) -> tuple[Way, bool]:
    """Return the fastest way that is right on this model, and whether beginnings may be shared.

    Some models ignore positions or masks they are given, or have a window of attention: the ways are
    compared on two requests, and the first that agrees with ``single`` is taken.

    Args:
        scorer: The scorer.
        requests: What will be scored, at least one; the two shortest of different length are tried
            with two of their options.

    Raises:
        NotFiniteError: If even the slow way gives no numbers.
    """
    probe = _probe(scorer, requests)
    for way in [Way.TREE, Way.ROWS] if takes_tree_mask(scorer, requests) else [Way.ROWS]:
        if _agrees(scorer, way, probe):
            return way, way is Way.TREE and _shares(scorer, probe[-1])
    return Way.SINGLE, False


def takes_tree_mask(scorer: Scorer, requests: Sequence[Request]) -> bool:
    """Whether the model takes positions and a four-dimensional mask, and no window cuts a request."""
    config = scorer.model.config.get_text_config()
    kinds = set(getattr(config, "layer_types", None) or ["full_attention"])
    windows = [getattr(config, name, None) for name in ("sliding_window", "attention_chunk_size")]
    narrowest = min((window for window in windows if window), default=None)
    longest = max(len(request.context) + scorer.nodes(request.options) for request in requests)
    return (
        "position_ids" in scorer.accepted
        and kinds <= {"full_attention", "sliding_attention", "chunked_attention"}
        and (narrowest is None or longest < narrowest)
        and config._attn_implementation in {"sdpa", "eager"}
    )


def _probe(scorer: Scorer, requests: Sequence[Request]) -> list[Request]:
    """Return the shortest request and the shortest one with a longer context, if there is one."""
    ordered = sorted(requests, key=lambda request: (len(request.context), scorer.nodes(request.options)))
    shortest = len(ordered[0].context)
    chosen = ordered[:1] + [request for request in ordered if len(request.context) > shortest][:1]
    return [Request(request.context, tuple(sorted(request.options, key=len)[-2:])) for request in chosen]


def _shares(scorer: Scorer, request: Request) -> bool:
    """Whether two contexts come out right behind the keys and values of their beginning."""
    if len(request.context) < 3:
        return False
    shorter = Request(request.context[:-1], request.options)
    return _agrees(scorer, Way.TREE, [request, shorter], request.context[: len(request.context) // 2])


def _agrees(scorer: Scorer, way: Way, probe: Sequence[Request], prefix: Tokens = ()) -> bool:
    expected = scorer.score(Way.SINGLE, probe)
    check_scores(expected, str(scorer.model.config._name_or_path))
    try:
        found = scorer.score(way, probe, prefix)
    except (AttributeError, TypeError, ValueError, RuntimeError):
        return False  # a model without a cache, or with inputs of its own
    tolerance = rounding(scorer.model.dtype)  # of a token, and far below any mistake
    return all(
        abs(a - b) <= tolerance * len(option)
        for request, one, other in zip(probe, found, expected, strict=True)
        for option, a, b in zip(request.options, one, other, strict=True)
    )
