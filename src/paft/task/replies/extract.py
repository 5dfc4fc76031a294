"""From generated text to an answer, and from answers to a score; docs/evaluate.md shows every rule.

Thoughts before the answer (:mod:`paft.task.replies.thoughts`) are left out first, under every rule, and
what would be misread is not read. Programs are run, not compared (:mod:`paft.task.programs.code_answer`).
Closed rules are read from text only where a model gives no likelihoods
(:mod:`paft.evaluate.scoring.server`).
"""

from __future__ import annotations

import re
import string
from collections import Counter

from paft.task.replies.code_reply import CodeTests, read_program
from paft.task.replies.json_reply import json_value
from paft.task.replies.number_reply import FINAL, final_number, first_number
from paft.task.replies.option_reply import extract_option
from paft.task.replies.reply_text import first_line
from paft.task.replies.thoughts import without_thoughts

__all__ = ["FINAL", "cell_score", "extract", "extract_option"]

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_NO_PUNCTUATION = str.maketrans("", "", string.punctuation)


def extract(rule: str, text: str, *, cut: bool = False, tests: CodeTests | None = None) -> str | None:
    r"""Return the answer in normal form, or None when there is none (a failed parse).

    The rule is an open one. ``cut`` is whether the reply ended at the limit of tokens; ``tests`` says of a
    program what it is a part of.

    >>> extract("number", " The total is $1,250.50, I think")
    '1250.5'
    >>> extract("final_number", "20 - 8 = 12, and 3 of them make $1,036.00.")
    '1036'
    >>> extract("text", "\n **Paris.**\nIt is")
    'paris'
    >>> extract("json", 'Sure: {"b": 1, "a": 2} done')
    '{"a":2,"b":1}'
    """
    answer = without_thoughts(text)
    if answer is None:
        return None
    if rule == "number":
        return first_number(answer, cut=cut)
    if rule == "final_number":
        return final_number(answer, cut=cut)
    if rule == "json":
        return json_value(answer)
    return read_program(answer, tests) if rule == "code" else first_line(answer)


def cell_score(metric: str, rule: str, prediction: str | None, gold: str) -> float:
    """Return the score of one cell in [0, 1].

    The prediction is what :func:`extract` returned, or the chosen option for closed rules; the gold answer is
    as it stands in the data.

    >>> cell_score("token_f1", "text", "the red car", "red car")
    1.0
    """
    if prediction is None:
        return 0.0
    if rule in ("choice", "label"):
        return float(prediction == gold)
    target = extract(rule, gold)
    if metric == "token_f1" and target is not None:
        return word_f1(prediction, target)
    return float(prediction == target)


def word_f1(prediction: str, gold: str) -> float:
    """Return the F1 of the words that two answers share, as SQuAD's script computes it.

    Both lose case, ASCII punctuation and the English articles, and are split at white space; where either
    has no word, 1 if both have none, else 0.

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
