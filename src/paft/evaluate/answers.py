"""What one model answers to inputs without a gold answer, prompt by prompt: cells read for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from paft.evaluate.cells import evaluate_matrix
from paft.evaluate.matrix import Cell
from paft.evaluate.settings import Evaluate
from paft.model.load import LanguageModel
from paft.prompt import Prompt
from paft.task.task import Example, Task


@dataclass(frozen=True)
class Answer:
    """What a model answers under one prompt.

    Attributes:
        text: The option, or what was read from the generated reply; None if nothing could be read.
        probabilities: Of every option among all options, in [0, 1]; empty where the answer was generated.
        meaning: What a letter stands for.
        truncated: Whether the prompt lost its beginning to the limit of tokens.
        reply: What was generated; None where options were compared.
    """

    text: str | None
    probabilities: Mapping[str, float] = field(default_factory=dict)
    meaning: str | None = None
    truncated: bool = False
    reply: str | None = None

    @property
    def probability(self) -> float | None:
        """Of the answer among all options; None where it was generated."""
        return self.probabilities.get(self.text) if self.text is not None else None


def answer_inputs(
    model: LanguageModel,
    task: Task,
    prompts: Sequence[Prompt],
    inputs: Sequence[Example],
    settings: Evaluate,
    max_length: int,
) -> list[list[Answer]]:
    """Return a model's answers under P prompts, a list of P for each input.

    Nothing is scored, and programs are not run: the inputs have neither gold answers nor tests.
    """
    matrix = evaluate_matrix(
        model, task, prompts, inputs,
        max_length=max_length, choose=settings.choose, batch_tokens=settings.batch_tokens,
        allow_code=True, generate=settings.generate,
    )  # fmt: skip
    cells = {(cell.prompt_id, cell.example): cell for cell in matrix.cells}
    return [[_answer(cells[prompt.id, each.index], each) for prompt in prompts] for each in inputs]


def _answer(cell: Cell, example: Example) -> Answer:
    at = example.options.index(cell.prediction) if cell.prediction in example.options else None
    meaning = example.option_texts[at] if at is not None and example.option_texts else None
    if not cell.log_probabilities:
        return Answer(cell.prediction, {}, meaning, cell.truncated, cell.reply)
    scores = np.array(cell.log_probabilities)
    shares = np.exp(scores - scores.max())
    shares /= shares.sum()
    probabilities = dict(zip(example.options, map(float, shares), strict=True))
    return Answer(cell.prediction, probabilities, meaning, cell.truncated)
