"""Batches are computed once, whoever dies in between and whoever shares the work."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from paft.errors import DataError, ModelError, PaftError, ResumeError
from paft.evaluate.log import EvaluationLog, run_batches

BATCHES = [[1, 2, 3], [4], [5, 6], [7, 8, 9, 10]]


def halves(batch):
    """A result that only survives if floats keep every bit."""
    return [[value / 3, f"{value}"] for value in batch]


EXPECTED = [halves(batch) for batch in BATCHES]


class Killed(BaseException):
    """Stands for kill -9."""


def run(compute=halves, batches=BATCHES, ledger=None, plan="p", **keys):
    return run_batches(batches, compute, plan=lambda: plan, ledger=ledger, **keys)


def test_without_a_ledger_everything_is_computed_in_order():
    told = []
    assert run(on_batch=told.append) == EXPECTED
    assert told == [0, 1, 2, 3]


@pytest.mark.parametrize("deaths", range(4))
def test_a_killed_run_computes_only_what_is_missing(tmp_path, deaths):
    seen = []

    def dying(batch):
        if len(seen) == deaths:
            raise Killed
        seen.append(batch)
        return halves(batch)

    with pytest.raises(Killed):
        run(dying, ledger=EvaluationLog(tmp_path, "test"))
    ledger, again, told = EvaluationLog(tmp_path, "test"), [], []
    assert run(lambda b: (again.append(b), halves(b))[1], ledger=ledger, on_batch=told.append) == EXPECTED
    assert again == BATCHES[deaths:]
    assert sorted(told) == [0, 1, 2, 3]
    ledger.remove()
    assert not list(tmp_path.iterdir())


@settings(max_examples=40, deadline=None)
@given(cut=st.integers(0, 400))
def test_a_file_torn_anywhere_costs_at_most_the_torn_batch(tmp_path_factory, cut):
    folder = tmp_path_factory.mktemp("torn")
    ledger = EvaluationLog(folder, "test")
    run(ledger=ledger)
    whole = ledger.path.read_bytes()
    ledger.path.write_bytes(whole[:cut])
    assert run(ledger=EvaluationLog(folder, "test")) == EXPECTED
    assert sorted(ledger.path.read_bytes().splitlines()) == sorted(whole.splitlines())


@pytest.mark.parametrize(("left", "world"), [(1, 2), (2, 1), (3, 2), (2, 3), (3, 5)])
def test_processes_share_what_others_in_whatever_number_left(tmp_path, left, world, monkeypatch):
    for rank in range(left):  # each had done one batch when all were killed
        ledger = EvaluationLog(tmp_path, "test", rank=rank, world=left)
        ledger.begin("p")
        ledger.append(rank, halves(BATCHES[rank]))
    computed, barrier = [], threading.Barrier(world)
    monkeypatch.setattr(EvaluationLog, "wait", lambda self: barrier.wait(timeout=30))

    def counting(batch):
        computed.append(batch)
        return halves(batch)

    with ThreadPoolExecutor(world) as pool:
        ranks = [EvaluationLog(tmp_path, "test", rank=rank, world=world) for rank in range(world)]
        assert list(pool.map(lambda ledger: run(counting, ledger=ledger), ranks)) == [EXPECTED] * world
    assert sorted(computed) == sorted(BATCHES[left:])


def test_a_ledger_of_another_plan_is_refused(tmp_path):
    run(ledger=EvaluationLog(tmp_path, "test"))
    with pytest.raises(ResumeError, match="begun with other prompts"):
        run(ledger=EvaluationLog(tmp_path, "test"), plan="q")


@pytest.mark.parametrize(
    "text", ["{}\n", "[1]\n", "nonsense\n", '{"ledger": 1, "plan": "p"}\n{"a": 1, "b": 2}\n']
)
def test_a_file_that_is_no_ledger_is_named(tmp_path, text):
    path = EvaluationLog(tmp_path, "test").path
    path.write_text(text)
    with pytest.raises(DataError, match="is no log of an evaluation"):
        run(ledger=EvaluationLog(tmp_path, "test"))
    assert path.read_text() == text


def test_two_matrices_share_a_folder(tmp_path):
    run(ledger=EvaluationLog(tmp_path, "test"))
    assert run(lambda batch: [0] * len(batch), ledger=EvaluationLog(tmp_path, "user"), plan="q")[0] == [
        0,
        0,
        0,
    ]
    assert json.loads(EvaluationLog(tmp_path, "test").path.read_text().splitlines()[0])["plan"] == "p"


def test_when_memory_runs_out_a_batch_is_halved(monkeypatch):
    monkeypatch.setattr(torch.accelerator, "empty_cache", lambda: None)
    sizes = []

    def small_memory(batch):
        sizes.append(len(batch))
        if len(batch) > 2:
            raise torch.OutOfMemoryError
        return halves(batch)

    assert run(small_memory) == EXPECTED
    assert sizes == [3, 1, 2, 1, 2, 4, 2, 2]


def test_a_single_request_that_does_not_fit_says_what_to_do(monkeypatch):
    monkeypatch.setattr(torch.accelerator, "empty_cache", lambda: None)

    def no_memory(batch):
        raise torch.OutOfMemoryError

    with pytest.raises(ModelError, match="lower max_length"):
        run(no_memory)


def test_results_that_were_changed_after_they_were_written_are_noticed(tmp_path):
    ledger = EvaluationLog(tmp_path, "test")
    run(ledger=ledger)
    lines = ledger.path.read_text("utf-8").splitlines()
    for changed in (lines[2].replace("1.333", "1.334"), lines[2].replace("[1,", "[2,", 1)):
        assert changed != lines[2]
        ledger.path.write_text("\n".join([*lines[:2], changed, *lines[3:], ""]), "utf-8")
        with pytest.raises(DataError, match=r"ledger-0\.jsonl:3: the results were damaged.*remove the line"):
            run(ledger=EvaluationLog(tmp_path, "test"))


def test_a_ledger_of_a_version_without_digests_is_read(tmp_path):
    ledger = EvaluationLog(tmp_path, "test")
    run(ledger=ledger)
    head, *rows = map(json.loads, ledger.path.read_text("utf-8").splitlines())
    ledger.path.write_text("".join(json.dumps(row) + "\n" for row in [head, *(r[:2] for r in rows)]), "utf-8")
    assert (
        run(lambda batch: pytest.fail("computed again"), ledger=EvaluationLog(tmp_path, "test")) == EXPECTED
    )


@pytest.mark.parametrize("row", ["[" * 100_000, "[0, 1]", "[0, []]", "[-1, [1]]", '[0, {"0": 1}]'])
def test_a_row_that_is_no_batch_is_named(tmp_path, row):
    path = EvaluationLog(tmp_path, "test").path
    path.write_text(f'{{"ledger": 1, "plan": "p"}}\n{row}\n')
    with pytest.raises(DataError, match="is no log of an evaluation"):
        run(ledger=EvaluationLog(tmp_path, "test"))


def test_a_folder_in_the_ledgers_place_is_named(tmp_path):
    EvaluationLog(tmp_path, "test").path.mkdir()
    with pytest.raises(PaftError, match=r"ledger-0\.jsonl: Is a directory"):
        run(ledger=EvaluationLog(tmp_path, "test"))
