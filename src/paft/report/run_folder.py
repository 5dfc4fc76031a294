"""Where things lie in the folder of a run: the names that writers and readers share.

::

    config.yaml   resolved configuration          results.json  all figures
    run.json      identity: what must not change  report.html   table and plot
    bank.jsonl    the bank, frozen                trials/<method>-<seed>/   one trial each:
                                                    train.json  <split>.parquet  trial.json
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from paft.config import RunConfig
from paft.errors import ResumeError
from paft.files import read_yaml
from paft.methods import METHODS
from paft.shape import read_record

CONFIG = "config.yaml"
IDENTITY = "run.json"
BANK = "bank.jsonl"
RESULTS = "results.json"
PAGE = "report.html"
TRIALS = "trials"  # folder of the trials' folders
TRAINED = "train.json"  # of a trial: what its training did
SUMMARY = "trial.json"  # of a trial: its rows of the results


@dataclass(frozen=True)
class Trial:
    """One method under one seed; ``seed`` is None for a method that does not train."""

    method: str
    seed: int | None

    @property
    def name(self) -> str:
        """Name of its folder."""
        return self.method if self.seed is None else f"{self.method}-{self.seed}"

    def folder(self, output: Path) -> Path:
        """Return its folder in the folder of a run."""
        return output / TRIALS / self.name


def plan_trials(config: RunConfig) -> list[Trial]:
    """List the trials seed by seed, so that an interrupted run has whole comparisons.

    >>> [c.name for c in plan_trials(RunConfig(methods=("base", "paft"), seeds=(0, 1)))]
    ['base', 'paft-0', 'paft-1']
    """
    untrained = [Trial(m, None) for m in config.methods if METHODS[m].schedule is None]
    trained = [Trial(m, seed) for seed in config.seeds for m in config.methods if METHODS[m].schedule]
    return untrained + trained


def refuse_former(folder: Path) -> None:
    """Refuse the folder of a run of schema 1, whose trials lie in ``cells/``.

    Raises:
        ResumeError: Naming the last commit that reads it.
    """
    if (folder / "cells").is_dir():
        raise ResumeError(
            f"{folder} holds a run of a former version (schema 1: its trials lie in cells/): commit "
            "cd411f3 is the last that reads and resumes it; choose another output folder to begin anew"
        )


def weights_name(config: RunConfig) -> str:
    """Name of the folder with what a trial trained."""
    return "model" if config.train.adapt.method == "full" else "adapter"


def matrix_file(trial: Path, split: str) -> Path:
    """Return the file of a matrix in the folder of a trial."""
    return trial / f"{split}.parquet"


def training_of(weights: str) -> Path | None:
    """Return the folder of the run or training that made weights, None if there is none around them."""
    place = Path(weights).resolve()
    runs = [folder for folder in list(place.parents)[:3] if (folder / IDENTITY).is_file()]
    if not place.is_dir() or not runs or not (runs[0] / CONFIG).is_file():
        return None
    of_training = "methods" in read_yaml(runs[0] / CONFIG, "configuration")  # else of `paft evaluate`
    return runs[0] if of_training else None


def met_in_training(weights: Sequence[str]) -> set[str]:
    """Return the ids of all prompts that weights met in training, as far as records around them tell.

    Those of the weights that a training began from are among them, and of a bank only what was drawn.

    Args:
        weights: Folders of a model and of an adapter on top of it.
    """
    met: set[str] = set()
    known: set[Path] = set()
    left = [*weights]
    while left:
        name = left.pop()
        place, home = Path(name).resolve(), training_of(name)
        if home is None or place in known:
            continue
        known.add(place)
        record = place.parent / TRAINED
        if record.is_file():
            met.update(read_record(record, "training record", {}).get("by_prompt", ()))
        config = read_yaml(home / CONFIG, "configuration")
        begun = [config.get("model"), (config.get("train") or {}).get("start_from")]
        left += [each for each in begun if each]
    return met
