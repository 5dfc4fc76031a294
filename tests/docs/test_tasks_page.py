"""docs/tasks.md: its table is what the task files say, its example is a task, its options exist.

``python tests/docs/test_tasks_page.py`` writes the table anew.
"""

import re
import sys
from pathlib import Path

import typer
import yaml

from paft.answer import Rule
from paft.cli import app
from paft.task import Task

sys.path.insert(0, str(Path(__file__).parents[1]))
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
    assert task.data.value(row, "B") == "wet"


def test_every_rule_is_explained():
    table_of_rules = PAGE[PAGE.index("| `rule` |") : PAGE.index("## Answers that are programs")]
    assert set(re.findall(r"^\| `([a-z_]+)` \|", table_of_rules, re.MULTILINE)) - {"rule"} == set(
        Rule.__args__
    )


def test_every_option_it_uses_exists():
    commands = typer.main.get_command(app).commands
    known = {name for p in commands["evaluate"].params for name in p.opts}
    assert set(re.findall(r"(--[a-z][a-z-]*)", PAGE)) <= known


if __name__ == "__main__":
    before, _, rest = PAGE.partition(START)
    PATH.write_text(before + START + table() + END + rest.partition(END)[2], "utf-8")
