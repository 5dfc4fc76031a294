"""A log keeps every whole line, cuts off a torn one, and belongs to one process while it is locked."""

import json

import pytest

from paft.errors import PaftError
from paft.log import Log


def test_a_torn_line_is_cut_off_and_whole_ones_stay(tmp_path):
    log = Log(tmp_path / "new" / "log.jsonl")
    log.begin({"log": 1})
    log.append(["a\nb\u2028", 1 / 3])
    whole = log.path.read_bytes()
    log.path.write_bytes(whole + b'["half')
    again = Log(log.path)
    again.begin({"log": 2})
    assert log.path.read_bytes() == whole
    assert list(map(json.loads, again.lines())) == [{"log": 1}, ["a\nb\u2028", 1 / 3]]


def test_a_locked_log_is_refused_until_it_is_given_back(tmp_path):
    log = Log(tmp_path / "log.jsonl")
    with (
        log.lock(),
        pytest.raises(PaftError, match="another PAFT process works on"),
        log.lock(),
    ):
        pass
    with log.lock():
        pass
