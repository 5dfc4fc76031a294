"""BATprompt: a prompt made robust by adversarial training (Shi et al. 2024, arXiv 2412.18196).

Each round, first the perturbations that hurt the current prompt most are searched for; then a writer
is shown them and offers rewrites (:mod:`paft.experiment.baselines.writers`), which are scored clean and under
these perturbations. The best of them meets every perturbation and replaces the current prompt
if its worst case is better (then its mean), so the worst case never falls. The search ends when the
budget does or the writer has nothing new.

Perturbations befall the wording of a prompt by letters, words and sentences: the kinds of
:mod:`paft.bank.adversarial` and two more that leave words and sentences out. Placeholders and the names of
possible answers stay as they are. All is a pure function of the prompt, the kind and the seed.

What differs from the source: it disturbs the text of the examples; here the prompt's own wording is
disturbed, since it is wordings that all methods are compared under. It has a language model
disturb the text too; here rules do.
"""

from __future__ import annotations

import hashlib
import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from paft.bank.adversarial import KINDS, perturb
from paft.bank.answer_checks import options_of
from paft.experiment.baselines.scores import Origin, Score, Scores
from paft.prompt import Prompt, unparse
from paft.task.task import Task

HARMFUL = 3  # perturbations that rewrites are tried under
REWRITES = 3  # offered in a round
WORDS, SENTENCE = "words_dropped", "sentence_dropped"
ATTACKS = (*KINDS, WORDS, SENTENCE)
DROPPED = 0.15  # share of words left out


@dataclass(frozen=True)
class Attacked:
    """A prompt's own score, and the scores of its perturbed versions by kind."""

    clean: Score
    versions: dict[str, Score]

    @property
    def worst(self) -> float:
        """The lowest accuracy of the prompt and its versions."""
        return min(score.accuracy for score in (self.clean, *self.versions.values()))

    @property
    def rank(self) -> tuple[float, float, tuple[float, float, str]]:
        """The smallest is the best: by worst case, then mean, then as without attack."""
        mean = float(np.mean([score.accuracy for score in (self.clean, *self.versions.values())]))
        return -self.worst, -mean, self.clean.rank

    def harmful(self, count: int) -> list[str]:
        """The kinds that hurt most, the worst first, ``count`` at most."""
        hurt = [kind for kind, score in self.versions.items() if score.rank[:2] > self.clean.rank[:2]]
        return sorted(hurt, key=lambda kind: self.versions[kind].rank, reverse=True)[:count]


class Writer(Protocol):
    """Offers rewrites."""

    def rewrites(
        self, current: Attacked, failures: Sequence[Score], tried: Sequence[Prompt], count: int
    ) -> list[Prompt]:
        """Return at most ``count`` prompts to replace one, none of those tried.

        Args:
            current: The prompt to be replaced.
            failures: Versions of it that did worse.
            tried: Prompts not to be offered again, the current one among them.
            count: Prompts at most.
        """


def bat(own: Prompt, task: Task, writer: Writer, scores: Scores, *, seed: int) -> Score:
    """Rewrite a prompt round by round, within the budget, and return the score of what became of it."""
    kinds = ATTACKS[: int(min(scores.left - 1, len(ATTACKS)))]
    current = attack(own, task, scores, kinds, seed, {"origin": "own"})
    tried = [own]
    while scores.left > len(ATTACKS):
        harmful = current.harmful(HARMFUL)
        room = int(scores.left - (len(ATTACKS) - len(harmful))) // (1 + len(harmful))
        failures = [current.versions[kind] for kind in harmful]
        offered = writer.rewrites(current, failures, tried, min(REWRITES, room))
        if not offered:
            break
        tried += offered
        best = _best(offered, current, harmful, task, scores, seed)
        rival = attack(best, task, scores, ATTACKS, seed, {"origin": "rewrite"})
        if rival.rank < current.rank:
            current = rival
    return current.clean


def _best(
    offered: list[Prompt], current: Attacked, harmful: list[str], task: Task, scores: Scores, seed: int
) -> Prompt:
    """Return the rewrite that does best under the perturbations that hurt what it shall replace."""
    why = {"origin": "rewrite", "parent": current.clean.prompt.id}
    found = [attack(prompt, task, scores, harmful, seed, why) for prompt in offered]
    return min(found, key=lambda each: each.rank).clean.prompt


def attack(
    prompt: Prompt, task: Task, scores: Scores, kinds: Sequence[str], seed: int, origin: Origin
) -> Attacked:
    """Score a prompt, for the reason ``origin``, and its versions of some of the kinds ``ATTACKS``.

    Kinds that change nothing are passed over; other seeds place other typos.
    """
    made = versions(prompt, task, kinds, seed)
    why = [{"origin": "perturbation", "kind": kind, "parent": prompt.id} for kind in made]
    found = scores([(prompt, origin), *zip(made.values(), why, strict=True)])
    return Attacked(found[0], dict(zip(made, found[1:], strict=True)))


def versions(prompt: Prompt, task: Task, kinds: Sequence[str], seed: int) -> dict[str, Prompt]:
    """Return the perturbed versions of a prompt that differ from it, by kind."""
    made = {kind: _perturbed(prompt, task, kind, seed) for kind in kinds}
    return {kind: version for kind, version in made.items() if version is not None}


def _perturbed(prompt: Prompt, task: Task, kind: str, seed: int) -> Prompt | None:
    if kind in KINDS:
        return perturb(prompt, kind, task, seed)
    digest = hashlib.sha256(f"{seed}:{kind}:{prompt.id}".encode()).digest()
    chance = random.Random(int.from_bytes(digest[:8], "big"))
    literals = [literal for literal, _ in prompt.pieces]
    literals = (
        _drop_words(literals, chance, task) if kind == WORDS else _drop_sentence(literals, chance, task)
    )
    template = unparse([(text, name) for text, (_, name) in zip(literals, prompt.pieces, strict=True)])
    if template == prompt.template or not template.strip():
        return None
    return Prompt(template, {"source": "adversarial", "kind": kind, "parent": prompt.id})


def _drop_words(literals: list[str], chance: random.Random, task: Task) -> list[str]:
    """Leave some words out, with the blank behind them."""
    protected = {word for option in options_of(task) for word in re.findall(r"\w+", option.casefold())}

    def spare(match: re.Match[str]) -> str:
        kept = match[1].casefold() in protected or chance.random() >= DROPPED
        return match[0] if kept else ""

    return [re.sub(r"\b([^\W\d_]+)\b ?", spare, literal) for literal in literals]


def _drop_sentence(literals: list[str], chance: random.Random, task: Task) -> list[str]:
    """Leave one sentence between placeholders out, if one names no possible answer."""
    pattern = re.compile(r"[^\s.!?][^.!?\n]*[.!?]+(?=\s|$)[ \t]*")
    options = [option.casefold() for option in options_of(task)]
    found = [
        (place, match)
        for place, literal in enumerate(literals)
        for match in pattern.finditer(literal)
        if not any(option in match[0].casefold() for option in options)
    ]
    if not found:
        return literals
    place, match = found[int(chance.random() * len(found))]
    shorter = literals[place][: match.start()] + literals[place][match.end() :]
    return [*literals[:place], shorter, *literals[place + 1 :]]
