"""`paft report`: every format, from finished, unfinished and foreign folders."""

import csv
import dataclasses
import html
import io
import json
import re
import shutil

import numpy as np
import pytest

from paft.errors import DataError
from paft.report import results_table
from paft.report.data import gather, read_report
from paft.report.html import page, visible
from paft.report.plot import distribution_svg
from paft.report.table import OUTSIDE
from paft.report.text import csv_rows, json_figures, latex, markdown
from paft.statistics.summary import cvar
from report_run import HOSTILE_PROMPT, HOSTILE_TEXT, write_run


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A run of 5 prompts with two seeds; never written to."""
    return write_run(tmp_path_factory.mktemp("run"), prompts=5, seeds=(0, 1))


@pytest.fixture
def run(finished, tmp_path):
    """A copy that a test may spoil; its task stays where the configuration says."""
    return shutil.copytree(finished, tmp_path / "run")


def accuracies(results, method, seed):
    return [
        entry["accuracy"]
        for entry in results["per_prompt"]
        if (entry["method"], entry["seed"], entry["split"]) == (method, seed, "test")
    ]


def unsaved(run, *cells):
    """Take results and these cells' ends away, as after a kill."""
    (run / "results.json").unlink()
    for cell in cells:
        (run / "trials" / cell / "trial.json").unlink()


def test_markdown_has_the_papers_table_with_intervals_and_what_was_measured(finished):
    report = read_report(finished)
    text = markdown(report)
    assert "| Method | Mean | Std | Min | Top (> 50) | CVaR10 | Generated | Readable |" in text
    warned = dataclasses.replace(report, results={**report.results, "warnings": ["2 rows are repeats"]})
    assert "\n- 2 rows are repeats\n\n|" in markdown(warned)
    line = next(line for line in text.splitlines() if line.startswith("| single"))
    *cells, generated, readable = [cell.strip() for cell in line.strip("|").split("|")]
    results = report.results
    row = report.methods[0].row if report.methods[0].row.method == "single" else report.methods[1].row
    assert (generated, readable) == (f"{100 * row.generated:.1f}", f"{100 * row.readable:.1f}")
    assert generated == cells[1].split()[0] and float(readable) > float(generated)  # here all were generated
    assert "60 cells whose answers were generated too" in text
    seeds = [accuracies(results, "single", seed) for seed in (0, 1)]
    wanted = [
        np.mean(seeds), np.mean([np.std(each, ddof=1) for each in seeds]), np.mean([min(e) for e in seeds]),
        np.mean([np.mean(np.array(each) > 0.5) for each in seeds]),
        np.mean([cvar(each, 0.1) for each in seeds]),
    ]  # fmt: skip
    assert [cell.split()[0].rstrip(OUTSIDE) for cell in cells[1:]] == [
        f"{100 * value:.1f}" for value in wanted
    ]
    for cell in cells[1:]:
        value, low, high = map(
            float, re.fullmatch(rf"([\d.]+){OUTSIDE}? \[([\d.]+), ([\d.]+)\]", cell).groups()
        )
        assert (low <= value <= high) != (OUTSIDE in cell)
    for told in (
        "PAFT",
        "5 unseen prompts x 12 examples",
        "seeds: 0, 1",
        "tiny",
        results["bank_fingerprint"],
    ):
        assert told in text


def test_answers_without_an_end_of_their_own_are_said(finished):
    report = read_report(finished)
    assert "Of the generated answers" not in markdown(report)
    for row in report.results["rows"]:
        if (row["method"], row["seed"]) == ("paft", 1):
            row |= {"cut_answers": 3, "withheld_answers": 1}
    said = "Of the generated answers paft-1: 3 cut at the limit of tokens, 1 withheld by a content filter"
    assert said in markdown(report).replace("\\", "") and said in latex(report)


def test_markdown_takes_no_text_for_markup(finished):
    report = read_report(finished)
    changed = type(report)(**{**vars(report), "headline": "a | <b> *c* _d_ $e$ [f](g) `h`"})
    assert r"a \| \<b\> \*c\* \_d\_ \$e\$ \[f\](g) \`h\`" in markdown(changed)


def test_latex_escapes_what_has_a_meaning(finished):
    report = read_report(finished)
    measured = dataclasses.replace(report.measured, task=r"50 % & $x$ #1 {y} \input a_b ~ ^ <")
    text = latex(dataclasses.replace(report, measured=measured))
    assert r"50 \% \& \$x\$ \#1 \{y\} \textbackslash{}input a\_b" in text
    assert r"\textasciitilde{} \textasciicircum{} \textless{}" in text
    assert text.count(r"\\") == 1 + len(report.methods) + 1 + len(report.differences)  # two tables
    assert text.count("{") == text.count("}")
    assert r"\label{tab:50-x-1-y-input-a-b}" in text


def test_latex_says_the_rest_in_comments_that_no_text_can_leave(finished):
    report = read_report(finished)
    text = latex(dataclasses.replace(report, headline="first\n\\input{x}\u2028\\input{y}\x0b\\input{z}"))
    comments, _, table = text.partition("\\begin{table}")
    assert all(line.startswith("% ") for line in comments.splitlines())
    assert comments.startswith("% Needs \\usepackage{booktabs}\n% first \\input{x} \\input{y} \\input{z}\n")
    assert "input" not in table and "caption{mail, tiny: accuracy in percent over 5 unseen prompts" in table


def test_latex_without_intervals_has_the_figures_alone(finished):
    texts = [latex(read_report(finished), intervals=each) for each in (False, True)]
    narrow, wide = (text.partition("end{table}")[0] for text in texts)
    differences = texts[0].rpartition("begin{table}")[2]
    assert "[" not in differences and "paft - single" in differences  # the second table has none either
    rows = [[line for line in text.splitlines() if " & " in line] for text in (narrow, wide)]
    bare = [re.sub(rf"({re.escape(chr(92))}textdagger{{}})? \[.*?\]", "", line) for line in rows[1]]
    assert rows[0] == bare and "[" in rows[1][1] and "interval" not in narrow.partition("begin")[2]


def test_csv_has_a_row_for_every_method_seed_and_prompt_and_keeps_texts(finished):
    rows = list(csv.DictReader(io.StringIO(csv_rows(read_report(finished)), newline="")))
    test = [row for row in rows if row["split"] == "test"]
    assert len(test) == 5 * (1 + 2 * 2)
    assert len({(row["method"], row["seed"], row["prompt_id"]) for row in test}) == len(test)
    assert {row["prompt"] for row in test} >= {HOSTILE_PROMPT, "Read this.\n\n{text}\n\nAnswer:"}


def test_csv_has_no_formula_and_numbers_stay_numbers(finished):
    report = read_report(finished)
    texts = ["=1+1", "+1", "-1 {x}", "@a", "\t=1", "\r=1", "-0.5", "plain"]
    rows = [{**report.results["per_prompt"][0], "prompt": text, "accuracy": -0.25} for text in texts]
    changed = type(report)(**{**vars(report), "results": {**report.results, "per_prompt": rows}})
    found = list(csv.DictReader(io.StringIO(csv_rows(changed), newline="")))
    assert [row["prompt"] for row in found] == [
        "'=1+1",
        "+1",
        *("'" + t for t in texts[2:6]),
        "-0.5",
        "plain",
    ]
    assert {row["accuracy"] for row in found} == {"-0.25"}


def test_json_has_results_intervals_and_diagnosis(finished):
    found = json.loads(json_figures(read_report(finished)))
    assert found["rows"] == json.loads((finished / "results.json").read_text())["rows"]
    paft = next(method for method in found["methods"] if method["method"] == "paft")
    assert set(paft["estimates"]) == {"mean", "std", "min", "max", "cvar", "top"}
    interval = paft["estimates"]["mean"]["interval"]
    assert interval["low"] < paft["mean"] < interval["high"]
    assert len(found["robustness"]) == 5
    assert len(found["diagnosis"]) == 5 * 3


@pytest.mark.parametrize("name", ["md", "csv", "json", "latex"])
def test_the_command_prints_text_or_writes_it(paft, finished, tmp_path, name):
    code, out, _ = paft("report", finished, "--format", name)
    assert code == 0
    assert paft("report", finished, "--format", name, "--output", tmp_path / "out")[0] == 0
    ending = "tex" if name == "latex" else name  # a name without an ending is a folder
    assert (tmp_path / "out" / f"report.{ending}").read_bytes().decode() == out


def test_a_page_goes_into_a_folder_that_is_not_there_yet(paft, finished, tmp_path):
    code, out, _ = paft("report", finished, "--output", f"{tmp_path / 'out'}/")
    assert (code, out) == (0, f"{tmp_path / 'out' / 'report.html'} written\n")
    assert {path.name for path in (tmp_path / "out").iterdir()} >= {"report.html", "report.svg"}


def test_the_command_writes_a_page_beside_the_results(paft, run):
    code, out, _ = paft("report", run)
    assert (code, out) == (0, f"{run / 'report.html'} written\n")
    text = (run / "report.html").read_text("utf-8")
    for told in ("On 5 unseen prompts, ", "PAFT", "worst examples", "flipped", "data:image/png;base64,"):
        assert told in text


def test_nothing_is_loaded_over_the_network_or_by_an_address(paft, run):
    paft("report", run)
    text = (run / "report.html").read_text("utf-8")
    named = set(re.findall(r"https?://[^\s\"'<>)]+", text))
    assert named <= {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}  # names, never loaded
    assert not re.search(r"@import|url\((?!#)", text)
    assert "default-src 'none'" in text


def test_hostile_texts_cannot_leave_their_place(paft, run):
    paft("report", run)
    text = (run / "report.html").read_text("utf-8")
    assert text.count("<script") == text.count("</script") == 2
    assert text.count("<style") == 2  # the page's and the picture's
    assert "onerror=" not in text.replace("onerror=&#34;", "")
    assert "\u202e" not in text.split('id="data"')[0]
    data = json.loads(re.search(r'id="data">(.*?)</script>', text, re.DOTALL)[1])
    assert data["examples"]["0"]["fields"] == {"text": HOSTILE_TEXT}


def test_controls_of_direction_are_spelt_out():
    assert visible("a\u202eb<\x00") == (
        'a<span class="control">U+202E</span>b&lt;<span class="control">U+0000</span>'
    )


def test_a_run_that_was_killed_shows_its_finished_cells_and_names_the_others(paft, run):
    whole = read_report(run)
    unsaved(run, "paft-1", "single-1")
    report = read_report(run)
    assert report.unfinished == ("single-1", "paft-1")
    assert [method.row.seeds for method in report.methods] == [1, 1, 1]
    assert report.methods[2].row.mean == pytest.approx(np.mean(accuracies(whole.results, "paft", 0)))
    assert report.measured.bank == whole.measured.bank
    assert paft("report", run)[0] == 0
    assert "not finished. Missing: single-1, paft-1" in (run / "report.html").read_text("utf-8")
    assert "Not finished: single-1, paft-1" in paft("report", run, "--format", "md")[1].replace("\\", "")


def test_cells_finished_after_the_results_were_written_count(run):
    saved = json.loads((run / "results.json").read_text())
    for key in ("rows", "per_prompt", "robustness"):
        saved[key] = [entry for entry in saved[key] if entry["seed"] != 1]
    (run / "results.json").write_text(json.dumps(saved))
    report = read_report(run)
    assert (report.unfinished, report.measured.seeds) == ((), (0, 1))


def test_results_alone_are_enough_for_a_smaller_report(finished, tmp_path):
    shutil.copy(finished / "results.json", tmp_path)
    report = read_report(tmp_path)
    assert [method.cells for method in report.methods] == [None] * 3
    assert "[" not in next(line for line in markdown(report).splitlines() if line.startswith("| paft"))


def test_examples_of_other_data_are_not_shown_as_the_runs(finished, tmp_path):
    whole = shutil.copytree(finished.parent, tmp_path / "all")
    run = whole / "run"
    config = (run / "config.yaml").read_text().replace(str(finished.parent), str(whole))
    (run / "config.yaml").write_text(config)
    assert len(read_report(run).examples) == 12
    data = whole / "task" / "test.jsonl"
    data.write_text(data.read_text().replace("message 3", "message 4"))
    assert read_report(run).examples == {}
    shutil.rmtree(whole / "task")
    assert read_report(run).examples == {}


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda run: shutil.rmtree(run), "is no run"),
        (lambda run: [path.unlink() for path in run.glob("*.json")], "is no run"),
        (lambda run: (run / "results.json").write_text("{}"), "was not written by `paft run`"),
        (lambda run: (run / "results.json").write_text("[1]"), "is damaged"),
        (lambda run: unsaved(run, "base", "single-0", "single-1", "paft-0", "paft-1"), "no trial"),
        (lambda run: (run / "trials" / "base" / "test.parquet").write_text("x"), "no readable matrix"),
    ],
)
def test_a_folder_that_holds_no_run_is_refused(paft, run, spoil, told):
    spoil(run)
    with pytest.raises(DataError, match=told):
        read_report(run)
    code, _, err = paft("report", run)
    assert (code, told in err, "Traceback" in err) == (2, True, False)


def test_an_estimate_from_a_budget_is_refused(run):
    saved = json.loads((run / "results.json").read_text())
    (run / "results.json").write_text(json.dumps({**saved, "rows": [], "budget": {}}))
    with pytest.raises(DataError, match="part of the cells"):
        read_report(run)


def test_an_unknown_format_is_refused(paft, finished):
    code, _, err = paft("report", finished, "--format", "docx")
    assert code == 2 and "docx" in err


def test_a_folder_that_is_there_gets_the_file_of_a_run(paft, finished, tmp_path):
    for name, file in (("md", "report.md"), ("latex", "report.tex"), ("html", "report.html")):
        code, out, _ = paft("report", finished, "--format", name, "--output", tmp_path)
        assert (code, out) == (0, f"{tmp_path / file} written\n")
    assert {path.suffix for path in tmp_path.iterdir()} == {".md", ".tex", ".html", ".svg", ".png"}


def test_what_was_generated_stands_in_every_format_and_nowhere_else(finished):
    """Without a sample, as in runs of earlier versions, no format has a place for one."""
    report = read_report(finished)
    row = next(row for row in report.results["rows"] if row["split"] == "test")
    first = next(csv.DictReader(io.StringIO(csv_rows(report))))
    assert float(first["generated_accuracy"]) == row["generated_accuracy"]
    assert float(first["generated_parse_rate"]) == row["generated_parse_rate"]
    shown = page(report), markdown(report), str(results_table(report.results).caption)
    assert all("eadable" in text and "enerated" in text for text in shown)
    assert "Readable" not in latex(report)
    rows = [{k: v for k, v in row.items() if not k.startswith("generated")} for row in report.results["rows"]]
    older = gather({**report.results, "rows": rows})
    assert '<th scope="col">readable</th>' in page(report) and "readable</th>" not in page(older)
    assert "Generated" not in markdown(older) and "generated" not in results_table(older.results).caption
    assert next(csv.DictReader(io.StringIO(csv_rows(older))))["generated_cells"] == ""


PICTURES = {"svg": b"<svg", "png": b"\x89PNG", "pdf": b"%PDF"}


@pytest.mark.parametrize("ending", PICTURES)
def test_the_picture_has_the_format_that_its_name_tells_and_is_the_same_each_time(
    paft, finished, tmp_path, ending
):
    for file, options in (("a", []), ("b", ["--format", ending])):
        code, out, err = paft("report", finished, "--output", tmp_path / f"{file}.{ending}", *options)
        assert (code, out) == (0, f"{tmp_path / file}.{ending} written\n"), err
    first, second = (tmp_path / f"{file}.{ending}" for file in "ab")
    assert first.read_bytes() == second.read_bytes()
    assert first.read_bytes().startswith(PICTURES[ending])


def test_a_picture_without_a_place_lies_beside_the_page(paft, run):
    code, out, _ = paft("report", run, "--format", "pdf")
    assert (code, out) == (0, f"{run / 'report.pdf'} written\n")


@pytest.mark.parametrize(
    ("file", "holds"),
    [("r.md", "| Method |"), ("r.TEX", r"\toprule"), ("r.json", '"headline"'), ("r.csv", '"prompt_id"')],
)
def test_text_has_the_format_that_its_name_tells(paft, finished, tmp_path, file, holds):
    assert paft("report", finished, "--output", tmp_path / file)[0] == 0
    assert holds in (tmp_path / file).read_text("utf-8")


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (
            ["--format", "html", "--output", "plot.svg"],
            "plot.svg ends like svg, --format says html",
        ),
        (["--format", "latex", "--output", "a.md"], "a.md ends like md, --format says latex: drop one"),
        (["--output", "plot.gif"], "no format is called .gif; name the file .csv, .html,"),
        (["--no-intervals"], "--no-intervals is for --format latex"),
        (["--no-intervals", "--output", "a.png"], "--no-intervals is for --format latex"),
    ],
)
def test_a_name_and_a_format_that_disagree_are_refused(paft, finished, tmp_path, monkeypatch, options, told):
    monkeypatch.chdir(tmp_path)
    code, _, err = paft("report", finished, *options)
    assert code == 2 and told in " ".join(err.replace("\u2502", " ").split())
    assert not list(tmp_path.iterdir())


def test_a_pointer_on_a_dot_shows_its_prompt_and_accuracy(finished):
    report = read_report(finished)
    picture = distribution_svg(report.results)
    titles = [
        (html.unescape(prompt), accuracy)
        for prompt, accuracy in re.findall(r"<g><title>(.*?): ([\d.]+) %</title><use", picture)
    ]
    wanted = [
        (
            " ".join(e["prompt"].split()).replace("\u202e", "\ufffd").replace("\u202c", "\ufffd"),
            f"{100 * e['accuracy']:.1f}",
        )
        for e in report.results["per_prompt"]
        if e["split"] == "test"
    ]
    assert sorted(titles) == sorted(wanted)
