"""``paft predict``: new rows under a prompt of choice, with the label and the probability of each option."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from paft.cli import options
from paft.cli.terminal import open_console, say, warn

if TYPE_CHECKING:
    from paft.experiment.predict import Predictor

SHOWN = 8  # predictions that are counted by name

# Without the defaults that they have elsewhere: which model predicts on which task has to be said.
Task = Annotated[
    str | None,
    typer.Option(
        help="Task file or name (`paft tasks` lists them), needed without --run; by default that of the run.",
        metavar="TASK",
    ),
]
Model = Annotated[
    str | None,
    typer.Option(help="Model folder, Hub id, or 'tiny'; of an adapter by default its base.", metavar="MODEL"),
]


def predict(
    rows: Annotated[
        str,
        typer.Argument(
            metavar="FILE",
            show_default=False,
            help="Rows to predict (CSV, TSV, JSON Lines, Parquet, Excel); a gold column is not needed. "
            "Without it, or with -, standard input: JSON Lines, or CSV with a header.",
        ),
    ] = "-",
    run: Annotated[
        Path | None,
        typer.Option(
            help="Folder of `paft run` or `paft train`; by default none: then give --adapter or --model."
        ),
    ] = None,
    trial: Annotated[
        str | None,
        typer.Option(
            help="Which trial of a run, say paft-1, or single if of one seed; by default its main one."
        ),
    ] = None,
    task: Task = None,
    data: options.Data = None,
    bank: options.Bank = None,
    model: Model = None,
    revision: options.Revision = None,
    trust_remote_code: options.Trust = None,
    adapter: options.Adapter = None,
    any_base: options.AnyBase = None,
    prompt: Annotated[
        str | None, typer.Option(help="The prompt, with {field}; by default the task's user prompt.")
    ] = None,
    prompt_id: Annotated[
        str | None, typer.Option(help="Id of a prompt of the bank, in place of --prompt; none by default.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option(help="File to write (.csv or .jsonl); by default standard output.")
    ] = None,
    format: Annotated[
        Literal["csv", "jsonl"] | None,
        typer.Option(help="By default as the output is named, else csv, of rows in JSON jsonl."),
    ] = None,
    chat: options.Chat = None,
    system: options.System = None,
    set_: options.SetOfEvaluation = None,
) -> None:
    """Predict new rows: the answer and the probability of every option, or what a model writes.

    Example: paft predict new.csv --run runs/tickets --output predicted.csv

    Docs: docs/evaluate.md
    """
    given = {**locals(), "output": None}  # a file here, no folder of results
    from rich.console import Console

    from paft.config import merged
    from paft.errors import ConfigError
    from paft.experiment.predict import open_predictor
    from paft.experiment.prediction_file import STDIN, choose_format, open_rows, write_predictions
    from paft.progress import Live

    open_console()
    console = Console(stderr=True)  # standard output is for the predictions
    if rows == STDIN and sys.stdin.isatty():
        raise ConfigError("what is to be predicted? Give a file, or pipe rows in")
    kind = choose_format(rows, output, format)
    settings = merged({}, options.overrides(given))
    typed = None if prompt is None else options.line_breaks(prompt)
    predictor = open_predictor(run, settings, trial=trial, prompt=typed, prompt_id=prompt_id)
    counts: Counter[str] = Counter()
    with open_rows(rows) as found, Live(console) as live:
        count, columns = predictor.check(found)
        live.stage(predictor.contender.name, "predict", count)
        records = _counted(predictor.records(found, live.advance), counts)
        write_predictions(output, kind, predictor.side.task, columns, predictor.added, records)
    _tell(console, predictor, counts, output)


def _counted(records: Iterator[dict[str, Any]], counts: Counter[str]) -> Iterator[Mapping[str, Any]]:
    for record in records:
        counts["(no answer)" if record["prediction"] is None else record["prediction"]] += 1
        yield record


def _tell(console: Any, predictor: Predictor, counts: Counter[str], output: Path | None) -> None:
    if predictor.truncated:
        warn(console, [f"{predictor.truncated} prompts were cut to the model's length"])
    if output is None:
        return
    told = f"{output}: {counts.total()} rows"
    if predictor.side.task.answer.closed:
        most = ", ".join(f"{name} {count}" for name, count in counts.most_common(SHOWN))
        told += f": {most}" + (", ..." if len(counts) > SHOWN else "")
    elif counts["(no answer)"]:
        told += f", {counts['(no answer)']} without a readable answer"
    say(console, told)
