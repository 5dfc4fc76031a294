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
from paft.report.table import escape_markdown
from paft.report.verdict import read_verdict, verdict
from paft.statistics.comparison import difference, estimate, sentence
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


@pytest.mark.parametrize(
    ("shares", "claim"),
    [
        (
            {"single": 0.4, "paft": 0.8},
            r"PAFT beats 'single' on the mean over prompts by \d+\.\d points \(95 %",
        ),
        (
            {"single": 0.8, "paft": 0.4},
            r"'single' beats PAFT on the mean over prompts by \d+\.\d points \(95 %",
        ),
        ({"single": 0.60, "paft": 0.601}, "no difference between PAFT and 'single' on the mean over prompts"),
        ({"base": 0.3, "static": 0.5, "paft": 0.9}, "PAFT beats 'static' on the mean"),
    ],
)
def test_a_claim_is_made_where_the_interval_leaves_out_0_alone(shares, claim):
    told = verdict(*made(shares))
    assert told.startswith("On 12 unseen prompts: ")
    assert re.search(claim, told), told
    assert len(told.split("; ")) == 3  # mean, worst prompt, std


@pytest.mark.parametrize("seed", range(4))
def test_no_word_claims_more_than_the_intervals(seed):
    """Nearly equal methods: the larger figures are luck, whichever they are."""
    told = verdict(*made({"single": 0.70, "paft": 0.701}, seed=seed))
    assert told.count("no difference between PAFT and 'single'") == 3
    assert "beat" not in told


def test_a_higher_mean_of_another_method_is_told_as_observed():
    told = verdict(*made({"single": 0.4, "paft": 0.6, "static": 0.8}))
    assert told.endswith(" The highest mean observed is that of 'static'.")
    assert "highest" not in verdict(*made({"single": 0.4, "paft": 0.8}))


def test_a_highest_mean_that_several_share_is_said_of_all():
    shared, cells = made({"single": 0.5, "static": 0.5, "paft": 0.2})
    for row in shared["rows"]:
        row["mean"] = 0.2 if row["method"] == "paft" else 0.5
    assert verdict(shared, cells).endswith(" The highest mean observed is that of 'single' and 'static'.")
    for row in shared["rows"]:
        row["mean"] = 0.5
    assert "highest" not in verdict(shared, cells)
    shared["rows"] = [row for row in shared["rows"] if row["method"] != "paft"]
    told = verdict(shared, cells)
    assert told.startswith(
        "'single' has the highest mean observed, shared with 'static', on 12 unseen prompts: "
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
    assert "beat" not in told
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
    assert report.headline.startswith("On 5 unseen prompts: ")


def test_terminal_report_and_cards_print_one_sentence(paft, desk, model_folder, tmp_path):
    output = tmp_path / "out"
    given = {"task": desk / "task.yaml", "bank": desk / "bank.jsonl", "model": model_folder, "output": output}
    flags = [str(part) for key, value in given.items() for part in (f"--{key}", value)]
    small = ["--set", "train.epochs=1", "--set", "train.batch_size=8", "--set", "train.adapt.rank=4"]

    def printed(*methods):
        code, out, err = paft("run", *flags, *small, "--methods", ",".join(methods))
        assert code == 0, err
        (sentence,) = [line for line in out.splitlines() if "on the mean" in line or "highest mean" in line]
        return sentence

    def cards():
        return {path.parts[-3]: path.read_text("utf-8") for path in output.glob("cells/*/adapter/README.md")}

    first = printed("base", "single")
    assert first.startswith("'") and escape_markdown(first) in cards()["single-0"]
    sentence = printed("base", "single", "paft")
    assert sentence.startswith("On 3 unseen prompts: ")
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
    few = difference(right[..., :2], wrong[..., :2], ["mean", "min"])
    assert all("no difference" in sentence(each, "PAFT", "'single'") for each in few.values())
    many = difference(right, wrong, ["mean", "min"])
    assert all("beats" in sentence(each, "PAFT", "'single'") for each in many.values())
