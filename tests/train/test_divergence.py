"""A training that diverges ends with the step, and nothing of it stays."""

from __future__ import annotations

import pytest
import torch

from paft.errors import DivergedError
from paft.evaluate.cells import score_cells
from paft.model.load import load_model
from paft.train.loop import fine_tune
from paft.train.settings import Train
from paft.train.validation import Validation

SETTINGS = {"epochs": 3, "batch_size": 8, "resample_every": 1, "warmup": 0.0, "adapt": {"rank": 4}}


@pytest.fixture
def train(model_folder, train_examples, bank, task, test_examples, tmp_path):
    """Train a newly loaded model of 9 steps; ``spoil`` is called with it first."""

    def run(spoil=None, **settings):
        loaded = load_model(str(model_folder))
        if spoil:
            spoil(loaded.model)
        config = Train(**{**SETTINGS, "learning_rate": 1e-3, **settings})
        validated = Validation(task, bank.prompts("validation"), test_examples, score_cells)
        return fine_tune(
            loaded, train_examples, bank.prompts("train"), config,
            seed=0, output=tmp_path / "adapter", validation=validated if config.validate_every else None,
        )  # fmt: skip

    return run


def spoil_gradient(at, value):
    """Let the gradient of one weight be no number in the ``at``-th backward pass; losses stay finite."""

    def spoil(model):
        calls = []

        def hook(gradient):
            calls.append(1)
            return torch.full_like(gradient, value) if len(calls) == at else gradient

        def forward(module, args, output):
            if output.requires_grad:
                output.register_hook(hook)

        model.model.layers[0].register_forward_hook(lambda m, a, out: forward(m, a, out))

    return spoil


@pytest.mark.parametrize(
    ("rate", "more"),
    [
        (1e20, {}),
        (1e38, {"save_every": 1}),
        (1e20, {"validate_every": 1}),
        (1e20, {"adapt": {"method": "full"}}),
    ],
)
def test_a_rate_that_is_far_too_high_is_told_with_the_step(train, tmp_path, rate, more):
    with pytest.raises(DivergedError) as caught:
        train(learning_rate=rate, **more)
    message = str(caught.value)
    assert message.startswith("training diverged: ") and "\n" not in message
    assert "of step 2 " in message or "after step 1 " in message
    assert f"lower train.learning_rate (now {rate:g})" in message
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "more", [{}, {"save_every": 2}, {"validate_every": 3, "keep": "best"}, {"average": 0.5}]
)
def test_a_gradient_that_is_no_number_ends_it_behind_any_loss(train, tmp_path, more):
    """In the last step, which no loss follows."""
    with pytest.raises(DivergedError, match=r"diverged: after step 9 the weights hold NaN .*lora_"):
        train(spoil_gradient(9, float("nan")), **more)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "more", [{}, {"adapt": {"method": "full"}}, {"average": 1.0}, {"keep": "best", "validate_every": 9}]
)
def test_weights_that_are_finite_but_compute_no_numbers_are_not_kept(train, tmp_path, more):
    """In the only step, so that no loss follows it."""
    with pytest.raises(DivergedError, match="training diverged: after step 1 the model computes no finite"):
        train(learning_rate=1e20, warmup=0.0, batch_size=24, epochs=1, **more)
    assert not list(tmp_path.iterdir())


def test_the_first_step_without_a_finite_loss_is_named_not_the_next_log_entry(train):
    with pytest.raises(DivergedError, match="the loss of step 3 is NaN or infinite"):
        train(spoil_gradient(2, float("nan")))


def test_a_high_loss_that_is_a_number_is_nobodys_business_but_the_users(train):
    trained = train(learning_rate=0.3)
    assert trained.steps == 9 and trained.loss > 0
