"""Everything a report shows, gathered once; the formats only lay it out."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from paft.evaluate.rows import guess_levels
from paft.report.cells import (
    Cells,
    Diagnosis,
    Failure,
    LabelFigures,
    Showcase,
    choose_showcase,
    diagnose,
    estimable,
    figures_by_label,
    gather_cells,
    worst_examples,
)
from paft.report.findings import Finding, list_findings
from paft.report.folder import Trained, read_examples, read_matrices, read_results, read_trained
from paft.report.method_rows import (
    MethodRow,
    compared_pair,
    generated_cells,
    main_split,
    method_rows,
    prompts_name,
    with_readable_threshold,
)
from paft.report.table import OUTSIDE
from paft.report.verdict import PairDifference, pair_differences, verdict
from paft.statistics.comparison import Estimate, estimate
from paft.statistics.summary import cvar
from paft.task.task import OPTIONS, Example

if TYPE_CHECKING:
    from paft.evaluate.matrix import Matrix

WORST = 5  # prompts a method in a table of worst ones
INTERVALS = (
    "For mean and std they say what other prompts and examples like these would give, for the other figures "
    "what more examples would give under these prompts. With few examples accuracies scatter by luck: std, "
    "worst and best come out too extreme, so all intervals but the mean's take this luck out, and a figure "
    f"that then lies outside its interval has a {OUTSIDE}."
)

Curves = Mapping[str, Sequence[Sequence[tuple[int, float]]]]
Matrices = Mapping[tuple[str, int | None, str], "Matrix"]


@dataclass(frozen=True)
class Measured:
    """What the figures are about.

    Attributes:
        task: Name of the task.
        model: What was evaluated, or what training began from.
        split: The prompts' split.
        prompts: Number of prompts.
        named: That number with what prompts they are.
        examples: Number of examples.
        seeds: Training seeds; none for models that are not trained.
        threshold: t of Top@t.
        bank: Fingerprint of the bank.
    """

    task: str
    model: str
    split: str
    prompts: int
    named: str
    examples: int
    seeds: tuple[int, ...]
    threshold: float
    bank: str

    @property
    def size(self) -> str:
        """How many prompts, and examples where a table from elsewhere has them."""
        by_example = f" x {self.examples} examples" if self.examples else ""
        return self.named + by_example


@dataclass(frozen=True)
class MethodFigures:
    """One method; figures are means over seeds.

    Attributes:
        row: The figures that every run has.
        cvar: Mean accuracy of the worst 10 % of the prompts.
        estimates: By statistic, with intervals; empty where the cells are not there or too few.
        robustness: Further figures, one mapping a seed (:class:`paft.evaluate.rows.Robustness`).
        cells: The cells, None where they are not there.
    """

    row: MethodRow
    cvar: float
    estimates: Mapping[str, Estimate]
    robustness: tuple[Mapping[str, Any], ...]
    cells: Cells | None

    def interval(self, statistic: str) -> tuple[float, float] | tuple[None, None]:
        """Return both ends of the interval of a statistic; None twice without an estimate."""
        found = self.estimates.get(statistic)
        return (None, None) if found is None else (found.interval.low, found.interval.high)

    def further(self, name: str) -> float | None:
        """Return a robustness figure averaged over seeds; None where it is undefined."""
        known = [figures[name] for figures in self.robustness if figures.get(name) is not None]
        return float(np.mean(known)) if known else None


@dataclass(frozen=True)
class PromptFigures:
    """One prompt under every method.

    Attributes:
        id: Its content hash.
        text: The template.
        lists_options: Whether it names the options that an answer is chosen from.
        accuracy: By method, mean over seeds, in [0, 1].
        diagnosis: By method, where its cells are there.
        failures: Its worst examples by method, likewise.
    """

    id: str
    text: str
    lists_options: bool
    accuracy: Mapping[str, float]
    diagnosis: Mapping[str, Diagnosis]
    failures: Mapping[str, Sequence[Failure]]


@dataclass(frozen=True)
class Report:
    """Everything a report shows.

    Attributes:
        results: The content of ``results.json``, or what there is of it yet.
        measured: What the figures are about.
        headline: Who wins, in a sentence; where PAFT is not compared, how the best method does.
        methods: In order of first appearance.
        prompts: Hardest first for the method PAFT is compared with.
        examples: By index; empty where the task's data is out of reach.
        unfinished: Names of cells that are planned and not finished.
        curves: (Optimiser step, loss) over training by method, a list a seed; empty where not recorded. Of
            reinforcement fine-tuning (step, mean reward).
        measure: What the curves are of: ``loss`` or ``reward``.
        findings: What stands against the figures, the gravest first.
        labels: The examples of each right answer apart; empty where options differ or texts are out of reach.
        showcase: Real inputs under a few prompts; None where they cannot be shown.
        differences: Every two methods, one minus the other; empty where the cells are not there or too few.
    """

    results: Mapping[str, Any]
    measured: Measured
    headline: str
    methods: tuple[MethodFigures, ...]
    prompts: tuple[PromptFigures, ...]
    examples: Mapping[int, Example]
    unfinished: tuple[str, ...] = ()
    curves: Curves = field(default_factory=dict)
    measure: str = "loss"
    findings: tuple[Finding, ...] = ()
    labels: tuple[LabelFigures, ...] = ()
    showcase: Showcase | None = None
    differences: tuple[PairDifference, ...] = ()

    @property
    def sampled(self) -> str:
        """Which cells were generated besides the comparison of options, in words; empty where none were."""
        count = generated_cells(self.results, self.measured.split)
        return f"{count} cells whose answers were generated too" if count else ""

    @property
    def answered(self) -> bool:
        """Whether there are cells and their answers are known, so that failures have a reason."""
        return any(method.cells is not None and method.cells.answered for method in self.methods)


def read_report(folder: Path) -> Report:
    """Gather the report of a run from its folder.

    Raises:
        DataError: If the folder holds no run, nothing finished, or an unreadable file.
    """
    results, unfinished = read_results(folder)
    matrices = read_matrices(folder, results)
    shown = {index for key, matrix in matrices.items() if key[2] != "user" for index in matrix.examples}
    examples = read_examples(folder, sorted(shown))
    return gather(results, matrices, examples, unfinished, read_trained(folder, results))


def gather(
    results: Mapping[str, Any],
    matrices: Matrices | None = None,
    examples: Sequence[Example] = (),
    unfinished: tuple[str, ...] = (),
    trained: Trained | None = None,
    keep_threshold: bool = False,
) -> Report:
    """Gather a report.

    Args:
        results: The content of ``results.json``.
        matrices: By (method, seed, split), as far as there are any.
        examples: The examples behind the cells, if they can be had.
        unfinished: Names of cells that are planned and not finished.
        trained: What the trainings recorded, by (method, seed), as far as they did.
        keep_threshold: Show Top@t at the task's t even where no prompt is above it.
    """
    split = main_split(results)
    if results.get("levels") is None:  # of a run of an earlier version, or of an unfinished one
        levels = guess_levels(examples)
        results = results if levels is None else {**results, "levels": levels}
    scaled = results if keep_threshold else with_readable_threshold(results, split)
    methods = tuple(_method(scaled, row, split, matrices or {}) for row in method_rows(scaled, split))
    texts = {example.index: example for example in examples}
    options = examples[0].options if len(examples) else ()
    cells = {method.row.method: method.cells for method in methods}
    return Report(
        results=results,
        measured=_measured(scaled, split),
        headline=verdict(results, cells),
        methods=methods,
        prompts=tuple(_prompts(results, split, methods, options)),
        examples=texts,
        unfinished=unfinished,
        curves=_curves(trained or {}),
        measure="reward" if any(record.get("rewards") for record in (trained or {}).values()) else "loss",
        findings=tuple(list_findings(results, cells, trained or {})),
        labels=figures_by_label(cells, texts),
        showcase=_showcase(methods, texts, results.get("compared")) if texts else None,
        differences=pair_differences(cells),
    )


def lists_options(template: str, options: Sequence[str]) -> bool:
    """Whether a template names all options, or has the placeholder that does.

    >>> [lists_options(text, ["yes", "no"]) for text in ("{text} Yes or no?", "{text} Is it true?")]
    [True, False]
    """
    if f"{{{OPTIONS}}}" in template:
        return True
    return len(options) > 1 and all(
        re.search(rf"(?<!\w){re.escape(option)}(?!\w)", template, re.IGNORECASE) for option in options
    )


def worst_prompts(report: Report, limit: int = WORST) -> list[tuple[str, list[PromptFigures]]]:
    """Return each method's worst prompts, for the methods whose cells are there."""
    found = []
    for method in report.methods:
        name = method.row.method
        known = [prompt for prompt in report.prompts if name in prompt.diagnosis]
        if known:
            found.append((name, sorted(known, key=lambda prompt: prompt.accuracy[name])[:limit]))
    return found


def _measured(results: Mapping[str, Any], split: str) -> Measured:
    rows = [row for row in results["rows"] if row["split"] == split]
    return Measured(
        task=results["task"],
        model=results["model"],
        split=split,
        prompts=rows[0]["n_prompts"],
        named=prompts_name(results, split, rows[0]["n_prompts"]),
        examples=rows[0]["n_examples"],
        seeds=tuple(dict.fromkeys(row["seed"] for row in rows if row["seed"] is not None)),
        threshold=rows[0]["top_threshold"],
        bank=results["bank_fingerprint"],
    )


def _method(results: Mapping[str, Any], row: MethodRow, split: str, matrices: Matrices) -> MethodFigures:
    by_seed: dict[int | None, list[float]] = {}
    for entry in results["per_prompt"]:
        if (entry["method"], entry["split"]) == (row.method, split):
            by_seed.setdefault(entry["seed"], []).append(entry["accuracy"])
    threshold = _measured(results, split).threshold
    figures = [
        entry
        for entry in results.get("robustness", [])
        if (entry["method"], entry["split"]) == (row.method, split)
    ]
    worst = float(np.mean([cvar(values) for values in by_seed.values()]))
    cells = gather_cells(matrices, row.method, split)
    return MethodFigures(row, worst, _estimates(cells, threshold), tuple(figures), cells)


def _estimates(cells: Cells | None, threshold: float) -> Mapping[str, Estimate]:
    """Return every estimate there are enough scored cells for (see :func:`estimate`)."""
    names = estimable(cells)
    if cells is None or not names:
        return {}
    found = estimate(cells.scores, names, threshold=threshold)
    return {str(name): each for name, each in found.items()}


def _curves(trained: Trained) -> Curves:
    """Return (step, loss or reward) over training by method, a list a seed."""
    found: dict[str, list[Sequence[tuple[int, float]]]] = {}
    for (method, _), record in trained.items():
        curve = record.get("rewards") or record["curve"]
        if curve:
            found.setdefault(method, []).append(curve)
    return found


def _showcase(
    methods: Sequence[MethodFigures], examples: Mapping[int, Example], compared: Sequence[str] | None
) -> Showcase | None:
    pair = compared_pair([method.row for method in methods], compared)
    if pair is None:
        return None
    cells = {method.row.method: method.cells for method in methods}
    first, second = (cells[row.method] for row in pair)
    if first is None or second is None:
        return None
    return choose_showcase((pair[0].method, pair[1].method), (first, second), examples)


def _prompts(
    results: Mapping[str, Any], split: str, methods: Sequence[MethodFigures], options: Sequence[str]
) -> list[PromptFigures]:
    texts: dict[str, str] = {}
    accuracies: dict[str, dict[str, list[float]]] = {}
    for entry in results["per_prompt"]:
        if entry["split"] == split:
            texts[entry["prompt_id"]] = entry["prompt"]
            values = accuracies.setdefault(entry["prompt_id"], {})
            values.setdefault(entry["method"], []).append(entry["accuracy"])
    names = [method.row.method for method in methods]
    key = "single" if "single" in names else names[0]
    found = [
        PromptFigures(
            id=prompt,
            text=text,
            lists_options=lists_options(text, options),
            accuracy={method: float(np.mean(values)) for method, values in accuracies[prompt].items()},
            diagnosis=_of_prompt(methods, prompt, diagnose),
            failures=_of_prompt(methods, prompt, worst_examples),
        )
        for prompt, text in texts.items()
    ]
    return sorted(found, key=lambda prompt: prompt.accuracy.get(key, 0.0))


def _of_prompt(
    methods: Sequence[MethodFigures], prompt: str, ask: Callable[[Cells, str], Any]
) -> dict[str, Any]:
    return {
        method.row.method: ask(method.cells, prompt)
        for method in methods
        if method.cells is not None and prompt in method.cells.prompt_ids
    }
