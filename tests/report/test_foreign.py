"""Tables of scores from elsewhere: the same figures as a run's, and errors that name file and line."""

from __future__ import annotations

import csv
import json

import numpy as np
import pyarrow
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pyarrow import parquet

from paft.errors import ConfigError, DataError
from paft.evaluate.matrix import Matrix
from paft.report import html
from paft.report.data import read_report
from paft.report.foreign import read_foreign_report
from paft.report.run_folder import TRIALS
from paft.report.text import csv_rows, json_figures, markdown
from report_run import write_run


def write_csv(path, head, rows):
    with path.open("w", newline="", encoding="utf-8") as lines:
        writer = csv.writer(lines)
        writer.writerow(head)
        writer.writerows(rows)
    return path


def long_rows(scores, method):
    return [
        [method, f"prompt {p}", f"e{n}", scores[p, n]]
        for p in range(scores.shape[0])
        for n in range(scores.shape[1])
    ]


def export(run, path, answers=True):
    """Write the cells of a run as a long table, as a user of other software would."""
    texts = {prompt.id: prompt.text for prompt in read_report(run).prompts}
    rows = []
    for name in sorted(run.glob(f"{TRIALS}/*/test.parquet")):
        method, _, seed = name.parent.name.rpartition("-")
        rows += [
            [method or seed, seed if method else "", texts[cell.prompt_id], cell.example, repr(cell.score)]
            + [cell.prediction] * answers
            for cell in Matrix.load(name).cells
        ]
    head = ["method", "seed", "prompt", "example", "score"] + ["prediction"] * answers
    return write_csv(path, head, rows)


@settings(max_examples=15, deadline=None)
@given(
    prompts=st.integers(1, 6),
    examples=st.integers(1, 12),
    methods=st.lists(st.sampled_from(["base", "single", "paft"]), min_size=1, unique=True),
    seeds=st.integers(1, 2),
)
def test_a_table_of_the_cells_of_a_run_gives_the_figures_of_the_run(
    tmp_path_factory, prompts, examples, methods, seeds
):
    folder = tmp_path_factory.mktemp("run")
    run = write_run(folder, prompts, examples, tuple(methods), tuple(range(seeds)))
    mine = read_report(run)
    pair = ("paft", "single") if {"paft", "single"} <= set(methods) else None
    threshold = mine.measured.threshold
    found = read_foreign_report(export(run, folder / "t.csv"), compare=pair, threshold=threshold)
    by_name = {method.row.method: method for method in found.methods}
    assert set(by_name) == set(methods)
    for method in mine.methods:
        other = by_name[method.row.method]
        for name in ("mean", "std", "min", "max", "top", "seeds", "mean_range"):
            assert getattr(other.row, name) == getattr(method.row, name), name
        assert other.cvar == method.cvar
        assert other.estimates == method.estimates
        for name in ("debiased_std", "all_correct", "any_correct", "consistency", "parse_rate"):
            assert other.further(name) == method.further(name), name
    assert {p.text: p.accuracy for p in found.prompts} == {p.text: p.accuracy for p in mine.prompts}
    wrong = {p.text: {m: d.wrong_answer for m, d in p.diagnosis.items()} for p in mine.prompts}
    assert {p.text: {m: d.wrong_answer for m, d in p.diagnosis.items()} for p in found.prompts} == wrong
    if pair:
        ours, theirs = (text.partition(" prompt")[2].lstrip("s") for text in (mine.headline, found.headline))
        assert ours == theirs and "PAFT" in ours


def test_the_tables_that_paft_writes_are_read_as_they_are(tmp_path, paft):
    run = write_run(tmp_path, prompts=5, examples=9, methods=("single", "paft"))
    mine = read_report(run)
    assert paft("report", run, "--format", "csv", "--output", tmp_path / "prompts.csv")[0] == 0
    # Its split of the user prompt stays out; the unseen prompts are what a run reports.
    found = read_foreign_report(tmp_path / "prompts.csv")
    assert [m.row.mean for m in found.methods] == [m.row.mean for m in mine.methods]
    assert found.measured.size == "5 unseen prompts"
    (method,) = read_foreign_report(run / TRIALS / "paft-0" / "test.parquet").methods
    paft_row = next(m for m in mine.methods if m.row.method == "paft")
    assert method.estimates == {**paft_row.estimates, "top": method.estimates["top"]}
    assert method.further("consistency") == paft_row.further("consistency")


def test_the_order_of_examples_with_numbers_does_not_matter(tmp_path):
    scores = np.random.default_rng(1).random((4, 99))
    rows = [["p" + str(p), n, scores[p, n]] for p in range(4) for n in range(99)]
    one = read_foreign_report(write_csv(tmp_path / "t.csv", HEAD, rows))
    rows.sort(key=lambda row: (row[0], -row[1]))
    other = read_foreign_report(write_csv(tmp_path / "t.csv", HEAD, rows))
    assert one.methods[0].estimates == other.methods[0].estimates
    assert one.methods[0].row == other.methods[0].row  # to the last bit, which the order of a sum may change
    assert one.results["robustness"] == other.results["robustness"]


@settings(max_examples=30, deadline=None)
@given(
    arrays(float, st.tuples(st.integers(1, 5), st.integers(1, 6)), elements=st.sampled_from([0.0, 0.25, 1.0]))
)
def test_long_and_wide_tables_say_the_same(tmp_path_factory, scores):
    folder = tmp_path_factory.mktemp("tables")
    prompts, examples = scores.shape
    long = write_csv(folder / "long.csv", ["method", "prompt", "example", "score"], long_rows(scores, "wide"))
    head = ["prompt", *(f"e{n}" for n in range(examples))]
    wide = write_csv(folder / "wide.csv", head, [[f"prompt {p}", *scores[p]] for p in range(prompts)])
    one, other = read_foreign_report(long), read_foreign_report(wide, columns="examples")
    assert [m.row for m in one.methods] == [m.row for m in other.methods]
    assert one.methods[0].row.mean == pytest.approx(scores.mean())
    assert [p.accuracy for p in one.prompts] == [p.accuracy for p in other.prompts]


def test_every_format_of_data_is_read(tmp_path):
    records = [
        {"prompt": f"p{p}", "example": n, "correct": (p + n) % 2 == 0} for p in range(3) for n in range(4)
    ]
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, records)))
    parquet.write_table(pyarrow.Table.from_pylist(records), tmp_path / "a.parquet")
    (tmp_path / "a.tsv").write_text(
        "prompt\texample\tcorrect\n"
        + "".join(f"{r['prompt']}\t{r['example']}\t{r['correct']}\n" for r in records)
    )
    rows = [
        read_foreign_report(tmp_path / f"a.{kind}").methods[0].row for kind in ("jsonl", "parquet", "tsv")
    ]
    assert rows[0] == rows[1] == rows[2]
    assert rows[0].mean == 0.5


def test_two_methods_are_compared_and_of_more_those_that_are_named(tmp_path, paft):
    generator = np.random.default_rng(0)
    rows = []
    for name, share in (("old", 0.3), ("new", 0.8), ("third", 0.5)):
        rows += long_rows((generator.random((8, 40)) < share).astype(int), name)
    head = ["method", "prompt", "example", "score"]
    two = write_csv(tmp_path / "two.csv", head, [row for row in rows if row[0] != "third"])
    assert "'new' is better than 'old' on average" in read_foreign_report(two).headline
    three = write_csv(tmp_path / "three.csv", head, rows)
    assert "'new' has the highest mean observed" in read_foreign_report(three).headline
    code, out, err = paft("report", "--matrix", three, "--compare", "old,third", "--format", "md")
    assert code == 0, err
    assert "'old' is worse than 'third' on average" in out
    code, out, err = paft("report", "--matrix", three)
    assert code == 0, err
    page = (tmp_path / "three_report.html").read_text("utf-8")
    assert "8 prompts \u00d7 40 examples" in page and "user prompt" not in page.lower().split("<h2")[0]
    assert (tmp_path / "three_report.svg").exists() and (tmp_path / "three_report.png").exists()


def test_accuracies_alone_have_no_intervals(tmp_path):
    table = write_csv(tmp_path / "t.csv", ["prompt", "accuracy"], [["a", 0.5], ["b", "0.75"], ["c", 1]])
    (method,) = read_foreign_report(table, threshold=0.7).methods
    assert (method.row.mean, method.row.min, method.row.top) == (0.75, 0.5, pytest.approx(2 / 3))
    assert not method.estimates


def test_one_split_is_reported(tmp_path):
    head = ["prompt", "split", "score"]
    rows = [["a", "train", 1], ["b", "test", 0.5], ["c", "test", 0.75], ["a", "validation", 0]]
    table = write_csv(tmp_path / "t.csv", head, rows)
    found = read_foreign_report(table)
    assert (found.measured.size, found.methods[0].row.mean) == ("2 unseen prompts", 0.625)
    found = read_foreign_report(table, split="validation")
    assert (found.measured.size, found.methods[0].row.mean) == ("1 validation prompt", 0)
    two = [[m, "new", p, n, s] for m, s in (("x", 0), ("y", 1)) for p in "abc" for n in range(9)]
    table = write_csv(tmp_path / "u.csv", ["method", "split", *HEAD], two)
    assert "'y' is better than 'x'" in read_foreign_report(table).headline  # a split of any name is compared


def test_wide_tables_may_name_methods_and_seeds(tmp_path):
    head = ["", "method", "seed", "prompt", "a", "b"]  # pandas puts the number of the row first
    rows = [
        [0, "x", "0.0", "p", 1, 0], [1, "x", "1.0", "p", 1, 1], [2, "y", "", "p", 0, 0],
    ]  # fmt: skip
    found = read_foreign_report(write_csv(tmp_path / "t.csv", head, rows), columns="examples")
    assert [(m.row.method, m.row.seeds, m.row.mean) for m in found.methods] == [("x", 2, 0.75), ("y", 1, 0)]
    assert found.measured.seeds == (0, 1)
    record = html.page(found).partition(">Record</h2>")[2]
    assert '<th scope="col">seed</th>' in record and "<td>1</td><td>100.0</td>" in record


def test_a_column_without_a_name_is_nothing(tmp_path):
    table = write_csv(tmp_path / "t.csv", ["", *HEAD], [[0, "p", "a", 1], [1, "p", "b", 0]])
    assert read_foreign_report(table).methods[0].row.mean == 0.5


def test_what_scores_alone_do_not_say_is_not_reported(tmp_path, paft):
    scores = np.random.default_rng(0).integers(0, 2, (5, 8))
    table = write_csv(tmp_path / "t.csv", ["method", *HEAD], long_rows(scores, "m"))
    report = read_foreign_report(table)
    assert not report.answered
    assert report.methods[0].further("consistency") is None
    page, text, figures = html.page(report), markdown(report), json.loads(json_figures(report))
    words = "nreadable", "Flipped", "could be read.", "wrong answer", "Model", "scoring s", "Configuration"
    assert not [word for word in words if word in page or word in text]
    assert "worst prompts" in page.lower() and "| prompt " in text
    assert '"names": {"0": "e0"' in page and figures["example_names"]["7"] == "e7"
    assert figures["diagnosis"] == []
    with_answers = [[*row, "yes" if row[3] else ""] for row in long_rows(scores, "m")]
    report = read_foreign_report(write_csv(tmp_path / "t.csv", ["method", *HEAD, "prediction"], with_answers))
    assert report.methods[0].further("parse_rate") == pytest.approx(scores.mean())
    assert "Unreadable" in markdown(report) and "parse_rate" in csv_rows(report)


@pytest.mark.parametrize("format", ["html", "md", "csv", "json", "latex"])
def test_a_folder_gets_the_report_under_its_name(tmp_path, paft, format):
    table = write_csv(tmp_path / "t.csv", HEAD, [["p", n, 1] for n in range(4)])
    folder = tmp_path / "out"
    for _ in ("new", "there"):
        code, _, err = paft("report", "--matrix", table, "--format", format, "--output", folder)
        assert code == 0, err
    names = {"html": {"t_report.html", "t_report.svg", "t_report.png"}, "latex": {"t_report.tex"}}
    assert {path.name for path in folder.iterdir()} == names.get(format, {f"t_report.{format}"})


HEAD = ["prompt", "example", "score"]


@pytest.mark.parametrize(
    ("head", "rows", "options", "error", "message"),
    [
        (HEAD, [], {}, DataError, "has no row"),
        (HEAD, [["a", 1, "x"]], {}, DataError, r"t\.csv:2: 'score' is 'x', no score"),
        (HEAD, [["a", 1, 1], ["a", 2, ""]], {}, DataError, r"t\.csv:3: 'score' has no score: score the cell"),
        (HEAD, [["a", 1, "nan"]], {}, DataError, r"'score' has no score"),
        (HEAD, [["a", 1, 83.5]], {}, DataError, r"percent\? Divide by 100"),
        (HEAD, [["a", 1, -1]], {}, DataError, r"lies in \[0, 1\]: bring the scores"),
        (HEAD, [["a", 1, 1], ["a", 1, 0]], {}, DataError, r"csv:3: a second score of method 't', prompt"),
        (HEAD, [["a", 1, 1], ["b", 2, 0]], {}, DataError, r"prompt 'a', example '2' \(2 missing"),
        (HEAD, [["", 1, 1]], {}, DataError, r"t\.csv:2: prompt is empty"),
        (["prompt", "seed", "score"], [["a", "x", 1]], {}, DataError, r"seed is 'x', no whole number"),
        (["prompt", "b", "c"], [["a", 1, 1]], {}, ConfigError, r"--columns"),
        (["text", "score"], [["a", 1]], {}, ConfigError, r"a long table has prompt"),
        (["prompt"], [["a"]], {"columns": "methods"}, DataError, r"has one column"),
        (HEAD, [["a", 1, "83%"]], {}, DataError, r"divide percent by 100"),
        ([*HEAD, "fold"], [["a", 1, 1, 1]], {}, DataError, r"unknown column 'fold': .* remove or rename"),
        (["prompt", "prediction", "score"], [["a", "x", 1]], {}, DataError, r"unknown column 'prediction'"),
        ([*HEAD, "correct"], [["a", 1, 1, 1]], {}, DataError, r"score and correct could both be the score"),
        (HEAD, [["a", 1, 1]], {"columns": "examples"}, ConfigError, r"long table .* leave --columns out"),
        (["prompt", "method", "x"], [["a", "m", 1]], {"columns": "methods"}, ConfigError, r"a column method"),
        (["prompt", "x", "y"], [["a", 1, ""]], {"columns": "methods"}, DataError, r"csv:2: 'y' has no score"),
        (["p", "x"], [["a", 1], ["a", 0]], {"columns": "methods"}, DataError, r"csv:3: a second score"),
        (["prompt", "split", "score"], [["a", "s", 1], ["b", "t", 1]], {}, ConfigError, r"splits s, t: say"),
        (["prompt", "split", "score"], [["a", "s", 1]], {"split": "t"}, ConfigError, r"no split 't'"),
        (HEAD, [["a", 1, 1]], {"split": "t"}, ConfigError, r"it has no column split"),
        (["prompt", "split", "score"], [["a", "", 1]], {}, DataError, r"csv:2: split is empty"),
        (HEAD, [["a", 1, 1]], {"compare": ("t", "u")}, ConfigError, r"no method 'u' \(it has t\)"),
        (HEAD, [["a", 1, 1]], {"compare": ("t", "t")}, ConfigError, r"compared with itself"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_with_its_place(tmp_path, head, rows, options, error, message):
    table = write_csv(tmp_path / "t.csv", head, rows)
    with pytest.raises(error, match=message):
        read_foreign_report(table, **options)


def test_files_that_hold_no_table_are_named(tmp_path):
    (tmp_path / "empty.csv").write_text("")
    (tmp_path / "ragged.csv").write_text("prompt,example,score\na,1,1\na,2\n")
    (tmp_path / "twice.csv").write_text("prompt,score,score\na,1,1\n")
    (tmp_path / "rows.jsonl").write_text('{"prompt": "a", "score": 1}\n{"prompt": "b", "value": 1}\n')
    (tmp_path / "gap.jsonl").write_text('{"prompt": "a", "score": 1}\n{"prompt": "b", "score": null}\n')
    (tmp_path / "order.jsonl").write_text('{"prompt": "a", "score": 1}\n{"score": true, "prompt": "b"}\n')
    parquet.write_table(pyarrow.table({"prompt": ["a"], "score": [float("nan")]}), tmp_path / "nan.parquet")
    (tmp_path / "t.ods").write_bytes(b"PK")
    for name, message in {
        "empty.csv": "has no row", "ragged.csv": r"csv:3: a row with too many or too few columns",
        "twice.csv": "csv:1: two columns are called 'score'", "t.ods": "unknown format",
        "rows.jsonl": r"jsonl:2: not every row has the columns score, value",
        "gap.jsonl": "jsonl:2: 'score' has no score", "nan.parquet": "row 1: 'score' has no score",
    }.items():  # fmt: skip
        with pytest.raises(DataError, match=message):
            read_foreign_report(tmp_path / name)
    assert read_foreign_report(tmp_path / "order.jsonl").methods[0].row.mean == 1


def test_the_command_refuses_what_does_not_fit(tmp_path, paft):
    table = write_csv(tmp_path / "t.csv", HEAD, [["a", 1, 1]])
    of_table = ["--matrix", table]
    for arguments in ([], [tmp_path, *of_table], [*of_table, "--format", "lm-eval"],
                      [*of_table, "--compare", "a,b,c"], ["--matrix", tmp_path / "no.csv"],
                      [tmp_path, "--split", "test"], [tmp_path, "--compare", "a,b"],
                      [tmp_path, "--threshold", "0"]):  # fmt: skip
        code, _, err = paft("report", *arguments)
        assert code != 0 and err, arguments
    assert list(tmp_path.iterdir()) == [table]
