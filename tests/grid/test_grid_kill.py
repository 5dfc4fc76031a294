"""Killing a grid at random moments changes no number."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time

import pytest

from small_grid import figures, run, write_grid

KILLS = 10


def killed_after(command, seconds, log):
    """Start a grid and kill -9 it after so many seconds; whether it was still running."""
    with log.open("a") as sink:
        process = subprocess.Popen(command, stdout=sink, stderr=sink)
        try:
            process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            process.kill()
        return process.wait() == -signal.SIGKILL


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_ten_kills_at_random_moments_change_no_figure(desk, model_folder, tmp_path, workers):
    path = write_grid(tmp_path / "small.yaml", desk, model_folder)
    path.write_text(path.read_text().replace("examples: 16", "examples: 24").replace("- 0", "- 0\n  - 1"))
    straight, output, log = tmp_path / "straight", tmp_path / "killed", tmp_path / "log.txt"
    run(path, straight)
    command = [
        sys.executable,
        "-m",
        "paft",
        "grid",
        str(path),
        "--workers",
        str(workers),
        "--output",
    ]
    started = time.monotonic()
    done = subprocess.run([*command, str(tmp_path / "timed")], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    whole = time.monotonic() - started
    moments = random.Random(workers)
    # From the start of the process on, so that imports and checks are killed as well as cells.
    kills = [
        killed_after([*command, str(output)], moments.uniform(0.15, 0.7) * whole, log) for _ in range(KILLS)
    ]
    assert sum(kills) >= 3, log.read_text()  # the others came after the end
    done = subprocess.run([*command, str(output)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert figures(output) == figures(straight) == figures(tmp_path / "timed")
    assert (output / "table.md").read_bytes() == (straight / "table.md").read_bytes()
