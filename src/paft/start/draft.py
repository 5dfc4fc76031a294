"""A task in the making, and the questions that a table leaves open."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from paft.start.choices import ChoiceColumns, ListedChoices
from paft.start.columns import Column


@dataclass(frozen=True)
class Question:
    """What a table leaves open.

    Attributes:
        text: The question.
        answers: What may be answered, the proposal first.
        free: Whether any other text may be answered as well.
        hint: How to choose without being asked.
    """

    text: str
    answers: tuple[str, ...]
    free: bool = False
    hint: str = ""


Ask = Callable[[Question], str]


def take_first(question: Question) -> str:
    """Answer a question where nobody can be asked."""
    return question.answers[0]


@dataclass
class Draft:
    """A task in the making.

    Attributes:
        label: The column with the answer.
        rule: The answer rule.
        options: Options of a closed rule; a mapping where values of the data stand for other words.
        spellings: The one spelling that each spelling of a label is taken for.
        fields: Column by field name, in order.
        choices: The columns that hold the options, under rule ``choice``.
        listed: The column that holds a list of options in every row instead.
        metric: The score of a cell.
        max_tokens: Tokens of an answer, where the rule's default may be too few.
        guesses: What was found and why, by what it is about.
        unsure: What could be otherwise, and how to say so.
        warnings: What looks wrong with the data.
    """

    label: Column
    rule: str = "label"
    options: list[str] | dict[str, str] | None = None
    spellings: dict[str, str] = field(default_factory=dict)
    fields: dict[str, Column] = field(default_factory=dict)
    choices: ChoiceColumns | None = None
    listed: ListedChoices | None = None
    metric: str = "exact_match"
    max_tokens: int | None = None
    guesses: dict[str, str] = field(default_factory=dict)
    unsure: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    @property
    def words(self) -> list[str]:
        """The options as shown to the model; none of an open rule."""
        found = self.options.values() if isinstance(self.options, dict) else self.options or ()
        return list(dict.fromkeys(found))

    def decide(self, ask: Ask, question: Question) -> str:
        """Return the answer to a question; where it is the proposal, what else it could be is noted."""
        answer = ask(question)
        if ask is take_first:
            others = " or ".join(question.answers[1:])
            self.unsure.append(f"{question.text} Taken: {answer}; if it is {others}, {question.hint}")
        return answer


def listed(words: Iterable[str], limit: int = 5) -> str:
    """Return words as a list for people, the end of a long one left out.

    >>> listed(["a", "b", "c"], 2)
    'a, b ...'
    """
    known = [" ".join(word.split()) for word in words]
    return ", ".join(known[:limit]) + (" ..." if len(known) > limit else "")
