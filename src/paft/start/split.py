"""Training and test rows out of one table: labels in equal shares, and no row in both in other words."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from paft.start.draft import Draft
from paft.start.rows import Item
from paft.task.answer import CLOSED_RULES
from paft.task.repeats import COMPARED, choose_test_rows, row_words

SHARE = 0.2  # of the rows, for testing
FEW = 50  # test rows, below which figures are coarse


def split_items(items: Sequence[Item], draft: Draft, seed: int = 0) -> dict[str, list[Item]]:
    """Return training and test rows, each in the table's order."""
    closed = draft.rule in CLOSED_RULES and not draft.listed
    labels = [str(item.answer) for item in items] if closed else None
    words = [row_words(item.plain, len(items)) for item in items]
    chosen, alike = _choose_rows(words, labels, seed, draft)
    test = set(chosen)
    parts = {
        "train": [item for at, item in enumerate(items) if at not in test],
        "test": [items[at] for at in chosen],
    }
    stratified = f"stratified by {draft.label.title}, " if labels else ""
    alike += "" if len(items) <= COMPARED else f" (of {len(items):,} rows only equal words were looked for)"
    draft.guesses["split"] = (
        f"{len(parts['train']):,} rows for training, {len(parts['test']):,} for test: "
        f"{stratified}{alike}, seed {seed}"
    )
    if len(parts["test"]) < FEW:
        draft.warnings.append(
            f"{len(parts['test'])} test rows are few: one of them is {100 / len(parts['test']):.0f} points "
            "of a figure; more rows make differences visible"
        )
    return parts


def _choose_rows(
    words: Sequence[Hashable], labels: Sequence[str] | None, seed: int, draft: Draft
) -> tuple[list[int], str]:
    """Return the test rows and what became of near-duplicates, which nearly all texts of one pattern are."""
    chosen, near = choose_test_rows(words, labels, SHARE, seed)
    if 2 * len(chosen) < SHARE * len(words):
        every, _ = choose_test_rows(words, labels, SHARE, seed, near=False)
        if len(every) > len(chosen):
            draft.warnings.append(
                "near-duplicates are in both parts: most rows are some, as texts of one pattern are, and "
                f"kept together they leave {len(chosen)} for testing; figures say less about other patterns"
            )
            return every, "near-duplicates in both"
    return chosen, f"near-duplicates kept together: {near:,}" if near else "no near-duplicates"
