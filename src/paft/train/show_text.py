"""A schedule and the tokens of training sequences as text for a terminal, a file or a program."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from paft.errors import DataError
from paft.model.encode import Encoder
from paft.prompt import Prompt
from paft.task.task import Example
from paft.train.settings import Train
from paft.train.show import Outline, Token, tokens_of, visible

WORDS = 60  # characters of a template in a table
MANY = 0.1  # share of prompts that are never used, from which on a warning is due
TRAINED, CONTEXT, CONTROL = "bold green", "dim", "magenta"


def schedule_figures(found: Outline, prompts: Sequence[Prompt], train: Train, steps: int) -> dict[str, Any]:
    """Return all of a schedule for a program.

    Args:
        found: The schedule, listed.
        prompts: Training prompts.
        train: The settings it was made from.
        steps: Steps of the schedule in an epoch.
    """
    fields = {"schedule", "resample_every", "draws", "user_prompt_share", "epochs", "max_steps", "batch_size"}
    return {
        "train": train.model_dump(mode="json", include=fields),
        "steps_per_epoch": steps,
        "steps": train.rounds(steps),
        "unit": found.unit,
        "stretches": [
            {"epoch": each.epoch, "first": each.first, "last": each.last, "prompt": prompts[each.prompt].id}
            for each in found.stretches
        ],
        "prompts": [
            {"id": prompt.id, "uses": int(uses), "template": prompt.template}
            for prompt, uses in zip(prompts, found.uses, strict=True)
        ],
        "unused": [prompts[i].id for i in found.unused],
        "notes": _notes(train, steps),
        "warnings": _warnings(found, train),
    }


def print_schedule(
    console: Console, found: Outline, prompts: Sequence[Prompt], train: Train, steps: int, limit: int
) -> None:
    """Print two tables of at most ``limit`` rows (0 for all): the prompts in order, and by use.

    The other arguments are those of :func:`schedule_figures`.
    """
    length = train.rounds(steps)
    epochs = f"{train.epochs} epochs of {steps} steps = " if train.max_steps is None else ""
    console.print(
        f"{_told(train)}; {epochs}{length} steps of at most {train.batch_size} examples",
        highlight=False, markup=False, soft_wrap=True,
    )  # fmt: skip
    for note in _notes(train, steps):
        console.print(note, style="yellow", highlight=False, markup=False, soft_wrap=True)
    order = Table("epoch", f"{found.unit}s", "prompt", "begins with")
    for each in found.stretches[: limit or None]:
        reach = str(each.first) if each.first == each.last else f"{each.first}-{each.last}"
        order.add_row(str(each.epoch), reach, prompts[each.prompt].id, _words(prompts[each.prompt]))
    uses = Table("prompt", f"{found.unit}s", "share", "begins with")
    for i in sorted(range(len(prompts)), key=lambda i: -found.uses[i])[: limit or None]:
        share = f"{100 * found.uses[i] / found.uses.sum():.1f} %"
        uses.add_row(prompts[i].id, str(found.uses[i]), share, _words(prompts[i]))
    for table, rows in ((order, len(found.stretches)), (uses, len(prompts))):
        console.print(table)
        if rows > table.row_count:
            console.print(f"... {rows - table.row_count} more rows; --limit 0 or --json shows all")
    unused = ", ".join(prompts[i].id for i in found.unused[:8]) + (", ..." if len(found.unused) > 8 else "")
    console.print(
        f"Never used in {length} steps: {len(found.unused)} of {len(prompts)} prompts"
        + (f" ({unused})" if unused else ""),
        highlight=False, soft_wrap=True,
    )  # fmt: skip
    for warning in _warnings(found, train):
        console.print(f"warning: {warning}", style="yellow", highlight=False, soft_wrap=True)


def _warnings(found: Outline, train: Train) -> list[str]:
    """Warn of many prompts that are never used."""
    unused = len(found.unused)
    if unused <= MANY * len(found.uses):
        return []
    cycles = "" if train.draws == "cycle" else ", or draw in cycles (train.draws=cycle)"
    return [
        f"{unused} of {len(found.uses)} prompts are never used: resample more often "
        f"(train.resample_every), train longer (train.epochs){cycles}"
    ]


def _notes(train: Train, steps: int) -> list[str]:
    """Say what the tables cannot show."""
    notes = []
    if train.tokens is not None:
        notes.append(f"train.tokens {train.tokens}: the number of steps follows from tokens, not from epochs")
    if train.iterations > 1:
        notes.append(f"train.grpo.iterations {train.iterations}: a step here is as many optimiser steps")
    if train.grpo.spanned > 1 and train.schedule != "single":
        notes.append(f"train.grpo.group spanning: {train.grpo.spanned} prompts at once, listed by the first")
    if train.max_steps is not None and train.rounds(steps) % steps:
        last = f"{train.rounds(steps) % steps} of {steps} steps"
        notes.append(f"train.max_steps {train.max_steps}: the last epoch ends after {last}")
    return notes


def _told(train: Train) -> str:
    """Return the schedule in words."""
    if train.schedule == "single":
        return "schedule single"
    every = f" with K = {train.resample_every} steps" if train.schedule == "block" else ""
    own = f", {100 * train.user_prompt_share:g} % on the user prompt" if train.user_prompt_share else ""
    return f"schedule {train.schedule}{every}, draws {train.draws}{own}"


def _words(prompt: Prompt) -> Text:
    text = visible(prompt.template)
    return Text(text if len(text) <= WORDS else text[: WORDS - 1] + "…", no_wrap=True, overflow="ellipsis")


def legend(plain: bool) -> Text:
    """Return what the marks of :func:`print_tokens` mean."""
    told = Text()
    if plain:
        told.append("read|only, [trained], ⟦control token⟧; ")
    else:
        for name, style in (("read only", CONTEXT), ("trained", TRAINED), ("control token", CONTROL)):
            told.append(name, style).append(", ")
    return told.append("· a space, ⏎ a line end, … a part of the character after it")


def print_tokens(
    console: Console, encoder: Encoder, example: Example, prompt: Prompt, plain: bool, place: str
) -> None:
    """Print one training sequence, its counts first.

    Args:
        console: Where to.
        encoder: Makes the sequence, as in training.
        example: A training example.
        prompt: The prompt it is put into.
        plain: Mark by brackets instead of colours.
        place: Where the example stands, as :meth:`paft.task.task.Task.place` says.

    Raises:
        DataError: If its answer does not fit.
    """
    rendered = prompt.render(example.values)
    try:
        encoded = encoder.encode(rendered, example.gold)
    except DataError as error:
        raise DataError(f"{place}: under prompt {prompt.id}: {error}") from None
    tokens = tokens_of(encoder, encoded)
    cut = f"its prompt was cut to fit {encoder.max_length} tokens" if encoded.truncated else "nothing was cut"
    separator = encoder.separator(rendered)
    end = visible(str(encoder.tokenizer.convert_ids_to_tokens(encoder.end)))
    head = (
        f"\nexample {place} under prompt {prompt.id}: {len(tokens)} tokens = {encoded.answer_start} "
        f"read + {len(tokens) - encoded.answer_start} trained; {cut}; between prompt and answer "
        f"{'nothing' if not separator else repr(separator)}, at the end {end}"
    )
    console.print(Text(head), soft_wrap=True)
    console.print(_marked(tokens, plain), soft_wrap=True)


def _marked(tokens: Sequence[Token], plain: bool) -> Text:
    """Return tokens with their marks: colours, or brackets where there are none."""
    text = Text()
    for i, token in enumerate(tokens):
        shown = visible(token.text, "·") or "…"
        if token.control:
            shown = f"⟦{shown}⟧"
        if plain and token.trained:
            shown = f"[{shown}]"
        elif i and not (plain and tokens[i - 1].control) and not token.control:
            text.append("|", CONTEXT)
        style = TRAINED if token.trained else CONTEXT
        text.append(shown, f"{style} {CONTROL}" if token.control else style)
        if token.text.endswith("\n") and not token.trained:
            text.append("\n")
    return text
