"""A prompt is chosen by the untrained model, on training data alone, and the same after any kill."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

import paft
from paft.bank import Bank
from paft.bank.diversity import embed_prompts, sentence_embedder
from paft.builtin import MODELS
from paft.errors import ConfigError, DataError, ResumeError
from paft.evaluate.cells import evaluate_matrix
from paft.evaluate.matrix import Cell, Matrix
from paft.experiment import trial as cell
from paft.experiment.baselines import choice
from paft.experiment.baselines.bat import ATTACKS, versions
from paft.experiment.baselines.choice import Seen, choose_prompt, hidden_states, measured, most_cells
from paft.experiment.baselines.scores import Measured, Score
from paft.experiment.inputs import load_inputs
from paft.methods import METHODS
from paft.progress import Reporter
from paft.prompt import Prompt
from paft.report.run_folder import Trial


class Killed(BaseException):
    """Stands for kill -9."""


CHOOSERS = [name for name, method in METHODS.items() if method.chooser]


@pytest.fixture
def seen(task, bank, train_examples):
    return Seen(task, task.prompts[0], bank.prompts("train"), train_examples)


@pytest.fixture
def config(configure, tmp_path):
    return configure(tmp_path / "out", choose={"examples": 12, "budget": 20})


def chosen(name, seen, config, folder, seed=0):
    prompt = choose_prompt(name, seen, config, folder, Reporter(), seed=seed)
    record = json.loads((folder / "choice.json").read_text(encoding="utf-8"))
    assert prompt.id == record["prompt"]
    return {key: value for key, value in record.items() if key != "seconds"}


def test_the_best_of_all_training_prompts_is_that_of_the_full_matrix(seen, config, tmp_path, language_model):
    found = chosen("top_accuracy", seen, config, tmp_path)
    assert found["examples"] == 12 and found["evaluations"] == 12 * len(seen.prompts)
    assert {row["prompt"] for row in found["trace"]} == {prompt.id for prompt in seen.prompts}
    examples = choice._sample(seen.examples, 12, 0)
    matrix = evaluate_matrix(language_model, seen.task, seen.prompts, examples)
    accuracies = matrix.scores.mean(axis=1)
    assert [row["accuracy"] for row in found["trace"]] == list(accuracies)
    assert found["accuracy"] == accuracies.max()
    assert len(set(accuracies)) > 1  # else nothing was chosen


def test_the_sample_differs_between_seeds_and_holds_training_examples_only(seen):
    samples = [choice._sample(seen.examples, 12, seed) for seed in (0, 0, 1)]
    assert samples[0] == samples[1] != samples[2]
    assert all(example in seen.examples for sample in samples for example in sample)
    assert len(choice._sample(seen.examples, 999, 0)) == len(seen.examples)


def test_accuracy_and_likelihood_are_means_over_examples(train_examples):
    examples = train_examples[:2]
    options = examples[0].options
    right = [options.index(example.gold) for example in examples]
    table = -np.arange(1.0, 1 + 4 * len(options)).reshape(2, 2, len(options))
    cells = tuple(
        Cell(name, example.index, "", True, float(p == i), 0, tuple(table[p, i]))
        for p, name in enumerate("ab")
        for i, example in enumerate(examples)
    )
    places = tuple(example.index for example in examples)
    expected = [Measured(0.5, float(np.mean([table[p, i, right[i]] for i in (0, 1)]))) for p in (0, 1)]
    assert measured(Matrix(("a", "b"), places, cells), examples) == expected
    written = tuple(dataclasses.replace(cell, log_probabilities=()) for cell in cells)
    assert measured(Matrix(("a", "b"), places, written), examples) == [Measured(0.5), Measured(0.5)]


def test_ties_go_to_the_likelier_answers_then_to_the_smaller_id():
    prompts = sorted((Prompt(f"{{x}} {i}") for i in range(3)), key=lambda prompt: prompt.id)
    low = Score(Prompt("{x} low"), Measured(0.4, -0.1), {})
    likely = [Score(prompt, Measured(0.5, -1.0), {}) for prompt in prompts[1:]]
    unlikely = Score(prompts[0], Measured(0.5, -2.0), {})
    ordered = sorted([low, unlikely, *likely[::-1]], key=lambda score: score.rank)
    assert ordered == [*likely, unlikely, low]


@pytest.mark.parametrize("name", CHOOSERS)
def test_only_training_prompts_and_training_examples_are_scored(name, configure, bank, tmp_path, monkeypatch):
    judged = []
    judge = choice.evaluate_split

    def spy(load, task, prompts, examples, **settings):
        judged.extend((prompt.id, example) for prompt in prompts for example in examples)
        return judge(load, task, prompts, examples, **settings)

    config = configure(
        tmp_path / "out", methods=(name,), choose={"examples": 6, "budget": 14}, evaluate={"examples": 3}
    )
    inputs = load_inputs(config)

    def stop(path, data):
        raise Killed

    monkeypatch.setattr(choice, "evaluate_split", spy)
    monkeypatch.setattr(choice, "write_json", stop)
    with pytest.raises(Killed):  # what comes behind the choice sees more
        paft.run(config)
    assert judged
    own = inputs.task.prompts[0]
    allowed = [*inputs.bank.prompts("train"), own]
    allowed += [v for p in allowed for v in versions(p, inputs.task, ATTACKS, 0).values()]
    assert {prompt for prompt, _ in judged} <= {prompt.id for prompt in allowed}
    assert all(example in inputs.train for _, example in judged)


@pytest.mark.parametrize("name", CHOOSERS)
def test_other_test_prompts_and_test_examples_choose_the_same(name, seen, config, configure, bank, tmp_path):
    unlike = {"test": [Prompt("Elsewhere: {message} is")], "validation": [Prompt("So {message} it goes")]}
    inputs = load_inputs(config, bank=Bank({"train": bank.prompts("train"), **unlike}))
    inputs = dataclasses.replace(inputs, test=inputs.train[:1])
    other = Seen(inputs.task, inputs.task.prompts[0], inputs.bank.require("train"), inputs.train)
    assert chosen(name, seen, config, tmp_path / "a") == chosen(name, other, config, tmp_path / "b")


@pytest.mark.parametrize("name", CHOOSERS)
def test_killed_behind_any_score_the_same_choice_comes_out(name, seen, config, tmp_path, monkeypatch):
    straight = chosen(name, seen, config, tmp_path / "straight")
    judge, lives = choice.evaluate_split, []

    def dies(*args, **settings):
        fresh = not (settings["folder"] / f"{settings['split']}.json").exists()
        result = judge(*args, **settings)
        if fresh:
            lives.append(settings["split"])
            raise Killed
        return result

    monkeypatch.setattr(choice, "evaluate_split", dies)
    while True:
        try:
            resumed = chosen(name, seen, config, tmp_path / "killed")
        except Killed:
            continue
        break
    assert resumed == straight
    assert len(lives) == len(set(lives)) > (0 if name == "top_accuracy" else 1)


def test_a_choice_that_was_made_is_not_made_again(seen, config, tmp_path, monkeypatch):
    first = chosen("top_accuracy", seen, config, tmp_path)
    monkeypatch.setattr(choice, "load_model", None)
    monkeypatch.setattr(choice, "evaluate_split", None)
    assert chosen("top_accuracy", seen, config, tmp_path) == first


@pytest.mark.parametrize("name", CHOOSERS)
def test_progress_ends_no_later_than_it_was_announced(name, seen, config, tmp_path):
    class Counter:
        count = 0

        def advance(self, count, note=""):
            self.count += count

    heard, again = Counter(), Counter()
    choose_prompt(name, seen, config, tmp_path, heard, seed=0)
    record = json.loads((tmp_path / "choice.json").read_text(encoding="utf-8"))
    assert heard.count == record["evaluations"] <= most_cells(name, seen, config)
    (tmp_path / "choice.json").unlink()
    choose_prompt(name, seen, config, tmp_path, again, seed=0)  # all scores are there
    assert again.count == heard.count


@pytest.mark.slow
def test_a_run_trains_on_the_chosen_prompt_and_says_so(configure, tmp_path):
    config = configure(
        tmp_path, methods=("single", *CHOOSERS), seeds=(0,), choose={"examples": 6, "budget": 12}
    )
    results = paft.run(config)
    rows = {row["method"]: row for row in results["rows"] if row["split"] == "test"}
    assert list(rows) == ["single", *CHOOSERS]
    assert {row["train_steps"] for row in rows.values()} == {3}
    for name in CHOOSERS:
        folder = Path(config.output) / "trials" / f"{name}-0"
        choice_, trained = (
            json.loads((folder / file).read_text(encoding="utf-8")) for file in ("choice.json", "train.json")
        )
        assert list(trained["by_prompt"]) == [choice_["prompt"]]
        assert trained["chosen"] == choice_["template"]
        assert "one, chosen before training" in (folder / "adapter" / "README.md").read_text(encoding="utf-8")


def test_settings_of_the_choice_are_part_of_what_a_run_is(configure, tmp_path):
    from paft.experiment.identity import run_identity
    from paft.experiment.output_folder import claim_output

    def claim(**settings):
        config = configure(tmp_path / "out", **settings)
        claim_output(tmp_path / "out", run_identity(config, load_inputs(config)))

    writers = tmp_path / "writers.yaml"
    text = "generators: [{name: a, model: m, base_url: 'http://127.0.0.1:9/v1'%s}]"
    writers.write_text(text % "", encoding="utf-8")
    with_bat = ("base", "bat")
    claim(choose={"writer": str(writers)})
    claim(choose={"writer": str(writers)}, methods=with_bat)  # a method may be added
    claim(choose={"writer": str(writers), "examples": 50})  # here no method chooses
    with pytest.raises(ResumeError, match=r"choose\.examples: 100 there, 50 now"):
        claim(choose={"writer": str(writers), "examples": 50}, methods=with_bat)
    writers.write_text(text % ", temperature: 0.5", encoding="utf-8")
    with pytest.raises(ResumeError, match=r"choose\.writer"):
        claim(choose={"writer": str(writers)}, methods=with_bat)


def test_a_writer_that_is_not_there_is_refused_before_anything_is_written(configure, tmp_path):
    with pytest.raises(DataError, match=r"generators file not found: nobody\.yaml"):
        paft.run(configure(tmp_path / "out", methods=("bat",), choose={"writer": "nobody.yaml"}))
    assert not (tmp_path / "out").exists()


def test_a_method_that_has_not_chosen_has_no_training_prompts(configure, tmp_path):
    config = configure(tmp_path)
    with pytest.raises(ConfigError, match=r"choice\.json"):
        load_inputs(config).training_prompts(METHODS["zopo"], config.train)


def test_hidden_states_do_not_depend_on_the_company_nor_on_names_of_fields(language_model, bank):
    prompts = bank.prompts("train")
    vectors = hidden_states(language_model, prompts, 512)
    assert vectors.shape == (len(prompts), 32) and vectors.dtype == np.float64
    assert (hidden_states(language_model, prompts[2:3], 512)[0] == vectors[2]).all()
    assert len({tuple(row) for row in vectors}) == len(prompts)
    renamed = [Prompt(prompt.template.replace("{message}", "{other}")) for prompt in prompts]
    assert (hidden_states(language_model, renamed, 512) == vectors).all()


def test_vectors_are_kept_so_a_resumed_search_sees_the_same(seen, config, tmp_path, monkeypatch):
    first = chosen("zopo", seen, config, tmp_path)
    (tmp_path / "choice.json").unlink()
    monkeypatch.setattr(choice, "hidden_states", None)
    assert chosen("zopo", seen, config, tmp_path) == first


def test_a_sentence_model_can_say_which_prompts_are_alike(seen, configure, tmp_path, monkeypatch):
    pytest.importorskip("sentence_transformers", reason="needs the extra: pip install 'paft[embeddings]'")
    model = str(MODELS["tiny"])
    config = configure(tmp_path / "out", choose={"examples": 12, "budget": 20, "embedding": model})
    monkeypatch.setattr(choice, "hidden_states", None)
    assert chosen("zopo", seen, config, tmp_path)["prompt"] in {prompt.id for prompt in seen.prompts}
    kept = np.load(tmp_path / "choice" / "vectors.npy")
    assert kept == pytest.approx(embed_prompts(seen.prompts, sentence_embedder(model)), abs=1e-6)


def test_a_chosen_prompt_that_is_nearly_an_unseen_one_is_told(configure, tmp_path):
    inputs = load_inputs(configure(tmp_path))
    (twin, *_), plan = inputs.bank.prompts("test"), Trial("bat", 0)
    (told,) = cell._twin_warning(plan, Prompt(twin.template + "!"), inputs)
    assert told.startswith("bat-0: ") and twin.id in told
    assert cell._twin_warning(plan, Prompt("Wholly other words about {message} here"), inputs) == []
