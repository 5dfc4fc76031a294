"""What an OpenAI-compatible endpoint's completion says: the text, and how it ended.

Only the answer counts: a ``reasoning_content`` beside it is never read, nor are parts of a content
that are no text. Endpoints word the rest in ways of their own, so names are compared loosely.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import openai

End = Literal["stop", "length", "withheld"]

_LENGTH = re.compile(r"length|max_(?:\w+_)?tokens|token_limit")
_WITHHELD = (
    "content_filter",
    "safety",
    "prohibited_content",
    "blocklist",
    "recitation",
    "refusal",
    "sensitive",
)
_FILTER_CODES = re.compile(
    r"content_?(?:filter|policy)|responsible_?ai_?policy|data_?inspection_?failed|moderation|invalid_prompt",
    re.IGNORECASE,
)
_FILTER_WORDS = re.compile(
    r"content (?:filter|management|policy)|usage polic(?:y|ies)|safety system|was flagged", re.IGNORECASE
)
# Parameters that an endpoint may refuse and that a request can do without.
_SPARE = ("temperature", "top_p", "seed", "repetition_penalty")
_REFUSED = re.compile(
    r"unsupported|not (?:be )?support|un(?:known|recogni[sz]ed|expected)|extra|not (?:permitted|allowed)"
    r"|invalid|deprecated|cannot find|does not exist",
    re.IGNORECASE,
)


def read_choice(choice: Any) -> tuple[str, End]:
    """Return the text of a completion's choice (chat or plain) and how it ended.

    The text of a refusal is no answer: it is ``withheld``, as what a filter took away. What is no choice
    raises AttributeError, a text that is none TypeError.
    """
    message = getattr(choice, "message", None)
    content = choice.text if message is None else message.content
    finish = str(getattr(choice, "finish_reason", None)).lower()
    text = _text(content)
    refusal = getattr(message, "refusal", None)
    parts = content if isinstance(content, list) else []
    refused = bool(refusal) or any(_get(part, "type") == "refusal" for part in parts)
    if finish.rpartition(".")[2] in _WITHHELD or (refused and text in ("", refusal)):
        return text, "withheld"
    return text, "length" if _LENGTH.search(finish) else "stop"


def said(error: openai.APIStatusError) -> str:
    """Return what an endpoint says of an error; some have no ``error.message``, but words of their own."""
    body = error.body if isinstance(error.body, dict) else {}
    own = "" if isinstance(body.get("message"), str) else error.response.text.strip()
    return f"{error.message} - {own}" if own else str(error.message)


def is_filtered(error: openai.APIStatusError) -> bool:
    """Whether an endpoint refused a request for what its text says, not for its form."""
    if error.status_code not in (400, 403, 422):
        return False
    body = error.body if isinstance(error.body, dict) else {}
    inner = body.get("innererror")
    codes = [error.code, body.get("type"), inner.get("code") if isinstance(inner, dict) else None]
    named = [str(code) for code in codes if code]
    return any(map(_FILTER_CODES.search, named)) or (
        not error.param and _FILTER_WORDS.search(said(error)) is not None
    )


def refused_parameters(error: openai.APIStatusError, sent: set[str]) -> set[str]:
    """Return which of the parameters sent a request must do without, as far as the error names them."""
    if error.status_code not in (400, 422):
        return set()
    if isinstance(error.param, str) and error.param:
        return {error.param} & sent & set(_SPARE)
    words = said(error)
    named = {name for name in _SPARE if name in sent and re.search(rf"\b{name}\b", words)}
    return named if _REFUSED.search(words) else set()


def _text(content: Any) -> str:
    if content is None:
        return ""
    if isinstance(content, list):
        return "".join(map(_part, content))
    if not isinstance(content, str):
        raise TypeError("a content is text or a list of parts")
    # Half a surrogate pair could not be written to any file.
    return content.encode("utf-8", "replace").decode("utf-8")


def _part(part: Any) -> str:
    if isinstance(part, str):
        return _text(part)
    kind, text = _get(part, "type"), _get(part, "text")
    return _text(text) if kind in ("text", "output_text", None) and isinstance(text, str) else ""


def _get(part: Any, name: str) -> Any:
    return part.get(name) if isinstance(part, dict) else getattr(part, name, None)
