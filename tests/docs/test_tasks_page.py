"""docs/tasks.md: its table is what the task files say, its example is a task, its options exist.

``python tests/docs/test_tasks_page.py`` writes the table anew.
"""

import datetime
import json
import re
import sys
from decimal import Decimal
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import typer
import yaml
from pyarrow import parquet

from paft.cli.main import app
from paft.errors import DataError
from paft.task.answer import Rule
from paft.task.data import read_rows
from paft.task.task import Task

sys.path.insert(0, str(Path(__file__).parents[1] / "recipes"))
from test_task_recipes import LOCAL, RECIPES

PATH = Path(__file__).parents[2] / "docs" / "tasks.md"
PAGE = PATH.read_text("utf-8")
START, END = "<!-- recipes: written by tests/docs/test_tasks_page.py -->\n", "<!-- /recipes -->"


def line(name):
    task = Task.from_yaml(RECIPES[name])
    hub = task.data.hub
    source = "local files" if hub is None else f"`{hub.id}`" + (f" {hub.config}" if hub.config else "")
    splits = "" if hub is None else f"{task.data.train} / {task.data.test}"
    checked = "run, columns" if name in LOCAL else "columns"
    top = f"{100 * task.thresholds[0]:.0f} %"
    return (
        f"| `{name}` | {source} | {splits} | `{task.answer.rule}` | {top} | {len(task.prompts)} | {checked} |"
    )


def table():
    head = [
        "| recipe | Hub data set | train / test | rule | Top | prompts | checked |",
        "|---|---|---|---|---|---|---|",
    ]
    return "\n".join([*head, *(line(name) for name in RECIPES)]) + "\n"


def test_the_table_is_what_the_task_files_say():
    assert PAGE.partition(START)[2].partition(END)[0] == table()


def test_the_example_is_a_task():
    (text,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    task = Task(**yaml.safe_load(text))
    row = {"question_stem": "Sun is", "choices": {"text": ["hot", "wet"]}, "answerKey": "A"}
    assert task.data.value(row, "B", row) == "wet"


def test_every_rule_is_explained():
    table_of_rules = PAGE[PAGE.index("| `rule` |") : PAGE.index("## Answers that are programs")]
    assert set(re.findall(r"^\| `([a-z_]+)` \|", table_of_rules, re.MULTILINE)) - {"rule"} == set(
        Rule.__args__
    )


def examples(name):
    """Rows of a table of reading rules: the cells behind the rule, code without its marks."""
    part = PAGE.partition(f"<!-- {name}: run by tests/docs/test_tasks_page.py -->\n")[2]
    lines = part.partition(f"<!-- /{name} -->")[0].splitlines()[2:]
    cells = [re.split(r" \| ", line.strip("| ")) for line in lines]
    return [[cell[1:-1] if cell.startswith("`") else cell for cell in row[1:]] for row in cells]


def read(answer, data):
    task = Task(name="t", fields={"text": ""}, answer=answer, data=data, prompt=PROMPTS[len(answer) > 1])
    return task.examples("test")[0]


PROMPTS = ("{text}", "{text} {options}")
OPEN = {"rule": "text"}


def check(found, expected):
    """Hold what a function returns, or the message it is refused with, against a cell."""
    if not expected.startswith("refused: "):
        assert found() == expected
        return
    with pytest.raises(DataError) as caught:
        found()
    assert expected.removeprefix("refused: ") in str(caught.value)


def column(kind, value):
    """A column of Parquet with one value, given as JSON."""
    known = {str(made): made for made in (pa.decimal128(4, 2), pa.date32(), pa.list_(pa.string()))}
    made = known.get(kind) or pa.type_for_alias(kind)
    if kind == "binary":
        value = value.encode("utf-8", "surrogatepass")
    elif isinstance(value, str) and kind.startswith(("date", "timestamp")):
        value = datetime.datetime.fromisoformat(value)
    elif kind.startswith("decimal"):
        value = Decimal(value)
    elif kind == "halffloat":
        value = np.float16(value)
    return pa.array([value], made)


@pytest.mark.parametrize(("kind", "value", "text"), examples("values"))
def test_values_are_read_as_the_page_says(tmp_path, kind, value, text):
    path = tmp_path / "a.parquet"
    parquet.write_table(pa.table({"text": column(kind, json.loads(value)), "answer": ["x"]}), path)
    expected = text if text.startswith("refused") else json.loads(text)
    check(lambda: read(OPEN, {"train": str(path), "test": str(path)}).fields["text"], expected)


@pytest.mark.parametrize(("name", "content", "text"), examples("files"))
def test_files_are_read_as_the_page_says(tmp_path, name, content, text):
    path = tmp_path / name
    path.write_text(content.replace("\\n", "\n").replace("\\t", "\t"))
    expected = text if text.startswith("refused") else json.loads(text)
    data = {"train": str(path), "test": str(path), "columns": {"text": "body"}}
    task = Task(name="t", fields={"text": ""}, answer=OPEN, data=data, prompt="{text}")

    def found():
        where, row = read_rows(task.data, "test", tmp_path)[0]
        return task._text({"text": task._value(row, "text", where, row)}, "text", where)

    check(found, expected)


@pytest.mark.parametrize(("answer", "row", "gold"), examples("golds"))
def test_gold_answers_are_read_as_the_page_says(answer, row, gold):
    rows = [{"text": "x", **json.loads(row)}]
    data = {"train": rows, "test": rows}
    check(lambda: read(yaml.safe_load(answer), data).gold, gold.replace("\\n", "\n"))


def test_every_option_it_uses_exists():
    commands = typer.main.get_command(app).commands
    known = {name for verb in ("evaluate", "tasks") for p in commands[verb].params for name in p.opts}
    assert set(re.findall(r"(--[a-z][a-z-]*)", PAGE)) <= known


if __name__ == "__main__":
    before, _, rest = PAGE.partition(START)
    PATH.write_text(before + START + table() + END + rest.partition(END)[2], "utf-8")
