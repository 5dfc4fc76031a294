"""The generators file: defaults, overrides, and errors that never show a key."""

import pytest

from paft.bank.generate.generators import Generators
from paft.errors import ConfigError, DataError
from paft.schema import parse

SECRET = "sk-Very-Secret-0123456789"


def file(tmp_path, text):
    path = tmp_path / "G.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def one(**keys):
    return {"generators": [{"name": "a", "model": "m", **keys}]}


def test_a_minimal_file_has_the_papers_numbers(tmp_path):
    found = Generators.from_yaml(file(tmp_path, "generators:\n  - {name: gpt, model: gpt-4.1-mini}\n"))
    (generator,) = found.generators
    assert [found.wanted(generator, strategy) for strategy in ("few-shot", "zero-shot")] == [20, 20]
    assert (found.per_call, found.concurrency, found.retries, found.timeout) == (10, 4, 6, 120)
    assert generator.parameters == {"temperature": 1.0, "top_p": None, "max_tokens": 2048, "seed": None}
    assert generator.endpoint.url == "https://api.openai.com/v1"


def test_a_generator_may_have_its_own_numbers(tmp_path):
    models = "generators:\n  - {name: a, model: m, few_shot: 0}\n  - {name: b, model: m}\n"
    found = Generators.from_yaml(file(tmp_path, "few_shot: 4\nzero_shot: 6\n" + models))
    first, second = found.generators
    wanted = [(found.wanted(g, "few-shot"), found.wanted(g, "zero-shot")) for g in (first, second)]
    assert wanted == [(0, 6), (4, 6)]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (one(temprature=1), "unknown key 'generators.0.temprature'; did you mean 'temperature'"),
        ({"generators": []}, "lists no model"),
        ({}, "key 'generators' is missing"),
        ({**one(), "retrys": 3}, "unknown key 'retrys'; did you mean 'retries'"),
        ({"generators": [{"name": "a", "model": "m"}] * 2}, "two generators have the name 'a'"),
        (one(name="a/b"), "generators.0.name"),
        (one(few_shot=0, zero_shot=0), "'a' is asked for no prompt"),
        (one(temperature=-1), "generators.0.temperature"),
        (one(base_url="localhost:8000"), "must begin with http"),
        (one(base_url="ftp://host/v1"), "must begin with http"),
        (one(model="hf:tiny", base_url="http://localhost/v1"), "takes neither `base_url`"),
        (one(model="hf:"), "lacks the model's id"),
    ],
)
def test_what_does_not_fit_is_named(data, said):
    with pytest.raises(ConfigError) as error:
        parse(Generators, data, "G.yaml")
    assert "G.yaml" in str(error.value)
    assert said in str(error.value)


@pytest.mark.parametrize(
    "keys",
    [
        {"api_key_env": SECRET},
        {"api_key": SECRET},
        {"base_url": f"https://me:{SECRET}@host/v1"},
        {"base_url": f"https://host/v1?key={SECRET}"},
    ],
)
def test_a_key_in_the_file_is_refused_and_not_shown(keys):
    with pytest.raises(ConfigError) as error:
        parse(Generators, one(**keys), "G.yaml")
    assert SECRET not in str(error.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match=r"generators file not found: .*none\.yaml"):
        Generators.from_yaml(tmp_path / "none.yaml")


def test_a_key_comes_from_the_environment_variable_that_is_named(monkeypatch):
    own, default, local = (
        parse(Generators, one(**keys), "G.yaml").generators[0]
        for keys in ({"api_key_env": "MY_KEY"}, {}, {"base_url": "http://127.0.0.1:1/v1"})
    )
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.setenv("MY_KEY", f" {SECRET}\n")
    assert own.endpoint.key() == SECRET
    with pytest.raises(ConfigError, match="'a' needs its key in the environment variable OPENAI_API_KEY"):
        default.endpoint.key()
    assert local.endpoint.key() == "none"
    assert SECRET not in repr(own)


def test_the_key_for_openai_is_not_sent_elsewhere(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)
    (generator,) = parse(Generators, one(base_url="http://127.0.0.1:1/v1"), "G.yaml").generators
    assert generator.endpoint.key() == "none"


@pytest.mark.parametrize("value", ["two\nlines", "k\u00e9y"])
def test_an_unusable_key_is_refused_and_not_shown(monkeypatch, value):
    monkeypatch.setenv("MY_KEY", value)
    (generator,) = parse(Generators, one(api_key_env="MY_KEY"), "G.yaml").generators
    with pytest.raises(ConfigError, match="MY_KEY") as error:
        generator.endpoint.key()
    assert value not in str(error.value)


def test_costs_are_per_million_tokens():
    (generator,) = parse(Generators, one(price_input=2, price_output=8), "G.yaml").generators
    assert generator.cost(500_000, 250_000) == pytest.approx(3.0)
