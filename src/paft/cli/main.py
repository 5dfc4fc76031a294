"""The app: its verbs, and how errors and interrupts end it."""

from __future__ import annotations

import errno
import sys
from collections.abc import Callable
from typing import Annotated

import typer

from paft.cli.bank import bank_app
from paft.cli.command import App
from paft.cli.config import config
from paft.cli.evaluate import evaluate
from paft.cli.export import export
from paft.cli.grid import grid
from paft.cli.init import init
from paft.cli.predict import predict
from paft.cli.report import report
from paft.cli.run import run
from paft.cli.show import show_app
from paft.cli.tasks import tasks
from paft.cli.terminal import EXIT_INPUT, EXIT_INTERRUPTED
from paft.cli.train import train
from paft.cli.try_ import try_
from paft.errors import PaftError

app = App(
    name="paft", pretty_exceptions_enable=False, context_settings={"help_option_names": ["--help", "-h"]}
)
app.add_typer(bank_app, name="bank")
app.add_typer(show_app, name="show")
for verb in (init, tasks, run, train, evaluate, predict, grid, report, export, config):
    app.command()(verb)
app.command("try")(try_)


def _version(asked: bool) -> None:
    if asked:
        from paft import __version__

        typer.echo(f"paft {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Prompt-agnostic fine-tuning: models that keep their accuracy when the prompt changes.

    Example: paft run

    Docs: docs/start.md for data of your own, docs/quickstart.md for all the rest
    """


def main() -> None:
    """Entry point: turns errors a user can cause into one message and exit code 2."""
    sys.exit(guarded(lambda: app(standalone_mode=True)))


def guarded(command: Callable[[], object]) -> int:
    """Run a command and return its exit code."""
    code = 0
    try:
        command()
    except PaftError as error:
        typer.echo(f"paft: error: {error}", err=True)
        code = EXIT_INPUT
    except KeyboardInterrupt:
        code = EXIT_INTERRUPTED
    except OSError as error:  # even to ask whether such a file exists fails
        if error.errno != errno.ENAMETOOLONG:
            raise
        typer.echo(f"paft: error: a name is too long for a file: {str(error.filename)[:200]}", err=True)
        code = EXIT_INPUT
    except SystemExit as exit_:  # typer ends this way, after an interrupt too
        code = exit_.code if isinstance(exit_.code, int) else int(exit_.code is not None)
    if code == EXIT_INTERRUPTED:
        typer.echo(
            "\npaft: interrupted; finished parts are kept, run the same command again to resume", err=True
        )
    return code


if __name__ == "__main__":
    main()
