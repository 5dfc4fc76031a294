"""The log loses nothing that was recorded, and belongs to one set of inputs and one process."""

import json
import subprocess
import sys

import pytest

from paft.bank.generate.request_log import Record, RequestLog, request_log_path
from paft.errors import DataError, PaftError, ResumeError

HEADER = {"task": "t1", "instructions": "i1"}


def record(attempt=1, text="reply"):
    return Record(
        call="a/few-shot/0",
        attempt=attempt,
        request="r",
        generator="a",
        model="m",
        strategy="few-shot",
        style="plain",
        date="2026-01-01T00:00:00+00:00",
        parameters={"temperature": 1.0, "seed": None},
        text=text,
        input_tokens=1,
        output_tokens=2,
        counted=True,
    )


@pytest.fixture
def path(tmp_path):
    return request_log_path(tmp_path / "new" / "bank.jsonl")


@pytest.fixture
def two(path):
    """A log with two replies, one of them with everything that is awkward in a line."""
    with RequestLog(path, HEADER) as log:
        log.append(record(1))
        log.append(record(2, 'a\nb\u2028c\u0085 "\u8bf7" \\ud83d \x00'))
    return path


def test_what_was_written_is_read_again(two):
    with RequestLog(two, HEADER) as log:
        assert [r.text for r in log.records] == ["reply", 'a\nb\u2028c\u0085 "\u8bf7" \\ud83d \x00']
        assert log.records[0] == record(1)
        log.append(record(3))
    with RequestLog(two, HEADER) as log:
        assert [r.attempt for r in log.records] == [1, 2, 3]


def test_a_line_holds_what_a_reader_wants_to_know(two):
    header, first, _ = map(json.loads, two.read_text(encoding="utf-8").split("\n")[:-1])
    assert header == {"log": 1, **HEADER}
    assert first["call"] == "a/few-shot/0"
    assert set(first) == {*Record.model_fields, "digest"}


@pytest.mark.parametrize("first", [0, *(pytest.param(i, marks=pytest.mark.slow) for i in range(1, 5))])
def test_cut_anywhere_all_whole_lines_are_kept_byte_by_byte(two, first):
    data = two.read_bytes()
    for length in range(first, len(data), 5):
        two.write_bytes(data[:length])
        whole = data[: data[:length].rfind(b"\n") + 1]
        with RequestLog(two, HEADER) as log:
            assert len(log.records) == max(0, whole.count(b"\n") - 1)
            if whole:
                assert two.read_bytes() == whole
            log.append(record(9))
        with RequestLog(two, HEADER) as log:
            assert log.records[-1] == record(9)


@pytest.mark.parametrize(
    ("header", "named"),
    [
        ({"task": "t2", "instructions": "i1"}, "task changed"),
        ({"task": "t2", "instructions": "i2"}, "task and instructions changed"),
    ],
)
def test_other_inputs_are_refused_and_named(two, header, named):
    before = two.read_bytes()
    with pytest.raises(ResumeError, match=named):
        RequestLog(two, header)
    assert two.read_bytes() == before


@pytest.mark.parametrize(
    ("number", "line", "error"),
    [
        (1, "{}", DataError),
        (1, '{"log": 99}', DataError),
        (2, "not json", DataError),
        (3, "[]", DataError),
        (2, '{"call": "x"}', DataError),
    ],
)
def test_a_spoilt_line_is_named(two, number, line, error):
    lines = two.read_text(encoding="utf-8").split("\n")
    lines[number - 1] = line
    two.write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(error, match=rf"bank\.jsonl\.log\.jsonl:{number}: "):
        RequestLog(two, HEADER)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("reply", "reply!"),
        ("reply", "rep1y"),
        ('"output_tokens": 2', '"output_tokens": 0'),
        ("few-", "zero-"),
    ],
)
def test_a_reply_that_was_changed_after_it_was_recorded_is_noticed(two, old, new):
    text = two.read_text(encoding="utf-8")
    two.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(DataError, match=r"jsonl:2: the reply was damaged or changed.*remove the line"):
        RequestLog(two, HEADER)


def test_bytes_that_are_no_text_are_an_error(two):
    two.write_bytes(b"\xff\n")
    with pytest.raises(DataError, match="not UTF-8"):
        RequestLog(two, HEADER)


def test_a_second_writer_is_refused_until_the_first_ends(two):
    with RequestLog(two, HEADER), pytest.raises(PaftError, match="another PAFT process works on"):
        RequestLog(two, HEADER)
    with RequestLog(two, HEADER):
        pass


def test_a_second_process_is_refused_too(two):
    code = "from pathlib import Path; from paft.bank.generate.request_log import RequestLog; "
    code += f"RequestLog(Path({str(two)!r}), {HEADER!r})"
    with RequestLog(two, HEADER):
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "another PAFT process works on" in done.stderr


def test_after_a_failed_write_the_file_holds_no_part_of_the_line(two, monkeypatch):
    import os

    original, before = os.write, two.read_bytes()

    def full(file, data):
        if len(data) < 20:
            raise OSError(28, "No space left on device")
        return original(file, data[:20])

    with RequestLog(two, HEADER) as log:
        with monkeypatch.context() as patch:
            patch.setattr("paft.log.os.write", full)
            with pytest.raises(PaftError, match="No space left"):
                log.append(record(3))
        assert two.read_bytes() == before
        assert len(log.records) == 2
        log.append(record(3))
    with RequestLog(two, HEADER) as log:
        assert len(log.records) == 3


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(PaftError, match="cannot write"):
        RequestLog(tmp_path / "file" / "x.log.jsonl", HEADER)


@pytest.mark.parametrize("line", ["[" * 100_000, '{"text": "\\ud800"}'])
def test_a_line_that_cannot_be_read_is_named(path, line):
    with RequestLog(path, HEADER):
        pass
    path.write_text(path.read_text("utf-8") + line + "\n", "utf-8")
    with pytest.raises(DataError, match=r":2: not a JSON object"):
        RequestLog(path, HEADER)
