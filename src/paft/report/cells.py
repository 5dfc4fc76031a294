"""The cells of a method, all seeds together: what they say about prompts and labels, and some to show."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from paft.statistics import comparison
from paft.statistics.summary import Name

if TYPE_CHECKING:
    from paft.evaluate.matrix import Matrix
    from paft.task.task import Example

PLACES = (1 / 6, 1 / 2, 5 / 6)  # of the order of the inputs that a showcase has
SHOWN = 3  # worst examples of a prompt under one method


@dataclass(frozen=True)
class Cells:
    """Cells of S seeds x P prompts x N examples.

    Attributes:
        prompt_ids: Ids of the prompts (P).
        examples: Indices of the examples (N).
        scores: In [0, 1], (S, P, N); NaN where a cell was not scored.
        parsed: Whether an answer could be read, (S, P, N).
        answers: The answers, (S, P, N) of str or None.
        own: The answers under the user prompt, (S, N); None if it was not scored.
    """

    prompt_ids: tuple[str, ...]
    examples: tuple[int, ...]
    scores: np.ndarray
    parsed: np.ndarray
    answers: np.ndarray
    own: np.ndarray | None

    @property
    def answered(self) -> bool:
        """Whether the answers are known: a table from elsewhere may have scores alone."""
        return not self.parsed.all() or any(answer is not None for answer in self.answers.flat)


@dataclass(frozen=True)
class Diagnosis:
    """Why a prompt does badly under a method; shares of its scored cells, in [0, 1].

    Attributes:
        unparsed: Share without a readable answer.
        flipped: Share answered otherwise than under the user prompt, or not answered; None
            if that was not scored.
        wrong_answer: The most frequent wrong answer; None if there is no wrong readable answer.
        wrong_share: Its share of all cells with a score below 1.
    """

    unparsed: float
    flipped: float | None
    wrong_answer: str | None
    wrong_share: float


@dataclass(frozen=True)
class Failure:
    """An example a prompt fails on.

    Attributes:
        example: Its index.
        answer: The most frequent of the seeds' wrong answers; None where none could be read.
        score: Mean score over seeds, in [0, 1].
    """

    example: int
    answer: str | None
    score: float


def gather_cells(
    matrices: Mapping[tuple[str, int | None, str], Matrix], method: str, split: str
) -> Cells | None:
    """Stack the matrices of a method on a split, one per seed; None if there is none."""
    seeds = [seed for name, seed, scored in matrices if (name, scored) == (method, split)]
    if not seeds:
        return None
    scored = [matrices[method, seed, split] for seed in seeds]
    prompts = tuple(dict.fromkeys(prompt for matrix in scored for prompt in matrix.prompt_ids))
    examples = tuple(sorted({example for matrix in scored for example in matrix.examples}))
    scores, parsed, answers = _stack(scored, prompts, examples)
    users = [matrices[method, seed, "user"] for seed in seeds if (method, seed, "user") in matrices]
    own = _stack(users, users[0].prompt_ids, examples)[2][:, 0] if len(users) == len(seeds) else None
    return Cells(prompts, examples, scores, parsed, answers, own)


@dataclass(frozen=True)
class LabelFigures:
    """The examples of one right answer.

    Attributes:
        label: The answer.
        examples: How many there are.
        accuracy: Mean score over them by method, over seeds and prompts, in [0, 1].
        taken_for: By method the most frequent wrong answer and its share of the answers to these
            examples; None where there is no wrong readable answer.
    """

    label: str
    examples: int
    accuracy: Mapping[str, float]
    taken_for: Mapping[str, tuple[str, float] | None]


def figures_by_label(
    cells: Mapping[str, Cells | None], examples: Mapping[int, Example]
) -> tuple[LabelFigures, ...]:
    """Return figures for each right answer of a closed rule whose options are those of every example.

    Nothing where options differ, the texts of examples are out of reach, or cells lack.
    """
    there = {method: each for method, each in cells.items() if each is not None}
    options = {example.options for example in examples.values()}
    known = all(set(each.examples) <= examples.keys() for each in there.values())
    if not there or not known or len(options) != 1:
        return ()
    found = []
    for label in options.pop():
        chosen = {index for index, example in examples.items() if example.gold == label}
        parts = {method: _on_examples(each, chosen) for method, each in there.items()}
        if not all(scores.size and not np.isnan(scores).any() for scores, _ in parts.values()):
            continue
        found.append(
            LabelFigures(
                label=label,
                examples=next(iter(parts.values()))[0].shape[-1],
                accuracy={method: float(scores.mean()) for method, (scores, _) in parts.items()},
                taken_for={method: _taken_for(*part) for method, part in parts.items()},
            )
        )
    return tuple(found)


def _on_examples(cells: Cells, chosen: set[int]) -> tuple[np.ndarray, np.ndarray]:
    """Return scores and answers, each (S, P, chosen examples)."""
    columns = [place for place, index in enumerate(cells.examples) if index in chosen]
    return cells.scores[..., columns], cells.answers[..., columns]


def _taken_for(scores: np.ndarray, answers: np.ndarray) -> tuple[str, float] | None:
    counts = Counter(answer for answer in answers[scores < 1] if answer is not None)
    if not counts:
        return None
    answer, count = min(counts.items(), key=lambda item: (-item[1], item[0]))
    return answer, count / answers.size


def estimable(cells: Cells | None) -> list[Name]:
    """Return the statistics that have intervals: there are enough cells, and all of them were scored."""
    if cells is None or np.isnan(cells.scores).any():
        return []
    return comparison.estimable(len(cells.prompt_ids), len(cells.examples))


def diagnose(cells: Cells, prompt_id: str) -> Diagnosis:
    """Say what goes wrong under a prompt.

    Raises:
        ValueError: If the prompt is not among the cells.
    """
    place = cells.prompt_ids.index(prompt_id)
    scores, answers = cells.scores[:, place], cells.answers[:, place]
    scored = ~np.isnan(scores)
    wrong = scored & (scores < 1)
    counts = Counter(answer for answer in answers[wrong] if answer is not None)
    # Equal counts are told apart by the text, so that the same cells give the same page.
    answer, count = min(counts.items(), key=lambda item: (-item[1], item[0]), default=(None, 0))
    flipped = None
    if cells.own is not None:
        flipped = float(((answers != cells.own) | ~cells.parsed[:, place])[scored].mean())
    return Diagnosis(
        unparsed=float((~cells.parsed[:, place])[scored].mean()),
        flipped=flipped,
        wrong_answer=answer,
        wrong_share=count / max(1, int(wrong.sum())),
    )


def worst_examples(cells: Cells, prompt_id: str, limit: int = SHOWN) -> list[Failure]:
    """Return examples a prompt fails on, the most telling first.

    Lowest score first; of equal ones those that most other prompts get right, since a failure
    that all prompts share says nothing about this one.

    Raises:
        ValueError: If the prompt is not among the cells.
    """
    place = cells.prompt_ids.index(prompt_id)
    scores = _mean(cells.scores[:, place], 0)
    order = np.lexsort((np.arange(len(cells.examples)), -easiness(cells), scores))
    chosen = [column for column in order if scores[column] < 1][:limit]
    return [
        Failure(
            cells.examples[column],
            _wrong_answer(cells.answers[:, place, column], cells.scores[:, place, column]),
            float(scores[column]),
        )
        for column in chosen
    ]


def easiness(cells: Cells) -> np.ndarray:
    """Return the mean score of each example over seeds and prompts, (N,)."""
    return _mean(cells.scores, (0, 1))


def accuracies(cells: Cells) -> np.ndarray:
    """Return the mean score of each prompt over seeds and examples, (P,)."""
    return _mean(cells.scores, (0, 2))


def _mean(scores: np.ndarray, axis: int | tuple[int, ...]) -> np.ndarray:
    """Mean over scored cells; NaN where there is none, without numpy's warning."""
    scored = (~np.isnan(scores)).sum(axis=axis)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.nansum(scores, axis=axis) / scored)


def _wrong_answer(answers: np.ndarray, scores: np.ndarray) -> str | None:
    counts: Counter[str | None] = Counter(answers[scores < 1])
    return min(counts, key=lambda answer: (-counts[answer], answer or ""))


def _stack(
    matrices: Sequence[Matrix], prompts: Sequence[str], examples: Sequence[int]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return scores, parsed and answers of the matrices, each (S, P, N)."""
    rows = {prompt: place for place, prompt in enumerate(prompts)}
    columns = {example: place for place, example in enumerate(examples)}
    shape = len(matrices), len(rows), len(columns)
    scores, parsed = np.full(shape, np.nan), np.zeros(shape, bool)
    answers = np.full(shape, None, object)
    for number, matrix in enumerate(matrices):
        kept = [cell for cell in matrix.cells if cell.example in columns]
        at = [rows[cell.prompt_id] for cell in kept], [columns[cell.example] for cell in kept]
        scores[number][at] = [cell.score for cell in kept]
        parsed[number][at] = [cell.parsed for cell in kept]
        answers[number][at] = [cell.prediction for cell in kept]
    return scores, parsed, answers


@dataclass(frozen=True)
class Answer:
    """What a method answered; ``text`` is None where no answer could be read."""

    text: str | None
    right: bool


@dataclass(frozen=True)
class Showcase:
    """Real inputs under a few prompts, answered by two methods.

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

    Nothing is picked by hand, or by how well a method does on it: the prompts are those under which the
    second method is at its worst, in the middle and at its best, the inputs stand at a sixth, a half and five
    sixths of the order from hardest to easiest over all cells of both.

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
    rows = list(dict.fromkeys(by_accuracy[[0, len(by_accuracy) // 2, -1]].tolist()))
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


def _answer(cells: Cells, row: int, column: int) -> Answer:
    return Answer(cells.answers[0, row, column], bool(cells.scores[0, row, column] == 1))
