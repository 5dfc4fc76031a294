"""A model that computes no numbers ends an evaluation by name; it never means the first option."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from paft.errors import NotFiniteError
from paft.evaluate.cells import evaluate_matrix
from paft.evaluate.scoring.score import find_way
from paft.experiment.evaluate import EvaluateConfig, evaluate
from paft.model.finite import FiniteLogits, check_scores
from paft.model.load import load_model

NAN, INF = float("nan"), float("inf")


@pytest.fixture
def breaking(model_folder):
    """A model one of whose logits is replaced, at places where ``when`` says so."""

    def make(value, token=7, when=lambda calls: True):
        judged = load_model(str(model_folder))
        calls = []

        def hook(module, args, logits):
            calls.append(1)
            if when(len(calls)):
                logits = logits.clone()
                logits[..., token] = value
            return logits

        judged.model.get_output_embeddings().register_forward_hook(hook)
        return judged

    return make


@pytest.mark.parametrize(
    "row", [[NAN, -1.0], [-1.0, NAN], [NAN, NAN], [-INF, -INF], [NAN, -INF], [-2.0, -INF, NAN]]
)
def test_rows_that_choose_no_option_are_refused(row):
    with pytest.raises(NotFiniteError, match=r"model m computes log-probabilities .* not finite"):
        check_scores([[-1.0, -2.0], row], "m")


@pytest.mark.parametrize("row", [[-1.0, -INF], [-1e30, -1.0], [0.0], [-3.0, -3.0]])
def test_rows_that_choose_one_are_fine(row):
    check_scores([row], "m")


@pytest.mark.parametrize("value", [NAN, INF])
@pytest.mark.parametrize("share", [1.0, 0.3])
def test_likelihoods_that_are_no_numbers_end_the_evaluation(
    breaking, task, bank, test_examples, value, share
):
    """An infinite logit of a token that no option has counts too, and so does a part of the cells."""
    prompts = bank.prompts("test")
    chosen = np.random.default_rng(0).random((len(prompts), len(test_examples))) < share
    with pytest.raises(NotFiniteError, match="log-probabilities"):
        evaluate_matrix(breaking(value), task, prompts, test_examples, max_length=200, chosen=chosen)


def test_a_model_that_breaks_down_later_ends_it_too(breaking, task, bank, test_examples):
    with pytest.raises(NotFiniteError):
        evaluate_matrix(
            breaking(NAN, when=lambda calls: calls > 12), task, bank.prompts("test"), test_examples,
            max_length=200, batch_tokens=200,
        )  # fmt: skip


@pytest.mark.parametrize("value", [NAN, INF])
def test_generation_from_logits_that_are_no_numbers_ends_the_evaluation(
    breaking, task, bank, test_examples, value
):
    for when in (lambda calls: True, lambda calls: calls == 3):
        with pytest.raises(NotFiniteError, match="computes logits that are not finite"):
            evaluate_matrix(
                breaking(value, when=when), task, bank.prompts("test"), test_examples,
                max_length=200, generate=True,
            )  # fmt: skip


def test_a_token_that_can_never_come_is_fine(breaking, task, bank, test_examples):
    judged = breaking(-INF, token=0)  # padding
    made = evaluate_matrix(judged, task, bank.prompts("test"), test_examples, max_length=200)
    assert all(np.isfinite(cell.log_probabilities).all() for cell in made.cells)


def test_watching_changes_no_logit():
    watch, scores = FiniteLogits(), torch.tensor([[1.0, -INF, 2.0]])
    assert watch(torch.zeros(1, 1), scores) is scores
    watch.check("m")
    watch(torch.zeros(1, 1), torch.tensor([[1.0, NAN]]))
    watch(torch.zeros(1, 1), scores)
    with pytest.raises(NotFiniteError):
        watch.check("m")


def test_a_way_that_gives_no_numbers_is_passed_over_for_one_that_does(language_model):
    """NaN of a fast way is that way's fault, of the slow one the model's."""
    from paft.evaluate.scoring.batch_plan import Request
    from paft.evaluate.scoring.likelihood import Scorer, Way

    class Broken(Scorer):
        def _score_tree(self, requests, prefix):
            return [[NAN] * len(request.options) for request in requests]

    requests = [Request((5, 6, 7), ((8, 9), (10,))), Request((5, 6, 7, 8), ((8, 9), (10,)))]
    with torch.inference_mode():
        assert find_way(Broken(language_model.model, 0), requests)[0] is Way.ROWS


@pytest.mark.parametrize("part", [{}, {"budget": 0.5}])
def test_the_verb_names_the_weights_and_leaves_no_figures(desk, model_folder, tmp_path, part):
    import shutil

    from safetensors.torch import load_file, save_file

    folder = shutil.copytree(model_folder, tmp_path / "model")
    tensors = load_file(folder / "model.safetensors")
    tensors["model.layers.0.mlp.up_proj.weight"][3, 4] = NAN
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    config = EvaluateConfig(
        task=str(desk / "task.yaml"), bank=str(desk / "bank.jsonl"), model=str(folder),
        output=str(tmp_path / "out"), **part,
    )  # fmt: skip
    with pytest.raises(NotFiniteError, match=r"model\.safetensors: tensor model\.layers\.0\.mlp\.up_proj"):
        evaluate(config)
    assert not (tmp_path / "out" / "results.json").exists()


def test_weights_that_overflow_while_a_prompt_is_read_end_the_evaluation(
    model_folder, task, bank, test_examples
):
    judged = load_model(str(model_folder))
    with torch.no_grad():
        judged.model.get_output_embeddings().weight.fill_(3e38)
    with pytest.raises(NotFiniteError, match="too large"):
        evaluate_matrix(replace(judged), task, bank.prompts("test"), test_examples, max_length=200)
