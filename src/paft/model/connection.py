"""The connection to one provider: its key goes to it alone, and no request lasts for ever.

The package ``openai`` takes organisation, project and further headers from the environment and
sends them wherever it is pointed; it also follows redirects. Here every request that leaves passes
a guard: one to another origin than the provider's is refused, and one to a provider that is not
OpenAI carries no header beyond those every provider is meant to see. A server that sends a byte now
and then never meets a timeout of silence, so a request also has a deadline.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    import openai

PLAIN_HEADERS = {"accept", "accept-encoding", "connection", "host", "user-agent"}
PLAIN_HEADERS |= {"content-length", "content-type", "transfer-encoding"}
PORTS = {"http": 80, "https": 443}


class RedirectError(Exception):
    """A server sends its visitors to another origin, which the key is not meant for."""


class DeadlineError(Exception):
    """A request did not end in time."""


class Connection:
    """A client of the package ``openai``, run by an event loop in a thread of its own.

    Only a coroutine can be given up at a deadline, whatever it waits for. Several threads may share
    a connection.

    Attributes:
        client: The client.
    """

    def __init__(self, url: str, key: str, timeout: float, deadline: float) -> None:
        """Prepare; nothing is sent. See :class:`paft.model.endpoint.Patience` for both limits, in seconds."""
        import openai

        guard = _guard(url, key)
        # Explicit address and key: the package would else take both from the environment.
        self.client: openai.AsyncOpenAI = openai.AsyncOpenAI(
            api_key=key,
            base_url=url,
            timeout=timeout,
            max_retries=0,
            http_client=openai.DefaultAsyncHttpxClient(event_hooks={"request": [guard]}),
        )
        self._deadline = deadline
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="paft-connection", daemon=True)
        self._thread.start()

    def run(self, request: Coroutine[Any, Any, Any]) -> Any:
        """Return what a request brings, or raise :class:`DeadlineError` or :class:`RedirectError`."""
        try:
            return self._wait(asyncio.wait_for(request, self._deadline))
        except asyncio.TimeoutError:
            raise DeadlineError from None
        except Exception as error:
            if isinstance(error.__cause__, RedirectError):
                raise error.__cause__ from None
            raise

    def close(self) -> None:
        """Close the connections and end the thread."""
        if self._loop.is_closed():
            return
        self._wait(self.client.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _wait(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()


def is_openai(url: str) -> bool:
    """Whether an address is one of OpenAI's own.

    >>> is_openai("https://eu.api.openai.com/v1"), is_openai("https://api.openai.com.evil.org")
    (True, False)
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    return parts.scheme == "https" and (host == "api.openai.com" or host.endswith(".api.openai.com"))


def _guard(url: str, key: str) -> Callable[[Any], Coroutine[Any, Any, None]]:
    """Return what looks at every request before it leaves, redirected ones included."""
    home, own = _origin(url), is_openai(url)

    async def guard(request: Any) -> None:
        if _origin(str(request.url)) != home:
            scheme, host, port = _origin(str(request.url))
            raise RedirectError(f"{scheme}://{host}:{port}")
        if own:
            return
        for name in list(request.headers):
            if name.lower() not in PLAIN_HEADERS and not name.lower().startswith("x-stainless-"):
                del request.headers[name]
        request.headers["Authorization"] = f"Bearer {key}"

    return guard


def _origin(url: str) -> tuple[str, str, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname or "", parts.port or PORTS.get(parts.scheme)
