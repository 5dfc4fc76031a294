"""A bank in other tools' formats: nothing is lost, and no text acts as another tool's syntax."""

import csv
import importlib.util
import json
import re
import shutil
import subprocess

import jinja2
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from paft.bank import Bank, load_bank
from paft.bank.exporters import export_bank
from paft.bank.exporters.jinja import jinja_text
from paft.bank.exporters.lm_eval import ANSWER, CHOICES
from paft.bank.exporters.promptfoo import TRANSFORMS
from paft.bank.foreign_yaml import yaml_text
from paft.bank.importers import import_prompts, read_candidates
from paft.bank.importers.promptsource import template_of
from paft.bank.store import SPLITS
from paft.errors import ConfigError, PaftError, PromptError
from paft.prompt import Prompt, unparse
from paft.task.gold import why_unreadable
from paft.task.replies.extract import extract
from paft.task.task import Task

HOSTILE = [
    "{{x}}",
    "{% if %}",
    "{# c #}",
    "#}",
    "{{text}}",
    "plain\r\ntext\n",
    "2020-01-01 10:00:00",
    "file:///etc/passwd",
    "package:a:b",
    'a, "b" | {',
    "\u2028 é \x85",
    "",
]
TEMPLATES = [
    "{text} {day}",
    "a/b *{text}. {{x}} {{{day}}} {{% if %}}\r\n- {options}",
    '["{text}{day}"]',
    "Q: {day}\n\n {text} {{# c #}}\n",
    "file://{text}{day}.txt",
    "  lead {text} {{{{env.HOME}}}} {day}\u2028\x85|",
]
ANYTHING = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"))
TEMPLATE = st.tuples(ANYTHING, ANYTHING).map(lambda two: unparse([(two[0], "text"), (two[1], None)]))


def closed_task(**changes):
    rows = [
        {"text": text, "day": "2020-01-01", "label": ["a.", "{{b}}"][i % 2]} for i, text in enumerate(HOSTILE)
    ]
    given = {
        "name": "letters",
        "description": "Sort *letters* | <b>.",
        "fields": {"text": "the letter", "day": "when it came"},
        "answer": {"rule": "label", "field": "label", "options": ["a.", "{{b}}"]},
        "data": {"train": tuple(rows), "test": tuple(rows)},
        "prompt": "{text} {day}",
    }
    return Task(**{**given, **changes})


def open_task(rule, golds, **changes):
    rows = tuple({"text": "x", "day": "y", "answer": gold} for gold in golds)
    answer, data = {"rule": rule}, {"train": rows, "test": rows}
    return closed_task(name=rule, answer=answer, data=data, **changes)


BANK = Bank(
    {
        "train": (Prompt("train {text} {day}", {"source": "llm", "generator": "m|1", "strategy": "few"}),),
        "test": tuple(map(Prompt, TEMPLATES)),
    }
)
OPEN_BANK = Bank({"test": tuple(p for p in BANK.prompts("test") if "options" not in p.placeholders)})


@settings(max_examples=60, deadline=None)
@given(texts=st.lists(TEMPLATE, min_size=1, max_size=4, unique=True), split=st.sampled_from(SPLITS))
@pytest.mark.parametrize("format", ["csv", "jsonl"])
def test_any_template_survives_a_round_trip(tmp_path_factory, format, texts, split):
    prompts = tuple(Prompt(text) for text in texts)
    path = tmp_path_factory.mktemp("export") / f"bank.{format}"
    export_bank(Bank({split: prompts}), path, format)
    assert [item.template for item in read_candidates(path).candidates] == texts
    assert tuple(import_prompts(path)) == prompts


FORMULAS = [
    '=HYPERLINK("http://evil.example","{text}")',
    "+1 {text}",
    "-2+3+cmd|' /C calc'!A0 {text}",
    "- one item\n- {text}",
    "@SUM(1+1)*{text}",
    "\t={text}",
    "\r={text}",
    "\n={text}",
    "\uff1d1+1 {text}",
    "'={text}",
    "''- {text}",
]


def test_no_cell_of_a_table_is_a_formula_and_the_importer_reads_back_the_very_templates(tmp_path):
    prompts = tuple(
        Prompt(text, {"generator": "=cmd", "source": "-5"}) for text in [*FORMULAS, "'tis {text}"]
    )
    export_bank(Bank({"test": prompts}), tmp_path / "bank.csv", "csv")
    with (tmp_path / "bank.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    cells = [cell for row in rows for cell in row.values() if cell and cell != "-5"]
    assert not [cell for cell in cells if cell[0] in "=+-@\t\r\n\uff1d"]
    assert rows[0]["source"] == "-5", "a number stays a number"
    assert rows[-1]["template"] == "'tis {text}", "another apostrophe is left alone"
    found = read_candidates(tmp_path / "bank.csv").candidates
    assert [item.template for item in found] == [prompt.template for prompt in prompts]
    assert found[0].provenance["generator"] == "=cmd"


def test_a_table_that_is_not_ours_keeps_its_apostrophes(tmp_path):
    (tmp_path / "other.csv").write_text("template,source\n'- {text},me\n", encoding="utf-8")
    assert read_candidates(tmp_path / "other.csv").candidates[0].template == "'- {text}"


def test_the_bank_itself_is_one_format(tmp_path):
    export_bank(BANK, tmp_path / "bank.jsonl", "jsonl")
    assert load_bank(tmp_path / "bank.jsonl") == BANK


def test_a_table_has_split_id_and_provenance(tmp_path):
    export_bank(BANK, tmp_path / "bank.csv", "csv")
    with (tmp_path / "bank.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["id", "split", "template", "source", "generator", "strategy"]
    assert [row["split"] for row in rows] == ["train"] + ["test"] * len(TEMPLATES)
    assert [row["id"] for row in rows] == [p.id for s in ("train", "test") for p in BANK.prompts(s)]
    assert (rows[0]["source"], rows[0]["generator"], rows[1]["generator"]) == ("llm", "m|1", "")
    first = import_prompts(tmp_path / "bank.csv")[0]
    assert (first.provenance["generator"], first.provenance["strategy"]) == ("m|1", "few")


@settings(max_examples=100, deadline=None)
@given(literal=st.one_of(ANYTHING, st.text("{}%#-\r\n '\"")), value=st.sampled_from(HOSTILE))
def test_jinja_text_renders_to_what_the_prompt_renders(literal, value):
    prompt = Prompt(unparse([(literal, "text"), (literal[::-1], "text"), ("#", None)]))
    env = jinja2.Environment(keep_trailing_newline=True, undefined=jinja2.StrictUndefined)
    text = jinja_text(prompt)
    assert env.from_string(text).render(text=value) == prompt.render({"text": value})
    if "|||" not in prompt.template:
        assert template_of(text) == prompt.template.strip()


@settings(max_examples=60, deadline=None)
@given(text=st.one_of(ANYTHING, st.text("\x85\u2028\u2029\n\r\t a:#'\"|-")))
def test_yaml_texts_are_read_back_the_same(text):
    data = {"a": [text, {"b": text + "\n"}]}
    assert yaml.safe_load(yaml_text(data)) == data
    assert not re.search("[\x85\u2028\u2029]", yaml_text(data))  # a line break in YAML 1.1 only


def test_the_dataset_is_loaded_by_datasets(tmp_path, monkeypatch):
    datasets = pytest.importorskip("datasets")
    export_bank(BANK, tmp_path / "set", "dataset", task=closed_task())
    loaded = datasets.load_dataset(str(tmp_path / "set"), cache_dir=str(tmp_path / "cache"))
    assert set(loaded) == {"train", "test"}
    assert loaded["test"]["template"] == TEMPLATES
    (train,) = loaded["train"]
    assert (train["id"], train["generator"]) == (BANK.prompts("train")[0].id, "m|1")
    assert json.loads(train["provenance"]) == dict(BANK.prompts("train")[0].provenance)


def test_the_dataset_card_names_files_counts_and_fingerprint(tmp_path):
    export_bank(BANK, tmp_path / "set", "dataset", task=closed_task())
    card = (tmp_path / "set" / "README.md").read_text(encoding="utf-8")
    head = yaml.safe_load(card.split("---\n")[1])
    files = head["configs"][0]["data_files"]
    assert files == [{"split": s, "path": f"data/{s}.parquet"} for s in ("train", "test")]
    assert sorted(p.name for p in (tmp_path / "set" / "data").iterdir()) == ["test.parquet", "train.parquet"]
    assert f"| test | {len(TEMPLATES)} |" in card
    assert BANK.fingerprint in card
    assert "| m&#124;1 | 1 |" in card
    assert "Sort &#42;letters&#42; &#124; &lt;b&gt;." in card


def group_of(folder, name):
    spec = importlib.util.find_spec("lm_eval")
    if spec is None:
        pytest.skip("lm_eval is not installed: pip install 'lm-eval==0.4.13'")
    from lm_eval.tasks import TaskManager

    loaded = TaskManager(include_path=str(folder), include_defaults=False).load([name])
    return loaded["tasks"], loaded["groups"]


@pytest.fixture
def cache(tmp_path, monkeypatch):
    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")


def test_the_lm_eval_group_renders_as_the_prompts_do(tmp_path, cache):
    task = closed_task()
    folder = tmp_path / "group [1]*"
    export_bank(BANK, folder, "lm-eval", task=task)
    tasks, groups = group_of(folder, "paft_letters_test")
    prompts = BANK.prompts("test")
    assert list(tasks) == [f"paft_letters_test_{prompt.id}" for prompt in prompts]
    assert groups["paft_letters_test"].child_names == list(tasks)
    for prompt, loaded in zip(prompts, tasks.values(), strict=True):
        docs = list(loaded.eval_docs)
        assert len(docs) == len(HOSTILE)
        for example, doc in zip(task.examples("test"), docs, strict=True):
            assert loaded.doc_to_text(doc) == prompt.render(example.values)
            assert loaded.doc_to_choice(doc) == list(example.options)
            assert loaded.doc_to_choice(doc)[loaded.doc_to_target(doc)] == example.gold
        space = "" if prompt.template[-1].isspace() else " "
        requests = loaded.construct_requests(docs[0], "ctx")
        assert [r.arguments for r in requests] == [("ctx", f"{space}a."), ("ctx", space + "{{b}}")]


@pytest.mark.parametrize("rule", ["number", "text"])
def test_lm_eval_judges_an_open_answer_as_paft_does(tmp_path, cache, rule):
    said = {
        "number": [
            "42",
            "It is 42.00 now 7",
            "-0",
            "1,234.50",
            "+007.10",
            ".50",
            "x",
            "10.05",
            "-.5",
            "3.14",
        ],
        "text": ["Paris.", "\n  PARIS!\nno", '"new york"', "New York", "x", "é", "?", "São Paulo;"],
    }[rule]
    golds = [text for text in said if why_unreadable(rule, text) is None]
    export_bank(OPEN_BANK, tmp_path / "group", "lm-eval", task=open_task(rule, golds))
    tasks, _ = group_of(tmp_path / "group", f"paft_{rule}_test")
    loaded = next(iter(tasks.values()))
    (ensemble,) = loaded._filters
    (regex, _) = [make() for make in ensemble.filters]
    for gold, doc in zip(golds, loaded.eval_docs, strict=True):
        for text in said:
            ((result,),) = regex.apply([[text]], [doc])
            score = loaded.process_results(doc, [result])["exact_match"]
            assert bool(score) == (extract(rule, text) == extract(rule, gold)), (text, gold)


@pytest.mark.parametrize("target", ["lm-eval", "promptfoo"])
def test_examples_with_several_right_answers_are_refused(tmp_path, target):
    task = open_task("text", ["Paris", ["Rome", "Roma"]])
    provider = {"provider": "echo"} if target == "promptfoo" else {}
    with pytest.raises(ConfigError, match="test example 1 has 2 right answers"):
        export_bank(OPEN_BANK, tmp_path / "out", target, task=task, **provider)
    assert not (tmp_path / "out").exists()


def test_the_lm_eval_data_hold_fields_options_and_answers(tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    export_bank(BANK, tmp_path / "group", "lm-eval", task=closed_task())
    rows = parquet.read_table(tmp_path / "group" / "test.parquet").to_pylist()
    assert [row["text"] for row in rows] == HOSTILE
    assert rows[1][ANSWER] == 1
    assert rows[1][CHOICES] == ["a.", "{{b}}"]
    assert rows[1]["options"] == "a., {{b}}"
    assert rows[0]["day"] == "2020-01-01"  # a text still, no date
    text = (tmp_path / "group" / "_common_yaml").read_text()
    assert text.startswith("# The harness looks for a relative path") and "data_files if you move" in text
    common = yaml.safe_load(text)
    assert common["dataset_kwargs"]["data_files"]["test"] == str(tmp_path / "group" / "test.parquet")


def test_a_prompt_that_lm_eval_would_take_for_an_index_is_refused(tmp_path):
    rows = ({"text": "12", "label": "a"}, {"text": "x", "label": "b"})
    answer = {"rule": "label", "field": "label", "options": ["a", "b"]}
    task = closed_task(
        fields={"text": ""}, prompt="{text}", answer=answer, data={"train": rows, "test": rows}
    )
    with pytest.raises(PromptError, match="digits alone with test example 0"):
        export_bank(Bank({"test": (Prompt("{text}"),)}), tmp_path / "group", "lm-eval", task=task)
    export_bank(Bank({"test": (Prompt("{text}!"),)}), tmp_path / "group", "lm-eval", task=task)


def promptfoo(tmp_path, bank=BANK, task=None):
    path = tmp_path / "promptfooconfig.yaml"
    export_bank(bank, path, "promptfoo", task=task or closed_task(), provider="echo")
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def test_promptfoo_gets_prompts_provider_and_tests(tmp_path):
    config = promptfoo(tmp_path, OPEN_BANK, open_task("number", ["1,000", "2"]))
    assert config["providers"] == ["echo"]
    assert [p["id"] for p in config["prompts"]] == [p.id for p in OPEN_BANK.prompts("test")]
    assert config["prompts"][2]["raw"] == 'Q: {{ day }}\n\n {{ text }} {{ "{" }}# c #{{ "}" }}\n'
    assert config["tests"][0] == {
        "vars": {"text": "x", "day": "y"},
        "assert": [{"type": "equals", "value": "1000"}],
    }
    assert config["defaultTest"] == {"options": {"transform": TRANSFORMS["number"]}}


def test_promptfoo_prompts_render_as_the_prompts_do_and_no_value_is_a_template(tmp_path):
    config = promptfoo(tmp_path)
    env = jinja2.Environment(keep_trailing_newline=True)  # what is used of Nunjucks is Jinja too
    for example, test in zip(closed_task().examples("test"), config["tests"], strict=True):
        for value in test["vars"].values():
            for text in value["pieces"] if isinstance(value, dict) else [value]:
                assert not re.search(r"\{[{%#]|\A(file://|package:)", text)
            assert isinstance(value, dict) or not value.endswith("\n")
        for prompt, entry in zip(BANK.prompts("test"), config["prompts"], strict=True):
            raw = entry["raw"]
            assert env.from_string(raw).render(test["vars"]) == prompt.render(example.values)
            assert "\n" in raw or not re.search(r"[/\\*.]", raw)  # else promptfoo takes it for a path
            with pytest.raises(json.JSONDecodeError):
                json.loads(raw)
        (check,) = test["assert"]
        assert env.from_string(check["value"]).render() == example.gold.removesuffix(".")


def test_promptfoo_looks_for_a_text_answer_that_is_scored_by_its_words(tmp_path):
    config = promptfoo(tmp_path, OPEN_BANK, open_task("text", ["file://a {{b}}"], metric="token_f1"))
    (check,) = config["tests"][0]["assert"]
    assert check["type"] == "icontains"
    assert not check["value"].startswith("file://")
    assert jinja2.Template(check["value"]).render() == "file://a {{b}}"
    assert "defaultTest" not in config


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
@pytest.mark.parametrize("rule", ["number", "text"])
def test_promptfoo_transforms_are_the_extraction_rules(rule):
    texts = ["1,234.50 and 2", "-0", "-0.0", "007", ".50", "-.5", "+5", "100", "10.050", "no", "-007.10"]
    if rule == "text":
        texts = [" Paris. \nx", '\n\n "New\t York"!', "x", "?", "a.b", "`Q`"]
    code = "const d = JSON.parse(require('fs').readFileSync(0));"
    code += "const f = new Function('output', 'return ' + d.transform);"
    code += "console.log(JSON.stringify(d.texts.map((text) => f(text))))"
    data = json.dumps({"transform": TRANSFORMS[rule], "texts": texts})
    done = subprocess.run(["node", "-e", code], input=data, capture_output=True, text=True, check=True)
    expected = [extract(rule, text) or ("none" if rule == "number" else "") for text in texts]
    assert json.loads(done.stdout) == expected


@pytest.mark.parametrize(
    ("format", "given", "said"),
    [
        ("word", {}, r"unknown export format 'word' \(known: jsonl, csv, dataset, lm-eval, promptfoo\)"),
        ("lm-eval", {}, "'lm-eval' needs a task"),
        ("promptfoo", {}, "'promptfoo' needs a task"),
        ("promptfoo", {"task": closed_task()}, "'promptfoo' needs a provider"),
        ("lm-eval", {"task": closed_task(), "split": "validation"}, "no 'validation' prompts"),
        ("lm-eval", {"task": open_task("json", ["1"])}, "rule 'json' has no counterpart"),
        ("promptfoo", {"task": open_task("json", ["1"]), "provider": "echo"}, "rule 'json' has no counterp"),
        ("lm-eval", {"task": open_task("text", ["a"], metric="token_f1")}, "metric 'token_f1' has no count"),
    ],
)
def test_what_an_export_lacks_is_named(tmp_path, format, given, said):
    with pytest.raises(PaftError, match=said):
        export_bank(BANK, tmp_path / "out", format, **given)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("format", ["lm-eval", "promptfoo"])
def test_a_bank_of_another_task_is_refused(tmp_path, format):
    bank = Bank({"test": (Prompt("{other}"),)})
    with pytest.raises(PromptError, match="which task 'letters' does not have"):
        export_bank(
            bank,
            tmp_path / "out",
            format,
            task=closed_task(),
            provider="echo" if format == "promptfoo" else None,
        )


@pytest.mark.parametrize(("format", "name"), [("lm-eval", "self"), ("promptfoo", "env")])
def test_a_field_that_is_a_reserved_word_there_is_refused(tmp_path, format, name):
    task = closed_task(fields={name: ""}, prompt=f"{{{name}}}")
    with pytest.raises(ConfigError, match=f"field '{name}' is a reserved word"):
        export_bank(
            BANK, tmp_path / "out", format, task=task, provider="echo" if format == "promptfoo" else None
        )


@pytest.mark.parametrize(("format", "module"), [("dataset", "tables"), ("lm-eval", "lm_eval")])
def test_a_folder_is_made_whole_or_not_at_all(tmp_path, format, module, monkeypatch):
    def fail(*_):
        raise OSError(28, "No space left on device")

    folder = tmp_path / "out"
    folder.mkdir()  # an empty one is taken
    with monkeypatch.context() as patch:
        patch.setattr(f"paft.bank.exporters.{module}.write_text", fail)
        with pytest.raises(PaftError, match=r"cannot write .*No space left"):
            export_bank(BANK, folder, format, task=closed_task())
    assert [p.name for p in tmp_path.rglob("*")] == ["out"]
    export_bank(BANK, folder, format, task=closed_task())
    assert [p.name for p in tmp_path.iterdir()] == ["out"]
    with pytest.raises(ConfigError, match="already exists: choose a new folder"):
        export_bank(BANK, folder, format, task=closed_task())
