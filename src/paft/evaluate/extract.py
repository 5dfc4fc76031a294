"""From generated text to an answer, and from answers to a score.

================  ==========================================  =============================
rule              what is read                                when it equals the gold answer
================  ==========================================  =============================
number            the first number                            equal as decimal numbers
final_number      the number behind the first ``####``,       equal as decimal numbers
                  else the last number
text              the first non-blank line                    equal without case, outer
                                                              punctuation, repeated spaces
json              the first JSON object, list or value        equal as parsed values
code              the block that defines the function         the tests pass
choice, label     the option in the reply                     the same option
================  ==========================================  =============================

Programs are found by :mod:`paft.evaluate.code_reply`, and run, not compared
(:mod:`paft.evaluate.code_answer`).
Closed rules (``choice``, ``label``) are read from text only where a model gives no likelihoods
(:mod:`paft.evaluate.server`).
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Sequence

from paft.evaluate.code_reply import CodeTests, read_program
from paft.numerals import find_numbers

EDGES = " \t\r\n.,;:!?\"'`*_()[]{}<>#-"  # around an answer: punctuation, quotes, Markdown
LETTER_END = r"(?!['\u2019]\w)"  # "I'm" names no option
NO_ENGLISH = r"(?!\s+(?!(?:is|or|and|because|since)\b)[a-z])"  # the article and the pronoun
FINAL = "####"  # GSM8K's mark before the result


def extract(rule: str, text: str, *, tests: CodeTests | None = None) -> str | None:
    r"""Return the answer in normal form, or None when there is none (a failed parse).

    Args:
        rule: The task's answer rule, an open one.
        text: The reply.
        tests: Of rule ``code``: what the program is a part of.

    >>> extract("number", " The total is $1,250.50, I think")
    '1250.5'
    >>> extract("final_number", "20 - 8 = 12, and 3 of them make $1,036.00.")
    '1036'
    >>> extract("text", "\n Paris.\nIt is")
    'paris'
    >>> extract("json", 'Sure: {"b": 1, "a": 2} done')
    '{"a":2,"b":1}'
    """
    if rule == "number":
        return _number(text)
    if rule == "final_number":
        return _final_number(text)
    if rule == "json":
        return _json(text)
    if rule == "code":
        return read_program(text, tests)
    line = next((line for line in text.splitlines() if line.strip()), "")
    return " ".join(line.casefold().split()).strip(" .,;:!?\"'`") or None


def extract_option(text: str, options: Sequence[str]) -> str | None:
    """Return the option a reply names, or None where it names none or several.

    In this order: the reply is an option; without case and outer punctuation it is one; it begins
    with one; it contains just one. An option inside of a longer one ("card" in "card arrival") is not
    named. Letters are told from words: they must be capitals, "A" and "I" before most words are
    English, and a reply begins with a letter only if no word follows it.

    Args:
        text: The reply.
        options: What may be answered, at least one.

    >>> extract_option("**Card arrival.**", ["card", "card arrival"])
    'card arrival'
    >>> extract_option("The answer is (B).", ["A", "B"])
    'B'
    >>> extract_option("ham or spam", ["spam", "sham"])
    'spam'
    """
    if text.strip() in options:
        return text.strip()
    whole = [option for option in options if _bare(option) == _bare(text)]
    if len(whole) == 1:
        return whole[0]
    named = _named(text, options)
    if not named:
        return None
    first = min(start for _, start, _ in named)
    if not any(character.isalnum() for character in text[:first]):
        opening = {option for option, start, end in named if start == first and _opens(option, text[end:])}
        if opening:
            return opening.pop() if len(opening) == 1 else None
    found = {option for option, _, _ in named}
    return found.pop() if len(found) == 1 else None


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


def _bare(text: str) -> str:
    return " ".join(text.casefold().split()).strip(EDGES)


def _named(text: str, options: Sequence[str]) -> list[tuple[str, int, int]]:
    """Return (option, start, end) wherever an option stands in a text and in no longer one."""
    found = []
    for option in options:
        words = r"\s+".join(map(re.escape, option.split()))
        letter = len(option) == 1 and option.isalpha()
        after = LETTER_END + (NO_ENGLISH if option in ("A", "I") else "") if letter else ""
        pattern = re.compile(rf"(?<!\w){words}(?!\w){after}", 0 if letter else re.IGNORECASE)
        found += [(option, match.start(), match.end()) for match in pattern.finditer(text)]
    return [
        (option, start, end)
        for option, start, end in found
        if not any(s <= start and end <= e and e - s > end - start for _, s, e in found)
    ]


def _opens(option: str, rest: str) -> bool:
    return len(option) > 1 or re.match(r"[ \t]*\w", rest) is None


def _number(text: str) -> str | None:
    first = next(find_numbers(text), None)
    return None if first is None else first.value


def _final_number(text: str) -> str | None:
    marked = _number(text.partition(FINAL)[2])
    if marked is not None:
        return marked
    found = list(find_numbers(text))
    if not found or found[-1].value is None:
        return None
    last = found[-1]
    # Between two numbers a sign is a minus or a plus of its own: "48-2" ends with 2.
    joined = last.start > 0 and (text[last.start - 1].isalnum() or text[last.start - 1] in ")%")
    return str(last.value).lstrip("-") if joined else last.value


def _json(text: str) -> str | None:
    decoder = json.JSONDecoder(parse_float=_whole_or_float)
    first = len(text) - len(text.lstrip())
    starts = [m.start() for m in re.finditer(r"[\[{]", text)]
    if not starts or text[first] == '"':  # brackets inside a string are text
        starts.insert(0, first)
    for start in starts:
        try:
            value, _ = decoder.raw_decode(text, start)
        except ValueError:  # also for numbers of thousands of digits
            continue
        except RecursionError:  # thousands of brackets: no answer, and too slow to look further
            return None
        return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return None


def _whole_or_float(text: str) -> int | float:
    value = float(text)
    return int(value) if value.is_integer() else value
