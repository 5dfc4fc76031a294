"""Every public function refuses misspelt keys and wrong types in our words; nothing of pydantic leaks."""

from pathlib import Path

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


def rows(tokenizer=None, config=None, task=None, prompts=(PROMPT,)):
    return paft.prompt_dataset(task or made(), prompts, tokenizer, config or paft.Train(), seed=0)


def tuned(model="tiny", examples=(), prompts=(PROMPT,), config=None):
    return paft.fine_tune(model, examples, prompts, config or paft.Train(), seed=0, output=Path("nowhere"))


CASES = {
    "Bank": [
        (lambda: paft.Bank(["{text}"]), "the prompts by split of a bank must be of type Mapping, not list"),
        (lambda: paft.Bank({"train": ["{text}"]}), "a train prompt of a bank must be of type Prompt, not st"),
        (lambda: paft.Bank({"trian": (PROMPT,)}), "unknown split 'trian'; did you mean 'train'"),
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
        (lambda: paft.RunConfig(methods=["pfat"]), "unknown method 'pfat'; did you mean 'paft'"),
        (lambda: setattr(SETTINGS, "output", "x"), "a RunConfig cannot be changed: make another one with ou"),
        (lambda: setattr(SETTINGS, "outptu", "x"), "a RunConfig cannot be changed"),
    ],
    "Schedule": [
        (lambda: paft.Schedule("blok", 3), "a schedule has no mode 'blok'; did you mean 'block'"),
        (lambda: paft.Schedule("block", 3, draws="cycles"), "no draws 'cycles'; did you mean 'cycle'"),
        (lambda: paft.Schedule("block", "3"), "bank_size must be of type int"),
    ],
    "Task": [
        (lambda: paft.Task(**TASK, promt="x"), "Task: unknown key 'promt'; did you mean 'prompt'"),
        (lambda: paft.Task(**TASK | {"answer": {"rule": "lable"}}), "answer.rule: .*; did you mean 'label'"),
        (lambda: paft.Task(**TASK | {"data": {"train": 5, "test": ROWS}}), "data.train: give a file, .*, no"),
        (lambda: paft.Task(**TASK | {"data": {"train": ROWS, "test": [{1: "x"}]}}), "data.test: .*; item 0"),
        (lambda: paft.Task(**TASK | {"data": {"train": ["a.csv", {}], "test": ROWS}}), "; item 1 is dict {}"),
        (lambda: paft.Task(**TASK | {"data": {"train": [], "test": ROWS}}), "`train` is empty: give a file,"),
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
        (lambda: paft.predict(["a"], task="routing", model="tiny"), "row 1 must be a dict by column"),
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
        (lambda: paft.split_prompts(["{text}"], test=1), "the prompts to split must be a list of Prompt, no"),
        (lambda: paft.split_prompts([PROMPT], test="1"), "the number of test prompts must be of type int, n"),
    ],
    "summarize": [
        (lambda: paft.summarize("abc", 0.9), "accuracies must be numbers, one a prompt, not 'abc'"),
        (lambda: paft.summarize([0.5], "high"), "the threshold must be of type int or float, not str"),
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
    }
    for said, (prompts, examples, more) in calls.items():
        with pytest.raises(PaftError, match=said):
            paft.evaluate_matrix(language_model, task, prompts, examples, **more)
    for said, more in {
        "the training examples must be a list of Example": {"examples": ROWS},
        "the training prompts must be a list of Prompt": {"examples": test_examples, "prompts": ["{text}"]},
        "the training settings must be of type Train": {"examples": test_examples, "config": {"epochs": 1}},
        "training needs one example": {},
    }.items():
        with pytest.raises(PaftError, match=said):
            tuned(language_model, **more)
    with pytest.raises(PaftError, match="the training settings must be of type Train, not dict"):
        rows(tokenizer, {"epochs": 1})
    with pytest.raises(PaftError, match=r"the prompts \(or a Bank\) must be a list of Prompt"):
        rows(tokenizer, prompts=["{text}"])


def test_objects_show_themselves_in_a_line(language_model):
    shown = repr(language_model)
    assert shown.startswith("LanguageModel(") and shown.endswith(" million parameters, float32 on cpu)")
    text = repr(paft.Task(**TASK | {"data": {"train": ROWS * 1000, "test": "test.csv"}}))
    assert "train='<2000 rows>'" in text and "test='test.csv'" in text and len(text) < 800
