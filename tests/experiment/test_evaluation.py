"""``paft evaluate``: the same cells as ``paft run``, in any number of runs and processes."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import paft as api
from killed_evaluation import evaluate_through_kills
from paft.bank import Bank
from paft.bank.exporters.tables import write_csv
from paft.errors import ConfigError, ModelError, PromptError, ResumeError
from paft.evaluate.matrix import Matrix
from paft.evaluate.rows import scoring_lines
from paft.experiment.evaluate import EvaluateConfig, evaluate
from paft.prompt import Prompt


@pytest.fixture(scope="module")
def compared(tmp_path_factory, configure):
    """Output folder of a comparison: base, and PAFT with a LoRA adapter."""
    output = tmp_path_factory.mktemp("compared") / "out"
    api.run(configure(output))
    return output


@pytest.fixture
def settings(desk, model_folder, tmp_path):
    """Return a function that makes a configuration."""

    def make(name="out", **changes):
        values = {
            "task": str(desk / "task.yaml"), "bank": str(desk / "bank.jsonl"), "model": str(model_folder),
            "output": str(tmp_path / name), "evaluate": {"batch_tokens": 200},
        }  # fmt: skip
        return EvaluateConfig(**{**values, **changes})

    return make


def files(output):
    """Every file of a run and what is in it, but for times."""
    found = {}
    for path in sorted(output.rglob("*")):
        if path.suffix in {".parquet", ".jsonl"}:
            found[str(path.relative_to(output))] = path.read_bytes()
    results = json.loads((output / "results.json").read_text())
    for key in ("rows", "per_prompt"):
        found[key] = [{k: v for k, v in row.items() if not k.endswith("seconds")} for row in results[key]]
    return found


@pytest.fixture
def undisturbed(settings):
    config = settings("undisturbed")
    evaluate(config)
    return files(Path(config.output))


def test_an_adapter_gets_the_cells_that_run_gave_it(compared, settings):
    adapter = compared / "trials" / "paft-0" / "adapter"
    results = evaluate(settings(adapter=str(adapter), evaluate={}))
    assert list(dict.fromkeys(row["method"] for row in results["rows"])) == ["base", "adapter"]
    own = Matrix.load(compared / "trials" / "paft-0" / "test.parquet")
    path = Path(results["config"]["output"]) / "trials" / "adapter" / "test.parquet"
    assert Matrix.load(path) == own
    base = Matrix.load(compared / "trials" / "base" / "test.parquet")
    assert Matrix.load(path.parent.with_name("base") / "test.parquet") == base
    assert own.cells != base.cells


def test_without_a_task_that_of_the_training_counts(compared, task, bank, tmp_path):
    adapter = compared / "trials" / "paft-0" / "adapter"
    results = evaluate(EvaluateConfig(adapter=str(adapter), output=str(tmp_path / "out"), base=False))
    assert (results["task"], results["bank_fingerprint"]) == (task.name, bank.fingerprint)
    other = tmp_path / "other"
    shutil.copytree(compared, other)
    Bank({"train": bank["train"], "test": bank["test"][:1]}).save(other / "bank.jsonl")
    adapters = {"one": str(adapter), "two": str(other / "trials" / "paft-0" / "adapter")}
    with pytest.raises(ConfigError, match="different banks: give one by --bank"):
        evaluate(EvaluateConfig(adapters=adapters, output=str(tmp_path / "both")))
    identity = json.loads((other / "run.json").read_text())
    (other / "run.json").write_text(json.dumps({**identity, "task.prompt": "Other: {message}"}))
    with pytest.raises(ConfigError, match=r"the task has changed since the run in .*task\.prompt"):
        evaluate(EvaluateConfig(adapter=adapters["two"], output=str(tmp_path / "changed")))


@pytest.mark.parametrize("split", ["validation", "train"])
def test_each_split_can_be_judged(settings, bank, split):
    results = evaluate(settings(split=split))
    assert [row["split"] for row in results["rows"]] == [split, "user"]
    assert results["rows"][0]["n_prompts"] == len(bank.prompts(split))
    assert evaluate(settings(split=split))["rows"] == results["rows"]


def test_killed_behind_any_batch_the_same_files_come_out(settings, undisturbed, monkeypatch, tmp_path):
    _, deaths = evaluate_through_kills(settings(), monkeypatch)
    assert deaths > 5
    assert files(tmp_path / "out") == undisturbed
    assert not list((tmp_path / "out").rglob("*log*"))


def test_a_sample_is_generated_too_and_the_figures_stay(settings, tmp_path):
    """Its cells are those of a matrix that is generated as a whole, as long as answers have the same room."""
    results, without = evaluate(settings("with")), evaluate(settings("off", evaluate={"generated_sample": 0}))
    whole = evaluate(settings("whole", evaluate={"generate": True}))
    row, bare = results["rows"][0], without["rows"][0]
    assert row.keys() - bare.keys() == {"generated_cells", "generated_parse_rate", "generated_accuracy"}
    timed = {"eval_seconds"}
    assert {key: row[key] for key in bare.keys() - timed} == {key: bare[key] for key in bare.keys() - timed}
    assert not any("generated_cells" in each for each in [*whole["rows"], results["rows"][1]])
    name = row["method"]
    sample = Matrix.load(tmp_path / "with" / "trials" / name / "test-generated.parquet").cells
    every = Matrix.load(tmp_path / "whole" / "trials" / name / "test.parquet").cells
    generated = {(cell.prompt_id, cell.example): cell for cell in every}
    assert row["generated_cells"] == len(sample) == 10
    for cell in sample:
        same = generated[cell.prompt_id, cell.example]
        assert same.tokens == cell.tokens or cell.cut
        assert cell.cut or cell.prediction == same.prediction
    assert row["generated_accuracy"] == sum(cell.score for cell in sample) / 10
    assert row["generated_parse_rate"] == sum(cell.parsed for cell in sample) / 10


def test_a_sample_that_changes_is_refused_like_any_setting(settings):
    evaluate(settings())
    with pytest.raises(ResumeError, match="generated_sample"):
        evaluate(settings(evaluate={"batch_tokens": 200, "generated_sample": 3}))


def test_other_inputs_in_the_same_folder_are_refused(settings, compared):
    evaluate(settings())
    with pytest.raises(ResumeError, match=r"evaluate\.choose"):
        evaluate(settings(evaluate={"batch_tokens": 200, "choose": "mean"}))
    with pytest.raises(ResumeError, match="adapter"):
        evaluate(settings(adapter=str(compared / "trials" / "paft-0" / "adapter")))


def test_what_cannot_be_judged_is_refused_before_anything_is_written(settings, tmp_path):
    with pytest.raises(ModelError, match="has no adapter_config"):
        evaluate(settings(adapter=str(tmp_path)))
    with pytest.raises(PromptError, match="adversarial"):
        evaluate(settings(split="adversarial"))
    assert not (tmp_path / "out").exists()


def test_the_command_line_prints_the_table(paft, desk, model_folder, tmp_path):
    output = tmp_path / "out"
    code, out, err = paft(
        "evaluate", "--task", desk / "task.yaml", "--bank", desk / "bank.jsonl", "--model", model_folder,
        "--examples", 4, "--output", output, "--set", "evaluate.batch_tokens=300",
    )  # fmt: skip
    assert code == 0, err
    assert "unseen prompts x 4 examples" in out and "results.json" in out
    assert json.loads((output / "results.json").read_text())["config"]["evaluate"]["batch_tokens"] == 300


def test_a_budget_of_all_cells_estimates_what_all_cells_say(settings):
    every = evaluate(settings("all"))["rows"][0]
    estimated = evaluate(settings("budget", budget=1.0))["budget"]
    assert estimated["cells"] == every["n_prompts"] * every["n_examples"]
    for name in ("mean", "std"):
        assert estimated[name]["value"] == pytest.approx(every[name])
        assert estimated[name]["standard_error"] == pytest.approx(0, abs=1e-6)


def test_a_budget_scores_only_its_cells_and_resumes(settings, tmp_path):
    first = evaluate(settings(budget_evals=12))
    (path,) = (tmp_path / "out").rglob("test.parquet")
    assert first["budget"]["cells"] == len(Matrix.load(path).cells) == 12
    assert evaluate(settings(budget_evals=12))["budget"] == first["budget"]
    with pytest.raises(ResumeError, match="budget"):
        evaluate(settings(budget_evals=14))


def test_a_budget_that_buys_too_little_or_too_much_is_refused(settings, paft, tmp_path):
    with pytest.raises(ConfigError, match="each prompt needs 2"):
        evaluate(settings(budget=0.01))
    for cells in (1, 1000):
        with pytest.raises(ConfigError, match=f"{cells} cells of 3 prompts x 10 examples"):
            evaluate(settings(budget_evals=cells))
    code, _, err = paft("evaluate", "--output", tmp_path / "out", "--budget", 0.5, "--budget-evals", 9)
    assert code == 2 and "give one of them" in err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("part", [{"budget": 0.5}, {"budget_evals": 4}, {"precision": 0.1}])
def test_a_part_of_the_cells_of_one_prompt_is_refused_before_any_is_scored(settings, tmp_path, part):
    bank = tmp_path / "one.jsonl"
    Bank({"test": (Prompt("{message}\nDesk:"),)}).save(bank)
    config = settings("one", bank=str(bank), **part)
    with pytest.raises(ConfigError, match="needs two of each, not 1 prompts"):
        evaluate(config)
    assert not Path(config.output).exists()


def test_the_command_line_prints_what_a_budget_says(paft, desk, model_folder, tmp_path):
    code, out, err = paft(
        "evaluate", "--task", desk / "task.yaml", "--bank", desk / "bank.jsonl", "--model", model_folder,
        "--budget-evals", 6, "--output", tmp_path / "out",
    )  # fmt: skip
    assert code == 0, err
    assert "estimated from 6 of 30 cells" in out and "95 % from" in out


def command(settings, tmp_path, *launcher):
    """The command line of a configuration, and its output folder."""
    config = settings("killed")
    return [
        sys.executable, "-m", *launcher, "paft", "evaluate", "--task", config.task, "--bank", config.bank,
        "--model", config.model, "--output", config.output, "--set", "evaluate.batch_tokens=200",
    ], tmp_path / "killed"  # fmt: skip


@pytest.mark.slow
def test_ten_kills_at_random_moments(settings, undisturbed, tmp_path):
    line, output = command(settings, tmp_path)
    chance = random.Random(0)
    for _ in range(10):
        before = len(list(output.rglob("*"))) if output.exists() else 0
        process = subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        # Wait for the first file it writes, then a moment: most of its life goes to imports.
        while process.poll() is None and not output.exists() and before == 0:
            time.sleep(0.02)
        time.sleep(chance.uniform(0, 8) if before else chance.uniform(0, 0.5))
        process.send_signal(signal.SIGKILL)
        process.wait()
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert files(output) == undisturbed


@pytest.mark.slow
def test_two_processes_write_what_one_writes(settings, undisturbed, tmp_path):
    line, output = command(
        settings, tmp_path, "accelerate.commands.launch", "--cpu", "--num_processes", "2", "-m"
    )
    done = subprocess.run(line, capture_output=True, text=True, check=False, env={**os.environ})
    assert done.returncode == 0, done.stderr
    assert files(output) == undisturbed
    assert done.stdout.count("unseen prompts x") == 1


@pytest.mark.parametrize(
    ("model", "backend", "name"),
    [
        (".", "hf", "inner"),
        ("x/..", "hf", "inner"),
        ("..", "hf", "outer"),
        ("..", "openai", "model"),
        ("x/..", "openai", "model"),
        ("org/..", "openai", "model"),
        ("org/small-1b", "openai", "small-1b"),
    ],
)
def test_no_model_leads_out_of_the_runs_folder(settings, tmp_path, monkeypatch, model, backend, name):
    (tmp_path / "outer" / "inner" / "x").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "outer" / "inner")
    assert settings(model=model, backend=backend).name == name


def test_an_adapter_in_the_working_directory_is_judged_under_its_folders_name(
    settings, compared, monkeypatch, tmp_path
):
    monkeypatch.chdir(compared / "trials" / "paft-0" / "adapter")
    config = settings(adapter=".", base=False)
    rows = evaluate(config)["rows"]
    assert {row["method"] for row in rows} == {"adapter"}
    assert (Path(config.output) / "trials" / "adapter" / "test.parquet").exists()


def test_several_adapters_are_compared_on_the_same_cells(paft, compared, desk, tmp_path):
    """Their figures are those of each alone; the second is compared with the first, and all with the base."""
    adapter, output = compared / "trials" / "paft-0" / "adapter", tmp_path / "out"
    twin = shutil.copytree(adapter, tmp_path / "twin")
    given = ["--task", desk / "task.yaml", "--bank", desk / "bank.jsonl", "--output", output]
    code, out, err = paft("evaluate", *given, "--adapter", f"a={adapter}", "--adapter", twin)
    assert code == 0, err
    results = json.loads((output / "results.json").read_text())
    assert [row["method"] for row in results["rows"][::2]] == ["base", "a", "twin"]
    assert results["compared"] == ["twin", "a"] and "'twin' and 'a' do not differ significantly" in out
    for name, trial in {"base": "base", "a": "paft-0", "twin": "paft-0"}.items():
        for split in ("test", "user"):
            own = Matrix.load(compared / "trials" / trial / f"{split}.parquet")
            assert Matrix.load(output / "trials" / name / f"{split}.parquet") == own
    assert "Report: " in out and "twin - base" in out and "a - base" in out
    page = (output / "report.html").read_text("utf-8")
    assert 'id="differences"' in page and "twin" in page
    code, again, err = paft("evaluate", *given, "--adapter", f"a={adapter}", "--adapter", twin, "--no-base")
    assert code == 0 and "base" not in again.split("Report")[0], err
    code, _, err = paft("evaluate", *given, "--adapter", f"a={adapter}", "--adapter", f"b={twin}")
    assert code == 2 and "adapters" in err


def test_a_generated_answer_is_described_for_each_model(settings, compared):
    adapter = compared / "trials" / "paft-0" / "adapter"
    results = evaluate(settings(adapter=str(adapter), evaluate={"generate": True, "examples": 2}))
    lines = scoring_lines(results)
    alone = evaluate(
        settings("alone", adapter=str(adapter), base=False, evaluate=results["config"]["evaluate"])
    )
    (line,) = scoring_lines(alone)
    assert [each.partition(":")[0] for each in lines] == ["base", "adapter"]
    assert lines[1] == f"adapter: {line[0].lower()}{line[1:]}"


def test_any_file_of_prompts_is_evaluated_on_whole(settings, tmp_path, bank):
    """Text lines, rows without a split, a table with one."""
    texts = ["About? {message}\\nTopic:", "{message} is about"]
    (tmp_path / "p.txt").write_text("\n".join(texts))
    (tmp_path / "p.jsonl").write_text("".join(json.dumps({"template": text}) + "\n" for text in texts))
    write_csv(bank, tmp_path / "p.csv")
    for name, count in {"p.txt": 2, "p.jsonl": 2, "p.csv": len(bank.prompts("test"))}.items():
        results = evaluate(settings(f"of-{name}", bank=str(tmp_path / name), evaluate={"examples": 2}))
        assert results["rows"][0]["n_prompts"] == count
        told = [text for text in results["warnings"] if "has no splits, so all its 2 prompts" in text]
        assert len(told) == (name != "p.csv")
    (tmp_path / "none.csv").write_text("split,template\ntrain,{message}\n")
    with pytest.raises(PromptError, match="names splits, and has no 'test' prompts"):
        evaluate(settings("none", bank=str(tmp_path / "none.csv")))
