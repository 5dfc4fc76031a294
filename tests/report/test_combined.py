"""Several runs in one report: the prompts and examples that all have, counted anew; or a refusal."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

from paft.errors import ConfigError, DataError
from paft.evaluate.matrix import Matrix
from paft.report.combined import read_combined
from paft.report.data import read_report
from paft.report.folder import read_results
from paft.report.text import latex
from paft.task.task import Task, data_fingerprint
from report_run import write_run


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Two runs of the same examples: of 5 and of 4 prompts, three and two seeds; not to be written to."""
    home = tmp_path_factory.mktemp("runs")
    first = write_run(home / "a", prompts=5, seeds=(0, 1, 2))
    second = write_run(home / "b", prompts=4, methods=("base", "paft"), seeds=(0, 1))
    return first.rename(home / "one"), second.rename(home / "two")


@pytest.fixture
def copies(runs, tmp_path):
    """Both runs, to be spoilt."""
    return [shutil.copytree(run, tmp_path / run.name) for run in runs]


def put(path, key, value):
    path.write_text(json.dumps({**json.loads(path.read_text("utf-8")), key: value}), "utf-8")


def test_a_run_beside_itself_has_its_own_figures(runs, copies):
    """Nothing is left out, so every figure is the run's; a run minus its copy is nothing."""
    twin = copies[0].rename(copies[0].with_name("copy"))
    alone, both = read_report(runs[0]), read_combined([runs[0], twin])
    for label in ("one", "copy"):
        for method in alone.methods[label == "copy" :]:
            name = f"{label}/{method.row.method}"
            (mine,) = [each for each in both.methods if each.row.method == name]
            assert mine.estimates == method.estimates and mine.cvar == method.cvar
            assert (mine.row.mean, mine.row.std, mine.row.own) == (
                method.row.mean, method.row.std, method.row.own,
            )  # fmt: skip
            assert mine.further("flip_rate") == method.further("flip_rate")
    assert (
        "copy/base has the same answers as one/base in every cell, and is shown once"
        in both.results["warnings"]
    )
    assert "copy/base" not in [method.row.method for method in both.methods]
    (same,) = [d for d in both.differences if (d.first, d.second) == ("copy/paft", "one/paft")]
    assert same.figures["mean"].value == same.figures["std"].value == pytest.approx(0, abs=1e-12)
    assert same.figures["min"].interval.low <= 0 <= same.figures["min"].interval.high
    assert [w for w in both.results["warnings"] if "compared on" in w] == []
    assert len(both.differences) == 10 and both.examples
    asked = read_combined([runs[0], twin], ("copy/base", "one/paft"))
    assert "'copy/base'" in asked.headline


def test_only_what_both_have_is_compared_and_the_rest_is_counted(runs):
    report = read_combined(runs)
    one, two = (read_report(run) for run in runs)
    common = [p.id for p in one.prompts if p.id in {q.id for q in two.prompts}]
    assert 0 < len(common) < len(one.prompts)
    assert report.measured.prompts == len(common) and report.measured.examples == 12
    told = f"one is compared on {len(common)} of its 5 prompts: the others are not in every run"
    assert told in report.results["warnings"]
    cells = {method.row.method: method.cells for method in one.methods}["paft"]
    places = [cells.prompt_ids.index(id_) for id_ in cells.prompt_ids if id_ in common]
    (mine,) = [method for method in report.methods if method.row.method == "one/paft"]
    assert mine.row.mean == pytest.approx(float(np.mean(cells.scores[:, places])))
    assert mine.row.seeds == 3 and "'two/paft'" in report.headline and "'one/paft'" in report.headline


def test_examples_are_matched_by_what_they_say_wherever_they_stand(runs, tmp_path):
    """The second run has two examples fewer and the others in another order of its file."""
    second = write_run(tmp_path / "c", prompts=5, examples=10)
    data = tmp_path / "c" / "task" / "test.jsonl"
    straight = read_combined([runs[0], second])
    assert straight.measured.examples == 10
    assert "one is compared on 10 of its 12 examples: the others are not in every run" in " ".join(
        straight.results["warnings"]
    )
    lines = data.read_text("utf-8").splitlines()
    data.write_text("\n".join(lines[::-1]) + "\n", "utf-8")
    with pytest.raises(DataError, match=r"the test examples of .*run cannot be read from here"):
        read_combined([runs[0], second])
    examples = Task.from_yaml(tmp_path / "c" / "task" / "task.yaml").examples("test")
    put(second / "run.json", "test examples", data_fingerprint(examples))
    turned = read_combined([runs[0], second])
    (mine,) = [method.cells for method in turned.methods if method.row.method == "run/base"]
    own = Matrix.load(second / "trials" / "base" / "test.parquet")
    of = {example.fields["text"]: example.index for example in examples}
    columns = [of[turned.examples[number].fields["text"]] for number in mine.examples]
    rows = [own.prompt_ids.index(id_) for id_ in mine.prompt_ids]
    assert columns == list(range(10))[::-1]
    assert (mine.scores[0] == own.scores[np.ix_(rows, columns)]).all()


def test_without_the_data_the_same_examples_are_known_by_their_fingerprint(copies):
    for copy in copies:
        text = (copy / "config.yaml").read_text("utf-8")
        (copy / "config.yaml").write_text(text.replace("task.yaml", "gone.yaml"), "utf-8")
    report = read_combined(copies)
    assert report.measured.examples == 12 and not report.examples


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            lambda c: put(c / "results.json", "task", "post"),
            "of different tasks \\(task: 'mail' and 'post'\\)",
        ),
        (
            lambda c: [
                put(c / "run.json", "task.answer.rule", "label"),
                put(c.with_name("one") / "run.json", "task.answer.rule", "text"),
            ],
            "of different tasks \\(task.answer.rule: 'text' and 'label'\\)",
        ),
        (
            lambda c: [
                put(c / "results.json", "scoring", {"by": "generation"}),
                put(c.with_name("one") / "results.json", "scoring", {"by": "likelihood"}),
            ],
            "scored in different ways \\(by: 'likelihood' and 'generation'\\)",
        ),
    ],
    ids=["name", "rule", "scoring"],
)
def test_runs_of_different_things_are_refused_in_a_sentence(copies, change, words):
    change(copies[1])
    with pytest.raises(DataError, match=words) as error:
        read_combined(copies)
    assert str(error.value).endswith("only figures of the same thing can be compared")


def test_runs_with_nothing_in_common_are_refused(runs, tmp_path, monkeypatch):
    monkeypatch.setattr("report_run.texts", lambda count: [f"Quite other {i} {{text}}" for i in range(count)])
    other = write_run(tmp_path / "d")
    with pytest.raises(DataError, match="have no prompt in common: evaluate the models on the same bank"):
        read_combined([runs[0], other])


def test_a_run_is_given_once_and_a_name_is_known(runs):
    with pytest.raises(ConfigError, match="is given twice"):
        read_combined([runs[0], runs[0]])
    with pytest.raises(ConfigError, match="--compare: there is no 'one/x' \\(there are one/base"):
        read_combined(runs, ("one/x", "one/base"))
    with pytest.raises(ConfigError, match="cannot be compared with itself"):
        read_combined(runs, ("one/base", "one/base"))
    assert "'one/single'" in read_combined(runs, ("one/single", "two/base")).headline


def test_different_user_prompts_are_left_out(copies, tmp_path, monkeypatch):
    first = Task.from_yaml
    monkeypatch.setattr(
        Task, "from_yaml", lambda path: first(path).model_copy(update={"prompt": "Mine? {text}"})
    )
    other = write_run(tmp_path / "e")
    monkeypatch.undo()
    report = read_combined([copies[0], other])
    assert "the runs have different user prompts, which are left out" in report.results["warnings"]
    assert all(method.row.own is None for method in report.methods)


def test_missing_cells_are_named(copies):
    (copies[1] / "trials" / "base" / "test.parquet").unlink()
    with pytest.raises(DataError, match=r"the cells of 'base' are not in .*two: runs are"):
        read_combined(copies)


def test_every_format_on_the_command_line(paft, runs, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, out, err = paft("report", *runs)
    assert code == 0 and "comparison.html written" in out, err
    page = (tmp_path / "comparison.html").read_text("utf-8")
    assert "one/paft" in page and 'id="differences"' in page and "run two" in page
    code, out, err = paft("report", *runs, "--output", "cmp.html", "--compare", "two/paft,one/single")
    assert code == 0 and (tmp_path / "cmp.html").exists() and (tmp_path / "cmp.png").exists(), err
    code, out, err = paft("report", *runs, "--format", "json")
    found = json.loads(out)
    assert code == 0 and len(found["differences"]) == 10, err
    assert [run["run"] for run in found["runs"]] == ["one", "two"]
    code, out, err = paft("report", *runs, "--format", "md")
    assert code == 0 and "two/paft - one/paft" in out.replace("\\", ""), err
    code, out, err = paft("report", *runs, "--format", "latex")
    assert code == 0 and out.count("begin{table}") == 2, err
    assert "% two is compared on 4 of" in out or "% one is compared on 4 of" in out
    code, out, err = paft("report", *runs, "--format", "csv")
    assert code == 0 and '"one/paft"' in out, err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["{one}", "{two}", "--format", "lm-eval"], "is for the folder of one run"),
        (["{one}", "{two}", "--compare", "x"], "two methods with a comma"),
        (["{one}", "--compare", "a,b"], "for several runs"),
        (["{one}", "{two}", "--threshold", "0.5"], "are for a table"),
        (["{one}", "{nowhere}"], "is no run"),
    ],
)
def test_what_makes_no_sense_is_refused(paft, runs, tmp_path, arguments, words):
    places = {"{one}": runs[0], "{two}": runs[1], "{nowhere}": tmp_path / "nowhere"}
    code, _, err = paft("report", *(places.get(each, each) for each in arguments))
    assert code == 2 and words in " ".join(err.replace("\u2502", " ").split())


def test_the_folder_of_a_training_says_how_it_is_judged(tmp_path):
    folder = tmp_path / "t"
    (folder / "adapter").mkdir(parents=True)
    (folder / "run.json").write_text(json.dumps({"method": "paft", "seed": 0}))
    with pytest.raises(DataError, match=r"is of `paft train`, which .*--adapter .*t/adapter"):
        read_results(folder)
    (folder / "evaluated").mkdir()
    (folder / "evaluated" / "results.json").write_text("{}")
    with pytest.raises(DataError, match=r"its evaluation is in .*t/evaluated: paft report .*t/evaluated"):
        read_results(folder)
    shutil.rmtree(folder / "evaluated")
    shutil.rmtree(folder / "adapter")
    with pytest.raises(DataError, match="is of `paft train` and not finished"):
        read_results(folder)


def test_a_damaged_run_among_several_is_named(copies):
    path = copies[1] / "results.json"
    rows = json.loads(path.read_text("utf-8"))["rows"]
    for key in ("max", "train_steps"):
        put(path, "rows", [{name: row[name] for name in row if name != key} for row in rows])
        with pytest.raises(DataError, match=rf"{copies[1].name}/results.json is damaged .*{key} is missing"):
            read_combined(copies)


def test_the_folder_of_a_grid_is_no_run_and_nothing_in_it_is_to_be_deleted(tmp_path):
    (tmp_path / "grid.yaml").write_text("tasks: {}\n", "utf-8")
    (tmp_path / "results.json").write_text('{"grid": "small"}', "utf-8")
    with pytest.raises(
        DataError, match=r"is of `paft grid`: .*report\.html; give .* one of its runs"
    ) as raised:
        read_results(tmp_path)
    assert "delete" not in str(raised.value)


def test_a_caption_names_the_models_of_all_runs(copies):
    put(copies[0] / "results.json", "model", "Qwen/Qwen3-0.6B")
    put(copies[1] / "results.json", "model", "HuggingFaceTB/SmolLM2-135M")
    assert "Qwen3-0.6B, SmolLM2-135M: accuracy in percent" in latex(read_combined(copies))
