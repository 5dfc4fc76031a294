"""A bank composed for a task: candidates by the grammar, screened, chosen and split as generated prompts are.

Everything follows from the task file, the seed and the counts, so the bank is the same on every machine.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

from paft.bank.checks import REASONS
from paft.bank.compose.draw import Draw
from paft.bank.compose.grammar import write_prompt
from paft.bank.compose.terms import Terms, terms_of
from paft.bank.screen import Screened, screen, vary
from paft.bank.split import counts_of, split_prompts
from paft.bank.store import Bank
from paft.errors import SHOWN, ConfigError, PromptError, shorten
from paft.prompt import Prompt
from paft.task.task import Task

COUNT = 250  # prompts of a bank unless said otherwise
OPTIONS_SHARE = 0.3
RATIO = "8:1"  # seen to unseen prompts, as in the paper
VALIDATION_SHARE = 0.04
POOL = 1.5  # prompts that pass screening for each one that is chosen
MOST = 2000  # prompts of a bank: all pairs of candidates are compared
MOST_CANDIDATES = 16  # for each prompt wanted; where these are not enough, the task has too few words
MANY_OPTIONS = 400  # characters of all options beyond which no prompt lists them unless asked to


@dataclass(frozen=True)
class Composed:
    """What was composed.

    Attributes:
        bank: The prompts, split.
        screened: The same in one row, with the candidates that were not taken and why.
    """

    bank: Bank
    screened: Screened


def compose_bank(
    task: Task,
    *,
    count: int = COUNT,
    seed: int = 0,
    options_share: float | None = None,
    test: int | None = None,
    validation: int | None = None,
) -> Composed:
    """Compose a bank for a task.

    Args:
        task: The task; its data is not read.
        count: Prompts wanted, of all splits together.
        seed: Seed of the grammar and of the split.
        options_share: Share of prompts that list the options (closed rules with fixed options). By default
            ``OPTIONS_SHARE``, and none where the list is long.
        test: Unseen prompts among them; by default by the paper's ratio.
        validation: Validation prompts among them; by default ``VALIDATION_SHARE``.

    Raises:
        ConfigError: If the share is none, or is given where the task does not leave it open.
        PromptError: If the task's words do not give so many prompts, or the split leaves nothing to train on.
    """
    if not 2 <= count <= MOST:
        raise PromptError(f"a composed bank has at least 2 prompts and at most {MOST}, got {count}")
    terms = terms_of(task)
    _check_share(task, options_share)
    wanted = _wanted(terms, count, options_share)
    screened = _choose(_candidates(task, terms, wanted, seed), wanted)
    validation = round(VALIDATION_SHARE * count) if validation is None else validation
    test = counts_of(RATIO, count - validation) if test is None else test
    return Composed(split_prompts(screened.kept, test=test, validation=validation, seed=seed), screened)


def _check_share(task: Task, share: float | None) -> None:
    if share is None:
        return
    if not 0 <= share <= 1:
        raise ConfigError(f"options_share is a share of all prompts, from 0 to 1, got {share}")
    if task.answer.words is None:
        why = "they differ by example, so every prompt lists them" if task.answer.closed else "it has none"
        raise ConfigError(f"options_share is for fixed options; of task {task.name!r} {why}: leave it out")


def _wanted(terms: Terms, count: int, share: float | None) -> dict[bool, int]:
    """Return how many prompts list the options, and how many do not."""
    if terms.required or not terms.closed:
        return {terms.required: count}
    if share is None:
        share = OPTIONS_SHARE if sum(map(len, terms.options)) <= MANY_OPTIONS else 0.0
    listed = round(share * count)
    return {listing: number for listing, number in ((False, count - listed), (True, listed)) if number}


def _candidates(task: Task, terms: Terms, wanted: dict[bool, int], seed: int) -> Screened:
    """Write and screen prompts until enough of each kind pass."""
    count = sum(wanted.values())
    share = wanted.get(True, 0) / count
    size = 2 * count
    while True:
        listings = [Draw(seed, number).chance("listed", share) for number in range(size)]
        prompts = [write_prompt(terms, seed, i, listed=listed) for i, listed in enumerate(listings)]
        screened = screen([(p.template, p.provenance) for p in prompts], task, known=task.prompts)
        passed = {listed: len(_of_kind(screened.kept, listed)) for listed in wanted}
        if all(passed[listed] >= POOL * number for listed, number in wanted.items()):
            return screened
        if size >= MOST_CANDIDATES * count:
            found = sum(min(passed[listed], number) for listed, number in wanted.items())
            if found == count:
                return screened
            raise PromptError(
                f"task {task.name!r} gives only {found} distinct prompts, not {count}: {_advice(screened)}"
            )
        size *= 2


def _advice(screened: Screened) -> str:
    """Say what to do where too few candidates pass: most others are repeats, or have one defect in common."""
    reason = next(iter(screened.counts), "")
    if reason not in REASONS:
        return "ask for fewer, or say more in the task's `description` and the descriptions of its fields"
    detail = next(each.detail for each in screened.rejected if each.reason == reason)
    return (
        f"{screened.counts[reason]} others were rejected as {reason} ({shorten(detail, SHOWN)}): change what "
        "the task's `description`, fields and options say or are called (docs/bank.md explains the reasons)"
    )


def _choose(screened: Screened, wanted: dict[bool, int]) -> Screened:
    """Take the most varied prompts of each kind, in the order in which they were written."""
    parts = [vary(Screened(_of_kind(screened.kept, listed), ()), number) for listed, number in wanted.items()]
    kept = sorted(chain.from_iterable(part.kept for part in parts), key=lambda p: int(p.provenance["number"]))
    others = chain.from_iterable(part.rejected for part in parts)
    return Screened(tuple(kept), (*screened.rejected, *others))


def _of_kind(prompts: Sequence[Prompt], listed: bool) -> tuple[Prompt, ...]:
    return tuple(prompt for prompt in prompts if prompt.provenance["listed"] == listed)
