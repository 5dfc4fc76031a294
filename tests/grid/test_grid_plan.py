"""What a grid file means: the product of its axes, patches over a base, and what is refused."""

from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from paft.config import merged
from paft.errors import ConfigError
from paft.grid.file import GridFile, Reference, load_grid
from paft.grid.plan import check_reference, origin, plan_jobs, plan_runs

NAMES = st.lists(st.from_regex(r"[a-z][a-z0-9_.-]{0,8}", fullmatch=True), max_size=3, unique=True)


def grid(**keys):
    return GridFile(**{"output": "out", "tasks": {"a": {}}, **keys})


def plan(**keys):
    return plan_runs(grid(**keys), "g.yaml")


def refused(**keys):
    with pytest.raises(ConfigError) as caught:
        plan(**keys)
    return str(caught.value)


def load(tmp_path, *overrides, **keys):
    path = tmp_path / "g.yaml"
    path.write_text(yaml.safe_dump({"tasks": {"a": {}}, **keys}, sort_keys=False))
    return load_grid(path, overrides)


def test_runs_are_the_product_of_the_axes_in_the_order_of_the_file():
    runs = plan(tasks={"b": {}, "a": {}}, models={"m": {}}, settings={"y": {}, "x": {}})
    assert [run.name for run in runs] == ["b/m/y", "b/m/x", "a/m/y", "a/m/x"]
    assert [run.config.output for run in runs] == [str(Path("out", *run.name.split("/"))) for run in runs]


def test_axes_that_are_not_given_are_left_out_of_the_folders():
    assert [run.name for run in plan()] == ["a"]
    assert [run.name for run in plan(settings={"x": {}})] == ["a/x"]
    assert plan(settings={"x": {}})[0].model is None


def test_later_axes_win_and_sections_are_merged():
    (run,) = plan(
        base={"train": {"epochs": 5, "examples": 7}, "seeds": [3], "model": "m0"},
        tasks={"a": {"train.epochs": 6, "data": "d"}},
        models={"m": {"model": "m1", "train": {"adapt": {"rank": 3}}}},
        settings={"s": {"train.epochs": 8, "train.adapt.alpha": 9, "methods": ["paft"]}},
    )
    config = run.config
    assert (config.train.epochs, config.train.examples, config.model, config.seeds) == (8, 7, "m1", (3,))
    assert (config.train.adapt.rank, config.train.adapt.alpha, config.methods) == (3, 9, ("paft",))


def test_the_settings_of_the_command_line_go_under_the_patches(tmp_path):
    found = load(tmp_path, "train.epochs=7", "train.examples=5", base={"train": {"epochs": 2}},
                 settings={"s": {"train.examples": 4}})  # fmt: skip
    (run,) = plan_runs(found, "g")
    assert (run.config.train.epochs, run.config.train.examples) == (7, 4)


def test_the_data_folder_is_joined_with_relative_data_alone():
    runs = plan(data="root", tasks={"a": {"data": "x"}, "b": {"data": "/abs"}, "c": {}})
    assert [run.config.data for run in runs] == [str(Path("root/x")), "/abs", None]


def test_the_output_is_named_after_the_file_unless_given(tmp_path):
    assert load(tmp_path).output == "runs/g"
    assert load(tmp_path, output="x").output == "x"


def test_only_chooses_cells_by_run_and_name():
    runs = plan(tasks={"a": {}, "b": {}}, base={"methods": ["base", "paft"], "seeds": [0, 1]})
    names = [job.name for job in plan_jobs(runs, r"^b/.*-1$|base")]
    assert names == ["a/base", "b/base", "b/paft-1"]
    assert len(plan_jobs(runs)) == 6


@pytest.mark.parametrize("only", ["nothing", "("])
def test_an_expression_that_fits_nothing_is_refused(only):
    with pytest.raises(ConfigError, match="--only"):
        plan_jobs(plan(), only)


@pytest.mark.parametrize(
    "name", ["", "..", "a/b", ".a", "-a", "a b", "ä", "grid.yaml", "Results.json", "a" * 101, 1]
)
def test_a_name_that_cannot_be_a_folder_is_refused(tmp_path, name):
    with pytest.raises(ConfigError, match=r"g\.yaml: tasks: "):
        load(tmp_path, tasks={name: {}})


def test_names_that_differ_in_case_alone_are_refused(tmp_path):
    with pytest.raises(ConfigError, match="settings: two names differ in case"):
        load(tmp_path, settings={"a": {}, "A": {}})


def test_unknown_keys_are_refused_with_the_nearest_and_where_they_stand(tmp_path):
    with pytest.raises(ConfigError, match=r"g\.yaml: unknown key 'setings'; did you mean 'settings'"):
        load(tmp_path, setings={})
    told = refused(settings={"x": {}, "y": {"train.epocs": 1}})
    assert told.startswith("g.yaml: settings.y: unknown key 'train.epocs'; did you mean 'epochs'")
    assert refused(base={"modle": "x"}).startswith("g.yaml: base: unknown key 'modle'; did you mean 'model'")
    assert refused(tasks={"t": {"methods": ["pafd"]}}, settings={"x": {}}).startswith(
        "g.yaml: tasks.t: methods"
    )


def test_what_a_later_patch_mends_is_no_error():
    (run,) = plan(base={"chat": {"system": "Be brief."}}, settings={"s": {"chat.enabled": True}})
    assert run.config.chat.system == "Be brief."
    assert refused(base={"chat": {"system": "Be brief."}}, settings={"s": {}}).startswith(
        "g.yaml: base: chat"
    )


def test_a_patch_may_not_say_where_a_run_goes():
    assert refused(settings={"s": {"output": "x"}}).startswith("g.yaml: settings.s: a grid says where")


def test_a_dotted_key_through_a_value_is_refused():
    assert refused(base={"model": "m"}, tasks={"a": {"model.x": 1}}).startswith(
        "g.yaml: tasks.a: key 'model.x'"
    )


def test_an_error_is_traced_to_the_entry_that_named_the_file():
    found = grid(
        base={"model": "m"}, tasks={"a": {"bank": "no.jsonl"}}, settings={"s": {"train": {"epochs": 1}}}
    )
    (run,) = plan_runs(found, "g")
    assert origin(found, run, "bank file not found: no.jsonl") == "tasks.a.bank"
    assert origin(found, run, "model 'm' cannot be loaded") == "base.model"
    assert origin(found, run, "too few of them") == "run a/s"


AXES = {
    "settings": {"plain": {}, "k1": {"methods": ["static"]}},
    "models": {"small": {}, "large": {}},
    "base": {"methods": ["base", "paft"]},
}


@pytest.mark.parametrize(
    ("written", "row"),
    [
        ("paft", ("small", "k1", "paft")),
        ({"method": "paft"}, ("small", "k1", "paft")),
        ({"setting": "plain"}, ("small", "plain", "base")),
        ({"setting": "plain", "method": "paft"}, ("small", "plain", "paft")),
        ({"model": "large", "setting": "plain", "method": "paft"}, ("large", "plain", "paft")),
    ],
)
def test_a_reference_keeps_of_a_row_what_it_does_not_say(tmp_path, written, row):
    found = load(tmp_path, reference=written, **AXES)
    check_reference(found, plan_runs(found, "g"), "g")
    assert found.reference.of(("small", "k1", "base")) == row
    (tmp_path / "again.yaml").write_text(found.to_yaml())
    assert load_grid(tmp_path / "again.yaml").reference == found.reference


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("pafd", "reference.method: no run has method 'pafd'; did you mean 'paft'?"),
        ("zopo", "reference.method: no run has method 'zopo' (known: base, paft, static)"),
        ({"setting": "plian"}, "reference.setting: the grid has no setting 'plian'; did you mean 'plain'?"),
        ({"model": "smal"}, "reference.model: the grid has no model 'smal'; did you mean 'small'?"),
        (
            {"setting": "k1", "method": "paft"},
            "reference.method: no run of setting 'k1' has method 'paft' (known: static)",
        ),
    ],
)
def test_a_reference_that_no_run_has_is_refused_with_the_nearest(written, told):
    found = grid(reference=written, **AXES)
    with pytest.raises(ConfigError) as caught:
        check_reference(found, plan_runs(found, "g.yaml"), "g.yaml")
    assert str(caught.value) == f"g.yaml: {told}"


def test_a_reference_on_an_axis_that_the_grid_lacks_is_refused():
    found = grid(reference={"setting": "plain"})
    with pytest.raises(ConfigError, match="no setting 'plain', nor any other: leave it out"):
        check_reference(found, plan_runs(found, "g.yaml"), "g.yaml")


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ({}, "reference: name a method, a setting or a model"),
        ({"metod": "paft"}, "unknown key 'reference.metod'; did you mean 'method'"),
        ({"setting": 1}, "reference.setting: Input should be a valid string"),
        (["paft"], "reference: "),
    ],
)
def test_a_reference_that_is_malformed_is_refused_by_its_key(tmp_path, written, told):
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, reference=written)
    assert f"g.yaml: {told}" in str(caught.value)


def test_a_reference_is_named_as_short_as_can_be():
    assert str(Reference(method="paft")) == "paft"
    assert str(Reference(setting="plain", method="paft")) == "setting plain, method paft"


@settings(max_examples=40, deadline=None)
@given(tasks=NAMES.filter(bool), models=NAMES, patches=NAMES, seeds=st.integers(1, 3))
def test_every_run_and_cell_has_a_folder_of_its_own(tasks, models, patches, seeds):
    runs = plan(
        tasks={name: {} for name in tasks},
        models={name: {} for name in models},
        settings={name: {"methods": ["base", "paft"], "seeds": list(range(seeds))} for name in patches},
        base={"methods": ["base", "paft"], "seeds": list(range(seeds))},
    )
    assert len(runs) == len(tasks) * max(1, len(models)) * max(1, len(patches))
    jobs = plan_jobs(runs)
    assert (
        len({str(job.folder) for job in jobs}) == len({job.name for job in jobs}) == len(runs) * (1 + seeds)
    )
    assert {run.name.count("/") for run in runs} == {bool(models) + bool(patches)}


SECTIONS = st.dictionaries(st.sampled_from("abc"), st.dictionaries(st.sampled_from("xyz"), st.integers()))


@settings(max_examples=40, deadline=None)
@given(base=SECTIONS, patch=SECTIONS)
def test_merging_takes_the_patch_where_it_says_something_and_the_base_elsewhere(base, patch):
    before = repr((base, patch))
    found = merged(base, patch, "p")
    for section in "abc":
        for key in "xyz":
            here, there = patch.get(section, {}), base.get(section, {})
            assert found.get(section, {}).get(key) == here.get(key, there.get(key))
    flat = {f"{section}.{key}": value for section, keys in patch.items() for key, value in keys.items()}
    empty = {section: {} for section in patch}
    assert merged(merged(base, empty, "p"), flat, "p") == found
    assert repr((base, patch)) == before
