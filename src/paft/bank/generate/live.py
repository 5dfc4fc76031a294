"""What a terminal shows while language models write prompts, and the table at the end."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import astuple

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from paft.bank.generate.generators import Generators
from paft.bank.generate.meta_prompts import STRATEGIES
from paft.bank.generate.outcome import Generated, Tally
from paft.bank.generate.run import Reporter
from paft.bank.screen import Screened
from paft.task.task import Task


class LiveCalls(Reporter):
    """Counts replies, templates, retries and failures per model; a context manager.

    In a terminal the table is redrawn as replies come; elsewhere each reply is a line.
    """

    def __init__(self, console: Console, task: Task, generators: Generators) -> None:
        self.console = console
        self.asked = {
            g.name: sum(generators.wanted(g, strategy) for strategy in STRATEGIES)
            for g in generators.generators
        }
        self.counts: dict[str, Counter[str]] = defaultdict(Counter)
        self.reasons: dict[str, str] = {}
        self._live = Live(self._table(), console=console, refresh_per_second=4, transient=True)

    def __enter__(self) -> LiveCalls:
        if self.console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._live.stop()

    def called(self, generator: str, candidates: int, tokens: int) -> None:
        self.counts[generator].update(replies=1, templates=candidates, tokens=tokens)
        self._tell(f"{generator}: {candidates} templates, {tokens} tokens")

    def retried(self, generator: str, why: str, wait: float) -> None:
        self.counts[generator].update(retries=1)
        self.reasons[generator] = why
        self._tell(f"{generator}: {why}; again in {wait:.1f} s")

    def failed(self, generator: str, why: str) -> None:
        self.reasons[generator] = f"failed: {why}"
        self._tell(f"{generator}: failed: {why}")

    def _tell(self, line: str) -> None:
        if self.console.is_terminal:
            self._live.update(self._table())
        else:
            self.console.print(line, highlight=False, markup=False, soft_wrap=True)

    def _table(self) -> Table:
        table = Table(
            "model", "replies", "templates", "asked for", "tokens", "retries", "last trouble", box=None
        )
        for name, asked in self.asked.items():
            counts = self.counts[name]
            cells = (counts["replies"], counts["templates"], asked, counts["tokens"], counts["retries"])
            table.add_row(name, *map(str, cells), Text(self.reasons.get(name, "")))  # an endpoint's words
        return table


def tally_table(made: Generated, screened: Screened) -> Table:
    """Return a table of what each model was asked for, wrote and cost, and what screening kept of it."""
    kept = Counter(str(prompt.provenance.get("generator")) for prompt in screened.kept)
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("model", overflow="fold")
    for column in ("asked", "written", "kept", "replies", "too few", "tokens in", "out", "cost $"):
        table.add_column(column, justify="right")
    for name, tally in made.tallies.items():
        table.add_row(name, *_cells(tally, kept[name]))
    all_together = Tally(*map(sum, zip(*map(astuple, made.tallies.values()), strict=True)))
    table.add_row("all", *_cells(all_together, len(screened.kept)), style="bold")
    return table


def _cells(tally: Tally, kept: int) -> list[str]:
    counts = (tally.asked, tally.candidates, kept, tally.replies, tally.broken)
    return [*map(str, (*counts, tally.input_tokens, tally.output_tokens)), f"{tally.cost:.4f}"]


def remarks(made: Generated, screened: Screened) -> list[str]:
    """Return lines on each model of which something was left out or not taken, or that wrote no template."""
    why: dict[str, Counter[str]] = defaultdict(Counter)
    for rejection in screened.rejected:
        why[str(rejection.provenance.get("generator"))][rejection.reason] += 1
    lines = []
    for name, tally in made.tallies.items():
        if tally.replies and not tally.candidates:
            lines.append(f"{name}: none of its {tally.replies} replies holds a template")
        elif why[name]:
            reasons = ", ".join(f"{reason} {count}" for reason, count in why[name].most_common())
            lines.append(f"{name}: {why[name].total()} of {tally.candidates} left out: {reasons}")
        if tally.left_out:
            lines.append(
                f"{name}: {tally.left_out} more not taken: repeats within a call, or more than asked for"
            )
    return lines
