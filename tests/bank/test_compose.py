"""Composed prompts: what each has, that provenance rebuilds it, that machines agree, what is refused."""

import json
import os
import re
import subprocess
import sys

import pytest
import typer
from hypothesis import given, settings
from hypothesis import strategies as st

from paft.bank import load_bank, near_duplicates_across
from paft.bank.audit import audit_file
from paft.bank.compose import composed_bank, phrases, stories
from paft.bank.compose.asked import read_description
from paft.bank.compose.composed_bank import COUNT, MOST, OPTIONS_SHARE, VALIDATION_SHARE, compose_bank
from paft.bank.compose.grammar import write_prompt
from paft.bank.compose.terms import GENERIC_ANSWERS, plural, terms_of
from paft.bank.compose.words import fill, marks
from paft.bank.screen import Screened, screen
from paft.builtin import TASKS
from paft.cli.bank import bank_app
from paft.errors import ConfigError, PromptError
from paft.files import fingerprint
from paft.similarity import near_pairs
from paft.task.task import OPTIONS, Task, load_task

SHIPPED = {name: load_task(name) for name in TASKS}
DATA = {"train": "train.jsonl", "test": "test.jsonl"}

every_task = pytest.mark.parametrize("name", SHIPPED)
numbers = st.integers(0, 5000)
# What a stranger's task file may say: any words, braces and marks among them.
WORDS = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), max_size=40)
ANSWERS = {
    "fixed": {"rule": "label", "options": ["spam {x}", "not <answer> spam", "%s"]},
    "by example": {"rule": "label", "options_field": "candidates"},
    "letters": {"rule": "choice", "options": ["A", "B"]},
    "lists": {"rule": "choice", "options_field": "candidates"},
    "code": {"rule": "code", "program": {"begins": "first"}},
    **{rule: {"rule": rule} for rule in ("number", "final_number", "text", "json")},
}


def made(answer, fields=("first",), description="", about="", prompt=None):
    """A task with an answer rule, some fields and a description."""
    names = [*fields, *([OPTIONS] if answer.get("options_field") else [])]
    return Task.model_validate(
        {
            "name": "made",
            "description": description,
            "fields": dict.fromkeys(fields, about),
            "answer": answer,
            "data": DATA,
            "prompt": prompt or "Look: " + " ".join("{" + name + "}" for name in names),
        }
    )


def values_of(task):
    """A value for every placeholder, no two alike and none a word of a prompt."""
    return {name: f"«{place}»" for place, name in enumerate(task.placeholders)}


@pytest.mark.slow
@every_task
def test_every_shipped_task_has_200_prompts_that_pass_a_strict_audit(name, tmp_path):
    task = SHIPPED[name]
    composed = compose_bank(task)
    assert sum(map(len, composed.bank.splits.values())) == 250
    composed.bank.save(tmp_path / "bank.jsonl")
    audit = audit_file(tmp_path / "bank.jsonl", task)
    assert [finding for finding in audit.findings if finding.reason != "too_long"] == []


@pytest.mark.slow
@every_task
def test_no_unseen_prompt_is_near_a_seen_one_nor_any_near_a_user_prompt(name):
    task = SHIPPED[name]
    bank = compose_bank(task).bank
    assert near_duplicates_across(bank) == []
    prompts = [prompt for split in bank.splits.values() for prompt in split]
    assert near_pairs([*task.prompts, *prompts]) == near_pairs(task.prompts)


@settings(max_examples=300, deadline=None)
@given(name=st.sampled_from(sorted(SHIPPED)), seed=st.integers(0, 99), number=numbers, listed=st.booleans())
def test_every_candidate_renders_every_field_once_and_is_rebuilt_from_its_provenance(
    name, seed, number, listed
):
    task, terms = SHIPPED[name], terms_of(SHIPPED[name])
    prompt = write_prompt(terms, seed, number, listed=listed)
    rendered = prompt.render(values_of(task))
    for field in task.required:
        assert rendered.count(values_of(task)[field]) == 1
    assert set(prompt.placeholders) <= set(task.placeholders)
    assert not re.search(r"<(?:do|clause|heading|items|answers|options)>", prompt.template)
    origin = json.loads(json.dumps(prompt.provenance))
    again = write_prompt(terms, origin["seed"], origin["number"], listed=origin["listed"])
    assert (again.template, dict(again.provenance)) == (prompt.template, origin)


@settings(max_examples=200, deadline=None)
@given(
    answer=st.sampled_from(sorted(ANSWERS)),
    count=st.integers(1, 4),
    description=WORDS,
    about=WORDS,
    number=numbers,
    listed=st.booleans(),
)
def test_whatever_a_task_file_says_its_prompts_fit_the_task(
    answer, count, description, about, number, listed
):
    fields = ("first", "second", "third", "x4")[:count]
    task = made(ANSWERS[answer], fields, description, about)
    prompt = write_prompt(terms_of(task), 0, number, listed=listed)
    task.check_prompt(prompt)
    assert all(prompt.placeholders.count(name) == 1 for name in task.required)


@pytest.mark.parametrize("answer", ANSWERS)
@pytest.mark.parametrize("fields", [("first",), ("first", "second"), ("text", "hint", "source", "page")])
def test_a_task_that_says_nothing_still_has_a_bank(answer, fields):
    fields = ("first", *fields[1:]) if answer == "code" else fields
    task = made(ANSWERS[answer], fields)
    bank = compose_bank(task, count=60, test=6, validation=3).bank
    assert {split: len(prompts) for split, prompts in bank.splits.items()} == {
        "train": 51,
        "validation": 3,
        "test": 6,
    }


def test_options_are_listed_in_the_share_that_is_asked_for():
    for share, wanted in ((None, OPTIONS_SHARE), (0.0, 0.0), (0.5, 0.5), (1.0, 1.0)):
        kept = compose_bank(SHIPPED["snips"], count=100, options_share=share).screened.kept
        listed = [p for p in kept if p.provenance["listed"]]
        assert len(listed) == round(100 * wanted)
        for prompt in kept:
            shown = "{options}" in prompt.template or "search screening event" in prompt.template.lower()
            assert shown == prompt.provenance["listed"]


def test_a_long_list_of_options_is_not_written_unless_asked_for():
    task = SHIPPED["banking77"]
    assert not any(p.provenance["listed"] for p in compose_bank(task, count=50).screened.kept)
    asked = compose_bank(task, count=50, options_share=0.2).screened.kept
    assert sum("{options}" in p.template for p in asked) == 10


def test_options_that_differ_by_example_are_always_the_placeholder():
    for answer in ("by example", "lists"):
        kept = compose_bank(made(ANSWERS[answer]), count=50).screened.kept
        assert all(p.placeholders.count(OPTIONS) == 1 for p in kept)


@pytest.mark.parametrize("answer", ["by example", "text"])
def test_a_share_that_could_do_nothing_is_refused(answer):
    with pytest.raises(ConfigError, match="options_share is for fixed options"):
        compose_bank(made(ANSWERS[answer]), options_share=0.5)
    with pytest.raises(ConfigError, match="from 0 to 1"):
        compose_bank(SHIPPED["snips"], options_share=1.5)


def test_letters_stay_letters_in_any_case():
    task = SHIPPED["csqa"]
    for prompt in compose_bank(task, count=100, options_share=0.5).screened.kept:
        for letter in "ABCDE":
            assert re.search(rf"(?<![A-Za-z]){letter}[^A-Za-z{{]*\{{{letter}\}}", prompt.template)


@pytest.mark.slow
def test_more_prompts_than_there_are_is_refused_with_what_to_do(monkeypatch):
    monkeypatch.setattr(composed_bank, "MOST_CANDIDATES", 1)
    with pytest.raises(PromptError, match=r"only \d+ distinct prompts, not 2000: ask for fewer, or say more"):
        compose_bank(made(ANSWERS["json"]), count=2000)
    with pytest.raises(PromptError, match=f"at most {MOST}"):
        compose_bank(made(ANSWERS["json"]), count=1_000_000)


@pytest.mark.slow
def test_thousands_of_prompts_are_distinct():
    terms, task = terms_of(SHIPPED["snips"]), SHIPPED["snips"]
    prompts = [write_prompt(terms, 0, number, listed=number % 3 == 0) for number in range(5000)]
    assert len(screen([(p.template, p.provenance) for p in prompts], task).kept) >= 2000


def test_another_seed_writes_other_prompts():
    first, second = (compose_bank(SHIPPED["subj"], count=60, seed=seed).bank for seed in (0, 1))
    ids = [{p.id for prompts in bank.splits.values() for p in prompts} for bank in (first, second)]
    assert len(ids[0] & ids[1]) < 6


@pytest.mark.slow
def test_the_bank_does_not_depend_on_the_hash_seed_of_python():
    code = (
        "from paft.task.task import load_task; from paft.bank.compose.composed_bank import compose_bank; "
        "print(compose_bank(load_task('race_high'), count=80).bank.fingerprint)"
    )
    found = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for seed in ("0", "1", "4242")
    }
    assert len(found) == 1


def test_the_grammar_of_this_version_is_frozen():
    """A change of the grammar changes every composed bank: on purpose, and told in the changelog."""
    terms = terms_of(SHIPPED["snips"])
    ids = [write_prompt(terms, 0, number, listed=number % 3 == 0).id for number in range(300)]
    assert fingerprint(ids) == "82971b76e06d1f12"


DESCRIPTIONS = [
    ("", "nothing", []),
    ("Decide whether a note is spam.", "order", ["whether this note is spam"]),
    ("Name the topic of a report (AG News).", "order", []),
    ("Which team handles it?", "question", []),
    ("Sentiment of a review", "heading", []),
    ("The tone of a letter.", "heading", []),
    ("Frobnicate the widget", "order", []),
    ("Whether a claim is true", "order", ["whether this claim is true"]),
    ("Choose which of two words fits.", "order", ["which of two words fits"]),
]


@pytest.mark.parametrize(("text", "kind", "clauses"), DESCRIPTIONS)
def test_a_description_is_an_order_a_question_or_a_heading(text, kind, clauses):
    asked = read_description(text)
    assert asked.kind == kind
    assert set(clauses) <= set(asked.clauses)
    assert "AG News" not in asked.text


def test_what_a_description_says_besides_is_kept():
    asked = read_description("Solve a word problem; the answer is a number. Units are left out.")
    assert asked.notes == ("The answer is a number.", "Units are left out.")
    assert "find the answer to this word problem" in asked.orders


def test_a_task_names_its_fields_and_answers():
    terms = terms_of(SHIPPED["piqa"])
    assert terms.fields == ("goal",)
    assert terms.lettered == (("A", "sol1"), ("B", "sol2"))
    assert terms_of(SHIPPED["winogrande"]).lettered == (("A", "option1"), ("B", "option2"))
    assert terms_of(SHIPPED["snips"]).answers[0] == "intent"
    assert "utterance" in terms_of(SHIPPED["snips"]).items


def test_letters_stand_for_the_last_fields_where_no_prompt_shows_them():
    answer = {"rule": "choice", "options": ["A", "B"]}
    task = made(answer, ("goal", "one", "two"), prompt="{goal}: first {one}, or else {two}?")
    assert terms_of(task).lettered == (("A", "one"), ("B", "two"))
    assert terms_of(made(answer, ("text",))).lettered == ()


def _all_phrases():
    groups = [phrases.DESCRIBED, phrases.ANY_ANSWER, phrases.LABELLING]
    groups += [phrases.FORMS, phrases.LEADS, phrases.LISTS]
    yield from (text for group in groups for texts in group.values() for text in texts)
    yield from (text for kinds in stories.SENTENCES.values() for texts in kinds for text in texts)
    for texts in (phrases.OPENINGS, phrases.REMARKS, phrases.COLONS, phrases.COLONS_OF_A_LABEL):
        yield from texts
    yield from stories.ASIDES
    yield from (*phrases.ARROWS, *phrases.QUESTIONS)


def test_every_phrase_has_known_marks_and_no_braces():
    known = {"do", "clause", "question", "heading", "item", "items", "answer", "answers", "options"}
    for text in _all_phrases():
        assert marks(text) <= known, text
        assert not re.search(r"[{}]", text), text


def test_every_manner_has_phrases_for_every_kind_of_task():
    for manner in set(phrases.MANNERS) - {"none"}:
        assert phrases.ANY_ANSWER[manner]
        for words in ({"do", "item", "answer"}, {"question"}, {"heading"}):
            assert any(marks(text) & words for text in phrases.DESCRIBED[manner])
    assert set(phrases.FORMS) == set(GENERIC_ANSWERS)


def test_words_of_the_task_are_no_template():
    assert fill("<item>?", {"item": "a {b}"}) == "A {{b}}?"
    assert fill("a <item>, a <answer>", {"item": "utterance", "answer": "unit"}) == "an utterance, a unit"
    assert [plural(noun) for noun in ("box", "reply", "day", "code")] == ["boxes", "replies", "days", "code"]


def test_the_command_has_the_defaults_of_the_function():
    options = {option.name: option for option in typer.main.get_command(bank_app).commands["compose"].params}
    assert options["count"].default == COUNT
    assert options["count"].max == MOST
    assert f"{OPTIONS_SHARE:g} by default" in options["options_share"].help
    assert f"{VALIDATION_SHARE:.0%}".replace("%", " %") in options["validation"].help


def test_the_command_writes_a_bank_once(paft, own_desk, tmp_path):
    task, output = own_desk / "task.yaml", tmp_path / "composed.jsonl"
    command = ("bank", "compose", "--task", task, "--output", output, "--count", 90)
    command = (*command, "--test", 9, "--validation", 5)
    code, out, err = paft(*command, "--options-share", 0.5, "--seed", 3)
    assert code == 0 and "76 train, 5 validation, 9 test prompts" in out
    bank = load_bank(output)
    assert bank.fingerprint in out
    assert output.with_suffix(".rejected.jsonl").exists()
    code, out, err = paft("bank", "audit", output, "--task", task, "--strict")
    assert code == 0, out
    code, out, err = paft(*command)
    assert code == 2 and "is not overwritten" in err
    assert load_bank(output).fingerprint == bank.fingerprint
    code, out, err = paft("bank", "show", output, "--where", "manner=question", "--limit", 1)
    assert code == 0 and "manner question" in out


@pytest.mark.parametrize("note", ["Tags such as <br> do not count", "Write {x.y} or {}", "Keep <item>"])
def test_what_a_description_says_besides_is_no_template(note):
    terms = terms_of(made(ANSWERS["fixed"], description=f"Decide whether it is spam. {note}."))
    prompts = [write_prompt(terms, 0, number, listed=False) for number in range(60)]
    told = [prompt for prompt in prompts if prompt.provenance.get("note")]
    assert told and all(note.lower() in prompt.render({"first": ""}).lower() for prompt in told)


def test_too_few_prompts_of_one_kind_are_told_with_their_number(monkeypatch):
    def keep_unlisted(candidates, task, known):
        found = screen(candidates, task, known=known)
        return Screened(tuple(p for p in found.kept if not p.provenance["listed"]), found.rejected)

    monkeypatch.setattr(composed_bank, "screen", keep_unlisted)
    with pytest.raises(PromptError, match="gives only 10 distinct prompts, not 20"):
        compose_bank(SHIPPED["snips"], count=20, options_share=0.5)


def test_a_defect_that_most_candidates_have_is_named():
    task = made(ANSWERS["fixed"], [f"{letter}_" + "question_" * 60 for letter in "abc"])
    with pytest.raises(
        PromptError, match=r"others were rejected as too_long \(\d+ characters\): change what"
    ):
        compose_bank(task, count=20)
