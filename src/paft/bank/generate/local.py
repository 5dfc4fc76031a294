"""A Hugging Face model on this machine as a generator of prompts.

Sampling uses the Gumbel trick: adding ``-log(Exponential(1))`` noise to the log-probabilities and
taking the largest draws exactly from the softmax. The noise comes from a generator of its own,
seeded by the request, so the global random state is neither read nor changed and a repeated request
brings the same reply.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from jinja2 import TemplateError

from paft.bank.generate.generators import LOCAL, Generator
from paft.errors import ModelError, said
from paft.files import fingerprint
from paft.model.endpoint import Client, EndpointClient, Message, Patience, Reply, Retried

if TYPE_CHECKING:
    import torch

    from paft.model.load import LanguageModel


def open_client(
    generator: Generator, settings: Patience, pause: Callable[[float], Any] = time.sleep
) -> Client:
    """Return what asks a generator, wherever it runs."""
    if generator.local:
        return LocalClient(generator)
    return EndpointClient(generator.endpoint, settings, pause)


class LocalClient:
    """A causal language model in this process, loaded at the first request."""

    def __init__(self, generator: Generator) -> None:
        self._generator = generator
        self._loaded: LanguageModel | None = None

    def ask(self, messages: Sequence[Message], name: str, seed: int | None, retried: Retried) -> Reply:
        """See :class:`paft.model.endpoint.Client`; without a seed the request's name is the seed."""
        from paft.model.load import load_model

        if self._loaded is None:
            self._loaded = load_model(self._generator.model.removeprefix(LOCAL))
        number = int(fingerprint(name)[:8], 16) if seed is None else seed
        try:
            return _sample(self._loaded, self._generator, messages, number)
        except (RuntimeError, TemplateError) as error:  # out of memory; a template that takes no such chat
            raise ModelError(f"generator {self._generator.name!r} failed: {said(error)}") from error

    def close(self) -> None:
        self._loaded = None


def _sample(loaded: LanguageModel, generator: Generator, messages: Sequence[Message], seed: int) -> Reply:
    import torch
    from transformers import LogitsProcessorList

    tokenizer = loaded.tokenizer
    if getattr(tokenizer, "chat_template", None):
        text = tokenizer.apply_chat_template(list(messages), add_generation_prompt=True, tokenize=False)
        ids = list(tokenizer(text, add_special_tokens=False)["input_ids"])
    else:
        text = "\n\n".join(message["content"] for message in messages) + "\n\n"
        ids = list(tokenizer(text)["input_ids"])
    positions = getattr(loaded.model.config, "max_position_embeddings", None)
    room = min(generator.max_tokens, int(positions) - len(ids)) if positions else generator.max_tokens
    if room < 1:
        raise ModelError(
            f"generator {generator.name!r}: the request's {len(ids)} tokens fill the model's {positions} "
            "positions: choose a model with a longer context"
        )
    inputs = torch.tensor([ids], device=loaded.device)
    end = tokenizer.eos_token_id
    model: Any = loaded.model
    with torch.inference_mode():
        out = model.generate(
            input_ids=inputs,
            attention_mask=torch.ones_like(inputs),
            max_new_tokens=room,
            do_sample=False,
            logits_processor=LogitsProcessorList([_gumbel(generator, loaded.device, seed)]),
            pad_token_id=tokenizer.pad_token_id if tokenizer.pad_token_id is not None else end,
        )
    row = out[0, len(ids) :].tolist()
    reply = str(tokenizer.decode(row, skip_special_tokens=True))
    return Reply(reply.encode("utf-8", "replace").decode("utf-8"), len(ids), len(row))


def _gumbel(generator: Generator, device: torch.device, seed: int) -> Any:
    """Return a logits processor after which the largest entry is a sample; none at temperature 0."""
    import torch
    from transformers import LogitsProcessor, TopPLogitsWarper

    noise = torch.Generator(device=device).manual_seed(seed)
    nucleus = TopPLogitsWarper(generator.top_p) if generator.top_p is not None else None

    class Gumbel(LogitsProcessor):
        def __call__(self, input_ids: Any, scores: Any) -> Any:
            if generator.temperature == 0:
                return scores
            scores = scores.float() / generator.temperature
            if nucleus is not None:
                scores = nucleus(input_ids, scores)
            return scores - torch.empty_like(scores).exponential_(generator=noise).log()

    return Gumbel()
