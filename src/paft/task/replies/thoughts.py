"""The thoughts that a model writes before its answer, separated from the answer.

Thoughts stand between ``<think>`` and ``</think>`` or what other models write for them. The answer is
the rest. A chat template may have opened the thought, so a closing tag alone ends one that began with
the reply. A thought that is not closed was cut at the limit: there is no answer. A tag behind a quote
or a backtick is a text about tags.

Models of the harmony format name channels instead; the answer is the last message of ``final``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_NAMES = "think|thinking|thoughts?|reasoning|reflection|analysis|scratchpad|seed:think"
_TAG = re.compile(
    rf"""(?:
      <(?P<slash>/)?\s*(?i:{_NAMES})(?:\s[^<>\n]*)?>
    | \[(?P<stroke>/)?(?:THINK|THINKING|THOUGHTS?|REASONING)\]
    | \u25c1(?P<line>/)?think\u25b7
    | <\|(?P<end>/|(?i:end_)(?:of_)?)?(?i:(?:start_|begin_of_)?(?:think|thinking|thoughts?|reasoning))\|>
    )""",
    re.VERBOSE,
)
_QUOTES = "\"'`"
_FINAL = re.compile(r"<\|channel\|>\s*final\b[^<]*<\|message\|>")
_CHANNEL = re.compile(r"<\|(?:channel|message|start|end|return)\|>")


def without_thoughts(text: str) -> str | None:
    """Return the answer behind a model's thoughts, None where the thoughts have no end.

    >>> without_thoughts("<think>A or B?</think> B"), without_thoughts("is it A? yes</think>A")
    (' B', 'A')
    >>> without_thoughts("<think>A, or is it")
    """
    if "<|channel|>" in text:
        *_, final = [None, *_FINAL.finditer(text)]
        return None if final is None else _CHANNEL.split(text[final.end() :])[0]
    kept: list[str] = []
    start, thinking, quoted = 0, False, False
    for tag in _TAG.finditer(text):
        closing = any(tag.groups())
        before, behind = text[max(0, tag.start() - 1) : tag.start()], text[tag.end() : tag.end() + 1]
        if thinking and not closing:
            continue
        if not thinking and before and before in _QUOTES and (not closing or before == behind):
            quoted = not closing
            continue
        if closing and quoted:
            quoted = False
            continue
        if closing:
            kept = kept if thinking else []
        else:
            kept.append(text[start : tag.start()])
        start, thinking = tag.end(), not closing
    return None if thinking else "\n".join(filter(None, [*kept, text[start:]]))


def is_mark(token: str) -> bool:
    """Whether a special token marks thoughts, so that decoding must keep it.

    >>> is_mark("[THINK]"), is_mark("<|END_THINKING|>"), is_mark("<|im_end|>")
    (True, True, False)
    """
    return bool(_TAG.fullmatch(token)) or token in ("<|channel|>", "<|message|>")


def marked_pieces(tokens: list[int], marks: dict[int, str]) -> Iterator[list[int] | str]:
    """Yield stretches of tokens without a mark, and the marks between them as text."""
    piece: list[int] = []
    for token in tokens:
        if token in marks:
            yield piece
            yield marks[token]
            piece = []
        else:
            piece.append(token)
    yield piece
