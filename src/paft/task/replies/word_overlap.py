"""F1 of the words that an answer and the gold answer share, as SQuAD's script computes it.

Both lose case, ASCII punctuation and the English articles, and are split at white space. A script
without spaces is not split: such an answer is one word, right or wrong as a whole.
"""

from __future__ import annotations

import re
import string
from collections import Counter

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_NO_PUNCTUATION = str.maketrans("", "", string.punctuation)


def word_f1(prediction: str, gold: str) -> float:
    """Return the F1 of words; where either has none, 1 if both have none, else 0.

    >>> word_f1("the red car", "red car"), word_f1("a red car", "red, bus"), word_f1("the", "an")
    (1.0, 0.5, 1.0)
    """
    got, want = _words(prediction), _words(gold)
    if not got or not want:
        return float(got == want)
    shared = sum((Counter(got) & Counter(want)).values())
    return 2 * shared / (len(got) + len(want))


def _words(text: str) -> list[str]:
    return _ARTICLES.sub(" ", text.lower().translate(_NO_PUNCTUATION)).split()
