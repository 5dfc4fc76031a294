"""Batches are computed once, whoever dies in between and whoever shares the work."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from paft.errors import DataError, ModelError, PaftError, ResumeError
from paft.evaluate.log import EvaluationLog, run_batches, run_unique

BATCHES = [[1, 2, 3], [4], [5, 6], [7, 8, 9, 10]]


def halves(batch):
    """A result that only survives if floats keep every bit."""
    return [[value / 3, f"{value}"] for value in batch]


EXPECTED = [halves(batch) for batch in BATCHES]


class Killed(BaseException):
    """Stands for kill -9."""


def run(compute=halves, batches=BATCHES, log=None, plan="p", **keys):
    return run_batches(batches, compute, plan=lambda: plan, log=log, **keys)


def test_without_a_log_everything_is_computed_in_order():
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
        run(dying, log=EvaluationLog(tmp_path, "test"))
    log, again, told = EvaluationLog(tmp_path, "test"), [], []
    assert run(lambda b: (again.append(b), halves(b))[1], log=log, on_batch=told.append) == EXPECTED
    assert again == BATCHES[deaths:]
    assert sorted(told) == [0, 1, 2, 3]
    log.remove()
    assert not list(tmp_path.iterdir())


@settings(max_examples=40, deadline=None)
@given(cut=st.integers(0, 400))
def test_a_file_torn_anywhere_costs_at_most_the_torn_batch(tmp_path_factory, cut):
    folder = tmp_path_factory.mktemp("torn")
    log = EvaluationLog(folder, "test")
    run(log=log)
    whole = log.path.read_bytes()
    log.path.write_bytes(whole[:cut])
    assert run(log=EvaluationLog(folder, "test")) == EXPECTED
    assert sorted(log.path.read_bytes().splitlines()) == sorted(whole.splitlines())


@pytest.mark.parametrize(("left", "world"), [(1, 2), (2, 1), (3, 2), (2, 3), (3, 5)])
def test_processes_share_what_others_in_whatever_number_left(tmp_path, left, world, monkeypatch):
    for rank in range(left):  # each had done one batch when all were killed
        log = EvaluationLog(tmp_path, "test", rank=rank, world=left)
        log.begin("p")
        log.append(rank, halves(BATCHES[rank]))
    computed, barrier = [], threading.Barrier(world)
    monkeypatch.setattr(EvaluationLog, "wait", lambda self: barrier.wait(timeout=30))

    def counting(batch):
        computed.append(batch)
        return halves(batch)

    with ThreadPoolExecutor(world) as pool:
        ranks = [EvaluationLog(tmp_path, "test", rank=rank, world=world) for rank in range(world)]
        assert list(pool.map(lambda log: run(counting, log=log), ranks)) == [EXPECTED] * world
    assert sorted(computed) == sorted(BATCHES[left:])


def test_a_log_of_another_plan_is_refused(tmp_path):
    run(log=EvaluationLog(tmp_path, "test"))
    with pytest.raises(ResumeError, match="begun with other prompts"):
        run(log=EvaluationLog(tmp_path, "test"), plan="q")


@pytest.mark.parametrize(
    "text", ["{}\n", "[1]\n", "nonsense\n", '{"log": 1, "plan": "p"}\n{"a": 1, "b": 2}\n']
)
def test_a_file_that_is_no_log_is_named(tmp_path, text):
    path = EvaluationLog(tmp_path, "test").path
    path.write_text(text)
    with pytest.raises(DataError, match="is no log of an evaluation"):
        run(log=EvaluationLog(tmp_path, "test"))
    assert path.read_text() == text


def test_two_matrices_share_a_folder(tmp_path):
    run(log=EvaluationLog(tmp_path, "test"))
    assert run(lambda batch: [0] * len(batch), log=EvaluationLog(tmp_path, "user"), plan="q")[0] == [
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
    log = EvaluationLog(tmp_path, "test")
    run(log=log)
    lines = log.path.read_text("utf-8").splitlines()
    for changed in (lines[2].replace("1.333", "1.334"), lines[2].replace("[1,", "[2,", 1)):
        assert changed != lines[2]
        log.path.write_text("\n".join([*lines[:2], changed, *lines[3:], ""]), "utf-8")
        with pytest.raises(DataError, match=r"log-0\.jsonl:3: the results were damaged.*remove the line"):
            run(log=EvaluationLog(tmp_path, "test"))


def test_a_member_that_comes_twice_is_computed_once_and_counted_twice(tmp_path):
    told = []
    found = run_unique(
        "abcab", ["c", "ab"], lambda batch: [member * 2 for member in batch], plan=lambda: "p",
        log=EvaluationLog(tmp_path, "test"), on_cells=told.append,
    )  # fmt: skip
    assert found == ["aa", "bb", "cc", "aa", "bb"] and told == [1, 4]


@pytest.mark.parametrize(
    "row", ["[" * 100_000, "[0, [1]]", '[0, [], "d"]', '[-1, [1], "d"]', '[0, {"0": 1}, "d"]']
)
def test_a_row_that_is_no_batch_is_named(tmp_path, row):
    path = EvaluationLog(tmp_path, "test").path
    path.write_text(f'{{"log": 1, "plan": "p"}}\n{row}\n')
    with pytest.raises(DataError, match="is no log of an evaluation"):
        run(log=EvaluationLog(tmp_path, "test"))


def test_a_folder_in_the_logs_place_is_named(tmp_path):
    EvaluationLog(tmp_path, "test").path.mkdir()
    with pytest.raises(PaftError, match=r"log-0\.jsonl: Is a directory"):
        run(log=EvaluationLog(tmp_path, "test"))
