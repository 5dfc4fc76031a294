"""What the terminal says of models that write well, badly and nothing at all."""

import io
import json

import pytest
from rich.console import Console

from chat_server import ChatServer
from paft.bank.generate.generators import Generators
from paft.bank.generate.live import LiveCalls, remarks
from paft.bank.generate.outcome import Generated, Tally
from paft.bank.generate.request_log import request_log_path
from paft.bank.screen import Screened

pytest.importorskip("openai")


@pytest.fixture
def generators(tmp_path):
    """Return a function that writes a generators file for models of a running endpoint."""
    with ChatServer(tmp_path / "log", broken=0.3) as server:

        def write(*models):
            path = tmp_path / "generators.yaml"
            listed = [{"name": model, "model": model, "base_url": server.url, "seed": 5} for model in models]
            # JSON is YAML.
            path.write_text(json.dumps({"generators": listed, "retries": 1, "per_call": 4}))
            return path

        yield write


def test_each_model_is_told_of_and_a_useless_one_spoils_nothing(paft, own_desk, generators, tmp_path):
    output = tmp_path / "pool.jsonl"
    code, out, err = paft(
        "bank", "generate", "--task", own_desk / "task.yaml", "--output", output,
        "--generators", generators("good", "useless"),
    )  # fmt: skip
    rows = [line.split() for line in out.splitlines() if line.startswith((" good", " useless", " all"))]
    good, useless, everyone = rows
    assert code == 0, err
    assert useless[:6] == ["useless", "40", "0", "0", "20", "20"]
    assert int(good[3]) == int(everyone[3]) == len(output.read_text().splitlines())
    assert "useless: none of its 20 replies holds a template" in out
    rejected = [json.loads(line) for line in (tmp_path / "pool.rejected.jsonl").read_text().splitlines()]
    assert len(rejected) == int(good[2]) - int(good[3])
    assert rejected and f"good: {len(rejected)} of {good[2]} left out: " in out
    assert all(f"{row['reason']} " in out for row in rejected)


def test_when_no_reply_holds_a_template_no_bank_is_written(paft, own_desk, generators, tmp_path):
    output = tmp_path / "pool.jsonl"
    code, _, err = paft(
        "bank", "generate", "--task", own_desk / "task.yaml", "--output", output,
        "--generators", generators("useless"),
    )  # fmt: skip
    assert code == 2
    assert "no reply holds a template" in err and str(request_log_path(output)) in err
    assert sorted(path.name for path in tmp_path.glob("pool*")) == [request_log_path(output).name]


@pytest.mark.parametrize(
    ("left_out", "lines"),
    [(0, []), (3, ["m: 3 more not taken: repeats within a call, or more than asked for"])],
)
def test_templates_that_were_not_taken_are_counted_aloud(left_out, lines):
    tally = Tally(4, 4, left_out, 1, 0, 10, 10, 0.0)
    made = Generated([], {"m": tally}, {}, "", complete=True)
    assert remarks(made, Screened((), ())) == lines


def test_what_an_endpoint_says_is_no_markup(task):
    console = Console(file=io.StringIO(), force_terminal=True, width=200)
    live = LiveCalls(console, task, Generators(generators=[{"name": "a", "model": "m"}]))
    with live:
        live.failed("a", "no route [/v1/chat] here")
    console.print(live._table())
    assert "no route [/v1/chat] here" in console.file.getvalue()
