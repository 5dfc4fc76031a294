"""Where a word ends, in scripts with spaces between words and in those without."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

_RANGES = {
    "han": "\u3005\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff",
    "hiragana": "\u3041-\u309f",
    "katakana": "\u30a0-\u30ff\u31f0-\u31ff",
    "hangul": "\u1100-\u11ff\u3130-\u318f\uac00-\ud7af",
    "unspaced": "\u0e00-\u0eff\u0f00-\u0fff\u1000-\u109f\u1780-\u17ff",  # Thai, Lao, Tibetan, Burmese, Khmer
}
_SCRIPTS = {name: re.compile(f"[{characters}]") for name, characters in _RANGES.items()}
_FREE = ("han", "unspaced")  # words touch each other
_JOINERS = "\u200c\u200d"
# What follows a word without a space: particles and forms of "to be".
_PARTICLES = {
    "hangul": re.compile(
        "(?:적인?)?(?:입니다|이에요|예요|이다|다|임|인|으로|로|은|는|이|가|을|를|의|도|과|와|이?라고)?(?![가-힣])"
    ),
    "hiragana": re.compile("(?:です|でした|だ|だった|と|に|が|は|を|の|も)(?![ぁ-ゟ])"),
}


@lru_cache(maxsize=4096)
def script(character: str) -> str:
    """Return which kind of script a character is of; ``spaced`` for most.

    >>> script("a"), script("面"), script("ハ")
    ('spaced', 'han', 'katakana')
    """
    return next((name for name, found in _SCRIPTS.items() if found.match(character)), "spaced")


def stands_alone(text: str, start: int, end: int) -> bool:
    """Whether ``text[start:end]`` is a word of its own, not a part of another.

    >>> stands_alone("a cardinal", 2, 6), stands_alone("情感是负面的", 3, 5), stands_alone("这是好的", 1, 2)
    (False, True, False)
    """
    one = end - start == 1 and script(text[start]) in (*_FREE, "hiragana")
    if start and _joined(text[start - 1], text[start], one):
        return False
    if end == len(text) or not _joined(text[end - 1], text[end], one):
        return True
    particles = _PARTICLES.get(script(text[end - 1]))
    return particles is not None and not one and particles.match(text, end) is not None


@lru_cache(maxsize=4096)
def _joined(left: str, right: str, one: bool) -> bool:
    """Whether two neighbours may belong to one word; ``one``: either is all of it."""
    if unicodedata.category(right)[0] == "M" or left in _JOINERS or right in _JOINERS:
        return True
    if not (_of_word(left) and _of_word(right)):
        return False
    kinds = {script(left), script(right)}
    return one or (len(kinds) == 1 and not kinds & set(_FREE))


@lru_cache(maxsize=4096)
def _of_word(character: str) -> bool:
    return character.isalnum() or character == "_" or unicodedata.category(character)[0] == "M"
