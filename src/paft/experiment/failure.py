"""A trial that diverged: nothing of it is kept but the word that it failed.

``failed.json`` in its folder says what went wrong. A trial is a function of its inputs, which the output
folder is tied to, so it would fail again: the next call tells the failure and does not train.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from paft.errors import DivergedError
from paft.files import write_json
from paft.shape import read_record
from paft.train.checkpoint import remove_checkpoints

RECORD = "failed.json"
SPLITS = ("test", "adversarial", "user")


def check_not_failed(folder: Path) -> None:
    """Refuse to work on a trial again that diverged.

    Raises:
        DivergedError: With what it failed of, and how to have it tried again.
    """
    path = folder / RECORD
    if path.exists():
        error = read_record(path, "failure", {"error": str})["error"]
        raise DivergedError(f"{error} (recorded in {path}: delete it to train again)")


def give_up(folder: Path, weights: Path, error: DivergedError) -> None:
    """Remove what a trial left in its folder, its weights among that, and record that it failed."""
    remove_checkpoints(weights)
    for path in (weights, weights.with_name(f".{weights.name}.part")):
        shutil.rmtree(path, ignore_errors=True)
    scores = [path for split in SPLITS for path in folder.glob(f"{split}.log-*.jsonl")]
    scores += [folder / f"{split}.{kind}" for split in SPLITS for kind in ("parquet", "json")]
    for path in (*scores, folder / "train.json", folder / "trial.json"):
        path.unlink(missing_ok=True)
    write_json(folder / RECORD, {"error": str(error)})
