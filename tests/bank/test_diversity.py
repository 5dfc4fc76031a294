"""Spread, choice and discrepancy of prompts, against their definitions."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paft.bank import Bank
from paft.bank.diversity import (
    choose,
    close_pairs,
    compare,
    diversity_of,
    embed_prompts,
    masked,
    mmd_curve,
    sentence_embedder,
    spread,
    subset_mmd2,
    write_diversity,
)
from paft.builtin import MODELS
from paft.errors import PromptError
from paft.prompt import Prompt

OPENINGS = ("Read this", "Hello there", "Log entry", "Dear colleague")
CUES = ("which team?", "class:", "->", "so it is about", "kindly sort it")
TEXTS = [f"{opening} {{text}} {cue}" for opening in OPENINGS for cue in CUES]
PROMPTS = [Prompt(text) for text in TEXTS]


def unit(rows):
    array = np.asarray(rows, dtype=float)
    return array / np.linalg.norm(array, axis=1, keepdims=True)


VECTORS = st.lists(
    st.lists(st.floats(-1, 1).map(lambda x: round(x, 3)), min_size=3, max_size=3), min_size=4, max_size=9
).map(lambda rows: unit(np.asarray(rows) + np.array([2.0, 0.0, 0.0])))


def mmd2(a, b):
    return compare(a, b, permutations=1)["mmd2"]


def test_vectors_have_unit_length_and_see_no_field_names():
    vectors = embed_prompts(PROMPTS)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1)
    assert masked(Prompt("a {x} b")) == masked(Prompt("a {y} b"))


@settings(max_examples=50, deadline=None)
@given(a=VECTORS, b=VECTORS)
def test_mmd2_is_its_definition(a, b):
    both = np.concatenate([a, b])
    squared = ((both[:, None] - both[None]) ** 2).sum(-1)
    width = np.median(squared[np.triu_indices(len(both), 1)]) or 1.0

    def kernel(x, y):
        return np.exp(-((x - y) ** 2).sum() / width)

    def inside(rows):
        return np.mean([kernel(x, y) for i, x in enumerate(rows) for j, y in enumerate(rows) if i != j])

    brute = inside(a) + inside(b) - 2 * np.mean([kernel(x, y) for x in a for y in b])
    assert mmd2(a, b) == pytest.approx(brute, abs=1e-9)


def test_the_unbiased_mmd2_of_one_distribution_is_about_zero_and_of_two_is_not():
    generator = np.random.default_rng(0)
    same = [
        mmd2(unit(generator.normal(size=(20, 4))), unit(generator.normal(size=(20, 4)))) for _ in range(60)
    ]
    assert abs(np.mean(same)) < 3 * np.std(same) / np.sqrt(60)
    apart = compare(unit(generator.normal(size=(20, 4))), unit(generator.normal(size=(20, 4)) + 3))
    assert apart["mmd2"] > 5 * apart["floor_95"]
    assert apart["p_value"] < 0.01


def test_the_permutation_test_holds_its_level():
    generator = np.random.default_rng(1)
    values = [
        compare(unit(generator.normal(size=(12, 3))), unit(generator.normal(size=(8, 3))), permutations=60)[
            "p_value"
        ]
        for _ in range(120)
    ]
    assert 0.01 < np.mean(np.asarray(values) <= 0.1) < 0.2


@settings(max_examples=50, deadline=None)
@given(vectors=VECTORS)
def test_spread_is_its_definition(vectors):
    distances = 1 - vectors @ vectors.T
    off = ~np.eye(len(vectors), dtype=bool)
    assert spread(vectors)["mean_distance"] == pytest.approx(distances[off].mean(), abs=1e-9)
    np.fill_diagonal(distances, np.inf)
    assert spread(vectors)["nearest_distance"] == pytest.approx(distances.min(axis=1).mean(), abs=1e-9)


@settings(max_examples=50, deadline=None)
@given(vectors=VECTORS, data=st.data())
def test_each_choice_is_the_farthest_from_those_before(vectors, data):
    count = data.draw(st.integers(1, len(vectors)))
    taken = choose(vectors, count)
    assert len(set(taken)) == count
    for place in range(1, count):
        distances = 1 - vectors @ vectors[taken[:place]].T
        nearest = distances.min(axis=1)
        nearest[taken[:place]] = -np.inf
        assert nearest[taken[place]] == pytest.approx(nearest.max(), abs=1e-9)


def test_a_varied_choice_is_more_spread_than_a_row_of_neighbours():
    vectors = embed_prompts(PROMPTS)
    assert spread(vectors[choose(vectors, 6)])["nearest_distance"] > spread(vectors[:6])["nearest_distance"]


def test_too_large_a_choice_is_refused():
    with pytest.raises(PromptError, match="cannot choose 21 of 20 prompts"):
        choose(embed_prompts(PROMPTS), 21)


def test_close_pairs_are_the_pairs_above_the_cosine():
    vectors = unit([[1, 0], [1, 0.01], [0, 1]])
    assert [(i, j) for i, j, _ in close_pairs(vectors, 0.9)] == [(0, 1)]


def test_sentence_embeddings_find_what_says_the_same():
    pytest.importorskip("sentence_transformers", reason="needs the extra: pip install 'paft[embeddings]'")
    # Any model folder does: without a pooling of its own, the mean of its last states is taken.
    embed = sentence_embedder(str(MODELS["tiny"]))
    texts = [
        "Which team should handle this? {message}",
        "Which team should handle this message? {message}",
        "Hi",
    ]
    vectors = embed(texts)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-5)
    assert [(i, j) for i, j, _ in close_pairs(vectors, 0.9)] == [(0, 1)]
    with pytest.raises(PromptError, match=r"nowhere.* cannot be loaded"):
        sentence_embedder(str(MODELS["tiny"] / "nowhere"))


def test_the_curve_ends_at_all_prompts_and_narrows():
    vectors = embed_prompts(PROMPTS)
    curve = mmd_curve(vectors[::2], vectors[1::2])
    assert [row["n"] for row in curve] == [2, 4, 8, 10]
    assert curve[-1]["std"] == 0
    assert curve[0]["std"] > curve[2]["std"]


def test_the_report_is_the_same_bytes_each_time(tmp_path):
    bank = Bank({"train": tuple(PROMPTS[::2]), "test": tuple(PROMPTS[1::2])})
    measured = diversity_of(bank)
    for name in ("a.svg", "b.svg", "c.png"):
        write_diversity(measured, tmp_path / name)
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()
    assert b"unbiased MMD" in (tmp_path / "a.svg").read_bytes()
    assert (tmp_path / "c.png").read_bytes().startswith(b"\x89PNG")
    assert json.loads((tmp_path / "a.json").read_text())["bank_fingerprint"] == bank.fingerprint


def test_a_split_of_three_prompts_or_another_picture_is_refused(tmp_path):
    with pytest.raises(PromptError, match="'test' has 3 prompts; 4 are needed"):
        diversity_of(Bank({"train": tuple(PROMPTS[:9]), "test": tuple(PROMPTS[9:12])}))
    with pytest.raises(PromptError, match=r"\.svg or \.png"):
        write_diversity({}, tmp_path / "a.gif")


def test_a_missing_embedding_model_or_library_is_one_message(tmp_path):
    with pytest.raises(PromptError, match=r"sentence-transformers: pip install|cannot be loaded"):
        sentence_embedder(str(tmp_path / "no model"))


def test_subsets_share_one_kernel_and_the_biased_mmd2_is_the_distance_of_the_sets_themselves():
    vectors = unit(np.random.default_rng(3).normal(size=(12, 5)))
    train, test = vectors[:8], vectors[8:]
    squared = ((vectors[:, None] - vectors[None]) ** 2).sum(axis=2)
    kernel = np.exp(-squared / np.median(squared[np.triu_indices(12, k=1)]))
    rows = subset_mmd2(train, test, [np.array([5]), np.array([0, 3, 6])])
    for found, chosen in zip(rows, ([5], [0, 3, 6]), strict=True):
        weights = np.zeros(12)
        weights[chosen], weights[8:] = 1 / len(chosen), -1 / 4
        assert found["n"] == len(chosen)
        assert found["biased"] == pytest.approx(weights @ kernel @ weights)
    assert rows[0]["unbiased"] is None
    whole = subset_mmd2(train, test, [np.arange(8)])[0]
    assert whole["unbiased"] == pytest.approx(mmd2(train, test))
    assert whole["unbiased"] < whole["biased"]
