"""Rewards: what the task's own rule says of a completion, and functions of the user.

The task's reward of a completion is its score in [0, 1] as evaluation would give it, plus
``train.grpo.readable_bonus`` if an answer could be read, less ``train.grpo.length_cost`` times the share of
``max_tokens`` that it took.
"""

from __future__ import annotations

import importlib.util
import inspect
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from paft.errors import ConfigError, said, shown
from paft.files import file_digest
from paft.model.encode import Encoder
from paft.model.reply import read_answer, read_generated, score_answer
from paft.task.task import Example, Task
from paft.train.grpo.settings import Grpo

OWN = "answer"  # name of the task's own reward
_LARGEST = float(np.finfo(np.float32).max)


class Reading(NamedTuple):
    """What a completion says.

    Attributes:
        text: Decoded, without the end.
        score: Of the answer, in [0, 1].
        readable: Whether an answer could be read.
        ended: Whether it ended by itself.
        length: Its tokens, the end included.
    """

    text: str
    score: float
    readable: bool
    ended: bool
    length: int


@dataclass(frozen=True)
class CompletionReader:
    """Reads completions as evaluation reads replies.

    Attributes:
        task: Gives rule and metric.
        examples: Training examples.
        encoder: Decodes.
        stops: Tokens that end a completion.
    """

    task: Task
    examples: Sequence[Example]
    encoder: Encoder
    stops: Sequence[int]

    def __call__(self, example: int, ids: list[int]) -> Reading:
        """Return what the tokens of a completion say of an example."""
        found = read_generated(ids, self.encoder, self.stops)
        answer = read_answer(self.task, self.examples[example], found)
        score = score_answer(self.task, self.examples[example], answer)
        return Reading(found.text, score, answer is not None, not found.cut, len(ids))


@dataclass(frozen=True)
class Reward:
    """A reward function, whose mistakes are one error each.

    Attributes:
        name: As the user gave it, and as it stands in the log.
        function: Takes columns by name and returns a number for each completion.
    """

    name: str
    function: Callable[..., Sequence[float]]

    @property
    def __name__(self) -> str:
        return self.name

    def __call__(self, **columns: Any) -> list[float]:
        """Return the rewards of the completions.

        Raises:
            ConfigError: If the function raises, or returns another number of rewards or none that are finite.
        """
        count = len(columns["completions"])
        try:
            found = list(self.function(**columns))
        except Exception as error:
            raise ConfigError(
                f"train.grpo.rewards: {self.name} raised {type(error).__name__}: {said(error)}; it is called "
                "with completions, prompts, gold, fields and more by name: mend it"
            ) from error
        if len(found) != count:
            raise ConfigError(
                f"train.grpo.rewards: {self.name} returned {len(found)} rewards for {count} completions: "
                "return one for each"
            )
        for reward, text in zip(found, columns["completions"], strict=True):
            if not _is_finite(reward):
                raise ConfigError(
                    f"train.grpo.rewards: {self.name} returned {shown(reward)} for completion {shown(text)}: "
                    "return a finite number, 0 where there is nothing to say"
                )
        return [float(reward) for reward in found]


def _is_finite(reward: Any) -> bool:
    try:
        # TRL keeps rewards in float32. Text is refused, since "0110" would be four rewards.
        return not isinstance(reward, str) and abs(float(reward)) <= _LARGEST
    except (TypeError, ValueError, OverflowError):
        return False


def own_reward(settings: Grpo, limit: int) -> Reward:
    """Return the task's own reward; see the module docstring.

    Args:
        settings: Bonus and cost.
        limit: Tokens of a completion at most.
    """

    def reward(*, readings: Sequence[Reading], **_: Any) -> list[float]:
        return [
            reading.score
            + settings.readable_bonus * reading.readable
            - settings.length_cost * reading.length / limit
            for reading in readings
        ]

    return Reward(OWN, reward)


def load_reward(spec: str) -> Reward:
    """Load a reward function of the user, given as ``file.py:function``; the file is run.

    Raises:
        ConfigError: If there is no such file or function, or the file raises.
    """
    path, _, name = spec.rpartition(":")
    if not Path(path).is_file():
        raise ConfigError(f"train.grpo.rewards: {spec}: there is no file {path}")
    # Files of one name in two folders are two modules.
    name_of = f"paft_reward_{Path(path).stem}_{file_digest(Path(path))[:16]}"
    found = importlib.util.spec_from_file_location(name_of, path)
    assert found is not None and found.loader is not None  # the name ends in .py
    module = importlib.util.module_from_spec(found)
    sys.modules[found.name] = module  # where dataclasses and pickle look for what it defines
    try:
        found.loader.exec_module(module)
    except Exception as error:
        raise ConfigError(
            f"train.grpo.rewards: {path} raised {type(error).__name__} while it was loaded: {said(error)}"
        ) from error
    function = getattr(module, name, None)
    if not callable(function) or inspect.iscoroutinefunction(function):
        raise ConfigError(f"train.grpo.rewards: {path} has no function {name} (a plain one, not async)")
    return Reward(spec, function)


def reward_digests(rewards: Sequence[str]) -> dict[str, str]:
    """Return the hash of every file with reward functions."""
    return {path: file_digest(Path(path)) for path in sorted({spec.rpartition(":")[0] for spec in rewards})}


class RewardRecord(NamedTuple):
    """How reinforcement fine-tuning went under one prompt.

    Attributes:
        completions: Sampled under it.
        reward: Their mean reward, all rewards with their weights.
        score: Mean score by the task's rule.
        readable: Share that an answer could be read from.
        ended: Share that ended by itself.
        useful: Share whose advantage was not zero: the others teach nothing.
        length: Mean tokens.
        entropy: Mean entropy of a token, nats, as the weights stood at that step.
    """

    completions: int
    reward: float
    score: float
    readable: float
    ended: float
    useful: float
    length: float
    entropy: float
