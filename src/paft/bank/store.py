"""The bank on disk: JSON Lines, one prompt a line, frozen by a fingerprint.

A line is ``{"id": ..., "split": ..., "template": ..., "provenance": {...}}``. ``id`` may be left
out when a bank is written by hand; where it is given it must match the template, so a bank cannot
be edited by accident without anybody noticing. The fingerprint covers order, split and id of every
prompt: the schedule counts prompts by position, so order is part of what a run depends on.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from pathlib import Path

from paft.errors import PromptError, expect
from paft.files import fingerprint, read_jsonl, write_text
from paft.prompt import Prompt, as_prompts
from paft.schema import nearest

# final: looked at once, when everything is chosen.
SPLITS = ("train", "validation", "test", "adversarial", "final")
KEYS = ("id", "split", "template", "provenance")


@dataclass(frozen=True, repr=False, init=False)
class Bank:
    """Prompts by split, each prompt in one place.

    A bank is a collection of its prompts, and ``bank["test"]`` has those of a split. Prompts may be
    given as text. ``splits`` holds splits with prompts only, in the order of ``SPLITS``.

    >>> bank = Bank({"train": ["Sort: {text}", "{text} ->"], "test": [Prompt("{text}:")]})
    >>> bank, len(bank), bank["test"][0].template, [prompt.template for prompt in bank][0]
    (Bank(train: 2, test: 1 prompts), 3, '{text}:', 'Sort: {text}')
    """

    splits: Mapping[str, tuple[Prompt, ...]]

    def __init__(self, splits: Mapping[str, Iterable[Prompt | str]]) -> None:
        expect(splits, Mapping, "the prompts by split of a bank")
        for split in splits:
            _check_split(split)
        given = {
            split: as_prompts(splits[split], f"the {split} prompts of a bank")
            for split in SPLITS
            if split in splits
        }
        found = {split: prompts for split, prompts in given.items() if prompts}
        object.__setattr__(self, "splits", found)
        home: dict[str, str] = {}
        for split, prompts in found.items():
            for prompt in prompts:
                if prompt.id in home:
                    where = "twice" if home[prompt.id] == split else f"also in {home[prompt.id]!r}"
                    raise PromptError(
                        f"prompt {prompt.id} of split {split!r} stands {where}: "
                        f"{prompt.template!r}; keep it in one split, once"
                    )
                home[prompt.id] = split
        if not home:
            raise PromptError("the bank is empty: it needs at least one prompt")

    def __getitem__(self, split: str) -> tuple[Prompt, ...]:
        return self.require(split)

    def __iter__(self) -> Iterator[Prompt]:
        return chain.from_iterable(self.splits.values())

    def __len__(self) -> int:
        return sum(map(len, self.splits.values()))

    def __contains__(self, item: object) -> bool:
        """Whether a prompt is in the bank, or a split has prompts."""
        return item in self.splits if isinstance(item, str) else any(item == each for each in self)

    def __repr__(self) -> str:
        counts = ", ".join(f"{split}: {len(prompts)}" for split, prompts in self.splits.items())
        return f"Bank({counts} prompts)"

    def prompts(self, split: str) -> tuple[Prompt, ...]:
        """The prompts of a split, in order; empty when there are none.

        Raises:
            PromptError: If no bank has such a split.
        """
        _check_split(split)
        return self.splits.get(split, ())

    @cached_property
    def fingerprint(self) -> str:
        """Hash of (split, id) of every prompt in order."""
        return fingerprint([[split, p.id] for split, prompts in self.splits.items() for p in prompts])

    def require(self, split: str) -> tuple[Prompt, ...]:
        """The prompts of a split, at least one; ``bank[split]`` is the same.

        Raises:
            PromptError: If it has none, or no bank has such a split.
        """
        prompts = self.prompts(split)
        if not prompts:
            how = "" if split == "train" else f" --{split} N"
            too = "" if split == "adversarial" else " (in Python split_prompts)"
            made = "" if split == "final" else f", or make the split with `paft bank split{how}`{too}"
            raise PromptError(f'the bank has no {split!r} prompts: add lines with "split": "{split}"{made}')
        return prompts

    def save(self, path: str | Path) -> None:
        """Write the bank as JSON Lines, atomically."""
        expect(path, (str, Path), "the file of a bank")
        rows = (
            {
                "id": prompt.id,
                "split": split,
                "template": prompt.template,
                "provenance": dict(prompt.provenance),
            }
            for split, prompts in self.splits.items()
            for prompt in prompts
        )
        write_text(Path(path), "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))


def load_bank(path: str | Path) -> Bank:
    """Load a bank; what is no prompt, a repeat, or not what its id says is an error with file and line."""
    expect(path, (str, Path), "the file of a bank")
    path = Path(path)
    splits: dict[str, list[Prompt]] = {}
    lines: dict[str, int] = {}
    for number, row in read_jsonl(path, "bank"):
        where = f"{path}:{number}"
        unknown = [key for key in row if key not in KEYS]
        if unknown:
            raise PromptError(f"{where}: unknown key {unknown[0]!r}{nearest(unknown[0], list(KEYS))}")
        split = row.get("split", "train")
        if split not in SPLITS:
            raise PromptError(f"{where}: unknown split {split!r} (known: {', '.join(SPLITS)})")
        prompt = _prompt(row, where)
        if prompt.id in lines:
            raise PromptError(
                f"{where}: the {split} prompt {prompt.template!r} already stands in line "
                f"{lines[prompt.id]}: keep it in one split, once"
            )
        lines[prompt.id] = number
        splits.setdefault(split, []).append(prompt)
    if not lines:
        raise PromptError(f'bank {path} is empty: add lines like {{"split": "train", "template": "..."}}')
    return Bank(splits)


def _check_split(split: str) -> None:
    if split not in SPLITS:
        raise PromptError(f"a bank has no split {split!r}{nearest(str(split), list(SPLITS))}")


def _prompt(row: Mapping[str, object], where: str) -> Prompt:
    template, provenance = row.get("template"), row.get("provenance", {})
    if not isinstance(template, str):
        raise PromptError(f"{where}: `template` must be text, got {template!r}")
    if not isinstance(provenance, dict):
        raise PromptError(f"{where}: `provenance` must be an object, got {provenance!r}")
    try:
        prompt = Prompt(template, provenance)
    except PromptError as error:
        raise PromptError(f"{where}: {error}") from None
    if row.get("id", prompt.id) != prompt.id:
        raise PromptError(
            f"{where}: id {row['id']!r} is not the template's ({prompt.id!r}): the template was "
            "changed; remove the `id` to accept the new text as a new prompt"
        )
    return prompt
