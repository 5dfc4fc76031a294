"""The one encoder: rendered prompt and answer to token ids, for training and evaluation alike.

Prompt and answer are tokenised apart and joined, so the boundary between them holds by
construction for every tokenizer; no merge can swallow half an answer. A single space separates
them unless the rendered prompt already ends in white space; the space of their own that some
tokenizers put before every text (Llama 2) is left off the answer, which begins no text. Text is
tokenised with special tokens switched off: a field value that spells ``<|endoftext|>`` becomes
ordinary characters.

Training appends the end-of-sequence token to the answer; evaluation asks for it only where it
decides (see :mod:`paft.evaluate.scoring.score`).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from paft.errors import DataError, ModelError

if TYPE_CHECKING:
    import torch
    from tokenizers import Tokenizer
    from transformers import PreTrainedTokenizerBase


@dataclass(frozen=True)
class Encoded:
    """A rendered prompt and answer as token ids.

    Attributes:
        input_ids: Prompt tokens, then answer tokens.
        answer_start: Index of the first answer token, at least 1.
        truncated: Whether prompt tokens were cut off.
    """

    input_ids: list[int]
    answer_start: int
    truncated: bool


@dataclass(frozen=True)
class Encoder:
    """Turns text into token ids.

    Attributes:
        tokenizer: A fast Hugging Face tokenizer with an end-of-sequence token.
        max_length: Tokens of prompt and answer together at most.

    Raises:
        ModelError: If the tokenizer has no end-of-sequence token.
    """

    tokenizer: PreTrainedTokenizerBase
    max_length: int

    def __post_init__(self) -> None:
        if self.tokenizer.eos_token_id is None:
            raise ModelError(
                "the tokenizer has no end-of-sequence token, so no answer could end: "
                "set `eos_token` in its tokenizer_config.json"
            )

    @property
    def end(self) -> int:
        """Id of the end-of-sequence token."""
        return int(self.tokenizer.eos_token_id)

    @property
    def stops(self) -> list[int]:
        """Ids that end a generated answer: those of end of turn, if there are turns, and of sequence."""
        return list(dict.fromkeys((self.end, int(self.tokenizer.eos_token_id))))

    @property
    def pad(self) -> int:
        """Id that fills padding; the attention mask hides it, so any id will do."""
        pad = self.tokenizer.pad_token_id
        return int(pad) if pad is not None else self.end

    @cached_property
    def beginning(self) -> list[int]:
        """Special tokens this tokenizer puts before a text (usually none or one)."""
        plain = self.tokenizer("a", add_special_tokens=False)["input_ids"]
        full = self.tokenizer("a")["input_ids"]
        for start in range(len(full) - len(plain) + 1):
            if full[start : start + len(plain)] == plain:
                return list(full[:start])
        return []

    def tokens(self, text: str) -> list[int]:
        """Token ids of plain text; special tokens in it are inert."""
        return self._inert(self._plain(text))

    def is_control(self, token: int) -> bool:
        """Whether a token id is a control token, which no data ever becomes."""
        return token in self._control

    @staticmethod
    def separator(rendered: str) -> str:
        """The text between a rendered prompt and its answer."""
        return "" if not rendered or rendered[-1].isspace() else " "

    def answer(self, rendered: str, answer: str) -> list[int]:
        """Token ids of an answer after a rendered prompt, end of sequence not included."""
        return self._inert(self._continued(self.separator(rendered) + answer))

    def context(self, rendered: str, room: int) -> tuple[list[int], bool]:
        """Token ids of a rendered prompt and whether it had to be cut.

        Args:
            rendered: The rendered prompt.
            room: Tokens to keep free for the answer. Too long a prompt loses its first tokens:
                its end, with the answer cue, is what the answer hangs on.

        Raises:
            DataError: If the prompt is empty or the answer alone fills ``max_length``.
        """
        ids = self.tokens(rendered)
        limit = self.max_length - room - len(self.beginning)
        if limit < 1:
            raise DataError(
                f"an answer of {room} tokens leaves no room for its prompt within max_length="
                f"{self.max_length}: raise max_length"
            )
        if not self.beginning + ids:
            raise DataError(f"the rendered prompt {rendered!r} has no token to predict an answer from")
        truncated = len(ids) > limit
        return self.beginning + (ids[-limit:] if truncated else ids), truncated

    def encode(self, rendered: str, answer: str) -> Encoded:
        """Encode a training sequence: prompt, answer, end of sequence.

        Raises:
            DataError: If the prompt is empty or the answer does not fit.
        """
        answer_ids = [*self.answer(rendered, answer), self.end]
        context, truncated = self.context(rendered, len(answer_ids))
        return Encoded(context + answer_ids, len(context), truncated)

    def _plain(self, text: str) -> list[int]:
        ids = self.tokenizer(text, add_special_tokens=False, split_special_tokens=True)["input_ids"]
        return list(ids)

    def _continued(self, text: str) -> list[int]:
        if self._inner is None:
            return self._plain(text)
        return list(self._inner.encode(text, add_special_tokens=False).ids)

    @cached_property
    def _inner(self) -> Tokenizer | None:
        """The tokenizer without the space it puts before every text, None if it puts none.

        None too where white space is no part of the tokens (T5, BERT): there that space is what
        distinguishes a word from the rest of one.
        """
        if not self.tokenizer.is_fast or not _puts_space(self.tokenizer.backend_tokenizer):
            return None
        inner = _without_space(self.tokenizer.backend_tokenizer)
        spaced, bare = (inner.encode(text, add_special_tokens=False).ids for text in (" a", "a"))
        return None if spaced == bare or self._plain("a\n") == self._plain("a") else inner

    @cached_property
    def _control(self) -> dict[int, str]:
        """Control tokens, text by id: the special ones and those that the chat template writes."""
        template = str(self.tokenizer.chat_template or "")
        control = dict(zip(self.tokenizer.all_special_ids, self.tokenizer.all_special_tokens, strict=True))
        for i, token in self.tokenizer.added_tokens_decoder.items():
            if token.special or (token.content in template and not token.content.isspace()):
                control[i] = token.content
        control.pop(self.tokenizer.unk_token_id, None)  # it stands for unknown characters, rightly
        return control

    def _inert(self, ids: list[int]) -> list[int]:
        """Spell out control tokens by character: some models find them with special tokens off.

        A Unigram model holds them among its pieces, and ``<think>`` (Qwen) or ``<|User|>``
        (DeepSeek) are added tokens that their tokenizers do not call special.
        """
        if self._control.keys().isdisjoint(ids):
            return ids
        spelled = ([i] if i not in self._control else self._spelled(self._control[i]) for i in ids)
        return [piece for pieces in spelled for piece in pieces]

    def _spelled(self, text: str) -> list[int]:
        return [piece for character in text for piece in self._continued(character)]


def _puts_space(backend: Tokenizer) -> bool:
    """Whether a text reaches the model of a tokenizer with something before it."""
    text = backend.normalizer.normalize_str("a") if backend.normalizer else "a"
    if backend.pre_tokenizer:
        text = "".join(piece for piece, _ in backend.pre_tokenizer.pre_tokenize_str(text))
    return not text.startswith("a")


def _without_space(backend: Tokenizer) -> Tokenizer:
    """Copy a tokenizer so that it puts no space before a text, special tokens switched off."""
    from tokenizers import Tokenizer

    state = json.loads(backend.to_str(), object_hook=_unspaced)
    inner = Tokenizer.from_str(json.dumps(state))
    inner.no_truncation()
    inner.no_padding()
    inner.encode_special_tokens = True
    return inner


def _unspaced(node: dict[str, Any]) -> dict[str, Any]:
    """Switch off, in one node of a tokenizer's JSON, what puts a space before a text."""
    match node.get("type"):
        case "Prepend":
            return {"type": "Sequence", "normalizers": []}
        case "Metaspace":
            return {**node, "prepend_scheme": "never"}
        case "ByteLevel":
            return {**node, "add_prefix_space": False}
    return node


def left_pad(rows: Sequence[Sequence[int]], pad: int) -> dict[str, torch.Tensor]:
    """Pad token rows on the left; positions count from each row's first real token.

    Returns:
        ``input_ids``, ``attention_mask``, ``position_ids``, each (B, S) of int64.
    """
    import torch

    width = max(len(row) for row in rows)
    ids = torch.full((len(rows), width), pad, dtype=torch.long)
    mask = torch.zeros_like(ids)
    for i, row in enumerate(rows):
        ids[i, width - len(row) :] = torch.tensor(row, dtype=torch.long)
        mask[i, width - len(row) :] = 1
    return {"input_ids": ids, "attention_mask": mask, "position_ids": (mask.cumsum(1) - 1).clamp(min=0)}
