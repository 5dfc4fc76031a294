"""Why a prompt is bad, by hand-made cells."""

import numpy as np
import pytest

from paft.evaluate.matrix import Cell, Matrix
from paft.report.cells import accuracies, diagnose, easiness, gather_cells, worst_examples
from paft.report.plot import heatmap

ANSWERS = {
    # prompt: answers to examples 0, 1, 2, 3, all of gold "a"
    "p": ["a", "b", None, "b"],
    "q": ["a", "a", "c", "b"],
}


def matrix(answers, examples=(0, 1, 2, 3)):
    cells = [
        Cell(prompt, example, answer, answer is not None, float(answer == "a"), 0, ())
        for prompt, given in answers.items()
        for example, answer in zip(examples, given, strict=True)
    ]
    return Matrix(tuple(answers), tuple(examples), tuple(cells))


def gathered(*seeds, user=None):
    found = {("paft", seed, "test"): matrix(answers) for seed, answers in enumerate(seeds)}
    if user is not None:
        found |= {("paft", seed, "user"): matrix({"own": user}) for seed in range(len(seeds))}
    return gather_cells(found, "paft", "test")


def test_a_prompt_is_diagnosed_from_its_cells():
    found = diagnose(gathered(ANSWERS, user=["a", "b", "b", "a"]), "p")
    assert found.unparsed == 0.25
    assert found.flipped == 0.5  # the missing answer and b for a
    assert (found.wrong_answer, found.wrong_share) == ("b", pytest.approx(2 / 3))


def test_without_the_users_prompt_nothing_is_flipped_or_not():
    assert diagnose(gathered(ANSWERS), "p").flipped is None


def test_a_missing_answer_is_flipped_even_where_the_users_prompt_misses_too():
    assert diagnose(gathered({"p": [None] * 4}, user=[None] * 4), "p").flipped == 1


def test_a_perfect_prompt_has_no_wrong_answer():
    found = diagnose(gathered({"p": ["a"] * 4}), "p")
    assert (found.wrong_answer, found.wrong_share, found.unparsed) == (None, 0, 0)
    assert worst_examples(gathered({"p": ["a"] * 4}), "p") == []


def test_equally_frequent_wrong_answers_are_told_apart_by_their_text():
    assert diagnose(gathered({"p": ["c", "b", "b", "c"]}), "p").wrong_answer == "b"


def test_worst_examples_are_first_those_that_other_prompts_get_right():
    failures = worst_examples(gathered(ANSWERS), "p")
    assert [(failure.example, failure.answer) for failure in failures] == [(1, "b"), (2, None), (3, "b")]
    assert [f.example for f in worst_examples(gathered(ANSWERS), "p", limit=1)] == [1]


def test_an_example_that_fails_under_all_seeds_is_worse_than_one_that_fails_under_one():
    cells = gathered({"p": ["a", "b", "b", "a"]}, {"p": ["a", "a", "c", "a"]})
    assert [(f.example, f.score) for f in worst_examples(cells, "p")] == [(2, 0.0), (1, 0.5)]
    assert diagnose(cells, "p").wrong_share == pytest.approx(2 / 3)


def test_means_leave_out_what_was_not_judged():
    sparse = Matrix(
        ("p", "q"), (0, 1), (Cell("p", 0, "a", True, 1.0, 0, ()), Cell("q", 1, "b", True, 0.0, 0, ()))
    )
    cells = gather_cells({("paft", 0, "test"): sparse}, "paft", "test")
    assert easiness(cells).tolist() == [1, 0]
    assert accuracies(cells).tolist() == [1, 0]
    assert diagnose(cells, "q").wrong_answer == "b"
    assert [failure.example for failure in worst_examples(cells, "q")] == [1]


def test_a_method_without_cells_has_none():
    assert gather_cells({}, "paft", "test") is None


def pixels(cells, rows, columns):
    import base64
    import io

    from matplotlib.image import imread

    uri = heatmap(cells, "#0000ff", np.array(rows), np.array(columns))
    head, data = uri.split(",")
    assert head == "data:image/png;base64"
    return imread(io.BytesIO(base64.b64decode(data)))


def test_the_map_has_a_pixel_a_cell_in_the_order_asked_for():
    image = pixels(gathered(ANSWERS), [1, 0], [3, 0, 1, 2])
    assert image.shape == (2, 4, 4)
    right = np.all(np.isclose(image[..., :3], [0, 0, 1]), axis=2)
    assert right.tolist() == [[False, True, True, False], [False, True, False, False]]
    assert image[1, 3, :3].max() < 0.25 < image[0, 0, :3].min()  # unreadable is dark, wrong is pale


def test_a_cell_that_was_not_judged_is_transparent():
    sparse = Matrix(
        ("p", "q"), (0, 1), (Cell("p", 0, "a", True, 1.0, 0, ()), Cell("q", 1, "b", True, 0.0, 0, ()))
    )
    image = pixels(gather_cells({("paft", 0, "test"): sparse}, "paft", "test"), [0, 1], [0, 1])
    assert image[..., 3].tolist() == [[1, 0], [0, 1]]


def test_a_large_map_is_averaged_down():
    cells = gathered({"p": ["a", "b", "a", "b"]})
    wide = type(cells)(
        cells.prompt_ids, tuple(range(2000)),
        *(np.tile(each, (1, 1, 500)) for each in (cells.scores, cells.parsed, cells.answers)), None,
    )  # fmt: skip
    image = pixels(wide, [0], range(2000))
    assert image.shape[:2] == (1, 1000)
    assert np.ptp(image[0, :, 0]) == 0
