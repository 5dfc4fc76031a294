"""Stage 1, the ensemble: several language models write prompts for a task, by two strategies.

Every missing call of the plan is made, several at once; each reply goes to the log the moment
it arrives; in the end the candidates are read from the log alone, in the order of the plan. So
neither the order of arrival nor a ``kill -9`` nor a resume changes the result, and no recorded
reply is ever paid for twice. A reply with fewer templates than asked for is kept and asked for
again, as the next attempt of its call.

The candidates are what models wrote: :mod:`paft.bank.screen` decides which of them are prompts.
"""

from __future__ import annotations

import datetime
import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from paft.bank.generate.calls import Call, plan
from paft.bank.generate.generators import Generators
from paft.bank.generate.local import LocalClient, open_client
from paft.bank.generate.meta_prompts import instructions_fingerprint
from paft.bank.generate.outcome import Generated, done, gather, tally, templates
from paft.bank.generate.request_log import Record, RequestLog, request_log_path
from paft.errors import ConfigError, ModelError, ResumeError
from paft.files import fingerprint
from paft.model.endpoint import Client, Reply, WithheldError
from paft.task.task import Task


class Reporter:
    """Hears what happens, one event at a time; this one ignores it."""

    def called(self, generator: str, candidates: int, tokens: int) -> None:
        """A reply was recorded: templates found in it, tokens it took."""

    def retried(self, generator: str, why: str, wait: float) -> None:
        """A request failed and is sent again after ``wait`` seconds."""

    def failed(self, generator: str, why: str) -> None:
        """A generator is given up for this run, or one call of it that a content filter refuses."""


def generate(
    task: Task,
    generators: Generators,
    output: str | Path,
    *,
    reporter: Reporter | None = None,
    max_tokens_total: int | None = None,
    max_cost: float | None = None,
) -> Generated:
    """Let every generator write its prompts; go on where an earlier run stopped.

    Args:
        task: What prompts are wanted for.
        generators: Who writes them.
        output: The bank to be; only its log, beside it, is written here.
        reporter: Hears of replies, retries and failures.
        max_tokens_total: No call starts once so many tokens are used, earlier runs included. A reply
            whose tokens the endpoint does not count, or in numbers that cannot be true, counts as the
            most it can have.
        max_cost: The same in US dollars. Calls in flight at that moment still end, and count.

    Raises:
        ConfigError: If a key is missing, or ``max_cost`` is given without any price.
        ResumeError: If the log belongs to other inputs.
    """
    calls = plan(task, generators)
    if max_cost is not None and not any(g.price_input or g.price_output for g in generators.generators):
        raise ConfigError(
            "a limit of cost needs prices: give `price_input` and `price_output` (US dollars per million "
            "tokens) in the generators file"
        )
    # What the meta-prompts take from a task; its data and thresholds are no part of it.
    shown = task.model_dump(mode="json", include={"name", "description", "fields", "answer", "prompt"})
    header = {"task": fingerprint(shown), "instructions": instructions_fingerprint()}
    with RequestLog(request_log_path(output), header) as log:
        run = _Run(calls, generators, log, reporter or Reporter(), max_tokens_total, max_cost)
        run.make_missing_calls()
        return run.outcome()


class _Stopped(Exception):  # noqa: N818 - ends a wait, nobody sees it
    """The run is being given up."""


@dataclass
class _Run:
    """Makes the calls that the log lacks. The lock guards all that the threads share."""

    calls: Sequence[Call]
    settings: Generators
    log: RequestLog
    reporter: Reporter
    max_tokens: int | None
    max_cost: float | None
    records: dict[str, list[Record]] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    given_up: set[str] = field(default_factory=set)
    stopped: str = ""
    tokens: int = 0
    cost: float = 0.0
    uncounted: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)
    giving_up: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        planned = {call.id: call for call in self.calls}
        # A generator that is gone comes first: it also changes what the ones behind it are asked.
        for record in sorted(self.log.records, key=lambda record: record.call in planned):
            _check_belongs(record, planned.get(record.call), self.log.path)
            self._count(record, planned[record.call])

    def make_missing_calls(self) -> None:
        missing = [call for call in self.calls if not self._done(call)]
        clients: dict[str, Client] = {}
        try:
            for generator in {call.generator.name: call.generator for call in missing}.values():
                clients[generator.name] = open_client(generator, self.settings, self._pause)
            # Endpoints side by side; local models one after the other, beside them.
            with ThreadPoolExecutor(self.settings.concurrency) as pool, ThreadPoolExecutor(1) as local:
                futures = [
                    pool.submit(self._make, clients[call.generator.name], [call])
                    for call in sorted(missing, key=lambda call: call.number)  # no endpoint waits for another
                    if not call.generator.local
                ]
                futures += [
                    local.submit(self._make, client, [c for c in missing if c.generator.name == name])
                    for name, client in clients.items()
                    if isinstance(client, LocalClient)
                ]
                self._wait_for(futures)
        finally:
            for client in clients.values():
                client.close()

    def _wait_for(self, futures: Sequence[Future[None]]) -> None:
        """Wait for all; on the first error (or Ctrl-C) start nothing more and let the error out."""
        try:
            for future in as_completed(futures):
                future.result()
        except BaseException:
            self.giving_up.set()
            for future in futures:
                future.cancel()
            raise

    def _make(self, client: Client, calls: Sequence[Call]) -> None:
        """Make attempts at the calls of one generator until they are done or must not go on."""
        name = calls[0].generator.name
        try:
            for call in calls:
                while not self._done(call) and self._may_start(call):
                    attempt = len(self.records.get(call.id, ())) + 1
                    request = f"{call.id}/{attempt}"
                    reply = client.ask(
                        call.messages, request, call.seed(attempt), partial(self._retried, name)
                    )
                    self._record(call, attempt, reply)
        except ModelError as error:
            with self.lock:
                if not isinstance(error, WithheldError):
                    self.given_up.add(name)
                if name not in self.failures:
                    self.failures[name] = str(error)
                    self.reporter.failed(name, str(error))
        except _Stopped:
            pass
        finally:
            if isinstance(client, LocalClient):
                client.close()  # two models need not fit into memory together

    def _record(self, call: Call, attempt: int, reply: Reply) -> None:
        record = Record(
            call=call.id,
            attempt=attempt,
            request=call.request,
            generator=call.generator.name,
            model=call.generator.model,
            strategy=call.strategy,
            style=call.style,
            date=datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
            parameters=call.generator.parameters,
            text=reply.text,
            input_tokens=reply.input_tokens,
            output_tokens=reply.output_tokens,
            counted=reply.counted,
        )
        found = len(templates(record, call))
        with self.lock:
            self.log.append(record)
            self._count(record, call)
            self.reporter.called(record.generator, found, record.input_tokens + record.output_tokens)

    def _count(self, record: Record, call: Call) -> None:
        self.records.setdefault(record.call, []).append(record)
        sent, written = record.input_tokens, record.output_tokens
        if not record.counted:  # a limit must hold whatever the endpoint says, or does not
            sent, written = call.most_tokens(record.text)
            self.uncounted += 1
        self.tokens += sent + written
        self.cost += call.generator.cost(sent, written)

    def _retried(self, name: str, why: str, wait: float) -> None:
        with self.lock:
            self.reporter.retried(name, why, wait)

    def _pause(self, seconds: float) -> None:
        if self.giving_up.wait(seconds):
            raise _Stopped

    def _may_start(self, call: Call) -> bool:
        """Whether a request may be sent; a limit that forbids it is noted."""
        with self.lock:
            if self.giving_up.is_set() or call.generator.name in self.given_up:
                return False
            if self.max_tokens is not None and self.tokens >= self.max_tokens:
                self.stopped = f"the limit of {self.max_tokens} tokens is reached ({self.tokens} used)"
            elif self.max_cost is not None and self.cost >= self.max_cost:
                self.stopped = f"the limit of {self.max_cost:g} US dollars is reached ({self.cost:.4f} spent)"
            else:
                return True
            if self.uncounted:
                self.stopped += f", {self.uncounted} replies without a count taken for the most they can be"
            self.stopped += ": run the same command with a higher limit to go on"
            return False

    def _done(self, call: Call) -> bool:
        return done(call, self.records.get(call.id, ()), self.settings.retries)

    def outcome(self) -> Generated:
        return Generated(
            candidates=gather(self.calls, self.records),
            tallies=tally(self.calls, self.records),
            failures=dict(self.failures),
            stopped=self.stopped,
            complete=all(map(self._done, self.calls)),
        )


def _check_belongs(record: Record, call: Call | None, path: Path) -> None:
    """Refuse a reply to another request than the planned one, naming what changed."""
    if call is None:
        what = f"holds a reply to {record.call}, which the generators file no longer asks for"
    elif record.request == call.request:
        return
    elif record.model != call.generator.model:
        what = f"asked model {record.model!r} as {record.generator!r}, not {call.generator.model!r}"
    elif record.parameters != call.generator.parameters:
        new = call.generator.parameters
        key = next(key for key in new if record.parameters.get(key) != new[key])
        what = f"asked {record.generator!r} with {key} {record.parameters.get(key)}, not {new[key]}"
    else:
        what = (
            f"asked {record.call} in other words: its style was {record.style!r} and is {call.style!r}, or "
            "the number of prompts per call changed"
        )
    raise ResumeError(f"{path} {what}. Restore the generators file, or choose another output")
