"""``paft predict``: what one model answers to new rows, which need no gold answer, under one prompt.

One model and one prompt of what ``paft try`` sets side by side (:mod:`paft.experiment.side_by_side`). Rows
that can be read twice are all checked before the model is loaded; then they go through it in parts, so that
memory does not grow with their number. Programs are written and never run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from paft.errors import ConfigError, DataError, expect, shown
from paft.evaluate.answers import Answer, answer_inputs
from paft.evaluate.settings import Evaluate
from paft.experiment.contenders import AdapterOnTask, Contender
from paft.experiment.side_by_side import SideBySide, try_model, try_run
from paft.methods import main_method
from paft.prompt import Prompt
from paft.schema import find_setting, nearest, parse
from paft.spreadsheet import frame_rows
from paft.task.data import file_rows
from paft.task.task import Example, Task

PART = 1024  # rows in memory at once: enough for batches of like lengths
TOLD = 3  # rows that an error names
LIKELIHOOD = ("prediction", "probability", "probabilities")
GENERATED = ("prediction", "reply")
MEANING = "prediction_text"

Row = Mapping[str, Any]
Located = tuple[str, Row]  # a row and what errors call it


class PredictConfig(AdapterOnTask):
    """One model that predicts without a run.

    Attributes:
        evaluate: Settings of stage 3.
    """

    evaluate: Evaluate = Evaluate()


@dataclass
class Predictor:
    """One model under one prompt.

    Attributes:
        side: Holds task, settings and the model.
        contender: The model.
        prompt: The prompt.
        truncated: Rows so far whose prompt lost its beginning to the limit of tokens.
    """

    side: SideBySide
    contender: Contender
    prompt: Prompt
    truncated: int = 0

    @property
    def added(self) -> tuple[str, ...]:
        """What records have besides the columns of their rows."""
        answer = self.side.task.answer
        if not answer.closed or self.side.evaluate.generate:
            return GENERATED
        letters = answer.options_field is not None and answer.rule == "choice"
        return (*LIKELIHOOD, MEANING) if letters else LIKELIHOOD

    def check(self, rows: Iterable[Located]) -> tuple[int, list[str]]:
        """Return how many rows there are, and their columns in order of appearance.

        Raises:
            DataError: If there is none, or rows cannot be predicted; the first of them are named.
        """
        columns: dict[str, None] = {}
        wrong: list[str] = []
        count = failed = 0
        for count, (where, row) in enumerate(rows, start=1):
            columns.update(dict.fromkeys(row))
            try:
                self._example(count - 1, where, row)
            except DataError as error:
                failed += 1
                wrong += [str(error)] if failed <= TOLD else []
        if not count:
            raise DataError("there are no rows to predict (the first line of a CSV names the columns)")
        if failed:
            more = f"; and {failed - TOLD} more" if failed > TOLD else ""
            raise DataError(f"{failed} of {count} rows cannot be predicted: {'; '.join(wrong)}{more}")
        return count, list(columns)

    def records(
        self, rows: Iterable[Located], on_rows: Callable[[int], None] | None = None
    ) -> Iterator[dict[str, Any]]:
        """Yield every row with what is predicted of it, in order.

        ``on_rows`` is called with the number of rows just finished.

        Raises:
            PaftError: If a row, or the model, cannot be used.
        """
        numbered = enumerate(rows)
        with self.side.models.loaded(self.contender.model, self.contender.adapter) as model:
            while part := list(islice(numbered, PART)):
                examples = [self._example(number, where, row) for number, (where, row) in part]
                answers = answer_inputs(
                    model, self.side.task, [self.prompt], examples, self.side.evaluate, self.side.max_length
                )
                for (_, (_, row)), (answer,) in zip(part, answers, strict=True):
                    self.truncated += answer.truncated
                    yield {**row, **self._told(answer)}
                if on_rows is not None:
                    on_rows(len(part))

    def _example(self, number: int, where: str, row: Row) -> Example:
        name = f"row {number + 1} ({where})" if where else f"row {number}"  # in memory as Python counts
        taken = next((column for column in self.added if column in row), None)
        if taken is not None:
            raise DataError(f"{name}: it has a column {taken!r} already, which predictions get: rename it")
        return self.side.task.unanswered(row, number, name)

    def _told(self, answer: Answer) -> dict[str, Any]:
        values = {
            "prediction": answer.text,
            "probability": answer.probability,
            "probabilities": dict(answer.probabilities),
            MEANING: answer.meaning,
            "reply": answer.reply,
        }
        return {name: values[name] for name in self.added}


def predict(
    rows: str | Path | Iterable[Row],
    *,
    run: str | Path | None = None,
    trial: str | None = None,
    prompt: str | Prompt | None = None,
    prompt_id: str | None = None,
    task: str | Path | Task | None = None,
    **settings: Any,
) -> Iterator[dict[str, Any]]:
    """Predict new rows with one model under one prompt.

    Args:
        rows: A file (CSV, TSV, JSON Lines, JSON, Parquet, Excel), a DataFrame (pandas, polars) or rows by
            column; they need no gold answer.
        run: Folder of `paft run` or `paft train`, which says itself what else is needed but a task made in
            Python.
        trial: Which trial of the run, say ``paft-1``, or ``paft`` if of one seed; its main one by default.
        prompt: The prompt, or its text with ``{field}``; the task's user prompt by default.
        prompt_id: The same by its id in the bank.
        task: A task made in Python, that of the run too; without a run also a task file or built-in name.
        settings: Without a run: those of :class:`PredictConfig`, ``model`` say.

    Returns:
        An iterator over a record for each row, in order: its columns, ``prediction`` (None where nothing
        could be read) and, under closed rules, ``probability`` of that option and ``probabilities`` of all,
        else the generated ``reply``. Letters have ``prediction_text`` too.

    Raises:
        PaftError: If something is unusable; of rows that can be read twice, before a model is loaded.
    """
    try:
        rows = frame_rows(rows)
    except ValueError as error:
        raise DataError(str(error)) from None
    if isinstance(rows, Mapping):
        raise DataError("one row alone is given: put it into a list")
    if hasattr(rows, "to_frame"):  # of a column: pandas, polars
        name = shown(getattr(rows, "name", None) or "column")
        raise DataError(
            f"a column alone is given, a {type(rows).__name__}: give a DataFrame, frame[[{name}]]"
        )
    if not isinstance(rows, (str, Path, Iterable)):
        raise DataError(f"rows must be a file, a DataFrame or rows by column, not {type(rows).__name__}")
    expect(prompt, (str, Prompt, type(None)), "the prompt")
    prompt = prompt.template if isinstance(prompt, Prompt) else prompt
    given = task if isinstance(task, Task) else None
    named = {"task": str(task)} if task is not None and given is None else {}
    predictor = open_predictor(
        None if run is None else Path(run), {**named, **settings},
        trial=trial, prompt=prompt, prompt_id=prompt_id, task=given,
    )  # fmt: skip
    if isinstance(rows, (str, Path)):
        located = file_rows(Path(rows))
        predictor.check(located)
        return predictor.records(located)
    if hasattr(rows, "__len__") and hasattr(rows, "__getitem__"):  # can be read twice
        predictor.check(_placed(rows))
    return predictor.records(_placed(rows))


def _placed(rows: Iterable[Any]) -> Iterator[Located]:
    for number, row in enumerate(rows):
        if not isinstance(row, Mapping):
            raise DataError(f"row {number} must be a dict by column, not {type(row).__name__}: {shown(row)}")
        yield "", row


def open_predictor(
    run: Path | None,
    settings: Mapping[str, Any],
    *,
    trial: str | None = None,
    prompt: str | None = None,
    prompt_id: str | None = None,
    task: Task | None = None,
) -> Predictor:
    """Find model, settings and prompt, and check them; no weights are loaded.

    Arguments are those of :func:`predict`; without a prompt it is the user prompt.

    Raises:
        PaftError: If something is missing, contradicts itself or does not fit.
    """
    if prompt is not None and prompt_id is not None:
        raise ConfigError("the prompt is given twice, as text and by its id: give one of them")
    _check_known(settings)
    if run is not None and settings:
        raise ConfigError(f"the run says itself what its {sorted(settings)[0]} is: leave that out")
    if run is None and trial is not None:
        raise ConfigError("a trial is one of a run: give the run's folder too")
    if run is None and not settings.keys() & {"model", "adapter"}:
        raise ConfigError("which model is to predict? Give the folder of a run, a model or an adapter")
    if run is None and task is None and "task" not in settings:
        raise ConfigError("which task is it? Give its file, or the folder of a run")
    typed = [] if prompt is None else [prompt]
    if run is not None:
        side = try_run(run, 0, typed, trial, task=task)
    else:
        config = parse(PredictConfig, settings, "predict")
        side = try_model(config, 0, typed, task=task, evaluate=config.evaluate)
    return Predictor(side, _main_contender(side.contenders), _chosen(side, prompt, prompt_id))


def _main_contender(contenders: Sequence[Contender]) -> Contender:
    """Return the only model, or that of the method that the run's verdict is about."""
    by_method = {each.name.partition("-")[0]: each for each in contenders}
    main = main_method(by_method) if len(contenders) > 1 else next(iter(by_method))
    if main is None:
        names = ", ".join(each.name for each in contenders)
        raise ConfigError(f"the run has several methods: choose a trial ({names})")
    return by_method[main]


def _check_known(settings: Mapping[str, Any]) -> None:
    """Refuse a keyword that nothing is called by, as for a run, of which no settings are parsed."""
    known = [*PredictConfig.model_fields, "run", "trial", "prompt", "prompt_id"]
    for name in settings:
        if name not in known and find_setting(PredictConfig, name) is None:
            raise ConfigError(f"predict: unknown key {name!r}{nearest(name, known)}")
    if unknown := {name: value for name, value in settings.items() if name not in known}:
        parse(PredictConfig, unknown, "predict")  # says where in the settings it stands


def _chosen(side: SideBySide, prompt: str | None, prompt_id: str | None) -> Prompt:
    """Return the prompt that was typed, or named, or the user prompt."""
    if prompt_id is None:
        return side.prompts[0 if prompt is None else -1].prompt
    splits = {} if side.bank is None else side.bank.splits
    known = {each.id: each for prompts in splits.values() for each in prompts}
    known |= {each.id: each for each in side.task.prompts}
    if prompt_id not in known:
        raise ConfigError(
            f"no prompt of the bank has the id {shown(prompt_id)}; it has {len(known)} prompts, the first is "
            f"{next(iter(known))}: `paft report` and the bank's file name them"
        )
    return known[prompt_id]
