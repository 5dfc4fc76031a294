"""Rewards: the task's rule for every kind of answer, bonus and cost, and mistakes of a user's function."""

from __future__ import annotations

import pytest

from paft.errors import ConfigError
from paft.model.encode import Encoder
from paft.task.replies.code_reply import CodeTests
from paft.task.task import Example, Task
from paft.train.grpo.rewards import CompletionReader, Reading, load_reward, own_reward, reward_digests
from paft.train.grpo.settings import Grpo

PLAIN = {
    "name": "t",
    "description": "d",
    "fields": {"q": "a question"},
    "prompt": "{q}",
    "data": {"train": "t.jsonl", "test": "t.jsonl"},
}
ADD = CodeTests("def add(a, b):\n", "add", "def check(f):\n    assert f(1, 2) == 3\n")
CASES = [
    # answer of the task, gold, options, right reply, readable but wrong, not readable
    ({"rule": "label", "options": ["yes", "no"]}, "yes", ("yes", "no"), " yes", " no", " perhaps"),
    ({"rule": "choice", "options": ["red", "blue"]}, "B", ("A", "B"), " B", " A", " xyzzy"),
    ({"rule": "number"}, "12", (), " 12 apples", " 13", " none"),
    ({"rule": "final_number"}, "5", (), " 2 + 3 = 5", " 2 + 3 = 6", " no idea"),
    ({"rule": "text"}, "Paris", (), " Paris.", " Rome", "\n"),
    ({"rule": "json"}, '{"a": 1}', (), ' {"a":1}', ' {"a":2}', " {"),
]


def reader(tokenizer, answer, gold, options=(), tests=None):
    answer = {**answer, "field": "a"}
    task = Task.model_validate({**PLAIN, "answer": answer})
    example = Example(index=0, fields={"q": "?"}, gold=gold, options=options, tests=tests)
    encoder = Encoder(tokenizer, 200)
    read = CompletionReader(task, [example], encoder, encoder.stops)

    def of(text, ended=True):
        return read(0, encoder.tokens(text) + [encoder.end] * ended)

    return of


@pytest.mark.parametrize(
    ("answer", "gold", "options", "right", "wrong", "unread"), CASES, ids=lambda value: str(value)[:20]
)
def test_a_completion_is_read_and_scored_by_the_rule_of_the_task(
    tokenizer, answer, gold, options, right, wrong, unread
):
    read = reader(tokenizer, answer, gold, options)
    found = [(reading.score, reading.readable) for reading in map(read, (right, wrong, unread))]
    assert found == [(1.0, True), (0.0, True), (0.0, False)]


def test_a_program_is_run(tokenizer):
    program = {"rule": "code", "program": {"begins": "q"}}
    read = reader(tokenizer, program, "return a + b", tests=ADD)
    assert [read(text).score for text in ("    return a + b", "    return a - b")] == [1.0, 0.0]


def test_a_completion_that_was_cut_off_is_known_as_such(tokenizer):
    read = reader(tokenizer, {"rule": "final_number"}, "5")
    whole, cut = read(" 2 + 3 = 5"), read(" 2 + 3 = 5", ended=False)
    assert (whole.ended, cut.ended) == (True, False)
    assert whole.length == cut.length + 1
    assert whole.score == 1.0


def test_bonus_and_cost_are_added_and_taken():
    readings = [
        Reading("yes", 1.0, True, True, 4),
        Reading("no", 0.0, True, True, 2),
        Reading("", 0.0, False, False, 8),
    ]
    columns = {"readings": readings, "completions": [r.text for r in readings]}
    assert own_reward(Grpo(), 8)(**columns) == [1.0, 0.0, 0.0]
    settings = Grpo(readable_bonus=0.25, length_cost=0.5)
    assert own_reward(settings, 8)(**columns) == [1.0 + 0.25 - 0.25, 0.25 - 0.125, -0.5]


@pytest.fixture
def written(tmp_path):
    def write(body, head="def score(completions, gold, **_):"):
        path = tmp_path / "mine.py"
        path.write_text(f"import math\n{head}\n    {body}\n")
        return load_reward(f"{path}:score")

    return write


def test_a_function_of_the_user_sees_completions_and_gold(written):
    reward = written("return [float(g in c) for c, g in zip(completions, gold)]")
    columns = {"completions": ["it is a cat", "a dog"], "gold": ["cat", "cat"], "fields": [{}, {}]}
    assert reward(**columns) == [1.0, 0.0]
    assert reward.__name__.endswith("mine.py:score")


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("return [1 / 0]", "raised ZeroDivisionError: division by zero"),
        ("return [1.0]", "returned 1 rewards for 2 completions"),
        ("return [1.0, math.nan]", "returned nan for completion 'b'"),
        ("return [math.inf, 1.0]", "returned inf for completion 'a'"),
        ("return [None, 1.0]", "returned None for completion 'a'"),
        ("return ['x', 1.0]", "returned 'x' for completion 'a'"),
        ("return None", "raised TypeError"),
        ("return '01'", "returned '0' for completion 'a'"),
        ("return [1.0, 1e39]", r"returned 1e\+39 for completion 'b'"),  # infinite in float32
        ("return [1.0, 10**400]", "returned 10+"),
    ],
)
def test_a_mistake_of_a_function_is_one_clear_error(written, body, told):
    with pytest.raises(ConfigError, match=rf"train\.grpo\.rewards: .*mine\.py:score {told}"):
        written(body)(completions=["a", "b"], gold=["a", "b"])


def test_numbers_of_any_kind_are_rewards(written):
    reward = written("import numpy; return [True, numpy.float16(0.5), 2]", "def score(completions, **_):")
    assert reward(completions=["a", "b", "c"]) == [1.0, 0.5, 2.0]


def test_a_file_may_define_dataclasses_and_share_its_name(tmp_path):
    head = "from __future__ import annotations\nfrom dataclasses import dataclass\n"
    found = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "mine.py").write_text(
            f"{head}@dataclass\nclass Weight:\n    of: float\n\n"
            f"def {name}(completions, **_):\n    return [Weight({len(found)}).of for _ in completions]\n"
        )
        found.append(load_reward(f"{tmp_path}/{name}/mine.py:{name}"))
    assert [reward(completions=["a"]) for reward in found] == [[0.0], [1.0]]


def test_a_function_that_takes_other_arguments_is_told_what_there_is(written):
    with pytest.raises(ConfigError, match=r"raised TypeError.*with completions, prompts, gold"):
        written("return []", head="def score(answers):")(completions=["a"], gold=["a"])


@pytest.mark.parametrize(
    ("text", "spec", "told"),
    [
        (None, "mine.py:score", "there is no file"),
        ("score = 1\n", "mine.py:score", "has no function score"),
        ("async def score(**_):\n    return []\n", "mine.py:score", "not async"),
        ("import nothing_like_it\n", "mine.py:score", "raised ModuleNotFoundError while it was loaded"),
    ],
)
def test_a_function_that_is_not_there_is_one_clear_error(tmp_path, text, spec, told):
    if text is not None:
        (tmp_path / "mine.py").write_text(text)
    with pytest.raises(ConfigError, match=told):
        load_reward(f"{tmp_path}/{spec}")


def test_another_text_of_the_file_has_another_hash(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text("def a(**_): ...\n")
    before = reward_digests([f"{path}:a", f"{path}:b"])
    assert list(before) == [str(path)]
    path.write_text("def a(**_): return 1\n")
    assert reward_digests([f"{path}:a"]) != before
