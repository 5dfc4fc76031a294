"""How the answers of a table are read: labels, numbers, JSON or text; and what no rule reads."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence

from paft.errors import DataError, shown
from paft.start.answer_column import OF_A_FEW, named_points
from paft.start.columns import MANY, MOST, NUMBERS, Column, nested_value
from paft.start.draft import Ask, Draft, Question, listed
from paft.task.answer import DEFAULT_MAX_TOKENS, seen
from paft.task.gold import why_unreadable
from paft.task.numerals import number_meant, read_number

ODD = 0.5  # of the answers, where the others are numbers: likely to be dirt
NOTHING = {"n/a", "#n/a", "na", "nan", "null", "-", "?"}  # what tables say for a cell without a value
SEPARATORS = ("|", ";", ",")  # of several labels in a cell
_ASKED = 6  # words for labels that a user is asked for at most
_SHORT = 3  # words of an answer that is right or wrong as a whole
_CHARACTERS = 2  # of a token, at least


def draft_rule(draft: Draft, ask: Ask, words: Sequence[str] | None = None) -> None:
    """Choose the rule, its options and the metric from the answers.

    ``words`` is what numbers stand for, counted from 0, where the data says so.

    Raises:
        DataError: If no rule reads them.
    """
    column = draft.label
    if not column.filled:
        raise DataError(f"column {column.name!r} is empty: name another one with --label")
    if len({seen(_plain(column, text)) for text in column.filled}) == 1:
        raise DataError(
            f"column {column.name!r} holds {shown(column.filled[0])} alone: there is nothing to learn"
        )
    if seen(column.name) in column.counts or (column.kind == "number" and read_number(column.name)):
        draft.warnings.append(
            f"{column.title} names the column and is a value in it too: if the first line is a row, put a "
            "line of names before it and start anew"
        )
    if column.kind == "date":
        raise DataError(
            f"column {column.name!r} holds dates, which no answer rule reads: name another one with --label"
        )
    if words or _are_labels(draft, ask):
        _draft_labels(draft, ask, words)
    elif column.kind == "number":
        _draft_number(draft)
    elif column.nested and _are_lists_of_texts(column):
        _draft_open(draft, "text", "every answer is a list of texts, each as right as the others")
        draft.metric = "token_f1"
    elif _share(column, "json") >= MOST and column.filled[0].lstrip()[:1] in "{[":
        _draft_open(draft, "json", "every answer is a JSON value")
        if column.nested:
            draft.unsure.append(
                f"{column.name!r} holds objects: the answer is taken for JSON; if it is a part of "
                "them, name its path in task.yaml (data.columns: {answer: answers.text}) and change the rule"
            )
    else:
        _draft_text(draft)


def _are_labels(draft: Draft, ask: Ask) -> bool:
    """Whether the answers are a few that come again."""
    column, few = draft.label, _says_few(draft.label)
    different, rows = len(column.counts), len(column.filled)
    if column.nested:
        return False
    if column.kind == "number":
        return _are_codes(draft, ask, few)
    if column.closed:
        return True
    if different > MANY and column.mean_words <= _SHORT + 1 and (few or 2 * different <= rows):
        raise DataError(
            f"column {column.name!r} has {different:,} different values in {rows:,} rows: labels are "
            f"{MANY} at most; group them, or name another column with --label"
        )
    return few and different < rows and different <= MANY


def _are_codes(draft: Draft, ask: Ask, few: bool) -> bool:
    """Whether numbers stand for labels: few that come again, not measurements."""
    column, values = draft.label, sorted(set(map(float, draft.label.numbers)))
    again = 2 * len(values) <= len(column.filled)
    in_a_row = values == [values[0] + i for i in range(len(values))]
    if not again or len(values) > (MANY if few and in_a_row else NUMBERS):
        return False
    if len(values) == 2 or few:
        return True
    question = Question(
        f"{column.title} holds {len(values)} different numbers ({listed(f'{value:g}' for value in values)}). "
        "What are they?",
        ("labels", "numbers"),
        hint="start anew in a terminal, without --yes, and answer so; or set `rule: number` in task.yaml, "
        "remove the options and the prompt's {options} there, and compose the bank anew (docs/start.md)",
    )
    return draft.decide(ask, question) == "labels"


def _draft_labels(draft: Draft, ask: Ask, words: Sequence[str] | None) -> None:
    """Make options of the labels, one for all spellings that are one word to a reader."""
    column = draft.label
    groups: dict[str, Counter[str]] = {}
    for text in column.filled:
        groups.setdefault(seen(_plain(column, text)), Counter())[_plain(column, text)] += 1
    draft.rule = "label"
    names = {}
    for group in groups.values():
        best = " ".join(group.most_common(1)[0][0].split())
        names[best] = group
        draft.spellings |= dict.fromkeys(group, best)
        if len(group) > 1:
            told = ", ".join(f"{shown(text)} ({count})" for text, count in group.most_common())
            draft.warnings.append(f"{column.title}: {told} are taken for one label, {best!r}")
    nothing = [f"{shown(name)} ({group.total()})" for name, group in names.items() if seen(name) in NOTHING]
    if nothing:
        draft.warnings.append(
            f"{column.title}: {', '.join(nothing)} taken for a label; if that says that there is none, empty "
            "these cells and start anew: rows without an answer are left out"
        )
    _warn_of_lists(draft, names)
    if column.kind == "number":
        ordered = sorted(names, key=lambda label: (float(read_number(label) or "inf"), label))
        draft.options = _given_words(ordered, words) if words else _asked_words(draft, ask, ordered)
    else:
        draft.options = ordered = sorted(names, key=seen)
    draft.guesses["rule"] = f"label, one of {len(draft.words)}: {listed(draft.words)}"


def _warn_of_lists(draft: Draft, names: Collection[str]) -> None:
    """Tell of labels that are combinations of fewer ones."""
    for sign in SEPARATORS:
        parts = {part.strip() for name in names for part in name.split(sign)}
        if len(parts) < len(names) and 2 * sum(sign in name for name in names) >= len(names):
            draft.warnings.append(
                f"{draft.label.title} looks like lists of {len(parts)} labels, parted by {sign!r}: each of "
                f"the {len(names)} combinations is one label, right or wrong as a whole"
            )


def _plain(column: Column, text: str) -> str:
    """Return a label; pandas writes whole numbers beside a gap as 1.0."""
    whole = text.strip().removesuffix(".0")
    return whole if column.kind == "number" and whole.lstrip("-").isdigit() else text


def _given_words(numbers: list[str], words: Sequence[str]) -> dict[str, str]:
    """Return the words that the data has for numbers; a number without one is no answer."""
    plain = [word.replace("_", " ") for word in words]
    words = plain if len(set(map(seen, plain))) == len(words) else words
    return {number: words[int(number)] for number in numbers if number.isdigit() and int(number) < len(words)}


def _asked_words(draft: Draft, ask: Ask, numbers: list[str]) -> list[str] | dict[str, str]:
    """Return options for labels that are numbers: words that the user has for them, or they themselves."""
    found: dict[str, str] = {}
    for number in numbers if len(numbers) <= _ASKED else ():
        question = Question(f"What does {number} stand for, in a word or two?", (number,), free=True)
        word = " ".join(ask(question).split()) or number
        found[number] = next((known for known in found.values() if seen(known) == seen(word)), word)
    if len(set(found.values())) == 1:
        raise DataError(f"all labels stand for {found[numbers[0]]!r}: there is nothing to learn")
    if any(number != word for number, word in found.items()):
        return found
    pairs = ", ".join(f'"{number}": a word' for number in numbers[:2])
    draft.warnings.append(
        f"{draft.label.title} holds numbers; a model answers better with words: map them in task.yaml, "
        f"options: {{{pairs}{', ...' if len(numbers) > 2 else ''}}}"
    )
    return numbers


def _draft_number(draft: Draft) -> None:
    column = draft.label
    if column.fractional > 0.5:
        raise DataError(
            f"column {column.name!r} holds decimal numbers ({listed(column.filled, 3)}): an answer is right "
            "or wrong, so it is a label or an exact number, no measurement; make classes of it, or name "
            "another column with --label"
        )
    draft.rule = "number"
    draft.guesses["rule"] = (
        f"number: {len(set(column.numbers)):,} different ones in {len(column.filled):,} rows"
    )


def _draft_text(draft: Draft) -> None:
    column = draft.label
    unread = [text for text in column.filled if why_unreadable("number", text) is not None]
    odd, meant = [shown(text) for text in unread], sum(number_meant(text) is not None for text in unread)
    if 0 < len(odd) <= ODD * len(column.filled) or meant >= MOST * len(column.filled):
        draft.warnings.append(
            f"{column.title}: {len(odd)} of {len(column.filled)} answers are not one number and nothing else "
            f"({listed(odd, 3)}), so the rule is text; make numbers of them and start anew, and it is number"
        )
    if column.kind == "id":
        raise DataError(
            f"column {column.name!r} has {len(column.counts):,} different values in "
            f"{len(column.filled):,} rows, as ids have: nothing to learn; name another one with --label"
        )
    if _share(column, "text") >= 0.5:
        _draft_open(draft, "text", f"{len(column.counts):,} different texts in {len(column.filled):,} rows")
        draft.metric = "exact_match" if column.mean_words <= _SHORT else "token_f1"
        if not named_points(column):
            draft.unsure.append(f"{column.name!r} is taken for the answer as it is the last column of text")
    elif _share(column, "final_number") >= MOST:
        _draft_open(draft, "final_number", "every answer ends with a number")
    else:
        raise DataError(
            f"column {column.name!r} holds texts of several lines: answers are one line, or end with a "
            "number; shorten them, or name another column with --label"
        )


def _draft_open(draft: Draft, rule: str, why: str) -> None:
    """Set an open rule, and the tokens of its answers where its default may be too few."""
    draft.rule = rule
    draft.guesses["rule"] = f"{rule}: {why}"
    tokens = max(map(len, draft.label.filled)) // _CHARACTERS
    if tokens > DEFAULT_MAX_TOKENS[rule]:
        draft.max_tokens = -(-tokens // 32) * 32


def _share(column: Column, rule: str) -> float:
    """Return the share of answers that a rule reads."""
    return sum(why_unreadable(rule, text) is None for text in column.filled) / len(column.filled)


def _are_lists_of_texts(column: Column) -> bool:
    values = map(nested_value, column.filled)
    return all(isinstance(value, list) and all(isinstance(item, str) for item in value) for value in values)


def _says_few(column: Column) -> bool:
    """Whether a column's name tells of one of a few."""
    return bool(OF_A_FEW & {*column.words[:1], *column.words[-1:]})
