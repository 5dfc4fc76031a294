"""The option a reply names, or None where it names none, several, or one that it denies."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

from paft.task.replies.negation import is_denied
from paft.task.replies.reply_text import bare, fold, has_substance, same_case, stands_alone
from paft.task.replies.thoughts import without_thoughts

MOST = 100  # names at either end that are looked at: a model that repeats itself says no more
# "I'm", "it's" and "U.S.A." name no option.
_LETTER_START, _LETTER_END = r"(?<!\w')(?<![A-Za-z]\.)", r"(?!'\w|\.[A-Z]\b)"
_NO_ENGLISH = r"(?![ \t]+(?!(?:is|or|and|because|since)\b)[a-z])"  # the article and the pronoun
# "No evidence" answers nothing; "no it is not" does.
_NO_DETERMINER = r"(?![ \t]+(?!(?:is|or|and|because|since|it|this|that|there|he|she|they|the|i|we|you)\b)\w)"
_BECAUSE = "because|since|weil|denn|parce|porque|pois|так|çünkü|لأن"
_AMOUNT = re.compile(r"[-+]?\d+(?:\.\d+)?")
_AMOUNT_BEFORE = re.compile(r"(?:^|[^\w)%])[-+]$|\d[.,:/-]$|^\.$|\W\.$|[$\u20ac\u00a3]$")
_AMOUNT_BEHIND = re.compile(r"[.,:/-]\d|%")
_COMPOUND, _GRADE = re.compile(r"-\w"), re.compile(r"[+#*-](?!\s)\w?|[+#]|-\w")  # "A+", "C#"
_OR = re.compile(r"[\"'*]*(?:\s*/\s*|\s+(?:or|nor|oder|ou|o|или)\s+)[\"'*]*")
_QUESTION = re.compile(r"[\"'*)`\]]*\s*[?\u061f]")
# What follows an answer that begins a sentence: "Spam because", "Positive review".
_AT_ONCE = re.compile(
    rf"[\"'*_`)\]]*[ \t]*(?:[^\w\s*]|\n|$|的|です|입니다|(?:as|{_BECAUSE}|due|with|not|it|this|that"
    r"|there|he|she|they|i|we|you|is (?:the )?(?:correct|right|best|answer)"
    r"|sentiment|review|message|text|emotion|news|category)\b)",
    re.IGNORECASE,
)
_NEXT_EXAMPLE = re.compile(r"\n[^\W\d_]{2,}(?: \w+)?:[ \t]*\S[^\n]*\n")
_SCALE = r"(?<=\d) ?(?:/|out of|of|von|sur|de|su|из) ?{0}\b(?![.,/-]\d)|\b(?:of|from) \d+ to {0}\b"
_SHARE = re.compile(r"[\"'*)`\]]*\s*[:=]\s*[\d.]")

# Where a reply announces its answer: only listed words may stand before the noun, so "the obvious answer
# is A" and "if the answer is A" announce nothing.
ANNOUNCED_WITHIN = 120  # characters before a name that are looked at
_NOUN = (
    "answer|label|category|class|classification|sentiment|prediction|output|result|verdict|conclusion|choice"
    "|rating|score|intent|emotion|topic|relationship|antwort|kategorie|stimmung|réponse|catégorie|respuesta"
    "|categoría|sentimiento|risposta|resposta|antwoord|odpowiedź|ответ"
    "|категория|cevap|jawaban|đáp\\ án|الإجابة|الجواب|उत्तर"
)
_SURE = (
    "the|my|correct|right|best|final|overall|predicted|most|likely|die|richtige|endgültige|la|el|il|a|bonne|final[ea]?"
    "|правильный|окончательный|итоговый"
)
_IS = "(?:(?:correct[ae]|correta|corretta|final[ea]?)\\ )?(?:is|ist|lautet|est|es|è|é|jest)"
_OPTION = "(?:(?:option|choice|letter|class|die|la|the)\\ )?"
_ANNOUNCED = re.compile(
    rf"""(?:^|[\n.!:;,*\#>"'{{(<]|\b(?:so|therefore|thus|hence|and|but|think|believe|say)\b)
    [\s*_\#>"'{{(<-]*(?:(?:{_SURE})\ )*(?:{_NOUN})
    (?:["'*_`>)]*\s*[:=\n>]
      |(?:\ (?:of|for|to|in|here|expressed|between)\b[^.,:;!?\n]{{0,40}})?\ (?:{_IS})\b:?)
    [\s"'*_`(\[<$]*{_OPTION}["'*_`(\[<$]*$
    |(?:答案|結論|结论|类别|類別|情感|分类|選|选|答え|正解|정답)[\u4e00-\u9fff]{{0,2}}\s*[은는はが:是为為]*[\s"'*「『【(]*$""",
    re.VERBOSE,
)
_BOXED = re.compile(r"\\(?:boxed|fbox)\s*\{[\s$({]*(?:\\[a-z]+\s*\{[\s(]*)*$")
_EMPHASISED = re.compile(r"\*\*[\"'(]?$")
_TAKEN_BACK = re.compile(
    r"\b(?:but|however|wait|actually|hmm|although|unless|or|and|aber|oder|mais|ou|pero)\b|(?<![.!]\s)\bif\b|或|还是|%"
)


@dataclass(frozen=True)
class _Name:
    """An option in a text, from ``start`` to ``end``."""

    option: str
    start: int
    end: int


def extract_option(text: str, options: Sequence[str], *, cut: bool = False) -> str | None:
    r"""Return the option a reply names.

    In this order: the reply is an option; it is one but for case and what stands around it
    (:func:`paft.task.replies.reply_text.bare`); the last in ``\boxed``; it begins with one; it contains
    just one, or announces just one ("Answer: B"; other options are named on the way). Options of symbols
    alone ("+") are the whole reply or nothing.

    An option is not named inside of a longer one ("card" in "card arrival", "满意" in "不满意"), inside
    of a word, where it is denied (:mod:`paft.task.replies.negation`) or asked about ("Spam? ..."). A
    reply that begins with a list of options begins with none. Letters are distinguished from words: they must
    be capitals, "A" and "I" before most words are English, and a reply begins with a letter only if
    no word follows it.

    In a reply that was cut at the limit, an option at its end may be the beginning of a longer one.

    >>> extract_option("**Card arrival.**", ["card", "card arrival"])
    'card arrival'
    >>> extract_option("The answer is (B).", ["A", "B"])
    'B'
    >>> extract_option("ham or spam", ["spam", "sham"])
    'spam'
    >>> extract_option("This is not spam.", ["spam", "ham"])
    """
    found = _found(text, options)
    if cut and found is not None and text.casefold().endswith(same_case(found)):
        longer = (option for option in options if same_case(option).startswith(same_case(found)))
        return found if set(longer) == {found} else None
    return found


def _found(text: str, options: Sequence[str]) -> str | None:
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
    text = _without_scale(text, options)
    lower = text.lower() if len(text.lower()) == len(text) else text
    places = _names(text, options)
    listed = _lists_all(places, text, options)
    named = _affirmed(places, lower)
    if not named:
        return None
    boxed = [n for n in named if _BOXED.search(lower, max(0, n.start - ANNOUNCED_WITHIN), n.start)]
    if boxed:
        end = boxed[-1].end + len(lower[boxed[-1].end :].partition("}")[0])
        within = {name.option for name in named if boxed[-1].start <= name.start < end}
        return within.pop() if len(within) == 1 else None
    first = named[0]
    opening = {name.option for name in named if name.start == first.start}
    if not listed and not any(map(str.isalnum, text[: first.start])) and _opens(first, text, named):
        return opening.pop() if len(opening) == 1 else None
    found = {name.option for name in named}
    if len(found) > 1:
        found = _announced(named, lower)
    return found.pop() if len(found) == 1 else None


def _affirmed(places: Sequence[_Name], text: str) -> list[_Name]:
    """Return the names that are neither denied nor asked about."""
    places = places if len(places) <= 2 * MOST else [*places[:MOST], *places[-MOST:]]
    starts = sorted({name.start for name in places})
    named: list[_Name] = []
    for last, name in zip([None, *places], places, strict=False):
        at = bisect_left(starts, name.end)
        following = starts[at] if at < len(starts) else None
        asked = _QUESTION.match(text, name.end) and has_substance(text[name.end : name.end + MOST])
        # What is said of "yes" in "yes or no" is said of both.
        if last is not None and _OR.fullmatch(text, last.end, name.start):
            denied = named[-1:] != [last]
        else:
            denied = is_denied(text, name.start, name.end, following)
        if not asked and not denied:
            named.append(name)
    return named


def _announced(named: Sequence[_Name], text: str) -> set[str]:
    """Return the options that a reply says are its answer; none where it lists others or goes back on it."""
    found = set()
    for place, name in enumerate(named):
        if not _is_announced(text, name.start, name.end):
            continue
        other = next((other for other in named[place + 1 :] if other.option != name.option), None)
        between = "" if other is None else text[name.end : other.start]
        ended = re.search(r"[.!\u3002][\s\w]|[.!\u3002]$|\n\s*\n|[()]", between) is not None
        taken_back = _TAKEN_BACK.search(between[:ANNOUNCED_WITHIN].lower())
        if taken_back or (other is not None and not ended and _in_list(between)):
            return set()
        if _NEXT_EXAMPLE.search(text, named[0].end, name.start):
            return set()
        found.add(name.option)
    return found


def _without_scale(text: str, options: Sequence[str]) -> str:
    """Leave out what a score is out of: "4/5", "4 out of 5"."""
    if len(options) < 3 or not all(option.isdecimal() for option in options):
        return text
    return re.sub(_SCALE.format(max(options, key=int)), "", text)


def _lists_all(places: Sequence[_Name], text: str, options: Sequence[str]) -> bool:
    """Whether a reply first lists all options in order, each behind a mark as "A." or "spam:"."""
    firsts: dict[str, _Name] = {}
    for name in places:
        firsts.setdefault(name.option, name)
    marked = all(text[name.end : name.end + 1] in tuple(".):") for name in firsts.values())
    return marked and list(firsts) == list(options)


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
        behind += r"(?![ \t]+\w)"  # "a", "e", "\u0432": words in many languages
    elif option.casefold() == "no":
        behind += _NO_DETERMINER
    return before + r"[\s_-]+".join(words) + behind


def _in_compound(text: str, match: re.Match[str], letter: bool, *, amount: bool) -> bool:
    """Whether a name is part of a compound ("anti-spam", "spam-free") or of another amount ("4.5")."""
    before, behind = text[max(0, match.start() - 2) : match.start()], text[match.end() : match.end() + 2]
    if amount:
        return bool(_AMOUNT_BEFORE.search(before) or _AMOUNT_BEHIND.match(behind))
    if before[1:] == "-" and (before[0].isalnum() or before[0] == "_"):
        return True
    return behind != "**" and (_GRADE if letter else _COMPOUND).match(behind) is not None


def _opens(first: _Name, text: str, named: Sequence[_Name]) -> bool:
    """Whether a reply that begins with an option answers with it, not with a list or with shares."""
    others = [name.start for name in named if name.option != first.option and name.start >= first.end]
    if not others:
        return len(first.option) > 1 or re.compile(r"[ \t]*\w").match(text, first.end) is None
    if _AT_ONCE.match(text, first.end) is None or _SHARE.match(text, first.end):
        return False
    return not _in_list(text[first.end : min(others)])


def _in_list(between: str) -> bool:
    """Whether what stands between two options makes a list of them."""
    words = len(re.findall(r"\w+", between))
    return words == 0 or (
        words == 1 and not re.search(rf"[.!?:\n\u3002]|(?i:\b(?:{_BECAUSE}|not|both)\b)", between)
    )


def _is_announced(text: str, start: int, end: int) -> bool:
    """Whether the name at ``text[start:end]`` is announced as the answer, or is all that is emphasised.

    >>> _is_announced("a fits, but the answer is b", 26, 27), _is_announced("if the answer is b", 17, 18)
    (True, False)
    """
    if _ANNOUNCED.search(text, max(0, start - ANNOUNCED_WITHIN), start):
        return True
    emphasised = _EMPHASISED.search(text, max(0, start - ANNOUNCED_WITHIN), start) is not None
    return emphasised and "**" in text[end : end + 4]
