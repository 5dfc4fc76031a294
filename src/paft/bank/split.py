"""Split prompts into seen and unseen so that "unseen" means unseen.

Near duplicates (:mod:`paft.bank.similarity`) are joined into clusters, and a cluster goes to one
split whole. A row-wise random split would put rewordings of training prompts into the test set:
in the paper's published Winogrande bank 5 of 51 test prompts equal a training prompt once
placeholders and punctuation are removed.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from paft.bank.similarity import near_pairs, skeleton
from paft.bank.store import Bank
from paft.errors import PromptError
from paft.prompt import Prompt


def clusters(prompts: Sequence[Prompt]) -> list[list[int]]:
    """Group indices of prompts that are linked by near duplicates, in order of first member."""
    parent = list(range(len(prompts)))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    for i, j, _ in near_pairs(list(prompts)):
        a, b = sorted((root(i), root(j)))
        parent[b] = a
    groups: dict[int, list[int]] = {}
    for i in range(len(prompts)):
        groups.setdefault(root(i), []).append(i)
    return list(groups.values())


def split_prompts(prompts: Sequence[Prompt], *, test: int, validation: int = 0, seed: int = 0) -> Bank:
    """Split prompts by cluster of near duplicates.

    Clusters are shuffled by ``seed``; each goes to the first of test, validation that still has
    room for all of it, else to train. Exact repeats are kept once.

    Args:
        prompts: All prompts.
        test: Number of unseen prompts wanted.
        validation: Number of validation prompts wanted.
        seed: Seed of the shuffle.

    Returns:
        A bank whose ``test`` and ``validation`` splits have exactly the wanted sizes.

    Raises:
        PromptError: If the counts leave no training prompt or cannot be met by whole clusters.
    """
    unique = list({prompt.id: prompt for prompt in prompts}.values())
    if test < 1 or validation < 0 or test + validation >= len(unique):
        raise PromptError(
            f"cannot split {len(unique)} distinct prompts into {test} test, {validation} validation "
            "and at least one train prompt: ask for fewer or add prompts"
        )
    groups = clusters(unique)
    room = {"test": test, "validation": validation}
    chosen: dict[str, list[Prompt]] = {"train": [], "validation": [], "test": []}
    for position in np.random.default_rng(seed).permutation(len(groups)):
        group = groups[position]
        split = next((name for name, left in room.items() if len(group) <= left), "train")
        if split != "train":
            room[split] -= len(group)
        chosen[split].extend(unique[i] for i in group)
    if any(room.values()) or not chosen["train"]:
        raise PromptError(
            f"{len(unique)} prompts form only {len(groups)} clusters of near duplicates, too few to "
            f"fill test={test}, validation={validation}: ask for fewer or add varied prompts"
        )
    order = {prompt.id: i for i, prompt in enumerate(unique)}
    return Bank(
        {
            name: tuple(sorted(members, key=lambda p: order[p.id]))
            for name, members in chosen.items()
            if members
        }
    )


def near_duplicates_across(bank: Bank) -> list[tuple[Prompt, Prompt, float]]:
    """Return pairs (train or validation prompt, test prompt, similarity) of near duplicates.

    Raises:
        PromptError: If a test prompt has the words of a seen prompt (equal skeleton): that is no
            unseen prompt, whatever its placeholders and punctuation.
    """
    seen = [p for split in ("train", "validation") for p in bank.prompts(split)]
    unseen = list(bank.prompts("test"))
    by_skeleton = {skeleton(p): p for p in seen}
    for prompt in unseen:
        twin = by_skeleton.get(skeleton(prompt))
        if twin is not None:
            raise PromptError(
                f"test prompt {prompt.id} {prompt.template!r} has the same words as seen prompt "
                f"{twin.id} {twin.template!r}: remove one of them, or split again with `paft bank split`"
            )
    both = seen + unseen
    return [(both[i], both[j], similarity) for i, j, similarity in near_pairs(both) if i < len(seen) <= j]
