"""Prompts that a model met in its training are not passed off as unseen: it is said wherever figures are."""

from __future__ import annotations

import json
import shutil
from typing import Any

import pytest

import paft as api
from paft.bank import Bank
from paft.experiment.dry_run import plan_run
from paft.experiment.evaluate import EvaluateConfig, evaluate
from paft.experiment.train import train
from paft.prompt import Prompt
from paft.report.combined import read_combined
from paft.report.data import read_report
from paft.report.run_folder import met_in_training
from paft.report.text import markdown

pytestmark = pytest.mark.slow  # several trainings
SAYS = "nothing about unseen prompts, take others instead"
NEW = Prompt("{message} is for")


@pytest.fixture(scope="module")
def trained(configure, tmp_path_factory):
    """A whole model that met all training prompts, adapters on the user prompt and on one of the bank."""
    folder = tmp_path_factory.mktemp("trained")
    whole = {"adapt": {"method": "full"}, "epochs": 2}
    train(configure(folder / "whole", methods=("per_example",), train=whole))
    api.run(configure(folder / "run", methods=("single", "paft"), train={"max_steps": 1}))
    return folder


def test_a_model_on_prompts_of_its_training_is_told_everywhere(trained, task, bank, tmp_path):
    model, output, seen = str(trained / "whole" / "model"), tmp_path / "out", bank["train"]
    mixed = Bank({"test": (*seen, NEW)})
    results = evaluate(EvaluateConfig(model=model, output=str(output)), task=task, bank=mixed)
    count = f"{len(seen)} of the {len(seen) + 1} prompts were in the training of 'model' ({model})"
    told = f"{count}: their figures say {SAYS}"
    assert told in results["warnings"]
    assert results["findings"][0] == {"kind": "trained_prompts", "text": told}
    assert results["trained_on"][0]["prompts"] == [prompt.id for prompt in seen]
    page = (output / "report.html").read_text("utf-8").replace("&#39;", "'")
    for text in (page, markdown(read_report(output))):
        assert text.replace("\\", "").count(count) == 1
        assert text.count("unseen") == text.count("nothing about unseen")
    printed = " ".join(f"{results!r} {results} {results.verdict}".split())
    assert printed.count("unseen") == printed.count("nothing about unseen") == 1


@pytest.mark.slow
def test_the_adapter_that_was_trained_is_named(paft, desk, trained, bank, model_folder, tmp_path):
    (met,) = met_in_training([str(trained / "run" / "trials" / "paft-0" / "adapter")])
    prompts = tmp_path / "bank.jsonl"
    Bank({"test": (*bank["train"], NEW)}).save(prompts)
    adapters = [
        f"{name}={trained / 'run' / 'trials' / f'{name}-0' / 'adapter'}" for name in ("single", "paft")
    ]
    code, out, err = paft(
        "evaluate", "--task", desk / "task.yaml", "--bank", prompts, "--adapter", adapters[0], "--adapter",
        adapters[1], "--output", tmp_path / "out",
    )  # fmt: skip
    assert code == 0, err
    said = " ".join(out.split())
    # What stood in the training split and was not drawn is unseen; a method without a bank met none.
    text = f"1 of the {len(bank['train']) + 1} prompts was in the training of 'paft' ({adapters[1][5:]})"
    assert said.count(f"warning: {text}: its figures say {SAYS}") == said.count("in the training of") == 2
    [found] = json.loads((tmp_path / "out" / "results.json").read_text())["trained_on"]
    assert (found["method"], found["prompts"]) == ("paft", [met])
    shutil.copytree(tmp_path / "out", tmp_path / "again")
    both = read_combined([tmp_path / "out", tmp_path / "again"])
    assert "'out/paft'" in both.findings[0].text and "unseen" not in both.headline


def test_what_was_trained_before_counts_and_what_has_no_record_does_not(trained, bank, tmp_path):
    first = trained / "whole" / "model"
    later = tmp_path / "later"
    shutil.copytree(trained / "whole", later)
    (later / "train.json").write_text(json.dumps({"by_prompt": {NEW.id: {}}}))
    text = (later / "config.yaml").read_text()
    began = next(line for line in text.splitlines() if line.startswith("model:"))
    (later / "config.yaml").write_text(text.replace(began, f"model: {first}"))
    ids = {prompt.id for prompt in bank["train"]}
    assert met_in_training([str(later / "model")]) == ids | {NEW.id}
    shutil.copytree(first, tmp_path / "elsewhere")
    assert met_in_training([str(tmp_path / "elsewhere"), "tiny"]) == set()


def test_a_run_that_goes_on_from_a_training_tells_which_unseen_prompts_were_in_it(
    configure, trained, bank, tmp_path
):
    model, seen = str(trained / "whole" / "model"), bank["train"]
    mixed = Bank({"train": bank["test"], "test": (seen[0], NEW)})
    mixed.save(tmp_path / "mixed.jsonl")
    settings: dict[str, Any] = {"model": model, "bank": str(tmp_path / "mixed.jsonl")}
    config = configure(tmp_path / "out", **settings, methods=("base", "single"), train={"max_steps": 1})
    told = f"1 of the 2 prompts was in the training of 'base' ({model}): its figures say {SAYS}"
    assert told in plan_run(config)["warnings"]
    results = api.run(config)
    assert told in results["warnings"] and {"kind": "trained_prompts", "text": told} in results["findings"]
    assert results["trained_on"] == [{"method": "base", "weights": model, "prompts": [seen[0].id]}]
    page = (tmp_path / "out" / "report.html").read_text("utf-8")
    for text in (page, f"{results!r} {results.verdict}"):
        assert text.count("unseen") == text.count("nothing about unseen")


def test_the_training_split_is_meant_to_be_known(trained, task, bank, tmp_path):
    model = str(trained / "whole" / "model")
    results = evaluate(EvaluateConfig(model=model, split="train", output=str(tmp_path)), task=task, bank=bank)
    assert "trained_on" not in results
    results = evaluate(EvaluateConfig(model=model, output=str(tmp_path / "own")), task=task, bank=bank)
    assert "trained_on" not in results and "unseen" in repr(results)
