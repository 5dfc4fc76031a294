"""The help of every command: defaults, words for values, groups, an example, completion, hints."""

from __future__ import annotations

import inspect
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from paft.cli.main import app
from paft.cli.options import SETTINGS
from paft.config import RunConfig, load_config
from paft.config_reference import list_settings
from paft.experiment.evaluate_config import EvaluateConfig
from paft.experiment.predict import PredictConfig
from paft.methods import METHODS

DOCS = Path(__file__).parents[2] / "docs"
VERBS = ["init", "tasks", "bank", "run", "train", "evaluate", "try", "report", "export", "grid"]


def commands(command, *path):
    yield path, command
    for name, inner in getattr(command, "commands", {}).items():
        yield from commands(inner, *path, name)


COMMANDS = dict(commands(typer.main.get_command(app)))
every_command = pytest.mark.parametrize("path", COMMANDS, ids=" ".join)


def records(path):
    """Yield (parameter, what the help says of it) of a command."""
    command = COMMANDS[path]
    context = typer.Context(command, info_name="paft")
    for param in command.get_params(context):
        record = param.get_help_record(context)
        if record is not None:
            yield param, *record


@every_command
def test_help_shows_defaults_and_no_python_types(path):
    for param, name, text in records(path):
        assert not re.search(r"[<>]|\bstr\b|\bint\b|list\[", name), name
        flag = param.param_type_name == "argument" or param.is_flag
        assert flag or re.search(r"default|\[required\]|repeat", text), (name, text)
        assert "[default: none]" not in text, (name, text)


@every_command
def test_the_usage_has_no_brackets_in_brackets(paft, path):
    _, out, _ = paft(*path, "--help")
    assert "[[" not in out and "]]" not in out.partition("\n\n")[0]


def default(key):
    """Return a setting's default as the help has it, and that of the built-in model where it differs."""
    values = []
    for settings in (RunConfig(output="runs/TASK", model="other"), RunConfig(output="runs/TASK")):
        found = settings
        for part in key.split("."):
            found = getattr(found, part)
        values.append(",".join(map(str, found)) if isinstance(found, tuple) else found)
    return values


@pytest.mark.parametrize("path", [("run",), ("train",)])
def test_the_defaults_shown_are_those_of_the_settings(path):
    shown = {}
    for param, _, text in records(path):
        if param.name in SETTINGS and (found := re.search(r"\[default: ([^\]]*)\]", text)):
            shown[SETTINGS[param.name]] = found[1]
    shown["chat.enabled"] = str(shown["chat.enabled"] != "no-chat")
    assert {"model", "train.epochs", "train.adapt.rank"} <= shown.keys()
    for key, text in shown.items():
        own, of_tiny = default(key)
        first, _, tiny = text.partition(", ") if key.startswith("train") else (text, "", "")
        if isinstance(own, float):
            assert float(first) == own and float(tiny.removeprefix("of tiny ")) == of_tiny
        else:
            assert first == str("tiny" if key == "model" else own), key
        if tiny.startswith("of tiny") and not isinstance(own, float):
            assert tiny == f"of tiny {of_tiny}"


def test_the_built_in_run_has_the_defaults_shown():
    built_in = load_config(None)
    assert (built_in.train.epochs, built_in.seeds) == (RunConfig(output="x").train.epochs, (0,))
    assert built_in.methods == RunConfig(output="x").methods


def test_options_of_evaluate_show_its_defaults():
    settings = {each.key: each.default for each in list_settings(EvaluateConfig)}
    for param, name, text in records(("evaluate",)):
        key = SETTINGS.get(param.name)
        if key in settings and not param.is_flag and settings[key] not in ("null", "required", ""):
            assert f"[default: {settings[key].strip(chr(34))}]" in text, name


@every_command
def test_help_has_an_example_that_parses_and_names_a_page(path, monkeypatch):
    text = inspect.cleandoc(COMMANDS[path].help)
    (example,) = re.findall(r"^Example: paft (.*)$", text, re.MULTILINE)
    pages = re.findall(r"docs/\w+\.md", text.partition("\nDocs: ")[2])
    assert pages and all((DOCS.parent / page).exists() for page in pages)
    *names, rest = re.fullmatch(r"((?:bank |show )?\w+) ?(.*)", example).groups()
    command = COMMANDS[tuple(names[0].split())]
    if path and not hasattr(COMMANDS[path], "commands"):
        assert tuple(names[0].split()) == path
    arguments = [word.strip('"') for word in re.findall(r'"[^"]*"|\S+', rest)]
    command.make_context("paft", arguments)


@every_command
@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_help_is_asked_for_either_way(paft, path, flag):
    code, out, _ = paft(*path, flag)
    assert code == 0 and out.startswith("Usage: ") and "-h, --help" in out


def test_verbs_stand_in_the_order_of_use_with_whole_summaries(paft):
    _, out, _ = paft("-h")
    listed = re.findall(r"^  (\w+)  ", out.partition("Commands:")[2].partition("Options:")[0], re.MULTILINE)
    assert [name for name in listed if name in VERBS] == VERBS
    assert "..." not in out.partition("Commands:")[2]


def test_options_are_grouped(paft):
    _, out, _ = paft("run", "--help")
    heads = ["Arguments:", "Data:", "Model:", "Training:", "Evaluation:", "Output:", "Options:"]
    assert [line for line in out.splitlines() if line in heads] == heads
    training = out.partition("Training:")[2].partition("Evaluation:")[0]
    assert all(f"--{name} " in training for name in ("epochs", "lr", "batch-size", "max-steps", "lora-rank"))
    assert "K of method paft" in training


def test_options_that_belong_together_are_one_group(paft):
    _, out, _ = paft("predict", "--help")
    group = {
        name: out.partition(f"\n{name}:")[2].partition("\n\n")[0] for name in ("Data", "Model", "Evaluation")
    }
    assert "--run " in group["Data"] and "--trial " in group["Model"]
    assert "--prompt " in group["Evaluation"] and "--prompt-id " in group["Evaluation"]


def test_a_shell_completes_verbs_and_options():
    environment = {**os.environ, "_PAFT_COMPLETE": "complete_bash", "COMP_CWORD": "2"}
    code = "import sys; sys.argv[0] = 'paft'; from paft.cli.main import main; main()"
    for words, wanted in (("paft run --ep", "--epochs"), ("paft bank com", "compose")):
        done = subprocess.run(
            [sys.executable, "-c", code],
            env={**environment, "COMP_WORDS": words},
            capture_output=True,
            text=True,
        )
        assert wanted in done.stdout.split(), done.stderr


@pytest.mark.parametrize(
    ("args", "hint"),
    [
        (["run", "--num-train-epochs", "3"], "use --epochs 3"),
        (["train", "--learning-rate=1e-3"], "use --lr 1e-3"),
        (["train", "--warmup", "0.2"], "use --set train.warmup=0.2"),
        (["train", "--gradient-checkpointing", "--dry-run"], "use --set train.gradient_checkpointing=..."),
        (["show", "schedule", "--epochs", "1"], "use --set train.epochs=1"),
        (["evaluate", "--limit", "10"], "use --examples 10"),
        (["run", "--modle", "x"], "Possible options"),
        (["run", "--seed", "1"], "use --seeds 1"),
        (["train", "--seeds", "1"], "use --seed 1 (Possible options: --seed"),
        (["run", "--method=paft"], "use --methods paft (Possible"),
        (["show", "schedule", "--examples", "6"], "or --set evaluate.examples=6 or --set choose.exa"),
        (["run", "--max-train-samples", "6"], "use --examples 6"),
        (["run", "--limit", "6"], "use --test-examples 6"),
        (["train", "--test-examples", "6"], "use --set evaluate.examples=6"),
    ],
    ids=str,
)  # fmt: skip
def test_an_option_that_is_a_setting_says_so(paft, args, hint):
    code, _, err = paft(*args)
    assert code == 2 and err.splitlines()[-1].startswith("Error: No such option: --") and hint in err


def test_the_help_of_run_names_every_method(paft):
    help_text = " ".join(paft("run", "--help")[1].split())
    assert ", ".join(METHODS) in help_text


def test_an_option_that_is_nothing_gets_no_hint(paft):
    code, _, err = paft("bank", "compose", "--epochs", "3")
    assert code == 2 and err.splitlines()[-1] == "Error: No such option: --epochs"


SMALL = ["--dry-run", "--json", "--task", "routing"]


def test_common_settings_are_options(paft):
    options = ["--epochs", 2, "--lr", "1e-3", "--batch-size", 4, "--method", "paft", "--resample-every", 1]
    code, out, err = paft("train", *SMALL, *options, "--set", "train.examples=20", "--set", "train.epochs=2")
    assert code == 0, err
    assert '"steps": 10' in out
    code, out, err = paft("train", *SMALL, "--max-steps", 3, "--examples", 20)
    assert code == 0 and '"steps": 3' in out, err


def test_numbers_of_examples_are_options(paft):
    code, out, err = paft("run", *SMALL, "--methods", "base,single", "--examples", 20, "--test-examples", 7)
    found = json.loads(out)
    assert code == 0 and found["test_examples"] == 7, err
    assert [each["examples"] for each in found["trainings"]] == [20]
    code, _, err = paft("run", *SMALL, "--examples", 20, "--set", "train.examples=21")
    assert code == 2 and "train.examples is given twice, as 20 and by --set as 21" in err
    code, _, err = paft("train", *SMALL, "--examples", 5000)
    assert code == 2 and "there are only 1800: ask for fewer, or leave the number out" in err


def test_the_numbers_of_examples_of_the_built_in_run_are_those_shown():
    built_in = load_config(None)
    texts = {param.name: text for param, _, text in records(("run",))}
    assert texts["train_examples"].count(f"in the built-in run {built_in.train.examples}.") == 1
    assert texts["test_examples"].count(f"in the built-in run {built_in.evaluate.examples}.") == 1


def test_evaluate_takes_test_examples_by_either_name():
    names = next(param for param in COMMANDS[("evaluate",)].params if param.name == "test_examples").opts
    assert names == ["--examples", "--test-examples"]


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (["--epochs", "2", "--set", "train.epochs=3"], "train.epochs is given twice, as 2 and by --set as 3"),
        (["--epochs", "2", "--set", "train={epochs: 3}"], "as 2 and by --set as 3"),
        (["--epochs", "2", "--max-steps", "9"], "leave --epochs out"),
        (["--lora-rank", "4"], "all weights are trained"),
        (["--resample-every", "2"], "--resample-every is K of method paft"),
        (["--lr", "0"], "train.learning_rate"),
    ],
    ids=str,
)
def test_options_that_contradict_or_do_nothing_are_refused(paft, options, why):
    code, _, err = paft("train", *SMALL, *options)
    assert code == 2 and why in err


@pytest.mark.parametrize("verb", ["run", "train", "evaluate", "predict"])
def test_the_example_of_set_is_a_setting_of_the_command(verb):
    models = {"evaluate": EvaluateConfig, "predict": PredictConfig}
    found = next(param for param in COMMANDS[(verb,)].params if param.name == "set_")
    key = re.search(r": ([a-z._]+)=", found.help).group(1)
    assert key in {setting.key for setting in list_settings(models.get(verb, RunConfig))}
