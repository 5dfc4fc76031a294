"""Which variations settings ask for, and that training renders them."""

from __future__ import annotations

import pytest

from paft.train.batches import Plan, RenderedExamples
from paft.train.variation import Recombination, WordDropout, variation


def test_words_are_left_out_of_what_was_put_together(configure, tmp_path, bank):
    prompts = bank.prompts("train")
    train = configure(tmp_path, train={"recombination": 1.0, "word_dropout": 0.5}).train
    key = (1, 2, 3, 0)
    crossed = Recombination(1.0, 7, prompts)(prompts[0], *key)
    assert variation(train, prompts, 7)(prompts[0], *key) == WordDropout(0.5, 7)(crossed, *key)
    assert variation(train.model_copy(update={"schedule": "single"}), prompts, 7) is None
    assert variation(configure(tmp_path).train, prompts, 7) is None


@pytest.mark.parametrize("name", ["word_dropout", "recombination"])
def test_training_renders_the_variant_of_its_place(
    name, configure, tmp_path, train_examples, bank, language_model
):
    encoder, prompts = language_model.encoder(1024), bank.prompts("train")
    vary = variation(configure(tmp_path, train={name: 0.6}).train, prompts, 2)
    rows = RenderedExamples(train_examples, prompts, encoder, vary)
    example = train_examples[3]
    found = set()
    for step in range(9):
        expected = encoder.encode(vary(prompts[4], 1, step, 3, 4).render(example.values), example.gold)
        encoded = rows[Plan(3, 4, place=(1, step))]
        assert encoded.input_ids == expected.input_ids
        found.add(tuple(encoded.input_ids))
    assert len(found) > 1
