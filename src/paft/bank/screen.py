"""Screen candidate templates: every rejected one has a reason, and nothing vanishes.

A candidate passes the checks of :data:`paft.bank.checks.REASONS` one by one, then must not be a
duplicate of a candidate kept before it or of a prompt already in the bank: ``duplicate_exact``,
``duplicate_normalised``, ``duplicate_skeleton``, ``duplicate_near``, ``duplicate_embedding``
(:mod:`paft.similarity`). Of two duplicates the first one is kept, so the order of the
candidates decides, and the result is the same on every machine.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from paft.bank.checks import REASONS
from paft.bank.diversity import Embedder, choose, close_pairs, embed_prompts
from paft.errors import ConfigError
from paft.files import write_text
from paft.prompt import Prompt
from paft.schema import nearest
from paft.similarity import DEGREES, near_pairs
from paft.task.task import Task

DUPLICATES = (*DEGREES, "duplicate_near", "duplicate_embedding")
NOT_CHOSEN = "not_chosen"
NEAR_EMBEDDING = 0.97  # cosine of sentence embeddings above which two prompts say the same


@dataclass(frozen=True)
class Rejection:
    """A template that is not kept.

    Attributes:
        template: The text as it came.
        reason: A key of ``REASONS``, one of ``DUPLICATES``, or ``not_chosen`` (:func:`vary`).
        detail: The words that are wrong, or the prompt it repeats.
        provenance: Where it came from.
    """

    template: str
    reason: str
    detail: str
    provenance: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Screened:
    """What screening decided: the prompts that passed and all others, each in order."""

    kept: tuple[Prompt, ...]
    rejected: tuple[Rejection, ...]

    @property
    def counts(self) -> dict[str, int]:
        """Number of rejections by reason, the most frequent first."""
        return dict(Counter(rejection.reason for rejection in self.rejected).most_common())

    def counted(self) -> list[str]:
        """Say how many were left out, a line a reason; good ones that were not chosen are not rejected."""
        words = {NOT_CHOSEN: "good, but not among the most varied"}
        return [
            f"{words.get(reason, f'rejected, {reason}')}: {count}" for reason, count in self.counts.items()
        ]

    def save_rejected(self, path: Path) -> None:
        """Write the rejected templates with their reasons as JSON Lines, atomically."""
        rows = (
            {"reason": r.reason, "detail": r.detail, "template": r.template, "provenance": dict(r.provenance)}
            for r in self.rejected
        )
        write_text(path, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))


def first_defect(template: str, task: Task, skip: Collection[str] = ()) -> tuple[str, str] | None:
    """Return (reason, detail) of the first thing that is wrong with a text, None if nothing is."""
    for reason, find in REASONS.items():
        # What the parser refuses cannot be looked at further, so syntax is never skipped.
        if reason in skip and reason != "syntax":
            continue
        detail = find(template, task)
        if detail is not None:
            return reason, detail
    return None


def screen(
    candidates: Sequence[tuple[str, Mapping[str, Any]]],
    task: Task,
    *,
    known: Sequence[Prompt] = (),
    skip: Collection[str] = (),
    embed: Embedder | None = None,
) -> Screened:
    """Keep the good and distinct templates.

    Args:
        candidates: Pairs (template, provenance), the preferred ones first.
        task: The task they are meant for.
        known: Prompts that candidates must not repeat; they are not part of the result.
        skip: Reasons not to look for.
        embed: Also compare sentence embeddings.
    """
    defects: list[tuple[str, str] | None] = [first_defect(text, task, skip) for text, _ in candidates]
    sound = [i for i, defect in enumerate(defects) if defect is None]
    prompts = [*known, *(Prompt(candidates[i][0], candidates[i][1]) for i in sound)]
    for place, repeat in _repeats(prompts, len(known), skip, embed).items():
        defects[sound[place - len(known)]] = repeat
    kept, rejected = [], []
    for (template, provenance), found in zip(candidates, defects, strict=True):
        if found is None:
            kept.append(Prompt(template, provenance))
        else:
            rejected.append(Rejection(template, *found, provenance))
    return Screened(tuple(kept), tuple(rejected))


def check_reasons(names: Collection[str]) -> None:
    """Refuse a reason that screening does not know, naming the nearest known one."""
    known = [*REASONS, *DUPLICATES]
    for name in names:
        if name not in known:
            raise ConfigError(f"unknown reason {name!r}{nearest(name, known)}")


def vary(screened: Screened, size: int, embed: Embedder | None = None) -> Screened:
    """Keep a varied choice of ``size`` prompts (:func:`paft.bank.diversity.choose`)."""
    if size >= len(screened.kept):
        return screened
    chosen = set(choose(embed_prompts(screened.kept, embed), size))
    others = [
        Rejection(p.template, NOT_CHOSEN, f"not among the {size} most varied", p.provenance)
        for i, p in enumerate(screened.kept)
        if i not in chosen
    ]
    kept = tuple(p for i, p in enumerate(screened.kept) if i in chosen)
    return Screened(kept, (*screened.rejected, *others))


def _repeats(
    prompts: Sequence[Prompt], fixed: int, skip: Collection[str], embed: Embedder | None
) -> dict[int, tuple[str, str]]:
    """Return (reason, detail) by index of every prompt after the first ``fixed`` that repeats a kept one."""
    found: dict[int, tuple[str, str]] = {}
    seen: dict[tuple[str, str], int] = {}
    for i, prompt in enumerate(prompts):
        for reason, key in DEGREES.items():
            first = seen.setdefault((reason, key(prompt)), i)
            if first != i and i >= fixed and i not in found and reason not in skip:
                found[i] = (reason, _named(prompts[first]))
    alike = {}
    if "duplicate_near" not in skip:
        alike["duplicate_near"] = near_pairs(prompts)
    if embed is not None and "duplicate_embedding" not in skip:
        alike["duplicate_embedding"] = close_pairs(embed([p.template for p in prompts]), NEAR_EMBEDDING)
    for reason, pairs in alike.items():
        # In order of the later prompt, so that whether the earlier one is kept is known by then.
        for i, j, similarity in pairs:
            if j >= fixed and i not in found and j not in found:
                found[j] = (reason, f"{similarity:.2f} {_named(prompts[i])}")
    return found


def _named(prompt: Prompt) -> str:
    return f"{prompt.id} {prompt.template!r}"
