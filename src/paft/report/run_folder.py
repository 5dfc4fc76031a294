"""Where things lie in the folder of a run: the names that writers and readers share.

::

    config.yaml   resolved configuration          results.json  all figures
    run.json      identity: what must not change  report.html   table and plot
    bank.jsonl    the bank, frozen                cells/<method>-<seed>/   one trial each:
                                                    train.json  <split>.parquet  cell.json
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

CONFIG = "config.yaml"
IDENTITY = "run.json"
BANK = "bank.jsonl"
RESULTS = "results.json"
PAGE = "report.html"
TRIALS = "cells"  # folder of the trials' folders
TRAINED = "train.json"  # of a trial: what its training did
SUMMARY = "cell.json"  # of a trial: its rows of the results
UNTRAINED = ("base",)  # methods that do not train, whose trials have no seed


def trial_name(method: str, seed: int | None) -> str:
    """Name a trial; ``seed`` is None for a method that does not train.

    >>> trial_name("base", None), trial_name("paft", 0)
    ('base', 'paft-0')
    """
    return method if seed is None else f"{method}-{seed}"


def planned_trials(methods: Sequence[str], seeds: Sequence[int]) -> list[tuple[str, int | None]]:
    """Return method and seed of every trial, seed by seed, so that an interrupted run has whole comparisons.

    >>> planned_trials(("base", "paft"), (0, 1))
    [('base', None), ('paft', 0), ('paft', 1)]
    """
    untrained: list[tuple[str, int | None]] = [(m, None) for m in methods if m in UNTRAINED]
    return untrained + [(m, seed) for seed in seeds for m in methods if m not in UNTRAINED]


def trial_folder(output: Path, method: str, seed: int | None) -> Path:
    """Return the folder of a trial in the folder of a run."""
    return output / TRIALS / trial_name(method, seed)


def matrix_file(trial: Path, split: str) -> Path:
    """Return the file of a matrix in the folder of a trial."""
    return trial / f"{split}.parquet"
