"""One request against a wayward endpoint: what passes is tried again, what does not is said."""

import pytest

from chat_server import ChatServer
from paft.bank.generate.generators import Generators
from paft.errors import ConfigError, ModelError, PaftError
from paft.model import endpoint as endpoint_module
from paft.model.endpoint import EndpointClient, _retry_after, check_address

pytest.importorskip("openai")
SECRET = "sk-very-secret-0123456789"
ASK = [{"role": "user", "content": "Each must contain each of these exactly once: {x}. exactly 3 templates."}]


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with ChatServer(tmp_path_factory.mktemp("server") / "log") as running:
        yield running


def client_for(server, model, *, retries=2, timeout=10.0, **keys):
    settings = Generators.model_validate(
        {
            "generators": [{"name": "a", "model": model, "base_url": server.url, **keys}],
            "retries": retries,
            "retry_wait": 0.001,
            "timeout": timeout,
        }
    )
    return EndpointClient(settings.generators[0].endpoint, settings, pause=waits.append)


waits: list[float] = []


@pytest.fixture(autouse=True)
def _no_waits():
    waits.clear()


def ask(client, seed=None):
    told = []
    try:
        return client.ask(ASK, "a/few-shot/0/1", seed, lambda why, wait: told.append((why, wait))), told
    finally:
        client.close()


def test_a_reply_comes_with_its_tokens(server):
    reply, told = ask(client_for(server, "good"))
    assert "{x}" in reply.text
    assert reply.input_tokens == 400
    assert reply.output_tokens == len(reply.text) // 4
    assert told == []


def test_where_nobody_counts_tokens_are_estimated_from_the_length(server):
    reply, _ = ask(client_for(server, "uncounted"))
    assert reply.output_tokens == -(-len(reply.text) // 4)
    assert reply.input_tokens == -(-len(ASK[0]["content"]) // 4)


def test_a_wait_the_endpoint_asks_for_is_kept_and_retries_end(server):
    with pytest.raises(ModelError, match=r"generator 'a'.*HTTP status 429 \(3 tries\): run the same"):
        ask(client_for(server, "busy"))
    assert waits == [0.05, 0.05]


def test_an_endpoint_that_asks_for_an_hour_is_left(server):
    with pytest.raises(ModelError, match="asks to wait 3600 s"):
        ask(client_for(server, "patient"))
    assert waits == []


@pytest.mark.parametrize("model", ["page", "wordless"])
def test_a_reply_that_is_no_completion_is_tried_again(server, model):
    with pytest.raises(ModelError, match="no `choices`"):
        ask(client_for(server, model))
    assert len(waits) == 2


@pytest.mark.parametrize(
    ("model", "said"), [("unknown", "does not know the model"), ("broke", "no credit left")]
)
def test_what_another_try_cannot_cure_is_not_tried_again(server, model, said):
    with pytest.raises(ModelError, match=said):
        ask(client_for(server, model))
    assert waits == []


@pytest.mark.parametrize("model", ["good", "unknown"])
def test_no_error_and_no_repr_shows_the_key(server, monkeypatch, model):
    key = f"wrong-{SECRET}" if model == "good" else SECRET
    monkeypatch.setenv("MY_KEY", key)
    client = client_for(server, model, api_key_env="MY_KEY")
    assert SECRET not in repr(client) + repr(vars(client)["_client"])
    with pytest.raises(ModelError) as error:
        ask(client)
    assert SECRET not in str(error.value)
    assert ("MY_KEY" if model == "good" else "404") in str(error.value)


def test_models_that_know_the_limit_by_another_name_are_asked_in_their_words(server):
    reply, told = ask(client_for(server, "reasoning"))
    assert reply.text
    assert told == []


def test_an_endpoint_that_is_down_is_tried_again_then_named():
    class Down:
        url = "http://127.0.0.1:1/v1"

    with pytest.raises(ModelError, match=r"at http://127\.0\.0\.1:1/v1.*connection failed"):
        ask(client_for(Down, "good"))
    assert len(waits) == 2


@pytest.mark.parametrize("seed", range(4))
def test_every_kind_of_fault_is_overcome(tmp_path, seed):
    with ChatServer(tmp_path / "log", faults=0.8, slow=1.5, seed=seed) as server:
        reply, told = ask(client_for(server, "good", retries=40, timeout=1.0), seed=seed)
        assert "{x}" in reply.text
        assert len(server.events("request")) == len(told) + 1


def test_waits_double_up_to_a_limit_and_differ_between_requests():
    settings = Generators.model_validate(
        {"generators": [{"name": "a", "model": "m", "base_url": "http://127.0.0.1:1/v1"}], "retry_wait": 1}
    )
    client = EndpointClient(settings.generators[0].endpoint, settings)
    failure = endpoint_module._Passing("why")
    series = [client._wait(failure, "a/few-shot/0/1", attempt) for attempt in range(9)]
    assert all(0.5 * 2**i <= wait <= 2**i for i, wait in enumerate(series[:6]))
    assert all(30 <= wait <= 60 for wait in series[6:])
    assert client._wait(failure, "a/few-shot/1/1", 0) != series[0]
    client.close()


def test_a_wait_may_be_given_as_a_date():
    assert _retry_after("Wed, 21 Oct 2015 07:28:00 GMT") == 0
    assert _retry_after("soon") is None
    assert _retry_after("1.5") == 1.5
    assert _retry_after(None) is None


def test_a_missing_key_is_named_before_anything_is_sent(monkeypatch):
    monkeypatch.delenv("NO_SUCH_KEY", raising=False)

    class Server:
        url = "http://127.0.0.1:1/v1"

    with pytest.raises(ConfigError, match="NO_SUCH_KEY"):
        client_for(Server, "good", api_key_env="NO_SUCH_KEY")


def test_without_the_package_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "openai", None)

    class Server:
        url = "http://127.0.0.1:1/v1"

    with pytest.raises(PaftError, match=r"pip install 'paft\[llm\]'"):
        client_for(Server, "good")


@pytest.mark.parametrize("host", ["localhost:80000", "localhost:abc", "localhost:0", ":8000"])
def test_an_address_without_a_host_or_with_an_impossible_port_is_refused(host: str) -> None:
    with pytest.raises(ValueError, match="must name a host"):
        check_address(f"http://{host}/v1", None)
