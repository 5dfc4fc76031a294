"""The built-in bank fits its task, and its unseen prompts are unseen."""

import pytest

from paft.bank import load_bank, near_duplicates_across
from paft.bank.audit import audit_file
from paft.builtin import BANKS, TASKS
from paft.similarity import near_pairs
from paft.task.task import load_task

BANK = load_bank(BANKS["routing"])
TASK = load_task("routing")
WRITTEN = ("train", "validation", "test")
EVERY = [prompt for split in BANK.splits for prompt in BANK.prompts(split)]


def test_a_task_takes_the_bank_of_its_name():
    """The others have one composed; the banks without a task are other splits of these."""
    banks = TASKS.keys() & BANKS.keys()
    assert banks == {"routing", "snips", "subj", "sms_spam", "banking77"}
    for name in BANKS:
        task = load_task(name.removesuffix("_wording").removesuffix("_writers"))
        for prompts in load_bank(BANKS[name]).splits.values():
            for prompt in prompts:
                task.check_prompt(prompt)
    assert all(load_task(name).name == name for name in TASKS)


@pytest.mark.parametrize(
    ("split", "least"), [("train", 160), ("validation", 20), ("test", 40), ("adversarial", 10)]
)
def test_there_are_enough_prompts(split, least):
    assert len(BANK.prompts(split)) >= least


def test_every_prompt_fits_the_task_and_renders_a_message_verbatim():
    example = TASK.examples("test")[0]
    for prompt in EVERY:
        TASK.check_prompt(prompt)
        assert example.fields["message"] in prompt.render(example.values)


def test_no_unseen_prompt_is_a_near_duplicate_of_a_seen_one():
    assert near_duplicates_across(BANK) == []


def test_no_near_duplicates_stand_in_any_two_splits():
    home = {prompt.id: split for split in WRITTEN for prompt in BANK.prompts(split)}
    written = [prompt for prompt in EVERY if prompt.id in home]
    pairs = [(written[i], written[j]) for i, j, _ in near_pairs(written)]
    assert [(a, b) for a, b in pairs if home[a.id] != home[b.id]] == []


def test_adversarial_prompts_are_versions_of_unseen_ones():
    unseen = {prompt.id for prompt in BANK.prompts("test")}
    assert {prompt.provenance["parent"] for prompt in BANK.prompts("adversarial")} <= unseen


def test_the_users_own_prompt_is_no_prompt_of_the_bank():
    together = [*TASK.prompts, *EVERY]
    assert [(i, j) for i, j, _ in near_pairs(together) if i < len(TASK.prompts) <= j] == []


def test_the_audit_finds_nothing():
    assert audit_file(BANKS["routing"], TASK).findings == []


def test_every_prompt_says_who_wrote_it():
    assert all(prompt.provenance["source"] for prompt in EVERY)
