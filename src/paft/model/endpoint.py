"""A model at an OpenAI-compatible endpoint, asked through everything that goes wrong on the way.

Models that write prompts and models that are evaluated are both asked from here. What passes by
itself (429, 5xx, timeouts, broken connections, replies that are no JSON) is tried again after a wait
that doubles each time; what does not (a wrong key, an unknown model) raises a :class:`ModelError`. The
retries are not the openai package's: that one draws its jitter at random, cannot be stopped while it
waits, tells nobody, and takes a reply that is no JSON for an answer. Here the jitter is a hash of the
request's name. No key reaches an error or a file: nothing of an authentication failure's body is
quoted, and keys are struck out of every other error and of every reply (:mod:`paft.redaction`).
:mod:`paft.model.connection` decides what a request carries, and where to.
"""

from __future__ import annotations

import email.utils
import os
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit

from pydantic import Field

from paft.errors import ConfigError, ModelError, PaftError
from paft.files import fingerprint
from paft.model.completion import End, is_filtered, read_choice, refused_parameters, said
from paft.model.connection import Connection, DeadlineError, RedirectError
from paft.redaction import remember, strike
from paft.schema import Schema

if TYPE_CHECKING:
    import openai

OPENAI_URL = "https://api.openai.com/v1"
OPENAI_KEY = "OPENAI_API_KEY"
NO_KEY = "none"  # sent to servers without authentication, which want some key all the same
LONGEST_WAIT = 60.0  # seconds between two tries, unless the endpoint asks for more
PATIENCE = 600.0  # an endpoint that asks for a longer wait is left for another run
CHARACTERS_PER_TOKEN = 4  # rule of thumb, where an endpoint does not count
MOST_TOKENS = 10**8  # of one request; what says more cannot be believed
PASSING = (408, 409, 425, 429)  # client errors that another try may cure

Message = dict[str, str]  # role and content
Retried = Callable[[str, float], None]  # why, seconds to wait


class Patience(Schema):
    """How hard endpoints are tried.

    Attributes:
        concurrency: Requests in flight at once, over all endpoints.
        retries: Further tries after a failed request.
        retry_wait: Seconds before the first retry of a request; doubled each time.
        timeout: Seconds an endpoint may stay silent.
        deadline: Seconds a whole request may take, however it is filled.
    """

    concurrency: int = Field(default=4, ge=1)
    retries: int = Field(default=6, ge=0)
    retry_wait: float = Field(default=1.0, ge=0)
    timeout: float = Field(default=120.0, gt=0)
    deadline: float = Field(default=1800.0, gt=0)


@dataclass(frozen=True)
class Endpoint:
    """A model behind an HTTP address, and how it is asked.

    Attributes:
        title: What errors call it.
        model: Its id there.
        base_url: The address; OpenAI's own by default.
        api_key_env: Environment variable with the key; ``OPENAI_API_KEY`` for OpenAI's own address,
            none for another one.
        temperature: Sampling temperature, 0 for greedy.
        top_p: Share of probability sampled from; the endpoint's default where left out.
        max_tokens: Tokens of one reply at most.
        chat: Chat completions; else plain ones, of the messages' text alone.
        extra: Parameters beyond OpenAI's, and their values.
    """

    title: str
    model: str
    base_url: str | None = None
    api_key_env: str | None = None
    temperature: float = 0.0
    top_p: float | None = None
    max_tokens: int = 2048
    chat: bool = True
    extra: tuple[tuple[str, float], ...] = ()

    @property
    def url(self) -> str:
        return self.base_url or OPENAI_URL

    def key(self) -> str:
        """Return the key from the environment; errors name its variable, never its value."""
        variable = self.api_key_env or (OPENAI_KEY if self.base_url is None else None)
        if variable is None:
            return NO_KEY
        key = os.environ.get(variable, "").strip()
        if not key:
            raise ConfigError(
                f"{self.title} needs its key in the environment variable {variable}, which is "
                f"not set: export {variable}=..., or name another variable as `api_key_env`"
            )
        if not key.isascii() or not key.isprintable():
            raise ConfigError(f"the environment variable {variable} of {self.title} holds no key")
        remember(key)
        return key


def check_address(base_url: str | None, api_key_env: str | None) -> None:
    """Refuse an address that is none or holds a secret, and a key where its variable's name belongs."""
    if api_key_env is not None and not re.fullmatch(r"[A-Z_][A-Z0-9_]*", api_key_env):
        raise ValueError(
            "`api_key_env` must be the name of an environment variable (capitals, digits and _), "
            "such as OPENAI_API_KEY; never put a key itself in a file"
        )
    if base_url is None:
        return
    parts = urlsplit(base_url)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise ValueError("`base_url` must begin with http:// or https://")
    if "@" in parts.netloc or parts.query:
        raise ValueError("`base_url` must hold no password or query: name a key in `api_key_env`")
    try:
        named = bool(parts.hostname) and parts.port != 0
    except ValueError:  # urlsplit reads a port only when it is asked for
        named = False
    if not named:
        raise ValueError("`base_url` must name a host and, if any, a port from 1 to 65535")


@dataclass(frozen=True)
class Reply:
    """What a model wrote.

    Attributes:
        text: The reply, possibly empty.
        input_tokens: Tokens of the request, estimated from its length where nobody counted.
        output_tokens: Tokens of the reply, likewise.
        counted: Whether the endpoint counted both, in numbers that can be true.
        ended: How the reply ended: by itself, at the limit of tokens, or withheld by a filter.
        sampled: Whether the model takes no temperature, so that it is one of many possible replies.
    """

    text: str
    input_tokens: int
    output_tokens: int
    counted: bool = True
    ended: End = "stop"
    sampled: bool = False


class WithheldError(ModelError):
    """An endpoint's content filter refused this one request; others may be answered."""


class Client(Protocol):
    """What can be asked: an endpoint, or a model in this process."""

    def ask(self, messages: Sequence[Message], name: str, seed: int | None, retried: Retried) -> Reply:
        """Return the reply to ``messages``; a model that cannot be had is a :class:`ModelError`.

        ``name`` distinguishes this request from every other (and seeds the jitter); ``retried`` is called
        before each wait.
        """

    def close(self) -> None:
        """Free what the client holds."""


class _Passing(Exception):  # noqa: N818 - a signal between two methods, no error anybody sees
    """A failure that another try may cure."""

    def __init__(self, why: str, wait: float | None = None) -> None:
        super().__init__(why)
        self.why, self.wait = why, wait


class EndpointClient:
    """Asks an endpoint; several threads may share one."""

    def __init__(
        self, endpoint: Endpoint, settings: Patience, pause: Callable[[float], Any] = time.sleep
    ) -> None:
        """Prepare; nothing is sent.

        ``pause`` is called with the seconds to wait, and may raise to give up.
        """
        try:
            import openai
        except ImportError:
            raise PaftError("asking an endpoint needs the openai package: pip install 'paft[llm]'") from None
        self._endpoint, self._settings, self._pause = endpoint, settings, pause
        self._key = endpoint.key()
        self._limit_name = "max_tokens"
        self._left_out: set[str] = set()  # parameters that the endpoint was found to refuse
        self._openai = openai
        self._connection = Connection(endpoint.url, self._key, settings.timeout, settings.deadline)
        self._client = self._connection.client

    def ask(self, messages: Sequence[Message], name: str, seed: int | None, retried: Retried) -> Reply:
        why = ""
        for attempt in range(1 + self._settings.retries):
            try:
                return self._request(messages, seed)
            except _Passing as failure:
                why = failure.why
                wait = self._wait(failure, name, attempt)
            if wait > PATIENCE:
                raise self._failure(f"{why}, and it asks to wait {wait:.0f} s: run again after that")
            if attempt < self._settings.retries:
                retried(why, wait)
                self._pause(wait)
        tries = 1 + self._settings.retries
        raise self._failure(
            f"{why} ({tries} {'try' if tries == 1 else 'tries'}): run the same command again later, or raise "
            "`retries`"
        )

    def close(self) -> None:
        self._connection.close()

    def _wait(self, failure: _Passing, name: str, attempt: int) -> float:
        jitter = int(fingerprint([name, attempt])[:8], 16) / 2**32
        wait = min(LONGEST_WAIT, self._settings.retry_wait * 2.0**attempt) * (0.5 + jitter / 2)
        return max(wait, failure.wait or 0.0)

    def _request(self, messages: Sequence[Message], seed: int | None) -> Reply:
        """Send one request; a passing failure is raised as :class:`_Passing`."""
        options: dict[str, Any] = {
            "model": self._endpoint.model,
            "temperature": self._endpoint.temperature,
            "top_p": self._endpoint.top_p,
            self._limit_name: self._endpoint.max_tokens,
            "seed": seed,
        }
        extra = {key: value for key, value in self._endpoint.extra if key not in self._left_out}
        options = {k: v for k, v in options.items() if v is not None and k not in self._left_out}
        if extra:
            options["extra_body"] = extra
        try:
            completion = self._complete(messages, options)
        except RedirectError as elsewhere:
            raise self._failure(
                f"it redirects to {self._clean(str(elsewhere))}, another origin, which its key is not sent "
                "to: give that as `base_url` if you trust it"
            ) from None
        except DeadlineError:
            raise _Passing(f"the request did not end within {self._settings.deadline:g} s") from None
        except self._openai.APITimeoutError:
            raise _Passing(f"no answer within {self._settings.timeout:g} s") from None
        except self._openai.APIConnectionError as error:
            raise _Passing(f"the connection failed ({type(error.__cause__).__name__})") from None
        except self._openai.APIStatusError as error:
            if "max_tokens" in options and "max_completion_tokens" in said(error):
                self._limit_name = "max_completion_tokens"  # newer OpenAI models know only this name
                return self._request(messages, seed)
            refused = refused_parameters(error, {*options, *extra})
            if refused:
                self._left_out |= refused
                return self._request(messages, seed)
            raise self._status_error(error) from None
        except (self._openai.OpenAIError, ValueError, RecursionError):
            raise _Passing("its reply is not readable JSON") from None
        return replace(_reply(completion, messages), sampled="temperature" not in options)

    def _complete(self, messages: Sequence[Message], options: dict[str, Any]) -> Any:
        if self._endpoint.chat:
            chat: Any = self._client.chat.completions
            return self._connection.run(chat.create(messages=list(messages), **options))
        plain: Any = self._client.completions
        text = "".join(message["content"] for message in messages)
        return self._connection.run(plain.create(prompt=text, **options))

    def _status_error(self, error: openai.APIStatusError) -> Exception:
        """Return the exception for an HTTP error status."""
        status = error.status_code
        detail = self._clean(said(error))
        if is_filtered(error):
            return WithheldError(f"its content filter refused the request (HTTP status {status})")
        if error.code == "insufficient_quota":
            return self._failure("the account has no credit left (429): top it up, then run again")
        if status >= 500 or status in PASSING:
            return _Passing(f"HTTP status {status}", _retry_after(error.response.headers.get("retry-after")))
        if status in (401, 403):
            variable = self._endpoint.api_key_env or ("OPENAI_API_KEY" if self._key != NO_KEY else None)
            advice = (
                f"check the key in {variable}" if variable else "name its key's variable as `api_key_env`"
            )
            return self._failure(f"it refused the request (HTTP status {status}): {advice}")
        if status == 404:
            return self._failure(f"it does not know the model or address (404: {detail}): check both")
        return self._failure(f"it refused the request (HTTP status {status}: {detail})")

    def _clean(self, text: str) -> str:
        """Shorten a message of the endpoint to one line and strike keys out of it."""
        keys = [] if self._key == NO_KEY else [self._key]
        return " ".join(strike(text, keys).split())[:200]

    def _failure(self, what: str) -> ModelError:
        endpoint = self._endpoint
        return ModelError(
            f"{endpoint.title} (model {endpoint.model!r} at {endpoint.url}) cannot be used: {what}"
        )


def _reply(completion: Any, messages: Sequence[Message]) -> Reply:
    """Take the text and the token counts out of a completion of any shape."""
    try:
        text, ended = read_choice(completion.choices[0])
    except (AttributeError, LookupError, TypeError):
        raise _Passing("its reply has no `choices` with a text") from None
    text = strike(text)
    usage = getattr(completion, "usage", None)
    asked = sum(len(message["content"]) for message in messages)
    counts = _count(usage, "prompt_tokens", asked), _count(usage, "completion_tokens", len(text))
    sent, written = (estimate if count is None else count for count, estimate in counts)
    return Reply(text, sent, written, all(count is not None for count, _ in counts), ended)


def _count(usage: Any, key: str, characters: int) -> tuple[int | None, int]:
    """Return the endpoint's count, None where there is none that can be true, and our estimate."""
    value = getattr(usage, key, None)
    estimate = -(-characters // CHARACTERS_PER_TOKEN)
    # A boolean is a whole number to Python; no text of any length has no token.
    true = type(value) is int and min(characters, 1) <= value <= MOST_TOKENS
    return (value if true else None), estimate


def _retry_after(header: str | None) -> float | None:
    """Read the header ``Retry-After``: seconds or a date; None where there is none to read."""
    if header is None:
        return None
    try:
        return max(0.0, float(header))
    except ValueError:
        pass
    try:
        return max(0.0, email.utils.parsedate_to_datetime(header).timestamp() - time.time())
    except (TypeError, ValueError):
        return None
