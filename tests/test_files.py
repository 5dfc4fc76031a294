"""Reading names file and line; writing is atomic and its failures are one line."""

import errno
import json
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paft.errors import ConfigError, DataError, PaftError
from paft.files import (
    disk_error,
    fingerprint,
    new_folder,
    read_json,
    read_jsonl,
    read_text,
    read_yaml,
    write_atomically,
    write_json,
    write_text,
)

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)


def rows(path, text):
    path.write_text(text, encoding="utf-8", newline="")
    return list(read_jsonl(path, "data"))


@pytest.mark.skipif(os.name == "nt", reason="rights of POSIX")
@pytest.mark.parametrize(("mask", "file", "folder"), [(0o022, 0o644, 0o755), (0o077, 0o600, 0o700)])
def test_what_is_written_has_the_rights_that_the_user_gives_new_files(tmp_path, mask, file, folder):
    before = os.umask(mask)
    try:
        write_text(tmp_path / "a.txt", "x")
        with new_folder(tmp_path / "made"):
            pass
    finally:
        assert os.umask(before) == mask
    rights = [(tmp_path / name).stat().st_mode & 0o777 for name in ("a.txt", "made")]
    assert rights == [file, folder]


def test_a_missing_file_is_named_with_what_it_was_for(tmp_path):
    with pytest.raises(DataError) as caught:
        read_text(tmp_path / "gone.jsonl", "bank")
    assert str(caught.value) == f"bank file not found: {tmp_path / 'gone.jsonl'}"


def test_a_folder_in_place_of_a_file_is_named(tmp_path):
    with pytest.raises(DataError, match="cannot be read") as caught:
        read_text(tmp_path, "bank")
    assert str(tmp_path) in str(caught.value)


def test_text_that_is_not_utf8_is_refused_with_the_byte(tmp_path):
    path = tmp_path / "latin.txt"
    path.write_bytes(b"caf\xe9")
    with pytest.raises(DataError, match=r"not UTF-8 .byte 3"):
        read_text(path, "bank")


def test_a_byte_order_mark_is_no_part_of_the_text(tmp_path):
    path = tmp_path / "excel.txt"
    path.write_bytes(b"\xef\xbb\xbftext")
    assert read_text(path, "data") == "text"


def test_json_lines_keep_their_numbers_over_blank_lines_and_windows_line_ends(tmp_path):
    assert rows(tmp_path / "a", '{"a": 1}\r\n\r\n  \n{"a": 2}') == [(1, {"a": 1}), (4, {"a": 2})]


def test_a_line_separator_inside_a_text_does_not_end_the_line(tmp_path):
    assert rows(tmp_path / "a", '{"a": "x\u2028y\x85z"}\n') == [(1, {"a": "x\u2028y\x85z"})]


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ('{"a": }', "malformed JSON (Expecting value at column 7)"),
        ('{"a": 1', "malformed JSON"),
        ("[1]", "expected a JSON object, got list"),
        ('{"a": "\\ud83d"}', "half a surrogate pair"),
    ],
)
def test_a_bad_line_is_named_by_file_and_line(tmp_path, line, complaint):
    with pytest.raises(DataError) as caught:
        rows(tmp_path / "bad.jsonl", f'{{"a": 0}}\n\n{line}\n')
    assert str(caught.value).startswith(f"{tmp_path / 'bad.jsonl'}:3: ")
    assert complaint in str(caught.value)


def test_a_whole_surrogate_pair_in_escapes_is_read(tmp_path):
    assert rows(tmp_path / "a", r'{"a": "\ud83d\ude00"}') == [(1, {"a": "\U0001f600"})]


def test_malformed_yaml_is_named_by_file_and_line(tmp_path):
    path = tmp_path / "bad.yaml"
    path.write_text("a: 1\nb: [1\nc: 2\n")
    with pytest.raises(ConfigError, match=r"bad\.yaml:3: not valid YAML"):
        read_yaml(path, "task")


@pytest.mark.parametrize(("text", "kind"), [("- a\n", "list"), ("", "NoneType"), ("word", "str")])
def test_yaml_that_is_no_mapping_is_refused(tmp_path, text, kind):
    path = tmp_path / "list.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=f"list.yaml: expected `key: value` lines, got {kind}"):
        read_yaml(path, "task")


def test_yaml_cannot_build_python_objects(tmp_path):
    path = tmp_path / "evil.yaml"
    path.write_text("a: !!python/object/apply:os.getcwd []\n")
    with pytest.raises(ConfigError, match=r"evil.yaml:1"):
        read_yaml(path, "task")


def test_malformed_json_is_named_by_file_and_line(tmp_path):
    path = tmp_path / "bad.json"
    path.write_text('{"a": 1,\n "b": }\n')
    with pytest.raises(DataError, match=r"bad.json:2: malformed JSON"):
        read_json(path, "results")


@settings(max_examples=30, deadline=None)
@given(data=JSON)
def test_json_survives_writing_and_reading(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("json") / "deep" / "a.json"
    write_json(path, data)
    assert read_json(path, "results") == data


def test_nan_is_refused_rather_than_written(tmp_path):
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "a.json", {"loss": float("nan")})
    assert not list(tmp_path.iterdir())


def test_a_write_that_dies_keeps_the_old_content_and_leaves_no_part(tmp_path):
    path = tmp_path / "a.txt"
    write_text(path, "old")

    def die_halfway(part):
        part.write_text("ne")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_atomically(path, die_halfway)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_reader_never_sees_a_half_written_file(tmp_path):
    path = tmp_path / "a.txt"
    write_text(path, "old")

    def write_in_two_goes(part):
        part.write_text("ne")
        assert path.read_text() == "old"
        part.write_text("new")

    write_atomically(path, write_in_two_goes)
    assert path.read_text() == "new"


def test_a_full_disk_is_one_line_that_names_the_file_and_leaves_no_part(tmp_path):
    def no_space(part):
        part.write_text("ne")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(PaftError) as caught:
        write_atomically(tmp_path / "a.txt", no_space)
    assert str(caught.value).startswith(f"cannot write {tmp_path / 'a.txt'}: No space left on device")
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("code", "advice"),
    [
        (errno.ENOSPC, "free some space"),
        (errno.EDQUOT, "free some space"),
        (errno.EACCES, "get the right to write"),
        (errno.EROFS, "not read-only"),
        (errno.ENOTEMPTY, "another program"),
        (errno.ENOENT, "another program"),
        (errno.EIO, "mend that"),
    ],
)
def test_the_advice_fits_what_went_wrong(code, advice):
    told = str(disk_error(Path("a"), OSError(code, os.strerror(code))))
    assert advice in told
    assert ("free some space" in told) == (advice == "free some space")


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(PaftError, match=r"cannot write .*file/a.txt"):
        write_text(tmp_path / "file" / "a.txt", "x")


def test_text_is_written_as_it_is(tmp_path):
    write_text(tmp_path / "a.txt", "a\nb\u2028é\n")
    assert (tmp_path / "a.txt").read_bytes() == "a\nb\u2028é\n".encode()


@settings(max_examples=30, deadline=None)
@given(data=st.dictionaries(st.text(max_size=4), JSON, min_size=2, max_size=4))
def test_a_fingerprint_ignores_the_order_of_keys_and_survives_json(data):
    assert fingerprint(dict(reversed(data.items()))) == fingerprint(data)
    assert fingerprint(json.loads(json.dumps(data))) == fingerprint(data)


def test_a_fingerprint_sees_values_and_order_of_lists():
    prints = [fingerprint(x) for x in ({"a": 1}, {"a": 2}, {"a": "1"}, [1, 2], [2, 1], {"b": 1})]
    assert len(set(prints)) == len(prints)


def test_a_fingerprint_is_the_same_in_every_version():
    # A change here makes every finished run refuse to resume.
    assert fingerprint({"b": [1, 2.5, None], "a": "é"}) == "d764fee2563da33e"


@pytest.mark.parametrize("value", ["7" * 5_000, "[" * 100_000, '{"a": ' * 100_000])
def test_json_that_runs_away_is_one_line(tmp_path, value):
    path = tmp_path / "a.json"
    path.write_text(f'{{"a": {value}}}')
    for read in (lambda: read_json(path, "results"), lambda: list(read_jsonl(path, "bank"))):
        with pytest.raises(DataError, match=r"a\.json.*: malformed JSON") as caught:
            read()
        assert len(str(caught.value)) < 300


def test_a_device_or_a_pipe_is_never_replaced_by_a_file(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(ConfigError, match="is a device or a pipe: name a file"):
        write_text(pipe, "x")
    assert pipe.is_fifo()


def test_a_link_stays_a_link_and_its_file_is_written(tmp_path):
    (tmp_path / "link").symlink_to("real")
    write_text(tmp_path / "link", "x")
    assert (tmp_path / "link").is_symlink() and (tmp_path / "real").read_text() == "x"


def test_a_path_below_a_file_or_a_dead_link_says_which_is_no_folder(tmp_path):
    (tmp_path / "file").write_text("x")
    (tmp_path / "dead").symlink_to("nowhere/at/all")
    for name in ("file", "dead"):
        with pytest.raises(PaftError, match=rf"{name} is no folder: choose another place"):
            write_text(tmp_path / name / "new" / "a.txt", "x")
    with pytest.raises(PaftError, match="choose a shorter name"):
        write_text(tmp_path / ("a" * 300), "x")
