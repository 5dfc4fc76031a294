"""Settings of reinforcement fine-tuning, the section ``train.grpo`` of a configuration."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Literal

from pydantic import Field, field_validator, model_validator

from paft.errors import ConfigError
from paft.schema import Schema


class Grpo(Schema):
    """Reinforcement fine-tuning (``train.algorithm: grpo``).

    Attributes:
        generations: G, completions that are sampled for an example at a step: its group.
        group: ``shared``: a group is under one prompt (PAPER); ``spanning``: under several, so that what
            a prompt does to the reward is in the advantage. Method ``single`` has one prompt in both.
        prompts_per_group: Prompts of a spanning group, a divisor of ``generations``; one for every
            completion by default.
        readable_bonus: Added to the reward of a completion that an answer can be read from.
        length_cost: Taken from the reward of the longest completion; shorter ones lose in proportion.
        rewards: More rewards, Python functions as ``file.py:function``; see docs/grpo.md.
        weights: Weight of the task's own reward, then of each of ``rewards``; 1 by default.
        temperature: Of sampling.
        max_tokens: Tokens of a completion at most; by default as many as the task generates.
        beta: Weight of the KL divergence from the model that training starts from.
        epsilon: How far from 1 the probability ratio may be before it is clipped.
        loss_type: How the loss averages over tokens, as TRL names it. PAPER: ``grpo``, as it cites GRPO
            unchanged.
        scale_rewards: What rewards are divided by: the standard deviation of their ``group`` or of the
            ``batch``, or ``none``. By default ``group`` in shared groups, ``none`` in spanning ones, whose
            deviation is also that between prompts.
        iterations: Optimiser steps on the same completions.
        vllm: Sample with vLLM: ``colocate``, or the address of a server of TRL (``http://...``). Then a
            resumed run has the same prompts, but not the same samples.
    """

    generations: int = Field(default=8, ge=2)
    group: Literal["shared", "spanning"] = "shared"
    prompts_per_group: int | None = Field(default=None, ge=2)
    readable_bonus: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    length_cost: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    rewards: tuple[str, ...] = ()
    weights: tuple[float, ...] | None = None
    temperature: float = Field(default=1.0, gt=0, allow_inf_nan=False)
    max_tokens: int | None = Field(default=None, ge=1)
    beta: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    epsilon: float = Field(default=0.2, gt=0, allow_inf_nan=False)
    loss_type: Literal["grpo", "bnpo", "dr_grpo", "dapo"] = "dapo"
    scale_rewards: Literal["group", "batch", "none"] | None = None
    iterations: int = Field(default=1, ge=1)
    vllm: str | None = Field(default=None, pattern=r"^(colocate|https?://.+)$")

    @field_validator("rewards")
    @classmethod
    def _check_rewards(cls, rewards: tuple[str, ...]) -> tuple[str, ...]:
        for spec in rewards:
            path, _, function = spec.rpartition(":")
            if not path.endswith(".py") or not function.isidentifier():
                raise ValueError(f"reward {spec!r}: write file.py:function")
        return rewards

    @model_validator(mode="after")
    def _check_weights(self) -> Grpo:
        if self.weights is None:
            return self
        wanted = 1 + len(self.rewards)
        if len(self.weights) != wanted:
            raise ValueError(
                f"weights has {len(self.weights)} numbers for {wanted} rewards (the task's is the first)"
            )
        if not any(self.weights):
            raise ValueError(f"weights {list(self.weights)} are all 0: nothing would be rewarded")
        return self

    @model_validator(mode="after")
    def _check_group(self) -> Grpo:
        if self.group == "shared":
            if self.prompts_per_group is not None:
                raise ValueError(
                    "prompts_per_group goes with group 'spanning': a shared group has one prompt"
                )
            return self
        if self.generations % self.spanned:
            raise ValueError(
                f"prompts_per_group {self.spanned} does not divide generations {self.generations}"
            )
        if self.vllm not in (None, "colocate"):
            raise ValueError(
                "group 'spanning' does not go with a vLLM server: TRL asks it for all completions of a group "
                "under the first prompt; set vllm to colocate, or group to shared"
            )
        return self

    @property
    def spanned(self) -> int:
        """Prompts of a group."""
        return 1 if self.group == "shared" else self.prompts_per_group or self.generations

    @property
    def scale(self) -> Literal["group", "batch", "none"]:
        """What rewards are divided by."""
        return self.scale_rewards or ("group" if self.group == "shared" else "none")

    @property
    def summary(self) -> str:
        """How answers are sampled and rewarded, in a line."""
        group = "one prompt" if self.group == "shared" else f"{self.spanned} prompts"
        extra = f", {len(self.rewards)} more reward functions" if self.rewards else ""
        return (
            f"GRPO (TRL), {self.generations} completions of an example under {group}, loss {self.loss_type}, "
            f"beta {self.beta:g}, rewards by the task's rule{extra}"
        )

    @property
    def reward_weights(self) -> list[float]:
        """Weight of every reward, the task's own first."""
        return list(self.weights or (1.0,) * (1 + len(self.rewards)))


def check_extras(grpo: Grpo) -> None:
    """Refuse reinforcement fine-tuning without TRL, or with vLLM where that is not installed.

    Raises:
        ConfigError: Naming the extra.
    """
    if find_spec("trl") is None:
        raise ConfigError("train.algorithm 'grpo' needs TRL: pip install 'paft[rl]'")
    if grpo.vllm is not None and find_spec("vllm") is None:
        raise ConfigError(
            f"train.grpo.vllm {grpo.vllm!r} needs vLLM: pip install 'trl[vllm]', or leave it out"
        )
