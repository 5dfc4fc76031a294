"""The command line: one message and an exit code for everything a user can get wrong."""

from __future__ import annotations

import errno
import inspect
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from paft import __version__, files
from paft.cli import main as cli
from paft.cli import options
from paft.cli.evaluate import evaluate
from paft.cli.run import run
from paft.cli.show import show_tokens
from paft.cli.train import train
from paft.experiment import run as runner

TINY = ["--set", "train.epochs=1", "--set", "train.batch_size=8", "--set", "train.adapt.rank=4"]


@pytest.fixture
def run_desk(paft, own_desk, model_folder, tmp_path):
    """``paft run`` on a task that a test may have spoilt; returns (exit code, message)."""

    def command(*args, output=tmp_path / "out", **changes):
        options = {
            "task": own_desk / "task.yaml", "bank": own_desk / "bank.jsonl", "model": model_folder,
            "methods": "base", "output": output, **changes,
        }  # fmt: skip
        flags = [part for key, value in options.items() for part in (f"--{key}", value)]
        code, out, err = paft("run", *flags, *TINY, *args)
        return code, out, err

    return command


def assert_refused(result, *words):
    """Exit code 2, one message that holds the words, no traceback."""
    code, out, err = result
    assert code == 2, out + err
    messages = [line for line in err.splitlines() if line.startswith("paft: error: ")]
    assert len(messages) == 1 and err.strip() == messages[0], err
    for word in words:
        assert str(word) in messages[0]
    assert "Traceback" not in out + err


def append(path, text):
    path.write_text(path.read_text(encoding="utf-8") + text, encoding="utf-8")


def replace(path, old, new):
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def test_the_version_is_told(paft):
    assert paft("--version") == (0, f"paft {__version__}\n", "")


def test_a_run_prints_table_and_places_and_exits_with_zero(run_desk, tmp_path):
    code, out, _ = run_desk(methods="base,paft")
    assert code == 0
    assert "base" in out and "paft" in out and "unseen prompts" in out
    assert str(tmp_path / "out" / "report.html") in out.replace("\n", "")
    assert "Nothing to deploy yet: " in out and "vllm" not in out  # three steps bring no gain
    assert json.loads((tmp_path / "out" / "results.json").read_text())["schema"] == 2


SPOILED = {
    "malformed YAML": (
        lambda d: replace(d / "task.yaml", "description: ", "description: a: "),
        ["task.yaml:2:", "not valid YAML"],
    ),
    "unknown key": (
        lambda d: append(d / "task.yaml", "descripton: x\n"),
        ["'descripton'", "did you mean 'description'?"],
    ),
    "malformed line": (
        lambda d: append(d / "train.jsonl", "{broken\n"),
        ["train.jsonl:25:", "malformed JSON"],
    ),
    "field missing": (
        lambda d: append(d / "test.jsonl", '{"topic": "card"}\n'),
        ["test.jsonl:11:", "'message'", "is missing"],
    ),
    "unknown placeholder": (
        lambda d: append(d / "bank.jsonl", '{"split": "test", "template": "{massage} {message}"}\n'),
        ["{massage}", "did you mean 'message'?"],
    ),
    "gold not among options": (
        lambda d: append(d / "train.jsonl", '{"message": "x", "topic": "cards"}\n'),
        ["train.jsonl:25:", "'cards'"],
    ),
    "empty bank": (lambda d: (d / "bank.jsonl").write_text(""), ["bank.jsonl", "is empty"]),
    "test prompt also in train": (
        lambda d: append(d / "bank.jsonl", '{"split": "train", "template": "{message}\\n###\\n"}\n'),
        ["bank.jsonl:10:", "already stands in line 8"],
    ),
    "validation prompt has the words of a training prompt": (
        lambda d: append(
            d / "bank.jsonl", '{"split": "validation", "template": "MESSAGE; {message} topic"}\n'
        ),
        ["validation prompt", "has the same words as seen prompt"],
    ),
    "validation prompt has the words of the task's own": (
        lambda d: append(
            d / "bank.jsonl", '{"split": "validation", "template": "What is this about? {message} TOPIC"}\n'
        ),
        ["user prompt", "bank's validation prompt", "not unseen"],
    ),
    "test prompt has the words of a training prompt": (
        lambda d: append(d / "bank.jsonl", '{"split": "test", "template": "MESSAGE - {message}\\nTopic"}\n'),
        ["has the same words as seen prompt"],
    ),
    "data file missing": (lambda d: (d / "train.jsonl").unlink(), ["train.jsonl", "not found"]),
    "bank file missing": (lambda d: (d / "bank.jsonl").unlink(), ["bank.jsonl", "not found"]),
    "task file missing": (lambda d: (d / "task.yaml").unlink(), ["task.yaml", "not found"]),
}


@pytest.mark.parametrize("what", SPOILED)
def test_a_bad_input_is_one_message_and_leaves_no_output(run_desk, own_desk, tmp_path, what):
    spoil, words = SPOILED[what]
    spoil(own_desk)
    assert_refused(run_desk(), *words)
    assert not (tmp_path / "out").exists()


BAD_OPTIONS = {
    "unknown model": (["--model", "nobody/no-such-model"], ["'nobody/no-such-model'", "check the name"]),
    "unknown task": (["--task", "rooting"], ["'rooting'", "routing"]),
    "unknown method": (["--methods", "base,pafd"], ["'pafd'", "did you mean 'paft'?"]),
    "method twice": (["--methods", "base,base"], ["stands twice"]),
    "negative seed": (["--seeds", "-1"], ["whole numbers from 0"]),
    "unknown setting": (["--set", "train.epoch=2"], ["'train.epoch'", "did you mean 'epochs'?"]),
    "bad value": (["--set", "train.epochs=zero"], ["train.epochs", "'zero'"]),
    "no equals sign": (["--set", "train.epochs"], ["write key=value"]),
    "too many examples": (["--set", "train.examples=1000"], ["1000", "only 24"]),
}


@pytest.mark.parametrize("what", BAD_OPTIONS)
def test_a_bad_option_is_one_message_and_leaves_no_output(run_desk, tmp_path, what):
    args, words = BAD_OPTIONS[what]
    assert_refused(run_desk(*args), *words)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("args", [["--seeds", "one"], ["--no-such-option", "1"]])
def test_a_malformed_option_is_refused_by_the_parser(run_desk, tmp_path, args):
    code, out, err = run_desk(*args)
    assert code == 2 and args[0] in err and "Traceback" not in out + err
    assert not (tmp_path / "out").exists()


def test_a_missing_configuration_file_is_named(paft, tmp_path):
    assert_refused(paft("run", tmp_path / "none.yaml"), "none.yaml", "not found")


def test_an_output_of_something_else_is_left_alone(run_desk, tmp_path):
    thesis = tmp_path / "out" / "thesis.tex"
    thesis.parent.mkdir()
    thesis.write_text("years of work")
    assert_refused(run_desk(), tmp_path / "out", "choose another output folder")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["thesis.tex"]
    assert_refused(run_desk(output=thesis), "thesis.tex")
    assert thesis.read_text() == "years of work"


def test_an_output_of_another_configuration_is_left_alone(run_desk, tmp_path):
    assert run_desk()[0] == 0
    before = {path: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()}
    assert_refused(run_desk("--set", "train.epochs=2"), "train.epochs: 1 there, 2 now")
    assert before == {path: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()}


@pytest.mark.parametrize("function", ["replace", "fsync"])
def test_a_full_disk_is_one_message_and_leaves_no_file(run_desk, tmp_path, monkeypatch, function):
    def full(*args):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(files.os, function, full)
    assert_refused(run_desk(), "cannot write", "No space left on device", "run.json")
    left = [path.name for path in tmp_path.joinpath("out").rglob("*") if path.is_file()]
    assert left == [".lock"], "which is empty and keeps a second process out"


@pytest.mark.parametrize("name", ["test.parquet", "trial.json", "results.json", "report.html"])
def test_a_disk_that_fills_up_later_loses_nothing_finished(run_desk, tmp_path, name):
    original = os.replace

    def full(source, target):
        if Path(target).name == name:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        original(source, target)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files.os, "replace", full)
        assert_refused(run_desk(), name, "No space left on device")
    assert not list((tmp_path / "out").rglob("*.part"))
    assert run_desk()[0] == 0


def test_an_interrupt_exits_with_130_and_says_how_to_resume(run_desk, monkeypatch):
    def interrupted(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(runner, "run", interrupted)
    code, out, err = run_desk()
    assert code == 130
    assert "run the same command again to resume" in err and "Traceback" not in out + err


def test_a_defect_of_ours_keeps_its_traceback():
    def defect():
        raise ZeroDivisionError("ours")

    with pytest.raises(ZeroDivisionError):
        cli.guarded(defect)


@pytest.mark.slow
def test_ctrl_c_in_a_real_process_is_no_traceback(desk, model_folder, tmp_path):
    command = [
        sys.executable,
        "-m",
        "paft",
        "run",
        "--task",
        str(desk / "task.yaml"),
        "--bank",
        str(desk / "bank.jsonl"),
    ]
    command += ["--model", str(model_folder), "--methods", "base,paft", "--set", "train.epochs=5000"]
    process = subprocess.Popen(
        [*command, "--output", str(tmp_path / "out")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        waited_for = tmp_path / "out" / "trials" / "base" / "trial.json"
        deadline = time.monotonic() + 120
        while not waited_for.exists() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.02)
        assert waited_for.exists()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=120)
    finally:
        process.kill()
    assert process.returncode == 130
    assert "run the same command again to resume" in err and "Traceback" not in out + err


def test_a_name_too_long_for_a_file_is_one_line(capsys):
    name = "a" * 300
    assert cli.guarded(lambda: Path(name).stat()) == 2
    assert capsys.readouterr().err == f"paft: error: a name is too long for a file: {'a' * 200}\n"


@pytest.mark.parametrize("verb", [run, train, evaluate, show_tokens])
def test_every_option_is_a_setting_or_known_to_be_none(verb):
    of_verbs = {"config", "method", "seed", "dry_run", "as_json", "examples", "prompt", "set_"}
    names = inspect.signature(verb).parameters.keys()
    assert names - options.SETTINGS.keys() <= of_verbs
    given = {name: name for name in names} | {"set_": ["train.warmup=0.5"]}
    wanted = {options.SETTINGS[name]: name for name in names if name in options.SETTINGS}
    assert options.overrides(given) == {"train.warmup": 0.5, **wanted}
