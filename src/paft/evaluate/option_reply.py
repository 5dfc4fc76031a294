"""The option a reply names, or None where it names none, several, or one that it denies."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

from paft.evaluate.negation import is_denied
from paft.evaluate.reply_text import bare, fold, has_substance, same_case
from paft.evaluate.scripts import stands_alone
from paft.evaluate.thoughts import without_thoughts

_LETTER_START, _LETTER_END = r"(?<!\w')", r"(?!'\w)"  # "I'm" and "it's" name no option
_NO_ENGLISH = r"(?!\s+(?!(?:is|or|and|because|since)\b)[a-z])"  # the article and the pronoun
# "No evidence" answers nothing; "no it is not" does.
_NO_DETERMINER = r"(?!\s+(?!(?:is|or|and|because|since|it|this|that|there|he|she|they|the|i|we|you)\b)\w)"
_AMOUNT = re.compile(r"[-+]?\d+(?:\.\d+)?")
_QUESTION = re.compile(r"[\"'*)`\]]*\s*[?\u061f]")
_SHARE = re.compile(r"[\"'*)`\]]*\s*[:=]\s*[\d.]")


@dataclass(frozen=True)
class _Name:
    """An option in a text, from ``start`` to ``end``."""

    option: str
    start: int
    end: int


def extract_option(text: str, options: Sequence[str]) -> str | None:
    """Return the option a reply names.

    In this order: the reply is an option; it is one but for case and what stands around it
    (:func:`paft.evaluate.reply_text.bare`); it begins with one; it contains just one. Options of
    symbols alone ("+") are the whole reply or nothing.

    An option is not named inside of a longer one ("card" in "card arrival", "满意" in "不满意"), inside
    of a word, where it is denied (:mod:`paft.evaluate.negation`) or asked about ("Spam? ..."). A
    reply that begins with a list of options begins with none. Letters are told from words: they must
    be capitals, "A" and "I" before most words are English, and a reply begins with a letter only if
    no word follows it.

    Args:
        text: The reply.
        options: What may be answered, at least one.

    >>> extract_option("**Card arrival.**", ["card", "card arrival"])
    'card arrival'
    >>> extract_option("The answer is (B).", ["A", "B"])
    'B'
    >>> extract_option("ham or spam", ["spam", "sham"])
    'spam'
    >>> extract_option("This is not spam.", ["spam", "ham"])
    """
    if text.strip() in options:
        return text.strip()
    answer = without_thoughts(text)
    if answer is None:
        return None
    for form in (str.strip, lambda text: fold(text).strip(), _same):
        given = form(answer)
        equal = [option for option in options if given and form(option) == given]
        if equal:
            return equal[0] if len(equal) == 1 else None
    return _named_option(fold(answer), options) if has_substance(answer) else None


def _same(text: str) -> str:
    """Return what two options that say the same have in common; nothing for symbols alone."""
    return re.sub(r"(?<=\w)[\s_-]+(?=\w)", " ", same_case(bare(text))) if has_substance(text) else ""


def _named_option(text: str, options: Sequence[str]) -> str | None:
    places = _names(text, options)
    starts = sorted({name.start for name in places})
    lower = text.lower() if len(text.lower()) == len(text) else text
    named = []
    for name in places:
        at = bisect_left(starts, name.end)
        following = starts[at] if at < len(starts) else None
        asked = _QUESTION.match(text[name.end : name.end + 8]) and has_substance(text[name.end :])
        if not asked and not is_denied(lower, name.start, name.end, following):
            named.append(name)
    if not named:
        return None
    first = min(named, key=lambda name: name.start)
    opening = {name.option for name in named if name.start == first.start}
    if not any(map(str.isalnum, text[: first.start])) and _opens(first, text, named):
        return opening.pop() if len(opening) == 1 else None
    found = {name.option for name in named}
    return found.pop() if len(found) == 1 else None


def _names(text: str, options: Sequence[str]) -> list[_Name]:
    """Return where options stand in a folded text and in no longer one."""
    found = []
    for option in options:
        if not has_substance(option):
            continue
        folded = fold(option).strip()
        letter = len(folded) == 1 and folded.lower() != folded.upper()
        pattern = re.compile(_pattern(folded, letter), 0 if letter else re.IGNORECASE)
        found += [
            _Name(option, match.start(), match.end())
            for match in pattern.finditer(text)
            if stands_alone(text, match.start(), match.end())
            and not _in_compound(text, match, letter, amount=_AMOUNT.fullmatch(folded) is not None)
        ]
    return _longest(found)


def _longest(names: list[_Name]) -> list[_Name]:
    """Leave out the names inside of longer ones."""
    kept: list[_Name] = []
    widest = None
    for name in sorted(names, key=lambda name: (name.start, -name.end)):
        if widest is None or name.end > widest.end or (name.start, name.end) == (widest.start, widest.end):
            kept.append(name)
            widest = name
    return kept


def _pattern(option: str, letter: bool) -> str:
    # "not_entailment" is also written "not entailment", "e-mail" "e mail".
    words = [re.escape(word) for word in re.split(r"(?<=\w)[\s_-]+(?=\w)|\s+", option)]
    before, behind = (_LETTER_START, _LETTER_END) if letter else ("", "")
    if option in ("A", "I"):
        behind += _NO_ENGLISH
    elif letter and not (option.isascii() and option.isupper()):
        behind += r"(?!\s+\w)"  # "a", "e", "\u0432": words in many languages
    elif option.casefold() == "no":
        behind += _NO_DETERMINER
    return before + r"[\s_-]+".join(words) + behind


def _in_compound(text: str, match: re.Match[str], letter: bool, *, amount: bool) -> bool:
    """Whether a name is part of a compound ("anti-spam", "spam-free") or of another amount ("4.5")."""
    before, behind = text[: match.start()][-2:], text[match.end() :][:2]
    if amount:
        signed = re.search(r"(?:^|[^\w)%])[-+]$|\d[.,:/-]$|^\.$|\W\.$|[$\u20ac\u00a3]$", before) is not None
        return signed or re.match(r"[.,:/-]\d|%", behind) is not None
    if re.search(r"\w-$", before) or (not letter and re.match(r"-\w", behind)):
        return True
    return letter and re.match(r"[+#*-](?!\s)\w?|[+#]|-\w", behind) is not None and behind[:2] != "**"


def _opens(first: _Name, text: str, named: Sequence[_Name]) -> bool:
    """Whether a reply that begins with an option answers with it, not with a list or with shares."""
    rest = text[first.end :]
    if len(first.option) == 1 and re.match(r"[ \t]*\w", rest):
        return False
    others = [name.start for name in named if name.option != first.option and name.start >= first.end]
    if not others:
        return True
    between = text[first.end : min(others)]
    words = len(re.findall(r"\w+", between))
    in_list = words == 0 or (words == 1 and not re.search(r"[.!?:\n\u3002]", between))
    return not in_list and _SHARE.match(rest) is None
