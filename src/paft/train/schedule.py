"""Which prompt an optimiser step uses: the contribution of the paper as one pure function.

No generator is advanced and no state is kept. The prompt is a function of (seed, epoch, step,
example) alone, so every rank, data-loader worker and resumed run agrees without exchanging
anything, and the schedule can be printed before training (``paft show schedule``).

=========  ==================================================================================
mode       the prompt changes
=========  ==================================================================================
single     never: the first prompt of the list. Ordinary fine-tuning, the main baseline
static     never for an example: each example keeps one prompt for all epochs. What the paper's
           published code does
example    for every example, anew in every epoch
step       every optimiser step: mode block with K = 1
block      every K optimiser steps, and at the start of every epoch: the paper's Algorithm 1
=========  ==================================================================================

Draws are uniform with replacement, as in the paper. With ``cycle`` a random permutation of all
prompts is used up before the next one; draws are numbered in closed form (epoch x draws per epoch +
place in the epoch), and the number gives cycle and place. A share of all draws can be reserved for
the user prompt.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from paft.errors import ConfigError
from paft.train.settings import Draws, Mode, Train

# Keeps these draws apart from other uses of the same seed, such as the order of examples.
_STREAM = 0x5EED
# First number of a draw's key, by mode; a step is a block of one. The others keep what is drawn
# beside the prompts apart from them.
_MODES = {"static": 1, "example": 2, "step": 3, "block": 3}
_CYCLE, _PLACES, _OFFSET = 4, 5, 6
_STRETCH = 20  # draws in a row that hold the user prompt's share, to one draw


@dataclass(frozen=True)
class Schedule:
    """The prompt of every step or example.

    PAPER: Algorithm 1 counts "steps" without saying of what. Here K counts optimiser steps, never
    micro-batches; the paper's code counted examples.

    Attributes:
        mode: See the module docstring.
        bank_size: Number M of training prompts, at least 1.
        resample_every: K, the optimiser steps that share a prompt, at least 1 (mode ``block``).
        seed: Seed of the draws, at least 0.
        draws: ``replacement``: every draw is independent of the others; ``cycle``: all prompts come
            once before one comes again.
        canonical_ratio: Share in [0, 1] of draws that give the first prompt, the user prompt; the
            others never do. It holds to one draw in every stretch of ``_STRETCH`` draws.
        steps: Optimiser steps of an epoch; cycles and a ratio need it in modes ``step``, ``block``.
        examples: Number of examples; cycles and a ratio need it in mode ``example``.
        placed: Whether plans carry their epoch and step, for variants of a prompt.

    Raises:
        ValueError: If a number is missing or out of range.

    >>> schedule = Schedule("block", bank_size=100, resample_every=2, seed=0)
    >>> [schedule.prompt(epoch=0, step=step, example=0) for step in range(4)]
    [68, 68, 93, 93]
    """

    mode: Mode
    bank_size: int
    resample_every: int = 4
    seed: int = 0
    draws: Draws = "replacement"
    canonical_ratio: float = 0.0
    steps: int | None = None
    examples: int | None = None
    placed: bool = False

    def __post_init__(self) -> None:
        if self.bank_size < 1 or self.resample_every < 1 or self.seed < 0:
            raise ValueError(
                f"bank_size and resample_every must be at least 1 and seed at least 0, got {self}"
            )
        if not 0 <= self.canonical_ratio <= 1:
            raise ValueError(f"canonical_ratio must lie in [0, 1], got {self.canonical_ratio}")
        if not self._drawn and self.canonical_ratio < 1:
            raise ValueError("a canonical_ratio below 1 needs a second prompt, got bank_size=1")
        if self._numbered and self.mode in ("example", "step", "block") and not self._per_epoch:
            needed = "examples" if self.mode == "example" else "steps"
            raise ValueError(f"cycles and canonical_ratio in mode {self.mode!r} need {needed}, at least 1")

    def prompt(self, *, epoch: int, step: int, example: int) -> int:
        """Return the index of the prompt to use.

        Args:
            epoch: Epoch, from 0.
            step: Optimiser step within the epoch, from 0.
            example: Index of the example in its data set.

        Returns:
            An index in ``[0, bank_size)``.

        Raises:
            ValueError: If step or example lies past the end of the epoch that cycles or the
                canonical ratio count on.
        """
        if self.mode == "single":
            return 0
        key = self._key(epoch, step, example)
        if not self._numbered:
            return self._first + _integer(self._drawn, self.seed, *key)
        number = self._number(key)
        canonical, before = self._canonical(number)
        if canonical:
            return 0
        drawn = (
            _integer(self._drawn, self.seed, *key)
            if self.draws == "replacement"
            else self._cycled(number - before)
        )
        return self._first + drawn

    @property
    def _first(self) -> int:
        """Index of the first prompt that is drawn."""
        return int(self.canonical_ratio > 0)

    @property
    def _drawn(self) -> int:
        """How many prompts are drawn from."""
        return self.bank_size - self._first

    @property
    def _numbered(self) -> bool:
        """Whether a prompt depends on the number of its draw in the run."""
        return self.draws == "cycle" or self.canonical_ratio > 0

    @property
    def _per_epoch(self) -> int:
        """Draws of an epoch; 0 if not known."""
        if self.mode == "example":
            return self.examples or 0
        return -(-(self.steps or 0) // (self.resample_every if self.mode == "block" else 1))

    def _key(self, epoch: int, step: int, example: int) -> tuple[int, ...]:
        """What names a draw: the mode, the epoch (not in mode static), the place in the epoch."""
        mode = _MODES[self.mode]
        if self.mode == "static":
            return mode, example
        if self.mode == "example":
            return mode, epoch, example
        return mode, epoch, step // self.resample_every if self.mode == "block" else step

    def _number(self, key: tuple[int, ...]) -> int:
        """Return the number of a draw in the run, from 0."""
        if self.mode == "static":
            return key[1]
        _, epoch, place = key
        if place >= self._per_epoch:
            raise ValueError(f"draw {place} of an epoch lies past its end: it has {self._per_epoch} ({self})")
        return epoch * self._per_epoch + place

    def _cycled(self, number: int) -> int:
        cycle, place = divmod(number, self._drawn)
        return int(_permutation(self._drawn, self.seed, _CYCLE, cycle)[place])

    def _canonical(self, number: int) -> tuple[bool, int]:
        """Return whether a draw gives the user prompt, and how many before it did.

        The share is exact over stretches of draws: of stretch s, ``floor(a + (s + 1) b) - floor(a +
        s b)`` draws give it, with b the stretch's length times the share and a random a in [0, 1);
        a permutation says which. So the draws before a number can be counted without listing them.
        """
        if self.canonical_ratio == 0:
            return False, 0
        stretch, place = divmod(number, _STRETCH)
        share, offset = _STRETCH * self.canonical_ratio, _uniform(self.seed, _OFFSET)
        before = math.floor(offset + stretch * share)
        count = min(math.floor(offset + (stretch + 1) * share) - before, _STRETCH)
        chosen = _permutation(_STRETCH, self.seed, _PLACES, stretch)[:count]
        return place in chosen, before + int((chosen < place).sum())


# Examples of a step ask for the same draw, and cycles are asked for again and again.
@lru_cache(maxsize=256)
def _permutation(size: int, *key: int) -> np.ndarray:
    return np.random.default_rng([_STREAM, *key]).permutation(size)


@lru_cache(maxsize=256)
def _integer(below: int, *key: int) -> int:
    return int(np.random.default_rng([_STREAM, *key]).integers(below))


@lru_cache(maxsize=256)
def _uniform(*key: int) -> float:
    return float(np.random.default_rng([_STREAM, *key]).random())


def make_schedule(config: Train, prompts: int, *, seed: int, examples: int) -> Schedule:
    """Return the schedule that training settings ask for.

    Args:
        config: Training settings.
        prompts: Number of training prompts; the user prompt is the first where
            ``train.canonical_ratio`` or schedule ``single`` asks for it.
        seed: Seed of the draws.
        examples: Number of training examples.

    Raises:
        ConfigError: If a ratio has no other prompt.
    """
    if config.schedule == "single":
        return Schedule("single", prompts, config.resample_every, seed)
    if prompts == 1 and 0 < config.canonical_ratio < 1:
        raise ConfigError(
            f"train.canonical_ratio {config.canonical_ratio}: the bank has no training prompt besides the "
            "user's own: add some, or train with method single"
        )
    return Schedule(
        config.schedule,
        prompts,
        config.resample_every,
        seed,
        config.draws,
        config.canonical_ratio,
        steps=-(-examples // config.batch_size),
        examples=examples,
        placed=config.prompt_dropout is not None or config.crossover is not None,
    )
