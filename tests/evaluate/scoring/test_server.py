"""A model behind a server: scored by what it writes, through faults, failures and kills alike."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from paft.errors import ConfigError, ModelError, ResumeError
from paft.evaluate.cells import evaluate_matrix
from paft.evaluate.log import EvaluationLog
from paft.evaluate.matrix import Matrix
from paft.evaluate.scoring.server import ServedModel, Server
from paft.experiment.evaluate import EvaluateConfig, evaluate
from paft.task.task import Task
from scripted_server import SECRET

pytest.importorskip("openai")
CELLS = 3 * 10 + 10  # test prompts and the user's own, 10 examples


@pytest.fixture
def settings(desk, server, tmp_path, monkeypatch):
    """Return a function that makes a configuration; the key is in the environment."""
    monkeypatch.setenv("MY_KEY", SECRET)

    def make(name="out", **changes):
        asked = {
            "base_url": server.url, "api_key_env": "MY_KEY", "retries": 3, "retry_wait": 0.001,
            **changes.pop("server", {}),
        }  # fmt: skip
        values = {
            "task": str(desk / "task.yaml"), "bank": str(desk / "bank.jsonl"), "backend": "openai",
            "model": "org/served", "output": str(tmp_path / name), "server": asked,
        }  # fmt: skip
        return EvaluateConfig(**{**values, **changes})

    return make


def by_topic(text, body):
    """Replies of every kind: plain, in a sentence, of two topics, of none."""
    kinds = ["Cash.", "It is about a refund", "cash or a refund? Hard to say: either cash or refund", "Hm"]
    return ["either cash or refund" if kind.startswith("cash or") else kind for kind in kinds][len(text) % 4]


def expected(text):
    return {"Cash.": "cash", "It is about a refund": "refund"}.get(by_topic(text, {}))


def files(output):
    """The matrices, and all figures but times."""
    found = {path.name: path.read_bytes() for path in sorted(output.rglob("*.parquet"))}
    results = json.loads((output / "results.json").read_text())
    for key in ("rows", "per_prompt"):
        found[key] = [{k: v for k, v in row.items() if not k.endswith("seconds")} for row in results[key]]
    found["scoring"] = results["scoring"]
    return found


def test_labels_are_read_from_replies_and_the_run_says_so(server, settings, bank, test_examples, tmp_path):
    server.reply = by_topic
    results = evaluate(settings())
    matrix = Matrix.load(tmp_path / "out" / "trials" / "served" / "test.parquet")
    places = [(p, e) for p in bank.prompts("test") for e in test_examples]
    for cell, (prompt, example) in zip(matrix.cells, places, strict=True):
        text = prompt.render(example.values)
        assert cell.prediction == expected(text)
        assert cell.parsed == (expected(text) is not None)
        assert cell.score == float(expected(text) == example.gold)
        assert cell.tokens == len(by_topic(text, {}).split())
        assert (cell.context_tokens, cell.log_probabilities) == (len(text), ())
    assert 0 < matrix.scores.sum() < matrix.parsed.sum() < matrix.parsed.size
    scoring = results["scoring"]
    assert (scoring["backend"], scoring["by"], scoring["rule"]) == ("openai", "generation", "label")
    assert scoring["parse_rate"] == matrix.parsed.mean()
    assert scoring["accuracy_given_parsed"] == pytest.approx(matrix.scores.sum() / matrix.parsed.sum())
    assert scoring["tokens_per_answer"] == np.mean([cell.tokens for cell in matrix.cells])
    assert results["robustness"][0]["parse_rate"] == scoring["parse_rate"]


def test_requests_are_greedy_and_bounded_in_length_and_number(server, settings):
    evaluate(settings(server={"concurrency": 3, "max_tokens": 7}))
    assert len(server.bodies) == CELLS
    assert 1 < server.most <= 3
    assert set(server.paths) == {"/v1/chat/completions"}
    for body in server.bodies:
        (message,) = body.pop("messages")
        assert message["role"] == "user"
        assert body == {
            "model": "org/served", "temperature": 0.0, "max_tokens": 7, "repetition_penalty": 1.0
        }  # fmt: skip


def test_a_system_turn_goes_before_and_plain_completions_have_no_turns(server, settings):
    evaluate(settings("chat", chat={"enabled": True, "system": "Be brief."}))
    assert {body["messages"][0]["content"] for body in server.bodies} == {"Be brief."}
    server.bodies.clear()
    evaluate(settings("plain", server={"completions": True}))
    assert set(server.paths[CELLS:]) == {"/v1/completions"}
    assert all("messages" not in body and body["prompt"] for body in server.bodies)
    assert {body["max_tokens"] for body in server.bodies} == {64}


def test_seconds_are_shared_out_by_tokens(server, settings):
    rows = [row for row in evaluate(settings())["per_prompt"] if row["split"] == "test"]
    (total,) = {r["eval_seconds"] for r in evaluate(settings())["rows"] if r["split"] == "test"}
    used = np.array([row["context_tokens"] + row["tokens"] for row in rows])
    np.testing.assert_allclose([row["seconds"] for row in rows], total * used / used.sum(), atol=1e-4)


@pytest.mark.slow
def test_passing_faults_change_nothing(server, settings, tmp_path):
    server.reply = by_topic
    evaluate(settings("calm"))
    server.seen.clear()
    server.fault = lambda text, nth: (429, 503, None)[nth - 1] if len(text) % 2 else None
    evaluate(settings("stormy"))
    assert files(tmp_path / "stormy") == files(tmp_path / "calm")
    assert set(server.seen.values()) == {1, 3}


def test_a_cell_that_cannot_be_had_is_named_and_the_rest_is_kept(server, settings, bank, tmp_path):
    server.reply = by_topic
    evaluate(settings("calm"))
    server.seen.clear()
    bad = bank.prompts("test")[1]
    example = Task.from_yaml(Path(settings().task)).examples("test")[6]
    hopeless = bad.render(example.values)
    server.fault = lambda text, nth: 400 if text == hopeless else None
    with pytest.raises(ModelError, match=f"prompt {bad.id} on example 6: the evaluated model .*400") as error:
        evaluate(settings())
    assert SECRET not in str(error.value)
    assert not list((tmp_path / "out").rglob("test.parquet"))
    (log,) = (tmp_path / "out").rglob("*log*")
    kept = len(log.read_text().splitlines()) - 1
    assert kept == len(server.bodies) - CELLS - 1 >= 10
    server.fault = lambda text, nth: None
    evaluate(settings())
    assert files(tmp_path / "out") == files(tmp_path / "calm")
    assert server.seen[hopeless] == 2
    assert set((server.seen - Counter({hopeless: 1})).values()) == {1}  # nothing recorded is asked for again


def test_a_server_that_stays_busy_is_given_up_with_the_cell(server, settings):
    server.fault = lambda text, nth: 429
    with pytest.raises(ModelError, match=r"prompt \w+ on example \d+: .*429 \(4 tries\)"):
        evaluate(settings())


@pytest.mark.slow
def test_killed_behind_any_reply_the_same_files_come_out(server, settings, monkeypatch, tmp_path):
    class Killed(BaseException):
        pass

    server.reply = by_topic
    evaluate(settings("calm"))
    append, kept = EvaluationLog.append, 0

    def dying(self, number, results):
        nonlocal kept
        append(self, number, results)
        kept += 1
        if kept % 5 == 0:
            raise Killed

    monkeypatch.setattr(EvaluationLog, "append", dying)
    for _ in range(CELLS):
        try:
            evaluate(settings())
        except Killed:
            continue
        break
    assert kept == CELLS  # each reply was recorded once
    assert files(tmp_path / "out") == files(tmp_path / "calm")
    assert not list((tmp_path / "out").rglob("*log*"))


def test_the_key_is_in_no_file(server, settings, tmp_path):
    evaluate(settings())
    assert not [
        path for path in tmp_path.rglob("*") if path.is_file() and SECRET.encode() in path.read_bytes()
    ]


def test_how_the_server_was_asked_belongs_to_the_identity_but_not_how_hard_it_was_tried(server, settings):
    evaluate(settings())
    asked = len(server.bodies)
    evaluate(settings(server={"concurrency": 2, "retries": 0}))
    assert len(server.bodies) == asked
    with pytest.raises(ResumeError, match=r"server\.completions"):
        evaluate(settings(server={"completions": True}))
    with pytest.raises(ResumeError, match=r"server\.base_url"):
        evaluate(settings(server={"base_url": "http://127.0.0.1:9/v1"}))


def test_a_run_of_another_backend_is_not_gone_on_with(settings, model_folder, desk, tmp_path):
    plain = EvaluateConfig(
        task=str(desk / "task.yaml"), bank=str(desk / "bank.jsonl"), model=str(model_folder),
        output=str(tmp_path / "out"),
    )  # fmt: skip
    evaluate(plain)
    assert json.loads((tmp_path / "out" / "run.json").read_text())["scored by"] == "likelihood"
    with pytest.raises(ResumeError, match="backend: 'hf' there, 'openai' now"):
        evaluate(settings())


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"adapter": "runs/adapter"}, "a server loads its adapters itself"),
        ({"backend": "hf"}, "needs --backend openai"),
        ({"chat": {"enabled": True}, "server": {"completions": True}}, "exclude each other"),
        ({"server": {"base_url": "localhost:8000"}}, "must begin with http"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(settings, changes, said):
    with pytest.raises(ConfigError, match=said):
        settings(**changes)


def test_a_served_model_must_be_named(tmp_path):
    with pytest.raises(ConfigError, match="name one with --model"):
        EvaluateConfig(backend="openai", output=str(tmp_path))


def test_a_missing_key_is_named_before_anything_is_written(settings, monkeypatch, tmp_path):
    config = settings()
    monkeypatch.delenv("MY_KEY")
    with pytest.raises(ConfigError, match="environment variable MY_KEY"):
        evaluate(config)
    assert not (tmp_path / "out").exists()


def test_several_processes_are_refused(settings, monkeypatch):
    from paft.experiment import evaluate as evaluation

    monkeypatch.setattr(evaluation, "processes", lambda: (0, 2))
    with pytest.raises(ConfigError, match="single process"):
        evaluate(settings())


def test_open_answers_are_read_by_their_rule(server):
    rows = [{"question": f"What is {i} + {i}?", "answer": str(2 * i)} for i in range(4)]
    task = Task(
        name="sums", fields={"question": "a question"}, answer={"rule": "number"},
        data={"train": rows, "test": rows}, prompt="{question} =",
    )  # fmt: skip
    server.reply = lambda text, body: "no idea" if "3" in text else "It is 2."
    served = ServedModel("m", Server(base_url=server.url))
    matrix = evaluate_matrix(served, task, task.prompts, task.examples("test"))
    assert [cell.prediction for cell in matrix.cells] == ["2", "2", "2", None]
    assert matrix.scores.tolist() == [[0, 1, 0, 0]]
    assert {body["max_tokens"] for body in server.bodies} == {24}


def test_identical_rendered_prompts_are_asked_once(server, task, bank, test_examples):
    served = ServedModel("m", Server(base_url=server.url))
    told = []
    same = [dataclasses.replace(e, index=e.index + 100 * turn) for turn in range(3) for e in test_examples]
    evaluate_matrix(served, task, bank.prompts("test")[:1], same, on_cells=told.append)
    assert len(server.bodies) == len(test_examples)
    assert sum(told) == 3 * len(test_examples)


def test_part_of_the_cells_can_be_asked_for(server, settings):
    results = evaluate(settings(budget_evals=12))
    assert len(server.bodies) == 12 == results["budget"]["cells"]
    assert results["scoring"]["parse_rate"] == 1.0


def test_the_command_line_says_how_labels_were_judged(server, paft, desk, tmp_path):
    server.reply = by_topic
    code, out, err = paft(
        "evaluate", "--task", desk / "task.yaml", "--bank", desk / "bank.jsonl", "--backend", "openai",
        "--base-url", server.url, "--model", "served", "--examples", 4, "--output", tmp_path / "out",
    )  # fmt: skip
    assert code == 0, err
    assert "Scored by generation (rule label)" in out and "% of answers readable" in out
