"""When two prompts are the same prompt in other clothes.

Four degrees, from the strictest:

===========  ===========================================================================
exact        the same template
normalised   the same but for case, white space and the form of characters: composed or not,
             full or half width, with or without characters that take no room, Arabic and
             Hebrew with or without vowel points
skeleton     the same words: what is left without placeholders, punctuation, line breaks
             and single letters (the ``A.`` and ``(b)`` that introduce options)
near         skeletons whose word trigrams overlap with Jaccard similarity of at least
             ``NEAR_WORDS`` (0.5), or whose character 5-grams do with ``NEAR_LETTERS``
             (0.7), or texts without spaces whose character pairs do with ``NEAR_PAIRS``
             (0.5)
===========  ===========================================================================

Trigrams of words see a copied sentence inside a longer prompt, 5-grams of letters see inflected
words in a short one. Skeletons too short for a gram are their own gram. Chinese, Japanese, Thai, Lao,
Khmer, Burmese and Tibetan put no spaces between words, and most of their words are short: there pairs
of neighbouring characters (and of words in other scripts between them) stand for words. A text that
has fewer such characters than other words has no pairs.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from itertools import chain, pairwise
from unicodedata import category, normalize

import numpy as np
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components

from paft.prompt import Prompt

NEAR_WORDS = 0.5
NEAR_LETTERS = 0.7
NEAR_PAIRS = 0.5
GRAM_WORDS = 3
GRAM_LETTERS = 5
ROUNDING = 1e-9
CHUNK = 512  # sets compared with all others at once
# Thai to Burmese, Khmer, kana, Chinese characters; vowel signs are characters of their own.
UNSPACED = (
    r"[\u0e00-\u109f\u1780-\u17ff\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
    r"\uff66-\uff9f\U00020000-\U0003ffff]"
)
# Soft hyphens, characters without width, variation selectors, Hebrew points, Arabic points and tatweel.
UNSEEN = re.compile(
    r"[\u00ad\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0640\u064b-\u0652\u0670"
    r"\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufe00-\ufe0f\ufeff]"
)
NO_WORD = re.compile(r"[^\w\s]")
UNIT = re.compile(rf"({UNSPACED})|(?:(?!{UNSPACED})\w)+")


def normalised(template: str) -> str:
    r"""Return a template in lower case with single spaces, its characters in one form.

    >>> normalised("Team:\n {text} "), normalised("Te\u00adam\uff1a {text}")
    ('team: {text}', 'team: {text}')
    """
    return " ".join(_folded(template).split())


def skeleton(prompt: Prompt) -> str:
    r"""Return the words of a template without placeholders, punctuation and single letters.

    A template without any word keeps its placeholders' names, so that ``{a} {b}`` and ``{b} {a}``
    stay apart.

    >>> skeleton(Prompt("Message: {text}\nA. {a}\nTEAM ->"))
    'message team'
    """
    text = _folded(" ".join(literal for literal, _ in prompt.pieces))
    # The vowel signs of Indian and Thai words are marks, which \w leaves out.
    words = NO_WORD.sub(lambda sign: sign[0] if category(sign[0])[0] == "M" else " ", text).split()
    kept = " ".join(word for word in words if len(word) > 1 or not word.isascii() or word.isdigit())
    return kept or " ".join("{" + name + "}" for name in prompt.placeholders)


# The degrees with a key that two prompts share, the strictest first.
DEGREES: dict[str, Callable[[Prompt], str]] = {
    "duplicate_exact": lambda prompt: prompt.template,
    "duplicate_normalised": lambda prompt: normalised(prompt.template),
    "duplicate_skeleton": skeleton,
}


def letter_grams(text: str) -> frozenset[str]:
    """Return the character 5-grams of a text; the text itself if it is shorter."""
    return frozenset(text[i : i + GRAM_LETTERS] for i in range(max(1, len(text) - GRAM_LETTERS + 1)))


def word_grams(text: str) -> frozenset[str]:
    """Return the word trigrams of a text; the text itself if it has fewer words."""
    words = text.split()
    return frozenset(" ".join(words[i : i + GRAM_WORDS]) for i in range(max(1, len(words) - GRAM_WORDS + 1)))


def pair_grams(prompt: Prompt) -> frozenset[str]:
    """Return the pairs of neighbouring characters of a text in a script without spaces.

    >>> sorted(pair_grams(Prompt("判断情感 {text}"))), pair_grams(Prompt("Judge: {text}"))
    (['判 断', '情 感', '断 情'], frozenset())
    """
    units = list(UNIT.finditer(_folded("\n".join(literal for literal, _ in prompt.pieces))))
    if not units or 2 * sum(unit[1] is not None for unit in units) < len(units):
        return frozenset()
    text = units[0].string
    joined = [not text[a.end() : b.start()].strip(" ") for a, b in pairwise(units)]  # by spaces at most
    pairs = {f"{a[0]} {b[0]}" for (a, b), near in zip(pairwise(units), joined, strict=True) if near}
    beside = zip([False, *joined], [*joined, False], units, strict=True)
    return frozenset(pairs | {unit[0] for before, after, unit in beside if not (before or after)})


def jaccard(a: frozenset[str], b: frozenset[str]) -> float:
    """Return the Jaccard similarity of two sets, in [0, 1]; 1 when both are empty."""
    union = len(a | b)
    return len(a & b) / union if union else 1.0


def near_pairs(prompts: Sequence[Prompt]) -> list[tuple[int, int, float]]:
    """Return every pair ``(i, j, similarity)``, i < j, of near duplicates, in order of (j, i).

    The similarity is the largest of the Jaccard similarities, in [0.5, 1].
    """
    skeletons = [skeleton(prompt) for prompt in prompts]
    kinds = [
        ([letter_grams(text) for text in skeletons], NEAR_LETTERS),
        ([word_grams(text) for text in skeletons], NEAR_WORDS),
        ([pair_grams(prompt) for prompt in prompts], NEAR_PAIRS),
    ]
    found = {pair for sets, threshold in kinds for pair in similar_sets(sets, threshold)}
    return [
        (i, j, max(jaccard(sets[i], sets[j]) for sets, _ in kinds if sets[i] or sets[j]))
        for i, j in sorted(found, key=lambda pair: (pair[1], pair[0]))
    ]


def similar_sets(sets: Sequence[frozenset[str]], threshold: float) -> list[tuple[int, int]]:
    """Return the pairs i < j of non-empty sets with Jaccard similarity of at least ``threshold``.

    Exact: the product of the sparse 0/1 matrix of memberships, shape ``(sets, members)``, with its
    transpose counts what two sets share. It is taken a few rows at a time to bound memory.
    """
    columns: dict[str, int] = defaultdict(lambda: len(columns))
    # Sorted within a row, so that the columns are numbered alike in every run.
    rows = [[columns[member] for member in sorted(members)] for members in sets]
    sizes = np.array([len(row) for row in rows], dtype=np.int64)
    ends = np.concatenate([[0], np.cumsum(sizes)])
    members = np.fromiter(chain.from_iterable(rows), dtype=np.int64, count=int(ends[-1]))
    table = csr_matrix(
        (np.ones(len(members), dtype=np.int32), members, ends), shape=(len(sets), len(columns))
    )
    pairs: list[tuple[int, int]] = []
    for start in range(0, len(sets), CHUNK):
        shared = (table[start : start + CHUNK] @ table[start:].T).tocoo()
        i, j = shared.row, shared.col
        union = sizes[start + i] + sizes[start + j] - shared.data
        alike = (i < j) & (shared.data >= (threshold - ROUNDING) * union)
        pairs += zip((start + i[alike]).tolist(), (start + j[alike]).tolist(), strict=True)
    return sorted(pairs)


def clusters(prompts: Sequence[Prompt]) -> list[list[int]]:
    """Group indices of prompts that chains of near duplicates link, in order of first member."""
    rows, columns = np.array([(i, j) for i, j, _ in near_pairs(prompts)], dtype=np.int64).reshape(-1, 2).T
    links = csr_matrix((np.ones(len(rows)), (rows, columns)), shape=(len(prompts), len(prompts)))
    groups: dict[int, list[int]] = {}
    for i, label in enumerate(connected_components(links, directed=False)[1].tolist()):
        groups.setdefault(label, []).append(i)
    return list(groups.values())


def _folded(text: str) -> str:
    return UNSEEN.sub("", normalize("NFKC", normalize("NFKC", text).casefold()))
