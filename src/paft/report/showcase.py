"""Real inputs under a few prompts, answered by the two methods that the verdict compares.

Nothing is picked by hand, or by how well a method does on it: the prompts are those under which the second
method is at its worst, in the middle and at its best, the inputs stand at a sixth, a half and five sixths of
the order from hardest to easiest over all cells of both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from paft.report.cells import Cells, accuracies, easiness
from paft.task.task import Example

PLACES = (1 / 6, 1 / 2, 5 / 6)  # of the order of the inputs


@dataclass(frozen=True)
class Answer:
    """What a method answered; ``text`` is None where no answer could be read."""

    text: str | None
    right: bool


@dataclass(frozen=True)
class Showcase:
    """Some cells of two methods.

    Attributes:
        methods: Names of the two; the answers are those of each one's first seed.
        prompts: Ids of the prompts, the second method's worst first.
        examples: The inputs, the hardest first.
        answers: By prompt, by input, by method.
    """

    methods: tuple[str, str]
    prompts: tuple[str, ...]
    examples: tuple[Example, ...]
    answers: tuple[tuple[tuple[Answer, Answer], ...], ...]


def choose_showcase(
    methods: tuple[str, str], cells: tuple[Cells, Cells], examples: Mapping[int, Example]
) -> Showcase | None:
    """Choose prompts and inputs to show; None where cells or the texts of the inputs lack.

    Args:
        methods: Names of the two methods.
        cells: Of each, on the same prompts and examples.
        examples: The texts, by index.
    """
    first, second = cells
    if (first.prompt_ids, first.examples) != (second.prompt_ids, second.examples):
        return None
    known = [place for place, index in enumerate(first.examples) if index in examples]
    if len(known) < len(PLACES) or any(np.isnan(each.scores[0]).any() for each in cells):
        return None
    by_accuracy = np.argsort(accuracies(second), kind="stable")
    rows = _distinct(by_accuracy[[0, len(by_accuracy) // 2, -1]])
    hard = np.argsort((easiness(first) + easiness(second))[known], kind="stable")
    columns = [known[hard[int(share * len(known))]] for share in PLACES]
    return Showcase(
        methods=methods,
        prompts=tuple(first.prompt_ids[row] for row in rows),
        examples=tuple(examples[first.examples[column]] for column in columns),
        answers=tuple(
            tuple((_answer(first, row, column), _answer(second, row, column)) for column in columns)
            for row in rows
        ),
    )


def _distinct(places: np.ndarray) -> Sequence[int]:
    return list(dict.fromkeys(map(int, places)))


def _answer(cells: Cells, row: int, column: int) -> Answer:
    return Answer(cells.answers[0, row, column], bool(cells.scores[0, row, column] == 1))
