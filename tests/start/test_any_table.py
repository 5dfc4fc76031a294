"""Whatever a table holds, it becomes a task that can be used, or one line, and then nothing is left."""

from __future__ import annotations

import json
from types import SimpleNamespace

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from paft.bank import Bank
from paft.errors import SCREEN, PaftError
from paft.prompt import Prompt
from paft.start.create import create_task
from paft.start.draft import take_first
from paft.task.task import Task

CELLS = st.one_of(
    st.none(), st.booleans(), st.integers(-3, 40), st.floats(), st.text(max_size=12),
    st.sampled_from(["A", "B", "a ", "0", "1", "1.0", "-1", "1e5", "2024-05-01", "{}", "#### 1", "x\ny"]),
    st.lists(st.sampled_from(["A", "B", "1"]), max_size=3),
    st.dictionaries(st.text(max_size=2), st.integers(), max_size=2),
)  # fmt: skip
NAMES = st.one_of(
    st.sampled_from(
        ["text", "label", "answer", "A", "B", "option1", "option2", "id", "options", "y", "score", " "]
    ),
    st.text(max_size=6),
)


@st.composite
def tables(draw):
    """Draw rows whose columns hold few different values, or many."""
    names = draw(st.lists(NAMES, min_size=1, max_size=4, unique=True))
    pools = [draw(st.lists(CELLS, min_size=1, max_size=draw(st.sampled_from([2, 4, 40])))) for _ in names]
    count = draw(st.integers(0, 40))
    return [
        {name: pool[(i * 7 + i // 3) % len(pool)] for name, pool in zip(names, pools, strict=True)}
        for i in range(count)
    ]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=tables(), named=st.booleans())
@example(rows=[{"text": None, "0\n": None}], named=False)
@example(rows=[{"": None, "0\n": None, "text": None}], named=True)
def test_any_table_is_a_task_or_one_line(rows, named, tmp_path_factory, monkeypatch):
    def compose(task):
        shown = " ".join(f"{{{name}}}" for name in task.fields)
        return SimpleNamespace(
            bank=Bank({"train": (Prompt(f"Now: {shown}"),), "test": (Prompt(f"And: {shown}"),)})
        )

    monkeypatch.setattr("paft.start.files.compose_bank", compose)
    folder = tmp_path_factory.mktemp("table")
    data, made = folder / "t.json", folder / "made"
    data.write_text(json.dumps(rows), encoding="utf-8")
    label = next(iter(rows[0])) if rows and named else None
    try:
        create_task(str(data), take_first, label=label, output=str(made))
    except PaftError as error:
        assert "\n" not in str(error) and len(str(error)) <= SCREEN
        assert list(folder.iterdir()) == [data]
        return
    task = Task.from_yaml(made / "task.yaml")
    assert len(task.examples("train")) and len(task.examples("test"))
