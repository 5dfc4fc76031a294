"""A model behind an OpenAI-compatible server, scored by what it writes.

A server gives no likelihood of a given answer, so closed tasks (``choice``, ``label``) are judged by
generation too: :func:`paft.task.replies.extract.extract_option` reads the option out of the reply, and a
reply that names none or several counts as wrong and as not parsed. Such figures are not comparable
with those by likelihood, so how a run was judged is part of its identity and its results.

Requests run side by side. Each reply goes to the log the moment it arrives: a crash, a kill or a
server that fails for good loses nothing but the requests in flight, and no recorded reply is asked
for again. A cell that cannot be had ends the run with its name; it is never counted as wrong. Only a
content filter's no is an answer: the cell is not parsed and counted, and the run goes on.

Requests ask for plain greedy decoding: temperature 0 and, of servers other than OpenAI's, which may
take it from the checkpoint's generation settings, no repetition penalty. A parameter that a model
refuses is left out from then on.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor, as_completed
from contextlib import closing
from dataclasses import dataclass

from pydantic import Field, model_validator

from paft.errors import DataError, ModelError
from paft.evaluate.log import EvaluationLog, Results
from paft.files import fingerprint
from paft.model.completion import End
from paft.model.endpoint import (
    Client,
    Endpoint,
    EndpointClient,
    Message,
    Patience,
    Reply,
    WithheldError,
    check_address,
)
from paft.model.reply import Generated


class Server(Patience):
    """Section ``server``: where the evaluated model is and how it is asked.

    Attributes:
        base_url: The server's address (``http://localhost:8000/v1``); OpenAI's own by default.
        api_key_env: Environment variable with the key; ``OPENAI_API_KEY`` for OpenAI's own address,
            none for another one.
        completions: Plain completions of the rendered prompt instead of chat completions with it as
            the user's message.
        max_tokens: Tokens of a reply at most (models that think aloud need many); by default the
            task's ``answer.max_tokens``.
    """

    base_url: str | None = None
    api_key_env: str | None = None
    completions: bool = False
    max_tokens: int | None = Field(default=None, ge=1)
    concurrency: int = Field(default=8, ge=1)

    # On the whole model: errors then show no value, which may be a key in the wrong place.
    @model_validator(mode="after")
    def _check(self) -> Server:
        check_address(self.base_url, self.api_key_env)
        return self


class _Stopped(Exception):  # noqa: N818 - ends a wait, nobody sees it
    """The run is being given up."""


@dataclass(frozen=True)
class ServedModel:
    """A model that can only be asked.

    Attributes:
        name: Its id at the server.
        server: Where it is.
        system: The system message before every prompt, if any.
    """

    name: str
    server: Server
    system: str | None = None

    def endpoint(self, max_tokens: int) -> Endpoint:
        """Return how it is asked: greedily, for so many tokens at most."""
        return Endpoint(
            title="the evaluated model",
            model=self.name,
            base_url=self.server.base_url,
            api_key_env=self.server.api_key_env,
            max_tokens=self.server.max_tokens or max_tokens,
            chat=not self.server.completions,
            extra=() if self.server.base_url is None else (("repetition_penalty", 1.0),),
        )

    def check(self) -> None:
        """Make sure, before anything is written or sent, that it can be asked.

        Raises:
            ConfigError: If the key's environment variable is not set.
            PaftError: If the package ``openai`` is not installed.
        """
        EndpointClient(self.endpoint(1), self.server).close()

    def messages(self, rendered: str) -> list[Message]:
        """Return the messages for a rendered prompt."""
        system = [] if self.system is None else [{"role": "system", "content": self.system}]
        return [*system, {"role": "user", "content": rendered}]

    def replies(
        self,
        rendered: Sequence[str],
        cells: Sequence[str],
        *,
        max_tokens: int,
        on_cells: Callable[[int], None] | None = None,
        log: EvaluationLog | None = None,
    ) -> list[Reply]:
        """Return the reply to every rendered prompt; identical ones are asked once.

        ``cells`` is what errors call each of them; ``max_tokens`` is the most tokens of a reply where the
        server's settings do not say.

        Raises:
            ModelError: If a reply cannot be had after all retries; its cell is named.
            DataError: If the log holds what is no reply.
        """
        places: dict[str, list[int]] = {}
        for i, text in enumerate(rendered):
            places.setdefault(text, []).append(i)
        texts = list(places)
        found: dict[int, Results] = {} if log is None else log.results
        if log is not None:
            log.begin(fingerprint([self.name, self.system, max_tokens, texts]))

        def tell(number: int) -> None:
            if on_cells:
                on_cells(len(places[texts[number]]))

        def keep(number: int, reply: Reply) -> None:
            results = [[reply.text, reply.input_tokens, reply.output_tokens, reply.ended, reply.sampled]]
            if log is None:
                found[number] = results
            else:
                log.append(number, results)
            tell(number)

        for number in found:
            tell(number)
        missing = {n: (cells[places[text][0]], text) for n, text in enumerate(texts) if n not in found}
        if missing:
            self._ask_all(missing, max_tokens, keep)
        try:
            replies = {text: _recorded(*found[number][0]) for number, text in enumerate(texts)}
        except TypeError:
            where = "what was recorded" if log is None else str(log.path)
            raise DataError(f"{where} holds a row that is no reply: remove the file") from None
        return [replies[text] for text in rendered]

    def _ask_all(
        self, missing: dict[int, tuple[str, str]], max_tokens: int, keep: Callable[[int, Reply], None]
    ) -> None:
        """Ask for name and text by number; after a failure only what is in flight is kept still."""
        stopping = threading.Event()

        def pause(seconds: float) -> None:
            if stopping.wait(seconds):
                raise _Stopped

        client = EndpointClient(self.endpoint(max_tokens), self.server, pause)
        failure: ModelError | None = None
        with closing(client), ThreadPoolExecutor(self.server.concurrency) as pool:
            futures = {pool.submit(self._ask, client, *asked): n for n, asked in missing.items()}
            try:
                for future in as_completed(futures):
                    try:
                        keep(futures[future], future.result())
                    except (_Stopped, CancelledError):
                        continue
                    except ModelError as error:
                        failure = failure or ModelError(f"{missing[futures[future]][0]}: {error}")
                        _stop(stopping, futures)
            finally:  # also after Ctrl-C or a full disk
                _stop(stopping, futures)
        if failure is not None:
            raise failure

    def _ask(self, client: Client, name: str, text: str) -> Reply:
        try:
            return client.ask(self.messages(text), name, None, lambda why, wait: None)
        except WithheldError:
            return Reply("", 0, 0, ended="withheld")


def as_generated(reply: Reply) -> Generated:
    """Return a reply as what a model generated."""
    cut, withheld = reply.ended == "length", reply.ended == "withheld"
    return Generated(reply.text, reply.output_tokens, cut, withheld, reply.sampled)


def _recorded(text: str, sent: int, written: int, ended: End, sampled: bool) -> Reply:
    """Return a reply from its row in a log."""
    return Reply(text, sent, written, ended=ended, sampled=sampled)


def _stop(stopping: threading.Event, futures: dict[Future[Reply], int]) -> None:
    stopping.set()
    for future in futures:
        future.cancel()
