"""Records by byte offset are those that reading the whole file gives, whatever is in it."""

import csv
import io
import os
import shutil
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paft.errors import DataError
from paft.task import text_rows as records
from paft.task.text_rows import find_csv, find_delimiter, find_lines

LINES = st.lists(st.text(st.sampled_from("ab{} \t\u2028\u00e9"), max_size=6), max_size=12)
CELLS = st.text(st.sampled_from('ab,"\n\r\u00e9 '), min_size=1, max_size=5)


def texts(found):
    return [found.text(i) for i in range(len(found))]


@settings(deadline=None, max_examples=40)
@given(lines=LINES, mark=st.booleans(), chunk=st.integers(1, 9), final=st.booleans())
def test_lines_are_those_of_the_file_without_the_blank_ones(tmp_path_factory, lines, mark, chunk, final):
    path = tmp_path_factory.mktemp("lines") / "a.jsonl"
    content = "\n".join(lines) + ("\n" if final else "")
    path.write_bytes((b"\xef\xbb\xbf" if mark else b"") + content.encode())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(records, "_CHUNK", chunk)
        found = find_lines(path)
    expected = [(i, line) for i, line in enumerate(content.split("\n"), start=1) if line.strip()]
    assert [text.removesuffix("\n") for text in texts(found)] == [line for _, line in expected]
    assert [found.where(i) for i in range(len(found))] == [f"{path}:{i}" for i, _ in expected]


@settings(deadline=None, max_examples=40)
@given(
    rows=st.lists(st.tuples(CELLS, CELLS), max_size=6),
    mark=st.booleans(),
    end=st.sampled_from(["\n", "\r\n"]),
)
def test_csv_rows_are_those_of_the_csv_module(tmp_path_factory, rows, mark, end):
    path = tmp_path_factory.mktemp("csv") / "a.csv"
    out = io.StringIO(newline="")
    csv.writer(out, lineterminator=end, quoting=csv.QUOTE_ALL).writerows([("x", "y"), *rows])
    path.write_bytes((b"\xef\xbb\xbf" if mark else b"") + out.getvalue().encode())
    names, found = find_csv(path)
    assert names == ["x", "y"]
    assert [tuple(next(csv.reader(io.StringIO(text, newline="")))) for text in texts(found)] == rows


def test_any_changed_byte_changes_the_hash(tmp_path):
    path = tmp_path / "a.jsonl"
    content = b'{"a": 1}\n' * 50
    path.write_bytes(content)
    whole = find_lines(path).digest
    for at in (0, 7, 200, len(content) - 1):
        path.write_bytes(content[:at] + b"x" + content[at + 1 :])
        assert find_lines(path).digest != whole
    path.write_bytes(content)
    assert find_lines(path).digest == whole


def test_a_file_changed_while_in_use_is_refused(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text('{"a": 1}\n')
    found = find_lines(path)
    os.utime(path, ns=(1, 1))
    with pytest.raises(DataError, match=r"a\.jsonl was changed while it was in use"):
        found.text(0)


def test_a_line_that_is_not_utf8_is_named(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"a": 1}\n{"a": "\xff"}\n')
    with pytest.raises(DataError, match=r"a\.jsonl:2: not UTF-8 \(byte 16 of the file\): convert it"):
        find_lines(path).text(1)


@pytest.mark.parametrize(
    ("content", "command"),
    [
        ("text\ncaf\xe9\n".encode("cp1252"), "iconv -f cp1252"),
        ("text\ncaf\xe9\n".encode("utf-16"), "iconv -f utf-16"),
    ],
)
def test_the_command_that_converts_another_encoding_works(tmp_path, content, command):
    command += " -t utf-8 '{0}/my file.csv' > '{0}/my file.utf8.csv'"
    path = tmp_path / "my file.csv"
    path.write_bytes(content)
    with pytest.raises(DataError) as caught:
        find_csv(path)
    assert f"(`{command.format(tmp_path)}`, or save it as UTF-8)" in str(caught.value)
    if shutil.which("iconv"):
        subprocess.run(command.format(tmp_path), shell=True, check=True)
        assert (tmp_path / "my file.utf8.csv").read_text("utf-8-sig") == "text\ncaf\xe9\n"


def test_a_row_of_another_width_is_named_with_what_separates_the_cells(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("text;note;label\na;b, c;x\na;b;c;x\n")
    assert find_delimiter(path) == ";"
    with pytest.raises(DataError, match=r"a\.csv:3: .*\(4, the header has 3; cells are separated by ';'\)"):
        find_csv(path, find_delimiter(path))
