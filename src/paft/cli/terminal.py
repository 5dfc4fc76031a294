"""What verbs say on the terminal, and the codes they exit with."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

EXIT_FAILED = 1
EXIT_INPUT = 2
EXIT_INTERRUPTED = 130


def open_console(*, quiet: bool = False) -> Console:
    """Quiet the libraries and return the terminal; of several processes the first speaks for all."""
    from rich.console import Console

    from paft.evaluate.runner import processes
    from paft.progress import quiet_libraries

    quiet_libraries()
    return Console(quiet=quiet or processes()[0] > 0)


def say(console: Console, text: str, style: str | None = None) -> None:
    """Print text as it is: no markup, no highlighting, no line breaks of the terminal's width."""
    console.print(text, style=style, highlight=False, markup=False, soft_wrap=True)


def warn(console: Console, warnings: Iterable[str]) -> None:
    """Print warnings."""
    for warning in warnings:
        say(console, f"warning: {warning}", "yellow")


def warn_of_code(console: Console, allowed: bool) -> None:
    """Say what may happen where programs that a model writes are run."""
    from paft.task.programs.code_answer import WARNINGS, isolation

    if allowed:
        warn(console, [WARNINGS[isolation()]])
