"""A task: the fields of an example, how it is answered, where its data lies, the user's prompt.

An example stays structured to the end: named string fields, the gold answer, and (for closed
rules) the options it may be answered with. Nothing ever recovers a field from rendered text.

The answer rules are in :mod:`paft.task.answer`.
"""

from __future__ import annotations

import re
import string
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, get_args, overload

import numpy as np
from pydantic import BeforeValidator, Field, PrivateAttr, field_validator, model_validator

from paft.builtin import IN_PYTHON, TASKS
from paft.errors import ConfigError, DataError, PromptError, expect, share_hint, shown
from paft.files import fingerprint, read_yaml
from paft.prompt import Prompt, templates_of
from paft.schema import NAME, Schema, nearest, parse
from paft.task.answer import Answer, twins
from paft.task.data import ABSENT, ChosenRows, DataSource, Rows, read_rows
from paft.task.gold import gold_texts, why_unreadable
from paft.task.options import GoldError, NoOptionError, NullError, explain_rows, find_gold
from paft.task.repeats import divide_rows
from paft.task.replies.code_reply import CodeTests
from paft.task.values import as_list, as_text, is_missing

Split = Literal["train", "validation", "test"]
OPTIONS = "options"  # the reserved placeholder that lists an example's options
CHECKED = 10_000  # examples that are read and checked when a split is loaded
_EMPTY = "is empty: fill it in, or remove the row"
_DIVIDED: dict[str, dict[str, np.ndarray]] = {}  # rows of each split of a table, by its content


@dataclass(frozen=True)
class Example:
    """One example of a task.

    Attributes:
        index: Position in its split's data, from 0.
        fields: Text by field name.
        gold: The right answer as the model should write it.
        options: What may be answered (closed rules), in order; empty for open rules.
        option_texts: What each letter stands for, when options are given per example.
        tests: What a program is tested with (rule ``code``).
        references: Other answers that are as right as the gold one (open rules); see ``golds``.
    """

    index: int
    fields: Mapping[str, str]
    gold: str
    options: tuple[str, ...] = ()
    option_texts: tuple[str, ...] = ()
    tests: CodeTests | None = None
    references: tuple[str, ...] = ()

    @property
    def golds(self) -> tuple[str, ...]:
        """All right answers; training has the first, a reply scores against the best."""
        return self.gold, *self.references

    @cached_property
    def values(self) -> dict[str, str]:
        """What a template may refer to: the fields, and ``{options}`` when there are any."""
        if not self.options:
            return dict(self.fields)
        if self.option_texts:
            pairs = zip(self.options, self.option_texts, strict=True)
            return {**self.fields, OPTIONS: "\n".join(f"{a}. {text}" for a, text in pairs)}
        return {**self.fields, OPTIONS: ", ".join(self.options)}


class Examples(Sequence[Example]):
    """Some or all examples of a split, read from disk and checked when they are asked for.

    Args:
        read: Returns the example at a place of the split; must go through pickle, for loader
            workers that are spawned.
        places: (N,) places in the split, in the order wanted.
        digest: Hash of all that ``read`` depends on.
    """

    def __init__(self, read: Callable[[int], Example], places: np.ndarray, digest: str) -> None:
        self._read = read
        self._places = places
        self._digest = digest

    def __len__(self) -> int:
        return len(self._places)

    @overload
    def __getitem__(self, at: int) -> Example: ...
    @overload
    def __getitem__(self, at: slice) -> Examples: ...
    def __getitem__(self, at: int | slice) -> Example | Examples:
        """Read an example, or take a part without reading it.

        Raises:
            DataError: If the row does not fit the task; file and line are named.
        """
        if isinstance(at, slice):
            return self.take(range(len(self))[at])
        return self._read(int(self._places[at]))

    def take(self, numbers: Sequence[int] | np.ndarray) -> Examples:
        """Return the examples of these numbers; none is read."""
        return Examples(self._read, self._places[np.asarray(numbers, dtype=np.int64)], self._digest)

    @property
    def fingerprint(self) -> str:
        """Hash of what they are read from, to the last byte, and of which they are."""
        chosen = np.ascontiguousarray(self._places, dtype="<i8").tobytes().hex()
        return fingerprint([self._digest, chosen])


def data_fingerprint(examples: Sequence[Example]) -> str:
    """Hash examples, so that a rerun on other ones is noticed."""
    if isinstance(examples, Examples):
        return examples.fingerprint
    return fingerprint(
        [
            [e.index, dict(e.fields), e.gold, list(e.options), list(e.option_texts)]
            + ([] if e.tests is None else [asdict(e.tests)])
            + ([list(e.references)] if e.references else [])
            for e in examples
        ]
    )


class _Options(NamedTuple):
    """The options of an example, what each stands for (if they are letters), and the gold one."""

    options: tuple[str, ...]
    texts: tuple[str, ...]
    gold: str


class Task(Schema):
    """A task as written in YAML or Python.

    Attributes:
        name: Short name, used in file names and tables.
        description: One sentence: what is asked.
        fields: Description by field name; every prompt must use every field.
        answer: How it is answered.
        data: Where examples come from.
        metric: Score of one cell: ``exact_match`` (after the rule's normalisation) or, for rule
            ``text``, ``token_f1``.
        thresholds: Accuracies t of the share Top@t; the first is the one in tables.
        prompt: The user prompt, or several. The first is what method ``single`` trains on and
            what is evaluated as the user prompt; language models that write a bank are shown them all.
    """

    name: str = Field(pattern=NAME)
    description: str = ""
    fields: dict[str, str] = Field(min_length=1)
    answer: Answer
    data: DataSource
    metric: Literal["exact_match", "token_f1"] = "exact_match"
    thresholds: tuple[float, ...] = Field(default=(0.9,), min_length=1)
    prompt: Annotated[str | tuple[str, ...], BeforeValidator(templates_of)]

    _folder: Path = PrivateAttr(default=Path())

    @field_validator("fields")
    @classmethod
    def _check_fields(cls, fields: dict[str, str]) -> dict[str, str]:
        for name in fields:
            if not name.isidentifier() or name == OPTIONS:
                raise ValueError(f"{name!r} cannot be a field name: use letters, digits and _")
        return fields

    @model_validator(mode="after")
    def _check(self) -> Task:
        if any(not 0 <= t <= 1 for t in self.thresholds):
            hint = share_hint(max(self.thresholds))
            raise ValueError(f"thresholds are accuracies in [0, 1], got {self.thresholds}{hint}")
        if self.metric == "token_f1" and self.answer.rule != "text":
            raise ValueError("metric 'token_f1' needs answer rule 'text'")
        if self.answer.field in self.fields:
            raise ValueError(f"field {self.answer.field!r} is the gold answer: prompts would show it")
        hidden = [name for name in self.answer.columns[1:] if name in self.fields]
        if hidden:
            raise ValueError(f"field {hidden[0]!r} is for scoring answers: prompts do not show it")
        if self.answer.program is not None and self.answer.program.begins not in self.fields:
            raise ValueError(f"`answer.program.begins` is no field: {self.answer.program.begins!r}")
        named = [*self.fields, *self.answer.columns]
        for name in self.data.columns:
            if name not in named:
                raise ValueError(f"`data.columns` maps unknown field {name!r}{nearest(name, named)}")
        try:
            for prompt in self.prompts:
                self.check_prompt(prompt)
        except PromptError as error:
            raise ValueError(str(error)) from None
        return self

    @classmethod
    def from_yaml(cls, path: str | Path, data: str | Path | None = None) -> Task:
        """Load a task file.

        Args:
            path: The file.
            data: Folder that relative data paths are relative to; the file's own by default. For data on
                the Hub it takes the Hub's place (:meth:`paft.task.data.DataSource.in_folder`).

        Raises:
            ConfigError: If it is not a valid task (file, key and value are named).
            DataError: If the file cannot be read.
        """
        path = Path(path)
        task = parse(cls, read_yaml(path, "task"), str(path))
        if data is not None and task.data.hub is not None:
            task = task.model_copy(update={"data": task.data.in_folder(Path(data))})
        task._folder = path.parent if data is None else Path(data)
        return task

    @property
    def prompts(self) -> list[Prompt]:
        texts = (self.prompt,) if isinstance(self.prompt, str) else self.prompt
        return [Prompt(text, {"source": "task"}) for text in texts]

    @property
    def placeholders(self) -> list[str]:
        """Names a template may use."""
        return [*self.fields, *([OPTIONS] if self.answer.closed else [])]

    @property
    def required(self) -> list[str]:
        """Names a template must use."""
        return [*self.fields, *([OPTIONS] if self.answer.options_field else [])]

    def check_prompt(self, prompt: Prompt) -> None:
        """Refuse a prompt that does not fit.

        Raises:
            PromptError: If it uses an unknown placeholder or leaves a field out.
        """
        for name in prompt.placeholders:
            if name not in self.placeholders:
                raise PromptError(
                    f"prompt {prompt.id} uses {{{name}}}, which task {self.name!r} does not have"
                    + nearest(name, self.placeholders)
                )
        for name in re.findall(r"\{\{\s*(\w+)\s*\}\}", prompt.template):
            if name in self.placeholders and name not in prompt.placeholders:
                raise PromptError(
                    f"prompt {prompt.id} of task {self.name!r} has {name!r} in doubled braces, which stand "
                    f"for literal ones: write {{{name}}}"
                )
        missing = [name for name in self.required if name not in prompt.placeholders]
        if missing:
            raise PromptError(
                f"prompt {prompt.id} of task {self.name!r} lacks {{{missing[0]}}}: "
                f"{prompt.template!r} must use {', '.join('{' + name + '}' for name in self.required)}"
            )

    def examples(self, split: Split) -> Sequence[Example]:
        """Load a split.

        Up to ``CHECKED`` examples are held in memory. Of a larger split the first ``CHECKED`` are
        checked at once; each is read from disk, and checked, whenever it is asked for.

        Raises:
            ConfigError: If there is no such split.
            DataError: If the data is missing or a row does not fit; file, line and field are named.
        """
        if split not in get_args(Split):
            raise ConfigError(f"a task has no split {split!r}{nearest(str(split), list(get_args(Split)))}")
        rows = self._rows(split)
        if not len(rows):
            raise DataError(f"task {self.name!r}: split {split!r} has no examples")
        first = list(self._checked(rows, min(CHECKED, len(rows))))
        if len(rows) <= CHECKED:
            return first
        settings = {"fields": self.fields, "answer": self.answer.settings}
        digest = fingerprint([rows.digest(), settings, self.data.columns])
        return Examples(partial(self._read, rows), np.arange(len(rows)), digest)

    def place(self, split: Split, index: int) -> str:
        """Return where an example stands as errors name it, ``file:line``, by its position in the split."""
        where, _ = self._rows(split)[index]
        return str(where)

    def unanswered(self, row: Mapping[str, Any], index: int = 0, where: str | None = None) -> Example:
        """Make an example of a row that has no gold answer, whose cells can be predicted and not be scored.

        ``index`` is its number from 0, ``where`` what errors call it.

        Raises:
            DataError: If a field, or the options of the row, are missing or unusable.
        """
        where, name = where or f"input {index + 1}", self.answer.options_field
        names = [*self.fields, *([name] if name else [])]
        values = {name: self._value(row, name, where, row) for name in names}
        fields = {name: self._text(values, name, where) for name in self.fields}
        if not any(text.strip() for text in fields.values()):
            raise DataError(f"{where} is empty: give text for {', '.join(self.fields)}")
        if not self.answer.closed:
            return Example(index, fields, "")
        shown_options = self._shown(self.answer.words or self._row_options(values, where))
        return Example(index, fields, "", *shown_options)

    def _rows(self, split: Split) -> Rows:
        """Return the rows of a split; with ``data.test_share`` test rows are some of those of ``train``."""
        if self.data.test_share is None or split == "validation":
            return read_rows(self.data, split, self._folder)
        rows = read_rows(self.data, "train", self._folder)
        return ChosenRows(rows, self._divided(rows, self.data.test_share)[split]) if len(rows) else rows

    def _divided(self, rows: Rows, share: float) -> dict[str, np.ndarray]:
        """Return the places of training and test rows in a table, which is read once for both."""
        seed, by_label = self.data.seed, self.answer.words is not None
        key = fingerprint([rows.digest(), self.fields, self.answer.settings, self.data.columns, share, seed])
        if key not in _DIVIDED:
            examples = self._checked(rows, len(rows))
            _DIVIDED[key] = divide_rows(examples, len(rows), share, seed, by_label=by_label)
        return _DIVIDED[key]

    def _checked(self, rows: Rows, count: int) -> Iterator[Example]:
        """Yield the first examples; gold answers that do not fit, or empty fields, are told all at once."""
        try:
            yield from (self._read(rows, number) for number in range(count))
        except (GoldError, NullError):
            found: list[DataError] = []
            for number in range(count):
                try:
                    self._read(rows, number)
                except DataError as error:
                    found.append(error)
            raise DataError(explain_rows(found, self.answer, count)) from None

    def _read(self, rows: Rows, number: int) -> Example:
        where, row = rows[number]
        names = (*self.fields, *self.answer.columns)
        values = {name: self._value(row, name, where, rows.first_row) for name in names}
        return self._example(number, values, where)

    def _example(self, index: int, row: Mapping[str, Any], where: str) -> Example:
        """Make an example of a row's values by name of field."""
        fields = {name: self._text(row, name, where) for name in self.fields}
        program, tests = self.answer.program, None
        if program is not None:
            entry, source = (self._text(row, name, where) for name in (program.entry, program.tests))
            tests = CodeTests(fields[program.begins], entry, source)
        if self.answer.closed:
            found = self._options(row, where)
            return Example(index, fields, found.gold, found.options, found.texts, tests)
        gold, *others = self._golds(row, where)
        return Example(index, fields, gold, tests=tests, references=tuple(others))

    def _value(self, row: Mapping[str, Any], name: str, where: str, first: Mapping[str, Any]) -> Any:
        try:
            value = self.data.value(row, name, first)
        except ValueError as error:
            raise DataError(f"{where}: {self._named(name)} {error}") from None
        if value is ABSENT:
            present = ", ".join(map(shown, row)) or "nothing"
            raise DataError(
                f"{where}: {self._named(name)} is missing; the row has: {present}. "
                "Map it under `data.columns` if it has another name"
            )
        return value

    def _named(self, name: str) -> str:
        column = self.data.column(name)
        return f"field {name!r}" + ("" if column == name else f" (column {column!r})")

    def _text(self, row: Mapping[str, Any], name: str, where: str) -> str:
        try:
            return as_text(row[name])
        except ValueError as error:
            if is_missing(row[name]):
                raise NullError(f"{self._named(name)} {error}", where) from None
            raise DataError(f"{where}: {self._named(name)} {error}: correct the row") from None

    def _texts(self, row: Mapping[str, Any], name: str, where: str) -> tuple[str, ...] | None:
        """Return a list of texts, None where a row holds something else."""
        listed = as_list(row[name])
        if listed is None:
            return None
        try:
            return tuple(map(as_text, listed))
        except ValueError as error:
            raise DataError(f"{where}: an item of {self._named(name)} {error}: correct the row") from None

    def _golds(self, row: Mapping[str, Any], where: str) -> tuple[str, ...]:
        """Return the gold answer of an open rule, or several of equal right."""
        rule, name = self.answer.rule, self.answer.field
        try:
            found = gold_texts(rule, row[name])
        except ValueError as error:
            raise self._no_gold(row, where, f"{error}: correct the row") from None
        for gold in found:
            why = why_unreadable(rule, gold)
            if why is not None:
                if not gold.strip() and rule != "json":
                    raise self._no_gold(row, where, _EMPTY)
                raise GoldError(
                    f"gold answer {shown(gold)} cannot be read as {rule}, so no answer could equal it "
                    f"({why}): correct the row or the task's `answer.rule`",
                    where,
                    gold,
                )
        return found

    def _no_gold(self, row: Mapping[str, Any], where: str, why: str) -> GoldError:
        """Return the error of a row whose gold answer is empty, missing or no text."""
        value = row[self.answer.field]
        held = None if is_missing(value) else value if isinstance(value, str) else shown(value)
        return GoldError(f"{self._named(self.answer.field)} {why}", where, held)

    def _options(self, row: Mapping[str, Any], where: str) -> _Options:
        answer = self.answer
        texts = answer.words or self._row_options(row, where)
        keys = self._keys(row, len(texts), where)
        try:
            gold = as_text(row[answer.field])
        except ValueError as error:
            raise self._no_gold(row, where, f"{error}: correct the row") from None
        try:
            at = find_gold(answer, gold, texts, keys)
        except ValueError as error:
            if not gold.strip():
                raise self._no_gold(row, where, _EMPTY) from None
            unlisted = isinstance(error, NoOptionError)
            raise GoldError(f"gold answer {shown(gold)} {error}", where, gold, unlisted=unlisted) from None
        options, meanings = self._shown(texts)
        return _Options(options, meanings, options[at])

    def _shown(self, texts: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Return what may be answered, and what each letter stands for where letters are answered."""
        if self.answer.options_field is None or self.answer.rule == "label":
            return texts, ()
        return tuple(string.ascii_uppercase[: len(texts)]), texts

    def _row_options(self, row: Mapping[str, Any], where: str) -> tuple[str, ...]:
        """Return the texts of the options that a row brings."""
        name, choice = str(self.answer.options_field), self.answer.rule == "choice"
        texts = self._texts(row, name, where) or ()
        if not choice:
            _check_words(texts, where)
        if len(texts) < 2 or (choice and len(texts) > len(string.ascii_uppercase)):
            many = "2 to 26" if choice else "2 or more"
            raise DataError(f"{where}: {self._named(name)} must be a list of {many} options")
        return texts

    def _keys(self, row: Mapping[str, Any], count: int, where: str) -> tuple[str, ...] | None:
        """Return the keys of a row's options, None where the task names no column of them."""
        name = self.answer.keys_field
        if name is None:
            return None
        keys = self._texts(row, name, where)
        if keys is None or len(keys) != count:
            raise DataError(f"{where}: field {name!r} must be a list of {count} keys, one for each option")
        return keys


def _check_words(options: tuple[str, ...], where: str) -> None:
    """Refuse options of a row that cannot be answered, or not distinguished."""
    if not all(option.strip() for option in options):
        raise DataError(f"{where}: an option is blank ({', '.join(map(shown, options))}): correct the row")
    if (pair := twins(options)) is not None:
        one, other = map(shown, pair)
        raise DataError(f"{where}: options {one} and {other} are one word to a reader: correct the row")


def load_task(source: str | Path | Task, data: str | Path | None = None) -> Task:
    """Return a task from a YAML file, a built-in name (``"routing"``) or a Task itself.

    ``data`` is the folder of the task's data files, if it is not the task file's own.

    Raises:
        ConfigError: If the name is unknown or the file is no task.
    """
    expect(source, (str, Path, Task), "a task (a file, a built-in name or a Task)")
    if isinstance(source, Task):
        return source
    if str(source) in TASKS:
        return Task.from_yaml(TASKS[str(source)], data)
    path = Path(source)
    if path.suffix not in {".yaml", ".yml"} and not path.exists():
        how = f"give a YAML file or a built-in task (`paft tasks` lists them){nearest(str(source), [*TASKS])}"
        if str(source).endswith(IN_PYTHON):
            how = "it is in no file: give it as task=TASK, to paft.predict or paft.evaluate_model say"
        raise ConfigError(f"no task {str(source)!r}: {how}")
    return Task.from_yaml(path, data)
