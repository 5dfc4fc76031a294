"""TRL's GRPOTrainer on rows that are already in order: nothing of the algorithm is ours.

What differs from it: rows are neither shuffled nor dropped (asserted), prompts are encoded and replies
decoded as everywhere in PAFT, a checkpoint's generation settings are left out, and sampling is seeded by
(seed, round, process), so that a resumed run samples what the uninterrupted one would. Completions are kept
for ``iterations`` steps and are in no checkpoint: those are written between rounds only (asserted).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch.random import fork_rng, manual_seed
from torch.utils.data import Sampler
from transformers import Trainer, TrainerCallback
from trl import GRPOTrainer
from trl.trainer.utils import RepeatSampler

from paft.errors import PaftError
from paft.model.reply import without_settings
from paft.train.grpo.rewards import CompletionReader, Reading
from paft.train.grpo.rows import RowRenderer
from paft.train.grpo.sums import RewardSums
from paft.train.trainer import ResumableTrainer, check_hooks
from paft.train.validation import MEAN

SUPPORTED = "trl>=1.16,<1.17"  # as in pyproject.toml
# Methods of GRPOTrainer that ours take the place of, and their parameters.
HOOKS = {
    "_get_train_sampler": ("dataset",),
    "_tokenize_prompts": ("prompts",),
    "_calculate_rewards": ("inputs", "prompts", "completions", "completion_ids_list"),
    "_generate_and_score_completions": ("inputs",),
    "_compute_loss": ("model", "inputs"),
    "_save_checkpoint": ("model", "trial"),
    "log": ("logs", "start_time"),
}
_SAMPLES = 0x6B90  # first number of the keys of samples
_ROUNDING = 1e-6  # rewards of a group whose difference is a smaller share of them differ by rounding alone
_ROUNDS = 20  # rounds after which something must have been learnt


class GroupTrainer(ResumableTrainer, GRPOTrainer):  # type: ignore[misc]
    """Reinforcement fine-tuning on rows in the order of training.

    Args:
        renderer: Renders a row's prompt.
        reader: Reads completions.
        sums: Counts them by prompt.
    """

    measure = "reward"

    def __init__(
        self, *args: Any, renderer: RowRenderer, reader: CompletionReader, sums: RewardSums, **kwargs: Any
    ) -> None:
        check_hooks(GRPOTrainer, HOOKS, SUPPORTED)
        super().__init__(*args, sums=sums, **kwargs)
        self.args: Any
        self.data_collator: Any = renderer
        self.reader = reader
        self.reward_sums = sums
        self.eos_token_ids = list(reader.stops)
        self._readings: list[Reading] = []
        self._rewards: list[float] = []
        self._lengths: list[int] = []
        self._useful = torch.zeros(0, dtype=torch.bool)
        self._scored: tuple[torch.Tensor, torch.Tensor] | None = None
        self.add_callback(_Signal(self))

    def latest(self) -> torch.Tensor | None:
        """Return the mean reward of the newest completions in this process."""
        return torch.tensor(self._rewards).mean() if self._rewards else None

    def _get_train_sampler(self, dataset: Any = None) -> Sampler[int]:
        """Rows in their order, each round as often as TRL's buffer asks for it."""
        rows: Any = self.train_dataset if dataset is None else dataset
        size = self.args.generation_batch_size
        assert len(rows) % size == 0, f"{len(rows)} rows make no whole rounds of {size}: TRL would drop some"
        repeats = self.num_iterations * self.args.steps_per_generation
        sampler: Sampler[int] = RepeatSampler(
            rows, mini_repeat_count=1, batch_size=size, repeat_count=repeats, shuffle=False
        )
        return sampler

    def _tokenize_prompts(self, prompts: list[str]) -> tuple[list[list[int]], None, dict[str, Any]]:
        found = [self.reader.encoder.context(text, self.max_completion_length)[0] for text in prompts]
        self._lengths = [len(ids) for ids in found]
        return found, None, {}

    def _generate_and_score_completions(self, inputs: list[dict[str, Any]]) -> dict[str, Any]:
        """Sample and score a round; history has no part in what is sampled."""
        rank, round_ = self.accelerator.process_index, self.state.global_step // self.num_iterations
        first = round_ * self.args.generation_batch_size + rank * len(inputs)
        positions = [row["position"] for row in inputs]
        assert positions == list(range(first, first + len(inputs))), (
            f"rows {positions[:3]}... came where row {first} was due: TRL changed their order"
        )
        self.watch.check_weights()  # nothing can be sampled from NaN
        device = self.accelerator.device
        devices = [] if device.type == "cpu" else [device]
        forked = fork_rng(devices=devices, device_type="cuda" if device.type == "cpu" else device.type)
        with without_settings(self.model), forked:
            manual_seed(_sample_seed(self.args.seed, round_, rank))
            output: dict[str, Any] = super()._generate_and_score_completions(inputs)
        numbers = [row["prompt_number"] for row in inputs]
        # The mean of eight rewards of 0.1 is not quite 0.1: TRL divides the rest by a deviation near 0, and
        # Adam makes a whole step of it.
        output["advantages"] = output["advantages"] * self._useful
        self.reward_sums.add(numbers, self._lengths, self._readings, self._rewards, self._useful.tolist())
        # Goes through shuffling and splitting with the completions.
        output["prompt_numbers"] = torch.tensor(numbers, device=device)
        return output

    def _calculate_rewards(
        self, inputs: list[dict[str, Any]], prompts: list[Any], completions: list[Any],
        completion_ids_list: list[list[int]],
    ) -> torch.Tensor:  # fmt: skip
        """Return the rewards (all completions, functions) of what was read from the completions' tokens."""
        pairs = zip(inputs, completion_ids_list, strict=True)
        self._readings = [self.reader(row["example"], ids) for row, ids in pairs]
        rows = [{**row, "readings": read} for row, read in zip(inputs, self._readings, strict=True)]
        texts = [reading.text for reading in self._readings]
        found: torch.Tensor = super()._calculate_rewards(rows, prompts, texts, completion_ids_list)
        own = slice(self.accelerator.process_index * len(rows), None)
        rewards = (found * self.reward_weights.to(found.device)).sum(1)
        self._rewards = rewards[own][: len(rows)].tolist()
        self._useful = differing(rewards, self.num_generations)[own][: len(rows)]
        return found

    def compute_loss(
        self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """Return TRL's loss, seen by what ends a training that diverges."""
        loss: Any = super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
        self.watch.see(loss)
        return loss

    def _compute_loss(self, model: Any, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
        self._scored = inputs["prompt_numbers"], inputs["completion_mask"]
        try:
            loss: torch.Tensor = super()._compute_loss(model, inputs)
            return loss
        finally:
            self._scored = None

    def _get_per_token_logps_and_entropies(self, *args: Any, **kwargs: Any) -> Any:
        found = super()._get_per_token_logps_and_entropies(*args, **kwargs)
        if self._scored is not None:  # asked for by the loss, which has the entropy computed
            prompts, mask = self._scored
            self.reward_sums.add_entropy(prompts, found[1], mask)
        return found

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Log; a validation leaves what TRL has gathered of the steps to the next entry of the curve."""
        if MEAN in logs:
            Trainer.log(self, logs, start_time)
        else:
            super().log(logs, start_time)

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        step = self.state.global_step
        assert step % self.num_iterations == 0, f"step {step}: completions are still in use, none are saved"
        super()._save_checkpoint(model, trial)

    def create_model_card(self, *args: Any, **kwargs: Any) -> None:
        """Write none: ours is written when the weights are."""


def differing(rewards: torch.Tensor, generations: int) -> torch.Tensor:
    """Return whether each reward (N,), group after group, differs from the mean of its group.

    >>> differing(torch.tensor([0.1] * 8 + [0.0, 0.1, 0.2] + [0.1] * 5), 8).tolist()[6:12]
    [False, False, True, False, True, False]
    """
    groups = rewards.double().view(-1, generations)
    off = (groups - groups.mean(1, keepdim=True)).abs()
    return (off > _ROUNDING * groups.abs().amax(1, keepdim=True)).flatten()


def _sample_seed(seed: int, round_: int, rank: int) -> int:
    """Return the seed of what a process samples in a round."""
    return int(np.random.default_rng([_SAMPLES, seed, round_, rank]).integers(2**63 - 1))


class _Signal(TrainerCallback):
    """Ends a training that has learnt nothing in its first rounds: no completion was better than another."""

    def __init__(self, trainer: GroupTrainer) -> None:
        self.trainer = trainer

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Look once.

        Raises:
            PaftError: Saying what the completions were like.
        """
        trainer = self.trainer
        if state.global_step != min(_ROUNDS * trainer.num_iterations, state.max_steps):
            return
        useful, score, readable, ended = trainer.reward_sums.useful(trainer.accelerator.reduce)
        if not useful:
            raise PaftError(
                _no_signal(state.global_step, score, readable, ended, trainer.max_completion_length)
            )


def _no_signal(step: int, score: float, readable: float, ended: float, limit: int) -> str:
    told = f"reinforcement fine-tuning has learnt nothing in {step} steps: in no group did rewards differ"
    found = f"mean score {score:.2f}, {readable:.0%} readable, {ended:.0%} ended within {limit} tokens"
    if not ended:
        mend = "the model never stops: raise train.grpo.max_tokens, or begin after a short SFT (docs/grpo.md)"
    elif score > 0.5:
        mend = "the examples are too easy for it: take harder ones, or a higher train.grpo.temperature"
    else:
        mend = (
            "begin with a model above chance, after a short SFT say (docs/grpo.md), or raise "
            "train.grpo.generations"
        )
    return f"{told} ({found}); {mend}"
