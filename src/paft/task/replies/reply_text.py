r"""What two texts may differ in and still be the same answer.

:func:`fold` undoes what a keyboard or an encoding adds, on both sides of every comparison; what has
a meaning of its own (a superscript, a ligature, a fraction sign) stays. :func:`bare` takes away what
stands around an answer: white space, quotes of all kinds, Markdown, brackets around the whole, and
the punctuation of sentences in any script. Marks that belong to an answer stay: ``C#``, ``C++``,
``A-``, ``50%``, ``.net``, ``f(x)``.

>>> bare("**Paris**"), bare("巴黎。"), bare("「\uff30aris」!"), bare("- C#.")
('Paris', '巴黎', 'Paris', 'C#')
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

LAYERS = 20  # of quotes, Markdown and brackets around an answer; a model that repeats itself writes more
_QUOTES = (
    "\"'`\u00ab\u00bb\u2039\u203a\u300c\u300d\u300e\u300f\u300a\u300b\u3008\u3009\u3010\u3011\u3014\u3015"
)
_SAME = (
    dict.fromkeys(map(ord, "\u2018\u2019\u201a\u201b\u02bc\u00b4"), "'")
    | dict.fromkeys(map(ord, "\u201c\u201d\u201e\u201f\u301d\u301e\u301f"), '"')
    | dict.fromkeys(map(ord, "\u2010\u2011\u2012\u2013\u2212"), "-")
    # Soft hyphen, zero-width space and joiner, marks of direction, variation selectors: unseen.
    | dict.fromkeys([0xAD, 0x200B, 0x200E, 0x200F, 0x2060, 0xFEFF, 0xFE0E, 0xFE0F], None)
    | dict.fromkeys([*range(0x202A, 0x202F), *range(0x2066, 0x206A)], None)
)
_BELONGS = set("#%&*@/\\\u2030\u2031\u2032\u2033\u2020\u2021\u00a7\u00b6")  # Po, but part of an answer
_BRACKETS = {"(": ")", "[": "]", "{": "}"}
_LINE_MARK = re.compile(r"(?:#{1,6}|>|[-*+\u2022\u2023\u25e6\u2014])\s+(?=\S)")
_EMPHASIS = re.compile(r"(\*{1,3}|_{1,3}|~~)(?=\S)(.+)(?<=\S)\1", re.DOTALL)
_STRONG = re.compile(r"(?<!\w)\*\*(?=\S)([^*\n]+)(?<=\S)\*\*(?!\w)|(?<!\w)`([^`\n]+)`(?!\w)")
_FENCE = re.compile(r"\s*(?:```|~~~)[\w+-]*\s*")
# Where a word ends, in scripts with spaces between words and in those without.
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


def fold(text: str) -> str:
    r"""Return a text in NFC, with characters of normal width, plain quotes and hyphens.

    >>> fold("Cafe\u0301 \uff21\u30fb\u2019s") == "Caf\u00e9 A\u30fb's"
    True
    """
    if text.isascii():
        return text
    return unicodedata.normalize("NFC", "".join(map(_of_normal_width, text)).translate(_SAME))


def has_substance(text: str) -> bool:
    """Whether a text holds a letter or a digit, so that it can be an answer at all."""
    return any(character.isalnum() for character in text)


def same_case(text: str) -> str:
    """Return a folded text without case, and with single spaces."""
    return unicodedata.normalize("NFC", " ".join(text.casefold().split()))


def bare(text: str) -> str:
    """Return a text without what stands around the answer in it."""
    text = fold(text).strip()
    for _ in range(LAYERS):
        before = text
        text = _LINE_MARK.sub("", text, count=1) if _LINE_MARK.match(text) else text
        text = _unwrap(_strip_punctuation(text.strip(_QUOTES))).strip()
        if text == before:
            break
    return text


def first_line(text: str) -> str | None:
    r"""Return the first line with a letter or digit, bare and without case; None where there is none.

    >>> first_line("```text\n  PARIS!\n```")
    'paris'
    """
    for line in text.splitlines():
        answer = bare(_STRONG.sub(lambda match: match[1] or match[2], line))
        if has_substance(answer) and not _FENCE.fullmatch(line):
            return same_case(answer)
    return None


@lru_cache(maxsize=4096)
def _of_normal_width(character: str) -> str:
    wide = unicodedata.decomposition(character).startswith(("<wide>", "<narrow>"))
    return unicodedata.normalize("NFKC", character) if wide else character


def _ends_sentence(character: str) -> bool:
    return unicodedata.category(character) == "Po" and character not in _BELONGS


def _strip_punctuation(text: str) -> str:
    start, end = 0, len(text)
    while end and (_ends_sentence(text[end - 1]) or text[end - 1].isspace()):
        end -= 1
    if text[max(0, end - 2) : end] in (" -", " \u2014"):
        end -= 2
    while start < end and text.startswith("..", start):
        start += 1 + (text[start + 2 : start + 3] != ".")
    # ".net" and ".5" begin with their point; "!x" denies x.
    while start < end and (_ends_sentence(text[start]) or text[start].isspace()):
        if text[start] in ".,!" and text[start + 1 : start + 2].isalnum():
            break
        start += 1
    return text[start:end]


def _unwrap(text: str) -> str:
    """Take away emphasis or brackets around the whole, and either of a pair that lacks the other."""
    marked = _EMPHASIS.fullmatch(text)
    if marked and marked[1] not in marked[2]:
        return marked[2]
    if text[:1] in _BRACKETS:
        closing = _partner(text)
        if closing is None or closing == len(text) - 1:
            return text[1:closing]
    elif text[-1:] in _BRACKETS.values() and not _opened(text):
        return text[:-1]
    elif text.count("**") == 1:
        return text.removeprefix("**").removesuffix("**")
    return text


def _partner(text: str) -> int | None:
    """Return the place of the bracket that closes the first one."""
    opening, depth, start = text[0], 0, 0
    for closing in re.finditer(re.escape(_BRACKETS[opening]), text):
        depth += text.count(opening, start, closing.start()) - 1
        if not depth:
            return closing.start()
        start = closing.end()
    return None


def _opened(text: str) -> bool:
    """Whether the closing bracket at a text's end has an opening one."""
    closing = text[-1]
    opening = next(key for key, value in _BRACKETS.items() if value == closing)
    return text.count(opening) >= text.count(closing)


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
