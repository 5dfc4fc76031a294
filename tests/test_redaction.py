"""A key is struck out in whatever spelling a server echoes it, and nothing else is."""

import base64
import html
import json
import re
import urllib.parse

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paft.redaction import remember, secret, strike

KEY = "sk-proj-aB3_dE/f+9xYzQwErTy0"
DATA = KEY.encode()

SPELLINGS = {
    "as it stands": KEY,
    "with its scheme": f"Bearer {KEY}",
    "upper case": KEY.upper(),
    "lower case": KEY.lower(),
    "escaped for an address": urllib.parse.quote(KEY, safe=""),
    "escaped twice": urllib.parse.quote(urllib.parse.quote(KEY, safe=""), safe=""),
    "escaped letter by letter": "".join(f"%{byte:02x}" for byte in DATA),
    "quoted-printable": "".join(f"={byte:02X}" for byte in DATA),
    "base64": base64.b64encode(DATA).decode(),
    "base64 of the header": base64.b64encode(b"Bearer " + DATA).decode(),
    "base64 of a user and the key": base64.b64encode(b"user:" + DATA + b"\n").decode(),
    "base64 for addresses": base64.urlsafe_b64encode(b"x" + DATA).decode(),
    "base64, escaped": urllib.parse.quote(base64.b64encode(DATA).decode(), safe=""),
    "hexadecimal": DATA.hex(),
    "JSON": json.dumps({"key": KEY}),
    "JSON in JSON": json.dumps(json.dumps({"key": KEY})),
    "JSON of PHP": KEY.replace("/", "\\/"),
    "JSON escapes": "".join(f"\\u{byte:04X}" for byte in DATA),
    "HTML": html.escape(KEY),
    "HTML numbers": "".join(f"&#{byte};" for byte in DATA),
    "HTML numbers, hexadecimal": "".join(f"&#x{byte:x};" for byte in DATA),
    "Python bytes": repr(DATA),
    "cut off": KEY[:16] + "...",
    "its end": "..." + KEY[-14:],
    "spaced": " ".join(KEY),
    "wrapped": KEY[:13] + "\n   " + KEY[13:],
    "letters apart": json.dumps(list(KEY)),
    "quoted lines": "\n> ".join([KEY[:9], KEY[9:18], KEY[18:]]),
    "other dashes": KEY.replace("-", "\u2011").replace("_", "\u2013"),
    "no-width characters": "\u2060".join(KEY),
    "full-width": "".join(chr(ord(letter) + 0xFEE0) for letter in KEY),
    "hexadecimal with colons": DATA.hex(":"),
    "HTML numbers, bare": "".join(f"&#{byte}" for byte in DATA),
    "wrapped in JSON": json.dumps(KEY[:13] + "\n" + KEY[13:]),
}


@pytest.mark.parametrize("spelling", SPELLINGS.values(), ids=SPELLINGS)
def test_every_spelling_is_struck_out_and_what_is_around_stays(spelling):
    found = strike(f"shown: {spelling} :after", [KEY])
    assert re.fullmatch(r"shown: .{0,16}\*\*\*.{0,8} :after", found), "what stands around the key is short"


@given(before=st.text(max_size=20), after=st.text(max_size=20), case=st.booleans())
def test_a_key_is_found_between_any_texts(before, after, case):
    key = KEY.swapcase() if case else KEY
    assert KEY.lower() not in strike(before + key + after, [KEY]).lower()


@given(st.text(alphabet=st.characters(exclude_characters="skprojaB3dE"), max_size=60))
def test_a_text_without_a_key_is_returned_as_it_is(text):
    assert strike(text, [KEY]) == text


def test_a_word_some_servers_want_as_a_key_is_no_secret(monkeypatch):
    for word in ("EMPTY", "none", "ollama", "lm-studio", "not-needed", "sk-no-key-required"):
        assert not secret(word)
        monkeypatch.setenv("OPENAI_API_KEY", word)
        assert strike(f"The answer is {word}.") == f"The answer is {word}."
        assert strike(f"wrong key {word}", [word]) == "wrong key ***", "an error shows it neither"


def test_a_key_of_punctuation_is_struck_out_as_it_stands_and_its_few_letters_elsewhere_are_not():
    assert strike("a: $$!!a!!$$, b: a", ["$$!!a!!$$"]) == "a: ***, b: a"


def test_a_long_reply_of_backslashes_is_read_in_a_moment():
    text = "\\" * 100_000
    assert strike(text, [KEY]) == text


@pytest.mark.parametrize(
    ("name", "value", "secret_part"),
    [
        ("OPENAI_API_KEY", "sk-env-0123456789", "sk-env-0123456789"),
        ("OPENAI_ADMIN_KEY", "sk-admin-0123456789", "sk-admin-0123456789"),
        ("OPENAI_CUSTOM_HEADERS", "X-Trace: 1\nX-Auth-Token: tok-0123456789", "tok-0123456789"),
        ("OPENAI_CUSTOM_HEADERS", "Authorization: Bearer tok-9876543210", "tok-9876543210"),
    ],
)
def test_what_the_package_takes_from_the_environment_is_struck_out_too(monkeypatch, name, value, secret_part):
    monkeypatch.setenv(name, value)
    assert strike(f"you sent {secret_part}") == "you sent ***"


def test_another_header_of_the_environment_is_no_secret(monkeypatch):
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "Accept: application/vnd.api.v2+json")
    assert strike("answer in application/vnd.api.v2+json") == "answer in application/vnd.api.v2+json"


def test_keys_of_all_endpoints_of_a_process_are_struck_out():
    remember("other-provider-5551234")
    assert strike("key=other-provider-5551234") == "key=***"
