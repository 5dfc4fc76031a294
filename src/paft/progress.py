"""Progress of a run: a live bar in a terminal, a plain line now and then in notebooks, pipes and files."""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import wraps
from logging import ERROR, getLogger
from types import NoneType, TracebackType
from typing import Any, ParamSpec, TypeVar

from rich.cells import cell_len
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    Task,
    TaskID,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Column, Table
from rich.text import Text

from paft.errors import expect

LINE_EVERY = 30.0  # seconds between lines where there is no terminal
SHORTEST_BAR, LONGEST_BAR, SHORTEST_TITLE = 10, 30, 20  # characters, as far as a terminal has room
P = ParamSpec("P")
R = TypeVar("R")


def quiet_libraries() -> None:
    """Silence what libraries print while they load; their errors still come through as exceptions."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    warnings.filterwarnings("ignore", category=FutureWarning, module=r"(transformers|peft|accelerate)\.")
    # Of a base that is no folder (a GGUF file) peft cannot tell whether embeddings were added; none are here.
    warnings.filterwarnings("ignore", message="Could not find a config file", module=r"peft\.")
    from transformers.utils import logging

    library: Any = logging
    library.set_verbosity_error()
    library.disable_progress_bar()
    getLogger("huggingface_hub").setLevel(ERROR)  # it tells of every attempt to reach the Hub


@contextmanager
def quiet() -> Iterator[None]:
    """Silence what Hugging Face's libraries print, bars included, and let them speak again afterwards."""
    from transformers.utils import logging

    library: Any = logging
    level, bars = library.get_verbosity(), library.is_progress_bar_enabled()
    hub = getLogger("huggingface_hub")
    hub_level = hub.level
    with warnings.catch_warnings():
        quiet_libraries()
        try:
            yield
        finally:
            library.set_verbosity(level)
            hub.setLevel(hub_level)
            if bars:
                library.enable_progress_bar()


def speaking(function: Callable[P, R]) -> Callable[P, R]:
    """Let a function speak by its second argument: a bar in a terminal, plain lines elsewhere.

    That is its ``reporter``; a caller who gives one, ``Reporter()`` for silence, is left alone. What a script
    prints is its own, so where that goes to no terminal the lines go to standard error.
    """

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        given = args[1] if len(args) > 1 else kwargs.get("reporter")
        expect(given, (Reporter, NoneType), "the reporter")
        if given is not None:
            return function(*args, **kwargs)
        if os.environ.get("RANK", "0") != "0":  # of several processes the first speaks for all
            with quiet():
                return function(*args, **kwargs)
        console = Console()
        if console.is_jupyter:  # plain lines, for bars would need widgets
            console = Console(force_jupyter=False, force_terminal=False)
        elif not console.is_terminal:
            console = Console(stderr=True)
        with quiet(), Live(console) as live:
            return function(*args[:1], **{**kwargs, "reporter": live})  # type: ignore[arg-type]

    return call


class Reporter:
    """Hears how the trials of a run go on; this one tells nobody."""

    def stage(self, trial: str, what: str, total: int) -> None:
        """A stage of ``total`` units begins."""

    def advance(self, count: int, note: str = "") -> None:
        """So many more units are done."""

    def tell(self, text: str) -> None:
        """Something within the stage is worth a line."""

    def finish(self, trial: str, text: str) -> None:
        """A trial is done, now or in a former run."""


class _Bars(Progress):
    """Stages as lines that fit into the terminal; its columns are the counters, which never give way."""

    def get_renderables(self) -> Iterable[Table]:
        """Yield a line for each stage."""
        yield from map(self._fit, self.tasks)

    def _fit(self, task: Task) -> Table:
        """Return title, bar, counters and note; the end of the note gives way first, then the bar."""
        counters: list[Any] = [column(task) for column in self.columns if not isinstance(column, str)]
        room = self.console.width - sum(each.cell_len + 1 for each in counters) - 1
        title, notes = Text(task.description), task.fields["note"].split(", ")
        while len(notes) > 1 and room - title.cell_len - cell_len(", ".join(notes)) <= SHORTEST_BAR:
            notes.pop()
        note = Text(", ".join(notes))
        title.truncate(max(room - note.cell_len, min(room - 1, SHORTEST_TITLE), 1), overflow="ellipsis")
        note.truncate(max(room - title.cell_len, 1), overflow="ellipsis")
        bar = min(room - title.cell_len - note.cell_len - 1, LONGEST_BAR)
        cells = [title, *([BarColumn(bar).render(task)] if bar > 0 else []), *counters, note]
        line = Table.grid(*(Column(no_wrap=True) for _ in cells), padding=(0, 1))
        line.add_row(*cells)
        return line


class Live(Reporter):
    """Shows the current stage as a bar, and a line for each finished trial; a context manager."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.bars = _Bars(
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=console,
            disable=not console.is_terminal,
            speed_estimate_period=3600,  # a step may take minutes
        )
        self._bar: TaskID | None = None
        self._title, self._total, self._done, self._note = "", 0, 0, ""
        self._last_line = 0.0
        self._first: tuple[float, int] | None = None  # when a stage's first units were done, and how many

    def __enter__(self) -> Live:
        self.bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.bars.stop()

    def stage(self, trial: str, what: str, total: int) -> None:
        self._title, self._total, self._done, self._note = f"{trial}: {what}", total, 0, ""
        self._first = None
        if self._bar is not None:
            self.bars.remove_task(self._bar)
        self._bar = self.bars.add_task(self._title, total=total, note="")
        self._line("started")

    def advance(self, count: int, note: str = "") -> None:
        self._done += count
        if count and self._first is None:  # before them, a model was loaded or a former run found
            self._first = time.monotonic(), self._done
        if self._bar is not None:
            self.bars.update(self._bar, advance=count, note=note or self._note)
            self._note = note or self._note
        if time.monotonic() - self._last_line > LINE_EVERY:
            self._line(f"{self._done}/{self._total} {note}".rstrip() + self._left())

    def tell(self, text: str) -> None:
        """Print a line of its own, above the bar."""
        self.console.print(f"{self._title}: {text}", highlight=False, markup=False, soft_wrap=True)

    def finish(self, trial: str, text: str) -> None:
        self.console.print(f"{trial}: {text}", highlight=False, markup=False, soft_wrap=True)

    def _left(self) -> str:
        """Say how long the rest of the stage takes at the pace so far."""
        began, before = self._first or (0.0, self._done)
        if not before < self._done < self._total:
            return ""
        seconds = (time.monotonic() - began) / (self._done - before) * (self._total - self._done)
        return f", {timedelta(seconds=round(seconds))} left"

    def _line(self, text: str) -> None:
        if not self.console.is_terminal:
            self._last_line = time.monotonic()
            self.console.print(f"{self._title}: {text}", highlight=False, markup=False, soft_wrap=True)
