"""The ledger of an evaluation: the results of every finished batch, on disk.

A matrix is computed batch by batch, and the batches follow from prompts, examples, tokenizer and
``batch_tokens`` alone. So a batch has a number that means the same in every run and process, and
what it brought can be kept: ``kill -9`` loses the batch in flight, and a rerun computes the missing
batches in the very composition they would have had, which gives the very same numbers.

Format: JSON Lines, append-only, one file a process beside the matrix to come
(``test.ledger-0.jsonl``). The first line is ``{"ledger": 1, "plan": "<hash of all batches>"}``, then
``[number, results, digest]`` for each batch; a result is what :func:`run_batches` was given (the
log-probabilities of a request's options, or the text generated and its tokens), and the digest shows
whether the line is still what was written. Floats are written
so that they read back to the bit. When all batches are there the matrix is written as Parquet and
the ledger removed.

Several processes (``accelerate launch``) take turns at the batches; each appends to its own file
and reads all. A later run may have another number of processes.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import torch

from paft.errors import DataError, ModelError, ResumeError
from paft.files import disk_error, fingerprint

FORMAT = 1
Results = list[Any]
T = TypeVar("T")


class Ledger:
    """Finished batches of one matrix.

    Attributes:
        results: Results by number of the batch.
        rank: Number of this process, from 0.
        world: How many processes share the work.
    """

    def __init__(self, folder: Path, name: str, *, rank: int = 0, world: int = 1) -> None:
        self.results: dict[int, Results] = {}
        self.rank, self.world = rank, world
        self._folder, self._name, self._plan = folder, name, ""

    @property
    def path(self) -> Path:
        """The file this process appends to."""
        return self._folder / f"{self._name}.ledger-{self.rank}.jsonl"

    def begin(self, plan: str) -> None:
        """Read what is there, and make the own file ready to be appended to.

        Args:
            plan: Hash of all batches.

        Raises:
            ResumeError: If a file belongs to other batches.
            DataError: If a file is no ledger.
            PaftError: If the folder cannot be read or written.
        """
        self._plan = plan
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self.refresh()
            if self.path.exists():
                whole = self.path.read_bytes().rfind(b"\n") + 1
                os.truncate(self.path, whole)  # what a kill tore
            empty = not self.path.exists() or not self.path.stat().st_size
        except OSError as error:
            raise disk_error(self.path, error) from error
        if empty:
            self._write({"ledger": FORMAT, "plan": plan})

    def refresh(self) -> None:
        """Read the files of all processes; a last line that is being written is left for later."""
        for path in sorted(self._folder.glob(f"{self._name}.ledger-*.jsonl")):
            lines = path.read_bytes().split(b"\n")[:-1]
            try:
                rows = [json.loads(line) for line in lines]
                if rows and (rows[0]["ledger"], rows[0]["plan"]) != (FORMAT, self._plan):
                    raise ResumeError(
                        f"{path} was begun with other prompts, examples, model or batch_tokens: restore "
                        "them, remove the file, or choose another output"
                    )
                self.results.update(_batch(path, line, row) for line, row in enumerate(rows[1:], start=2))
            except (ValueError, TypeError, KeyError, RecursionError) as error:
                raise DataError(f"{path} is no ledger of an evaluation: remove it") from error

    def append(self, number: int, results: Results) -> None:
        """Keep what a batch brought.

        Raises:
            PaftError: If the disk refuses it.
        """
        self.results[number] = results
        self._write([number, results, fingerprint([number, results])])

    def remove(self) -> None:
        """Delete the files of all processes."""
        for path in self._folder.glob(f"{self._name}.ledger-*.jsonl"):
            path.unlink()

    def wait(self) -> None:
        """Wait until all processes are here."""
        if self.world > 1:
            from accelerate import PartialState

            PartialState().wait_for_everyone()

    def _write(self, row: Any) -> None:
        line = (json.dumps(row, separators=(",", ":")) + "\n").encode()
        try:
            with self.path.open("ab") as file:
                file.write(line)
        except OSError as error:
            raise disk_error(self.path, error) from error


def _batch(path: Path, line: int, row: Any) -> tuple[int, Results]:
    """Return number and results of a line; one of an older version has no digest."""
    if not isinstance(row, list) or len(row) not in (2, 3) or type(row[0]) is not int or row[0] < 0:
        raise TypeError("a batch is a list of number, results and digest")
    if not isinstance(row[1], list) or not row[1]:
        raise TypeError("the results of a batch are a list")
    if len(row) == 3 and row[2] != fingerprint(row[:2]):
        raise DataError(
            f"{path}:{line}: the results were damaged or changed after they were written (their digest is "
            "another): remove the line, and its batch is computed again"
        )
    return row[0], row[1]


def run_batches(
    batches: Sequence[Sequence[T]],
    compute: Callable[[Sequence[T]], Results],
    *,
    plan: Callable[[], str],
    ledger: Ledger | None = None,
    on_batch: Callable[[int], None] | None = None,
) -> list[Results]:
    """Compute every batch, or what is missing of them.

    Args:
        batches: The work, in order.
        compute: Returns one result (plain JSON) for each member of a batch.
        plan: Hash of all batches, asked for only where there is a ledger.
        ledger: Keeps finished batches and shares the work between processes.
        on_batch: Called with a batch's number when its results are there.

    Returns:
        The results of each batch.

    Raises:
        ModelError: If one single member does not fit into memory.
    """
    if ledger is None:
        ledger_results: dict[int, Results] = {}
        mine = range(len(batches))
    else:
        ledger.begin(plan())
        ledger_results = ledger.results
        mine = range(ledger.rank, len(batches), ledger.world)
    told = set(ledger_results)
    for number in sorted(told):
        if on_batch:
            on_batch(number)
    for number in mine:
        if number in ledger_results:
            continue
        results = _within_memory(batches[number], compute)
        if ledger is None:
            ledger_results[number] = results
        else:
            ledger.append(number, results)
        if on_batch:
            on_batch(number)
    if ledger is not None and ledger.world > 1:
        ledger.wait()
        ledger.refresh()
    return [ledger_results[number] for number in range(len(batches))]


def _within_memory(batch: Sequence[T], compute: Callable[[Sequence[T]], Results]) -> Results:
    """Compute a batch; if memory runs out, in halves."""
    try:
        return compute(batch)
    except torch.OutOfMemoryError as error:
        if len(batch) == 1:
            raise ModelError(
                "a single rendered prompt does not fit into the accelerator's memory: lower max_length, or "
                "choose a smaller model"
            ) from error
    # Outside of the handler: the traceback would hold on to what filled the memory.
    torch.accelerator.empty_cache()
    half = len(batch) // 2
    return _within_memory(batch[:half], compute) + _within_memory(batch[half:], compute)
