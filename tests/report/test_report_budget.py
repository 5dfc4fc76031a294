"""`paft report` on a folder of `paft evaluate --budget`, in every format."""

import csv
import io
import json
import re
import shutil
from html import unescape
from pathlib import Path

import numpy as np
import pytest

from paft.bank import Bank
from paft.errors import DataError
from paft.evaluate.matrix import Matrix
from paft.experiment.evaluate import EvaluateConfig, evaluate
from paft.prompt import Prompt
from paft.report.budget import REFUSALS, read_budget
from paft.report.results import Results
from paft.report.table import percent, signed_points
from paft.statistics import precision

HARMFUL = "<b>[old]"
HOSTILE = "<script>alert(1)</script> | $x$ \\input {message}"
PROMPTS = ["Message: {message}\nTopic:", "{message}\n", HOSTILE, "About? {message}", "Sort {message} here:"]


@pytest.fixture(scope="module")
def judged(tmp_path_factory, desk, model_folder):
    """Folders by number of cells; 5 prompts x 10 examples. Never written to."""
    bank = Bank({"train": (Prompt("Seen {message}"),), "test": tuple(map(Prompt, PROMPTS))})
    found = {}
    for cells in (12, 50):
        output = tmp_path_factory.mktemp("budget") / "out"
        config = EvaluateConfig(
            task=str(desk / "task.yaml"), model=str(model_folder), output=str(output), budget_evals=cells
        )
        evaluate(config, bank=bank)
        found[cells] = output
    return found


def test_prompts_stand_beside_their_cells(judged):
    report = read_budget(judged[12])
    (path,) = judged[12].glob("trials/*/test.parquet")
    matrix = Matrix.load(path)
    assert {prompt.text for prompt in report.prompts} == set(PROMPTS)
    observed = [prompt.observed for prompt in report.prompts]
    assert observed == sorted(observed)
    for prompt in report.prompts:
        scores = [cell.score for cell in matrix.cells if cell.prompt_id == prompt.id]
        assert prompt.cells == len(scores)
        assert prompt.observed == pytest.approx(np.mean(scores))
    assert sum(prompt.cells for prompt in report.prompts) == 12
    assert "12 of 50 cells (24.0%): 5 unseen prompts x 10 examples" in report.measured
    assert "each prompt on 2 to 3 examples" in report.measured


def test_the_headline_is_the_estimate_with_its_interval(judged):
    report = read_budget(judged[12])
    mean = report.budget["mean"]
    told = f"mean accuracy {percent(mean['value'])} [{percent(mean['low'])}, {percent(mean['high'])}] %"
    assert told in report.headline


@pytest.mark.parametrize("name", ["md", "json", "latex", "html"])
def test_what_cannot_be_said_is_said_and_why(paft, judged, tmp_path, name):
    assert paft("report", judged[12], "--format", name, "--output", tmp_path / "out.txt")[0] == 0
    text = (tmp_path / "out.txt").read_text("utf-8")
    assert "worst prompt" in REFUSALS[0] and all(refusal in text for refusal in REFUSALS)


@pytest.mark.parametrize("name", ["md", "json", "latex", "html"])
def test_warnings_stand_in_every_report(paft, judged, tmp_path, name):
    folder = shutil.copytree(judged[12], tmp_path / "run")
    results = json.loads((folder / "results.json").read_text("utf-8"))
    results["warnings"] = ["all 4 prompts were in the training of base"]
    (folder / "results.json").write_text(json.dumps(results), "utf-8")
    code, _, err = paft("report", folder, "--format", name, "--output", tmp_path / "out.txt")
    assert code == 0, err
    assert "all 4 prompts were in the training of base" in (tmp_path / "out.txt").read_text("utf-8")


@pytest.mark.parametrize("name", ["md", "csv", "json", "latex"])
def test_the_command_prints_every_format(paft, judged, tmp_path, name):
    code, out, _ = paft("report", judged[12], "--format", name)
    assert code == 0
    assert paft("report", judged[12], "--format", name, "--output", tmp_path / "out.txt")[0] == 0
    assert (tmp_path / "out.txt").read_text("utf-8") == out


def test_markdown_and_latex_have_every_estimate_and_escape(paft, judged):
    made = read_budget(judged[50]).budget
    text = paft("report", judged[50], "--format", "md")[1]
    table = paft("report", judged[50], "--format", "latex")[1]
    for name, found in [("mean", made["mean"]), ("std", made["std"])]:
        figures = [percent(found[key]) for key in ("value", "low", "high", "standard_error")]
        assert f"| {name} | {' | '.join(figures)} |" in text
        assert f"{name} & {' & '.join(figures)} " in table
    assert "\\<script\\>alert(1)\\</script\\> \\| \\$x\\$" in text
    assert table.count("{") == table.count("}")


def test_csv_and_json_have_every_prompt(paft, judged):
    rows = list(csv.DictReader(io.StringIO(paft("report", judged[12], "--format", "csv")[1], newline="")))
    assert sorted(row["prompt"] for row in rows) == sorted(PROMPTS)
    found = json.loads(paft("report", judged[12], "--format", "json")[1])
    assert [float(row["observed"]) for row in rows] == [prompt["observed"] for prompt in found["prompts"]]
    assert found["budget"]["cells"] == 12 and found["refusals"] and found["headline"]


def test_the_page_shows_estimates_and_prompts_without_obeying_them(paft, judged, tmp_path):
    folder = shutil.copytree(judged[12], tmp_path / "run")
    assert paft("report", folder)[0] == 0
    text = (folder / "report.html").read_text("utf-8")
    report = read_budget(folder)
    assert report.headline in text.replace("&#39;", "'")
    assert text.count("<script") == text.count("</script") == 2
    assert "&lt;script&gt;alert(1)" in text
    cells = re.findall(r'<td class="bar"[^>]*>([\d.]+)</td>', text)
    assert cells == [percent(prompt.observed) for prompt in report.prompts]
    assert {*re.findall(r"https?://[^\s\"'<>)]+", text)} <= {
        "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"
    }  # fmt: skip


@pytest.fixture(scope="module")
def precise(tmp_path_factory, desk, model_folder):
    """A folder of `paft evaluate --precision`: 5 prompts x 10 examples. Never written to."""
    bank = Bank({"train": (Prompt("Seen {message}"),), "test": tuple(map(Prompt, PROMPTS))})
    output = tmp_path_factory.mktemp("precise") / "out"
    config = EvaluateConfig(
        task=str(desk / "task.yaml"), model=str(model_folder), output=str(output), precision=0.3
    )
    with pytest.MonkeyPatch.context() as patch:  # ten examples are fewer than a first look has
        patch.setattr(precision, "FIRST", 10)
        patch.setattr(precision, "FIRST_PER_PROMPT", 2)
        evaluate(config, bank=bank)
    return output


@pytest.mark.parametrize("name", ["md", "json", "latex", "html"])
def test_a_precision_says_why_it_stopped_and_what_the_worst_prompt_is(paft, precise, tmp_path, name):
    made = read_budget(precise).budget
    assert made["cells"] < 50
    assert paft("report", precise, "--format", name, "--output", tmp_path / "out.txt")[0] == 0
    text = (tmp_path / "out.txt").read_text("utf-8").replace("\\", "")
    assert (
        f"Scoring stopped as the mean of all cells was known to 30 points at 95 %, from {made['looks'][-1]} "
        in text
    )
    told = [percent(made["worst"][key]) for key in ("value", "low", "high")]
    assert f"worst prompt {told[0]} [{told[1]}, {told[2]}]" in text
    assert REFUSALS[0] not in text and "No accuracy of a share of the prompts" in text


def test_the_worst_prompt_of_a_precision_was_scored_on_every_example(precise):
    report = read_budget(precise)
    (worst,) = (prompt for prompt in report.prompts if prompt.id == report.budget["worst"]["prompt"])
    assert worst.cells == 10 and worst.observed == pytest.approx(report.budget["worst"]["value"])
    assert "all examples" in report.measured


@pytest.mark.parametrize("damage", [{"worst": {"value": "x"}}, {"looks": ["x"]}, {"precision": None}])
def test_a_precision_with_damaged_figures_is_refused(paft, precise, tmp_path, damage):
    folder = shutil.copytree(precise, tmp_path / "run")
    results = json.loads((folder / "results.json").read_text("utf-8"))
    results["budget"] |= damage
    (folder / "results.json").write_text(json.dumps(results), "utf-8")
    code, _, err = paft("report", folder)
    assert code == 2 and "damaged" in err and "Traceback" not in err


@pytest.fixture(scope="module")
def several(tmp_path_factory, desk, model_folder, adapter_pair):
    """A folder of `paft evaluate --precision` of two adapters and their base. Never written to."""
    bank = Bank({"train": (Prompt("Seen {message}"),), "test": tuple(map(Prompt, PROMPTS))})
    output = tmp_path_factory.mktemp("several") / "out"
    adapters = {HARMFUL: adapter_pair["old"], "new": adapter_pair["new"]}
    config = EvaluateConfig(
        task=str(desk / "task.yaml"), model=str(model_folder), adapters=adapters, output=str(output),
        precision=0.3,
    )  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(precision, "FIRST", 10)
        patch.setattr(precision, "FIRST_PER_PROMPT", 2)
        evaluate(config, bank=bank)
    return output


@pytest.mark.parametrize("name", ["md", "json", "latex", "html"])
def test_several_models_and_their_differences_stand_in_one_table(paft, several, tmp_path, name):
    made = read_budget(several).budget
    assert paft("report", several, "--format", name, "--output", tmp_path / "out.txt")[0] == 0
    text = unescape((tmp_path / "out.txt").read_text("utf-8")).replace("\\", "").replace("\n", " ")
    if name == "latex":
        text = text.replace("textgreater{}", ">").replace("textless{}", "<")
    assert len(made["differences"]) == 3
    compared = next(each for each in made["differences"] if each["second"] == HARMFUL)
    assert f"new minus {HARMFUL}: {signed_points(compared['value'])} points of mean accuracy" in text
    assert "within 30 points of what all cells of these prompts and examples would give (95 %)" in text
    assert f"known to 30 points at 95 %, from {made['looks'][-1]} cells of each" in text
    assert REFUSALS[1] in text and REFUSALS[0] not in text
    for each in made["differences"] if name != "json" else ():
        figures = [signed_points(each[key]) for key in ("value", "low", "high")]
        between = {"md": " | ", "latex": " & ", "html": "</td><td>"}[name]
        assert between.join(figures) in text
        assert f"{each['first']} - {each['second']}: mean" in text
    if name == "html":
        assert text.count('class="bar"') == 3 * len(PROMPTS)


def test_each_model_has_its_own_rows_in_csv(paft, several):
    rows = list(csv.DictReader(io.StringIO(paft("report", several, "--format", "csv")[1], newline="")))
    assert [row["model"] for row in rows].count("base") == len(PROMPTS) and len(rows) == 3 * len(PROMPTS)
    assert sum(int(row["cells"]) for row in rows) == read_budget(several).budget["cells"]


def test_the_page_escapes_the_names_of_models(several):
    page = (several / "report.html").read_text("utf-8")
    assert HARMFUL not in page and "&lt;b&gt;[old]" in page
    assert page.count("<script") == page.count("</script") == 2


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        ({"differences": []}, "compared is no pair"),
        ({"compared": ["new", "new"]}, "compared is no pair"),
        ({"models": [{"name": "new"}]}, r"models\[0\].cells is missing"),
        ({"looks": None}, "looks is a NoneType"),
        ({"models": []}, "budget.models is empty"),
    ],
)
def test_several_models_with_damaged_figures_are_refused(paft, several, tmp_path, damage, told):
    folder = shutil.copytree(several, tmp_path / "run")
    results = json.loads((folder / "results.json").read_text("utf-8"))
    results["budget"] |= damage
    (folder / "results.json").write_text(json.dumps(results), "utf-8")
    with pytest.raises(DataError, match=told):
        read_budget(folder)
    code, _, err = paft("report", folder)
    assert code == 2 and "Traceback" not in err


def test_python_prints_the_mean_of_each_model(several):
    found = load_saved(several)
    means = [f"{each['name']} {percent(each['mean']['value'])}" for each in found["budget"]["models"]]
    assert f"{', '.join(means)}, estimated on 5 unseen prompts" in repr(found)
    assert "estimated from" in str(found)


def load_saved(folder):
    return Results(json.loads((folder / "results.json").read_text("utf-8")), folder)


def test_another_folder_is_no_budget(tmp_path):
    assert read_budget(tmp_path) is None
    (tmp_path / "results.json").write_text("{}", "utf-8")
    assert read_budget(tmp_path) is None


@pytest.mark.parametrize("lost", ["trials/*/test.parquet", "bank.jsonl"])
def test_a_budget_without_its_cells_or_bank_is_refused(paft, judged, tmp_path, lost):
    folder = shutil.copytree(judged[12], tmp_path / "run")
    (path,) = Path(folder).glob(lost)
    path.unlink()
    with pytest.raises(DataError):
        read_budget(folder)
    code, _, err = paft("report", folder)
    assert code == 2 and "Traceback" not in err
