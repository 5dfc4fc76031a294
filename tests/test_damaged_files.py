"""A damaged file of a finished run is named in one line, or what it held is made again rightly."""

import io
import json
import shutil

import pyarrow
import pytest
from pyarrow import parquet

import paft
from paft.cli.report import Format, _report_run
from paft.errors import PaftError
from paft.files import read_json
from paft.report.lm_eval import write_lm_eval
from paft.shape import difference, interpreted

REPLACED = [b"", b"[]", b"{}", b"null", b"1", b'"x"', b"\0\0", b'{"rows": ']


def report_text(folder, format):
    """Return what `paft report` writes of a run."""
    written = folder.parent / f"{folder.name}.report"
    _report_run(folder, format, written, intervals=True)
    return written.read_text("utf-8")


@pytest.fixture(scope="module")
def finished(configure, tmp_path_factory):
    """Configuration of a run with a method that chooses its prompt; never written to."""
    config = configure(
        tmp_path_factory.mktemp("finished") / "out", methods=("base", "top_accuracy"), choose={"examples": 4}
    )
    paft.run(config)
    return config


@pytest.fixture
def own(finished, tmp_path):
    """A copy that a test may spoil: the configuration and its folder."""
    folder = tmp_path / "out"
    shutil.copytree(finished.output, folder)
    return finished.model_copy(update={"output": str(folder)}), folder


def one_line_about(path, caught):
    """The error names the file, in one short line."""
    text = str(caught.value)
    assert path.name in text and "\n" not in text and len(text) < 600, text
    return text


def without(data, *keys):
    """A deep copy of JSON without the value at a path of keys."""
    copied = json.loads(json.dumps(data))
    inner = copied
    for key in keys[:-1]:
        inner = inner[key]
    del inner[keys[-1]]
    return copied


JSON_FILES = [
    "run.json",
    "results.json",
    "trials/base/trial.json",
    "trials/base/test.json",
    "trials/top_accuracy-0/train.json",
    "trials/top_accuracy-0/choice.json",
]


@pytest.mark.parametrize("name", JSON_FILES)
def test_a_report_or_a_rerun_names_the_file_whatever_stands_in_it(own, name):
    config, folder = own
    path = folder / name
    for part in ("trials/base/trial.json", "trials/top_accuracy-0/trial.json"):
        if name != part and "trials" in name:
            (folder / part).unlink()  # so that a rerun reads what lies under it
    if name.endswith("choice.json"):
        shutil.rmtree(path.parent / "adapter")
    for content in REPLACED:
        path.write_bytes(content)
        if name == "results.json":
            with pytest.raises(PaftError) as caught:
                report_text(folder, Format.md)
        elif content == b"{}" and name == "run.json":
            continue  # another identity, which is told
        else:
            with pytest.raises(PaftError) as caught:
                paft.run(config)
        assert "restore it, or delete it" in one_line_about(path, caught)


def test_every_key_that_a_report_needs_is_missed_by_name(own):
    _, folder = own
    path = folder / "results.json"
    whole = json.loads(path.read_text("utf-8"))
    shutil.rmtree(folder / "trials")
    (folder / "config.yaml").unlink()
    places = [(key,) for key in whole]
    places += [(key, 0, inner) for key in ("rows", "per_prompt") for inner in whole[key][0]]
    for place in places:
        path.write_text(json.dumps(without(whole, *place)), "utf-8")
        try:
            shown = report_text(folder, Format.md)
        except PaftError as error:
            assert "results.json" in str(error) and "\n" not in str(error)
            assert place[-1] in str(error)
        else:
            assert "accuracy in percent" in shown


@pytest.mark.parametrize("value", [None, [], {}, "x", [{}], [1], True])
def test_a_value_of_another_kind_is_named(own, value):
    _, folder = own
    path = folder / "results.json"
    whole = json.loads(path.read_text("utf-8"))
    for key in ("rows", "per_prompt", "robustness", "task", "warnings"):
        path.write_text(json.dumps({**whole, key: value}), "utf-8")
        for write in (lambda: report_text(folder, Format.md), lambda: write_lm_eval(folder, folder / "lm")):
            try:
                write()
            except PaftError as error:
                assert "results.json" in str(error) and "\n" not in str(error)


def as_bytes(table):
    file = io.BytesIO()
    parquet.write_table(table, file)
    return file.getvalue()


def column(table, name, values):
    return table.set_column(table.column_names.index(name), name, pyarrow.array(values))


TABLES = {
    "a row less": lambda t: t.slice(0, t.num_rows - 1),
    "the first row less": lambda t: t.slice(1),
    "an example less": lambda t: t.filter(pyarrow.compute.not_equal(t["example"], 3)),
    "a row twice": lambda t: pyarrow.concat_tables([t, t.slice(0, 1)]),
    "no row": lambda t: t.slice(0, 0),
    "no score": lambda t: t.drop_columns(["score"]),
    "no prompt": lambda t: t.drop_columns(["prompt_id"]),
    "a column more": lambda t: t.append_column("x", pyarrow.array([1] * t.num_rows)),
    "scores of null": lambda t: column(t, "score", pyarrow.nulls(t.num_rows, pyarrow.float64())),
    "scores of NaN": lambda t: column(t, "score", [float("nan")] * t.num_rows),
    "scores of 7": lambda t: column(t, "score", [7.0] * t.num_rows),
    "scores of text": lambda t: column(t, "score", ["1"] * t.num_rows),
    "other prompts": lambda t: column(t, "prompt_id", [f"p{i}" for i in range(t.num_rows)]),
    "another order": lambda t: t.take(list(range(t.num_rows))[::-1]),
}


@pytest.mark.parametrize("damage", TABLES)
def test_a_damaged_matrix_is_named_by_report_and_rerun(own, damage):
    config, folder = own
    path = folder / "trials" / "base" / "test.parquet"
    path.write_bytes(as_bytes(TABLES[damage](parquet.read_table(path))))
    (folder / "trials" / "base" / "trial.json").unlink()
    for read in (lambda: report_text(folder, Format.md), lambda: paft.run(config)):
        with pytest.raises(PaftError) as caught:
            read()
        one_line_about(path, caught)


def test_a_matrix_that_is_cut_off_is_named(own):
    _, folder = own
    path = folder / "trials" / "base" / "test.parquet"
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(PaftError) as caught:
        report_text(folder, Format.html)
    one_line_about(path, caught)


def test_what_is_deleted_as_told_is_made_again_rightly(own, finished):
    config, folder = own
    before = read_json(folder / "results.json", "results")["rows"]
    for name in ("trials/base/test.parquet", "trials/base/trial.json", "results.json"):
        (folder / name).unlink()
    again = paft.run(config)["rows"]
    assert [(row["method"], row["mean"], row["min"]) for row in again] == [
        (row["method"], row["mean"], row["min"]) for row in before
    ]


@pytest.mark.parametrize("content", ["", "[]", "a: 1", "null", "task: {", "task: 1\ndata: 2\nmodel: 3"])
def test_a_damaged_configuration_is_named_where_it_is_needed(own, content):
    _, folder = own
    (folder / "config.yaml").write_text(content)
    (folder / "results.json").unlink()
    with pytest.raises(PaftError) as caught:
        report_text(folder, Format.md)
    one_line_about(folder / "config.yaml", caught)


@pytest.mark.parametrize("content", [b"", b"[]", b"1", b"null", b'{"r": "x"}'])
def test_a_damaged_adapter_configuration_is_named(own, tmp_path, content):
    from paft.experiment.export import export

    adapter = own[1] / "trials" / "top_accuracy-0" / "adapter"
    (adapter / "adapter_config.json").write_bytes(content)
    with pytest.raises(PaftError) as caught:
        export(adapter, tmp_path / "exported")
    one_line_about(adapter / "adapter_config.json", caught)
    assert not (tmp_path / "exported").exists()


def test_a_shape_says_where_it_is_broken():
    shape = {"a": [{"b": (int, type(None))}], "c": {}}
    assert difference({"a": [{"b": 1}, {"b": None}], "c": {"any": 1}, "more": 0}, shape) == ""
    assert difference({"a": [{"b": 1}, {}], "c": {}}, shape) == "a[1].b is missing"
    assert difference({"a": [{"b": True}], "c": {}}, shape) == "a[0].b is 'True'"
    assert difference({"a": {}, "c": {}}, shape) == "a is a dict, no list"
    assert difference({"a": [], "c": 1}, shape) == "c is a int, no object"


def test_an_error_of_ours_is_not_blamed_on_a_file(tmp_path):
    with pytest.raises(PaftError, match=r"^mine$"), interpreted(tmp_path / "a.json"):
        raise PaftError("mine")
    with pytest.raises(AssertionError), interpreted(tmp_path / "a.json"):
        raise AssertionError
