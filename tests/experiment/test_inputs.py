"""What a run works on, and that how prompts are drawn is part of what a run is."""

import json

import pytest

from paft.bank import Bank
from paft.config import RunConfig
from paft.errors import ConfigError, PromptError
from paft.experiment import trial as cell
from paft.experiment.dry_run import dry_run
from paft.experiment.identity import changes, run_identity
from paft.experiment.inputs import Inputs, blank_fields, check_method, load_inputs
from paft.experiment.run import checked_inputs, run
from paft.experiment.train import train
from paft.methods import METHODS
from paft.task.task import Task
from paft.train.settings import Train


def ids(prompts):
    return [prompt.id for prompt in prompts]


@pytest.mark.parametrize("ratio", [0.0, 0.25])
@pytest.mark.parametrize("in_bank", [False, True])
def test_the_users_own_prompt_is_the_first_where_it_has_a_share_and_never_stands_twice(
    configure, tmp_path, bank, task, ratio, in_bank
):
    own, seen = task.prompts[0], bank.prompts("train")
    seen = (*seen, own) if in_bank else seen
    config = configure(tmp_path, train={"user_prompt_share": ratio})
    inputs = load_inputs(config, bank=Bank({**bank.splits, "train": seen}))
    settings = METHODS["paft"].settings(config.train)
    found = ids(inputs.training_prompts(METHODS["paft"], settings))
    others = [name for name in ids(seen) if name != own.id]
    assert found == ([own.id, *others] if ratio else ids(seen))
    assert ids(inputs.training_prompts(METHODS["single"], settings)) == [own.id]


@pytest.mark.parametrize("name", [name for name in METHODS if METHODS[name].schedule])
def test_a_method_changes_the_schedule_and_what_its_patch_says(configure, tmp_path, name):
    train = configure(tmp_path).train
    changed = METHODS[name].settings(train)
    assert changed.schedule == METHODS[name].schedule
    assert {key: getattr(changed, key) for key in METHODS[name].patch} == METHODS[name].patch
    others = ("schedule", *METHODS[name].patch)
    assert changed.model_copy(update={key: getattr(train, key) for key in others}) == train
    assert Train(**train.model_dump() | dict(METHODS[name].patch)) is not None


def test_a_method_whose_patch_does_not_go_with_the_settings_is_refused_at_once(configure, tmp_path):
    config = configure(tmp_path / "out", methods=("neftune",), train={"padding_free": True})
    with pytest.raises(ConfigError, match=r"a method sets train\.neftune 5\.0: .*padding_free"):
        load_inputs(config)


def test_a_setting_that_was_removed_is_refused_before_anything_is_written(configure, tmp_path):
    with pytest.raises(ConfigError, match="weights was removed"):
        load_inputs(configure(tmp_path / "out", train={"weights": {"feedfeedfeed": 2}}))
    assert not (tmp_path / "out").exists()


def test_how_prompts_are_drawn_is_part_of_what_a_run_is(configure, tmp_path, bank):
    plain = configure(tmp_path)
    inputs = load_inputs(plain)
    for name, value in {
        "draws": "cycle",
        "user_prompt_share": 0.5,
    }.items():
        changed = run_identity(configure(tmp_path, train={name: value}), inputs)
        before = run_identity(plain, inputs)
        assert [key for key in before if before[key] != changed[key]] == [f"train.{name}"]


def test_some_prompts_of_a_smaller_count_are_among_those_of_a_larger_and_the_seed_chooses(
    configure, tmp_path, bank
):
    inputs = load_inputs(configure(tmp_path))
    seen = ids(bank.prompts("train"))

    def chosen(count, seed):
        train = configure(tmp_path, train={"prompts": count}).train
        return ids(inputs.training_prompts(METHODS["paft"], METHODS["paft"].settings(train), seed=seed))

    one, two, all_but_one = chosen(1, 0), chosen(2, 0), chosen(len(seen) - 1, 0)
    assert set(one) < set(two) <= set(all_but_one) < set(seen)
    assert [len(one), len(two), len(all_but_one)] == [1, 2, len(seen) - 1]
    assert two == [name for name in seen if name in two]
    assert len({tuple(chosen(1, seed)) for seed in range(20)}) > 1
    assert chosen(None, 5) == seen


def test_more_prompts_than_the_bank_has_are_refused(configure, tmp_path):
    with pytest.raises(ConfigError, match=r"train.prompts 999: the bank has \d+ training prompts"):
        load_inputs(configure(tmp_path / "out", train={"prompts": 999}))


REFUSED = {  # settings that a method cannot be trained with, and the methods that can
    "paft": ({"prompts": 999}, ("single", "zopo")),
    "neftune": ({"padding_free": True}, ("single", "paft")),
    "augmented": ({"keep": "best", "validate_every": 1}, ("paft", "static")),
    "per_step": ({"prompts": 999}, ("single", "top_accuracy")),
    "token_matched": ({"batch_size": 8, "micro_batch_size": 3}, ()),
    "single": ({"report_to": ["nowhere"]}, ()),
    "bat": ({"optimizer": "adamm"}, ()),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_method_that_could_not_be_trained_is_refused_before_any_is_and_only_where_it_is_planned(
    configure, tmp_path, monkeypatch, name
):
    settings, others = REFUSED[name]
    monkeypatch.setattr(cell, "load_model", None)  # nothing is judged or trained
    config = configure(tmp_path / "out", methods=("base", *others, name), train=settings)
    with pytest.raises(ConfigError, match=f"method {name!r}: "):
        run(config)
    assert not (tmp_path / "out").exists()
    load_inputs(configure(tmp_path / "out", methods=("base", *others), train=settings))


BEST = {"keep": "best", "validate_every": 1}


def test_a_training_checks_its_own_method_alone(configure, tmp_path):
    found = dry_run(configure(tmp_path, methods=("base", "augmented", "paft"), train=BEST))
    assert found["method"] == "paft"
    with pytest.raises(ConfigError, match=r"method 'augmented': .*average does not go with keep"):
        train(configure(tmp_path / "out", methods=("augmented",), train=BEST))
    assert not (tmp_path / "out").exists()


def test_every_seed_is_checked(configure, tmp_path):
    checked = []

    class Spy(Inputs):
        def training_prompts(self, method, settings, chosen=None, *, seed=0):
            checked.append(seed)
            return super().training_prompts(method, settings, chosen, seed=seed)

    config = configure(tmp_path, seeds=(3, 5), methods=("paft",))
    inputs = load_inputs(config)
    check_method("paft", config, Spy(**vars(inputs)))
    assert checked == [3, 5]


WRITERS = """\
generators:
- {name: one, model: some-model, api_key_env: A_KEY_THAT_IS_NOT_SET}
"""


def test_a_choice_that_this_machine_could_not_make_is_refused_before_anything_is_trained(
    configure, tmp_path, monkeypatch
):
    monkeypatch.delenv("A_KEY_THAT_IS_NOT_SET", raising=False)
    (tmp_path / "writers.yaml").write_text(WRITERS, "utf-8")
    choose = {"writer": str(tmp_path / "writers.yaml")}
    out = tmp_path / "out"
    with pytest.raises(ConfigError, match="A_KEY_THAT_IS_NOT_SET"):
        run(configure(out, methods=("paft", "bat"), choose=choose))
    assert not out.exists()
    checked_inputs(configure(out, methods=("paft", "zopo"), choose=choose))
    (out / "trials" / "bat-0").mkdir(parents=True)
    (out / "trials" / "bat-0" / "choice.json").write_text("{}")  # chosen already: nobody is asked again
    checked_inputs(configure(out, methods=("paft", "bat"), choose=choose))
    monkeypatch.setattr("paft.bank.diversity.find_spec", lambda name: None)
    with pytest.raises(PromptError, match="sentence-transformers"):
        run(configure(tmp_path / "other", methods=("zopo",), choose={"embedding": "some/model"}))


def test_redraw_gives_each_seed_training_examples_of_its_own(configure, tmp_path):
    config = configure(tmp_path, train={"examples": 8, "redraw": True}, seeds=(0, 1))
    inputs = load_inputs(config)
    drawn = [[example.index for example in inputs.for_seed(seed).train] for seed in (0, 1, 0)]
    assert [len(numbers) for numbers in drawn] == [8, 8, 8]
    assert drawn[0] == drawn[2] != drawn[1]
    assert all(numbers == sorted(numbers) for numbers in drawn)


def test_redrawn_examples_are_never_those_of_validation(configure, tmp_path):
    settings = {"examples": 12, "redraw": True, "validate_every": 0.5, "validate_examples": 2}
    inputs = load_inputs(configure(tmp_path, train=settings))
    task = inputs.task.model_copy(update={"data": inputs.task.data.model_copy(update={"validation": None})})
    inputs = load_inputs(configure(tmp_path, train=settings), task=task)
    held = {example.index for example in inputs.validation}
    assert len(held) == 2
    for seed in range(20):
        drawn = {example.index for example in inputs.for_seed(seed).train}
        assert len(drawn) == 12 and not drawn & held


def test_without_redraw_all_seeds_have_the_examples_they_had(configure, tmp_path):
    inputs = load_inputs(configure(tmp_path, train={"examples": 8}))
    assert inputs.for_seed(3) is inputs
    assert [example.index for example in inputs.train] == [1, 4, 5, 6, 10, 15, 16, 17]


def test_redraw_without_a_number_of_examples_is_refused(configure, tmp_path):
    with pytest.raises(ConfigError, match="set examples, or leave redraw out"):
        configure(tmp_path, train={"redraw": True})


def test_other_training_examples_to_draw_from_refuse_a_redrawn_run(configure, tmp_path, task):
    config = configure(tmp_path, train={"examples": 8, "redraw": True})
    rows = [{"message": f"message {i}", "topic": "card"} for i in range(30)]
    other = task.model_copy(update={"data": task.data.model_copy(update={"train": tuple(rows)})})
    was, now = (run_identity(config, load_inputs(config, task=made)) for made in (task, other))
    assert changes(was, now) == ["training examples"]


def test_empty_fields_are_told_in_one_line_with_the_first_place(tmp_path):
    table = "text,context,answer\nhi,c,yes\n,,no\n   ,c,yes\nyo,,no\n"
    (tmp_path / "train.csv").write_text(table)
    (tmp_path / "task.yaml").write_text(
        "name: t\nfields: {text: t, context: c}\nanswer: {rule: label, options: ['yes', 'no']}\n"
        "data: {train: train.csv}\nprompt: '{text} {context}'\n"
    )
    made = Task.from_yaml(tmp_path / "task.yaml")
    (said,) = blank_fields(made, "train", made.examples("train"))
    assert said == (
        "3 of 4 training examples have an empty field (text 2, context 2; first "
        f"{tmp_path / 'train.csv'}:3): fill it in, or remove these rows, unless it may be empty"
    )
    assert blank_fields(made, "train", made.examples("train")[:1]) == []


@pytest.mark.parametrize("verb", ["train", "run"])
def test_empty_fields_are_told_once_before_a_training(paft, own_desk, verb):
    lines = (own_desk / "train.jsonl").read_text().splitlines()
    row = json.loads(lines[1])
    lines[1] = json.dumps({**row, "message": "  "})
    (own_desk / "train.jsonl").write_text("\n".join(lines) + "\n")
    code, out, err = paft(verb, "--task", own_desk / "task.yaml", "--dry-run")
    told = " ".join(f"{out} {err}".split())
    assert code == 0, err
    assert told.count("examples have an empty field (message 1; first ") == 1 and "train.jsonl:2)" in told


def test_options_in_fields_of_their_own_that_are_empty_are_counted():
    rows = [{"q": "x", "A": "red", "B": text, "answer": "A"} for text in ("blue", "", " ", "green")]
    answer = {"rule": "choice", "options": ["A", "B"]}
    made = Task(
        name="t",
        fields={"q": "", "A": "", "B": ""},
        answer=answer,
        data={"train": rows},
        prompt="{q} {A} {B}",
    )
    (said,) = blank_fields(made, "train", made.examples("train"))
    assert said.startswith(
        "2 of 4 training examples have an empty option among A, B, which a model may choose"
    )
    assert blank_fields(made, "train", made.examples("train")[:1]) == []


def test_validation_examples_that_are_training_examples_are_told_before_and_in_a_training(
    configure, tmp_path, own_desk, task
):
    data = task.data.model_copy(update={"validation": task.data.train})
    same = task.model_copy(update={"data": data})
    config = configure(tmp_path / "out", methods=("paft",), train={"validate_every": 0.5})
    count = min(len(same.examples("validation")), config.train.validate_examples)
    said = f"{count} of {count} validation examples are training examples too"
    assert any(said in warning for warning in dry_run(config, task=same)["warnings"])
    assert not any("validation examples are" in w for w in dry_run(config, task=task)["warnings"])


def test_a_dry_run_says_where_the_built_in_model_is_not_made_for_the_rule(tmp_path):
    def told(task):
        warnings = dry_run(RunConfig(output=str(tmp_path), methods=["single"]), task=task)["warnings"]
        return [warning for warning in warnings if "the built-in model" in warning]

    rows = [{"question": f"What is {i} + {i}?", "answer": str(2 * i), "kind": "ab"[i % 2]} for i in range(8)]
    common = {
        "fields": {"question": "a sum"},
        "data": {"train": rows, "test": rows},
        "prompt": "{question} =",
    }
    number = Task(name="sums", answer={"rule": "number", "field": "answer"}, **common)
    label = Task(name="kinds", answer={"rule": "label", "field": "kind", "options": ["a", "b"]}, **common)
    said = ["the built-in model learns labels only: for rule number take a pretrained model (--model)"]
    assert told(number) == said and told(label) == []
