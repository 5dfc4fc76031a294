"""The ensemble: whatever the endpoints do and whenever the run dies, the same candidates come out."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from collections import Counter

import pytest

from chat_server import ChatServer
from paft.bank.generate import request_log
from paft.bank.generate.calls import plan
from paft.bank.generate.generators import Generators
from paft.bank.generate.request_log import request_log_path
from paft.bank.generate.run import generate
from paft.errors import ConfigError, PaftError, ResumeError
from paft.task.task import Task
from raw_server import Server, completion, send

pytest.importorskip("openai")
SECRET = "sk-very-secret-0123456789"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """An endpoint of which a third of the replies hold too little."""
    with ChatServer(tmp_path_factory.mktemp("server") / "log", broken=0.3) as running:
        yield running


@pytest.fixture(scope="module")
def undisturbed(server, task, tmp_path_factory):
    """What three models write when nothing goes wrong."""
    return generate(task, file_for(server), tmp_path_factory.mktemp("undisturbed") / "bank.jsonl")


def file_for(server, models=("m0", "m1", "m2"), own=None, **settings) -> Generators:
    """A generators file that asks each model for 2 x 6 prompts, 3 a call."""
    own = own or {}
    listed = [
        {"name": model, "model": model, "base_url": server.url, "seed": 5, **own.get(model, {})}
        for model in models
    ]
    numbers = {"few_shot": 6, "zero_shot": 6, "per_call": 3, "retry_wait": 0.001, **settings}
    return Generators.model_validate({"generators": listed, **numbers})


def test_no_file_has_the_key_that_an_endpoint_puts_into_its_replies(task, tmp_path, monkeypatch):
    monkeypatch.setenv("MY_KEY", SECRET)
    texts = [f"{SECRET} {SECRET.encode().hex()} say {i} of {{message}}:" for i in range(3)]
    with Server(lambda handler: send(handler, 200, completion(json.dumps({"prompts": texts})))) as echo:
        own = {"m0": {"api_key_env": "MY_KEY"}}
        found = generate(task, file_for(echo, models=["m0"], own=own), tmp_path / "bank.jsonl")
    assert found.candidates[0][0] == "*** say 0 of {message}:"
    written = [path.read_text("utf-8") for path in tmp_path.rglob("*") if path.is_file()]
    assert written
    assert not any("very" in text or SECRET.encode().hex() in text for text in written)


def dateless(generated):
    return [(text, {k: v for k, v in about.items() if k != "date"}) for text, about in generated.candidates]


def tokens(generated):
    return sum(tally.input_tokens + tally.output_tokens for tally in generated.tallies.values())


def cost(generated):
    return sum(tally.cost for tally in generated.tallies.values())


def recorded(output):
    """Call and attempt of every reply in the log."""
    lines = request_log_path(output).read_text(encoding="utf-8").split("\n")[1:]
    rows = [json.loads(line) for line in lines[:-1]]  # the last may be torn
    return [(row["call"], row["attempt"]) for row in rows]


def sent_as(calls, pairs):
    """What the server logs of requests: model and seed."""
    by_id = {call.id: call for call in calls}
    return {(by_id[name].generator.model, by_id[name].seed(attempt)) for name, attempt in pairs}


class Listener:
    def __init__(self):
        self.calls, self.retries, self.failures = Counter(), Counter(), {}

    def called(self, generator, candidates, tokens):
        self.calls[generator] += 1

    def retried(self, generator, why, wait):
        self.retries[why] += 1

    def failed(self, generator, why):
        self.failures[generator] = why


# --- what comes out ---------------------------------------------------------------------------


def test_every_model_brings_what_it_was_asked_for_in_the_order_of_the_plan(undisturbed, task, server):
    calls = plan(task, file_for(server))
    assert undisturbed.complete
    assert undisturbed.failures == {}
    assert undisturbed.stopped == ""
    order = [about["call"] for _, about in undisturbed.candidates]
    assert order == [call.id for call in calls for _ in range(call.count)]
    for tally in undisturbed.tallies.values():
        assert (tally.asked, tally.candidates) == (12, 12)
        assert tally.replies == 4 + tally.broken
    assert sum(tally.broken for tally in undisturbed.tallies.values()) > 0


def test_a_candidate_says_where_it_comes_from(undisturbed):
    template, about = undisturbed.candidates[0]
    assert isinstance(template, str)
    assert list(about)[:5] == ["source", "generator", "model", "strategy", "style"]
    assert list(about)[5:] == ["call", "attempt", "date", "temperature", "max_tokens", "seed"]
    assert (about["source"], about["generator"], about["strategy"]) == ("generated", "m0", "few-shot")


def test_the_order_of_arrival_does_not_matter(undisturbed, task, server, tmp_path):
    one_by_one = generate(task, file_for(server, concurrency=1), tmp_path / "bank.jsonl")
    assert dateless(one_by_one) == dateless(undisturbed)


def test_a_finished_run_asks_nobody_and_needs_no_key(task, server, tmp_path, monkeypatch):
    own = {"m0": {"api_key_env": "MY_KEY"}}
    monkeypatch.setenv("MY_KEY", SECRET)
    first = generate(task, file_for(server, own=own), tmp_path / "bank.jsonl")
    before = len(server.events())
    monkeypatch.delenv("MY_KEY")
    again = generate(task, file_for(server, own=own), tmp_path / "bank.jsonl")
    assert again == first
    assert len(server.events()) == before
    assert all(SECRET not in path.read_text(encoding="utf-8") for path in tmp_path.iterdir())


def test_a_model_that_never_does_as_asked_is_asked_so_often_and_kept_as_it_is(task, server, tmp_path):
    listener = Listener()
    generators = file_for(server, ["useless", "m1"], retries=2)
    found = generate(task, generators, tmp_path / "bank.jsonl", reporter=listener)
    assert found.complete
    assert found.tallies["useless"].candidates == 0
    assert found.tallies["useless"].broken == found.tallies["useless"].replies == 4 * 3
    assert found.tallies["m1"].candidates > 0
    assert listener.calls["useless"] == 12


# --- faults -----------------------------------------------------------------------------------


def run_with_faults(task, tmp_path, count, **settings):
    models = [f"model-{i}" for i in range(count)]
    listener = Listener()
    with ChatServer(tmp_path / "log", faults=0.3, broken=0.2, slow=3.0) as server:
        generators = file_for(server, models, timeout=2.0, concurrency=16, **settings)
        started = time.monotonic()
        found = generate(task, generators, tmp_path / "bank.jsonl", reporter=listener)
        seconds = time.monotonic() - started
        assert listener.failures == {}
        calls = plan(task, generators)
        answered = {(row["model"], row["seed"]) for row in server.events("reply")}
        assert answered == sent_as(calls, recorded(tmp_path / "bank.jsonl")), "no reply is lost or made up"
        assert len(set(recorded(tmp_path / "bank.jsonl"))) == len(recorded(tmp_path / "bank.jsonl"))
    return found, listener, seconds


@pytest.mark.slow
def test_ten_models_write_forty_prompts_each_through_thirty_percent_of_faults(task, tmp_path):
    found, listener, seconds = run_with_faults(task, tmp_path, 10, few_shot=20, zero_shot=20, per_call=10)
    assert found.complete
    assert len(found.candidates) == 400
    assert all(tally.candidates == 40 for tally in found.tallies.values())
    assert len(listener.retries) >= 4, "several kinds of faults were met"
    assert seconds < 60


def test_a_refused_key_loses_no_other_model_and_is_tried_again(task, server, tmp_path, monkeypatch):
    own = {"m1": {"api_key_env": "MY_KEY"}}
    monkeypatch.setenv("MY_KEY", f"wrong-{SECRET}")
    listener = Listener()
    found = generate(task, file_for(server, own=own), tmp_path / "bank.jsonl", reporter=listener)
    assert not found.complete
    assert set(found.failures) == {"m1"} == set(listener.failures)
    assert "MY_KEY" in found.failures["m1"]
    assert SECRET not in repr(found)
    assert {name: t.candidates for name, t in found.tallies.items()} == {"m0": 12, "m1": 0, "m2": 12}
    monkeypatch.setenv("MY_KEY", "right")
    before = len(server.events("request"))
    mended = generate(task, file_for(server, own=own), tmp_path / "bank.jsonl")
    assert mended.complete
    assert {row["model"] for row in server.events("request")[before:]} == {"m1"}


def test_a_failed_model_may_be_replaced(task, server, tmp_path):
    output = tmp_path / "bank.jsonl"
    wrong = file_for(server, own={"m1": {"model": "unknown"}})
    assert "404" in generate(task, wrong, output).failures["m1"]
    assert generate(task, file_for(server), output).complete


def test_a_missing_key_is_said_before_any_call(task, server, tmp_path, monkeypatch):
    monkeypatch.delenv("MY_KEY", raising=False)
    before = len(server.events())
    with pytest.raises(ConfigError, match=r"'m2' needs its key in the environment variable MY_KEY"):
        generate(task, file_for(server, own={"m2": {"api_key_env": "MY_KEY"}}), tmp_path / "bank.jsonl")
    assert len(server.events()) == before


# --- limits -----------------------------------------------------------------------------------


def test_a_request_that_a_filter_refuses_costs_its_generator_no_other(task, tmp_path):
    texts = [f"Where does {{message}} belong, in {word}?" for word in ("brief", "short", "full")]
    refusal = {"error": {"message": "filtered", "code": "content_filter"}}

    def answer(handler):
        filtered = len(filtering.seen) == 1
        body = refusal if filtered else completion(json.dumps({"prompts": texts}))
        send(handler, 400 if filtered else 200, body)

    with Server(answer) as filtering:
        settings, output = file_for(filtering, models=["m0"], concurrency=1), tmp_path / "bank.jsonl"
        found = generate(task, settings, output)
        assert (len(found.candidates), found.complete) == (9, False)
        assert "its content filter refused the request" in found.failures["m0"]
        again = generate(task, settings, output)
    assert (len(again.candidates), again.complete, again.failures) == (12, True, {})


def test_a_limit_of_tokens_stops_new_calls_and_a_higher_one_goes_on(undisturbed, task, server, tmp_path):
    output = tmp_path / "bank.jsonl"
    limit = tokens(undisturbed) // 3
    stopped = generate(task, file_for(server, concurrency=1), output, max_tokens_total=limit)
    assert not stopped.complete
    assert f"the limit of {limit} tokens is reached" in stopped.stopped
    assert limit <= tokens(stopped) < limit + 1500, "the call that crosses the limit is the last"
    again = generate(task, file_for(server, concurrency=1), output, max_tokens_total=limit)
    assert again == stopped
    done = generate(task, file_for(server, concurrency=1), output, max_tokens_total=10**6)
    assert done.complete
    assert dateless(done) == dateless(undisturbed)


@pytest.mark.parametrize("usage", [{}, {"prompt_tokens": -(10**30), "completion_tokens": 0}])
def test_a_limit_of_tokens_holds_where_the_endpoint_does_not_count(task, tmp_path, usage):
    texts = [f"Say {i} of {{message}}:" for i in range(3)]
    body = completion(json.dumps({"prompts": texts}), **usage)
    with Server(lambda handler: send(handler, 200, body)) as uncounting:
        settings = file_for(uncounting, concurrency=1, own={"m0": {"max_tokens": 500}})
        stopped = generate(task, settings, tmp_path / "bank.jsonl", max_tokens_total=2000)
    assert "the limit of 2000 tokens is reached" in stopped.stopped
    assert "replies without a count taken for the most they can be" in stopped.stopped
    replies = sum(tally.replies for tally in stopped.tallies.values())
    assert 1 <= replies <= 4, "each may have 500 tokens, and its request as many as it has bytes"
    assert tokens(stopped) < 2000 * replies, "what is shown stays an estimate"


def test_a_limit_of_cost_stops_too_and_needs_prices(undisturbed, task, server, tmp_path):
    with pytest.raises(ConfigError, match="needs prices"):
        generate(task, file_for(server), tmp_path / "bank.jsonl", max_cost=1.0)
    own = {name: {"price_input": 10, "price_output": 30} for name in ("m0", "m1", "m2")}
    found = generate(task, file_for(server, own=own), tmp_path / "bank.jsonl", max_cost=0.02)
    assert "0.02 US dollars" in found.stopped
    assert 0.02 <= cost(found) < 0.1
    assert generate(task, file_for(server, own=own), tmp_path / "bank.jsonl", max_cost=9).complete


# --- going on ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"own": {"m1": {"temperature": 0.5}}}, "'m1' with temperature 1.0, not 0.5"),
        ({"own": {"m1": {"model": "other"}}}, "model 'm1' as 'm1', not 'other'"),
        ({"models": ("m0", "m2")}, r"reply to m1/\w+-shot/\d, which the generators file no longer asks for"),
        ({"per_call": 4}, "in other words"),
    ],
)
def test_changed_generators_are_refused_and_named(task, server, tmp_path, change, named):
    generate(task, file_for(server), tmp_path / "bank.jsonl")
    with pytest.raises(ResumeError, match=named):
        generate(task, file_for(server, **change), tmp_path / "bank.jsonl")


def test_a_changed_task_and_changed_instructions_are_refused(task, server, tmp_path, monkeypatch):
    generators = file_for(server, ["m0"])
    generate(task, generators, tmp_path / "bank.jsonl")
    other = Task.model_validate({**task.model_dump(), "description": "Something else."})
    with pytest.raises(ResumeError, match="task changed"):
        generate(other, generators, tmp_path / "bank.jsonl")
    monkeypatch.setattr("paft.bank.generate.meta_prompts.OPENING", "Write!")
    with pytest.raises(ResumeError, match="instructions changed"):
        generate(task, generators, tmp_path / "bank.jsonl")


def test_what_does_not_change_a_reply_may_change(task, server, tmp_path):
    first = generate(task, file_for(server), tmp_path / "bank.jsonl")
    own = {"m1": {"price_input": 3.0}}
    other = file_for(server, own=own, concurrency=1, timeout=9, retry_wait=0.5)
    thresholds = Task.model_validate({**task.model_dump(), "thresholds": (0.5,)})
    again = generate(thresholds, other, tmp_path / "bank.jsonl")
    assert again.candidates == first.candidates
    assert cost(again) > 0


def test_a_full_disk_ends_the_run_at_once_and_is_no_failure_of_a_model(task, server, tmp_path, monkeypatch):
    def full(self, record):
        raise PaftError("cannot write: disk full")

    before = len(server.events("request"))
    with monkeypatch.context() as patch, pytest.raises(PaftError, match="disk full"):
        patch.setattr(request_log.RequestLog, "append", full)
        generate(task, file_for(server, concurrency=2), tmp_path / "bank.jsonl")
    assert len(server.events("request")) - before <= 6
    assert generate(task, file_for(server), tmp_path / "bank.jsonl").complete


class Killed(BaseException):
    """Stands for kill -9: nobody catches it."""


def test_killed_before_and_after_every_reply_is_written_the_candidates_are_the_same(
    undisturbed, task, server, tmp_path, monkeypatch
):
    output = tmp_path / "bank.jsonl"
    generators = file_for(server, ["m0"], concurrency=1)
    original, died = request_log.RequestLog.append, []

    def append(self, record):
        for moment in ("before", "torn", "after"):
            place = (record.call, record.attempt, moment)
            if place not in died:
                died.append(place)
                if moment == "torn":
                    with self.path.open("ab") as file:
                        file.write(record.model_dump_json()[:50].encode())
                elif moment == "after":
                    original(self, record)
                raise Killed
        original(self, record)

    monkeypatch.setattr(request_log.RequestLog, "append", append)
    for _ in range(200):
        try:
            found = generate(task, generators, output)
            break
        except Killed:
            continue
    assert len(died) >= 3 * 4
    assert dateless(found) == dateless(undisturbed)[:12]
    assert found.complete


COMMAND = """
import json, sys
from paft.bank.generate.run import generate
from paft.bank.generate.generators import Generators
from paft.task.task import load_task
found = generate(load_task(sys.argv[1]), Generators.from_yaml(sys.argv[2]), sys.argv[3])
assert found.complete
print(json.dumps(found.candidates))
"""


def kill_and_go_on(task, desk, tmp_path, *, models, kills):
    """Kill a real process so often, then let it finish; compare with a run that nothing disturbed."""
    draw = random.Random(models * 100 + kills)
    output = tmp_path / "bank.jsonl"
    with ChatServer(tmp_path / "log", faults=0.2, broken=0.3, slow=3.0, delay=0.1) as server:
        generators = file_for(server, [f"m{i}" for i in range(models)], timeout=2.0)
        settings = tmp_path / "G.yaml"
        settings.write_text(generators.model_dump_json(), encoding="utf-8")  # JSON is YAML
        arguments = [str(desk / "task.yaml"), str(settings), str(output)]
        command = [sys.executable, "-c", COMMAND, *arguments]
        size, gone = 0, []
        for _ in range(kills):
            process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
            aim = size + draw.randrange(100, 5000)
            while process.poll() is None and output_size(output) < aim:
                time.sleep(0.002)
            time.sleep(draw.random() / 20)
            process.kill()
            assert process.wait() == -signal.SIGKILL, "it ended before it could be killed"
            size = output_size(output)
            kept = recorded(output)
            gone.append((len(server.events("request")), sent_as(plan(task, generators), kept)))
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        sent = [(row["model"], row["seed"]) for row in server.events("request")]
        for seen, known in gone:
            assert not set(sent[seen:]) & known, "no call is repeated whose reply was recorded"
        assert recorded(output)[: len(kept)] == kept
        undisturbed = generate(task, generators, tmp_path / "other.jsonl")
    found = [(text, {**about, "date": ""}) for text, about in json.loads(done.stdout)]
    assert found == [(text, {**about, "date": ""}) for text, about in undisturbed.candidates]


def output_size(output):
    path = request_log_path(output)
    return path.stat().st_size if path.exists() else 0


@pytest.mark.slow
def test_kill_9_of_a_real_process(task, desk, tmp_path):
    kill_and_go_on(task, desk, tmp_path, models=2, kills=1)


@pytest.mark.slow
def test_kill_9_of_a_real_process_five_times(task, desk, tmp_path):
    kill_and_go_on(task, desk, tmp_path, models=10, kills=5)
