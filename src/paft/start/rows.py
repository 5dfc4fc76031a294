"""The rows that examples are made of: what is left out, and what is alike, is counted and said."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from paft.errors import DataError, shown
from paft.start.columns import cell_text
from paft.start.draft import Draft, listed
from paft.task.answer import CLOSED_RULES, seen
from paft.task.gold import gold_texts, why_unreadable
from paft.task.numerals import read_number
from paft.task.repeats import plain_text

LEAST = 10  # rows, to train on some and test on others
_RARE = 5  # rows of a label
_MAJORITY = 0.8  # share of one answer above which guessing it is worth a warning
_UNEVEN = 10  # times as many rows of one label as of another


@dataclass(frozen=True)
class Item:
    """A row as an example.

    Attributes:
        fields: Text by field name.
        answer: The answer, a label in the one spelling that is taken for it.
        row: The row as the table has it.
        listed: The row's own options as text, if it has some.
    """

    fields: Mapping[str, str]
    answer: Any
    row: Mapping[str, Any]
    listed: str = ""

    @property
    def plain(self) -> str:
        """What is asked, white space and case aside."""
        return plain_text((*self.fields.values(), self.listed))


def usable_items(rows: Sequence[Mapping[str, Any]], draft: Draft, what: str = "rows") -> list[Item]:
    """Return the rows with an answer that the rule reads and something to ask about; warn of the others."""
    kept = []
    left: dict[str, list[str]] = {}  # by kind
    for row in rows:
        fields = {name: cell_text(row.get(column.name)) or "" for name, column in draft.fields.items()}
        options = cell_text(row.get(draft.listed.column)) if draft.listed else None
        item = Item(fields, _answer(row, draft), row, options or "")
        why = _why_unusable(item, draft)
        if why is None:
            kept.append(item)
        else:
            left.setdefault(why[0], []).append(why[1])
    draft.warnings += [f"{len(told):,} of {len(rows):,} {what} left out: {told[0]}" for told in left.values()]
    return kept


def without_repeats(items: Sequence[Item], draft: Draft) -> list[Item]:
    """Return each item once, white space and case aside; warn of those whose answers contradict."""
    answers: dict[str, set[str]] = {}
    kept = []
    for item in items:
        known = answers.setdefault(item.plain, set())
        if str(item.answer) not in known:
            kept.append(item)
        known.add(str(item.answer))
    if len(kept) < len(items):
        draft.guesses["repeats"] = f"{len(items) - len(kept):,} left out: fields and answer of an earlier row"
    if several := sum(len(known) > 1 for known in answers.values()):
        draft.warnings.append(
            f"texts that come with different answers, of which one must be wrong: {several:,}"
        )
    if len(kept) < LEAST:
        raise DataError(
            f"{len(kept)} usable, different rows are too few to train on some and test on others: {LEAST} "
            "are the least, some hundreds are good"
        )
    return kept


def warn_of_labels(items: Sequence[Item], draft: Draft) -> None:
    """Warn of labels that nearly all rows for training have, or hardly any."""
    if draft.rule not in CLOSED_RULES or draft.listed:
        return
    counts = Counter(str(item.answer) for item in items)
    (most, count), (least, fewest) = counts.most_common()[0], counts.most_common()[-1]
    share = count / len(items)
    if share > _MAJORITY:
        draft.warnings.append(
            f"{share:.0%} of the answers are {most!r}: always answering so is that good already"
        )
    elif count > _UNEVEN * fewest:
        draft.warnings.append(
            f"labels are uneven: of the rows for training {most!r} has {count:,}, {least!r} has {fewest:,}"
        )
    rare = [label for label, number in counts.items() if number < _RARE]
    if rare:
        draft.warnings.append(
            f"labels with fewer than {_RARE} rows, too few to learn or to test: {len(rare)} ({listed(rare)})"
        )


def _answer(row: Mapping[str, Any], draft: Draft) -> Any:
    """Return a row's answer, None for an empty cell; nested ones stay as they are."""
    value = row.get(draft.label.name)
    text = cell_text(value)
    if text is None or draft.rule not in CLOSED_RULES:
        return value if text is not None and draft.label.nested else text
    if draft.rule == "label":
        return draft.spellings.get(text) or _alike(text, draft)
    number = read_number(text)
    return number if number in (draft.options or ()) else text.strip()


def _alike(text: str, draft: Draft) -> str:
    """Return the label that a text not among the training rows is another spelling of, else the text."""
    number = read_number(text)
    wanted = {seen(text), seen(number or text)}
    return next((label for label in draft.options or () if seen(label) in wanted), text.strip())


def _why_unusable(item: Item, draft: Draft) -> tuple[str, str] | None:
    """Return what is wrong with a row, in general and of this one as an example; None if it can be used."""
    if item.answer is None:
        return "answer", f"column {draft.label.name!r} is empty"
    if not any(text.strip() for text in item.fields.values()):
        return "fields", "all fields are empty"
    if draft.rule in CLOSED_RULES:
        named = (
            draft.listed.names_option(item.row, item.answer)
            if draft.listed
            else item.answer in (draft.options or ())
        )
        return None if named else ("option", f"{shown(item.answer)}, say, is none of the options")
    try:
        reasons = [why_unreadable(draft.rule, text) for text in gold_texts(draft.rule, item.answer)]
    except ValueError as error:
        reasons = [str(error)]
    why = next(filter(None, reasons), None)
    if why is None:
        return None
    return "rule", f"the answer is not read by rule {draft.rule}, {shown(item.answer)} say ({why})"
