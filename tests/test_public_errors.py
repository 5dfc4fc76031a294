"""Every public function refuses misspelt keys and wrong types in our words; nothing of pydantic leaks."""

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import paft
from paft.errors import PaftError

ROWS = [{"text": "x", "team": "a"}, {"text": "y", "team": "b"}]
TASK = {
    "name": "desk",
    "fields": {"text": "a message"},
    "answer": {"rule": "label", "field": "team", "options": ["a", "b"]},
    "data": {"train": ROWS, "test": ROWS},
    "prompt": "{text}",
}
PROMPT = paft.Prompt("{text} ->")
SETTINGS = paft.RunConfig(output="nowhere")


def made():
    return paft.Task(**TASK)


def rows(tokenizer=None, config=None, task=None, prompts=(PROMPT,), **more):
    return paft.prompt_dataset(
        task or made(), prompts, tokenizer, config or paft.Train(), **{"seed": 0, **more}
    )


def tuned(model="tiny", examples=(), prompts=(PROMPT,), config=None, seed=0, output="nowhere"):
    return paft.fine_tune(model, examples, prompts, config or paft.Train(), seed=seed, output=output)


CASES = {
    "Bank": [
        (lambda: paft.Bank(["{text}"]), "the prompts by split of a bank must be of type Mapping, not list"),
        (lambda: paft.Bank({"train": [1]}), "the train prompts of a bank must be a list of Prompt, not "),
        (lambda: paft.Bank({"train": "{text}"}), "the train prompts of a bank must be a list of prompts, no"),
        (lambda: paft.Bank({"train": ["{"]}), "template"),
        (lambda: paft.Bank({"train": (PROMPT,)}).save(None), "the file of a bank must be of type str or Pa"),
        (lambda: paft.Bank({"trian": (PROMPT,)}), "a bank has no split 'trian'; did you mean 'train'"),
    ],
    "EvaluateConfig": [
        (lambda: paft.EvaluateConfig(output="x", adaptor="y"), "EvaluateConfig: unknown key 'adaptor'; did"),
        (lambda: paft.EvaluateConfig(output="x", split="tst"), "split: .* (got 'tst'); did you mean 'test'"),
        (lambda: paft.EvaluateConfig(), "key 'output' is missing"),
    ],
    "Prompt": [(lambda: paft.Prompt(5), "a prompt's template must be of type str, not int")],
    "Results": [(lambda: paft.Results({"rows": [{"split": "test"}]}, "x").frame("perprompt"), "'per_prompt")],
    "Reporter": [(lambda: paft.run(SETTINGS, print), "the reporter must be of type Reporter or No")],
    "RunConfig": [
        (lambda: paft.RunConfig(trian={}), "RunConfig: unknown key 'trian'; did you mean 'train'"),
        (lambda: paft.RunConfig(train={"epoch": 1}), "unknown key 'train.epoch'; did you mean 'epochs'"),
        (lambda: paft.RunConfig(task=made()), r"task: here stands .*, as in run\(config, task=task"),
        (lambda: paft.RunConfig(bank=paft.Bank({"test": [PROMPT]})), r"as in run\(config, bank=bank"),
        (lambda: paft.RunConfig({"output": "x"}), r"RunConfig takes its keys by name, .*RunConfig\(\*\*MAP"),
        (lambda: paft.RunConfig(seeds=3), r"seeds: .*: \[3\] for that seed alone, \[0, 1, 2\] for three"),
        (lambda: paft.RunConfig(seeds=[2**32]), "seeds are whole numbers from 0 to 4294967295"),
        (lambda: paft.RunConfig(seeds=[0.5]), r"seeds.0: .* fractional part (got 0.5)$"),
        (lambda: paft.RunConfig(methods=()), "methods: List should have at least 1 item"),
        (lambda: paft.RunConfig(train={"learning_rate": math.inf}), "train.learning_rate: .* a finite numb"),
        (lambda: paft.RunConfig(train={"warmup": 10}), "warmup: .* less than 1: write 0.1 for 10 % (got 10)"),
        (lambda: paft.RunConfig(methods=["pfat"]), "unknown method 'pfat'; did you mean 'paft'"),
        (lambda: setattr(SETTINGS, "output", "x"), "a RunConfig cannot be changed: make another one with ou"),
        (lambda: setattr(SETTINGS, "outptu", "x"), "a RunConfig cannot be changed"),
    ],
    "Schedule": [
        (lambda: paft.Schedule("blok", 3), "a schedule has no mode 'blok'; did you mean 'block'"),
        (lambda: paft.Schedule("block", 3, draws="cycles"), "no draws 'cycles'; did you mean 'cycle'"),
        (lambda: paft.Schedule("step", 3, draws="cycle", steps=math.nan), "steps must be a whole number"),
        (lambda: paft.Schedule("block", 3, user_prompt_share=5), "from 0 to 1, not 5: write 0.05 for 5 %"),
        (lambda: paft.Schedule("block", "3"), "bank_size must be a whole number, at least 1, not '3'"),
    ],
    "Task": [
        (lambda: paft.Task(**TASK | {"name": "bike shop"}), "Task: name: use letters, digits, _ . and -, a"),
        (lambda: paft.Task(**TASK | {"data": pd.DataFrame()}), "data: give a mapping with some of the ke"),
        (lambda: paft.Task(**TASK, promt="x"), "Task: unknown key 'promt'; did you mean 'prompt'"),
        (lambda: paft.Task(**TASK | {"answer": {"rule": "lable"}}), "answer.rule: .*; did you mean 'label'"),
        (lambda: paft.Task(**TASK | {"data": {"train": 5, "test": ROWS}}), "data.train: give a file, .*, no"),
        (lambda: paft.Task(**TASK | {"data": {"train": ROWS, "test": [{1: "x"}]}}), "data.test: .*; item 0"),
        (lambda: paft.Task(**TASK | {"data": {"train": ["a.csv", {}], "test": ROWS}}), "; item 1 is dict {}"),
        (lambda: paft.Task(**TASK | {"data": {"train": [], "test": ROWS}}), "`train` is empty: give a file,"),
        (lambda: paft.Task(**TASK | {"prompt": 3}), "prompt.str: .* (got 3): quote '3'"),
        (lambda: paft.Task(**TASK, thresholds=0.9), r"thresholds: .* a list, as in \[0.9\] (got 0.9)"),
        (lambda: paft.Task(**TASK, thresholds=[90]), r"in \[0, 1\], got .*: write 0.9 for 90 %"),
        (lambda: paft.Task(**TASK | {"data": {"train": pd.Series("ab"), "test": ROWS}}), "train: .* not Se"),
        (lambda: made().examples("tets"), "a task has no split 'tets'; did you mean 'test'"),
    ],
    "Train": [(lambda: paft.Train(adapt={"rnk": 4}), "Train: unknown key 'adapt.rnk'; did you mean 'rank'")],
    "evaluate_matrix": [
        (lambda: paft.evaluate_matrix("tiny", made(), [PROMPT], []), "the model .* must be of type Language"),
    ],
    "evaluate_model": [
        (lambda: paft.evaluate_model(SETTINGS), "an evaluation must be of type EvaluateConfig, not RunConfi"),
        (lambda: paft.evaluate_model(paft.EvaluateConfig(output="x"), task=3), "the task must be of type Ta"),
    ],
    "fine_tune": [(tuned, "the model .* must be of type LanguageModel, not str: 'tiny'")],
    "load_bank": [(lambda: paft.load_bank(5), "the file of a bank must be of type str or Path, not int: 5")],
    "load_model": [
        (lambda: paft.load_model(5), "the model .* must be of type str or Path, not int"),
        (lambda: paft.load_model("tiny", chat=True), "the chat setting must be of type Chat, not bool"),
        (lambda: paft.load_model("tiny", 5), "the folder of an adapter must be of type str or Path, not int"),
    ],
    "load_results": [(lambda: paft.load_results(5), "the folder of a run must be of type str or Path, not")],
    "load_task": [
        (lambda: paft.load_task({}), "a task .* must be of type str or Path or Task, not dict"),
        (lambda: paft.load_task("routng"), "no task 'routng'.*; did you mean 'routing'"),
    ],
    "make_sft_trainer": [],  # tests/train/test_sft_trainer.py
    "predict": [
        (lambda: paft.predict(["a"], task="routing", model="tiny"), "row 0 must be a dict by column"),
        (lambda: paft.predict([], task="routing", model="tiny", prompt=3), "the prompt must be of type str"),
        (lambda: paft.predict({"message": "a"}, task="routing", model="tiny"), "one row alone is given"),
    ],
    "prompt_dataset": [
        (lambda: rows(task="routing"), "the task must be of type Task, not str"),
        (lambda: rows(), "the tokenizer must be of type PreTrainedTokenizerBase, not NoneType"),
    ],
    "run": [
        (lambda: paft.run({"output": "x"}), "the configuration of a run must be of type RunConfig, not dict"),
        (lambda: paft.run(SETTINGS, task="routing"), "the task must be of type Task or NoneType, not str"),
        (lambda: paft.run(SETTINGS, bank="bank.jsonl"), "the bank must be of type Bank or NoneType, not str"),
    ],
    "split_prompts": [
        (lambda: paft.split_prompts([None], test=1), "the prompts to split must be a list of Prompt, no"),
        (lambda: paft.split_prompts([PROMPT], test=1, seed=0.5), "the seed of the split must be a whole num"),
        (lambda: paft.split_prompts([PROMPT], test=1, hold_out=PROMPT), "hold_out must be a function of a "),
        (lambda: paft.split_prompts([PROMPT], test="1"), "the number of test prompts must be a whole number"),
    ],
    "summarize": [
        (lambda: paft.summarize("abc", 0.9), "accuracies must be numbers, one a prompt, not 'abc'"),
        (lambda: paft.summarize([0.5], "high"), "the threshold must be a number from 0 to 1, not 'h"),
        (lambda: paft.summarize([0.5], 90), "from 0 to 1, not 90: write 0.9 for 90 %"),
        (lambda: paft.summarize([50, 90], 0.9), "from 0 to 1, not 50: write 0.5 for 50 %"),
    ],
    "train_model": [(lambda: paft.train_model({}), "a training must be of type RunConfig, not dict")],
}  # fmt: skip


@pytest.mark.parametrize(
    ("call", "said"), [case for name in CASES for case in CASES[name]],
    ids=[f"{name}-{number}" for name in CASES for number in range(len(CASES[name]))],
)  # fmt: skip
def test_misspelt_keys_and_wrong_types_are_told_in_one_line(call, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(PaftError, match=said.replace("(got", r"\(got").replace(")", r"\)")) as caught:
        call()
    assert "\n" not in str(caught.value) and "pydantic" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_every_public_name_is_tried():
    assert set(CASES) == set(paft.__all__) - {"PaftError"}


def test_examples_and_prompts_of_other_types_are_refused(
    language_model, task, bank, test_examples, tokenizer
):
    calls = {
        "the prompts .* must be a list of Prompt, not Bank: Bank": (bank, test_examples, {}),
        "the prompts .* must be a list of Prompt, not Prompt": (bank["test"][0], test_examples, {}),
        "the examples must be a list of Example, not of dict": (bank["test"], ROWS, {}),
        "choose cannot be 'max'": (bank["test"], test_examples, {"choose": "max"}),
        "there is no cell to score": (bank["test"], [], {}),
        "max_length must be a whole number": (bank["test"], test_examples, {"max_length": math.nan}),
        "batch_tokens must be a whole number": (bank["test"], test_examples, {"batch_tokens": 0}),
        r"chosen must be an array of bool of shape \(": (bank["test"], test_examples, {"chosen": np.ones(3)}),
    }
    for said, (prompts, examples, more) in calls.items():
        with pytest.raises(PaftError, match=said):
            paft.evaluate_matrix(language_model, task, prompts, examples, **more)
    for said, more in {
        "the training examples must be a list of Example": {"examples": ROWS},
        "training prompts .* must be a list of Prompt": {
            "examples": test_examples,
            "prompts": ["{text}"],
        },
        "the training settings must be of type Train": {"examples": test_examples, "config": {"epochs": 1}},
        "training needs one example": {},
        "the seed must be a whole number, from 0": {"examples": test_examples, "seed": -1},
        "the folder for the result must be of type str or Path": {"examples": test_examples, "output": 5},
    }.items():
        with pytest.raises(PaftError, match=said):
            tuned(language_model, **more)
    with pytest.raises(PaftError, match="the training settings must be of type Train, not dict"):
        rows(tokenizer, {"epochs": 1})
    with pytest.raises(PaftError, match=r"the prompts \(or a Bank\) must be a list of Prompt"):
        rows(tokenizer, prompts=["{text}"])
    for said, more in {
        "the seed must be a whole number": {"seed": math.nan},
        "epochs must be a whole number, at least 1": {"epochs": 0},
        "fill must be a whole number, at least 1": {"fill": math.nan},
        "the training examples must be a list of Example": {"examples": ROWS},
        "training needs one example": {"examples": []},
        "the setting of the chat template .* must be of type Chat": {"chat": True},
    }.items():
        with pytest.raises(PaftError, match=said):
            rows(tokenizer, **more)


def test_what_can_mean_one_thing_alone_is_taken(tmp_path):
    assert paft.RunConfig(methods="base, single", seeds="0,1").methods == ("base", "single")
    assert paft.RunConfig(methods="paft", seeds=np.arange(2)).seeds == (0, 1)
    given = paft.RunConfig(task=tmp_path / "desk.yaml", model=Path("tiny"), bank=Path("b.jsonl"))
    written = paft.RunConfig(task=str(tmp_path / "desk.yaml"), model="tiny", bank="b.jsonl")
    assert given == written and given.output == "runs/desk" and given.train.adapt.method == "full"
    assert paft.EvaluateConfig(output=tmp_path, adapters={"a": tmp_path}).adapters == {"a": str(tmp_path)}
    assert paft.Task(**TASK | {"prompt": [PROMPT]}).prompts == [PROMPT]
    assert paft.Task(**TASK | {"prompt": PROMPT}).prompt == PROMPT.template


def test_objects_show_themselves_in_a_line(language_model):
    shown = repr(language_model)
    assert shown.startswith("LanguageModel(") and shown.endswith(" million parameters, float32 on cpu)")
    text = repr(paft.Task(**TASK | {"data": {"train": ROWS * 1000, "test": "test.csv"}}))
    assert "train='<2000 rows>'" in text and "test='test.csv'" in text and len(text) < 800
