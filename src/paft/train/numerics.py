"""A model made ready to train: precision, attention, compilation, adapter, rows apart.

None of these changes what is computed but for rounding. ``train.precision``:

========  ==================================================================================
auto      bfloat16 on a GPU that has it, else float32
float32   everything in float32
bfloat16  matrix products in bfloat16, on a CPU too; frozen weights are held in it, trained
          ones, the optimiser and the loss in float32
========  ==================================================================================
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

import torch

from paft.errors import ConfigError
from paft.train.adapt import adapted
from paft.train.batches import Collator, Plan, Planned, RenderedExamples, answer_tokens
from paft.train.settings import Train

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from paft.model.load import LanguageModel

_LEAK = 0.01  # share of the largest logit; rounding changes far less, another example's text far more


def trainable(
    language_model: LanguageModel, dataset: RenderedExamples, config: Train, copies: int
) -> PreTrainedModel:
    """Return the model as training settings want it.

    Args:
        language_model: Freshly loaded.
        dataset: What it will be trained on.
        config: Settings.
        copies: Copies of the model that share the batches of this process.

    Raises:
        ConfigError: If the model or this machine does not support a setting.
    """
    prepare(language_model.model, config)
    model = adapted(language_model.model, config.adapt, config.start_from)
    model.train()
    if config.padding_free:
        if copies > 1:
            raise ConfigError(
                f"train.padding_free needs a process for each device, and this one has {copies}: start it "
                f"with `torchrun --nproc-per-node {copies}`, or show it one device (CUDA_VISIBLE_DEVICES)"
            )
        check_apart(model, [dataset[Plan(0, 0)], dataset[Plan(len(dataset) - 1, 0)]])
    if config.compile:
        compile_layers(model)
    return model


def prepare(model: PreTrainedModel, config: Train) -> None:
    """Give a freshly loaded model the attention and precision that training settings ask for.

    Raises:
        ConfigError: If the model or this machine does not support that attention.
    """
    if config.attention is not None:
        try:
            model.set_attn_implementation(config.attention)
        except (ValueError, ImportError, OSError) as error:
            raise ConfigError(
                f"train.attention {config.attention!r} cannot be used here: {str(error).splitlines()[0]}"
            ) from error
    if config.precision == "bfloat16" and config.adapt.method == "lora":
        cast("torch.nn.Module", model).to(torch.bfloat16)


def compile_layers(model: torch.nn.Module) -> None:
    """Compile the model's repeated layers, one graph for all of them, for batches of any shape.

    Raises:
        ConfigError: If the model does not mark its layers.
    """
    from transformers.modeling_layers import GradientCheckpointingLayer

    layers = [module for module in model.modules() if isinstance(module, GradientCheckpointingLayer)]
    if not layers:
        raise ConfigError("train.compile: the model marks no repeated layers: set it to false")
    for layer in layers:
        layer.compile(dynamic=True)


def check_apart(model: torch.nn.Module, rows: Sequence[Planned]) -> None:
    """Make sure that the model keeps examples apart which share a row without padding.

    The answer of the last example must not depend on the text of the first: layers that carry a
    state along the row, or know no positions, let it through.

    Args:
        model: The model to train, in either mode; it is left in the mode it was in.
        rows: At least one example.

    Raises:
        ConfigError: If it does not.
    """
    first, last = rows[0], rows[-1]
    size = int(cast("Any", model).get_input_embeddings().weight.shape[0])
    other = Planned([(i + 1) % size for i in first.input_ids], first.answer_start, False, 0)
    device = next(model.parameters()).device
    training = model.training
    model.eval()
    logits = []
    with torch.no_grad():
        for row in (first, other):
            batch = Collator(0, padding_free=True)([row, last])
            batch.pop("labels")
            tensors = {k: v.to(device) if isinstance(v, torch.Tensor) else v for k, v in batch.items()}
            logits.append(model(**tensors, use_cache=False)["logits"][0, answer_tokens(row) :].float())
    model.train(training)
    change = (logits[0] - logits[1]).abs().max() / logits[0].abs().max()
    if not change < _LEAK:
        raise ConfigError(
            "train.padding_free: this model does not keep examples apart that share a row (an answer "
            f"changes by {float(change):.1%} with the text before it): set it to false"
        )
