"""docs/evaluate.md names only options, files and numbers that exist."""

import dataclasses
import re
from pathlib import Path
from typing import get_args

import pytest
import typer

from paft.cli.main import app
from paft.errors import ModelError
from paft.evaluate.log import EvaluationLog
from paft.evaluate.matrix import Cell
from paft.evaluate.rows import Robustness
from paft.model.turns import USER, closing_of
from paft.report import findings
from paft.task.replies.extract import cell_score, extract, extract_option

PAGE = (Path(__file__).parents[2] / "docs" / "evaluate.md").read_text("utf-8")
CODE = re.compile(r"(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)")


def rows_under(head):
    """The cells of every table with these column names; code spans as Markdown shows them."""
    found = []
    for table in PAGE.split(f"{head}\n|")[1:]:
        lines = table.partition("\n\n")[0].splitlines()[1:]
        found += [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]
    return [[_shown(cell) if place else cell for place, cell in enumerate(row)] for row in found]


def _shown(cell):
    code = CODE.fullmatch(cell)
    return cell if code is None else code[2].strip().replace("\\n", "\n")


READING = rows_under("| reading rule | rule | reply | read as |")
SCORES = rows_under("| rule of comparison | metric | rule | reply | gold | score |")


@pytest.mark.parametrize(("told", "rule", "reply", "answer"), READING, ids=[row[0][:40] for row in READING])
def test_replies_are_read_as_it_says(told, rule, reply, answer):
    name, _, options = rule.partition(" (")
    found = extract_option(reply, options[:-1].split(", ")) if options else extract(name, reply)
    assert found == (None if answer == "*nothing*" else answer)


@pytest.mark.parametrize(("told", "metric", "rule", "reply", "gold", "score"), SCORES)
def test_answers_are_scored_as_it_says(told, metric, rule, reply, gold, score):
    assert cell_score(metric, rule, extract(rule, reply), gold) == float(score)


def test_it_has_examples_of_every_rule():
    assert {row[1].split()[0] for row in READING} == {
        "label",
        "choice",
        "number",
        "final_number",
        "text",
        "json",
    }
    assert len(READING) > 50 and len(SCORES) > 5


def test_every_option_it_uses_exists():
    commands = typer.main.get_command(app).commands
    params = [p for verb in ("evaluate", "predict", "report", "try") for p in commands[verb].params]
    known = {name for p in params for name in [*p.opts, *p.secondary_opts]}
    assert set(re.findall(r"(--[a-z][a-z-]*)", PAGE)) <= known


def test_it_lists_every_kind_of_finding_with_its_threshold():
    table = PAGE[PAGE.index("| kind | said when |") :].partition("\n\n")[0].splitlines()[2:]
    said = dict(re.fullmatch(r"\| `(\w+)` \| (.*) \|", line).groups() for line in table)
    assert tuple(said) == get_args(findings.Kind)
    limits = {"few_steps": findings.FEW_STEPS, "few_training_prompts": findings.FEW_TRAINING_PROMPTS}
    limits |= {"few_test_prompts": findings.FEW_PROMPTS, "few_test_examples": findings.FEW_EXAMPLES}
    for kind, limit in limits.items():
        assert f"fewer than {limit} " in said[kind]
    assert f"below {100 * findings.NEAR_ZERO:g} %" in said["nothing_learnt"]


def test_every_number_it_explains_is_in_the_results():
    table = PAGE[PAGE.index("| metric | meaning |") :].partition("\n\n")[0]
    names = re.findall(r"`([a-z_0-9]+)`", "\n".join(line.split("|")[1] for line in table.splitlines()[2:]))
    assert len(names) > 10
    assert set(names) <= {field.name for field in dataclasses.fields(Robustness)}


def test_it_names_the_columns_of_the_cells():
    told = PAGE.split("its columns are", 1)[1].partition("\n- ")[0]
    stored = [field.name for field in dataclasses.fields(Cell) if field.name != "reply"]
    assert re.findall(r"`(\w+)`", told) == stored


def test_the_log_lies_where_it_says(tmp_path):
    assert EvaluationLog(tmp_path, "<split>").path.name in PAGE


def test_thoughts_are_closed_as_the_table_says():
    table = PAGE[PAGE.index("| the generation prompt ends with | then |") :].partition("\n\n")[0]
    rows = [re.split(r"(?<!\\)\|", line)[1:3] for line in table.splitlines()[2:]]
    found = {then.split()[0].strip("`"): re.findall(r"`([^`]+)`", ends) for ends, then in rows}
    assert [len(ends) for ends in found.values()] == [3, 1, 4, 2]

    def closing(ends):
        return closing_of(USER + ends.replace("\\|", "|"), USER)

    for ends in found["</think>"]:
        assert closing(ends) == f"\n\n{ends[0]}/{ends[1:]}\n\n"
    for ends in (*found["it"], *found["the"]):
        assert closing(ends) == ""
    for ends in found["refused:"]:
        with pytest.raises(ModelError):
            closing(ends)
