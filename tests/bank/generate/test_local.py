"""A model on this machine writes prompts repeatably and leaves the global random state alone."""

import pytest

from paft.bank.generate.generators import Generators
from paft.bank.generate.local import LocalClient
from paft.bank.generate.run import generate
from paft.errors import ModelError

MESSAGES = [{"role": "user", "content": "Write a prompt with {message}."}]


def one(folder, **keys):
    keys = {"max_tokens": 24, **keys}
    return Generators.model_validate(
        {"generators": [{"name": "here", "model": f"hf:{folder}", **keys}], "retries": 0}
    )


def ask(folder, name="here/few-shot/0/1", seed=None, **keys):
    client = LocalClient(one(folder, **keys).generators[0])
    try:
        return client.ask(MESSAGES, name, seed, lambda why, wait: None)
    finally:
        client.close()


def test_a_request_is_answered_alike_each_time_and_another_one_otherwise(model_folder):
    import torch

    before = torch.get_rng_state()
    first = ask(model_folder)
    assert first == ask(model_folder)
    assert first != ask(model_folder, name="here/few-shot/0/2")
    assert ask(model_folder, seed=1) != ask(model_folder, seed=2)
    assert 1 <= first.output_tokens <= 24
    assert first.input_tokens > 5
    assert torch.equal(before, torch.get_rng_state())


def test_at_temperature_zero_the_likeliest_reply_comes_whatever_the_seed(model_folder):
    assert ask(model_folder, temperature=0, seed=1) == ask(model_folder, temperature=0, seed=2)


def test_a_tiny_nucleus_leaves_only_the_likeliest_tokens(model_folder):
    greedy = ask(model_folder, temperature=0)
    assert ask(model_folder, top_p=1e-6, seed=3).text == greedy.text


def test_draws_follow_the_softmax():
    import torch

    from paft.bank.generate.local import _gumbel

    generator = one("x", temperature=0.5).generators[0]
    process = _gumbel(generator, torch.device("cpu"), 0)
    scores = torch.tensor([[0.0, 0.5, 1.0]])
    draws = torch.stack([process(None, scores.clone()).argmax() for _ in range(4000)])
    shares = torch.bincount(draws, minlength=3) / 4000
    assert torch.allclose(shares, torch.softmax(scores[0] / 0.5, 0), atol=0.03)


def test_a_chat_template_is_used_where_there_is_one(model_folder, tmp_path, tokenizer):
    import copy
    import shutil

    shutil.copytree(model_folder, tmp_path / "chat")
    chatting = copy.deepcopy(tokenizer)
    chatting.chat_template = "{% for m in messages %}USER {{ m['content'] }}{% endfor %} BOT"
    chatting.save_pretrained(tmp_path / "chat")
    assert ask(tmp_path / "chat").input_tokens > ask(model_folder).input_tokens
    chatting.chat_template = "{{ raise_exception('no such role') }}"
    chatting.save_pretrained(tmp_path / "chat")
    with pytest.raises(ModelError, match="generator 'here' failed: no such role"):
        ask(tmp_path / "chat")


def test_a_model_too_short_for_the_request_or_missing_fails_alone(task, model_folder, tmp_path):
    found = generate(task, one(model_folder), tmp_path / "a.jsonl")
    assert "choose a model with a longer context" in found.failures["here"]
    missing = generate(task, one(tmp_path / "none"), tmp_path / "b.jsonl")
    assert "could not be had" in missing.failures["here"]
    assert not missing.complete


def test_a_local_model_takes_part_in_a_generation(task, model_folder, tmp_path, tokenizer):
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig.from_pretrained(model_folder, max_position_embeddings=4096)
    LlamaForCausalLM(config).save_pretrained(tmp_path / "long")
    tokenizer.save_pretrained(tmp_path / "long")
    generators = one(tmp_path / "long", max_tokens=8, few_shot=4, zero_shot=4)
    found = generate(task, generators, tmp_path / "bank.jsonl")
    assert found.complete
    assert found.tallies["here"].replies == found.tallies["here"].broken == 2, "noise is no template"
    assert generate(task, generators, tmp_path / "bank.jsonl") == found
