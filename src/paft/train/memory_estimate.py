"""How much memory a training takes, estimated from the model's configuration; no weights are loaded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from paft.model.weights import empty_model
from paft.train.adapt import adapted, unquantised
from paft.train.arguments import trainer_settings
from paft.train.settings import Adapt, Train

_FOUR_BIT = 0.516  # bytes of a weight in 4 bit with its doubly quantised scale
_SPARE = 0.9  # share of the free memory that an estimate may fill: the allocator needs room too


@dataclass(frozen=True)
class Memory:
    """Estimated bytes of one training process.

    Attributes:
        weights: All weights, the copies in lower precision that mixed precision keeps, and their mean.
        gradients: Of the trained weights.
        optimiser: AdamW's two moments of each trained weight.
        activations: What one micro-batch keeps for the backward pass.
        logits: Scores of the vocabulary at answer tokens, and their gradients.
    """

    weights: int
    gradients: int
    optimiser: int
    activations: int
    logits: int

    @property
    def total(self) -> int:
        """The sum of all parts."""
        return self.weights + self.gradients + self.optimiser + self.activations + self.logits


@dataclass(frozen=True)
class Shape:
    """What the estimate needs to know of a model.

    Attributes:
        trained: Weights that are trained.
        frozen: Weights that are not, in linear layers that could be held in 4 bit.
        other: Weights that are not, elsewhere (embeddings, norms, output).
        layers: Layers.
        hidden: Width h of the residual stream.
        queries: Width q of all query heads together.
        keys: Width k of all key heads together.
        inner: Width f inside the feed-forward part.
        vocabulary: Rows V of the output.
    """

    trained: int
    frozen: int
    other: int
    layers: int
    hidden: int
    queries: int
    keys: int
    inner: int
    vocabulary: int


def shape_of(name: str, adapt: Adapt, *, trust_remote_code: bool = False) -> Shape:
    """Return the shape of a model with its adapter, built without memory on the meta device.

    Args:
        name: Folder, Hub id or built-in name.
        adapt: What is trained.
        trust_remote_code: Whether code in the model's folder may be run.
    """
    bare = empty_model(name, trust_remote_code=trust_remote_code)
    with torch.device("meta"):
        model = adapted(bare, unquantised(adapt))
    linear = _linear_weights(model)
    counts = {True: 0, False: 0}
    for weight in model.parameters():
        counts[weight.requires_grad] += weight.numel()
    config = model.config.get_text_config()
    heads = getattr(config, "num_attention_heads", None) or 1  # state-space models have none
    head = getattr(config, "head_dim", None) or config.hidden_size // heads
    return Shape(
        trained=counts[True],
        frozen=linear,
        other=counts[False] - linear,
        layers=config.num_hidden_layers,
        hidden=config.hidden_size,
        queries=heads * head,
        keys=(getattr(config, "num_key_value_heads", None) or heads) * head,
        inner=getattr(config, "intermediate_size", None) or 4 * config.hidden_size,
        vocabulary=config.vocab_size,
    )


def _linear_weights(model: Any) -> int:
    """Count the frozen weights of linear layers other than the output, each once where layers share them."""
    head = model.get_output_embeddings()
    linear = {
        module.weight
        for module in model.modules()
        if isinstance(module, torch.nn.Linear) and module is not head and not module.weight.requires_grad
    }
    return sum(weight.numel() for weight in linear)


def estimate_memory(
    shape: Shape, config: Train, *, micro_batch_size: int, length: int, answer: int, accelerated: bool,
    sampled: int = 0,
) -> Memory:  # fmt: skip
    """Estimate the memory of a training process.

    With b sequences of s tokens (padding counted) in a micro-batch, a answer tokens in each, and e
    bytes of a number in the forward pass (2 in bfloat16, else 4)::

        weights      4 x trained (+ 2 under mixed precision, + 4 for train.average) + e x frozen; in
                     QLoRA 0.516 x those of linear layers + 4 x the others
        gradients    4 x trained
        optimiser    8 x trained
        activations  b s (layers (e (4 h + 4 q + 2 k + 4 f) + 8 h) + e h)
                     with gradient checkpointing b s (layers e h + one layer's part)
        logits       b a V (e + 8)

    The activations are what a layer of Llama's kind keeps: inputs of norms in float32, inputs of
    linear layers, queries, keys, values and output of a fused attention, four of the feed-forward
    width. Attention that keeps its matrix (``eager``) takes more. The allocator's slack is left out.

    Args:
        shape: The model with its adapter.
        config: Training settings.
        micro_batch_size: b.
        length: s.
        answer: a.
        accelerated: Whether it trains on an accelerator, where frozen weights are in bfloat16.
        sampled: Completions that are sampled at once (reinforcement fine-tuning): while that goes on their
            keys and values, 2 e sampled s layers k, stand in the place of the activations.
    """
    adapt, mixed = config.adapt, trainer_settings(config)["bf16"]
    number = 2 if mixed else 4
    exact = adapt.method == "full" or config.precision == "float32"
    held = 2 if (accelerated and not exact) or (config.precision == "bfloat16" and not exact) else 4
    frozen = held * (shape.frozen + shape.other)
    if adapt.quantised:
        frozen = int(_FOUR_BIT * shape.frozen) + 4 * shape.other
    wide = 4 * shape.hidden + 4 * shape.queries + 2 * shape.keys + 4 * shape.inner
    layer = number * wide + 8 * shape.hidden
    residual = number * shape.hidden
    kept = shape.layers * layer + residual
    if config.gradient_checkpointing:
        kept = shape.layers * residual + layer
    return Memory(
        weights=(4 + 2 * mixed + 4 * (config.average is not None)) * shape.trained + frozen,
        gradients=4 * shape.trained,
        optimiser=8 * shape.trained,
        activations=max(micro_batch_size * kept, 2 * number * sampled * shape.layers * shape.keys) * length,
        logits=micro_batch_size * answer * shape.vocabulary * (number + 8),
    )


def free_memory() -> int:
    """Return the bytes that are free on the accelerator, or in this machine where there is none."""
    if torch.cuda.is_available():
        return int(torch.cuda.mem_get_info()[0])
    import psutil

    return int(psutil.virtual_memory().available)


def fitting_micro_batch(total: Callable[[int], int], batch: int, free: int) -> int | None:
    """Return the largest divisor of a batch whose estimate leaves room; None if not even 1 does.

    Args:
        total: Estimated bytes by micro-batch size.
        batch: Examples of a step on one device.
        free: Bytes.
    """
    sizes = (size for size in range(batch, 0, -1) if batch % size == 0)
    return next((size for size in sizes if total(size) <= _SPARE * free), None)
