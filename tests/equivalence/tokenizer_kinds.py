"""Tokenizers of every common kind, trained on a few sentences: what language models come with.

All know the same special tokens, all of them have every character of ``KNOWN`` in the vocabulary,
and none has a merge across a line break.
"""

from __future__ import annotations

import json
import string
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import ByT5Tokenizer, LlamaTokenizer, PreTrainedTokenizerBase, PreTrainedTokenizerFast

UNKNOWN, BEGINNING, END, PAD = "<unk>", "<s>", "</s>", "<pad>"
EXTRA = ["<|im_start|>", "[MASK]"]
SPECIAL = [UNKNOWN, BEGINNING, END, PAD, *EXTRA]
TEXTS = [
    "Message: my new card has not come. Topic: card arrival",
    "Topic: cash withdrawal. The transfer was not received by its recipient, transfer again",
    "café, naïve, résumé; 東京, 日本, 日本語 🙂 🙃 Ⅳ ﬁne",
    "what is this about? Class: refund, Answer: A or B or C or D",
]
KNOWN = sorted({*"".join(TEXTS), *string.ascii_letters, *string.punctuation, *"\n\t\u00a0\u3000\uff1a"})
# The split of GPT-4 (cl100k_base), as Llama 3 writes it.
GPT4 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
BYTES = pre_tokenizers.ByteLevel.alphabet()
BYTE_PIECES = [f"<0x{byte:02X}>" for byte in range(256)]


@dataclass(frozen=True)
class Kind:
    """A kind of tokenizer.

    Attributes:
        build: Makes it.
        keeps_space: Whether white space is part of its tokens, so that decoding gives it back.
        beginning: Special tokens that it puts before a text.
    """

    build: Callable[[], PreTrainedTokenizerBase]
    keeps_space: bool = True
    beginning: tuple[str, ...] = ()


def wrap(
    backend: Tokenizer, before: Sequence[str] = (), after: Sequence[str] = ()
) -> PreTrainedTokenizerBase:
    """Dress a backend as transformers does, with special tokens around a text."""
    if before or after:
        backend.post_processor = processors.TemplateProcessing(
            single=[*before, "$A", *after],
            special_tokens=[(token, backend.token_to_id(token)) for token in (*before, *after)],
        )
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        unk_token=UNKNOWN,
        bos_token=BEGINNING,
        eos_token=END,
        pad_token=PAD,
        extra_special_tokens=EXTRA,
    )


def train_bpe(backend: Tokenizer, alphabet: Sequence[str] = KNOWN, merges: int = 120) -> None:
    """Learn merges from the sentences."""
    size = len(SPECIAL) + len(set(alphabet)) + merges if merges else 0
    trainer = trainers.BpeTrainer(
        vocab_size=size, special_tokens=SPECIAL, initial_alphabet=list(alphabet), show_progress=False
    )
    backend.train_from_iterator(TEXTS, trainer)


def byte_level(*, prefix_space: bool = False, regex: bool = True, merges: int = 120) -> Tokenizer:
    """BPE of bytes, as in GPT-2."""
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=prefix_space, use_regex=regex)
    backend.decoder = decoders.ByteLevel()
    train_bpe(backend, BYTES, merges)
    return backend


def nfkc() -> Tokenizer:
    """BPE of bytes behind a normaliser that rewrites characters."""
    backend = byte_level()
    backend.normalizer = normalizers.NFKC()
    return backend


def tiktoken() -> Tokenizer:
    """BPE of bytes with the split of GPT-4; a whole word in the vocabulary needs no merges."""
    backend = Tokenizer(models.BPE(ignore_merges=True))
    backend.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(GPT4), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    backend.decoder = decoders.ByteLevel()
    train_bpe(backend, BYTES)
    return backend


def sentencepiece_model() -> dict[str, Any]:
    """Vocabulary and merges of a SentencePiece-like BPE with bytes for unknown characters."""
    backend = Tokenizer(models.BPE(unk_token=UNKNOWN))
    backend.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
    # Line breaks and emoji are left to the bytes.
    train_bpe(backend, [c for c in KNOWN if c.isascii() and c not in "\n "] + ["▁"])
    learned: dict[str, Any] = json.loads(backend.to_str())["model"]
    vocabulary = {token: i for token, i in learned["vocab"].items() if token not in "🙂🙃"}
    pieces = [*SPECIAL, *BYTE_PIECES, *(token for token in vocabulary if token not in SPECIAL)]
    merges = [tuple(pair) for pair in learned["merges"] if not set("".join(pair)) & set("🙂🙃")]
    return {"vocab": {piece: i for i, piece in enumerate(pieces)}, "merges": merges}


def sentencepiece(scheme: str) -> Tokenizer:
    """SentencePiece-like BPE; ``scheme`` says where a space is put, ``prepend`` means by normaliser."""
    model = models.BPE(**sentencepiece_model(), unk_token=UNKNOWN, fuse_unk=True, byte_fallback=True)
    backend = Tokenizer(model)
    if scheme == "prepend":
        backend.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    else:
        backend.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme=scheme, split=False)
    backend.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    backend.add_special_tokens(SPECIAL)
    return backend


def llama() -> PreTrainedTokenizerBase:
    """The class of Llama 2 in transformers."""
    return LlamaTokenizer(
        **sentencepiece_model(), add_bos_token=True, pad_token=PAD, extra_special_tokens=EXTRA
    )


def unigram(*, words: bool) -> Tokenizer:
    """SentencePiece-like Unigram; with ``words`` white space is split off first, as in T5.

    The trainer's result differs from run to run, so the pieces are given: whole words are likelier
    than their parts, and control tokens have score 0 as in converted SentencePiece models.
    """
    learned = sorted({f"▁{word}" for word in " ".join(TEXTS).split()} | {"ard", "tion", "ar", "日本"})
    pieces = [(token, 0.0) for token in SPECIAL] + [("▁", -3.0)]
    pieces += [(character, -9.0) for character in KNOWN]
    pieces += [(piece, -6.0 - place / 100) for place, piece in enumerate(learned)]
    backend = Tokenizer(models.Unigram(pieces, unk_id=0))
    marker = pre_tokenizers.Metaspace(prepend_scheme="always")
    if words:
        backend.normalizer = normalizers.NFKC()
        backend.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), marker])
    else:
        backend.pre_tokenizer = marker
    backend.decoder = decoders.Metaspace(prepend_scheme="always")
    backend.add_special_tokens(SPECIAL)
    return backend


def wordpiece() -> Tokenizer:
    """WordPiece with lower-casing and accents stripped, as in BERT."""
    backend = Tokenizer(models.WordPiece(unk_token=UNKNOWN))
    backend.normalizer = normalizers.BertNormalizer(lowercase=True)
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    backend.decoder = decoders.WordPiece(cleanup=False)
    trainer = trainers.WordPieceTrainer(
        vocab_size=500, special_tokens=SPECIAL, initial_alphabet=KNOWN, show_progress=False
    )
    inside = [f"x{character}" for character in KNOWN]  # a character inside a word is a piece of its own
    backend.train_from_iterator([*TEXTS, *inside], trainer)
    return backend


def characters() -> Tokenizer:
    """One token a character."""
    backend = Tokenizer(models.BPE(unk_token=UNKNOWN))
    backend.decoder = decoders.Fuse()
    train_bpe(backend, merges=0)
    return backend


def byt5() -> PreTrainedTokenizerBase:
    """The class of ByT5: bytes, tokenised in Python."""
    return ByT5Tokenizer(extra_ids=0, bos_token=BEGINNING, extra_special_tokens=EXTRA)


KINDS = {
    "gpt2": Kind(lambda: wrap(byte_level())),
    "gpt2, prefix space": Kind(
        lambda: wrap(byte_level(prefix_space=True), [BEGINNING]), beginning=(BEGINNING,)
    ),
    "gpt2, nfkc": Kind(lambda: wrap(nfkc())),
    "tiktoken": Kind(lambda: wrap(tiktoken(), [BEGINNING]), beginning=(BEGINNING,)),
    "sentencepiece, first": Kind(lambda: wrap(sentencepiece("first"), [BEGINNING]), beginning=(BEGINNING,)),
    "sentencepiece, always": Kind(lambda: wrap(sentencepiece("always"))),
    "sentencepiece, never": Kind(lambda: wrap(sentencepiece("never"), [BEGINNING]), beginning=(BEGINNING,)),
    "sentencepiece, prepend": Kind(
        lambda: wrap(sentencepiece("prepend"), [BEGINNING]), beginning=(BEGINNING,)
    ),
    "llama": Kind(llama, beginning=(BEGINNING,)),
    "unigram": Kind(lambda: wrap(unigram(words=False), [END]), beginning=(END,)),
    "unigram, words": Kind(lambda: wrap(unigram(words=True), [], [END]), keeps_space=False),
    "wordpiece": Kind(
        lambda: wrap(wordpiece(), [BEGINNING], [END]), keeps_space=False, beginning=(BEGINNING,)
    ),
    "characters": Kind(lambda: wrap(characters())),
    "bytes": Kind(lambda: wrap(byte_level(regex=False, merges=0), [BEGINNING]), beginning=(BEGINNING,)),
    "byt5": Kind(byt5),
}
