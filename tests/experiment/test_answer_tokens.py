"""What a tokenizer makes of answers: options it cannot tell apart and golds too long are told first."""

import json

import pytest

import paft as api
from paft.bank import Bank
from paft.config import RunConfig
from paft.errors import ConfigError, DataError
from paft.experiment.answer_tokens import check_lengths, check_options
from paft.experiment.evaluate import EvaluateConfig, evaluate
from paft.model.encode import Encoder
from paft.progress import Reporter
from paft.prompt import Prompt
from paft.task.task import Task

BANK = Bank({"train": (Prompt("Say: {text}"),), "test": (Prompt("Tell of {text} ->"),)})


def words_only():
    """A tokenizer of a few words, letters of either case alike; all else is unknown."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    words = ["<unk>", "</s>", "x", "good", "bad", "us", "uk", "a", "b"]
    backend = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, unk_token="<unk>"))
    backend.normalizer = normalizers.Lowercase()
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, unk_token="<unk>", eos_token="</s>")
    return Encoder(tokenizer, 512)


def task(rule, gold="x", metric="exact_match", rows=None, **answer):
    rows = rows or [{"text": "x", "answer": gold}]
    prompt = "{text} {options}" if "options_field" in answer else "{text}"
    return Task(
        name="t", fields={"text": ""}, answer={"rule": rule, **answer}, data={"train": rows, "test": rows},
        prompt=prompt, metric=metric,
    )  # fmt: skip


@pytest.mark.parametrize(
    "options", [["\U0001f600", "\U0001f622"], ["good", "great", "fine"], ["good us", "good we", "good you"]]
)
def test_fixed_options_of_the_same_tokens_are_refused(options):
    with pytest.raises(ConfigError, match="become the same tokens") as caught:
        check_options(words_only(), task("label", options=options))
    assert repr(options[-2]) in str(caught.value) and repr(options[-1]) in str(caught.value)


@pytest.mark.parametrize("options", [["good", "bad"], ["us", "uk"], ["good", "great"], ["a", "b a"]])
def test_options_that_the_tokenizer_tells_apart_are_fine(options):
    check_options(words_only(), task("label", options=options))


def test_options_of_a_row_are_looked_at_wherever_they_stand():
    rows = [{"text": "x", "answer": "good", "choices": ["good", last]} for last in ["bad", "us"]]
    fine = task("label", rows=rows, options_field="choices")
    check_options(words_only(), fine, fine.examples("test"))
    rows[1]["choices"] = ["good", "uno", "due"]
    bad = task("label", rows=rows, options_field="choices")
    with pytest.raises(ConfigError, match="'uno' and 'due' of task 't' become the same tokens"):
        check_options(words_only(), bad, fine.examples("train"), bad.examples("test"))


def test_letters_that_the_tokenizer_does_not_know_are_refused():
    rows = [{"text": "x", "answer": "A", "o": list("pqrs")[:count]} for count in (2, 3, 4)]
    made = task("choice", rows=rows, options_field="o")
    check_options(words_only(), made, made.examples("test")[:2])  # A, B and one that is unknown
    with pytest.raises(ConfigError, match="'C' and 'D' of task 't' become the same tokens"):
        check_options(words_only(), made, made.examples("test"))


@pytest.mark.parametrize(
    ("rule", "gold", "limit", "fits"),
    [
        ("text", "a b", 3, True),
        ("text", "a b", 2, False),
        ("number", "1250", 2, True),
        ("number", "1,250", 3, False),
        ("text", ["a b a b a b", "a"], 2, True),
        ("json", '{ "a" : 1 }', 4, False),
    ],
)
def test_a_gold_longer_than_may_be_generated_is_refused(rule, gold, limit, fits):
    made = task(rule, gold, max_tokens=limit)
    if fits:
        assert check_lengths(words_only(), made, made.examples("test")) == []
    else:
        with pytest.raises(ConfigError, match=r"1 of 1 gold answers .* than answer\.max_tokens \d, so even"):
            check_lengths(words_only(), made, made.examples("test"))


@pytest.mark.parametrize(
    ("rule", "gold", "metric"),
    [("final_number", "a b a\n#### 4", "exact_match"), ("text", "a b a b", "token_f1")],
)
def test_a_gold_of_which_a_part_may_do_is_warned_of(rule, gold, metric):
    made = task(rule, gold, metric, max_tokens=2)
    (warning,) = check_lengths(words_only(), made, made.examples("test"))
    assert (
        "1 of 1 gold answers of task 't' have more tokens" in warning and "raise answer.max_tokens" in warning
    )


def test_one_long_gold_among_many_is_warned_of():
    rows = [{"text": "x", "answer": "a a a a" if i == 7 else "a"} for i in range(100)]
    made = task("text", rows=rows, max_tokens=2)
    (warning,) = check_lengths(words_only(), made, made.examples("test"))
    assert "1 of 100 gold answers of task 't' have more tokens (up to 5, the end counted)" in warning
    with pytest.raises(ConfigError, match="1 of 50 gold answers"):
        check_lengths(words_only(), made, made.examples("test")[:50])


def test_an_option_that_has_to_be_written_must_fit():
    made = task("label", "a b a", options=["a b a", "b"], max_tokens=2)
    with pytest.raises(ConfigError, match=r"than answer\.max_tokens 2"):
        check_lengths(words_only(), made, made.examples("test"))
    assert (
        check_lengths(words_only(), task("label", "b", options=["a b a", "b"]), made.examples("test")) == []
    )


def settings(output, model_folder, **more):
    return {"task": "t", "bank": "none", "model": str(model_folder), "output": str(output), **more}


def test_nothing_is_written_where_a_gold_does_not_fit(tmp_path, model_folder):
    made = task("text", "a long answer of many tokens", max_tokens=3)
    for started in (
        lambda: api.run(RunConfig(**settings(tmp_path / "out", model_folder)), task=made, bank=BANK),
        lambda: evaluate(EvaluateConfig(**settings(tmp_path / "out", model_folder)), task=made, bank=BANK),
    ):
        with pytest.raises(ConfigError, match="even a perfect model could not give them"):
            started()
    assert not (tmp_path / "out").exists()


def test_options_that_are_written_are_held_against_the_limit_too(tmp_path, model_folder):
    made = task("label", "b", options=["many words of an option", "b"], max_tokens=2)
    evaluate(EvaluateConfig(**settings(tmp_path / "fine", model_folder)), task=made, bank=BANK)
    long = task("label", "many words of an option", options=["many words of an option", "b"], max_tokens=2)
    config = EvaluateConfig(**settings(tmp_path / "out", model_folder, evaluate={"generate": True}))
    with pytest.raises(ConfigError, match=r"than answer\.max_tokens 2"):
        evaluate(config, task=long, bank=BANK)


def test_a_warning_is_told_before_the_run_and_kept(tmp_path, model_folder):
    class Heard(Reporter):
        def __init__(self):
            self.lines = []

        def stage(self, cell, what, total):
            self.lines.append(what)

        def advance(self, count, note=""):
            pass

        def finish(self, cell, text):
            self.lines.append(text)

    made = task("final_number", "first 2 and 2, which make 4\n#### 4", max_tokens=4)
    config = EvaluateConfig(**settings(tmp_path / "out", model_folder))
    heard = Heard()
    results = evaluate(config, heard, task=made, bank=BANK)
    assert "gold answers of task 't' have more tokens" in heard.lines[0]
    assert f"warning: {results['warnings'][0]}" == heard.lines[0]
    assert json.loads((tmp_path / "out" / "results.json").read_text())["warnings"] == results["warnings"]


def test_answers_that_leave_no_room_for_a_prompt_are_refused_before_anything_is_trained(
    tmp_path, model_folder
):
    rows = [{"text": f"this is {i}", "answer": "x"} for i in range(20)]
    made = task("text", rows=rows, max_tokens=40)
    made = made.model_copy(update={"data": made.data.model_copy(update={"validation": rows})})
    validated = Bank({**BANK.splits, "validation": (Prompt("Name it: {text} is"),)})
    settings = {"max_length": 40, "adapt": {"rank": 4}}
    config = RunConfig(output=str(tmp_path), model=str(model_folder), methods=("paft",), train=settings)
    with pytest.raises(DataError, match="an answer of 40 tokens leaves no room for its prompt"):
        api.run(config, Reporter(), task=made, bank=BANK)
    settings["validate_every"] = 0.5
    config = RunConfig(output=str(tmp_path), model=str(model_folder), methods=("paft",), train=settings)
    with pytest.raises(DataError, match="an answer of 40 tokens leaves no room for its prompt"):
        api.train_model(config, Reporter(), task=made, bank=validated)
    assert not [*tmp_path.rglob("*.safetensors")] and not [*tmp_path.glob("trials")]
