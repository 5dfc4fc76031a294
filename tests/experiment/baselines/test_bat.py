"""Rewriting raises the worst case; without the rewriting, or without the attack, it does not."""

import json

import pytest

from chat_server import ChatServer
from paft.bank.generate.generators import Generators
from paft.errors import DataError, ModelError
from paft.experiment.baselines import bat as search
from paft.experiment.baselines import writers
from paft.experiment.baselines.bat import ATTACKS, Attacked, attack, bat
from paft.experiment.baselines.scores import Measured, Scores
from paft.experiment.baselines.writers import BankWriter, ModelWriter
from paft.files import fingerprint, write_json
from paft.model.endpoint import Reply
from paft.prompt import Prompt

BUDGET = 60
# Words the server ends its templates with. A model that looks for them as they are spelled is
# helpless when letter case changes; arrows have none.
SPELLED, ARROWS = ("Answer:", "Team:", "Choice:", "Label ="), ("->", "=>")


def accuracy(prompt):
    if any(word in prompt.template for word in SPELLED):
        return 0.9
    return 0.8 if any(arrow in prompt.template for arrow in ARROWS) else 0.2


def fresh():
    return Scores(lambda prompts: [Measured(accuracy(prompt)) for prompt in prompts], BUDGET)


def worst(prompt, task):
    return attack(prompt, task, Scores(lambda ps: [Measured(accuracy(p)) for p in ps]), ATTACKS, 0, {}).worst


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with ChatServer(tmp_path_factory.mktemp("server") / "log.jsonl") as running:
        yield running


@pytest.fixture
def own():
    return Prompt("What is this about? {message}\nTeam:")


def generators(url, **settings):
    return Generators(
        generators=[{"name": "a", "model": "m", "base_url": url}], retries=0, retry_wait=0.0, **settings
    )


@pytest.fixture
def writer(server, task, tmp_path):
    return ModelWriter(task, generators(server.url), tmp_path, seed=0)


def test_the_worst_case_rises(own, task, writer):
    assert worst(own, task) == 0.2
    scores = fresh()
    found = bat(own, task, writer, scores, seed=0)
    assert worst(found.prompt, task) == 0.8
    assert found.prompt.provenance["source"] == "bat" and found.origin["origin"] == "rewrite"
    assert len(scores.trace) <= BUDGET


def test_without_rewriting_it_does_not(own, task, writer, monkeypatch):
    monkeypatch.setattr(writer, "rewrites", lambda current, failures, tried, count: [])
    assert worst(bat(own, task, writer, fresh(), seed=0).prompt, task) == 0.2


def test_without_the_attack_it_does_not(own, task, writer, monkeypatch):
    def no_attack(prompt, task, scores, kinds, seed, origin):
        return Attacked(scores([(prompt, origin)])[0], {})

    monkeypatch.setattr(search, "attack", no_attack)
    assert worst(bat(own, task, writer, fresh(), seed=0).prompt, task) == 0.2


@pytest.mark.parametrize("budget", [2, 9, 10, 11, 25, 40])
def test_no_budget_is_exceeded_and_the_worst_case_never_falls(own, task, writer, budget):
    scores = Scores(lambda prompts: [Measured(accuracy(prompt)) for prompt in prompts], budget)
    assert worst(bat(own, task, writer, scores, seed=0).prompt, task) >= 0.2
    assert len(scores.trace) <= budget


def test_a_model_is_shown_the_prompt_and_what_failed(own, task, writer, tmp_path):
    scores = fresh()
    current = attack(own, task, scores, ATTACKS, 0, {})
    failures = [current.versions[kind] for kind in current.harmful(3)]
    writer.rewrites(current, failures, [own], 2)
    [reply] = tmp_path.iterdir()
    text = json.loads(reply.read_text(encoding="utf-8"))["request"]
    assert own.template in text and "90.0% of the examples" in text and "exactly 2 templates" in text
    assert len(failures) == 3
    assert all(f"- 20.0% right with {failure.prompt.template!r}" in text for failure in failures)


def test_replies_are_kept_so_nobody_is_asked_twice(own, task, server, tmp_path):
    first = bat(own, task, ModelWriter(task, generators(server.url), tmp_path, 0), fresh(), seed=0)
    calls = len(server.events("request"))
    nowhere = ModelWriter(task, generators("http://127.0.0.1:9/v1"), tmp_path, 0)
    assert bat(own, task, nowhere, fresh(), seed=0) == first
    assert len(server.events("request")) == calls > 0
    elsewhere = ModelWriter(task, generators("http://127.0.0.1:9/v1"), tmp_path / "new", 0)
    with pytest.raises(ModelError):
        bat(own, task, elsewhere, fresh(), seed=0)


def test_replies_without_a_usable_template_end_the_search(own, task, server, tmp_path):
    useless = Generators(generators=[{"name": "a", "model": "useless", "base_url": server.url}])
    writer = ModelWriter(task, useless, tmp_path, 0)
    assert bat(own, task, writer, fresh(), seed=0).prompt == own
    assert len(list(tmp_path.iterdir())) == writers.TRIES


def test_rewrites_are_screened(own, task, tmp_path, monkeypatch):
    bad = ["No field at all, is there?", "{message} {massage} Team ->", own.template]
    good = "Consider what {message} may be about and say which subject fits ->"

    class Client:
        def ask(self, messages, name, seed, retried):
            return Reply(json.dumps({"weakness": "the cue", "prompts": [*bad, good]}), 1, 1)

        def close(self):
            pass

    monkeypatch.setattr(writers, "open_client", lambda generator, settings: Client())
    current = attack(own, task, fresh(), [], 0, {})
    offered = ModelWriter(task, generators("http://127.0.0.1:9/v1"), tmp_path, 0).rewrites(
        current, [], [own], 3
    )
    assert [prompt.template for prompt in offered] == [good]


def test_without_a_model_the_nearest_training_prompts_are_offered(own, task, bank):
    near = Prompt("What is this about, please? {message}\nTopic:")
    writer = BankWriter([*bank.prompts("train"), near])
    current = attack(own, task, fresh(), [], 0, {})
    first, *others = writer.rewrites(current, [], [own], 9)
    assert first == near and len(others) == len(bank.prompts("train"))
    assert near not in writer.rewrites(current, [], [own, near], 9)
    assert len(writer.rewrites(current, [], [own], 2)) == 2


@pytest.mark.parametrize(
    "change",
    [
        lambda row: row | {"reply": "other"},
        lambda row: {"reply": "text"},
        lambda row: {"reply": 1},
        lambda row: [],
    ],
)
def test_a_reply_that_was_changed_on_the_disk_is_noticed(tmp_path, change):
    row = {"request": "r", "generator": "g", "reply": "text"}
    path = tmp_path / "reply-1.json"
    write_json(path, {**row, "digest": fingerprint(row)})
    assert writers._recorded(path) == "text"
    write_json(path, change({**row, "digest": fingerprint(row)}))
    with pytest.raises(DataError, match=r"reply-1\.json is damaged: delete it"):
        writers._recorded(path)
