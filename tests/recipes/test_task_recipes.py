"""The shipped task files: what they hold, rows with the Hub's own columns, and the real data where it is."""

import json

import pytest
import yaml

from conftest import SHARED
from paft.builtin import TASKS
from paft.errors import DataError
from paft.start.shipped import ROWS
from paft.task.task import Task, load_task

RECIPES = {name: path for name, path in TASKS.items() if name != "routing"}
PAPER = {
    "hellaswag": 0.9, "winogrande": 0.8, "piqa": 0.85, "race_middle": 0.85, "race_high": 0.85, "gsm8k": 0.85,
    "xstory_cloze": 0.85, "humaneval": 0.85, "teval": 0.85,
}  # fmt: skip
LOCAL = {name: rows for name, rows in ROWS.items() if name in RECIPES}

STORY = {f"input_sentence_{i}": f"Sentence {i}." for i in range(1, 5)}
STORY |= {"sentence_quiz1": "She wept.", "sentence_quiz2": "She sang.", "story_id": "x"}
ADD = 'def add(a: int, b: int) -> int:\n    """Add."""\n'
RACE = {"article": "A. Smith (b. 1900) wrote.", "question": "Who?", "options": ["w", "x", "y", "z"]}
ARC = {"id": "q", "question": "How many?", "choices": {"text": ["2", "1", "4"], "label": ["A", "B", "C"]}}


def chosen(text, label, keys="ABCD"):
    return {"choices": {"text": text, "label": list(keys[: len(text)])}, "answerKey": label}


# A row with the Hub's columns, then some fields and the gold answer that it must become.
HUB = {
    "ag_news": ({"text": "Shares rose.", "label": 2}, {"text": "Shares rose."}, "business"),
    "arc_challenge": ({**ARC, "answerKey": "B"}, {"question": "How many?"}, "B"),
    "arc_easy": ({**ARC, "answerKey": "A"}, {"question": "How many?"}, "A"),
    "banking77": (
        {"text": "No refund", "label": 0, "label_text": "Refund_not_showing_up"},
        {"text": "No refund"},
        "refund not showing up",
    ),
    "boolq": (
        {"question": "is it", "answer": False, "passage": "It is."},
        {"question": "is it", "passage": "It is."},
        "no",
    ),
    "csqa": (
        {"question": "Where?", "question_concept": "q", **chosen(["k", "l", "m", "n", "o"], "E", "ABCDE")},
        {"question": "Where?", "A": "k", "E": "o"},
        "E",
    ),
    "gsm8k": (
        {"question": "2+2?", "answer": "Take <<2+2=4>>4 of 1,000.\n#### 4"},
        {"question": "2+2?"},
        "Take <<2+2=4>>4 of 1,000.\n#### 4",
    ),
    "hellaswag": (
        {"ctx": "He", "endings": ["a", "b", "c", "d"], "label": "3", "ind": 1},
        {"ctx": "He", "A": "a", "D": "d"},
        "D",
    ),
    "humaneval": (
        {
            "task_id": "t", "prompt": ADD, "canonical_solution": "    return a + b\n",
            "test": "def check(candidate):\n    assert candidate(1, 2) == 3\n", "entry_point": "add",
        },
        {"code": ADD},
        "    return a + b\n",
    ),
    "openbookqa": (
        {"id": "q", "question_stem": "Sun is", **chosen(["k", "l", "m", "n"], "C")},
        {"question": "Sun is", "C": "m"},
        "C",
    ),
    "piqa": ({"goal": "g", "sol1": "s", "sol2": "t", "label": 1}, {"goal": "g", "sol2": "t"}, "B"),
    "race_high": ({**RACE, "answer": "D", "example_id": "e"}, {"article": RACE["article"], "D": "z"}, "D"),
    "race_middle": ({**RACE, "answer": "A", "example_id": "e"}, {"question": "Who?", "A": "w"}, "A"),
    "sms_spam": ({"sms": "WIN\n", "label": 1}, {"text": "WIN\n"}, "spam"),
    "snips": ({"text": "play", "category": "PlayMusic"}, {"text": "play"}, "play music"),
    "sst2": ({"idx": 0, "sentence": "dull", "label": 0}, {"text": "dull"}, "negative"),
    "subj": ({"text": "she leaves", "label": 0, "label_text": "objective"}, {}, "objective"),
    "winogrande": (
        {"sentence": "_ won.", "option1": "Ann", "option2": "Bo", "answer": "2"},
        {"sentence": "_ won.", "option2": "Bo"},
        "B",
    ),
    "xstory_cloze": (
        {**STORY, "answer_right_ending": 1},
        {"sentence4": "Sentence 4.", "ending1": "She wept."},
        "A",
    ),
}  # fmt: skip

every_recipe = pytest.mark.parametrize("name", RECIPES)


def write_jsonl(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def hub_copy(name, rows, tmp_path, monkeypatch):
    """A folder that the ``datasets`` library loads like the Hub's, and the recipe with its path as the id."""
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    recipe = yaml.safe_load(RECIPES[name].read_text("utf-8"))
    data, folder = recipe["data"], tmp_path / "hub"
    folder.mkdir()
    splits = {data[key].split("[")[0] for key in ("train", "validation", "test") if key in data}
    files = [{"split": split, "path": f"{split}.jsonl"} for split in sorted(splits)]
    for split in splits:
        write_jsonl(folder / f"{split}.jsonl", rows)
    config = {"config_name": data["hub"].get("config", "default"), "data_files": files}
    (folder / "README.md").write_text(f"---\n{yaml.safe_dump({'configs': [config]})}---\n")
    data["hub"]["id"] = str(folder)
    (tmp_path / "task.yaml").write_text(yaml.safe_dump(recipe, sort_keys=False))
    return load_task(tmp_path / "task.yaml")


def test_every_task_asked_for_is_shipped():
    assert set(RECIPES) == set(HUB) | {"teval"}
    assert set(PAPER) | set(LOCAL) <= set(RECIPES)


@every_recipe
def test_a_recipe_has_a_name_prompts_thresholds_and_its_command(name):
    task, text = Task.from_yaml(RECIPES[name]), RECIPES[name].read_text("utf-8")
    assert task.name == name
    assert len({prompt.id for prompt in task.prompts}) >= 3
    assert text.startswith("# paft run ") and name in text.partition("\n")[0]
    if name in PAPER:
        assert task.thresholds[0] == PAPER[name]


@every_recipe
def test_no_prompt_of_a_recipe_asks_for_what_its_rule_does_not_read(name):
    from paft.bank.answer_checks import contradicts_rule, leaks_answer, unreadable_answer

    task = Task.from_yaml(RECIPES[name])
    for prompt in task.prompts:
        found = [
            check(prompt.template, task) for check in (contradicts_rule, leaks_answer, unreadable_answer)
        ]
        assert found == [None, None, None], prompt.template


@pytest.mark.parametrize("name", HUB)
def test_rows_with_the_hubs_columns_become_examples(name, tmp_path, monkeypatch):
    row, fields, gold = HUB[name]
    count = 66 if name == "humaneval" else 5  # enough for the parts that recipes take of a split
    task = hub_copy(name, [row] * count, tmp_path, monkeypatch)
    examples = task.examples("test")
    assert 0 < len(examples) <= count
    example = examples[0]
    assert {key: example.fields[key] for key in fields} == fields
    assert example.gold == gold
    assert set(example.fields) == set(task.fields)
    rendered = task.prompts[0].render(example.values)
    assert all(value.strip() in rendered for value in example.fields.values())


def test_parts_of_one_split_do_not_overlap(tmp_path, monkeypatch):
    row = HUB["humaneval"][0]
    rows = [{**row, "prompt": ADD + f"    # {i}\n"} for i in range(70)]
    task = hub_copy("humaneval", rows, tmp_path, monkeypatch)
    train, test = ({e.fields["code"] for e in task.examples(split)} for split in ("train", "test"))
    assert (len(train), len(test), train & test) == (64, 6, set())


def test_arc_rows_of_three_to_five_options_are_told_by_their_own_keys():
    def row(texts, keys, answer):
        return {"question": "?", "choices": {"text": texts, "label": keys}, "answerKey": answer}

    recipe = yaml.safe_load(RECIPES["arc_easy"].read_text("utf-8"))
    rows = [
        row(["4", "3", "2", "1"], list("1234"), "1"),  # the key, not the option that reads "1"
        row(["B", "A", "C"], list("ABC"), "A"),
        row(["p", "q", "r", "s", "t"], list("ABCDE"), "E"),
    ]
    task = Task(**{**recipe, "data": {**recipe["data"], "hub": None, "train": rows, "test": rows}})
    examples = task.examples("test")
    assert [(e.gold, len(e.options)) for e in examples] == [("A", 4), ("A", 3), ("E", 5)]
    assert examples[1].values["options"] == "A. B\nB. A\nC. C"
    for bad, said in (
        (row(["p", "q"], ["A"], "A"), "must be a list of 2 keys"),
        (row(["p", "q"], ["A", "B"], "C"), "'C' is none of the keys (A, B)"),
    ):
        task = Task(**{**recipe, "data": {**recipe["data"], "hub": None, "train": [bad], "test": [bad]}})
        with pytest.raises(DataError) as caught:
            task.examples("test")
        assert said in str(caught.value)


@pytest.mark.parametrize(("name", "label"), [("piqa", -1), ("hellaswag", "")])
def test_answers_that_are_kept_back_are_an_error_that_says_so(name, label):
    recipe, row = yaml.safe_load(RECIPES[name].read_text("utf-8")), {**HUB[name][0], "label": label}
    task = Task(**{**recipe, "data": {**recipe["data"], "hub": None, "train": [row], "test": [row]}})
    with pytest.raises(DataError, match="hides its answers: evaluate on a split that has them"):
        task.examples("test")


def test_t_eval_answers_are_compared_as_json():
    row = {
        "origin_prompt": [{"role": "system", "content": "find(q)"}, {"role": "user", "content": "find x"}],
        "ground_truth": {"action": "find", "args": {"q": "x", "n": 2.0}},
    }
    recipe = yaml.safe_load(RECIPES["teval"].read_text("utf-8"))
    task = Task(**{**recipe, "data": {**recipe["data"], "train": [row], "test": [row]}})
    (example,) = task.examples("test")
    assert example.fields == {"tools": "find(q)", "request": "find x"}
    from paft.task.replies.extract import cell_score, extract

    said = 'Sure.\n```json\n{"args": {"n": 2, "q": "x"},\n "action": "find"}\n```'
    assert cell_score("exact_match", "json", extract("json", said), example.gold) == 1.0


@pytest.mark.parametrize("own_names", [True, False], ids=["field names", "Hub columns"])
def test_a_folder_stands_in_for_the_hub(tmp_path, own_names):
    row = {"sentence": "so _ won", "option1": "Ann", "option2": "Bo", "answer": "B" if own_names else "2"}
    for split in ("train", "test"):
        write_jsonl(tmp_path / f"{split}.jsonl", [row])
    task = load_task(RECIPES["winogrande"], tmp_path)
    assert [task.examples(split)[0].gold for split in ("train", "test")] == ["B", "B"]
    assert task.data.validation is None
    write_jsonl(tmp_path / "validation.jsonl", [row])
    assert load_task(RECIPES["winogrande"], tmp_path).examples("validation")[0].gold == "B"
    nested = {"question": "?", "A": "k", "B": "l", "C": "m", "D": "n", "answer": "C"}
    if not own_names:
        nested = HUB["openbookqa"][0]
    write_jsonl(tmp_path / "test.jsonl", [nested])
    assert load_task(RECIPES["openbookqa"], tmp_path).examples("test")[0].gold == "C"


def test_a_folder_without_the_files_is_named(tmp_path):
    with pytest.raises(DataError, match=r"data file not found: .*test\.jsonl"):
        load_task(RECIPES["boolq"], tmp_path).examples("test")


def local(name):
    folder = SHARED / name
    if not folder.is_dir():
        pytest.skip(f"no data at {folder}: set PAFT_DATA to the folder that holds it")
    return load_task(RECIPES[name], folder)


@pytest.mark.parametrize("name", LOCAL)
def test_the_real_test_rows_are_read_to_the_last(name):
    examples = local(name).examples("test")
    assert len(examples) == LOCAL[name][1]
    assert len({example.gold for example in examples}) > 1


@pytest.mark.slow
@pytest.mark.parametrize("name", LOCAL)
def test_the_real_training_rows_are_read_to_the_last(name):
    examples = local(name).examples("train")
    assert len(examples) == LOCAL[name][0]
    assert all(example.gold for example in examples)


@pytest.mark.slow
@pytest.mark.parametrize("name", LOCAL)
def test_a_model_is_judged_on_the_real_data(name, tmp_path, model_folder):
    """A tiny random one under the recipe's own prompts, on a few examples."""
    from paft.bank import Bank
    from paft.experiment.evaluate import EvaluateConfig, evaluate

    task = local(name).model_copy(update={"answer": few_tokens(name)})
    bank = Bank({"train": tuple(task.prompts[1:2]), "test": tuple(task.prompts[2:])})
    config = EvaluateConfig(
        task=name, bank="none", model=str(model_folder), output=str(tmp_path / "out"), max_length=500,
        evaluate={"examples": 4},
    )  # fmt: skip
    results = evaluate(config, task=task, bank=bank)
    (row,) = [row for row in results["rows"] if row["split"] == "test"]
    assert (row["n_examples"], row["n_prompts"]) == (4, len(task.prompts) - 2)


def few_tokens(name):
    answer = local(name).answer
    return answer if answer.closed else answer.model_copy(update={"max_tokens": 8})
