"""What the untouched model makes of the training prompts: scored once, before training, and kept.

On a fixed sample of training examples every prompt gets

- its difficulty: mean loss of the answers under it, nats per answer token;
- its distance from the user's own prompt: mean over the answer tokens of KL(p | q), in nats, where p
  is the model's distribution under the user's own prompt and q under this one, both behind the true
  answer so far. A prompt under which the answers have other tokens has none, and counts as farthest.

``train.curriculum`` goes by the first, ``train.low_kl`` by the second. The scores lie in
``scores.json`` beside the weights, written after every prompt; a killed run goes on with the next.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch

from paft.errors import NotFiniteError
from paft.files import fingerprint, write_json
from paft.model.finite import broken
from paft.model.load import LanguageModel, model_fingerprint
from paft.prompt import Prompt
from paft.shape import interpreted, read_record
from paft.task.task import Example, data_fingerprint
from paft.train.batches import Collator, Plan, RenderedExamples, StepCollator
from paft.train.loss import answer_logits

SAMPLE = 32  # training examples at most
SCORES = "scores.json"
_BATCH = 8  # examples of a forward pass
_STREAM = 0x940B


@dataclass(frozen=True)
class Score:
    """What the untouched model makes of a prompt.

    Attributes:
        loss: Mean loss of the answers, nats per token.
        distance: Mean KL divergence from the user's own prompt, nats; None if the answers have other
            tokens or there is no such prompt.
    """

    loss: float
    distance: float | None


def probe(
    language_model: LanguageModel,
    examples: Sequence[Example],
    prompts: Sequence[Prompt],
    own: Prompt | None,
    max_length: int,
    path: Path,
) -> list[Score]:
    """Score prompts, or what a former call left to score.

    Args:
        language_model: Before anything was trained or put around it.
        examples: Training examples; a fixed random sample of ``SAMPLE`` is used.
        prompts: What to score.
        own: The user's own prompt, for distances.
        max_length: Tokens of prompt and answer at most.
        path: Where the scores are kept; those of other inputs are made anew.

    Raises:
        DataError: If an answer does not fit.
        NotFiniteError: If a loss is no number.
    """
    chosen = np.random.default_rng([_STREAM, len(examples)]).permutation(len(examples))[:SAMPLE]
    sample = [examples[i] for i in np.sort(chosen).tolist()]
    inputs = fingerprint(
        [
            model_fingerprint(language_model.name) or language_model.name,
            language_model.chat.identity(), data_fingerprint(sample), own and own.id, max_length,
        ]
    )  # fmt: skip
    kept = read_record(path, "scores of prompts", {"inputs": str, "scores": {}}) if path.exists() else {}
    scores: dict[str, Any] = kept["scores"] if kept.get("inputs") == inputs else {}
    judge = _Judge(language_model, sample, own, max_length)
    for prompt in prompts:
        if prompt.id not in scores:
            scores[prompt.id] = asdict(judge.score(prompt))
            write_json(path, {"inputs": inputs, "scores": scores})
    with interpreted(path):
        return [Score(**scores[prompt.id]) for prompt in prompts]


def nearest_prompts(scores: Sequence[Score], share: float) -> list[int]:
    """Return the prompts nearest to the user's own, in their order: ``round(share M)``, at least one.

    Args:
        scores: Of M prompts.
        share: In (0, 1].
    """
    far = [np.inf if score.distance is None else score.distance for score in scores]
    count = max(1, round(share * len(scores)))
    return sorted(np.argsort(far, kind="stable")[:count].tolist())


class _Judge:
    """Runs the sample under one prompt at a time."""

    def __init__(
        self, language_model: LanguageModel, sample: Sequence[Example], own: Prompt | None, max_length: int
    ) -> None:
        self.language_model = language_model
        self.sample = sample
        self.encoder = language_model.encoder(max_length)
        self.own = own
        self._own: tuple[list[int], torch.Tensor] | None = None

    def score(self, prompt: Prompt) -> Score:
        tokens, logs = self._run(prompt)
        loss = -logs[torch.arange(len(tokens)), torch.tensor(tokens)].mean().item()
        if not math.isfinite(loss):
            raise NotFiniteError(broken(self.language_model.name, "losses"))
        if self.own is None:
            return Score(loss, None)
        self._own = self._own or self._run(self.own)
        if self._own[0] != tokens:
            return Score(loss, None)
        p = self._own[1]
        return Score(loss, (p.exp() * (p - logs)).sum(-1).mean().item())

    @torch.inference_mode()
    def _run(self, prompt: Prompt) -> tuple[list[int], torch.Tensor]:
        """Return the N answer tokens of the sample and their predictions' log-probabilities, (N, V)."""
        model = cast("Any", self.language_model.model)
        rows = RenderedExamples(self.sample, [prompt], self.encoder)
        collate = StepCollator(Collator(self.encoder.pad))
        training, tokens, logs = model.training, [], []
        model.eval()
        for start in range(0, len(rows), _BATCH):
            batch = collate([rows[Plan(i, 0)] for i in range(start, min(start + _BATCH, len(rows)))])
            answers = batch.pop("answers")
            inputs = {k: v.to(model.device) if isinstance(v, torch.Tensor) else v for k, v in batch.items()}
            head = model.get_output_embeddings()
            logits = answer_logits(model, head, inputs, answers["at"].to(model.device))
            tokens += answers["ids"].tolist()
            logs.append(logits.float().log_softmax(-1).cpu())
        model.train(training)
        return tokens, torch.cat(logs)
