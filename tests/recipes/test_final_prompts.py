"""Prompts kept for one last look: a split of their own, unlike any prompt that a training or a choice met."""

from __future__ import annotations

from pathlib import Path

import pytest

from paft.bank import Bank, load_bank, near_duplicates_across
from paft.builtin import BANKS
from paft.errors import PromptError
from paft.prompt import Prompt
from paft.task.task import load_task

RECIPES = Path(__file__).parents[2] / "recipes"


@pytest.mark.parametrize("name", ["snips", "subj"])
def test_final_prompts_fit_the_task_and_repeat_none_of_its_bank(name, tmp_path):
    final = load_bank(RECIPES / "real" / "final" / f"{name}.jsonl").require("final")
    assert len(final) == 40
    task = load_task(name)
    for prompt in final:
        task.check_prompt(prompt)
    bank = load_bank(BANKS[name])
    whole = Bank({**bank.splits, "final": final})
    new = {prompt.id for prompt in final}
    assert not [pair for pair in near_duplicates_across(whole) if pair[1].id in new]
    whole.save(tmp_path / "bank.jsonl")
    assert load_bank(tmp_path / "bank.jsonl") == whole


def test_a_final_prompt_that_was_seen_is_refused():
    with pytest.raises(PromptError, match=r"final prompt .* same words as seen prompt"):
        near_duplicates_across(Bank({"train": (Prompt("Q: {text}"),), "final": (Prompt("Q {text}:"),)}))


def test_the_final_split_is_evaluated_by_name(paft, desk, model_folder, tmp_path):
    bank = tmp_path / "final.jsonl"
    Bank({"final": (Prompt("{message}\nDesk?"), Prompt("Which desk takes it? {message}"))}).save(bank)
    arguments = ["--task", desk / "task.yaml", "--bank", bank, "--split", "final", "--model", model_folder]
    code, out, err = paft("evaluate", *arguments, "--output", tmp_path / "out")
    assert code == 0, err
    assert "2 final prompts" in out
