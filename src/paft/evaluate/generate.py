"""Greedy generation for answers that are not one of listed options."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from paft.encode import Encoder
from paft.evaluate.finite import FiniteLogits
from paft.evaluate.ledger import Ledger, run_batches
from paft.files import fingerprint
from paft.train.batches import left_pad

if TYPE_CHECKING:
    from transformers import PreTrainedModel

Tokens = tuple[int, ...]


@dataclass(frozen=True)
class Generated:
    """What followed a context.

    Attributes:
        text: Decoded text, special tokens left out.
        tokens: Tokens generated, the end of turn or sequence included.
    """

    text: str
    tokens: int


@torch.inference_mode()
def generate_answers(
    model: PreTrainedModel,
    contexts: Sequence[Tokens],
    encoder: Encoder,
    *,
    max_tokens: int,
    batch_tokens: int = 4096,
    on_cells: Callable[[int], None] | None = None,
    ledger: Ledger | None = None,
) -> list[Generated]:
    """Generate greedily until end of turn or sequence or ``max_tokens``; identical contexts only once.

    Args:
        model: A causal language model in evaluation mode.
        contexts: Token ids of rendered prompts.
        encoder: Gives padding, end of sequence and decoding.
        max_tokens: New tokens at most.
        batch_tokens: Tokens (padding and new ones counted) per batch at most.
        on_cells: Called with the number of contexts just finished.
        ledger: Keeps what is finished; see :mod:`paft.evaluate.ledger`.
    """
    places: dict[Tokens, list[int]] = {}
    for i, context in enumerate(contexts):
        places.setdefault(context, []).append(i)
    ordered = sorted(places, key=len, reverse=True)
    batches: list[list[Tokens]] = []
    start = 0
    while start < len(ordered):
        size = max(1, batch_tokens // (len(ordered[start]) + max_tokens))
        batches.append(ordered[start : start + size])
        start += size

    def tell(number: int) -> None:
        if on_cells:
            on_cells(sum(len(places[context]) for context in batches[number]))

    found = run_batches(
        batches,
        lambda batch: [[made.text, made.tokens] for made in _generate(model, batch, encoder, max_tokens)],
        plan=lambda: fingerprint([max_tokens, batches]),
        ledger=ledger,
        on_batch=tell,
    )
    results: list[Generated] = [Generated("", 0)] * len(contexts)
    for batch, answers in zip(batches, found, strict=True):
        for context, (text, tokens) in zip(batch, answers, strict=True):
            for i in places[context]:
                results[i] = Generated(text, tokens)
    return results


def _generate(
    model: PreTrainedModel, contexts: Sequence[Tokens], encoder: Encoder, max_tokens: int
) -> list[Generated]:
    inputs = left_pad(contexts, encoder.pad)
    width = inputs["input_ids"].shape[1]
    generator: Any = model
    watch = FiniteLogits()
    out = generator.generate(
        input_ids=inputs["input_ids"].to(model.device),
        attention_mask=inputs["attention_mask"].to(model.device),
        max_new_tokens=max_tokens,
        do_sample=False,
        pad_token_id=encoder.pad,
        eos_token_id=encoder.stops,
        logits_processor=[watch],
    )
    watch.check(str(generator.config._name_or_path))
    return [read_generated(row, encoder) for row in out[:, width:].tolist()]


def read_generated(row: list[int], encoder: Encoder) -> Generated:
    """Decode generated tokens up to the first that ends an answer; what follows is padding."""
    stop = next((at for at, token in enumerate(row) if token in encoder.stops), None)
    # Not every tokenizer calls its end of turn special, so it is left out here.
    text = str(encoder.tokenizer.decode(row[:stop], skip_special_tokens=True))
    return Generated(text, len(row) if stop is None else stop + 1)
