"""Score every prompt on every example with one model: by likelihood, by generation, by a server."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from paft.errors import ConfigError, expect, expect_items, expect_whole, shown
from paft.evaluate.log import EvaluationLog
from paft.evaluate.matrix import Cell, Matrix
from paft.evaluate.scoring.batch_plan import Request, close_options, share_beginnings
from paft.evaluate.scoring.generation import generate_answers
from paft.evaluate.scoring.score import rounding, score_options
from paft.evaluate.scoring.server import ServedModel, as_generated
from paft.evaluate.scoring.vllm import VllmModel
from paft.model.encode import Encoder
from paft.model.load import LanguageModel
from paft.model.reply import Generated, read_answer, score_answer
from paft.prompt import Prompt
from paft.schema import nearest
from paft.task.programs.code_answer import check_opt_in
from paft.task.replies.extract import cell_score
from paft.task.task import Example, Task

AnyModel = LanguageModel | VllmModel | ServedModel  # what can be evaluated
CHOICES = ("sum", "mean")  # of log-probabilities, which decides between options


def evaluate_matrix(
    language_model: AnyModel,
    task: Task,
    prompts: Sequence[Prompt],
    examples: Sequence[Example],
    *,
    max_length: int = 1024,
    choose: str = "sum",
    batch_tokens: int = 4096,
    on_cells: Callable[[int], None] | None = None,
    log: EvaluationLog | None = None,
    chosen: np.ndarray | None = None,
    allow_code: bool = False,
    generate: bool = False,
) -> Matrix:
    """Score every prompt on every example with one loaded model.

    Args:
        language_model: The model to evaluate.
        task: Gives answer rule and metric.
        prompts: P prompts.
        examples: N examples.
        max_length: Tokens of prompt and answer at most; a server has limits of its own.
        choose: ``sum`` or ``mean`` log-probability decides between options.
        batch_tokens: Tokens per forward pass at most.
        on_cells: Called with the number of cells just finished.
        log: Keeps finished cells, so that a killed evaluation goes on where it stopped.
        chosen: Which cells to score, (P, N) of bool; all by default (:mod:`paft.statistics.budget`).
        allow_code: Whether answers that are programs may be run (:mod:`paft.task.programs.code_answer`).
        generate: Whether options are written and read as one of them
            (:func:`paft.task.replies.extract.extract_option`), not compared.

    Raises:
        ConfigError: If an argument is of another type or shape, or answers are programs and may not be run.
    """
    expect(language_model, (LanguageModel, VllmModel, ServedModel), "the model (as load_model returns it)")
    expect(task, Task, "the task")
    expect_items(prompts, Prompt, "the prompts (of a split: bank['test'])")
    expect_items(examples, Example, "the examples")
    if choose not in CHOICES:
        raise ConfigError(f"choose cannot be {choose!r}{nearest(str(choose), list(CHOICES))}")
    max_length = expect_whole(max_length, "max_length", least=1)
    batch_tokens = expect_whole(batch_tokens, "batch_tokens", least=1)
    if not len(prompts) or not len(examples):
        raise ConfigError("there is no cell to score: give one prompt and one example at least")
    ids, indices = tuple(prompt.id for prompt in prompts), tuple(example.index for example in examples)
    _check_distinct("prompt", ids)
    _check_distinct("example", indices, " (two splits number theirs alike: evaluate each by itself)")
    if chosen is not None:
        _check_chosen(chosen, (len(prompts), len(examples)))
    check_opt_in(task, allow_code)
    places = [
        (prompt, example)
        for p, prompt in enumerate(prompts)
        for i, example in enumerate(examples)
        if chosen is None or chosen[p, i]
    ]
    work = _Work(task, places, choose, batch_tokens, on_cells, log)
    if isinstance(language_model, ServedModel):
        cells = work.ask(language_model)
    elif task.answer.closed and not generate:
        cells = work.compare_options(language_model, language_model.encoder(max_length))
    else:
        cells = work.generate(language_model, language_model.encoder(max_length))
    return Matrix(ids, indices, tuple(cells))


def _check_distinct(what: str, names: Sequence[str | int], hint: str = "") -> None:
    twice = next((name for name, count in Counter(names).items() if count > 1), None)
    if twice is not None:
        raise ConfigError(f"{what} {twice} is given twice, and its cells would be one: leave one out{hint}")


def _check_chosen(chosen: np.ndarray, shape: tuple[int, int]) -> None:
    given = (getattr(chosen, "shape", None), getattr(chosen, "dtype", None))
    if given != (shape, np.bool_):
        raise ConfigError(
            f"chosen must be an array of bool of shape {shape}, prompts x examples, not {shown(chosen)}"
        )


def score_cells(
    language_model: LanguageModel,
    task: Task,
    prompts: Sequence[Prompt],
    examples: Sequence[Example],
    max_length: int,
    **settings: Any,
) -> np.ndarray:
    """Return the scores of :func:`evaluate_matrix` alone, in [0, 1], (P, N): what validation asks for."""
    return evaluate_matrix(language_model, task, prompts, examples, max_length=max_length, **settings).scores


@dataclass(frozen=True)
class _Work:
    """Cells to fill, and the three ways to fill them; fields as in :func:`evaluate_matrix`."""

    task: Task
    places: Sequence[tuple[Prompt, Example]]
    choose: str
    batch_tokens: int
    on_cells: Callable[[int], None] | None
    log: EvaluationLog | None

    @cached_property
    def rendered(self) -> list[str]:
        return [prompt.render(example.values) for prompt, example in self.places]

    def ask(self, served: ServedModel) -> list[Cell]:
        """Let a server answer; rules of every kind are read from the reply."""
        names = [f"prompt {prompt.id} on example {example.index}" for prompt, example in self.places]
        limit = self.task.answer.generation_limit
        replies = served.replies(self.rendered, names, max_tokens=limit, on_cells=self.on_cells, log=self.log)
        return [
            replace(_open_cell(self.task, *place, as_generated(reply)), context_tokens=reply.input_tokens)
            for place, reply in zip(self.places, replies, strict=True)
        ]

    def compare_options(self, model: LanguageModel | VllmModel, encoder: Encoder) -> list[Cell]:
        """Take the likeliest option."""
        encode = _OptionEncoder(encoder)
        texts = zip(self.rendered, self.places, strict=True)
        requests = [encode.request(text, example) for text, (_, example) in texts]
        if isinstance(model, VllmModel):
            scores = model.score_options(requests, on_cells=self.on_cells, log=self.log)
        else:
            whole = [
                None if cut else prompt.id
                for (prompt, _), cut in zip(self.places, encode.truncated, strict=True)
            ]
            scores = score_options(
                model.model, share_beginnings(requests, whole), pad=encoder.pad,
                batch_tokens=self.batch_tokens, on_cells=self.on_cells, log=self.log,
            )  # fmt: skip
        epsilon = rounding(model.dtype)
        return [
            replace(
                _closed_cell(self.task, *place, request, score, self.choose, epsilon),
                truncated=cut,
                context_tokens=len(request.context),
            )
            for place, request, score, cut in zip(
                self.places, requests, scores, encode.truncated, strict=True
            )
        ]

    def generate(self, model: LanguageModel | VllmModel, encoder: Encoder) -> list[Cell]:
        """Generate an answer and read it."""
        limit = self.task.answer.generation_limit
        pairs = [encoder.context(text, limit) for text in self.rendered]
        contexts = [tuple(context) for context, _ in pairs]
        if isinstance(model, VllmModel):
            answers = model.generate_answers(
                contexts, encoder, max_tokens=limit, on_cells=self.on_cells, log=self.log
            )
        else:
            answers = generate_answers(
                model.model, contexts, encoder,
                max_tokens=limit, batch_tokens=self.batch_tokens, on_cells=self.on_cells, log=self.log,
            )  # fmt: skip
        return [
            replace(_open_cell(self.task, *place, answer), truncated=cut, context_tokens=len(context))
            for place, answer, (context, cut) in zip(self.places, answers, pairs, strict=True)
        ]


class _OptionEncoder:
    """Makes requests; each set of options is tokenised once per separator, not once per cell."""

    def __init__(self, encoder: Encoder) -> None:
        self.encoder = encoder
        self.truncated: list[bool] = []  # of every request made, in order
        self._known: dict[tuple[str, tuple[str, ...]], tuple[tuple[int, ...], ...]] = {}

    def request(self, rendered: str, example: Example) -> Request:
        """Return the request of one cell and note whether its prompt was cut."""
        key = (self.encoder.separator(rendered), example.options)
        if key not in self._known:
            tokens = [tuple(self.encoder.answer(rendered, option)) for option in example.options]
            self._known[key] = close_options(tokens, self.encoder.end)
        options = self._known[key]
        context, truncated = self.encoder.context(rendered, max(map(len, options)))
        self.truncated.append(truncated)
        return Request(tuple(context), options)


def _closed_cell(
    task: Task, prompt: Prompt, example: Example, request: Request, scores: np.ndarray, choose: str,
    epsilon: float,
) -> Cell:  # fmt: skip
    divisors = np.array([len(option) if choose == "mean" else 1 for option in request.options])
    compared = scores / divisors
    best = int(np.argmax(compared))
    close = compared > compared[best] - epsilon / np.minimum(divisors, divisors[best])  # a mean's rounding
    prediction = example.options[best]
    score = cell_score(task.metric, task.answer.rule, prediction, example.gold)
    cell = Cell(prompt.id, example.index, prediction, True, score, 0, tuple(map(float, scores)))
    return replace(cell, tie=bool(close.sum() > 1))


def _open_cell(task: Task, prompt: Prompt, example: Example, answer: Generated) -> Cell:
    prediction = read_answer(task, example, answer)
    return Cell(
        prompt.id, example.index, prediction, prediction is not None,
        score_answer(task, example, prediction), answer.tokens, (),
        cut=answer.cut, withheld=answer.withheld, sampled=answer.sampled, reply=answer.text,
    )  # fmt: skip
