"""What is said of progress: bars in terminals, lines in pipes and notebooks, nothing where nobody watches."""

from __future__ import annotations

import builtins
import io
import sys

import pytest
from rich.console import Console
from transformers.utils import logging

from paft import progress
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


@pytest.mark.parametrize("how", ["pipe", "silent", "other process"])
def test_nothing_is_said_where_nobody_watches(monkeypatch, how):
    monkeypatch.setattr(sys, "stdout", io.StringIO() if how == "pipe" else Terminal())
    if how == "other process":
        monkeypatch.setenv("RANK", "1")
    reporter = Reporter() if how == "silent" else None
    assert work("config", reporter=reporter)[0] is Reporter
    assert work("config", reporter)[0] is Reporter
    assert sys.stdout.getvalue() == ""


def test_the_libraries_speak_again_afterwards():
    logging.enable_progress_bar()
    level = logging.get_verbosity()
    with quiet():
        assert not logging.is_progress_bar_enabled()
    assert logging.is_progress_bar_enabled() and logging.get_verbosity() == level
