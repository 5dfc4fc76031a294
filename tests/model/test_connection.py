"""What leaves for a provider, and what comes of a server that will not end or sends elsewhere."""

import time

import pytest

from paft.errors import ModelError
from paft.model.connection import is_openai
from paft.model.endpoint import Endpoint, EndpointClient, Patience
from raw_server import Server, completion, send

pytest.importorskip("openai")
KEY = "sk-secret-0123456789"
ASK = [{"role": "user", "content": "Which team?"}]
AMBIENT = {
    "OPENAI_API_KEY": "sk-openai-0123456789",
    "OPENAI_ADMIN_KEY": "sk-admin-0123456789",
    "OPENAI_ORG_ID": "org-of-openai",
    "OPENAI_PROJECT_ID": "proj-of-openai",
    "OPENAI_CUSTOM_HEADERS": "X-Internal: gateway\nAuthorization: Bearer sk-other-0123456789",
    "OPENAI_BASE_URL": "http://127.0.0.1:1/v1",
}


def ask(url, monkeypatch, **patience):
    monkeypatch.setenv("MY_KEY", KEY)
    settings = Patience(retries=0, retry_wait=0.001, **patience)
    client = EndpointClient(Endpoint("the server", "m", url, api_key_env="MY_KEY", max_tokens=100), settings)
    try:
        return client.ask(ASK, "a/1", None, lambda why, wait: None)
    finally:
        client.close()


def test_another_provider_hears_nothing_of_what_belongs_to_openai(monkeypatch):
    for name, value in AMBIENT.items():
        monkeypatch.setenv(name, value)
    with Server(lambda handler: send(handler, 200, completion())) as server:
        assert ask(server.url, monkeypatch).text == "ok"
    [(_, headers)] = server.seen
    assert headers["authorization"] == f"Bearer {KEY}"
    assert "openai-organization" not in headers
    assert "openai-project" not in headers
    assert "x-internal" not in headers
    told = " ".join(headers.values())
    assert not any(part in told for part in ("of-openai", "sk-o", "sk-admin"))


def test_openai_itself_gets_organisation_and_project(monkeypatch):
    import asyncio

    import httpx2

    from paft.model.connection import _guard

    request = httpx2.Request(
        "POST", "https://api.openai.com/v1/chat/completions", headers={"OpenAI-Organization": "org"}
    )
    asyncio.run(_guard("https://api.openai.com/v1", KEY)(request))
    assert request.headers["openai-organization"] == "org"


@pytest.mark.parametrize(
    ("url", "own"),
    [
        ("https://api.openai.com/v1", True),
        ("https://us.api.openai.com/v1", True),
        ("http://api.openai.com/v1", False),
        ("https://api.openai.com.example.org/v1", False),
        ("https://notapi.openai.com/v1", False),
        ("http://localhost:8000/v1", False),
    ],
)
def test_only_addresses_of_openai_are_its_own(url, own):
    assert is_openai(url) is own


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_to_another_origin_is_refused_and_named(monkeypatch, status):
    with Server(lambda handler: send(handler, 200, completion("stolen"))) as other:
        target = other.url.replace("127.0.0.1", "localhost") + "/chat/completions?key=x"
        with (
            Server(lambda handler: send(handler, status, {}, Location=target)) as server,
            pytest.raises(ModelError, match=r"redirects to http://localhost:\d+, another origin"),
        ):
            ask(server.url, monkeypatch)
    assert other.seen == []


def test_a_redirect_within_the_origin_is_followed(monkeypatch):
    def answer(handler):
        if handler.path.startswith("/v1"):
            send(handler, 307, {}, Location="/v2/chat/completions")
        else:
            send(handler, 200, completion("here"))

    with Server(answer) as server:
        assert ask(server.url, monkeypatch).text == "here"
    assert [path for path, _ in server.seen] == ["/v1/chat/completions", "/v2/chat/completions"]


def test_a_redirect_to_an_origin_made_of_the_key_shows_no_key(monkeypatch):
    with (
        Server(lambda handler: send(handler, 307, {}, Location=f"https://{KEY}.example.org/")) as server,
        pytest.raises(ModelError, match=r"redirects to https://\*\*\*\.example\.org:443"),
    ):
        ask(server.url, monkeypatch)


@pytest.mark.parametrize(
    "choices",
    [
        {"0": {}},
        "text",
        [[1]],
        [{"message": "text"}],
        [{"message": {"content": {"a": 1}}}],
        [{"message": {"content": 5}}],
    ],
)
def test_a_reply_of_another_shape_is_a_failed_try_and_no_empty_answer(monkeypatch, choices):
    with (
        Server(lambda handler: send(handler, 200, {**completion(), "choices": choices})) as server,
        pytest.raises(ModelError, match=r"no `choices` with a text \(1 try\)"),
    ):
        ask(server.url, monkeypatch)


def test_a_reply_of_a_hundred_thousand_brackets_is_a_failed_try(monkeypatch):
    def answer(handler):
        text = b"[" * 100_000
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(text)}\r\n\r\n"
        handler.wfile.write(head.encode() + text)

    with Server(answer) as server, pytest.raises(ModelError, match="not readable JSON"):
        ask(server.url, monkeypatch)


@pytest.mark.parametrize(
    ("status", "body", "told"),
    [
        (404, {"error": "model 'x' not found, try pulling it"}, "try pulling it"),
        (422, {"detail": [{"loc": ["body", "messages"], "msg": "Field required"}]}, "Field required"),
        (400, {"error": {"message": "too long", "param": ["messages"], "code": {"n": 1}}}, "400 - too long"),
        (400, ["a list"], "a list"),
    ],
)
def test_what_an_endpoint_says_of_an_error_is_shown_whatever_its_form(monkeypatch, status, body, told):
    with (
        Server(lambda handler: send(handler, status, body)) as server,
        pytest.raises(ModelError, match=told),
    ):
        ask(server.url, monkeypatch)


@pytest.mark.parametrize("part", ["headers", "body"])
def test_a_server_that_never_ends_its_reply_is_left_at_the_deadline(monkeypatch, part):
    def answer(handler):
        begin = b"HTTP/1.1 200 OK\r\nX-Slow: " if part == "headers" else (
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n"
        )  # fmt: skip
        handler.wfile.write(begin)
        for _ in range(100):
            handler.wfile.write(b" " if part == "body" else b"x")
            handler.wfile.flush()
            time.sleep(0.05)

    started = time.monotonic()
    with Server(answer) as server, pytest.raises(ModelError, match=r"did not end within 0\.3 s"):
        ask(server.url, monkeypatch, timeout=0.2, deadline=0.3)
    assert time.monotonic() - started < 2


@pytest.mark.parametrize("status", [200, 400, 401, 404, 422])
def test_a_server_that_echoes_what_it_was_sent_shows_no_key(monkeypatch, status):
    monkeypatch.setenv("OPENAI_API_KEY", AMBIENT["OPENAI_API_KEY"])

    def answer(handler):
        own = handler.headers["Authorization"]
        told = f"{own} {KEY.upper()} {KEY.encode().hex()} sk%2Dopenai%2D0123456789"
        body = completion(told) if status == 200 else {"error": {"message": told, "code": told}}
        send(handler, status, body)

    with Server(answer) as server:
        try:
            shown = ask(server.url, monkeypatch).text
            assert set(shown.split()) == {"Bearer", "***"}
        except ModelError as error:
            shown = str(error)
    for secret in (KEY, KEY.upper(), KEY.encode().hex(), "0123456789"):
        assert secret not in shown


@pytest.mark.parametrize(
    ("sent", "written", "counted"),
    [
        (3, 5, True),
        (10**30, 5, False),
        (3, -5, False),
        (3, 5.5, False),
        ("3", 5, False),
        (True, 5, False),
        (3, None, False),
        (3, 0, False),
        (0, 5, False),
        ([3], {"n": 5}, False),
        (10**9, 5, False),
    ],
)
def test_counts_that_cannot_be_true_are_estimated_and_said_to_be(monkeypatch, sent, written, counted):
    body = completion("a reply", prompt_tokens=sent, completion_tokens=written)
    with Server(lambda handler: send(handler, 200, body)) as server:
        reply = ask(server.url, monkeypatch)
    assert reply.counted is counted
    assert (0 < reply.input_tokens < 100, 0 < reply.output_tokens < 100) == (True, True)


def test_not_a_number_as_a_count_is_no_count(monkeypatch):
    body = completion("a reply", prompt_tokens=float("nan"), completion_tokens=float("inf"))
    with Server(lambda handler: send(handler, 200, body)) as server:
        assert not ask(server.url, monkeypatch).counted
