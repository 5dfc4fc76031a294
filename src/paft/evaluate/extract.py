"""From generated text to an answer, and from answers to a score.

================  ==========================================  =============================
rule              what is read                                when it equals the gold answer
================  ==========================================  =============================
number            the first number                            equal as decimal numbers
text              the first non-blank line                    equal without case, outer
                                                              punctuation, repeated spaces
json              the first JSON object, list or value        equal as parsed values
================  ==========================================  =============================

Closed rules (``choice``, ``label``) are judged by likelihood and need no extraction.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from decimal import Context, Decimal, InvalidOperation

NUMBER = re.compile(r"[-+]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?|[-+]?\.\d+")
EXACT = Context(prec=1000)  # the default context rounds to 28 digits


def extract(rule: str, text: str) -> str | None:
    r"""Return the answer in normal form, or None when there is none (a failed parse).

    >>> extract("number", " The total is $1,250.50, I think")
    '1250.5'
    >>> extract("text", "\n Paris.\nIt is")
    'paris'
    >>> extract("json", 'Sure: {"b": 1, "a": 2} done')
    '{"a":2,"b":1}'
    """
    if rule == "number":
        return _number(text)
    if rule == "json":
        return _json(text)
    line = next((line for line in text.splitlines() if line.strip()), "")
    return " ".join(line.casefold().split()).strip(" .,;:!?\"'`") or None


def cell_score(metric: str, rule: str, prediction: str | None, gold: str) -> float:
    """Return the score of one cell in [0, 1].

    Args:
        metric: ``exact_match`` or ``token_f1``.
        rule: The task's answer rule.
        prediction: What :func:`extract` returned, or the chosen option for closed rules.
        gold: The gold answer as it stands in the data.

    >>> cell_score("token_f1", "text", "the red car", "red car")
    0.8
    """
    if prediction is None:
        return 0.0
    if rule in ("choice", "label"):
        return float(prediction == gold)
    target = extract(rule, gold)
    if metric == "exact_match" or target is None:
        return float(prediction == target)
    got, want = Counter(prediction.split()), Counter(target.split())
    shared = sum((got & want).values())
    return 2 * shared / (sum(got.values()) + sum(want.values()))


def _number(text: str) -> str | None:
    match = NUMBER.search(text)
    if match is None:
        return None
    try:
        value = Decimal(match.group().replace(",", ""))
    except InvalidOperation:
        return None
    return format(EXACT.add(value.normalize(EXACT), 0), "f")  # adding 0 makes -0 a 0


def _json(text: str) -> str | None:
    decoder = json.JSONDecoder(parse_float=_whole_or_float)
    first = len(text) - len(text.lstrip())
    starts = [m.start() for m in re.finditer(r"[\[{]", text)]
    if not starts or text[first] == '"':  # brackets inside a string are text
        starts.insert(0, first)
    for start in starts:
        try:
            value, _ = decoder.raw_decode(text, start)
        except json.JSONDecodeError:
            continue
        return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return None


def _whole_or_float(text: str) -> int | float:
    value = float(text)
    return int(value) if value.is_integer() else value
