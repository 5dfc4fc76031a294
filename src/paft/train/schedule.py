"""Which prompt an optimiser step uses: the contribution of the paper as one pure function.

The prompt is a function of (seed, epoch, step, example) alone: no generator is advanced, no state is kept.
So every rank, data-loader worker and resumed run agrees, and the schedule can be printed before training.

=========  ==================================================================================
mode       the prompt changes
=========  ==================================================================================
single     never: the first prompt of the list. Ordinary fine-tuning, the main baseline
static     never for an example, over all epochs: what the paper's published code does
example    for every example, anew in every epoch
step       every optimiser step: mode block with K = 1
block      every K optimiser steps, and at the start of every epoch: the paper's Algorithm 1
=========  ==================================================================================

Draws are uniform with replacement, as in the paper, or in cycles: a random permutation of all prompts is used
up before the next one. A share of all draws may be kept for the user prompt.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import get_args

import numpy as np

from paft.errors import ConfigError, expect_share, expect_whole
from paft.schema import nearest
from paft.train.settings import BY_EXAMPLE, Draws, Mode, Train

# First numbers of the keys of random draws; a step is a block of one.
_STREAM = 0x5EED
_MODES = {"static": 1, "example": 2, "step": 3, "block": 3}
_CYCLE, _PLACES, _OFFSET, _SPAN = 4, 5, 6, 7
_STRETCH = 20  # draws in a row of which the user prompt has its share, to one draw


@dataclass(frozen=True)
class Schedule:
    """The prompt of every step or example.

    PAPER: Algorithm 1 counts "steps" without saying of what. Here K counts optimiser steps, never
    micro-batches; the paper's code counted examples.

    Attributes:
        mode: When the prompt changes, as above.
        bank_size: Number M of training prompts, at least 1.
        resample_every: K, the optimiser steps that share a prompt, at least 1 (mode ``block``).
        seed: Seed of the draws, at least 0.
        draws: ``replacement``: each is independent of the others; ``cycle``: all prompts come once
            before one comes again.
        user_prompt_share: Share in [0, 1] of draws that give the first prompt, the user prompt, which
            no other draw gives. It holds to one draw in every ``_STRETCH``, at random places.
        steps: Optimiser steps of an epoch; cycles and a ratio need it in modes ``step``, ``block``.
        examples: Number of examples; cycles and a ratio need it in mode ``example``.

    Raises:
        ConfigError: If a name is unknown, or a number is out of range or missing.

    >>> schedule = Schedule("block", bank_size=100, resample_every=2, seed=0)
    >>> [schedule.prompt(epoch=0, step=step, example=0) for step in range(4)]
    [68, 68, 93, 93]
    """

    mode: Mode
    bank_size: int
    resample_every: int = 4
    seed: int = 0
    draws: Draws = "replacement"
    user_prompt_share: float = 0.0
    steps: int | None = None
    examples: int | None = None

    def __post_init__(self) -> None:
        for name, known in (("mode", get_args(Mode)), ("draws", get_args(Draws))):
            value = getattr(self, name)
            if value not in known:
                raise ConfigError(f"a schedule has no {name} {value!r}{nearest(str(value), list(known))}")
        for name, least in (("bank_size", 1), ("resample_every", 1), ("seed", 0)):
            expect_whole(getattr(self, name), name, least=least)
        for name in ("steps", "examples"):
            if getattr(self, name) is not None:
                expect_whole(getattr(self, name), name)
        expect_share(self.user_prompt_share, "user_prompt_share")
        if not self._drawn and self.user_prompt_share < 1:
            raise ConfigError("a user_prompt_share below 1 needs a second prompt, got bank_size=1")
        if self._numbered and self.mode in ("example", "step", "block") and not self._per_epoch:
            needed = "examples" if self.mode == "example" else "steps"
            raise ConfigError(f"cycles and user_prompt_share in mode {self.mode!r} need {needed}, at least 1")

    def prompt(self, *, epoch: int, step: int, example: int) -> int:
        """Return the index of the prompt for an example at a step of an epoch, all counted from 0.

        Raises:
            ValueError: If cycles or a share of the user prompt count on a shorter epoch.
        """
        if self.mode == "single":
            return 0
        key = self._key(epoch, step, example)
        number = self._number(key) if self._numbered else 0
        is_user, user_draws = self._user_draws(number)
        if is_user:
            return 0
        if self.draws == "replacement":
            return self._first + int(_generator(self.seed, *key).integers(self._drawn))
        cycle, place = divmod(number - user_draws, self._drawn)
        return self._first + int(_permutation(self._drawn, self.seed, _CYCLE, cycle)[place])

    def span(self, count: int, *, epoch: int, step: int, example: int) -> list[int]:
        """Return the indices of several prompts for one example at a step, all of them different.

        The first is that of :meth:`prompt`, the others are drawn from the rest; they change when it does.
        Mode ``single`` has one.
        """
        first = self.prompt(epoch=epoch, step=step, example=example)
        if self.mode == "single" or count == 1:
            return [first]
        others = _generator(self.seed, _SPAN, *self._key(epoch, step, example)).permutation(self.bank_size)
        return [first, *(int(other) for other in others if other != first)][:count]

    @property
    def by_example(self) -> bool:
        """Whether each example of a step has a prompt of its own."""
        return self.mode in BY_EXAMPLE

    @property
    def _first(self) -> int:
        """Index of the first prompt that is drawn."""
        return int(self.user_prompt_share > 0)

    @property
    def _drawn(self) -> int:
        return self.bank_size - self._first

    @property
    def _numbered(self) -> bool:
        """Whether a prompt depends on the number of its draw in the run."""
        return self.draws == "cycle" or self._first == 1

    @property
    def _k(self) -> int:
        return self.resample_every if self.mode == "block" else 1

    @property
    def _per_epoch(self) -> int:
        """Draws of an epoch; 0 if not known."""
        return (self.examples or 0) if self.mode == "example" else -(-(self.steps or 0) // self._k)

    def _key(self, epoch: int, step: int, example: int) -> tuple[int, ...]:
        """Return what names a draw: the mode, the epoch (not in mode static), the place in the epoch."""
        if self.mode == "static":
            return _MODES[self.mode], example
        return _MODES[self.mode], epoch, example if self.mode == "example" else step // self._k

    def _number(self, key: tuple[int, ...]) -> int:
        """Return the number of a draw in the run, from 0."""
        if self.mode == "static":
            return key[1]
        _, epoch, place = key
        if place >= self._per_epoch:
            raise ValueError(f"draw {place} of an epoch lies past its end: it has {self._per_epoch} ({self})")
        return epoch * self._per_epoch + place

    def _user_draws(self, number: int) -> tuple[bool, int]:
        """Return whether a draw gives the user prompt, and how many before it did.

        Stretch s of draws has ``floor(a + (s + 1) b) - floor(a + s b)`` of them, with b its length times
        the share and a random a in [0, 1), at places of a permutation: no draw before has to be listed.
        """
        if self.user_prompt_share == 0:
            return False, 0
        stretch, place = divmod(number, _STRETCH)
        share, offset = _STRETCH * self.user_prompt_share, _generator(self.seed, _OFFSET).random()
        before = math.floor(offset + stretch * share)
        count = min(math.floor(offset + (stretch + 1) * share) - before, _STRETCH)
        chosen = _permutation(_STRETCH, self.seed, _PLACES, stretch)[:count]
        return place in chosen, before + int((chosen < place).sum())


def _generator(*key: int) -> np.random.Generator:
    return np.random.default_rng([_STREAM, *key])


@lru_cache(maxsize=256)  # cycles are asked for again and again
def _permutation(size: int, *key: int) -> np.ndarray:
    return _generator(*key).permutation(size)


def make_schedule(config: Train, prompts: int, *, seed: int, examples: int) -> Schedule:
    """Return the schedule that training settings ask for, over numbers of prompts and examples.

    Where ``train.user_prompt_share`` or schedule ``single`` asks for the user prompt, it is the first.

    Raises:
        ConfigError: If the user prompt has a share and there is no other prompt.
    """
    if config.schedule == "single":
        return Schedule("single", prompts, config.resample_every, seed)
    if prompts == 1 and 0 < config.user_prompt_share < 1:
        raise ConfigError(
            f"train.user_prompt_share {config.user_prompt_share}: the bank has no training prompt besides "
            "the user's own: add some, or train with method single"
        )
    if config.algorithm == "grpo" and prompts < config.grpo.spanned:
        raise ConfigError(
            f"train.grpo: a spanning group has {config.grpo.spanned} prompts, but training has {prompts}: "
            "lower train.grpo.prompts_per_group, or set train.grpo.group to shared"
        )
    return Schedule(
        config.schedule, prompts, config.resample_every, seed, config.draws, config.user_prompt_share,
        steps=-(-examples // config.batch_size),
        examples=examples,
    )  # fmt: skip
