"""The choices behind one composed prompt: pure functions of (seed, number of the prompt, name of the choice).

A choice is a hash, not a step of a generator: it is the same on every machine and under every version of
Python, and a new kind of choice changes none of the others.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Draw:
    """What is chosen for one prompt.

    Attributes:
        seed: The bank's seed.
        number: Which prompt of the bank's candidates it is, from 0.
        chosen: What was chosen so far, by the name of the choice; a prompt's provenance keeps it.
    """

    seed: int
    number: int
    chosen: dict[str, str] = field(default_factory=dict, compare=False)

    def fraction(self, name: str) -> float:
        """A number in [0, 1) that belongs to a name."""
        digest = hashlib.sha256(f"{self.seed}:{self.number}:{name}".encode()).digest()
        return int.from_bytes(digest[:6], "big") / 2**48

    def chance(self, name: str, share: float) -> bool:
        """Whether something is done that is done in this share of all prompts."""
        return self.fraction(name) < share

    def pick(self, name: str, choices: Sequence[str], *, note: bool = True) -> str:
        """Choose one of several, all as likely; ``note`` puts it among ``chosen``."""
        found = choices[int(self.fraction(name) * len(choices))]
        if note:
            self.chosen[name] = found
        return found

    def weigh(self, name: str, weights: Mapping[str, int]) -> str:
        """Choose by weight."""
        return self.pick(name, [key for key, weight in weights.items() for _ in range(weight)])

    def shuffled(self, name: str, items: Sequence[str]) -> list[str]:
        """Return the items in an order of their own."""
        places = sorted(range(len(items)), key=lambda place: self.fraction(f"{name}:{place}"))
        return [items[place] for place in places]
