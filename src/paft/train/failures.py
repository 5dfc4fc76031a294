"""What goes wrong in training and a user can mend, in one message each."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from paft.errors import DataError, ModelError, PaftError
from paft.model.encode import Encoder
from paft.train.settings import Train

_FROM_WORKER = re.compile(r"paft\.errors\.DataError: (.*)\s*\Z", re.DOTALL)


@contextmanager
def clear_errors(config: Train, micro_batch_size: int) -> Iterator[None]:
    """Turn errors of loader workers and of the device's memory into ours.

    Args:
        config: Training settings, for what may be lowered.
        micro_batch_size: Examples of a forward pass.

    Raises:
        DataError: With the message alone, if a row cannot be used.
        PaftError: If the device runs out of memory.
    """
    try:
        yield
    except DataError as error:
        found = _FROM_WORKER.search(str(error))  # a worker's comes with the traceback in its text
        if found is None:
            raise
        raise DataError(found[1].strip()) from None
    except torch.OutOfMemoryError as error:
        raise PaftError(_out_of_memory(config, micro_batch_size, str(error).splitlines()[0])) from error


def _out_of_memory(config: Train, micro_batch_size: int, said: str) -> str:
    """Say what to lower when memory runs out; none of it changes what is learnt but ``max_length``."""
    lower = []
    if micro_batch_size > 1:
        lower.append(
            f"train.micro_batch_size (now {micro_batch_size}) to {micro_batch_size // 2}; batch_size stays"
        )
    if not config.gradient_checkpointing:
        lower.append("memory of activations with train.gradient_checkpointing=true")
    lower.append(f"train.max_length (now {config.max_length})")
    if config.adapt.method != "qlora":
        lower.append(
            "what is trained: train.adapt.method " + ("lora" if config.adapt.method == "full" else "qlora")
        )
    return (
        f"out of memory ({said}): lower {', or '.join(lower)}. `paft train --dry-run` estimates what fits; "
        "the same command goes on from the last checkpoint if only memory was short"
    )


def check_vocabulary(encoder: Encoder, model: Any, name: str) -> None:
    """Refuse a tokenizer that makes ids the model has no embedding for.

    Control tokens do not count: data never becomes one.

    Args:
        encoder: Of the tokenizer.
        model: The model.
        name: What the user called the model.

    Raises:
        ModelError: Naming the largest such id.
    """
    rows = int(model.get_input_embeddings().weight.shape[0])
    vocabulary = encoder.tokenizer.get_vocab()
    largest = max((i for i in vocabulary.values() if not encoder.is_control(i)), default=0)
    used = {"padding token": encoder.pad, "end-of-sequence token": encoder.end, "vocabulary": largest}
    for what, token in used.items():
        if token >= rows:
            raise ModelError(
                f"model {name}: its tokenizer's {what} has id {token}, but the model has embeddings for ids "
                f"below {rows}: use the tokenizer that the model was trained with, or enlarge the embeddings "
                "(model.resize_token_embeddings) and save it"
            )
