"""Frozen weights in 4 bit (QLoRA): how they are loaded, where that is refused, and the way back.

The weights are held as 4-bit NormalFloat with doubly quantised scales and computed with in bfloat16,
as in the QLoRA paper. An adapter trained beside them has learnt to make up for their rounding, so it
is evaluated and merged on the same rounded weights: its folder records that (:mod:`paft.model.chat`).
"""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paft.errors import ModelError
from paft.model.adapter import training_record

if TYPE_CHECKING:
    from transformers import BitsAndBytesConfig, PreTrainedModel

BFLOAT16_CAPABILITY = (8, 0)  # of CUDA devices that compute in bfloat16


def four_bit() -> BitsAndBytesConfig:
    """Return the setting that loads weights in 4 bit.

    Raises:
        ModelError: If bitsandbytes is not installed or the device cannot do it.
    """
    if find_spec("bitsandbytes") is None:
        raise ModelError(
            "weights in 4 bit (train.adapt.method: qlora) need bitsandbytes: pip install 'paft[qlora]', or "
            "choose method lora"
        )
    import torch
    from transformers import BitsAndBytesConfig

    if torch.cuda.is_available() and torch.cuda.get_device_capability() < BFLOAT16_CAPABILITY:
        raise ModelError(
            f"{torch.cuda.get_device_name()} does not compute in bfloat16, which weights in 4 bit need "
            "(train.adapt.method: qlora): use a GPU of the Ampere generation or later, or choose method lora"
        )
    make: Any = BitsAndBytesConfig  # its constructor is untyped
    config: BitsAndBytesConfig = make(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.bfloat16,
    )
    return config


def own_device() -> dict[str, str]:
    """Return the device map of this process: weights in 4 bit go to their device while they are read."""
    import torch

    accelerator = torch.accelerator.current_accelerator(check_available=True)
    return {"": f"{accelerator.type}:{os.environ.get('LOCAL_RANK', '0')}" if accelerator else "cpu"}


def keep_layout(model: PreTrainedModel) -> None:
    """Keep weights in 4 bit as they were read, on every CPU.

    On one with AVX-512 BF16, bitsandbytes packs them for a kernel of inference at the first
    evaluation. No gradient passes through that kernel: afterwards only adapters whose output goes
    straight into the residual stream still get one, and the others, 25 of 35 in the built-in model,
    learn nothing. Scales are rounded once more, and sizes that do not fit the kernel fail.
    """
    module: Any
    for module in model.modules():
        if hasattr(module, "support_avx512bf16_for_cpu"):
            module.support_avx512bf16_for_cpu = False


def is_quantised(model: PreTrainedModel) -> bool:
    """Whether a model, or the model under an adapter, holds its weights in 4 bit."""
    return bool(getattr(model, "is_loaded_in_4bit", False))


def trained_quantised(adapter: Path) -> bool:
    """Whether an adapter was trained beside weights in 4 bit; adapters of others do not tell.

    Raises:
        DataError: If the record beside it is damaged.
    """
    return bool(training_record(adapter).get("quantised"))
