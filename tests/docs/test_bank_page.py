"""The figures of docs/bank.md are those the code measures, and its tables name what the code knows."""

import importlib.util
import json
import re
from pathlib import Path

from paft.bank.checks import MAX_LETTERS, REASONS
from paft.bank.compose import composed_bank, phrases
from paft.bank.compose.composed_bank import compose_bank
from paft.bank.compose.grammar import write_prompt
from paft.bank.compose.layouts import LAYOUTS
from paft.bank.compose.options_text import WAYS
from paft.bank.compose.terms import terms_of
from paft.bank.screen import DUPLICATES, NOT_CHOSEN
from paft.cli.bank import bank_app
from paft.task.task import load_task

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "bank.md").read_text("utf-8")


def labelled():
    spec = importlib.util.spec_from_file_location("screening", ROOT / "tests" / "screening.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.agreement(module.verdicts())


def test_the_screening_figures_are_measured():
    measured = labelled()
    assert f"{measured['templates']} labelled templates" in PAGE
    assert f"{measured['bad']} of them bad" in PAGE
    assert f"finds {100 * measured['recall']:.1f} % of the bad" in PAGE
    assert measured["precision"] == 1 and "rejects no good one" in PAGE


def test_every_reason_is_explained():
    named = set(re.findall(r"`([a-z_]+)`", PAGE))
    assert named >= {*REASONS, NOT_CHOSEN, "duplicate_exact"}
    assert all(f"`{name.removeprefix('duplicate')}`" in PAGE for name in DUPLICATES[1:])
    assert f"{MAX_LETTERS:,} characters" in PAGE


def test_every_verb_and_option_it_uses_exists():
    import typer

    commands = typer.main.get_command(bank_app).commands
    for verb, rest in re.findall(r"paft bank ([a-z]+)([^`\n]*)", PAGE):
        options = {name for parameter in commands[verb].params for name in parameter.opts}
        assert set(re.findall(r"--[a-z-]+", rest)) <= options, verb


def test_the_rules_for_backslashes_are_those_of_the_reader():
    from paft.bank.backslashes import decode_escapes, literal_escape

    table = PAGE.partition("| in the file | is read as |")[2].partition("\n\n")[0]
    rows = [re.findall(r"`([^`]+)`", line) for line in table.splitlines()[2:]]
    (lines, tabs, _), (*latex, braces), paths, [doubtful], [doubled, two] = rows
    assert decode_escapes(lines) == "Text: {x}\nAnswer" and decode_escapes(tabs) == "a\tb"
    for text in (*latex, braces, *paths):
        assert decode_escapes(text) == text and literal_escape(text) is None
    assert decode_escapes(doubtful) == doubtful and literal_escape(doubtful) == two
    assert decode_escapes(doubled) == "say " + two


def test_the_figures_of_composed_banks_are_those_of_the_code():
    task = load_task("sms_spam")
    bank = compose_bank(task).bank
    counts = ", ".join(f"{len(prompts)} {split}" for split, prompts in bank.splits.items())
    assert f"{counts} prompts" in PAGE
    share, most = composed_bank.OPTIONS_SHARE, composed_bank.MANY_OPTIONS
    assert f"({share}; 0 where they take more than {most} characters)" in PAGE
    section = PAGE.split("## Without a language model")[1].split("\n## ")[0]
    shown = re.findall(r"```text\n(.*?)\n```", section, re.DOTALL)
    written = [
        write_prompt(terms_of(task), 0, n, listed=listed) for n in range(500) for listed in (False, True)
    ]
    assert len(shown) == 2 and set(shown) <= {prompt.template for prompt in written}


def test_the_kinds_of_productions_are_listed():
    section = PAGE.split("## Without a language model")[1].split("\n## ")[0]
    for names in (phrases.MANNERS, phrases.ENDS.keys() - {"lead"}, LAYOUTS, WAYS):
        assert all(name in section for name in names)


def test_the_figures_of_composed_prompts_are_those_of_the_result_file():
    records = json.loads((ROOT / "results" / "compose" / "composed.json").read_text("utf-8"))["records"]
    assert len(records) >= 2
    for record in records:
        sides = [record[name] for name in (record["row"], "written", "single")]
        cells = [f"{side['mean']} ± {side['std']}, {side['min']}" for side in sides]
        found = [record["difference"][name] for name in ("mean", "min")]
        cells += [f"{each['value']:+.1f} ({each['low']:.1f} to {each['high']:.1f})" for each in found]
        assert f"| {record['task']} | `{record['method']}` | {' | '.join(cells)} |" in PAGE
        assert record["seeds"] == [0, 1, 2] and "percent, three seeds" in PAGE


def test_the_figures_of_few_prompts_are_those_of_the_result_files():
    found = json.loads((ROOT / "results" / "few_prompts" / "narrow.json").read_text("utf-8"))
    assert found["seeds"] == [0, 1, 2]
    section = PAGE.split("## How many prompts")[1].split("\n## ")[0]
    methods = re.findall(r"`(\w+)` \|", next(line for line in section.splitlines() if "under |" in line))
    for kind, start in (("alike", "| three more"), ("unlike", "| eight")):
        means = {row["method"]: row["mean"] for row in found["records"] if row["prompts"] == kind}
        (line,) = (line for line in section.splitlines() if line.startswith(start))
        assert [float(cell) for cell in line.split("|")[2:-1]] == [means[method] for method in methods]
    intervals = [row["difference"] for row in found["records"] if "difference" in row]
    assert len(intervals) == 6 and all(i["low"] < 0 < i["high"] for i in intervals), "none is significant"
    figures = json.loads((ROOT / "results" / "prompts" / "prompts.json").read_text("utf-8"))["figures"]
    worst = {row["n"]: round(100 * row["min"]["value"]) for row in figures}
    assert f"{worst[16]} % with 16" in section and f"{worst[77]} % with 77" in section
    assert f"{worst[8]} % with 8" in section
