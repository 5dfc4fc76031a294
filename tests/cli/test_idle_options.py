"""An option that would do nothing where it is given is refused in a sentence, and nothing is written."""

from __future__ import annotations

import pytest

from paft.builtin import BANKS

BANK = str(BANKS["snips"])


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (("bank", "export", BANK, "--format", "csv", "--split", "train"), "holds the prompts of every split"),
        (
            ("bank", "export", BANK, "--format", "jsonl", "--provider", "openai:x"),
            "a provider is for promptfoo",
        ),
        (("bank", "export", BANK, "--format", "csv", "--data", "nowhere"), "give --task too"),
        (("bank", "import", "--train", BANK, "--rename", "txt=message"), "no prompt has {txt}"),
        (("tasks", "snips", "--copy", "--json"), "--json lists the tasks, --copy writes one"),
        (("evaluate", "--any-base"), "give the adapter too"),
    ],
)
def test_an_option_without_use_is_refused_and_nothing_is_written(paft, tmp_path, command, said):
    code, _, err = paft(*command, "--output", tmp_path / "out")
    assert code == 2 and said in " ".join(err.split())
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (("bank", "show", BANK, "--data", "nowhere"), "give --task too"),
        (("bank", "show", BANK, "--example", "3"), "give --task too"),
        (
            ("try", "--model", "tiny", "--field", "message=a", "--field", "message=b"),
            "message is given twice",
        ),
        (("run", "--lr", "nan"), "should be a finite number"),
    ],
)
def test_what_is_only_shown_is_refused_likewise(paft, command, said):
    code, _, err = paft(*command)
    assert code == 2 and said in " ".join(err.split())
