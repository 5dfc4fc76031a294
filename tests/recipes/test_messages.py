"""The grammar writes the committed data again, and test messages are never training messages."""

import json
import random
from collections import Counter

import pytest

from paft.builtin import TASKS
from paft.task.task import load_task
from recipes.routing_data.messages import (
    MAX_WORDS,
    MIN_WORDS,
    PRODUCTIONS,
    TEAMS,
    read_productions,
    write_messages,
    write_splits,
)

FOLDER = TASKS["routing"].parent
COMMITTED = ("train", "test")


def committed(split):
    return [json.loads(line) for line in (FOLDER / f"{split}.jsonl").read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize("split", COMMITTED)
def test_the_grammar_writes_the_committed_file_again(split):
    assert write_splits()[split] == committed(split)


@pytest.mark.parametrize("split", COMMITTED)
def test_the_committed_files_are_the_built_in_task(split):
    examples = load_task("routing").examples(split)
    assert [{"message": e.fields["message"], "team": e.gold} for e in examples] == committed(split)


@pytest.mark.parametrize("split", COMMITTED)
def test_there_are_at_least_eight_labels_each_equally_common(split):
    counts = Counter(row["team"] for row in committed(split))
    assert len(counts) >= 8
    assert set(counts) == set(TEAMS) == set(load_task("routing").answer.words)
    assert max(counts.values()) - min(counts.values()) <= 1


def test_no_message_stands_twice_in_or_across_the_splits():
    messages = [row["message"].casefold() for split in COMMITTED for row in committed(split)]
    assert len(set(messages)) == len(messages)


def test_messages_are_readable_plain_text_of_limited_length():
    for row in committed("train") + committed("test"):
        assert MIN_WORDS <= len(row["message"].split()) <= MAX_WORDS
        assert not set("[]{}|") & set(row["message"]), row


@pytest.mark.parametrize("team", TEAMS)
def test_held_out_wording_is_never_training_wording(team):
    sections = read_productions(PRODUCTIONS[team])
    for kind in ("core", "aside"):
        assert sections[kind]
        assert sections[f"{kind} held-out"]
        assert not set(sections[kind]) & set(sections[f"{kind} held-out"])


def test_messages_depend_on_the_arguments_alone():
    first = write_messages(90, seed=5, held_out=False)
    random.seed(1)
    assert write_messages(90, seed=5, held_out=False) == first
    assert write_messages(90, seed=6, held_out=False) != first
    assert write_messages(90, seed=5, held_out=True) != first


@pytest.mark.parametrize("count", [0, 1, 20])
def test_a_count_that_does_not_divide_is_shared_almost_evenly(count):
    counts = Counter(row["team"] for row in write_messages(count, seed=0, held_out=False))
    assert counts.total() == count
    assert max(counts.values(), default=0) <= count // len(TEAMS) + 1


def test_a_count_the_grammar_cannot_write_is_refused():
    with pytest.raises(ValueError, match="negative, got -1"):
        write_messages(-1, seed=0, held_out=False)
