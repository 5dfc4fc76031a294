"""What befalls a prompt leaves its placeholders and possible answers alone, and is found again."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paft.experiment.baselines.bat import ATTACKS, SENTENCE, WORDS, Attacked, attack, versions
from paft.experiment.baselines.scores import Measured, Score, Scores
from paft.prompt import Prompt
from paft.task.task import Task

TASK = Task(
    name="desk",
    fields={"message": "text"},
    answer={"rule": "label", "options": ["card arrival", "cash"]},
    data={"train": "train.jsonl", "test": "test.jsonl"},
    prompt="Say what it is: {message}",
)
PROMPT = Prompt(
    "Please read this note. It came today from somebody.\n{message}\nIs it card arrival or cash? Answer:"
)
WORD = st.text("abcdefgh", min_size=1, max_size=9)


def test_every_kind_of_attack_changes_a_prompt_with_words_and_sentences():
    # the prompt has no lettered options, so there is nothing to enumerate otherwise
    assert set(versions(PROMPT, TASK, ATTACKS, seed=0)) == set(ATTACKS) - {"enumerators"}


def test_words_are_left_out_but_never_those_of_an_answer():
    text = " ".join(f"word{chr(97 + i)}" for i in range(26)) + " card arrival {message} cash end"
    words = text.split()
    found = versions(Prompt(text), TASK, [WORDS], seed=1)[WORDS].template.split()
    assert 1 <= len(words) - len(found) <= 12
    assert [word for word in words if word in found] == found
    assert {"card", "arrival", "cash", "{message}"} <= set(found)


def test_one_sentence_is_left_out_and_none_that_names_an_answer():
    found = {versions(PROMPT, TASK, [SENTENCE], seed)[SENTENCE].template for seed in range(20)}
    assert found == {
        PROMPT.template.replace("Please read this note. ", ""),
        PROMPT.template.replace("It came today from somebody.", ""),
    }
    assert versions(Prompt("{message} Cash?"), TASK, [SENTENCE], 0) == {}


@settings(deadline=None, max_examples=40)
@given(st.lists(WORD, max_size=12), st.lists(WORD, max_size=12), st.integers(0, 99))
def test_placeholders_and_answers_survive_and_the_same_seed_does_the_same(before, after, seed):
    prompt = Prompt(" ".join([*before, ". cash or card arrival, {message}:", *after, "{options} {{x}}."]))
    made = versions(prompt, TASK, ATTACKS, seed)
    assert made == versions(prompt, TASK, ATTACKS, seed)
    for version in made.values():
        assert version.placeholders == prompt.placeholders
        assert version.id != prompt.id
        words = " ".join(version.template.split())
        assert "cash" in words and "card arrival" in words


def score(name, accuracy, gold=-1.0):
    return Score(Prompt(f"{{message}} {name}"), Measured(accuracy, gold), {})


def test_the_worst_case_counts_first_then_the_mean():
    calm = Attacked(score("a", 0.5), {"typos": score("b", 0.5)})
    shaky = Attacked(score("c", 0.9), {"typos": score("d", 0.4)})
    better = Attacked(score("e", 0.7), {"typos": score("f", 0.5)})
    assert (calm.worst, shaky.worst) == (0.5, 0.4)
    assert sorted([shaky, calm, better], key=lambda each: each.rank) == [better, calm, shaky]


def test_harmful_are_those_below_the_prompt_itself_the_worst_first():
    versions_ = {"a": score("a", 0.6), "b": score("b", 0.2), "c": score("c", 0.5, -2.0), "d": score("d", 0.5)}
    found = Attacked(score("own", 0.5), versions_)
    assert found.harmful(9) == ["b", "c"]
    assert found.harmful(1) == ["b"]


def test_an_attack_scores_the_prompt_and_its_versions_at_once_and_says_why():
    asked = []
    scores = Scores(lambda prompts: asked.append(len(prompts)) or [Measured(0.5) for _ in prompts])
    found = attack(PROMPT, TASK, scores, ["typos", WORDS], 0, {"origin": "own"})
    assert asked == [3] and set(found.versions) == {"typos", WORDS}
    assert [s.origin for s in scores.trace] == [
        {"origin": "own"},
        {"origin": "perturbation", "kind": "typos", "parent": PROMPT.id},
        {"origin": "perturbation", "kind": WORDS, "parent": PROMPT.id},
    ]


def test_no_prompt_is_scored_beyond_the_budget_nor_twice():
    scores = Scores(lambda prompts: [Measured(0.5) for _ in prompts], budget=3)
    attack(PROMPT, TASK, scores, ["typos", WORDS], 0, {"origin": "own"})
    attack(PROMPT, TASK, scores, ["typos", WORDS], 0, {"origin": "again"})
    assert scores.left == 0
    with pytest.raises(ValueError, match="the budget leaves 0"):
        scores([(Prompt("{message} ?"), {})])
