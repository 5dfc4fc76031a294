"""The script that downloads the recipes' data: columns, splits, fingerprints; nothing is downloaded here."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import datasets
import pytest
import yaml

from conftest import SHARED
from paft.builtin import TASKS
from paft.task.task import load_task

RECIPES = Path(__file__).parents[2] / "recipes"
sys.path.insert(0, str(RECIPES))
import fetch_data  # noqa: E402


@pytest.mark.parametrize("name", list(fetch_data.PUBLISHED))
def test_published_fingerprints_are_those_of_the_data(name: str) -> None:
    if not (SHARED / name).exists():
        pytest.skip(f"no data of {name} here")
    task = yaml.safe_load(TASKS[name].read_text("utf-8"))
    for split, published in zip(("train", "test"), fetch_data.PUBLISHED[name], strict=True):
        lines = (SHARED / name / f"{split}.jsonl").read_text("utf-8").splitlines()
        assert fetch_data.fingerprint(map(json.loads, lines), task) == published


def test_rows_of_the_hub_become_rows_of_the_task(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [{"text": "play a song", "category": "PlayMusic"}, {"text": "rain?", "category": "GetWeather"}]
    monkeypatch.setattr(datasets, "load_dataset", lambda *_, **__: rows)
    fetch_data.main(["snips", "--output", str(tmp_path)])
    task = load_task("snips", data=tmp_path / "snips")
    assert [(e.fields["text"], e.gold) for e in task.examples("train")] == [
        ("play a song", "play music"),
        ("rain?", "get weather"),
    ]


def test_repeated_messages_are_in_one_split_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [{"sms": f"message {number % 50}", "label": 0} for number in range(100)]
    monkeypatch.setattr(datasets, "load_dataset", lambda *_, **__: rows)
    fetch_data.main(["sms_spam", "--output", str(tmp_path)])
    train, test = (
        [json.loads(line)["text"] for line in (tmp_path / "sms_spam" / name).read_text("utf-8").splitlines()]
        for name in ("train.jsonl", "test.jsonl")
    )
    assert (
        train and test and sorted({*train, *test}) == sorted([*train, *test]) and len(train) + len(test) == 50
    )


def test_missing_column_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets, "load_dataset", lambda *_, **__: [{"text": "a"}])
    with pytest.raises(SystemExit, match="benayas/snips, split train has no column category; it has text"):
        fetch_data.main(["snips", "--output", str(tmp_path)])


def test_no_network_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ConnectionError("no route")

    monkeypatch.setattr(datasets, "load_dataset", fail)
    with pytest.raises(SystemExit, match=r"cannot load benayas/snips .*no route.*Check the network"):
        fetch_data.main(["snips", "--output", str(tmp_path)])
    assert not list(tmp_path.iterdir())


def test_unknown_task_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        fetch_data.main(["sst2"])
    assert "unknown task sst2" in capsys.readouterr().err
