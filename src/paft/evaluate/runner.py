"""Judge one model on one split, in as many processes and runs as it takes.

The folder gets ``<split>.parquet`` (the matrix, :mod:`paft.evaluate.matrix`) and ``<split>.json``
(its seconds); until then it holds the log (:mod:`paft.evaluate.log`).

Under ``accelerate launch`` every process loads the model onto its own device and takes its share of
the batches; the first one writes the matrix, which is the one a single process would have written.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from paft.evaluate.cells import AnyModel, evaluate_matrix
from paft.evaluate.log import EvaluationLog
from paft.evaluate.matrix import Matrix, require_cells
from paft.evaluate.settings import Evaluate
from paft.files import write_json
from paft.prompt import Prompt
from paft.shape import NUMBER, read_record
from paft.task.task import Example, Task

_SAMPLE = 0x6E4
SAMPLE_EVERY, SAMPLE_LEAST = 40, 10  # one cell in so many is generated, but not fewer
SAMPLE_TOKENS = 24  # of an answer, besides half the characters of the longest option


def evaluate_split(
    load: Callable[[], AnyModel],
    task: Task,
    prompts: Sequence[Prompt],
    examples: Sequence[Example],
    *,
    folder: Path,
    split: str,
    settings: Evaluate,
    max_length: int,
    on_cells: Callable[[int], None] | None = None,
    chosen: np.ndarray | None = None,
) -> tuple[Matrix, float]:
    """Score a split, or return what a former run left of it.

    Args:
        load: Loads the model; called only if there is something to do.
        task: The task.
        prompts: P prompts.
        examples: N examples.
        folder: Where the matrix goes.
        split: Its name.
        settings: Stage 3.
        max_length: Tokens of prompt and answer at most.
        on_cells: Called with the number of cells just finished.
        chosen: Which cells to score, (P, N) of bool; all by default.

    Returns:
        The matrix, and the seconds its last run took.
    """
    path, timing = folder / f"{split}.parquet", folder / f"{split}.json"
    if path.exists() and timing.exists():
        # A file of chosen cells does not know of examples that none of them has.
        ids = tuple(prompt.id for prompt in prompts)
        places = tuple(example.index for example in examples)
        matrix = Matrix.load(path)
        require_cells(path, matrix.cells, ids, places, chosen)
        seconds = read_record(timing, "timing", {"seconds": NUMBER})["seconds"]
        return replace(matrix, prompt_ids=ids, examples=places), float(seconds)
    rank, world = processes()
    log = EvaluationLog(folder, split, rank=rank, world=world)
    language_model = load()
    started = time.monotonic()
    matrix = evaluate_matrix(
        language_model, task, prompts, examples,
        max_length=max_length, choose=settings.choose, batch_tokens=settings.batch_tokens,
        on_cells=on_cells, log=log, chosen=chosen, allow_code=settings.allow_code,
        generate=settings.generate,
    )  # fmt: skip
    seconds = round(time.monotonic() - started, 2)
    if rank == 0:
        matrix.save(path)
        write_json(timing, {"seconds": seconds})
        log.remove()
    log.wait()
    return matrix, seconds


def evaluate_sample(
    load: Callable[[], AnyModel],
    task: Task,
    prompts: Sequence[Prompt],
    examples: Sequence[Example],
    *,
    folder: Path,
    split: str,
    settings: Evaluate,
    max_length: int,
) -> Matrix | None:
    """Generate the answers of some cells of a split whose options were compared.

    An answer may be some words longer than the longest option, not as long as where all cells are generated:
    a model that has not come to an option by then is not readable. Arguments are those of
    :func:`evaluate_split`; the matrix lies beside the split's.

    Returns:
        The sample; None where answers are generated anyway, or none are to be.
    """
    chosen = choose_sample(len(prompts), len(examples), settings.generated_sample)
    if not task.answer.closed or settings.generate or not chosen.any():
        return None
    longest = max(len(option) for example in examples for option in example.options)
    tokens = min(task.answer.generation_limit, SAMPLE_TOKENS + longest // 2)
    limited = task.answer.model_copy(update={"max_tokens": tokens})
    matrix, _ = evaluate_split(
        load, task.model_copy(update={"answer": limited}), prompts, examples,
        folder=folder, split=sample_name(split), settings=settings.model_copy(update={"generate": True}),
        max_length=max_length + tokens, chosen=chosen,  # prompts are not cut for the answer's sake
    )  # fmt: skip
    return matrix


def sample_name(split: str) -> str:
    """Return what files of the generated sample of a split are called."""
    return f"{split}-generated"


def choose_sample(prompts: int, examples: int, most: int) -> np.ndarray:
    """Return which cells are generated, (P, N) of bool: at random, spread evenly over prompts and examples.

    Generating costs many times what scoring does, so of few cells fewer are taken.

    >>> choose_sample(3, 160, 100).sum(axis=1).tolist(), int(choose_sample(70, 200, 100).sum())
    ([4, 4, 4], 100)
    """
    count = min(most, max(SAMPLE_LEAST, prompts * examples // SAMPLE_EVERY), prompts * examples)
    generator = np.random.default_rng([_SAMPLE, prompts, examples])
    rows, columns = generator.permutation(prompts), generator.permutation(examples)
    mask = np.zeros((prompts, examples), dtype=bool)
    numbers = np.arange(count)
    # Along the diagonal, one further to the side whenever it comes back to where it began.
    turns = numbers // math.lcm(prompts, examples)
    mask[rows[numbers % prompts], columns[(numbers + turns) % examples]] = True
    return mask


def processes() -> tuple[int, int]:
    """Return this process's number and how many there are, as ``accelerate launch`` or ``torchrun`` say."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        return 0, 1
    import torch
    from accelerate import PartialState

    # Without the word CPU, processes that torchrun starts where there is no other device stay apart.
    state = PartialState(cpu=not torch.accelerator.is_available())
    return int(state.process_index), int(state.num_processes)
