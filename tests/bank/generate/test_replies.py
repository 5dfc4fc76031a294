"""Templates are found in what models really write; no text whatever is an error."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paft.bank.generate.replies import candidates

TWO = ["Message: {text}\nTeam:", 'Say "who" reads {text} ->']


def whole(texts=TWO, **options):
    return json.dumps({"prompts": texts}, **options)


@pytest.mark.parametrize(
    "reply",
    [
        whole(),
        whole(indent=2),
        f"```json\n{whole()}\n```",
        f"```\n{json.dumps(TWO)}\n```",
        f"Sure! I use {{text}} as asked:\n\n{whole(indent=1)}\n\nLet me know if [you] need more.",
        f"Here: {whole()}",
        f'<think>Maybe {{"prompts": ["draft {{text}}"]}}?</think>\n{whole()}',
        json.dumps(TWO, indent=1),
        whole().replace("]", ",]"),
        json.dumps({"prompts": [{"id": i, "template": text} for i, text in enumerate(TWO)]}),
        json.dumps({"prompts": {str(i): text for i, text in enumerate(TWO)}}),
        json.dumps({f"prompt_{i}": text for i, text in enumerate(TWO)}),
        json.dumps({"result": TWO}),
        "\n".join(json.dumps({"prompt": text}) for text in TWO),
        whole().replace("\\n", "\n"),  # a real line break inside a string
        whole(indent=1).replace('\\"', '"'),  # quotation marks left unescaped
        whole().replace("\n", "\r\n"),
        "\n".join(f"{i}. {json.dumps(text)}" for i, text in enumerate(TWO, 1)),
        '1. Message: {text}\\nTeam:\n2. Say "who" reads {text} ->\n\nI hope these help!',
        '1) Message: {text}\nTeam:\n\n2) Say "who" reads {text} ->',
        '**1.** Message: {text}\nTeam:\n**2.** Say "who" reads {text} ->',
        f"1. **Formal**: {json.dumps(TWO[0])}\n2. **Casual** - {json.dumps(TWO[1])}",
        f"Prompt 1:\n```\n{TWO[0]}\n```\nPrompt 2:\n```text\n{TWO[1]}\n```",
        f"### Template 1:\n{TWO[0]}\n\n### Template 2:\n{TWO[1]}",
        f"Ideas:\n\n- {json.dumps(TWO[0])}\n- {json.dumps(TWO[1])}\n\nAll are short.",
        f"\u2022 {TWO[0]}\n\u2022 {TWO[1]}",
        "\n".join(json.dumps(text) + "," for text in TWO),
        f"\u201cMessage: {{text}}\\nTeam:\u201d\n\u201c{TWO[1]}\u201d",
    ],
)
def test_realistic_replies(reply):
    assert candidates(reply, ["text"]) == TWO


@pytest.mark.parametrize("end", range(len(whole())))
def test_of_a_reply_that_breaks_off_the_complete_strings_are_kept(end):
    found = candidates(whole()[:end])
    assert found == TWO[: len(found)]
    first = whole().index('", "') + 1
    assert (len(found) >= 1) == (end >= first)


@pytest.mark.parametrize(
    "reply",
    [
        "",
        "I am sorry, I cannot help with {text}.",
        "- I kept them short\n- I varied the tone",
        '["billing", "credit"]',
        "```\nnothing here\n```",
        '{"error": "overloaded"}',
        "[" * 3000,
        '{"a":' * 3000,
        '{"prompts": ' + "9" * 5000,
    ],
)
def test_what_holds_no_template_gives_none(reply):
    assert candidates(reply) == []


def test_a_list_inside_a_template_is_no_list_of_templates():
    reply = '1. Choose from\n["billing", "credit"]: {text}\n2. Sort {text}:'
    assert candidates(reply) == ['Choose from\n["billing", "credit"]: {text}', "Sort {text}:"]


def test_numbers_inside_a_template_belong_to_it():
    reply = "1. Do this:\n  1. Read {text}\n  2. Answer\n2. Sort {text}:"
    assert candidates(reply) == ["Do this:\n  1. Read {text}\n  2. Answer", "Sort {text}:"]


def test_wrong_placeholders_repeats_and_other_languages_are_kept_for_the_screen():
    texts = ["{txt} ->", "none", "none", "\u8bf7\u9605\u8bfb {text}", "{text.__class__} {0} {"]
    assert candidates(whole(texts), ["text"]) == texts
    assert candidates(whole(texts, ensure_ascii=False), ["text"]) == texts


def test_json_escapes_are_decoded_once():
    assert candidates(r'{"prompts": ["a\\n{text}\tb\u00e9"]}') == ["a\\n{text}\tb\u00e9"]


def test_half_a_surrogate_pair_becomes_a_replacement_mark():
    assert candidates(r'{"prompts": ["\ud83d {text}", "\ud83d\ude00"]}') == ["\ufffd {text}", "\U0001f600"]


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("{{text}} ->", "{text} ->"),
        ("{{text}} or {text}", "{{text}} or {text}"),
        ("{{{text}}}", "{{{text}}}"),
        ("{{other}} {text}", "{{other}} {text}"),
        ('{{"team": "x"}} {{text}}', '{{"team": "x"}} {text}'),
    ],
)
def test_doubled_braces_are_mended_only_where_a_field_would_be_missing(template, expected):
    assert candidates(whole([template]), ["text"]) == [expected]


PIECES = st.one_of(
    st.sampled_from(
        ['{"prompts": [', '"a {text}"', "]}", "```json\n", "\n```\n", "1. ", "\n2. ", "- ", "**"]
    ),
    st.sampled_from(["<think>", "</think>", "{{text}}", "  ", "\\ud83d", "\ud83d", "\u201c"]),
    st.sampled_from(list("\n\\\"'{}[],:")),
)


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.text(), st.lists(PIECES, max_size=30).map("".join)))
def test_any_text_gives_a_list_of_texts_that_a_file_can_hold(text):
    found = candidates(text, ["text"])
    assert all(item.strip() and item.encode("utf-8") for item in found)
    assert found == candidates(text, ["text"])


@settings(max_examples=200, deadline=None)
@given(st.lists(st.text().filter(str.strip), min_size=1), st.sampled_from([None, 1]), st.booleans())
def test_every_list_that_is_written_as_asked_is_read_as_it_was_meant(texts, indent, fenced):
    reply = whole(texts, indent=indent)
    assert candidates(f"```json\n{reply}\n```" if fenced else reply) == texts
