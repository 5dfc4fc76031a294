"""Adversarial versions keep placeholders and labels, whatever else they spoil."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paft.bank import load_bank
from paft.bank.adversarial import KINDS, adversarial_prompts, perturb
from paft.builtin import BANKS
from paft.errors import PromptError
from paft.prompt import Prompt
from paft.task.task import load_task
from screening import TASKS

ROUTING, QUIZ = TASKS["routing"], TASKS["quiz"]
LISTED = Prompt(
    "Which team should answer this message, please?\n{message}\n"
    "One of billing, credit, delivery, returns, repairs, orders, website, privacy, careers.\nTeam:"
)
LETTERED = Prompt("Question: {question}\nA. {A}\nB. {B}\nC. {C}\nD. {D}\nAnswer:")


@settings(max_examples=100, deadline=None)
@given(
    words=st.lists(
        st.sampled_from(["Which", "team", "{message}", "billing", "A.", "{{x}}", "please:", "\n"]), min_size=1
    ),
    kind=st.sampled_from(sorted(KINDS)),
    seed=st.integers(0, 9),
)
def test_placeholders_survive_every_perturbation(words, kind, seed):
    prompt = Prompt(" ".join([*words, "end"]))
    version = perturb(prompt, kind, ROUTING, seed)
    if version is not None:
        assert sorted(version.placeholders) == sorted(prompt.placeholders)
        assert version.id != prompt.id
        assert version == perturb(prompt, kind, ROUTING, seed)
        assert version.provenance == {"source": "adversarial", "kind": kind, "parent": prompt.id}


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_labels_keep_their_spelling(kind):
    version = perturb(LISTED, kind, ROUTING)
    if version is not None:
        assert all(label in version.template for label in ROUTING.answer.words)


def test_each_kind_does_what_its_name_says():
    upper = perturb(LISTED, "upper_case", ROUTING).template
    assert "WHICH TEAM" in upper and "billing" in upper
    assert "which team" in perturb(LISTED, "lower_case", ROUTING).template
    assert "please\n" in perturb(LISTED, "punctuation", ROUTING).template
    assert "careers, privacy, website" in perturb(LISTED, "label_order", ROUTING).template
    assert len(perturb(LISTED, "spacing", ROUTING).template.split()) == len(LISTED.template.split())
    typed = perturb(LISTED, "typos", ROUTING).template
    changed = [a for a, b in zip(LISTED.template.split(), typed.split(), strict=True) if a != b]
    assert changed


def test_lettered_options_change_their_order_and_their_marks_but_not_their_letters():
    assert perturb(LETTERED, "label_order", QUIZ).template == (
        "Question: {question}\nD. {D}\nC. {C}\nB. {B}\nA. {A}\nAnswer:"
    )
    marked = perturb(LETTERED, "enumerators", QUIZ).template
    assert marked != LETTERED.template
    for letter in "ABCD":
        line = next(line for line in marked.splitlines() if "{" + letter + "}" in line)
        assert line.strip("([").startswith(letter)


def test_the_cue_of_a_question_of_options_is_no_enumerator():
    asked = Prompt(LETTERED.template.replace("Answer:", "A:"))
    versions = [perturb(asked, "enumerators", QUIZ, seed).template for seed in range(9)]
    assert len(set(versions)) > 1 and all(text.endswith("\nA:") for text in versions)


def test_what_does_not_change_is_no_version():
    assert perturb(Prompt("{message} which team"), "label_order", ROUTING) is None
    assert perturb(Prompt("{message} which team"), "lower_case", ROUTING) is None


def test_the_set_has_all_kinds_and_is_a_function_of_the_seed():
    task, bank = load_task("routing"), load_bank(BANKS["routing"])
    versions = adversarial_prompts(bank.prompts("test"), task)
    assert len(versions) == 10 == len({v.id for v in versions})
    assert {v.provenance["kind"] for v in versions} >= set(KINDS) - {"label_order", "enumerators"}
    assert versions == adversarial_prompts(bank.prompts("test"), task)
    assert versions != adversarial_prompts(bank.prompts("test"), task, seed=1)
    for version in versions:
        task.check_prompt(version)


def test_more_than_there_are_is_refused():
    with pytest.raises(PromptError, match="adversarial versions, 10 were asked for"):
        adversarial_prompts([Prompt("{message} which")], ROUTING)
