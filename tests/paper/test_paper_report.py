"""``python -m paper``: what is written, and that JSON alone makes it again."""

import numpy as np
import pytest
import typer
from made_results import figures, made, row
from typer.testing import CliRunner

from paft.bank import Bank, load_bank
from paft.bank.diversity import embed_prompts, subset_mmd2
from paft.experiment.inputs import some
from paft.files import read_json, write_json
from paft.prompt import Prompt
from paper.__main__ import Kind, main
from paper.exhibit import read_exhibit
from paper.figure import picture
from paper.published import published
from paper.report import KINDS, make_exhibit, write_exhibit
from paper.text import markdown

app = typer.Typer()
app.command()(main)


@pytest.fixture
def bank(tmp_path):
    words = ["which", "team", "label", "message", "sort", "route", "kind", "class", "queue", "desk"]
    prompts = [Prompt(f"{a} {b}: {{text}} ->") for a in words for b in words if a < b]
    path = tmp_path / "bank.jsonl"
    Bank({"train": tuple(prompts[:16]), "test": tuple(prompts[16:22])}).save(path)
    return path


@pytest.fixture
def folder(tmp_path, bank):
    """A grid over N with two seeds."""
    settings = {f"n{n}": {"train.prompts": n} for n in (1, 4, 16)}
    grid = {
        "base": {"methods": ["paft"], "seeds": [0, 1], "bank": str(bank)},
        "tasks": {"one": {}},
        "settings": settings,
    }
    found = {f"one/{name}": {"paft": figures(0.6)} for name in settings}
    output = tmp_path / "out"
    write_json(output / "results.json", made(grid, found, {run: [row("paft", 0)] for run in found}))
    return output


def test_every_kind_can_be_asked_for():
    assert {kind.value for kind in Kind} == set(KINDS)


def test_the_papers_figures_are_those_of_its_tables():
    told = published()
    assert told["main"]["rows"]["paft"] == {"mean": 87.57, "std": 1.57, "top": 94}
    rows = told["k_t"]["rows"]
    assert max(rows, key=lambda each: each["mean"])["k"] == 4
    kinds = {kind for kind in told if kind != "source"}
    assert kinds == {"main", "benchmarks", "inference", "worst", "k_t", "time", "generation", "phrasing"}
    assert all(set(told[kind]) == {"where", "unit", "rows"} for kind in kinds)


def test_the_papers_tables_2_and_4_give_the_gains_it_states():
    gains = {
        name: row["paft"][0] - row["single"][0] for name, row in published()["benchmarks"]["rows"].items()
    }
    assert gains == pytest.approx(
        {"HumanEval": 4.61, "Xstory_cloze": 5.5, "Geometry3k": 2.25, "T-Eval": 2.8, "GSM8K": 4.24}
    )
    worst = published()["worst"]["rows"]
    stated = {"min": [4.1, 13.56, 7.63, 12.71, 12.58, 34.77, 7.64, 19.14]}
    stated["con"] = [23.35, 22.99, 37.7, 33.11, 31.59, 63.87, 24.75, 39.91]
    for name, gains_of in stated.items():
        found = [row[name][1] - row[name][0] for row in worst.values()]
        off = [abs(mine - theirs) for mine, theirs in zip(found, gains_of, strict=True)]
        assert sum(each > 0.005 for each in off) == (
            name == "con"
        )  # it prints 22.99 for PIQA, which is 21.99


def test_discrepancy_is_of_the_very_prompts_that_were_trained_on(folder, bank):
    exhibit = make_exhibit("prompts", folder)
    assert [each["n"] for each in exhibit.figures] == [1, 4, 16]
    splits = load_bank(bank)
    train, test = list(splits.require("train")), list(splits.require("test"))
    vectors = embed_prompts([*train, *test])
    ids = {prompt.id: i for i, prompt in enumerate(train)}
    chosen = [np.array([ids[p.id] for p in some(train, 4, seed)]) for seed in (0, 1)]
    rows = subset_mmd2(vectors[:16], vectors[16:], chosen)
    assert exhibit.figures[1]["mmd2"] == pytest.approx(np.mean([each["biased"] for each in rows]))
    assert exhibit.figures[0]["mmd2_unbiased"] is None  # of one prompt
    assert exhibit.figures[0]["mmd2"] > exhibit.figures[1]["mmd2"] > exhibit.figures[2]["mmd2"]


def test_the_json_alone_makes_text_and_picture_again(folder, tmp_path):
    exhibit = make_exhibit("prompts", folder)
    written = write_exhibit(exhibit, tmp_path / "shown")
    assert [path.name for path in written] == ["prompts.json", "prompts.md", "prompts.svg", "prompts.png"]
    again = read_exhibit(written[0])
    assert again == exhibit
    assert markdown(again, picture="prompts.svg") == written[1].read_text("utf-8")
    assert picture(again) == written[2].read_text("utf-8")
    assert written[3].read_bytes().startswith(b"\x89PNG")


def test_differences_from_the_grids_reference_stand_beside_the_figures(folder, tmp_path):
    path = folder / "results.json"
    results = read_json(path, "results")
    told = {name: {"value": 0.05, "interval": [0.01, 0.09]} for name in ("mean", "min", "cvar_10")}
    rows = [
        {"model": None, "setting": "n4", "method": "paft", "tasks": {"one": {**told, "std": None}}},
        {"model": None, "setting": "n1", "method": "paft", "tasks": {"one": {"none": "other prompts"}}},
    ]
    results["config"]["reference"] = {"setting": "n16"}
    write_json(path, {**results, "differences": rows})
    exhibit = make_exhibit("prompts", folder)
    assert exhibit.tables[-1].title == "one: differences from setting n16"
    assert exhibit.tables[-1].rows == (
        ("n4: paft", "+5.0* [1.0, 9.0]", "-", "+5.0* [1.0, 9.0]", "+5.0* [1.0, 9.0]"),
    )
    assert exhibit.differences == [
        {"task": "one", "setting": "n4", "method": "paft", **rows[0]["tasks"]["one"]}
    ]
    assert "paired over prompts and examples" in exhibit.notes[-1]
    assert read_exhibit(write_exhibit(exhibit, tmp_path / "shown")[0]) == exhibit


def test_the_command_writes_and_names_its_files(folder):
    result = CliRunner().invoke(app, ["prompts", str(folder)])
    assert result.exit_code == 0, result.output
    assert (folder / "paper" / "prompts.md").read_text("utf-8").startswith("# Number of training prompts")
    for end in ("json", "md", "svg", "png"):
        assert f"prompts.{end} written" in result.output.replace("\n", "")


def test_a_format_beside_it_and_a_folder_without_a_grid_are_refused(folder, tmp_path):
    assert CliRunner().invoke(app, ["k_t", str(folder), "--format", "md"]).exit_code == 2
    result = CliRunner().invoke(app, ["k_t", str(tmp_path / "none")])
    assert result.exit_code == 1
    assert str(tmp_path / "none") in result.output
    assert not (folder / "paper").exists()
