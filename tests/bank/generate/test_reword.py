"""Rewordings keep the placeholders of their parent, or are passed over."""

import json

import pytest

from paft.bank.generate import reword as rewording
from paft.bank.generate.generators import Generators
from paft.model.endpoint import Reply, WithheldError
from paft.prompt import Prompt
from screening import TASKS

ROUTING = TASKS["routing"]
PROMPTS = [
    Prompt("Which team? {message}"),
    Prompt("{message} -> {options} is"),
    Prompt("Desk for {message}:"),
]
ONE = Generators(generators=[{"name": "a", "model": "m", "base_url": "http://localhost:1/v1"}])


class Scripted:
    """A client that answers by a function of what it is asked, and remembers it."""

    def __init__(self, answer):
        self.answer, self.asked, self.closed = answer, [], False

    def ask(self, messages, name, seed, retried):
        self.asked.append(messages[0]["content"])
        return Reply(self.answer(self.asked[-1]), 1, 1)

    def close(self):
        self.closed = True


def scripted(monkeypatch, answer):
    client = Scripted(answer)
    monkeypatch.setattr(rewording, "open_client", lambda generator, settings: client)
    return client


def as_reply(template):
    return json.dumps({"prompts": [template]})


def parent_in(text):
    return next(p for p in PROMPTS if p.template in text)


def test_a_rewording_knows_its_parent_and_keeps_its_placeholders(monkeypatch):
    client = scripted(monkeypatch, lambda text: as_reply("Pray tell, good sir: " + parent_in(text).template))
    found = rewording.reword(PROMPTS, ROUTING, ONE, 3)
    assert len(found) == 3 == len({p.provenance["parent"] for p in found})
    for version in found:
        parent = next(p for p in PROMPTS if p.id == version.provenance["parent"])
        assert sorted(version.placeholders) == sorted(parent.placeholders)
        assert version.provenance["kind"] == "reword"
    assert client.closed
    assert all("{message}" in text and "{{" not in text for text in client.asked)


@pytest.mark.parametrize(
    "reply",
    [
        "I cannot do that.",
        as_reply("Which team, I wonder?"),
        as_reply("{message} {massage} team"),
        as_reply("{message} Which letter, A, B or C? Answer with one letter."),
    ],
)
def test_an_unusable_reply_is_passed_over(monkeypatch, reply):
    scripted(monkeypatch, lambda text: reply)
    assert rewording.reword(PROMPTS, ROUTING, ONE, 2) == []


def test_a_reply_that_repeats_a_prompt_is_passed_over(monkeypatch):
    scripted(monkeypatch, lambda text: as_reply(parent_in(text).template))
    assert rewording.reword(PROMPTS, ROUTING, ONE, 2) == []


def test_the_same_seed_chooses_the_same_prompts(monkeypatch):
    scripted(monkeypatch, lambda text: as_reply("Kindly, " + parent_in(text).template))
    first = rewording.reword(PROMPTS, ROUTING, ONE, 1)
    assert first == rewording.reword(PROMPTS[::-1], ROUTING, ONE, 1)


def test_a_request_that_a_filter_refuses_is_passed_over(monkeypatch):
    def answer(text):
        if "Desk" in text:
            raise WithheldError("refused")
        return as_reply("Kindly, " + parent_in(text).template)

    scripted(monkeypatch, answer)
    assert len(rewording.reword(PROMPTS, ROUTING, ONE, 3)) == 2


def test_a_field_may_be_called_template(monkeypatch):
    client = scripted(monkeypatch, lambda text: "no")
    rewording.reword([Prompt("Sort {template}: now")], ROUTING, ONE, 1)
    assert "braces ({template}) exactly" in client.asked[0]
