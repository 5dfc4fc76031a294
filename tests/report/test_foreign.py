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
from paft.report.data import read_report
from paft.report.foreign import read_foreign_report
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


def test_a_table_of_the_cells_of_a_run_gives_the_figures_of_the_run(tmp_path):
    run = write_run(tmp_path, prompts=6, examples=14, methods=("single", "paft"), seeds=(0, 1))
    mine, rows = read_report(run), []
    texts = {prompt.id: prompt.text for prompt in mine.prompts}
    for path in sorted(run.glob("trials/*/test.parquet")):
        method, _, seed = path.parent.name.rpartition("-")
        cells = Matrix.load(path).cells
        rows += [[method, seed, texts[cell.prompt_id], cell.example, cell.score] for cell in cells]
    table = write_csv(tmp_path / "t.csv", ["method", "seed", "prompt", "example", "score"], rows)
    found = read_foreign_report(table, compare=("paft", "single"), threshold=mine.measured.threshold)
    by_name = {method.row.method: method for method in found.methods}
    for method in mine.methods:
        other = by_name[method.row.method]
        for name in ("mean", "std", "min", "max", "top", "seeds", "mean_range"):
            assert getattr(other.row, name) == pytest.approx(getattr(method.row, name), abs=1e-12), name
        assert other.cvar == pytest.approx(method.cvar)
        assert other.interval("mean") == pytest.approx(method.interval("mean"))
        assert other.interval("std") == pytest.approx(method.interval("std"))
        assert other.further("debiased_std") == pytest.approx(method.further("debiased_std"))
        assert other.further("all_correct") == pytest.approx(method.further("all_correct"))
    ours, theirs = (text.split(": mean ")[1].split(", worst")[0] for text in (mine.headline, found.headline))
    assert ours == theirs
    assert found.headline.startswith("On 6 prompts, PAFT ")


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


HEAD = ["prompt", "example", "score"]


@pytest.mark.parametrize(
    ("head", "rows", "options", "error", "message"),
    [
        (HEAD, [], {}, DataError, "has no row"),
        (HEAD, [["a", 1, "x"]], {}, DataError, r"t\.csv:2: 'score' is 'x', no score"),
        (HEAD, [["a", 1, 1], ["a", 2, ""]], {}, DataError, r"t\.csv:3: 'score' is ''"),
        (HEAD, [["a", 1, "nan"]], {}, DataError, r"'score' is nan"),
        (HEAD, [["a", 1, 83.5]], {}, DataError, r"percent\? Divide by 100"),
        (HEAD, [["a", 1, -1]], {}, DataError, r"lies in \[0, 1\]$"),
        (HEAD, [["a", 1, 1], ["a", 1, 0]], {}, DataError, r"csv:3: a second score of method 't', prompt"),
        (HEAD, [["a", 1, 1], ["b", 2, 0]], {}, DataError, r"no score .* 'a' on example '2' \(2 missing"),
        (HEAD, [["", 1, 1]], {}, DataError, r"t\.csv:2: prompt is empty"),
        (["prompt", "seed", "score"], [["a", "x", 1]], {}, DataError, r"seed is 'x', no whole number"),
        (["prompt", "b", "c"], [["a", 1, 1]], {}, ConfigError, r"--columns"),
        (["text", "score"], [["a", 1]], {}, ConfigError, r"a long table has prompt"),
        (["prompt"], [["a"]], {"columns": "methods"}, DataError, r"has one column"),
        (HEAD, [["a", 1, 1]], {"compare": ("t", "u")}, ConfigError, r"no method 'u' \(it has t\)"),
        (HEAD, [["a", 1, 1]], {"compare": ("t", "t")}, ConfigError, r"compared with itself"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_with_its_place(tmp_path, head, rows, options, error, message):
    table = write_csv(tmp_path / "t.csv", head, rows)
    with pytest.raises(error, match=message):
        read_foreign_report(table, **options)


def test_the_command_refuses_what_does_not_fit(tmp_path, paft):
    table = write_csv(tmp_path / "t.csv", HEAD, [["a", 1, 1]])
    of_table = ["--matrix", table]
    for arguments in ([], [tmp_path, *of_table], [*of_table, "--format", "lm-eval"],
                      [*of_table, "--compare", "a,b,c"], ["--matrix", tmp_path / "no.csv"]):  # fmt: skip
        code, _, err = paft("report", *arguments)
        assert code != 0 and err, arguments
    assert list(tmp_path.iterdir()) == [table]
