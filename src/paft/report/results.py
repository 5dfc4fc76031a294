"""What runs, evaluations and trainings return in Python: the content of a JSON file, with frame and plot.

Both are mappings like the files, so ``results["rows"]`` is the list in ``results.json``.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from paft.errors import ConfigError, DataError, expect
from paft.report.budget import budget_table
from paft.report.folder import read_results
from paft.report.method_rows import main_split, method_rows, prompts_name, results_table
from paft.report.plot import COLOURS, LEGEND, distribution, draw_dots
from paft.report.table import percent
from paft.report.verdict import read_verdict
from paft.schema import nearest
from paft.spreadsheet import make_frame
from paft.train.grpo.rewards import RewardRecord

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from pandas import DataFrame
    from rich.console import Console

BY_PROMPT = ("prompt_id", "examples", "loss", "accuracy")  # see paft.train.loss.PromptRecord
REWARDED = ("prompt_id", *RewardRecord._fields)  # the same of reinforcement fine-tuning
TABLES = ("per_prompt", "rows", "robustness")
WIDTH = 110  # characters of a printed line


class Results(dict[str, Any]):
    """The content of ``results.json``: accuracies by prompt (``per_prompt``) and by trial (``rows``).

    Args:
        content: What is in the file.
        folder: Where it lies.
    """

    def __init__(self, content: Mapping[str, Any], folder: str | Path) -> None:
        super().__init__(content)
        self.folder = Path(folder)

    @property
    def split(self) -> str:
        """The split of the prompts: ``test``, or what was evaluated instead."""
        return main_split(self) if self["rows"] else str(self["config"]["split"])

    @cached_property
    def verdict(self) -> str:
        """Who wins on these prompts, as the report says it; the matrices in the folder are read for it."""
        self._require_all_cells("verdict")
        return read_verdict(self.folder, self)

    @property
    def cautions(self) -> list[str]:
        """What stands against the result (``findings``), then what else is to be known (``warnings``)."""
        found = [each["text"] for each in self.get("findings", ())]
        return list(dict.fromkeys([*found, *self.get("warnings", ())]))

    def frame(self, table: Literal["per_prompt", "rows", "robustness"] = "per_prompt") -> DataFrame:
        """Return a table as a pandas DataFrame; accuracies in [0, 1].

        Args:
            table: ``per_prompt`` (a row for each trial and prompt), ``rows`` (for each trial and split) or
                ``robustness`` (further figures of each trial).

        Raises:
            ConfigError: If there is no such table.
            DataError: If pandas is not installed, or the accuracies were estimated from a part of the cells.
        """
        if table not in TABLES:
            raise ConfigError(f"there is no table {table!r}{nearest(str(table), list(TABLES))}")
        self._require_all_cells("frame")
        return make_frame(self.get(table, []))

    def plot(self, ax: Axes | None = None) -> Axes:
        """Plot one dot per prompt and seed for every method, as in the report.

        Args:
            ax: Matplotlib axes to draw on; new ones of ``pyplot`` by default.

        Returns:
            The axes; ``axes.figure.savefig("plot.png")`` writes them to a file.

        Raises:
            DataError: If the accuracies were estimated from a part of the cells.
        """
        self._require_all_cells("plot")
        lines = distribution(self)
        axes = _axes(ax, (8, 0.9 + 0.8 * len(lines)))
        draw_dots(axes, lines, LEGEND.replace(" (", "\n("))  # two lines: narrow axes may be given
        return axes

    def _require_all_cells(self, what: str) -> None:
        if not self["rows"]:
            raise DataError(
                f"there is no {what} of accuracies estimated from a part of the cells (budget, precision): "
                "evaluate without them"
            )

    def __repr__(self) -> str:
        if not self["rows"]:
            made = self["budget"]
            models = made.get("models", [{"name": "mean", **made}])
            means = (f"{each['name']} {percent(each['mean']['value'])}" for each in models)
            found, prompts = f"{', '.join(means)}, estimated", made["prompts"]
        else:
            rows = method_rows(self, self.split)
            found = ", ".join(f"{row.method} {percent(row.mean)}" for row in rows)
            prompts = next(row["n_prompts"] for row in self["rows"] if row["split"] == self.split)
        return f"Results({self['task']}: {found} on {prompts_name(self, self.split, prompts)})"

    def __str__(self) -> str:
        """The table of the command line and what it warns of."""
        return self._print_table(soft_wrap=True).export_text().rstrip("\n")

    def _repr_html_(self) -> str:
        """The same for notebooks."""
        code = '<pre style="line-height: normal; font-family: monospace">{code}</pre>'
        return self._print_table().export_html(code_format=code, inline_styles=True)

    def _print_table(self, *, soft_wrap: bool = False) -> Console:
        from rich.console import Console

        console = Console(file=io.StringIO(), width=WIDTH, record=True)
        table = results_table if self["rows"] else budget_table
        console.print(table(self, self.split))
        for text in self.cautions:
            console.print(f"warning: {text}", highlight=False, markup=False, soft_wrap=soft_wrap)
        return console


class TrainRecord(dict[str, Any]):
    """The content of ``train.json``: what a training did, see :class:`paft.train.loop.Trained`."""

    def frame(self) -> DataFrame:
        """Return a row for each prompt: examples, loss and accuracy in training, or completions and rewards.

        Raises:
            DataError: If pandas is not installed.
        """
        records = self["by_prompt"].items()
        names = REWARDED if self.get("rewards") else BY_PROMPT
        return make_frame([dict(zip(names, (prompt, *record), strict=True)) for prompt, record in records])

    def plot(self, ax: Axes | None = None) -> Axes:
        """Plot the loss or reward over the optimiser steps; arguments and result as :meth:`Results.plot`."""
        axes = _axes(ax, (8, 2.6))
        curve = self.get("rewards") or self["curve"]
        axes.plot(*zip(*curve, strict=True), color=COLOURS["paft"], marker="o", markersize=2)
        axes.set_xlabel("optimiser step")
        axes.set_ylabel("reward" if self.get("rewards") else "loss")
        return axes

    def __repr__(self) -> str:
        rewards = self.get("rewards")
        told = f"reward {rewards[-1][1]:.3f}" if rewards else f"mean loss {self['loss']:.3f}"
        return f"TrainRecord({self['steps']} steps, {told}, {len(self['by_prompt'])} prompts met)"


def load_results(folder: str | Path) -> Results:
    """Return the results of a run, or of what is finished of it, from its output folder.

    Raises:
        DataError: If the folder holds no run, nothing finished, or an unreadable file.
    """
    expect(folder, (str, Path), "the folder of a run")
    return Results(read_results(Path(folder))[0], folder)


def _axes(axes: Axes | None, size: tuple[float, float]) -> Axes:
    """Return axes to draw on; pyplot's are shown by notebooks."""
    if axes is not None:
        return axes
    from matplotlib import pyplot

    new: Axes = pyplot.subplots(figsize=size, layout="constrained")[1]
    return new
