"""Plain greedy generation for answers that are not one of listed options.

The likeliest token is taken, step by step, in every backend, whatever a checkpoint's settings ask for
(:func:`paft.model.reply.without_settings`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import torch

from paft.evaluate.log import EvaluationLog, run_unique
from paft.evaluate.scoring.batch_plan import Tokens
from paft.files import fingerprint
from paft.model.encode import Encoder, left_pad
from paft.model.finite import FiniteLogits
from paft.model.reply import Generated, ends, read_generated, without_settings

if TYPE_CHECKING:
    from transformers import PreTrainedModel


@torch.inference_mode()
def generate_answers(
    model: PreTrainedModel,
    contexts: Sequence[Tokens],
    encoder: Encoder,
    *,
    max_tokens: int,
    batch_tokens: int = 4096,
    on_cells: Callable[[int], None] | None = None,
    log: EvaluationLog | None = None,
) -> list[Generated]:
    """Generate greedily until end of turn or sequence or ``max_tokens``; identical contexts only once.

    ``batch_tokens`` is the most tokens of a batch, padding and new ones counted.
    """
    ordered = sorted(dict.fromkeys(contexts), key=len, reverse=True)
    stops = ends(encoder, getattr(model, "generation_config", None))
    batches: list[list[Tokens]] = []
    start = 0
    while start < len(ordered):
        size = max(1, batch_tokens // (len(ordered[start]) + max_tokens))
        batches.append(ordered[start : start + size])
        start += size
    found = run_unique(
        contexts,
        batches,
        lambda batch: [made.row for made in _generate(model, batch, encoder, stops, max_tokens)],
        plan=lambda: fingerprint(["greedy", stops, max_tokens, batches]),
        log=log,
        on_cells=on_cells,
    )
    return [Generated(*row) for row in found]


def _generate(
    model: PreTrainedModel,
    contexts: Sequence[Tokens],
    encoder: Encoder,
    stops: Sequence[int],
    max_tokens: int,
) -> list[Generated]:
    inputs = left_pad(contexts, encoder.pad)
    width = inputs["input_ids"].shape[1]
    watch = FiniteLogits()
    with without_settings(model) as generator:
        out = generator.generate(
            input_ids=inputs["input_ids"].to(model.device),
            attention_mask=inputs["attention_mask"].to(model.device),
            max_new_tokens=max_tokens,
            do_sample=False,
            pad_token_id=encoder.pad,
            eos_token_id=list(stops),
            logits_processor=[watch],
        )
    watch.check(str(model.config._name_or_path))
    return [read_generated(row, encoder, stops) for row in out[:, width:].tolist()]
