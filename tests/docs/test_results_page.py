"""The page of results says what the JSON files say; its figures are made, not typed."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from pyarrow import parquet

from paper.published import published
from results.claims import CLAIMS, NOT_TESTED
from results.figures import figures
from results.forest import FIGURES, bars, forest
from results.grpo_tables import GRPO_TABLES, grpo_texts
from results.make_real import TASKS as REAL_TASKS
from results.real_tables import REAL_TABLES, real_texts
from results.sources import DETAILS, REAL, TASKS, from_single, read, significant, task_details
from results.tables import TABLES
from results.text import PLACE, fill

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "results.md"
TABLE1 = ROOT / "results" / "table1_small"
TEMPLATES = [ROOT / "results" / name for name in ("page.md", "readme.md")]
VERDICTS = ("supported", "not supported", "contradicted", "not tested")


def test_page_is_that_of_the_result_files() -> None:
    module = "results.make_page"
    done = subprocess.run(
        [sys.executable, "-m", module, "--check"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_links_and_pictures_are_there() -> None:
    links = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", PAGE.read_text("utf-8"))
    local = [link for link in links if "://" not in link]
    assert any(link.endswith(".svg") for link in local)
    assert [link for link in local if not (PAGE.parent / link).exists()] == []


def test_grids_of_the_page_are_shipped() -> None:
    named = set(re.findall(r"^\| `(\w+)` \| `\w+` \| \[", TABLES["commands"](), re.MULTILINE))
    assert len(named) == 8
    assert [name for name in named if not (ROOT / "recipes" / "paper" / f"{name}.yaml").exists()] == []


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_no_figure_is_typed(path: Path) -> None:
    assert re.findall(r"\d+\.\d", PLACE.sub("", path.read_text("utf-8"))) == []


def test_every_figure_and_table_is_on_a_page() -> None:
    named = {name for path in TEMPLATES for name in PLACE.findall(path.read_text("utf-8"))}
    assert named == {*figures(), *TABLES, *REAL_TABLES, *real_texts(), *GRPO_TABLES, *grpo_texts(), "claims"}


def test_a_name_that_is_not_known_is_an_error() -> None:
    assert fill("{{a}} and {{b c}}", {"a": "1", "b c": "2"}) == "1 and 2"
    with pytest.raises(KeyError, match="no such"):
        fill("{{no such}}", {})


def test_every_claim_has_a_verdict_and_a_file() -> None:
    told = [ask() for ask in CLAIMS]
    assert len(told) == 17
    for claim in told:
        assert re.match(r"\*\*([a-z ]+)\*\*", claim.verdict).group(1) in VERDICTS  # type: ignore[union-attr]
        assert claim.verdict == NOT_TESTED or "](../results/" in claim.here, claim.claim


def test_every_table_of_the_papers_results_has_a_claim() -> None:
    said = " ".join(ask().paper for ask in CLAIMS)
    places = {told["where"] for kind, told in published().items() if kind != "source"}
    assert {place for place in places if f"({place}" not in said} == set()


def test_verdicts_follow_from_the_figures() -> None:
    verdicts = {ask.__name__: ask().verdict for ask in CLAIMS}
    for name, figure, sign in (("accuracy", "mean", 1), ("spread", "std", -1), ("worst_prompt", "min", 1)):
        count = sum(significant(from_single(task, "paft")[figure], better=sign) for task in TASKS)
        real = [significant(from_single(task, "paft", REAL)[figure], better=sign) for task in REAL_TASKS]
        assert verdicts[name].startswith(f"**supported** on {sum(real)} of 4 tasks (SmolLM2), {count} of 4")
    k_t = json.loads((ROOT / "results/k_and_t/k_t.json").read_text("utf-8"))["figures"]
    mean = {(row["k"], row["t"]): row["mean"]["value"] for row in k_t}
    assert mean[1, 6] > mean[1, 3] and verdicts["epochs"].startswith("**contradicted** in direction")
    assert mean[1, 3] > mean[2, 3] > mean[4, 3] > mean[8, 3] and "falls with K" in verdicts["resampling"]
    answers = json.loads((ROOT / "results/inference/inference.json").read_text("utf-8"))["figures"]["snips"]
    assert answers["single"]["seconds_per_thousand"] < 1.1 * answers["paft"]["seconds_per_thousand"]
    assert verdicts["inference"] == "**contradicted** against a tuned model"
    prompts = json.loads((ROOT / "results/prompts/prompts.json").read_text("utf-8"))["figures"]
    worst = {row["n"]: row["min"]["value"] for row in prompts}
    assert worst[16] >= worst[77] > worst[8] + 0.2 and "for 16, not for 8" in verdicts["few_prompts"]


def test_the_picture_shows_every_difference_and_is_the_same_each_time() -> None:
    for task in TASKS:
        for figure in FIGURES:
            differences = task_details(task)["differences from single"]
            shown = {bar.method: bar for bar in bars(differences, figure)}
            assert set(shown) >= {"token_matched", "static", "per_example", "paft", "augmented"}
            for method, bar in shown.items():
                found = from_single(task, method)[figure]
                assert [bar.value, bar.low, bar.high] == [
                    100 * n for n in (found["value"], *found["interval"])
                ]
                assert bar.significant is significant(found)
    text = forest(read(DETAILS)["tasks"])
    assert text == forest(read(DETAILS)["tasks"]) and "SMS spam: worst prompt" in text


def test_kept_predictions_give_the_figures() -> None:
    figures = json.loads((TABLE1 / "main.json").read_text("utf-8"))["figures"]
    assert figures
    for task, methods in figures.items():
        rows = parquet.read_table(TABLE1 / "predictions" / f"{task}.parquet").to_pylist()
        for method, expected in methods.items():
            scores = [row["score"] for row in rows if (row["method"], row["split"]) == (method, "test")]
            assert sum(scores) / len(scores) == pytest.approx(expected["mean"]["value"]), (task, method)
