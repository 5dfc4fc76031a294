"""BATprompt: a prompt made robust by adversarial training (Shi et al. 2024, arXiv 2412.18196).

Each round, first the perturbations that hurt the current prompt most are searched for; then a writer
is shown them and offers rewrites (:mod:`paft.experiment.baselines.writers`), which are scored clean and under
these perturbations. The best of them meets every perturbation and replaces the current prompt
if its worst case is better (then its mean), so the worst case never falls. The search ends when the
budget does or the writer has nothing new.

What differs from the source: it disturbs the text of the examples; here the prompt's own wording is
disturbed, since it is wordings that all methods are compared under. It has a language model
disturb the text too; here rules do (:mod:`paft.experiment.baselines.attack`).
"""

from __future__ import annotations

from paft.experiment.baselines.attack import ATTACKS, Attacked, attack
from paft.experiment.baselines.scores import Score, Scores
from paft.experiment.baselines.writers import Writer
from paft.prompt import Prompt
from paft.task.task import Task

HARMFUL = 3  # perturbations that rewrites are tried under
REWRITES = 3  # offered in a round


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
