"""What README and results say beside the tables follows from the predictions, the banks and the recipes."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from pyarrow import parquet

from paft.builtin import BANKS

ROOT = Path(__file__).parents[2]
DETAILS = json.loads((ROOT / "results" / "table1_small" / "details.json").read_text("utf-8"))
FIGURES = json.loads((ROOT / "results" / "table1_small" / "main.json").read_text("utf-8"))["figures"]
PAGE = " ".join((ROOT / "docs" / "results.md").read_text("utf-8").split())


@pytest.mark.slow
@pytest.mark.parametrize("module", ["results.make_details", "results.make_real", "results.make_grpo"])
def test_the_details_are_those_of_predictions_banks_and_recipes(module: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", module, "--check"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_prompts_that_list_the_options_and_others_make_up_the_published_figures() -> None:
    for task, found in DETAILS["tasks"].items():
        if "no options" not in found:
            continue
        for method, figures in FIGURES[task].items():
            parts = [found[kind] for kind in ("no options", "options listed")]
            whole = sum(part["prompts"] * part["methods"][method]["mean"] for part in parts)
            assert whole / found["test prompts"] == pytest.approx(figures["mean"]["value"])


def test_the_split_of_snips_by_a_plain_loop() -> None:
    lines = BANKS["snips"].read_text("utf-8").splitlines()
    bank = [json.loads(line) for line in lines]
    test = {row["id"]: "{options}" in row["template"] for row in bank if row["split"] == "test"}
    scores: dict[bool, list[float]] = {True: [], False: []}
    for row in parquet.read_table(ROOT / "results/table1_small/predictions/snips.parquet").to_pylist():
        if (row["method"], row["split"]) == ("single", "test"):
            scores[test[row["prompt_id"]]].append(row["score"])
    task = DETAILS["tasks"]["snips"]
    for kind, listed in (("options listed", True), ("no options", False)):
        assert np.mean(scores[listed]) == pytest.approx(task[kind]["methods"]["single"]["mean"])
    assert "`single` | 74.5 | 18.3 | 34.7 | 23.1" in PAGE


def test_seeds_that_collapsed_are_named() -> None:
    seeds = DETAILS["tasks"]["sms_spam"]["seeds"]
    told = {"single": "96.5, 96.2 and 82.2", "neftune": "95.8, 77.7 and 96.6", "paft": "96.2, 97.0 and 97.2"}
    for method, text in told.items():
        assert text in PAGE
        found = [float(number) for number in re.findall(r"[\d.]+", text)]
        assert found == [round(100 * each, 1) for each in seeds[method]]
    paft = DETAILS["tasks"]["subj"]["seeds"]["paft"]
    assert f"within {100 * (max(paft) - min(paft)):.1f} points of each other" in PAGE


def test_differences_from_single_are_those_of_the_main_table() -> None:
    for task, found in DETAILS["tasks"].items():
        for method, told in found["differences from single"].items():
            means = [FIGURES[task][name]["mean"]["value"] for name in (method, "single")]
            assert told["mean"]["value"] == pytest.approx(means[0] - means[1])


def test_draws_that_the_page_speaks_of_are_those_of_the_schedule() -> None:
    reached = [n for seeds in DETAILS["prompts reached"]["table1_small"].values() for n in seeds]
    shares = [round(100 * (1 - n / 77)) for n in (max(reached), min(reached))]
    never = f"{shares[0]} to {shares[1]} % of its bank"
    assert never in PAGE
    few = DETAILS["prompts reached"]["prompts"]["snips/n77"]
    assert f"{min(few)} to {max(few)} were drawn" in PAGE


def test_nobody_says_that_nothing_was_chosen_on_test() -> None:
    assert "No setting was chosen" not in PAGE
    assert "What was chosen on what" in PAGE
