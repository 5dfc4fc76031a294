"""Settings of the methods that choose a prompt: section ``choose`` of a run's configuration."""

from __future__ import annotations

from pydantic import Field

from paft.schema import Schema

RULES = "rules"  # a writer that is none


class Choose(Schema):
    """How ``top_accuracy``, ``bat`` and ``zopo`` choose; see :mod:`paft.experiment.baselines.choice`.

    Attributes:
        examples: Training examples on which a prompt is scored at most: a random sample of each seed.
        budget: Prompts that ``bat`` and ``zopo`` score at most; ``top_accuracy`` scores all.
        writer: Who rewrites prompts for ``bat``: a generators file as for ``paft bank generate``, or
            ``rules``, which takes the training prompts that are most like the one to be rewritten.
        embedding: A sentence-transformers model by which ``zopo`` compares prompts (extra
            ``embeddings``); by default the hidden states of the model that is to be trained.
    """

    examples: int = Field(default=100, ge=1)
    budget: int = Field(default=60, ge=2)
    writer: str = Field(default=RULES, min_length=1)
    embedding: str | None = Field(default=None, min_length=1)
