"""A bank on disk: read back as written, frozen by its fingerprint, errors name the line."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paft.bank import Bank, load_bank
from paft.bank.store import SPLITS
from paft.errors import DataError, PromptError
from paft.prompt import Prompt

A, B, C = Prompt("a {text}", {"writer": "x"}), Prompt("b {text}\n\u2028é"), Prompt("c {text}")
TEXT = st.text(max_size=10).map(lambda text: text.replace("{", "{{").replace("}", "}}") + "{text}")


def complaint(tmp_path, *lines):
    path = tmp_path / "bank.jsonl"
    path.write_text("".join(line + "\n" for line in lines))
    with pytest.raises((PromptError, DataError)) as caught:
        load_bank(path)
    return str(caught.value).replace(str(path), "BANK")


@settings(max_examples=40, deadline=None)
@given(templates=st.lists(TEXT, min_size=1, max_size=6, unique=True), data=st.data())
def test_a_bank_is_read_back_as_it_was_saved(tmp_path_factory, templates, data):
    splits = {}
    for number, template in enumerate(templates):
        prompt = Prompt(template, {"writer": "é", "row": number})
        splits.setdefault(data.draw(st.sampled_from(SPLITS)), []).append(prompt)
    bank = Bank({split: tuple(prompts) for split, prompts in splits.items()})
    path = tmp_path_factory.mktemp("bank") / "bank.jsonl"
    bank.save(path)
    loaded = load_bank(path)
    assert loaded == bank
    assert loaded.fingerprint == bank.fingerprint
    assert [dict(p.provenance) for s in SPLITS for p in loaded.prompts(s)] == [
        dict(p.provenance) for s in SPLITS for p in bank.prompts(s)
    ]


def test_a_bank_written_by_hand_needs_no_ids_and_defaults_to_train(tmp_path):
    path = tmp_path / "bank.jsonl"
    path.write_text('{"template": "a {text}"}\n{"split": "test", "template": "c {text}"}\n')
    assert load_bank(path) == Bank({"train": (A,), "test": (C,)})


def test_the_fingerprint_sees_prompts_split_and_order_but_not_provenance():
    banks = [
        Bank({"train": (A, B)}),
        Bank({"train": (B, A)}),
        Bank({"train": (A,), "test": (B,)}),
        Bank({"train": (A, C)}),
    ]
    assert len({bank.fingerprint for bank in banks}) == len(banks)
    assert Bank({"train": (Prompt("a {text}"), B)}).fingerprint == banks[0].fingerprint


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"template": "a {text}", "tempalte": ""}', "unknown key 'tempalte'; did you mean 'template'?"),
        ('{"template": "a {text}", "split": "tset"}', "unknown split 'tset' (known: train, validation, test"),
        ('{"split": "test"}', "`template` must be text, got None"),
        ('{"template": 3}', "`template` must be text, got 3"),
        ('{"template": "a {text}", "provenance": "me"}', "`provenance` must be an object, got 'me'"),
        ('{"template": "a {text.x}"}', "not a plain {field}"),
        ('{"template": " "}', "empty"),
        ('{"template": "first {text}", "split": "test"}', "already stands in line 1: keep it in one split"),
        ("{oops", "malformed JSON"),
        ("[]", "expected a JSON object"),
        ('{"template": "\\ud800 {text}"}', "surrogate"),
    ],
)
def test_a_bad_line_is_named_by_file_and_line(tmp_path, line, said):
    text = complaint(tmp_path, '{"template": "first {text}"}', "", line)
    assert text.startswith("BANK:3: ")
    assert said in text


def test_a_template_that_was_edited_under_its_id_is_noticed(tmp_path):
    row = json.dumps({"id": A.id, "template": "a {text}!"})
    text = complaint(tmp_path, row)
    assert text.startswith(f"BANK:1: id '{A.id}' is not the template's")
    assert "remove the `id`" in text


def test_an_empty_bank_is_refused_with_an_example_line(tmp_path):
    text = complaint(tmp_path, "")
    assert "bank BANK is empty" in text
    assert '"template"' in text


def test_a_missing_bank_is_named(tmp_path):
    with pytest.raises(DataError, match=r"bank file not found: .*gone.jsonl"):
        load_bank(tmp_path / "gone.jsonl")


def test_a_bank_without_prompts_cannot_be_made():
    with pytest.raises(PromptError, match="empty"):
        Bank({"train": ()})


def test_a_prompt_stands_in_one_split_once():
    with pytest.raises(PromptError, match=f"{A.id} of split 'test' stands also in 'train'"):
        Bank({"train": (A,), "test": (Prompt("a {text}"),)})
    with pytest.raises(PromptError, match="stands twice"):
        Bank({"train": (A, A)})


def test_an_unknown_split_is_named_with_the_nearest():
    with pytest.raises(PromptError, match="a bank has no split 'trian'; did you mean 'train'"):
        Bank({"trian": (A,)})


def test_a_split_that_is_misspelt_is_no_empty_one():
    bank = Bank({"train": ["{text} a"]})
    assert bank.prompts("test") == () and "trian" not in bank
    for ask in (bank.prompts, bank.require, bank.__getitem__):
        with pytest.raises(PromptError, match="a bank has no split 'trian'; did you mean 'train'"):
            ask("trian")


def test_a_split_that_is_needed_but_absent_is_named():
    bank = Bank({"train": (A,)})
    assert bank.prompts("test") == ()
    assert bank.require("train") == (A,)
    with pytest.raises(PromptError, match=r"no 'test' prompts: .*paft bank split"):
        bank.require("test")


def test_only_splits_that_there_are_can_be_made(tmp_path):
    bank = Bank({"test": (A,), "train": (B,), "final": ()})
    assert list(bank.splits) == ["train", "test"] and list(bank) == [B, A] and "final" not in bank
    for get in (bank.require, bank.__getitem__):
        with pytest.raises(
            PromptError, match=r"no 'validation' prompts: .* `paft bank split --validation N`"
        ):
            get("validation")
        with pytest.raises(PromptError, match=r"no 'final' prompts: add lines with .{16}$"):
            get("final")  # no command makes these
