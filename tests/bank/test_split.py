"""Unseen means unseen: near duplicates never stand on both sides of a split."""

import math
import random

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from paft.bank import Bank, near_duplicates_across, near_warnings, split_prompts
from paft.bank.importers import import_prompts
from paft.bank.split import counts_of, written_by
from paft.errors import ConfigError, PromptError
from paft.prompt import Prompt
from paft.similarity import near_pairs

# Ten ways to ask, each in five suits of clothes: ten clusters of five near duplicates.
CORES = {
    "billing": "Which colleague should look after this request from a shopper",
    "delivery": "Sort the letter below into one pile among those we keep",
    "returns": "Name the department responsible, nothing else",
    "repairs": "I forward mail all day; tell me whose inbox comes next",
    "orders": "Classification exercise: assign a category",
    "website": "You work at reception and direct visitors to rooms",
    "privacy": "Given what was written, predict its destination",
    "careers": "Who can help here? Answer using a single word",
    "credit": "Triage incoming support tickets by their topic",
    "gardens": "Please route my email to somebody competent",
}
CLOTHES = [
    "{core}: {{text}}",
    "{{text}}\n{core}?",
    "{core} =>\n{{text}}",
    "Now: {core}: {{text}}",
    "{core} OK {{text}}",
]


def reworded(subject, clothes):
    return Prompt(CLOTHES[clothes].format(core=CORES[subject]))


FAMILIES = [reworded(subject, clothes) for subject in CORES for clothes in range(len(CLOTHES))]
DISTINCT = [Prompt(f"{word * 3} {{text}}") for word in CORES]
FROZEN = [
    "billingbillingbilling {text}",
    "repairsrepairsrepairs {text}",
    "careerscareerscareers {text}",
]


@settings(max_examples=60, deadline=None)
@given(
    prompts=st.lists(st.sampled_from(FAMILIES), min_size=3, max_size=25),
    test=st.integers(1, 5),
    validation=st.integers(0, 4),
    seed=st.integers(0, 2**32),
)
def test_no_near_duplicates_stand_in_different_splits(prompts, test, validation, seed):
    try:
        bank = split_prompts(prompts, test=test, validation=validation, seed=seed)
    except PromptError:
        assume(False)
    home = {p.id: split for split in bank.splits for p in bank.prompts(split)}
    everyone = [p for split in bank.splits for p in bank.prompts(split)]
    assert near_duplicates_across(bank) == []
    assert all(home[everyone[i].id] == home[everyone[j].id] for i, j, _ in near_pairs(everyone))
    assert len(bank.prompts("test")) == test
    assert len(bank.prompts("validation")) == validation
    assert home.keys() == {p.id for p in prompts}


def test_a_family_of_rewordings_goes_to_one_split_whole():
    bank = split_prompts(FAMILIES, test=10, validation=5, seed=3)
    families = {
        split: {subject for p in bank.prompts(split) for subject, core in CORES.items() if core in p.template}
        for split in ("train", "validation", "test")
    }
    assert {split: len(names) for split, names in families.items()} == {
        "train": 7,
        "validation": 1,
        "test": 2,
    }
    assert len(set.union(*families.values())) == len(CORES)


def test_a_split_depends_on_the_seed_alone():
    first = split_prompts(FAMILIES, test=5, seed=7)
    random.seed(1)
    np.random.seed(1)
    assert split_prompts(FAMILIES, test=5, seed=7) == first
    assert any(split_prompts(FAMILIES, test=5, seed=seed) != first for seed in range(5))


def test_prompts_keep_their_order_within_a_split():
    bank = split_prompts(FAMILIES, test=5, seed=1)
    order = {p.id: i for i, p in enumerate(FAMILIES)}
    for split in bank.splits:
        places = [order[p.id] for p in bank.prompts(split)]
        assert places == sorted(places)


def test_the_order_of_the_file_does_not_matter():
    backwards = split_prompts(FAMILIES[::-1], test=5, validation=5, seed=1)
    for split, prompts in split_prompts(FAMILIES, test=5, validation=5, seed=1).splits.items():
        assert set(backwards.prompts(split)) == set(prompts)


def test_a_split_is_the_same_on_every_machine():
    """Written down, so that another library or machine that splits otherwise is seen."""
    assert [p.template for p in split_prompts(DISTINCT, test=3, seed=0).prompts("test")] == FROZEN


@pytest.mark.parametrize(
    ("ratio", "total", "test"),
    [("8:1", 450, 50), ("8:1", 9, 1), ("8:1", 3, 1), ("1:1", 10, 5), ("6.5:1", 361, 48)],
)
def test_a_ratio_is_a_number_of_test_prompts(ratio, total, test):
    assert counts_of(ratio, total) == test


@pytest.mark.parametrize("ratio", ["8", "8:", ":1", "0:1", "8:0", "a:b", "-8:1", "inf:1", "nan:1", "8:1:1"])
def test_what_is_no_ratio_is_refused(ratio):
    with pytest.raises(PromptError, match="is not train:test, for instance 8:1"):
        counts_of(ratio, 100)


def test_a_held_out_generator_is_never_trained_on_nor_are_its_near_duplicates():
    prompts = [
        Prompt(p.template, {"generator": "b" if i % len(CLOTHES) == 4 and i < 20 else "a"})
        for i, p in enumerate(FAMILIES)
    ]
    bank = split_prompts(prompts, test=5, validation=5, hold_out=written_by([("generator", "b")]))
    assert all(p.provenance["generator"] == "a" for p in bank.prompts("train"))
    assert {p.id for p in prompts if p.provenance["generator"] == "b"} <= {p.id for p in bank.prompts("test")}
    assert len(bank.prompts("test")) == 20  # four families of five
    assert near_duplicates_across(bank) == []


def test_prompts_by_people_are_told_by_their_source():
    people = written_by([], human=True)
    told = [
        people(Prompt("{text} x", {"source": source})) for source in ("human", "task", "generated", "model")
    ]
    assert told == [True, True, False, False]


def test_exact_repeats_count_once():
    bank = split_prompts([*DISTINCT, *DISTINCT], test=3)
    assert sum(len(prompts) for prompts in bank.splits.values()) == len(DISTINCT)


@pytest.mark.parametrize(("test", "validation"), [(10, 0), (5, 5)])
def test_sizes_that_leave_no_training_prompt_are_refused(test, validation):
    with pytest.raises(PromptError) as caught:
        split_prompts(DISTINCT, test=test, validation=validation)
    assert f"cannot split 10 distinct prompts into {test} test, {validation} validation" in str(caught.value)


@pytest.mark.parametrize(("test", "validation"), [(0, 0), (3, -1), (2.5, 0), (3, True), (math.nan, 0)])
def test_sizes_that_are_no_numbers_of_prompts_are_refused(test, validation):
    with pytest.raises(ConfigError, match="prompts must be a whole number, at least"):
        split_prompts(DISTINCT, test=test, validation=validation)


def test_sizes_of_numpy_are_taken():
    assert split_prompts(DISTINCT, test=np.int64(3)) == split_prompts(DISTINCT, test=3)


def test_sizes_that_whole_clusters_cannot_meet_are_refused():
    one_family = [reworded("billing", clothes) for clothes in range(len(CLOTHES))]
    with pytest.raises(PromptError, match=r"5 prompts form only 1 clusters .* fill test=2"):
        split_prompts(one_family, test=2)


@pytest.mark.parametrize(
    ("split", "later"), [("train", "test"), ("validation", "test"), ("train", "validation")]
)
@pytest.mark.parametrize("text", ["{text}\nWHICH TEAM:", "Which team? {text}", "which   team,\n\n{text}!"])
def test_an_unseen_prompt_with_the_words_of_a_seen_one_is_refused_with_both_named(split, later, text):
    seen, unseen = Prompt("Which team? {text} "), Prompt(text)
    with pytest.raises(PromptError) as caught:
        near_duplicates_across(Bank({split: (seen,), later: (DISTINCT[0], unseen)}))
    assert str(caught.value).startswith(f"{later} prompt {unseen.id}")
    assert seen.id in str(caught.value)
    assert "paft bank split" in str(caught.value)


def test_a_validation_prompt_near_a_training_prompt_is_told_apart_from_unseen_ones():
    seen, twin, unseen = reworded("billing", 0), reworded("billing", 4), reworded("billing", 3)
    bank = Bank({"train": (seen,), "validation": (DISTINCT[0], twin), "test": (DISTINCT[1],)})
    near = near_duplicates_across(bank)
    assert [pair[:2] for pair in near] == [(seen, twin)]
    told = "1 pairs of a training and a validation prompt are near duplicates"
    assert near_warnings(bank, near) == [told]
    bank = Bank({"train": (seen,), "validation": (twin,), "test": (unseen,)})
    near = near_duplicates_across(bank)
    assert len(near) == 3
    assert near_warnings(bank, near) == ["2 pairs of a seen and an unseen prompt are near duplicates", told]
    assert near_warnings(bank, []) == []


def test_near_duplicates_across_a_hand_made_split_are_reported_with_their_similarity():
    seen, unseen = reworded("billing", 0), reworded("billing", 4)
    bank = Bank({"train": (DISTINCT[0], seen), "test": (DISTINCT[1], unseen)})
    ((first, second, similarity),) = near_duplicates_across(bank)
    assert (first, second) == (seen, unseen)
    assert 0.7 <= similarity < 1


def test_near_duplicates_within_one_side_are_nobodys_business():
    pair = (reworded("billing", 0), reworded("billing", 4))
    assert near_duplicates_across(Bank({"train": pair, "test": (DISTINCT[0],)})) == []
    assert near_duplicates_across(Bank({"train": (DISTINCT[0],), "test": pair})) == []


@pytest.mark.parametrize("name", ["hel", "piqa", "race", "win"])
def test_the_papers_banks_split_anew_leak_nothing(name, paft_banks):
    files = [paft_banks / f"robust_{split}dataset_{name}.xlsx" for split in ("train", "test")]
    prompts = list({p.id: p for file in files for p in import_prompts(file)}.values())
    bank = split_prompts(prompts, test=counts_of("8:1", len(prompts)))
    assert near_duplicates_across(bank) == []  # it would raise for equal skeletons
    assert abs(len(bank.prompts("train")) - 8 * len(bank.prompts("test"))) <= 8


def test_a_condition_that_holds_for_no_prompt_or_for_all_is_refused():
    prompts = [Prompt(p.template, {"generator": "gpt"}) for p in DISTINCT]
    with pytest.raises(PromptError, match="no prompt is held out: name what some of the 10 prompts have"):
        split_prompts(prompts, test=2, hold_out=written_by([("generator", "gtp")]))
    with pytest.raises(PromptError, match="all prompts, with their near duplicates, are held out"):
        split_prompts(prompts, test=2, hold_out=written_by([("generator", "gpt")]))
