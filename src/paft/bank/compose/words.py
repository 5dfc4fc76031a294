"""Puts a task's words into a sentence, with the articles and capitals of English, in one letter case."""

from __future__ import annotations

import re
from collections.abc import Mapping

MARK = re.compile(r"<(\w+)>")
OPTIONS_MARK = "options"
SENTENCE_START = re.compile(r"(?:^|[.?!]\s+|\n)$")
# "a utterance" is an utterance, but a user and a unit begin with another sound.
AN = re.compile(r"\b([Aa]) (?=[aeiou](?!ni|se|ti))(?!one\b)")
CASES = {"normal": 16, "lower": 3, "upper": 1}
_KEPT = "\0"  # stands for the options, whose letters no case changes


def marks(sentence: str) -> set[str]:
    """Return the names of a sentence's marks."""
    return set(MARK.findall(sentence))


def escaped(text: str) -> str:
    """Return words of the task as a template has them: their braces are no placeholders."""
    return text.replace("{", "{{").replace("}", "}}")


def fill(sentence: str, words: Mapping[str, str], case: str = "normal") -> str:
    """Fill the marks of a sentence; ``options``, which are template text already, keep their letters.

    >>> fill("Is a <item> here? <do>.", {"item": "email", "do": "say so"})
    'Is an email here? Say so.'
    >>> fill("<answer> (<options>):", {"answer": "Label", "options": "No, Yes"}, "lower")
    'label (No, Yes):'
    """
    parts = MARK.split(sentence)
    said = parts[0]
    for name, literal in zip(parts[1::2], parts[2::2], strict=True):
        word = _KEPT if name == OPTIONS_MARK else escaped(words[name])
        said += (capitalised(word) if SENTENCE_START.search(said) else word) + literal
    said = in_case(AN.sub(r"\1n ", said), case)
    return said.replace(_KEPT, words.get(OPTIONS_MARK, ""))


def capitalised(text: str) -> str:
    """Return a text with a capital at its beginning, its other letters as they are."""
    return text[:1].upper() + text[1:]


def in_case(text: str, case: str) -> str:
    """Return a text in lower or upper case, or as it is."""
    if case == "normal":
        return text
    return text.lower() if case == "lower" else text.upper()
