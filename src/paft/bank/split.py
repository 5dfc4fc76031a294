"""Split prompts into seen and unseen so that "unseen" means unseen.

Near duplicates (:mod:`paft.similarity`) are joined into clusters, and a cluster goes to one
split whole. A row-wise random split would put rewordings of training prompts into the test set:
in the paper's published Winogrande bank 5 of 51 test prompts equal a training prompt once
placeholders and punctuation are removed.

The order in which clusters are dealt is a hash of (seed, ids of their prompts): no generator is
involved, so the split is the same on every machine, for every version of every library, and
whatever the order of the file.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from itertools import chain

from paft.bank.store import Bank
from paft.errors import ConfigError, PromptError, expect_whole, shown
from paft.prompt import Prompt, as_prompts
from paft.similarity import clusters, near_pairs, skeleton

FEW_TEST = 5  # test prompts, below which the spread over prompts and the worst one say little
IN_ORDER = ("train", "validation", "test", "final")  # a prompt may not come again in a later one


def split_prompts(
    prompts: Iterable[Prompt | str],
    *,
    test: int,
    validation: int = 0,
    seed: int = 0,
    hold_out: Callable[[Prompt], bool] | None = None,
) -> Bank:
    """Split prompts by cluster of near duplicates.

    Clusters are shuffled by ``seed``; each goes to the first of test, validation that still has
    room for all of it, else to train. Exact repeats are kept once.

    Args:
        prompts: All prompts; text is taken too.
        test: Number of unseen prompts wanted; met exactly, unless more are held out.
        validation: Number of validation prompts wanted; met exactly.
        seed: Seed of the shuffle.
        hold_out: Prompts that must be unseen, for instance all of one generator
            (:func:`written_by`). Their whole clusters go to test first, so none that is near one of
            them is trained on; ``test`` then is the least number of test prompts.

    Raises:
        ConfigError: If a count or the seed is no whole number.
        PromptError: If the counts leave no training prompt or cannot be met by whole clusters, or
            ``hold_out`` holds for no prompt, or for all.
    """
    prompts = as_prompts(prompts, "the prompts to split")
    test = expect_whole(test, "the number of test prompts", least=1)
    validation = expect_whole(validation, "the number of validation prompts")
    seed = expect_whole(seed, "the seed of the split")
    if hold_out is not None and not callable(hold_out):
        raise ConfigError(
            f"hold_out must be a function of a prompt, as written_by returns it, not {shown(hold_out)}"
        )
    unique = list({prompt.id: prompt for prompt in prompts}.values())
    if test + validation >= len(unique):
        raise PromptError(
            f"cannot split {len(unique)} distinct prompts into {test} test, {validation} validation "
            "and at least one train prompt: ask for fewer or add prompts"
        )

    def rank(group: Sequence[int]) -> str:
        return hashlib.sha256(f"{seed}:{min(unique[i].id for i in group)}".encode()).hexdigest()

    groups = sorted(clusters(unique), key=rank)
    held: list[list[int]] = []
    free: list[list[int]] = []
    for group in groups:
        is_held = hold_out is not None and any(hold_out(unique[i]) for i in group)
        (held if is_held else free).append(group)
    if hold_out is not None and not (held and free):
        which = "all prompts, with their near duplicates, are" if held else "no prompt is"
        raise PromptError(
            f"{which} held out: name what some of the {len(unique)} prompts have in their provenance "
            "(`paft bank show` prints it)"
        )
    chosen: dict[str, list[int]] = {"train": [], "validation": [], "test": list(chain.from_iterable(held))}
    room = {"test": max(0, test - len(chosen["test"])), "validation": validation}
    for group in free:
        split = next((name for name, left in room.items() if len(group) <= left), "train")
        if split != "train":
            room[split] -= len(group)
        chosen[split].extend(group)
    if any(room.values()) or not chosen["train"]:
        raise PromptError(
            f"{len(unique)} prompts form only {len(groups)} clusters of near duplicates, too few to "
            f"fill test={test}, validation={validation}: ask for fewer or add varied prompts"
        )
    return Bank({name: tuple(unique[i] for i in sorted(at)) for name, at in chosen.items() if at})


def counts_of(ratio: str, total: int) -> int:
    """Return the number of test prompts, one at least, that a ratio ``train:test`` means. The paper's is 8:1.

    >>> counts_of("8:1", 450)
    50
    """
    train, _, test = ratio.partition(":")
    try:
        seen, unseen = float(train), float(test)
    except ValueError:
        seen = unseen = 0.0
    if not (0 < seen < float("inf") and 0 < unseen < float("inf")):
        raise PromptError(f"ratio {ratio!r} is not train:test, for instance 8:1")
    return max(1, round(total * unseen / (seen + unseen)))


def written_by(conditions: Sequence[tuple[str, str]], *, human: bool = False) -> Callable[[Prompt], bool]:
    """Return a test for prompts whose provenance meets any of the conditions, pairs (key, value).

    With ``human``, prompts written by people (``source`` ``human`` or ``task``) count too.
    """
    wanted = [*conditions, *([("source", "human"), ("source", "task")] if human else [])]
    return lambda prompt: any(str(prompt.provenance.get(key)) == value for key, value in wanted)


def near_duplicates_across(bank: Bank) -> list[tuple[Prompt, Prompt, float]]:
    """Return pairs (prompt, prompt of a later split, similarity) of near duplicates.

    Splits come in the order train, validation, test, final: the prompts of each are unseen in those before.

    Raises:
        PromptError: If a prompt of a later split has the words of one of an earlier split (equal
            skeleton): that is no unseen prompt, whatever its placeholders and punctuation.
    """
    placed = [(split, prompt) for split in IN_ORDER for prompt in bank.prompts(split)]
    seen: dict[str, tuple[str, Prompt]] = {}
    for split, prompt in placed:
        home, twin = seen.setdefault(skeleton(prompt), (split, prompt))
        if home != split:
            raise PromptError(
                f"{split} prompt {prompt.id} {prompt.template!r} has the same words as seen prompt "
                f"{twin.id} {twin.template!r}: remove one of them, or split again with `paft bank split`"
            )
    pairs = near_pairs([prompt for _, prompt in placed])
    return [
        (placed[i][1], placed[j][1], similarity) for i, j, similarity in pairs if placed[i][0] != placed[j][0]
    ]


def near_warnings(bank: Bank, near: Sequence[tuple[Prompt, Prompt, float]]) -> list[str]:
    """Say in a line for each split how many of the ``near`` pairs make its prompts less unseen."""
    validation = {prompt.id for prompt in bank.prompts("validation")}
    chosen_by = sum(later.id in validation for _, later, _ in near)
    counts = {
        "a seen and an unseen prompt": len(near) - chosen_by,
        "a training and a validation prompt": chosen_by,
    }
    return [f"{count} pairs of {what} are near duplicates" for what, count in counts.items() if count]
