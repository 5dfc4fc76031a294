"""What is said of progress: bars in terminals, plain lines in pipes, scripts and notebooks."""

from __future__ import annotations

import builtins
import io
import re
import sys
import warnings
from logging import ERROR, getLogger

import pytest
from rich.console import Console
from transformers.utils import logging

from paft import Train, fine_tune, load_model, progress
from paft.progress import Live, Reporter, quiet, speaking


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands still until a test moves it."""

    class Clock:
        now = 1000.0

        def monotonic(self):
            return self.now

    clock = Clock()
    monkeypatch.setattr(progress, "time", clock)
    return clock


def lines(file):
    return file.getvalue().splitlines()


def test_a_pipe_gets_a_line_every_thirty_seconds_with_note_and_time_left(clock):
    file = io.StringIO()
    with Live(Console(file=file)) as live:
        live.stage("paft-0", "train", 20)
        clock.now += 100  # a model is loaded
        for _ in range(10):
            live.advance(1, "loss 0.5, prompt abc")
            clock.now += 20
        live.tell("step 10: validation on 6 examples x 2 prompts: mean 16.7, worst 16.7 (best so far)")
        live.finish("paft-0", "done")
    assert lines(file) == [
        "paft-0: train: started",
        "paft-0: train: 1/20 loss 0.5, prompt abc",  # how long a step takes is not known yet
        "paft-0: train: 3/20 loss 0.5, prompt abc, 0:05:40 left",
        "paft-0: train: 5/20 loss 0.5, prompt abc, 0:05:00 left",
        "paft-0: train: 7/20 loss 0.5, prompt abc, 0:04:20 left",
        "paft-0: train: 9/20 loss 0.5, prompt abc, 0:03:40 left",
        "paft-0: train: step 10: validation on 6 examples x 2 prompts: mean 16.7, worst 16.7 (best so far)",
        "paft-0: done",
    ]


def test_steps_of_a_former_run_do_not_count_for_the_time_left(clock):
    file = io.StringIO()
    with Live(Console(file=file)) as live:
        live.stage("paft-0", "train", 100)
        live.advance(50)
        for _ in range(2):
            clock.now += 40
            live.advance(1)
    assert lines(file)[-1] == "paft-0: train: 52/100, 0:32:00 left"


def test_a_terminal_shows_step_note_and_the_time_left_from_the_second_step():
    file = io.StringIO()
    with Live(Console(file=file, force_terminal=True, width=150)) as live:
        live.stage("paft-0", "train", 20)
        live.advance(1, "loss 2.5")
        assert live.bars.tasks[0].time_remaining is None
        live.advance(1, "loss 1.5")
        live.bars.refresh()
        assert live.bars.tasks[0].time_remaining is not None
        live.advance(0, "validating on 6 examples x 2 prompts")
        live.bars.refresh()
    shown = file.getvalue()
    assert "2/20" in shown and "loss 1.5" in shown and "validating on 6 examples" in shown


NOTE = "loss 9.388, prompt dda596955522, 1,036 tokens/s"
TESTED, VALIDATING = "per_example-0: evaluate on test prompts", "validating on 6 examples x 2 prompts"
PLACES = [
    (60, "single-0: train", "2/20", NOTE, "single-0: train - 2/20 TIMES loss 9.388"),
    (60, "token_matched-10: train", "42/400", NOTE, "token_matched-10: train 42/400 TIMES loss 9.388"),
    (60, "token_matched-10: train", "42/12000", NOTE, "token_matched-10: tr… 42/12000 TIMES loss 9.388"),
    (60, TESTED, "900/9000", "", "per_example-0: evaluate on test … 900/9000 TIMES"),
    (80, "single-0: train", "2/20", NOTE, "single-0: train - 2/20 TIMES loss 9.388, prompt dda596955522"),
    (80, "token_matched-10: train", "42/400", NOTE, "token_matched-10: train - 42/400 TIMES loss 9.388"),
    (80, "paft-0: train", "2/20", VALIDATING, f"paft-0: train - 2/20 TIMES {VALIDATING}"),
    (80, TESTED, "900/9000", "", f"{TESTED} - 900/9000 TIMES"),
    (80, "searched-0: choose a prompt", "9/90", "", "searched-0: choose a prompt - 9/90 TIMES"),
    (100, "single-0: train", "2/20", NOTE, f"single-0: train - 2/20 TIMES {NOTE}"),
    (140, "token_matched-10: train", "42/400", NOTE, f"token_matched-10: train - 42/400 TIMES {NOTE}"),
]  # fmt: skip


@pytest.mark.parametrize(("width", "title", "counter", "note", "shown"), PLACES)
def test_a_narrow_terminal_keeps_counters_and_loss_whole(width, title, counter, note, shown):
    file = io.StringIO()
    console = Console(file=file, force_terminal=True, width=width, color_system=None)
    live = Live(console)
    live.stage(*title.split(": "), int(counter.split("/")[1]))
    live.advance(int(counter.split("/")[0]), note)
    console.print(live.bars)
    (line,) = lines(file)
    told = re.sub("[━╸╺]+", "-", " ".join(line.split()))
    assert told.replace("0:00:00 -:--:--", "TIMES") == shown
    assert len(line) <= width


@speaking
def work(config, reporter=None, *, speaks=True):
    """Work that a reporter may hear of."""
    reporter = reporter or Reporter()
    reporter.stage("paft-0", "train", 2)
    reporter.finish("paft-0", "done")
    return type(reporter), logging.is_progress_bar_enabled(), speaks


class Terminal(io.StringIO):
    """A terminal."""

    def isatty(self):
        return True


@pytest.fixture
def notebook(monkeypatch):
    """Let this process look like a notebook's kernel."""

    class ZMQInteractiveShell:
        pass

    monkeypatch.setattr(builtins, "get_ipython", ZMQInteractiveShell, raising=False)


def test_python_is_told_in_a_terminal(monkeypatch):
    monkeypatch.setattr(sys, "stdout", Terminal())
    monkeypatch.setenv("TERM", "xterm")
    assert work("config", speaks=False) == work("config", None, speaks=False) == (Live, False, False)
    assert "paft-0: done" in sys.stdout.getvalue()


def test_python_is_told_in_a_notebook_by_plain_lines(monkeypatch, notebook):
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    assert work("config")[0] is Live
    assert sys.stdout.getvalue() == "paft-0: train: started\npaft-0: done\n"


def test_a_script_that_writes_to_no_terminal_is_told_by_lines_on_standard_error(capsys):
    assert work("config")[0] is Live
    assert capsys.readouterr() == ("", "paft-0: train: started\npaft-0: done\n")


@pytest.mark.parametrize("how", ["silent", "other process"])
def test_nothing_is_said_by_a_silent_reporter_and_by_other_processes(monkeypatch, capsys, how):
    monkeypatch.setattr(sys, "stdout", Terminal())
    if how == "other process":
        monkeypatch.setenv("RANK", "1")
    reporter = Reporter() if how == "silent" else None
    assert work("config", reporter=reporter)[0] is Reporter
    assert work("config", reporter)[0] is Reporter
    assert sys.stdout.getvalue() == capsys.readouterr().err == ""


def test_the_libraries_speak_again_afterwards():
    logging.enable_progress_bar()
    hub = getLogger("huggingface_hub")
    before = logging.get_verbosity(), hub.level, list(warnings.filters)
    with quiet():
        assert not logging.is_progress_bar_enabled() and hub.level == ERROR
    assert logging.is_progress_bar_enabled()
    assert (logging.get_verbosity(), hub.level, warnings.filters) == before


def test_loading_and_training_in_a_script_show_no_bar_of_the_libraries(
    model_folder, train_examples, bank, tmp_path, capsys
):
    logging.enable_progress_bar()
    settings = Train(max_steps=1, adapt={"method": "full"})
    loaded = load_model(model_folder)
    fine_tune(loaded, train_examples, bank["train"], settings, seed=0, output=tmp_path / "model")
    assert capsys.readouterr() == ("", "") and logging.is_progress_bar_enabled()


def test_of_bitsandbytes_only_the_line_on_a_missing_kernel_is_left_out(caplog):
    log = getLogger("bitsandbytes.backends.cpu.ops")
    log.warning("Failed to load CPU gemm_4bit_forward from kernels-community: %s. Please", "No module")
    log.warning("Failed to load the library")
    assert caplog.messages == ["Failed to load the library"]
