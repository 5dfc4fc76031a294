"""The matrix: every (prompt, example) cell once, through Parquet unchanged, closed and open rules."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
import torch

from paft.errors import ConfigError, DataError
from paft.evaluate.cells import _closed_cell, evaluate_matrix
from paft.evaluate.matrix import Matrix
from paft.evaluate.scoring.batch_plan import Request
from paft.evaluate.scoring.generation import generate_answers
from paft.evaluate.scoring.score import rounding
from paft.task.replies.extract import extract, extract_option
from paft.task.task import Example, Task


@pytest.fixture(scope="module")
def closed(language_model, task, bank, test_examples):
    return evaluate_matrix(language_model, task, bank.prompts("test"), test_examples)


def open_task(rule: str, answer: str) -> Task:
    rows = [{"question": f"What is {i} + {i}?", "answer": answer} for i in range(4)]
    return Task(
        name="open",
        fields={"question": "a question"},
        answer={"rule": rule, "max_tokens": 6},
        data={"train": rows, "test": rows},
        prompt="{question} =",
    )


def test_every_prompt_meets_every_example_once_prompt_by_prompt(closed, bank, test_examples):
    ids = [prompt.id for prompt in bank.prompts("test")]
    places = [(cell.prompt_id, cell.example) for cell in closed.cells]
    assert places == [(p, e.index) for p in ids for e in test_examples]
    assert closed.scores.shape == closed.parsed.shape == (len(ids), len(test_examples))
    assert closed.scores[1, 2] == closed.cells[len(test_examples) + 2].score


def test_a_closed_cell_holds_the_likeliest_option_and_all_log_probabilities(closed, test_examples):
    for cell in closed.cells:
        example = test_examples[cell.example]
        assert len(cell.log_probabilities) == len(example.options)
        assert all(math.isfinite(value) and value < 0 for value in cell.log_probabilities)
        assert cell.prediction == example.options[int(np.argmax(cell.log_probabilities))]
        assert cell.score == float(cell.prediction == example.gold)
        assert cell.parsed and cell.tokens == 0
    assert len({cell.prediction for cell in closed.cells}) > 1


def test_options_can_be_written_and_read_instead(language_model, task, bank, test_examples):
    prompts = bank.prompts("test")
    matrix = evaluate_matrix(language_model, task, prompts, test_examples, generate=True)
    encoder = language_model.encoder(1024)
    places = [(prompt, example) for prompt in prompts for example in test_examples]
    contexts = [tuple(encoder.context(p.render(e.values), 64)[0]) for p, e in places]
    answers = generate_answers(language_model.model, contexts, encoder, max_tokens=64)
    for cell, (_, example), answer in zip(matrix.cells, places, answers, strict=True):
        assert cell.prediction == extract_option(answer.text, example.options)
        assert cell.parsed == (cell.prediction is not None)
        assert cell.score == float(cell.prediction == example.gold)
        assert 1 <= cell.tokens == answer.tokens <= 64
        assert cell.log_probabilities == ()
    short = task.model_copy(update={"answer": task.answer.model_copy(update={"max_tokens": 3})})
    cut = evaluate_matrix(language_model, short, prompts[:1], test_examples, generate=True)
    assert max(cell.tokens for cell in cut.cells) <= 3


def test_what_is_given_twice_is_refused(language_model, task, bank, test_examples, train_examples):
    prompts, two = bank.prompts("test"), [*test_examples[:2], *train_examples[:2]]
    with pytest.raises(ConfigError, match=r"example 0 is given twice.*two splits number theirs alike"):
        evaluate_matrix(language_model, task, prompts, two)
    with pytest.raises(ConfigError, match=f"prompt {prompts[0].id} is given twice"):
        evaluate_matrix(language_model, task, [*prompts, prompts[0]], test_examples)


def test_choose_mean_divides_by_the_tokens_of_an_option(language_model, task, bank, test_examples):
    prompts = bank.prompts("test")[:1]
    matrix = evaluate_matrix(language_model, task, prompts, test_examples, choose="mean")
    encoder = language_model.encoder(512)
    for cell in matrix.cells:
        example = test_examples[cell.example]
        rendered = prompts[0].render(example.values)
        lengths = [len(encoder.answer(rendered, option)) + 1 for option in example.options]  # closed by end
        means = np.array(cell.log_probabilities) / lengths
        assert cell.prediction == example.options[int(np.argmax(means))]


@pytest.mark.parametrize(("gap", "tie"), [(0.2, True), (0.3, False), (1.1, False)])
def test_options_of_equal_length_are_tied_by_their_means_where_they_are_by_their_sums(task, gap, tie):
    prompt, example = task.prompts[0], Example(0, {}, "a", ("a", "b"))
    request, scores = Request((1,), ((1, 2, 3, 4, 5), (1, 2, 3, 4, 6))), np.array([-1.0, -1.0 - gap])
    for choose in ("sum", "mean"):
        assert _closed_cell(task, prompt, example, request, scores, choose, 0.25).tie == tie


def test_the_batch_size_does_not_change_a_cell(language_model, task, bank, test_examples, closed):
    small = evaluate_matrix(language_model, task, bank.prompts("test"), test_examples, batch_tokens=1)
    assert [c.prediction for c in small.cells] == [c.prediction for c in closed.cells]
    np.testing.assert_allclose(
        [c.log_probabilities for c in small.cells], [c.log_probabilities for c in closed.cells], atol=2e-5
    )


def test_parquet_gives_back_the_very_same_matrix(closed, tmp_path):
    closed.save(tmp_path / "matrix.parquet")
    assert Matrix.load(tmp_path / "matrix.parquet") == closed
    assert [path.name for path in tmp_path.iterdir()] == ["matrix.parquet"]


@pytest.mark.parametrize("rule", ["number", "text", "json"])
def test_an_open_cell_is_extracted_from_what_was_generated(language_model, rule, tmp_path):
    task = open_task(rule, "4")
    examples = task.examples("test")
    matrix = evaluate_matrix(language_model, task, task.prompts, examples)
    encoder = language_model.encoder(1024)
    contexts = [tuple(encoder.context(task.prompts[0].render(e.values), 6)[0]) for e in examples]
    made = generate_answers(language_model.model, contexts, encoder, max_tokens=6)
    for cell, generated in zip(matrix.cells, made, strict=True):
        assert cell.prediction == extract(rule, generated.text)
        assert cell.parsed == (cell.prediction is not None)
        assert (cell.tokens, cell.log_probabilities) == (generated.tokens, ())
    matrix.save(tmp_path / "matrix.parquet")
    assert Matrix.load(tmp_path / "matrix.parquet") == matrix


def test_a_failed_parse_is_counted_and_scores_nothing(language_model):
    matrix = evaluate_matrix(
        language_model, task := open_task("json", "{}"), task.prompts, task.examples("test")
    )
    assert not matrix.parsed.any()
    assert matrix.scores.sum() == 0
    assert {cell.prediction for cell in matrix.cells} == {None}


@pytest.mark.parametrize("rule", ["label", "text"])
def test_a_cut_prompt_is_reported_in_its_cell(language_model, task, bank, test_examples, rule):
    if rule == "text":
        task = open_task("text", "4")
        prompts, examples = task.prompts, task.examples("test")
    else:
        prompts, examples = bank.prompts("test"), test_examples
    whole = evaluate_matrix(language_model, task, prompts, examples)
    assert not any(cell.truncated for cell in whole.cells)
    cut = evaluate_matrix(language_model, task, prompts, examples, max_length=14)
    assert all(cell.truncated for cell in cut.cells)


def test_cells_are_reported_as_they_are_done(language_model, task, bank, test_examples):
    done = []
    evaluate_matrix(
        language_model, task, bank.prompts("test"), test_examples, batch_tokens=200, on_cells=done.append
    )
    assert len(done) > 1 and sum(done) == 30


@pytest.mark.parametrize("content", [None, b"", b"PAR1 not really", b"x" * 100])
def test_a_broken_or_missing_matrix_is_named(tmp_path, content):
    path = tmp_path / "matrix.parquet"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError, match=r"matrix\.parquet is no readable matrix"):
        Matrix.load(path)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("choose", ["sum", "mean"])
def test_predictions_do_not_depend_on_the_batch_size_unless_the_call_is_close(
    fresh_model, task, bank, test_examples, dtype, choose
):
    model = dataclasses.replace(fresh_model, model=fresh_model.model.to(dtype))
    prompts, examples = bank.prompts("train"), test_examples
    one, many = (
        evaluate_matrix(model, task, prompts, examples, choose=choose, batch_tokens=tokens).cells
        for tokens in (1, 64 * 60)
    )
    assert any(a.log_probabilities != b.log_probabilities for a, b in zip(one, many, strict=True))
    for a, b in zip(one, many, strict=True):
        assert a.prediction == b.prediction or a.tie
        values = np.array(a.log_probabilities)
        if choose == "sum":
            first, second = np.sort(values)[-2:][::-1]
            assert a.tie == (first - second < rounding(dtype))
    assert rounding(torch.float32) == 1e-4 < rounding(torch.bfloat16) == 0.25
