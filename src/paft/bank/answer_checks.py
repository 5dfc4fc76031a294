r"""Whether what a template asks for is what the task's answer rule reads.

Three questions:

1. Does it ask for another kind of answer (a letter where words are expected, half of the labels)?
2. Does it ask for a form that no extraction would read? This is proved, not guessed: the form is
   found in the template, filled with an answer (``\boxed{billing}``, ``{"team": "billing"}``), and
   given to the reader the evaluation uses (:func:`paft.task.replies.extract.extract`; for closed rules
   the answer must come first, since its likelihood is taken right after the prompt).
3. Does it give an answer away?

Instructions are found by patterns for English (:mod:`paft.bank.answer_patterns`); what they miss,
the matrix shows as a prompt of low accuracy or parse rate.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from paft.bank import answer_patterns as english
from paft.prompt import Prompt
from paft.task.replies.extract import extract
from paft.task.task import Task

# An answer of each open rule that stands for any other.
SAMPLES = {
    "number": "137",
    "final_number": "137",
    "text": "Blue Harbour",
    "json": '{"item": "lamp", "count": 2}',
    "code": "    return left + right",
}
OPEN_VALUES = {
    "number": r"-?\d[\d,.]*",
    "final_number": r"-?\d[\d,.]*",
    "text": r"[A-Z][a-z]+",
    "json": r"\{[^<…]*\}",
    "code": r"return \w+",
}
OTHER_KINDS = {
    "label": (english.SEVERAL, english.A_LETTER, english.A_NUMBER),
    "choice": (english.SEVERAL, english.A_NUMBER, english.WHOLE_OPTION),
    "number": (english.IN_WORDS, english.A_LETTER),
    "final_number": (english.IN_WORDS, english.A_LETTER),
    "text": (english.A_LETTER, english.A_NUMBER),
    "json": (english.ONE_WORD,),
    "code": (english.ONE_WORD, english.A_LETTER, english.A_NUMBER),
}
BINARY = {"yes", "no", "true", "false"}


def options_of(task: Task) -> tuple[str, ...]:
    """The options a task shows; the letters A to D stand in where they differ per example."""
    if task.answer.words is not None:
        return task.answer.words
    return ("A", "B", "C", "D") if task.answer.closed else ()


def any_of(options: Sequence[str]) -> str:
    """Return a pattern for one of the options, the longest that fits."""
    return "(?:" + "|".join(re.escape(o) for o in sorted(options, key=len, reverse=True)) + ")"


def readable(answer: str, gold: str, task: Task) -> bool:
    """Whether the evaluation would read ``gold`` from a reply that says ``answer``."""
    if task.answer.closed:
        return answer.strip().casefold().startswith(gold.casefold())
    return extract(task.answer.rule, answer) == extract(task.answer.rule, gold)


def unreadable_answer(template: str, task: Task) -> str | None:
    """Return the instruction whose form the evaluation could not read."""
    text = _literals(template)
    gold = options_of(task)[0] if task.answer.closed else SAMPLES[task.answer.rule]
    for asked, reply in [*_forms(text, gold), *_words_before(text, gold), *_prose(text, gold, task)]:
        if not readable(reply, gold, task):
            return f"{asked!r} would make the reply {reply!r}"
    return None


def contradicts_rule(template: str, task: Task) -> str | None:
    """Return the instruction that asks for another kind of answer than the task's rule."""
    text = _literals(template)
    rule, options = task.answer.rule, options_of(task)
    binary = BINARY & {option.casefold() for option in options}
    # Labels that are numbers, or letters, are asked for as such.
    own = {english.A_NUMBER: str.isdigit, english.A_LETTER: lambda option: len(option) == 1}
    fitting = [kind for kind, holds in own.items() if rule == "label" and all(map(holds, options))]
    others = [kind for kind in OTHER_KINDS[rule] if kind not in fitting]
    for pattern in [*others, *([] if binary else [english.YES_NO])]:
        match = pattern.search(text)
        if match and not _negated(text, match):
            return match[0]
    if rule == "choice":
        return _other_letters(text, options)
    if rule == "label":
        return _other_labels(text, options)
    match = english.QUOTED_PAIR.search(text)
    return match[0] if match else _closed_list(text)


def leaks_answer(template: str, task: Task) -> str | None:
    """Return the words that give an answer away, or tell which is usually right."""
    marked = english.MARKED_OPTION.search(template)
    if marked:
        return marked[0].strip()
    text, rule = _literals(template).rstrip(), task.answer.rule
    values = any_of(options_of(task)) if task.answer.closed else OPEN_VALUES[rule]
    # Letters and open answers are known by their case: "the answer is a ..." names no option.
    case = "i" if rule == "label" else "-i"
    value = rf"[\"'“‘(*]*(?{case}:{values})(?![\w'])[\"'”’).*!]*"
    patterns = [*english.LEAKS]
    patterns += [] if task.answer.closed else english.LEAKS_OPEN
    patterns += english.LEAKS_JSON if rule == "json" else []
    for pattern in patterns:
        found = re.search(pattern.replace("VALUE", value), text, re.IGNORECASE | re.DOTALL)
        if found and not _is_demonstration(template, found[0]):
            return found[0].strip()
    return None


def _forms(text: str, gold: str) -> list[tuple[str, str]]:
    """Return (the instruction, a reply that follows it) for every form around the answer."""
    value = gold if gold.startswith("{") else f'{{"answer": "{gold}"}}'
    found: list[tuple[re.Match[str], str]] = []
    found += [(match, "\\boxed{" + gold + "}") for match in english.BOXED.finditer(text)]
    found += [(match, f"<{match[1]}>{gold}</{match[1]}>") for match in english.TAGS.finditer(text)]
    found += [(match, value) for match in english.JSON_FORM.finditer(text)]
    found += [(match, value) for match in english.JSON_OBJECT.finditer(text)]
    for match in english.OTHER_FORM.finditer(text):
        form = english.OTHER_FORMS[next(filter(None, match.groups())).casefold()]
        found.append((match, form.format("lamp 2" if gold.startswith("{") else gold)))
    for match in english.BEGIN_WITH.finditer(text):
        if match[1].strip().casefold() != gold.casefold():
            found.append((match, f"{english.BLANK.sub('', match[1]).strip()} {gold}"))
    for match in english.FORM.finditer(text):
        if english.BLANK.search(match[1]):
            found.append((match, english.BLANK.sub(lambda _: gold, match[1], count=1)))
    return [(match[0], reply) for match, reply in found if not _negated(text, match)]


def _words_before(text: str, gold: str) -> list[tuple[str, str]]:
    """The same for reasoning before the answer, unless it is to be done in the head."""
    match = english.REASON_FIRST.search(text)
    if match is None or _negated(text, match):
        return []
    if english.SILENT.search(text[max(0, match.start() - 60) : match.end()]):
        return []
    # What is written before the answer holds words and numbers of its own.
    return [(match[0], f"There are 2 things to weigh.\n{gold}")]


def _prose(text: str, gold: str, task: Task) -> list[tuple[str, str]]:
    """The same for an answer inside a sentence."""
    match = english.FREE_PROSE.search(text)
    if match is None:
        return []
    graded_on_words = task.answer.rule == "text" and task.metric != "exact_match"
    if graded_on_words or (task.answer.rule == "text" and not english.WHOLE_SENTENCE.search(match[0])):
        return []
    forbids_json = match[0].casefold().startswith(("no ", "not ", "without", "instead"))
    if _negated(text, match) and not forbids_json:
        return []
    return [(match[0], "A lamp, twice." if task.answer.rule == "json" else f"It would be {gold}.")]


def _other_letters(text: str, options: Sequence[str]) -> str | None:
    """Return a list of letters that is not the list of options."""
    known = {option for option in options if len(option) == 1}
    for match in english.LETTERS.finditer(text) if known else ():
        if match[1]:
            listed = {chr(code) for code in range(ord(match[1]), ord(match[2]) + 1)}
        else:
            listed = set(re.findall(r"[A-Z](?![a-z])", match[0]))
        if len(listed) > 1 and listed != known:
            return match[0]
    return None


def _other_labels(text: str, options: Sequence[str]) -> str | None:
    """Return a list of answers that holds only some of the options, or words that are none."""
    known = {option.casefold() for option in options}
    words = f" {_words(text)} "
    complete = all(f" {_words(option)} " in words for option in known)
    for match in english.CHOOSING.finditer(text):
        listed = _items(text[match.end() :])
        inside = [word for word in listed if word in known]
        if inside and not complete and len(listed) > 1 and (len(inside) > 1 or len(listed) <= 4):
            return f"{match[0].strip()} {', '.join(listed)}"
        strange = len(listed) > 1 and not inside and all(len(word.split()) == 1 for word in listed)
        if strange and english.OF_ANSWERS.search(match[0]):
            return f"{match[0].strip()} {', '.join(listed)}"
    asked = english.EITHER_OR.search(text)
    if asked and not known & {asked[1].casefold(), asked[2].casefold()}:
        return asked[0]
    return None


def _closed_list(text: str) -> str | None:
    """Return a closed list of answers where the rule is open."""
    for match in english.CLOSED_LIST.finditer(text):
        listed = _items(text[match.end() :])
        if len(listed) >= 2 and all(len(word.split()) <= 2 for word in listed):
            return f"{match[0].strip()} {', '.join(listed)}"
    return None


def _items(text: str) -> list[str]:
    """Return the items of the list a text begins with, in lower case and without quotes."""
    sentence = english.LIST_END.split(text, maxsplit=1)[0]
    items = [item.strip(" \"'“”‘’`*-•()[]").casefold() for item in english.SEPARATOR.split(sentence)]
    return [item for item in items if item and len(item.split()) <= 4][:40]


def _words(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.casefold()))


def _is_demonstration(template: str, found: str) -> bool:
    """Whether a cue with its answer is a solved example: the example's own fields come after it."""
    place = template.find(found.strip())
    hint = re.match(rf"\W*{english.HINT}\b", found, re.IGNORECASE)
    labelled = english.LABELLED.match(found) and not hint
    return bool(labelled) and place >= 0 and "{" in template[place + len(found) :]


def _negated(text: str, match: re.Match[str]) -> bool:
    """Whether an instruction is forbidden, not asked for: "no JSON", "do not explain first"."""
    before = text[max(0, match.start() - 40) : match.start()].casefold()
    after = text[match.end() : match.end() + 20].casefold()
    return bool(english.NOT_BEFORE.search(before) or english.NOT_AFTER.match(after))


def _literals(template: str) -> str:
    pieces = Prompt(template).pieces
    return "".join(literal + ("" if name is None else " … ") for literal, name in pieces).strip()
