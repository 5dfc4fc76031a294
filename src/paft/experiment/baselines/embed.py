"""Prompts as points, for the search in embedding space."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from paft.bank.diversity import masked
from paft.prompt import Prompt

if TYPE_CHECKING:
    from paft.model.load import LanguageModel


def hidden_states(
    language_model: LanguageModel, prompts: Sequence[Prompt], max_length: int
) -> NDArray[np.float64]:
    """Return the mean of the last hidden states over a template's tokens, placeholders masked.

    Args:
        language_model: The model that is to be trained, untrained.
        prompts: P prompts.
        max_length: Tokens of a template that are read at most.

    Returns:
        Shape (P, hidden size).
    """
    import torch

    model: Any = language_model.model
    found = []
    with torch.inference_mode():
        for prompt in prompts:  # one at a time: no padding that could move a bit
            ids = language_model.tokenizer(masked(prompt))["input_ids"][:max_length]
            out = model(torch.tensor([ids], device=language_model.device), output_hidden_states=True)
            found.append(out.hidden_states[-1][0].double().mean(dim=0).cpu().numpy())
    return np.stack(found)
