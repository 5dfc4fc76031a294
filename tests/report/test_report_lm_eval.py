"""`paft report --format lm-eval`: the harness's own functions read the folder, and the figures agree."""

import json
import shutil
from datetime import datetime, timezone

import numpy as np
import pytest
import yaml

from paft.evaluate.matrix import Matrix
from paft.experiment.run import run
from paft.report import lm_eval as module
from paft.report.lm_eval import EvaluatedModel, write_lm_eval
from report_run import HOSTILE_PROMPT, HOSTILE_TEXT, write_run

STAMP = "2026-01-01T00-00-00"  # the record of write_run


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory):
    """A run of 4 prompts x 12 examples with two seeds; never written to."""
    return write_run(tmp_path_factory.mktemp("run"), prompts=4, seeds=(0, 1))


@pytest.fixture(scope="module")
def written(run_folder, tmp_path_factory):
    """The layout of that run."""
    output = tmp_path_factory.mktemp("layout")
    write_lm_eval(run_folder, output)
    return output


@pytest.fixture(scope="module")
def saved(run_folder):
    return json.loads((run_folder / "results.json").read_text("utf-8"))


def document(written, model="tiny__paft-1"):
    return json.loads((written / model / f"results_{STAMP}.json").read_text("utf-8"))


def samples(written, task, model="tiny__paft-1"):
    lines = (written / model / f"samples_{task}_{STAMP}.jsonl").read_text("utf-8").split("\n")
    return [json.loads(line) for line in lines if line]


def mine(entries, method="paft", seed=1):
    wanted = (method, seed, "test")
    return [entry for entry in entries if (entry["method"], entry["seed"], entry["split"]) == wanted]


def test_the_harness_finds_the_files_of_every_model(written):
    utils = pytest.importorskip("lm_eval.utils", reason="lm-eval is a development tool")
    names = [str(path) for path in written.rglob("*") if path.is_file()]
    found = utils.get_results_filenames(names)
    models = {path.split("/")[-2] for path in found}
    assert models == {"tiny__base", "tiny__single-0", "tiny__single-1", "tiny__paft-0", "tiny__paft-1"}
    assert len(utils.get_sample_results_filenames(names)) == 5 * 4
    assert {utils.get_file_datetime(name.removesuffix(".json")) for name in found} == {STAMP}
    assert utils.get_latest_filename(found).endswith(f"results_{STAMP}.json")
    one = next(name for name in names if "/samples_" in name).split("/")[-1]
    task = utils.get_file_task_name(one)
    assert task.startswith("mail_") and utils.sanitize_task_name(task) == task
    assert utils.sanitize_model_name("tiny/paft-1") == "tiny__paft-1"


def test_the_harness_makes_its_table_of_the_figures(written, saved):
    utils = pytest.importorskip("lm_eval.utils", reason="lm-eval is a development tool")
    pytest.importorskip("pytablewriter")
    found = document(written)
    prompts = mine(saved["per_prompt"])
    table = utils.make_table(found)
    for prompt in prompts:
        line = next(line for line in table.splitlines() if prompt["prompt_id"] in line)
        assert f"{prompt['accuracy']:.4f}" in line and "acc" in line and "↑" in line
    (groups,) = [line for line in utils.make_table(found, "groups").splitlines() if "mail" in line]
    assert f"{mine(saved['rows'])[0]['mean']:.4f}" in groups


@pytest.mark.parametrize(
    ("method", "seed", "model"), [("base", None, "tiny__base"), ("paft", 0, "tiny__paft-0")]
)
def test_numbers_are_those_of_the_results(written, saved, run_folder, method, seed, model):
    found = document(written, model)
    matrix = Matrix.load(run_folder / "trials" / model.removeprefix("tiny__") / "test.parquet")
    for prompt, scores in zip(mine(saved["per_prompt"], method, seed), matrix.scores, strict=True):
        entry = found["results"][f"mail_{prompt['prompt_id']}"]
        assert entry["acc,none"] == prompt["accuracy"]
        assert entry["acc_stderr,none"] == pytest.approx(np.std(scores, ddof=1) / 12**0.5)
        config = found["configs"][f"mail_{prompt['prompt_id']}"]
        assert config["metadata"]["template"] == prompt["prompt"]
    (row,) = mine(saved["rows"], method, seed)
    assert found["groups"]["mail"] == found["results"]["mail"]
    assert found["groups"]["mail"]["acc,none"] == pytest.approx(row["mean"])
    error = np.std(matrix.scores.mean(axis=0), ddof=1) / 12**0.5
    assert found["groups"]["mail"]["acc_stderr,none"] == pytest.approx(error)
    (robustness,) = mine(saved["robustness"], method, seed)
    block = found["prompt_robustness"]
    assert {key: block[key] for key in robustness if key in block} == {
        key: value for key, value in robustness.items() if key not in ("method", "seed", "split")
    }
    assert set(block["intervals"]) == {"mean", "min", "max"}  # three prompts are too few for the others
    assert block["intervals"]["mean"]["low"] < row["mean"] < block["intervals"]["mean"]["high"]


def test_the_document_has_what_the_harness_documents(written):
    schema = pytest.importorskip("lm_eval.result_schema", reason="lm-eval is a development tool")
    found = document(written)
    known = set(schema.EvalResults.__annotations__)
    assert set(found) - known == {"prompt_robustness", "paft_version"}
    assert found["group_subtasks"]["mail"] == [name for name in found["results"] if name != "mail"]
    for key in ("versions", "n-shot", "higher_is_better"):
        assert set(found[key]) == set(found["results"])
    assert set(found["n-samples"]) == set(found["configs"]) == set(found["group_subtasks"]["mail"])
    assert all(count == {"original": 12, "effective": 12} for count in found["n-samples"].values())


def test_samples_are_the_cells_with_texts_and_the_harnesss_hashes(written, saved, run_folder):
    utils = pytest.importorskip("lm_eval.utils", reason="lm-eval is a development tool")
    matrix = Matrix.load(run_folder / "trials" / "paft-1" / "test.parquet")
    hashes = document(written)["task_hashes"]
    for prompt in mine(saved["per_prompt"]):
        task = f"mail_{prompt['prompt_id']}"
        lines = samples(written, task)
        cells = [cell for cell in matrix.cells if cell.prompt_id == prompt["prompt_id"]]
        assert [line["doc_id"] for line in lines] == [cell.example for cell in cells] == list(range(12))
        assert [line["acc"] for line in lines] == [cell.score for cell in cells]
        assert np.mean([line["acc"] for line in lines]) == pytest.approx(prompt["accuracy"])
        together = ""
        for line in lines:
            rendered = line["arguments"]["gen_args_0"]["arg_0"]
            assert line["prompt_hash"] == utils.hash_string(rendered)
            assert line["doc_hash"] == utils.hash_string(
                json.dumps(line["doc"], indent=2, ensure_ascii=False)
            )
            assert line["target_hash"] == utils.hash_string(line["target"])
            assert (
                line["doc"]["paft-choices"][int(line["target"])]
                == line["doc"]["paft-choices"][line["doc"]["paft-answer"]]
            )
            together += line["doc_hash"] + line["prompt_hash"] + line["target_hash"]
        assert hashes[task] == utils.hash_string(together)


def test_the_harness_renders_the_configured_prompt_to_the_same_text(written):
    """doc_to_text is Jinja that even a hostile prompt cannot break."""
    utils = pytest.importorskip("lm_eval.utils", reason="lm-eval is a development tool")
    found = document(written)
    texts = {name: config["metadata"]["template"] for name, config in found["configs"].items()}
    assert HOSTILE_PROMPT in texts.values()
    for task, template in texts.items():
        for line in samples(written, task):
            rendered = utils.apply_template(found["configs"][task]["doc_to_text"], line["doc"])
            assert rendered == line["arguments"]["gen_args_0"]["arg_0"]
            assert rendered == template.replace("{text}", line["doc"]["text"])
    assert samples(written, next(iter(texts)))[0]["doc"]["text"] == HOSTILE_TEXT


def test_log_probabilities_of_a_real_run_are_the_responses(configure, tmp_path, task, model_folder):
    config = configure(tmp_path / "out", methods=("base",))
    run(config)
    (path,) = write_lm_eval(tmp_path / "out", tmp_path / "layout")
    matrix = Matrix.load(tmp_path / "out" / "trials" / "base" / "test.parquet")
    lines = {
        (line["prompt_id"], line["doc_id"]): line
        for file in path.parent.glob("samples_*.jsonl")
        for line in map(json.loads, file.read_text("utf-8").splitlines())
    }
    assert len(lines) == len(matrix.cells)
    for cell in matrix.cells:
        line = lines[cell.prompt_id, cell.example]
        assert [float(answer[0]) for answer in line["filtered_resps"]] == list(cell.log_probabilities)
        options = [asked["arg_1"].strip() for asked in line["arguments"].values()]
        assert tuple(options) == task.answer.words
        assert options[int(line["target"])] == line["doc"]["paft-choices"][line["doc"]["paft-answer"]]
    assert path.parent.name == f"{model_folder.name}__base"  # not the folders it lies in


def test_the_stamp_is_the_runs_time_not_the_clocks(run_folder, tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    write_lm_eval(run_folder, first)
    write_lm_eval(run_folder, second)
    files = {path.relative_to(first): path.read_bytes() for path in first.rglob("*.json*")}
    assert files == {path.relative_to(second): path.read_bytes() for path in second.rglob("*.json*")}
    moment = datetime.fromtimestamp(document(first)["date"], timezone.utc)
    assert moment.isoformat() == "2026-01-01T00:00:00+00:00"


def test_results_alone_give_figures_without_samples(run_folder, tmp_path):
    alone = tmp_path / "alone"
    alone.mkdir()
    shutil.copy(run_folder / "results.json", alone)
    results = json.loads((alone / "results.json").read_text("utf-8"))
    del results["environment"]
    (alone / "results.json").write_text(json.dumps(results), "utf-8")
    paths = write_lm_eval(alone, tmp_path / "out")
    assert len(paths) == 5 and not list((tmp_path / "out").rglob("samples_*"))
    seconds = int((alone / "results.json").stat().st_mtime)
    stamp = paths[0].stem.removeprefix("results_")
    date, _, time = stamp.partition("T")
    moment = datetime.fromisoformat(f"{date}T{time.replace('-', ':')}+00:00")
    assert moment.timestamp() == seconds
    found = json.loads(paths[0].read_text("utf-8"))
    assert {entry["acc_stderr,none"] for entry in found["results"].values()} == {"N/A"}
    assert found["prompt_robustness"]["mean"] == mine(results["rows"], "base", None)[0]["mean"]


def test_the_command_writes_beside_the_results_and_says_what(paft, run_folder, tmp_path):
    run_copy = shutil.copytree(run_folder, tmp_path / "run")
    code, out, _ = paft("report", run_copy, "--format", "lm-eval")
    assert code == 0
    assert len(list((run_copy / "lm_eval").rglob(f"results_{STAMP}.json"))) == 5
    assert out.count("written, 4 files of samples") == 5
    assert paft("report", run_copy, "--format", "lm-eval", "--output", tmp_path / "there")[0] == 0
    assert (tmp_path / "there" / "tiny__base" / f"results_{STAMP}.json").exists()


def test_without_the_rows_of_the_run_it_says_what_is_gone(paft, run_folder, tmp_path):
    run_copy = shutil.copytree(run_folder, tmp_path / "run")
    identity = json.loads((run_copy / "run.json").read_text("utf-8"))
    (run_copy / "run.json").write_text(json.dumps({**identity, "test examples": "other"}), "utf-8")
    code, out, _ = paft("report", run_copy, "--format", "lm-eval")
    assert code == 0 and out.count("no samples: its cells, or the test rows it was made with") == 5


def test_a_budget_is_refused(paft, run_folder, tmp_path):
    run_copy = shutil.copytree(run_folder, tmp_path / "run")
    results = json.loads((run_copy / "results.json").read_text("utf-8"))
    (run_copy / "results.json").write_text(json.dumps({**results, "rows": [], "budget": {}}), "utf-8")
    code, _, err = paft("report", run_copy, "--format", "lm-eval")
    assert code == 2 and "part of the cells" in err
    assert not (run_copy / "lm_eval").exists()


@pytest.mark.parametrize(
    ("model", "method", "task"),
    [("..", "..", "../x"), (".", ".", ".."), ("x/..", "..", "/tmp/x"), ("", "", "a/b")],
)
def test_no_name_of_a_run_leads_out_of_the_output(run_folder, tmp_path, model, method, task):
    found = EvaluatedModel(
        {"task": task, "model": model}, {"method": method, "seed": None}, (), (), None, None, {}, 0
    )
    place = tmp_path / module._file_name(found.name)
    assert place.parent == tmp_path and place.name not in ("", ".", "..")
    assert (place / module._file_name(found.group)).resolve().parent == place


def test_the_score_of_an_open_rule_keeps_its_name_where_the_task_is_gone(run_folder, tmp_path):
    folder = shutil.copytree(run_folder, tmp_path / "run")
    told = yaml.safe_load((folder / "config.yaml").read_text("utf-8"))
    (folder / "config.yaml").write_text(yaml.safe_dump({**told, "task": "gone.yaml"}), "utf-8")
    record = json.loads((folder / "run.json").read_text("utf-8"))
    record |= {"task.metric": "token_f1", "task.answer.rule": "text"}
    (folder / "run.json").write_text(json.dumps(record), "utf-8")
    write_lm_eval(folder, tmp_path / "out")
    found = document(tmp_path / "out")
    assert "token_f1,none" in found["results"]["mail"] and "acc,none" not in found["results"]["mail"]
    config = next(iter(found["configs"].values()))
    assert config["output_type"] == "generate_until" and "doc_to_choice" not in config
