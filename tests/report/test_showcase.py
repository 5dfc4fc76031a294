"""Real inputs under a few prompts: chosen by a rule, shown with the answers that the cells hold."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from paft.report.cells import Cells, accuracies, choose_showcase
from paft.report.data import lists_options, read_report
from paft.report.html import page, write_report
from paft.task.task import Example
from report_run import write_run


def cells(scores):
    scores = np.asarray(scores, float)[None]
    answers = np.where(scores == 1, "yes", "no").astype(object)
    _, prompts, examples = scores.shape
    names = tuple(f"p{place}" for place in range(prompts))
    return Cells(names, tuple(range(10, 10 + examples)), scores, scores >= 0, answers, None)


def examples(indices):
    return {index: Example(index, {"text": f"input {index}"}, "yes", ("yes", "no")) for index in indices}


def test_the_prompts_are_the_rivals_worst_middle_and_best_and_the_inputs_spread_by_difficulty():
    generator = np.random.default_rng(0)
    hardness = generator.permutation(12) / 12
    first, second = ((generator.random((7, 12)) > hardness).astype(float) for _ in range(2))
    a, b = cells(first), cells(second)
    shown = choose_showcase(("new", "old"), (a, b), examples(a.examples))
    order = np.argsort(accuracies(b), kind="stable")
    assert shown.prompts == tuple(f"p{order[place]}" for place in (0, 3, 6))
    easy = (first + second).mean(axis=0)
    assert [easy[example.index - 10] for example in shown.examples] == list(np.sort(easy)[[2, 6, 10]])
    for prompt, by_input in zip(shown.prompts, shown.answers, strict=True):
        for example, (new, old) in zip(shown.examples, by_input, strict=True):
            place = int(prompt[1:]), example.index - 10
            assert (new.right, old.right) == (first[place] == 1, second[place] == 1)
            assert (new.text, old.text) == (a.answers[0][place], b.answers[0][place])


def test_few_prompts_are_not_shown_twice():
    one = cells(np.eye(1, 5))
    assert choose_showcase(("new", "old"), (one, one), examples(one.examples)).prompts == ("p0",)


@pytest.mark.parametrize("lacking", ["texts", "scores", "prompts"])
def test_nothing_is_shown_without_all_it_takes(lacking):
    a = b = cells(np.ones((3, 6)))
    texts = examples(a.examples[:2] if lacking == "texts" else a.examples)
    if lacking == "scores":
        b = dataclasses.replace(b, scores=np.where(np.arange(6) == 2, np.nan, b.scores))
    if lacking == "prompts":
        b = cells(np.ones((4, 6)))
    assert choose_showcase(("new", "old"), (a, b), texts) is None


def test_the_page_shows_them_and_marks_prompts_that_list_the_options(tmp_path):
    run = write_run(tmp_path, prompts=5)
    report = read_report(run)
    html = page(report)
    assert report.showcase.methods == ("paft", "single")
    assert "3 real inputs under 3 unseen prompts" in html
    listing = [prompt for prompt in report.prompts if prompt.lists_options]
    assert html.count("lists the options</small>") >= len(listing)


@pytest.mark.parametrize(
    ("template", "options", "listed"),
    [
        ("{text} Answer yes or no.", ("yes", "no"), True),
        ("{text} Now?", ("yes", "no"), False),  # "no" in "now" is no option
        ("{text}\n{options}\nAnswer:", ("yes", "no"), True),
        ("{text} YES/NO:", ("yes", "no"), True),
        ("{text} Is it c++ or c?", ("c++", "c"), True),
        ("{text} Say yes.", ("yes",), False),
        ("{text}", (), False),
    ],
)
def test_a_prompt_lists_the_options_if_all_are_named(template, options, listed):
    assert lists_options(template, options) is listed


def test_the_picture_lies_beside_the_page_and_is_the_same_every_time(tmp_path):
    run = write_run(tmp_path / "run", prompts=4)
    report = read_report(run)
    for name in ("a", "b"):
        write_report(report.results, tmp_path / name / "report.html", folder=run)
    for kind, start in ((".svg", b"<svg"), (".png", b"\x89PNG")):
        made = [(tmp_path / name / "report").with_suffix(kind).read_bytes() for name in ("a", "b")]
        assert made[0] == made[1] and made[0].startswith(start)
    assert b"unseen prompts" in (tmp_path / "a" / "report.svg").read_bytes()
