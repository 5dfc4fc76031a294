"""The log of an evaluation: the results of every finished batch, on disk.

A matrix is computed batch by batch, and the batches follow from prompts, examples, tokenizer and
``batch_tokens`` alone. So a batch has a number that means the same in every run and process: a rerun
computes the missing batches as they would have been, and gives the very same numbers.

One :class:`paft.log.Log` a process lies beside the matrix to come (``test.log-0.jsonl``). Its header
is ``{"log": 1, "plan": "<hash of all batches>"}``; each line is ``[number, results, digest]``. A
result is what :func:`run_batches` was given (the log-probabilities of a request's options, or the text
generated and its tokens); floats read back to the bit. The log is removed once the matrix is written.

Several processes (``accelerate launch``) take turns at the batches; each appends to its own file and
reads all. A later run may have another number of processes.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, TypeVar

import torch

from paft.errors import DataError, ModelError, ResumeError
from paft.files import disk_error, fingerprint
from paft.log import Log

FORMAT = 1
Results = list[Any]
T = TypeVar("T")
M = TypeVar("M", bound=Hashable)


class EvaluationLog:
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
        self._log = Log(folder / f"{name}.log-{rank}.jsonl")

    @property
    def path(self) -> Path:
        """The file this process appends to."""
        return self._log.path

    def begin(self, plan: str) -> None:
        """Read what all processes left, and make the own file ready to be appended to.

        Args:
            plan: Hash of all batches; a file that belongs to others is a :class:`ResumeError`.
        """
        self._plan = plan
        self.refresh()
        self._log.begin({"log": FORMAT, "plan": plan})

    def refresh(self) -> None:
        """Read the files of all processes; a last line that is being written is left for later."""
        for path in sorted(self._folder.glob(f"{self._name}.log-*.jsonl")):
            try:
                rows = [json.loads(line) for line in Log(path).lines()]
                if rows and (rows[0]["log"], rows[0]["plan"]) != (FORMAT, self._plan):
                    raise ResumeError(
                        f"{path} was begun with other prompts, examples, model or batch_tokens: restore "
                        "them, remove the file, or choose another output"
                    )
                self.results.update(_batch(path, line, row) for line, row in enumerate(rows[1:], start=2))
            except OSError as error:
                raise disk_error(path, error) from error
            except (ValueError, TypeError, KeyError, RecursionError) as error:
                raise DataError(f"{path} is no log of an evaluation: remove it") from error

    def append(self, number: int, results: Results) -> None:
        """Keep the results of a batch."""
        self.results[number] = results
        self._log.append([number, results, fingerprint([number, results])])

    def remove(self) -> None:
        """Delete the files of all processes."""
        for path in self._folder.glob(f"{self._name}.log-*.jsonl"):
            path.unlink()

    def wait(self) -> None:
        """Wait until all processes are here."""
        if self.world > 1:
            from accelerate import PartialState

            PartialState().wait_for_everyone()


def _batch(path: Path, line: int, row: Any) -> tuple[int, Results]:
    """Return number and results of a line."""
    number, results, digest = row
    if type(number) is not int or number < 0 or not isinstance(results, list) or not results:
        raise TypeError("a batch is a list of number, results and digest")
    if digest != fingerprint([number, results]):
        raise DataError(
            f"{path}:{line}: the results were damaged or changed after they were written (their digest is "
            "another): remove the line, and its batch is computed again"
        )
    return number, results


def run_batches(
    batches: Sequence[Sequence[T]],
    compute: Callable[[Sequence[T]], Results],
    *,
    plan: Callable[[], str],
    log: EvaluationLog | None = None,
    on_batch: Callable[[int], None] | None = None,
) -> list[Results]:
    """Compute every batch, or what is missing of them; return the results of each, in order.

    Args:
        batches: The work, in order.
        compute: Returns one result (plain JSON) for each member of a batch.
        plan: Hash of all batches, asked for only where there is a log.
        log: Keeps finished batches and shares the work between processes.
        on_batch: Called with a batch's number when its results are there.

    Raises:
        ModelError: If one single member does not fit into memory.
    """
    finished: dict[int, Results] = {} if log is None else log.results
    mine = range(len(batches))
    if log is not None:
        log.begin(plan())
        mine = mine[log.rank :: log.world]
    for number in sorted(finished):
        if on_batch:
            on_batch(number)
    for number in mine:
        if number in finished:
            continue
        results = _within_memory(batches[number], compute)
        if log is None:
            finished[number] = results
        else:
            log.append(number, results)
        if on_batch:
            on_batch(number)
    if log is not None and log.world > 1:
        log.wait()
        log.refresh()
    return [finished[number] for number in range(len(batches))]


def run_unique(
    members: Sequence[M],
    batches: Sequence[Sequence[M]],
    compute: Callable[[Sequence[M]], Results],
    *,
    plan: Callable[[], str],
    log: EvaluationLog | None,
    on_cells: Callable[[int], None] | None,
) -> Results:
    """Compute each distinct member once; return the results of all, in order.

    ``batches`` has the distinct ones as they are computed together; ``on_cells`` is called with the number of
    members whose results have just come. All else is as for :func:`run_batches`.
    """
    counts = Counter(members)

    def tell(number: int) -> None:
        if on_cells:
            on_cells(sum(counts[member] for member in batches[number]))

    results = run_batches(batches, compute, plan=plan, log=log, on_batch=tell)
    found = dict(zip(chain.from_iterable(batches), chain.from_iterable(results), strict=True))
    return [found[member] for member in members]


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
