r"""Strike keys out of what a server sent back, in whatever spelling it echoes them.

A key is found as it stands, in other case, escaped for an address, JSON or HTML, in base64 or
hexadecimal, and in parts of at least ``PART`` letters and digits, whatever stands between these: line
breaks, quotes, dots, other dashes. Text is read once into its letters and digits, each with its place,
and every run of them that belongs to a key is struck out where it stands.

>>> strike("Bearer sk-0123456789abcdef, then sk%2D0123456789abcdef", ["sk-0123456789abcdef"])
'Bearer ***, then ***'
"""

from __future__ import annotations

import base64
import os
import re
import unicodedata
from collections.abc import Collection, Iterable

STRUCK = "***"
PART = 12  # letters and digits of a key that give it away
# What the package `openai` takes from the environment by itself.
ENVIRONMENT = ("OPENAI_API_KEY", "OPENAI_ADMIN_KEY", "OPENAI_WEBHOOK_SECRET")
CUSTOM_HEADERS = "OPENAI_CUSTOM_HEADERS"
SECRET_HEADER = re.compile("auth|key|token|secret|cookie|password", re.IGNORECASE)
# A server without authentication wants some word as its key: replies may hold it by chance.
SHORTEST, SHORTEST_OF_LETTERS = 8, 20

_UNIT = re.compile(
    r"(?:%(?:25)*|\\{1,8}x|=(?=[0-9A-F]{2}))(?P<hex>[0-9A-Fa-f]{2})"  # %2D, %252D, \x2d, =2D
    r"|\\{1,8}u\{?0{0,4}(?P<uni>[0-9A-Fa-f]{2})\}?"  # \u002d
    r"|&#(?:x(?P<html_hex>[0-9A-Fa-f]{1,4})|(?P<html>[0-9]{1,5}));?"
    r"|\\{1,8}[nrt]"
    r"|(?P<plain>.)",
    re.DOTALL,
)
_known: set[str] = set()  # keys of all endpoints this process has asked: one may show another's


def remember(key: str) -> None:
    """Have a key struck out of everything from now on."""
    _known.add(key)


def secret(key: str) -> bool:
    """Whether a key is one, and no word that a server without authentication wants all the same.

    >>> secret("EMPTY"), secret("token-abc123")
    (False, True)
    """
    return len(key) >= (SHORTEST if any(map(str.isdigit, key)) else SHORTEST_OF_LETTERS)


def strike(text: str, keys: Iterable[str] = ()) -> str:
    """Return a text without keys: those given, those remembered and those in the environment.

    Keys that are given are struck out even if they are no :func:`secret`.
    """
    secrets = {key for key in (*_known, *_ambient()) if secret(key)} | {key for key in keys if key}
    if not secrets:
        return text
    needles = {_plain(spelling) for key in secrets for spelling in _spellings(key)}
    needles = {needle for needle in needles if len(needle) >= SHORTEST}
    units = [(_letter(match), *match.span()) for match in _UNIT.finditer(text)]
    kept = [unit for unit in units if unit[0]]
    plain = "".join(letter for letter, _, _ in kept)
    spans = [(kept[first][1], kept[last][2]) for first, last in _runs(plain, needles)]
    for start, end in reversed(spans):
        text = text[:start] + STRUCK + text[end:]
    for key in sorted(secrets, key=len, reverse=True):  # those of too few letters and digits
        text = text.replace(key, STRUCK)
    return text


def _runs(plain: str, needles: Collection[str]) -> list[tuple[int, int]]:
    """Return first and last place of every run that consists of parts of needles."""
    sizes = {min(PART, len(needle)) for needle in needles}
    grams = {n[i : i + PART] for n in needles for i in range(max(1, len(n) - PART + 1))}
    runs: list[tuple[int, int]] = []
    for start in range(len(plain)):
        for size in sizes:
            if start + size <= len(plain) and plain[start : start + size] in grams:
                last = start + size - 1
                if runs and start <= runs[-1][1] + 1:
                    runs[-1] = (runs[-1][0], max(last, runs[-1][1]))
                else:
                    runs.append((start, last))
    return runs


def _spellings(key: str) -> list[str]:
    """Return a key as it stands, in hexadecimal and as it appears in base64 of a text around it."""
    data = key.encode("utf-8")
    found = [key, data.hex()]
    for before in range(3):
        code = base64.b64encode(bytes(before) + data).decode("ascii").rstrip("=")
        # The first and last letters also hold bits of what stands beside the key.
        inner = code[-(-before * 4 // 3) : len(code) - ((before + len(data)) % 3 > 0)]
        found += [inner] if len(inner) >= SHORTEST else []
    return found


def _letter(match: re.Match[str]) -> str:
    """Return what a unit of the text stands for, in the spelling that is compared; "" for a gap."""
    code = match["hex"] or match["uni"] or match["html_hex"]
    if code:
        return _compared(chr(int(code, 16)))
    return _compared(chr(int(match["html"])) if match["html"] else match["plain"] or "")


def _compared(letter: str) -> str:
    # Full-width letters are a key's, too; punctuation differs between base64's alphabets and keyboards.
    plain = unicodedata.normalize("NFKC", letter).lower()[:1]
    return plain if plain.isalnum() else ""


def _plain(text: str) -> str:
    return "".join(map(_compared, text))


def _ambient() -> list[str]:
    """Return the secrets that the environment holds for OpenAI."""
    found = [os.environ.get(name, "").strip() for name in ENVIRONMENT]
    for line in os.environ.get(CUSTOM_HEADERS, "").splitlines():
        name, _, value = line.partition(":")
        if SECRET_HEADER.search(name):  # another header's value may be an ordinary word
            found.append(value.strip().removeprefix("Bearer "))
    return found
