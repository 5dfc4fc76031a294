"""When two prompts are the same prompt in other clothes.

A template's skeleton is its words in lower case, without placeholders, punctuation and line
breaks. Two prompts with equal skeletons differ only in scaffolding. Near duplicates have skeletons
whose character 5-grams overlap with Jaccard similarity of at least ``NEAR`` (0.7: one or two
changed words in a sentence of ten). A skeleton shorter than five characters is its own 5-gram.
"""

from __future__ import annotations

import re

from paft.prompt import Prompt

NEAR = 0.7
GRAM = 5


def skeleton(prompt: Prompt) -> str:
    r"""Return the words of a template without placeholders and punctuation.

    A template without any word keeps its placeholders' names, so that ``{a} {b}`` and ``{b} {a}``
    stay apart.

    >>> skeleton(Prompt("Message: {text}\nTEAM ->"))
    'message team'
    """
    words = " ".join(literal for literal, _ in prompt.pieces).casefold()
    stripped = " ".join(re.findall(r"\w+", words))
    return stripped or " ".join("{" + name + "}" for name in prompt.placeholders)


def grams(text: str) -> frozenset[str]:
    """Return the character 5-grams of a text; the text itself if it is shorter."""
    return frozenset(text[i : i + GRAM] for i in range(max(1, len(text) - GRAM + 1)))


def jaccard(a: frozenset[str], b: frozenset[str]) -> float:
    """Return the Jaccard similarity of two sets, in [0, 1]; 1 when both are empty."""
    union = len(a | b)
    return len(a & b) / union if union else 1.0


def near_pairs(prompts: list[Prompt]) -> list[tuple[int, int, float]]:
    """Return every pair ``(i, j, similarity)``, i < j, of near duplicates.

    Pairs are compared through an inverted index of 5-grams, so the cost follows the number of
    pairs that share any, not all pairs.
    """
    sets = [grams(skeleton(prompt)) for prompt in prompts]
    seen: dict[str, list[int]] = {}
    pairs = []
    for j, gram_set in enumerate(sets):
        shared: dict[int, int] = {}
        for gram in gram_set:
            for i in seen.setdefault(gram, []):
                shared[i] = shared.get(i, 0) + 1
            seen[gram].append(j)
        for i, count in sorted(shared.items()):
            similarity = count / (len(sets[i]) + len(gram_set) - count)
            if similarity >= NEAR:
                pairs.append((i, j, similarity))
    return pairs
