"""No name leads out of the folder it is put in, and none is empty."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paft.bank.generate.request_log import request_log_path
from paft.errors import ConfigError
from paft.files import write_text
from paft.names import LONGEST, folder_name, short_name


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("models/mine", "mine"),
        ("models/mine/", "mine"),
        ("org/model-7b", "model-7b"),
        ("llama3:8b", "llama3:8b"),
        ("nowhere/..", "model"),
        ("/", "model"),
        ("..", None),
        (".", None),
        ("...", "..."),
        ("模型", "模型"),
    ],
)
def test_a_folder_is_named_by_the_last_part_of_what_it_is_about(path, name, tmp_path, monkeypatch):
    work = tmp_path / "outer" / "inner"
    work.mkdir(parents=True)
    monkeypatch.chdir(work)
    assert folder_name(path, "model") == (name or {".": "inner", "..": "outer"}[path])
    (work / "x").mkdir()
    assert folder_name("x/..", "model") == "inner"


@given(st.text(max_size=400))
def test_whatever_the_name_it_is_one_part_of_a_path_and_fits(text):
    name = folder_name(text, "model")
    assert name not in ("", ".", "..")
    assert "/" not in name and "\0" not in name
    assert len(name.encode("utf-8", "replace")) <= LONGEST
    assert (Path("/a") / name).parent == Path("/a")


def test_long_names_that_differ_stay_apart():
    long = "a" * 300
    assert short_name(long, "x") != short_name(long + "b", "x")
    assert short_name("é" * 80, "x").encode()


@pytest.mark.parametrize("path", [".", "..", "x/..", "x"])
def test_a_folder_is_no_file_to_write(path, tmp_path, monkeypatch):
    (tmp_path / "x").mkdir()
    monkeypatch.chdir(tmp_path)
    for write in (lambda: write_text(Path(path), "text"), lambda: request_log_path(path)):
        with pytest.raises(
            ConfigError, match=rf"^{re.escape(str(Path(path)))} is a folder: name a file in it"
        ):
            write()
    assert list(tmp_path.iterdir()) == [tmp_path / "x"]


@pytest.mark.parametrize("verb", ["import", "split", "screen", "generate"])
def test_a_bank_is_no_folder(paft, own_desk, verb, monkeypatch):
    monkeypatch.chdir(own_desk)
    given = {"import": ["bank.jsonl"], "split": ["bank.jsonl", "--test", 1], "screen": ["bank.jsonl"]}
    more = ["--task", "task.yaml"] if verb in ("screen", "generate") else []
    more += ["--generators", "none.yaml"] if verb == "generate" else []
    code, _, err = paft("bank", verb, *given.get(verb, []), *more, "--output", ".")
    assert code == 2
    assert "directory" in err
    assert "Traceback" not in err
