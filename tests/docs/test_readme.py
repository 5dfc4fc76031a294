"""What README says is true: its example runs, its figures are those of the JSON files."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import paft

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")


@pytest.mark.slow  # a minute
def test_python_example_shows_the_difference_that_the_page_prints(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    exec(compile(example, "README.md", "exec"), names)
    spoken = capsys.readouterr().out
    assert all(f" {method} " in spoken for method in ("base", "single", "per_example"))
    assert (tmp_path / "runs" / "demo" / "report.html").exists()
    means = {row["method"]: row["mean"] for row in names["results"]["rows"] if row["split"] == "test"}
    printed = {
        method: float(mean) for method, mean in re.findall(r"^│ (\w+) +│ +([\d.]+) │", README, re.MULTILINE)
    }
    assert printed.keys() == means.keys()
    for method, mean in means.items():  # other processors round otherwise
        assert 100 * mean == pytest.approx(printed[method], abs=8), method
    assert means["per_example"] > means["single"] + 0.1


def test_the_files_to_read_are_as_few_and_short_as_it_says() -> None:
    told = README.partition("## Read the code")[2].partition("## ")[0]
    files = [Path(paft.__file__).parent / name for name in re.findall(r"`(\S+\.py)`", told)]
    assert len(files) == 5 and "five files, less than 1,400 lines" in told
    assert sum(len(file.read_text("utf-8").splitlines()) for file in files) < 1400


def test_example_stays_short() -> None:
    (example,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert len(example.strip().splitlines()) <= 24


def test_public_names_can_be_imported() -> None:
    assert 10 <= len(paft.__all__) <= 25
    assert all(getattr(paft, name) is not None for name in paft.__all__)


def test_figures_are_those_of_the_result_files() -> None:
    module = "results.make_readme"
    done = subprocess.run(
        [sys.executable, "-m", module, "--check"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_links_into_the_repository_lead_somewhere() -> None:
    links = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", README)
    local = [link for link in links if "://" not in link]
    assert local
    assert [link for link in local if not (ROOT / link).exists()] == []


def test_make_targets_named_in_readme_exist() -> None:
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    named = set(re.findall(r"make ([a-z]+)", README))
    assert {"run", "test"} <= named <= set(targets)
