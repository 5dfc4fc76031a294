"""Who wins: the claims of the intervals, in one sentence that terminal, report and card print alike."""

from __future__ import annotations

import dataclasses
import json
import re

import numpy as np
import pytest
from test_report import results

from paft.report.card import COMPARED, MARK, tell_verdict
from paft.report.cells import Cells
from paft.report.data import read_report
from paft.report.findings import Finding
from paft.report.method_rows import method_rows
from paft.report.table import escape_markdown
from paft.report.verdict import _claim, _figures, read_verdict, verdict
from paft.statistics.comparison import Difference, difference, estimate
from paft.statistics.intervals import Interval
from report_run import write_run


def made(method_accuracies, examples=40, prompts=12, seed=0):
    """Return results and cells of methods that are right on so large a share under every prompt."""
    generator = np.random.default_rng(seed)
    luck = generator.random((1, prompts, examples))  # the same for all: they are paired
    cells, accuracies = {}, {}
    for method, share in method_accuracies.items():
        scores = (luck < share + generator.normal(0, 0.02, (1, prompts, 1))).astype(float)
        ids = tuple(f"test{i}" for i in range(prompts))
        answers = np.full(scores.shape, "a", dtype=object)
        cells[method] = Cells(ids, tuple(range(examples)), scores, scores >= 0, answers, None)
        accuracies[method, None if method == "base" else 0] = list(scores[0].mean(axis=1))
    texts = [f"{i}: {{text}}" for i in range(prompts)]
    return results(accuracies, prompts=texts), cells


OPEN = "the difference is not significant"
BOTH = "on average and under the worst prompt"


@pytest.mark.parametrize(
    ("shares", "claim"),
    [
        ({"single": 0.4, "paft": 0.8}, f"PAFT is better than 'single' {BOTH}"),
        ({"single": 0.8, "paft": 0.4}, f"PAFT is worse than 'single' {BOTH}"),
        (
            {"single": 0.60, "paft": 0.601},
            "PAFT and 'single' do not differ significantly on average or under the worst prompt",
        ),
        ({"base": 0.3, "static": 0.5, "paft": 0.9}, f"PAFT is better than 'static' {BOTH}"),
        ({"single": 0.3, "per_example": 0.9, "static": 0.5}, f"'per_example' is better than 'single' {BOTH}"),
        ({"single": 0.3, "per_example": 0.9, "paft": 0.5}, f"PAFT is better than 'single' {BOTH}"),
    ],
)
def test_a_claim_is_made_where_the_interval_leaves_out_0_alone(shares, claim):
    told = verdict(*made(shares))
    figures = (
        r"Mean \d+\.\d % against \d+\.\d % \([+-]\d+\.\d points, 95 % interval -?\d+\.\d to -?\d+\.\d\); "
        r"estimated for unlimited examples: worst prompt [+-]\d+\.\d points \(.* to .*\), "
        r"standard deviation over prompts [+-]\d+\.\d points \(.* to .*\)\.( The highest|$)"
    )
    assert re.match(re.escape(f"On 12 unseen prompts, {claim}. ") + figures, told), told


def found_differences(low, high, names=("mean", "min", "std")):
    """Differences of which each has an interval of its own."""
    ends = zip(names, low, high, strict=True)
    return {name: Difference(name, None, (a + b) / 2, 0, Interval(a, b, 0.95), ()) for name, a, b in ends}


def test_no_figure_is_a_negative_zero():
    found, _ = made({"single": 0.5, "paft": 0.5})
    first, second = method_rows(found, "test")
    told = _figures(found_differences([-0.0004] * 3, [0.0003] * 3), first, second)
    assert "(+0.0 points, 95 % interval 0.0 to 0.0); estimated for unlimited examples: " in told
    assert "worst prompt +0.0 points (0.0 to 0.0)" in told


@pytest.mark.parametrize(
    ("low", "high", "claim"),
    [
        ((-0.1, 0.1), (0.1, 0.3), "A is better than B under the worst prompt, while on average " + OPEN),
        ((0.1, -0.1), (0.2, 0.1), "A is better than B on average, while under the worst prompt " + OPEN),
        ((0.1, -0.2), (0.2, -0.1), "A is better than B on average and worse than B under the worst prompt"),
        ((0.0, -0.2), (0.2, 0.0), "A and B do not differ significantly on average or under the worst prompt"),
    ],
)  # fmt: skip
def test_mean_and_worst_prompt_are_claimed_apart(monkeypatch, low, high, claim):
    monkeypatch.setattr("paft.report.verdict._spoken", lambda row: row)
    assert _claim(found_differences(low, high, ("mean", "min")), "A", "B") == claim


@pytest.mark.parametrize(
    ("ends", "worst", "said"),
    [
        ((0.01, 0.09), (0.0, 0.0), "the worst prompts have 0.0 % for both, so none is called better."),
        ((-0.09, -0.01), (0.2, 0.2), "the worst prompts have 20.0 % for both, so none is called better."),
        ((0.01, 0.09), (0.1, 0.2), "the worst prompts have 10.0 % against 20.0 %, so none is called better."),
        ((0.01, 0.09), (0.2, 0.1), ""),
        ((-0.01, 0.09), (0.0, 0.0), ""),
    ],
)
def test_no_worst_prompt_is_called_better_that_is_not_so_as_observed(monkeypatch, ends, worst, said):
    estimates = found_differences((0.1, ends[0]), (0.3, ends[1]), ("mean", "min"))
    monkeypatch.setattr("paft.report.verdict._differences", lambda *cells: estimates)
    content, cells = made({"single": 0.4, "paft": 0.8})
    for row in content["rows"]:
        row["min"] = worst[row["method"] == "single"]
    told = verdict(content, cells)
    assert ("On the given examples" in told) is bool(said) and said in told
    claim = told.partition(". Mean")[0]
    assert "PAFT is better than 'single' on average" in claim
    assert ("worst prompt" in claim) is not bool(said)


@pytest.mark.parametrize("seed", range(4))
def test_no_word_claims_more_than_the_intervals(seed):
    """Nearly equal methods: the larger figures are luck, whichever they are."""
    told = verdict(*made({"single": 0.70, "paft": 0.701}, seed=seed))
    assert "do not differ significantly" in told
    assert "better" not in told and "worse than" not in told


def test_a_higher_mean_of_another_method_is_told_as_observed():
    told = verdict(*made({"single": 0.4, "paft": 0.6, "static": 0.8}))
    assert told.endswith(" The highest mean observed is that of 'static'.")
    assert "highest" not in verdict(*made({"single": 0.4, "paft": 0.8}))


def test_a_highest_mean_that_several_share_is_said_of_all():
    shared, cells = made({"single": 0.5, "top_accuracy": 0.5, "paft": 0.2})
    for row in shared["rows"]:
        row["mean"] = 0.2 if row["method"] == "paft" else 0.5
    assert verdict(shared, cells).endswith(
        " The highest mean observed is that of 'single' and 'top_accuracy'."
    )
    for row in shared["rows"]:
        row["mean"] = 0.5
    assert "highest" not in verdict(shared, cells)
    shared["rows"] = [row for row in shared["rows"] if row["method"] != "paft"]
    told = verdict(shared, cells)
    assert told.startswith(
        "'single' has the highest mean observed, shared with 'top_accuracy', on 12 unseen prompts: "
    )


def test_without_paft_or_a_rival_nobody_wins():
    told = verdict(*made({"base": 0.3, "single": 0.5}))
    assert re.fullmatch(
        r"'single' has the highest mean observed on 12 unseen prompts: mean \d+\.\d % \[.*\], std .*", told
    )
    assert verdict(*made({"paft": 0.5})).startswith("paft on 12 unseen prompts: mean")


@pytest.mark.parametrize("lacking", ["paft", "single", "examples", "prompts"])
def test_nothing_is_claimed_without_the_cells_that_show_it(lacking):
    found, cells = made({"single": 0.1, "paft": 0.9})
    if lacking in cells:
        cells[lacking] = None
    elif lacking == "examples":
        cells = {name: cut(each, slice(None), slice(1)) for name, each in cells.items()}
    else:
        cells["single"] = cut(cells["single"], slice(5), slice(None))
    told = verdict(found, cells)
    assert "better" not in told.replace("who is better", "") and "worse" not in told
    assert re.search(r"as observed: mean \d+\.\d % and \d+\.\d %, worst prompt", told)


def cut(cells, prompts, examples):
    parts = {name: getattr(cells, name)[:, prompts, examples] for name in ("scores", "parsed", "answers")}
    return dataclasses.replace(
        cells, prompt_ids=cells.prompt_ids[prompts], examples=cells.examples[examples], **parts
    )


def test_the_folder_gives_the_sentence_of_the_report(tmp_path):
    run = write_run(tmp_path, prompts=5, seeds=(0, 1))
    report = read_report(run)
    assert read_verdict(run, report.results) == report.headline
    assert report.headline.startswith("On 5 unseen prompts, PAFT ")


@pytest.mark.slow
def test_terminal_report_and_cards_print_one_sentence(paft, desk, model_folder, tmp_path):
    output = tmp_path / "out"
    given = {"task": desk / "task.yaml", "bank": desk / "bank.jsonl", "model": model_folder, "output": output}
    flags = [str(part) for key, value in given.items() for part in (f"--{key}", value)]
    small = ["--set", "train.epochs=1", "--set", "train.batch_size=8", "--set", "train.adapt.rank=4"]

    def printed(*methods):
        code, out, err = paft("run", *flags, *small, "--methods", ",".join(methods))
        assert code == 0, err
        (sentence,) = [line for line in out.splitlines() if "on average" in line or "highest mean" in line]
        return sentence

    def cards():
        return {path.parts[-3]: path.read_text("utf-8") for path in output.glob("trials/*/adapter/README.md")}

    first = printed("base", "single")
    assert "'" in first and escape_markdown(first) in cards()["single-0"]
    sentence = printed("base", "single", "paft")
    assert "On 3 unseen prompts, PAFT " in sentence
    html = (output / "report.html").read_text("utf-8").replace("&#39;", "'")
    assert f'<p class="headline">{sentence}</p>' in html
    for name, card in cards().items():
        assert card.count(escape_markdown(sentence)) == 1, name
        assert escape_markdown(first) not in card  # that of fewer cells is replaced
    assert cards().keys() == {"single-0", "paft-0"}
    code, out, _ = paft("report", output, "--format", "json")
    assert code == 0 and json.loads(out)["headline"] == sentence
    code, out, _ = paft("report", output, "--format", "md")
    assert out.startswith(escape_markdown(sentence))


def test_a_card_lists_what_stands_against_the_result(tmp_path):
    (tmp_path / "README.md").write_text(f"{MARK}\n{COMPARED[0]}\n{COMPARED[1]}\nend", "utf-8")
    found = [Finding("few_steps", "2 optimiser steps are few"), Finding("few_test_prompts", "*5* are few")]
    for _ in range(2):  # in place of what stood there
        tell_verdict(tmp_path, "Somebody won.", found)
    card = (tmp_path / "README.md").read_text("utf-8")
    listed = "Somebody won.\n\n- 2 optimiser steps are few\n- \\*5\\* are few\n"
    assert card.count(listed) == 1 and card.endswith(f"{COMPARED[1]}\nend")
    tell_verdict(tmp_path, "Somebody won.")
    assert f"Somebody won.\n{COMPARED[1]}" in (tmp_path / "README.md").read_text("utf-8")


def test_a_card_whose_place_for_the_sentence_was_taken_out_stays(tmp_path):
    for text in ("A card of somebody else.", f"{MARK}\nOurs.\n{COMPARED[0]}", f"{COMPARED[0]}{COMPARED[1]}"):
        (tmp_path / "README.md").write_text(text, "utf-8")
        tell_verdict(tmp_path, "Somebody won.")
        assert (tmp_path / "README.md").read_text("utf-8") == text
    tell_verdict(tmp_path / "nowhere", "Somebody won.")
    assert not (tmp_path / "nowhere").exists()


def test_cells_that_are_all_alike_claim_no_more_than_their_number_shows():
    right, wrong = np.ones((1, 1, 50)), np.zeros((1, 1, 50))
    for name, found in estimate(right, ["mean", "min", "max", "cvar", "top"]).items():
        assert (found.value, round(found.interval.low, 3), found.interval.high) == (1, 0.929, 1), name
    for count, clear in ((2, False), (50, True)):
        found = difference(right[..., :count], wrong[..., :count], ["mean", "min"])
        assert all((each.interval.low > 0) is clear for each in found.values())
