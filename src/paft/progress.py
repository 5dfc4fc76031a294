"""Progress of a run: a live bar in a terminal, a plain line now and then elsewhere."""

from __future__ import annotations

import os
import time
import warnings
from datetime import timedelta
from logging import ERROR, getLogger
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

LINE_EVERY = 15.0  # seconds between lines where there is no terminal


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
    # bitsandbytes asks for a package that would fetch a kernel from the Hub, which `keep_layout` never uses
    getLogger("bitsandbytes.backends.cpu.ops").setLevel(ERROR)


class Reporter:
    """Hears how the trials of a run go on; this one tells nobody."""

    def stage(self, trial: str, what: str, total: int) -> None:
        """A stage of ``total`` units begins."""

    def advance(self, count: int, note: str = "") -> None:
        """So many more units are done."""

    def finish(self, trial: str, text: str) -> None:
        """A trial is done, now or in a former run."""


class Live(Reporter):
    """Shows the current stage as a bar, and a line for each finished trial; a context manager."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=30),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"),
            console=console,
            disable=not console.is_terminal,
        )
        self._bar: TaskID | None = None
        self._title, self._total, self._done, self._note = "", 0, 0, ""
        self._last_line = self._began = 0.0

    def __enter__(self) -> Live:
        self.bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.bars.stop()

    def stage(self, trial: str, what: str, total: int) -> None:
        self._title, self._total, self._done, self._note = f"{trial}: {what}", total, 0, ""
        self._began = time.monotonic()
        if self._bar is not None:
            self.bars.remove_task(self._bar)
        self._bar = self.bars.add_task(self._title, total=total, note="")
        self._line("started")

    def advance(self, count: int, note: str = "") -> None:
        self._done += count
        if self._bar is not None:
            self.bars.update(self._bar, advance=count, note=note or self._note)
            self._note = note or self._note
        if time.monotonic() - self._last_line > LINE_EVERY:
            self._line(f"{self._done}/{self._total} {note}".rstrip() + self._left())

    def finish(self, trial: str, text: str) -> None:
        self.console.print(f"{trial}: {text}", highlight=False, markup=False, soft_wrap=True)

    def _left(self) -> str:
        """Say how long the rest of the stage takes at the pace so far."""
        if not 0 < self._done < self._total:
            return ""
        seconds = (time.monotonic() - self._began) / self._done * (self._total - self._done)
        return f", {timedelta(seconds=round(seconds))} left"

    def _line(self, text: str) -> None:
        if not self.console.is_terminal:
            self._last_line = time.monotonic()
            self.console.print(f"{self._title}: {text}", highlight=False, markup=False, soft_wrap=True)
