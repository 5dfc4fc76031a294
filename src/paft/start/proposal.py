"""The task that a table is taken for: its answer, rule, fields and texts, and what spoke for each.

Where two readings are plausible the user is asked; where nobody can be asked the first is taken and said.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from paft.bank.compose.words import capitalised
from paft.errors import DataError, shown
from paft.start.answer_column import find_answer
from paft.start.answer_rule import draft_rule
from paft.start.choices import LETTERS, ChoiceColumns, find_choices, find_listed
from paft.start.columns import MOST, Column
from paft.start.draft import Ask, Draft, Question, listed
from paft.task.answer import seen
from paft.task.task import OPTIONS

# What leads to an answer, by a column's name.
_WORKING = frozenset("rationale explanation reasoning cot working steps derivation thought".split())  # noqa: SIM905
_LEFT_OUT = {
    "empty": "empty",
    "constant": "the same in every row",
    "date": "dates",
    "id": "ids",
    "nested": "lists or objects",
    "number": "numbers",
    "words": "few different words",
}
_OTHER_NOUN = {"y": "label", "target": "label", "gold": "answer"}
_ORDER = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")
_SHORT = ("words", "number", "text")  # kinds that can be asked about, where nothing else is there
SENTENCE = 3  # words on average from which texts that come again are read as texts, not as a property
_EMPTY = 0.9  # share of empty cells above which a column is no field
_LISTED = 200  # characters of options that the user prompt lists, and of fields that the description does
_NAME = 40  # characters of a field's name, which stands in every prompt


def propose(
    columns: Sequence[Column],
    label: str | None,
    ask: Ask,
    words: Mapping[str, Sequence[str]] | None = None,
) -> Draft:
    """Return the task that a table is taken for.

    Args:
        columns: The table's columns.
        label: Name of the column with the answer, if the user gave it.
        ask: Returns the answer to a question.
        words: By column what its numbers stand for, counted from 0, where the data says so.

    Raises:
        ConfigError: If no column can be the answer.
        DataError: If no rule reads the answers, or no column is left to be asked about.
    """
    if len(columns) < 2:
        held = f"one column, {columns[0].name!r}" if columns else "no column with a name"
        raise DataError(f"the table has {held}: it needs one to ask about, one with answers")
    draft = _draft_answer(columns, label, ask)
    draft.choices = _draft_choices(draft, columns, ask)
    draft.listed = None if draft.choices else find_listed(columns, draft.label)
    if draft.choices is not None:
        draft.rule, draft.options = "choice", draft.choices.options
        draft.guesses["rule"] = f"choice: {draft.choices.why}"
    elif draft.listed is not None:
        draft.rule, draft.guesses["rule"] = "choice", f"choice: {draft.listed.why}"
    else:
        draft_rule(draft, ask, (words or {}).get(draft.label.name))
    draft.guesses["metric"] = draft.metric
    _draft_fields(draft, columns)
    return draft


def _draft_answer(columns: Sequence[Column], label: str | None, ask: Ask) -> Draft:
    found, others = find_answer(columns, label)
    draft = Draft(found.column)
    name, why = found.column.name, found.why
    if others:
        names = (name, *(each.column.name for each in others))
        question = Question("Which column holds the answer?", names, hint="name it with --label")
        chosen = draft.decide(ask, question)
        draft.label = next(column for column in columns if column.name == chosen)
        why = why if chosen == name else "chosen by you"
    draft.guesses["answer"] = f"{draft.label.title} ({why})"
    return draft


def _draft_choices(draft: Draft, columns: Sequence[Column], ask: Ask) -> ChoiceColumns | None:
    """Return the columns that the answers choose from; two texts that are compared look alike."""
    found = find_choices(columns, draft.label)
    if found is None or found.sure:
        return found
    told = ", ".join(column.title for column in found.columns)
    question = Question(
        f"Does {draft.label.title} name one of the columns {told} as the right one?",
        ("no", "yes"),
        hint="write the task file by hand (rule choice)",
    )
    return found if draft.decide(ask, question) == "yes" else None


def _draft_fields(draft: Draft, columns: Sequence[Column]) -> None:
    """Take the columns that a person would read to find the answer; say why the others are left out."""
    family = draft.choices.columns if draft.choices else ()
    others = [column for column in columns if column is not draft.label]
    why = {column.name: _why_not(column, draft) for column in others if column not in family}
    why |= _copies([column for column in others if not why.get(column.name, "an option")])
    taken = [column for column in others if not why.get(column.name)]
    if not [column for column in taken if column not in family]:
        taken = [column for column in others if column in family or column.kind in _SHORT]
        taken = taken or [column for column in others if column.kind == "id" and not column.numbers]
        draft.unsure.append("no column holds texts of some length: all short columns are fields")
    if not taken:
        told = listed(f"{name} ({reason})" for name, reason in why.items())
        raise DataError(f"no column is left to ask about beside the answer {draft.label.name!r}: {told}")
    names = field_names([column.name for column in taken], draft.label.name)
    draft.fields = dict(zip(names, taken, strict=True))
    draft.guesses["fields"] = ", ".join(column.title for column in taken)
    left = [f"{column.title} ({why[column.name]})" for column in others if column not in taken]
    if left:
        draft.guesses["left out"] = ", ".join(left)
    for column in (draft.label, *taken):
        if column.empty:
            draft.warnings.append(f"{column.title}: empty cells, {column.empty:,} of {len(column.texts):,}")
    for column in taken:
        for place, words in {"begins": column.beginning, "ends": column.ending}.items():
            if words:
                draft.warnings.append(
                    f"nearly every {column.title} {place} with {shown(words)}: if that is a prompt, cut it "
                    "off in the table and start anew; it would stand in all others"
                )


def _why_not(column: Column, draft: Draft) -> str | None:
    """Return why a column is no field, None if it is one."""
    if draft.listed is not None and column.name == draft.listed.column:
        return "the options"
    if column.kind != "text" and not (column.kind == "words" and column.mean_words >= SENTENCE):
        return _LEFT_OUT[column.kind]
    if column.empty > _EMPTY * len(column.texts):
        return f"{column.empty / len(column.texts):.0%} empty"
    if _WORKING & set(column.words):
        return "by its name the way to the answer, which would give it away"
    if draft.rule in ("number", "final_number") and _gives_away(column, draft.label):
        return "it holds the answer itself"
    return None


def _copies(columns: Sequence[Column]) -> dict[str, str]:
    """Return the columns that hold what an earlier one does in nearly all rows, each with the reason."""
    found: dict[str, str] = {}
    for at, copy in enumerate(columns):
        for first in columns[:at]:
            pairs = zip(first.texts, copy.texts, strict=True)
            same = sum(a is not None and b is not None and seen(a) == seen(b) for a, b in pairs)
            if same >= MOST * len(copy.texts):
                found.setdefault(copy.name, f"what {first.name} holds")
    return found


def _gives_away(column: Column, label: Column) -> bool:
    """Whether a text holds the answer in nine of ten rows, as a word of its own."""
    pairs = [pair for pair in zip(column.texts, label.texts, strict=True) if None not in pair]
    held = sum(str(answer).strip() in re.findall(r"[\w.,]*\w", str(text)) for text, answer in pairs)
    return held >= 0.9 * max(1, len(pairs))


def field_names(names: Sequence[str], answer: str) -> list[str]:
    """Return names that a template may use for columns, all different and none that of the answer.

    >>> field_names(["Ticket ID", "1st line", "options", "Ticket id", "Curator's note"], "label")
    ['ticket_id', 'column_1st_line', 'options_text', 'ticket_id_2', 'curators_note']
    """
    found: list[str] = []
    for name in names:
        words = re.sub(r"\W+", "_", re.sub(r"['\u2019]", "", name))
        plain = name if name.isidentifier() else words.strip("_").lower()
        plain = (plain if plain.isidentifier() else f"column_{plain}")[:_NAME].rstrip("_")
        plain = f"{plain}_text" if plain in (OPTIONS, answer) else plain
        same = sum(
            each == plain or (each.startswith(f"{plain}_") and each[len(plain) + 1 :].isdigit())
            for each in found
        )
        found.append(f"{plain}_{same + 1}" if plain in found else plain)
    return found


def noun(name: str) -> str:
    """Return a column's name as words in a sentence.

    >>> noun("ticketType"), noun("Body_text"), noun("Curator's note"), noun("y")
    ('ticket type', 'body text', "curator's note", 'label')
    """
    words = " ".join(Column(name, ()).words) or "text"
    return _OTHER_NOUN.get(words, words)


def describe_task(draft: Draft) -> str:
    """Return a sentence that says what is asked; a user knows better."""
    answer, fields = noun(draft.label.name), _and([f"the {noun(column.name)}" for column in _asked(draft)])
    fields = fields if len(fields) <= _LISTED else "the texts"
    if draft.rule == "choice":
        return f"Choose the option that fits {fields} best."
    if draft.rule == "label":
        return f"Decide which {answer} fits {fields}."
    kind = {"number": ", a number", "final_number": ", a number, after working it out", "json": ", as JSON"}
    return f"Give the {answer} for {fields}{kind.get(draft.rule, '')}."


def describe_field(draft: Draft, column: Column) -> str:
    """Return what a field holds, as far as its column's name tells."""
    if draft.choices and column in draft.choices.columns:
        at = draft.choices.columns.index(column)
        return f"the {_ORDER[at]} option" if at < len(_ORDER) else f"option {at + 1}"
    return f"the {noun(column.name)}"


def write_prompt(draft: Draft) -> str:
    """Return a plain user prompt with every field and the options, where they are short."""
    lines, letters = [describe_task(draft)], iter(LETTERS)
    if draft.rule == "label" and len(", ".join(draft.words)) <= _LISTED:
        lines[0] += " Possible answers: {options}."
    shown = []
    for name, column in draft.fields.items():
        option = draft.choices is not None and column in draft.choices.columns
        shown.append(
            f"{next(letters)}. {{{name}}}" if option else f"{capitalised(noun(column.name))}: {{{name}}}"
        )
    if draft.listed is not None:
        shown.append("{options}")
    answer = "Answer" if draft.rule == "choice" else capitalised(noun(draft.label.name))
    return "\n\n".join([*lines, "\n".join(shown), f"{answer}:"])


def _asked(draft: Draft) -> list[Column]:
    family = draft.choices.columns if draft.choices else ()
    return [column for column in draft.fields.values() if column not in family] or list(draft.fields.values())


def _and(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else ", ".join(parts[:-1]) + " and " + parts[-1]
