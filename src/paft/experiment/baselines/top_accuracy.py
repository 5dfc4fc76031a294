"""TopAccuracy: the training prompt under which the untrained model is right most often.

PAPER: the baseline of that name is fine-tuned on "the prompt with the highest accuracy on the
training set"; here on a sample of it (``choose.examples``).
"""

from __future__ import annotations

from collections.abc import Sequence

from paft.experiment.baselines.scores import Score, Scores
from paft.prompt import Prompt


def top_accuracy(prompts: Sequence[Prompt], scores: Scores) -> Score:
    """Score all prompts and return the best."""
    scores([(prompt, {"origin": "bank"}) for prompt in prompts])
    return scores.best()
