"""What a generation brought: candidates and counts, read from the recorded replies alone.

Everything here is a pure function of the plan and the log's records, whatever happened in
between. A call brings its attempts' templates in order: repeats of its own once, and no more than
it was asked for, so that every model has its share of the bank. What is left out is counted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from paft.bank.generate.calls import Call
from paft.bank.generate.replies import candidates
from paft.bank.generate.request_log import Record

Records = Mapping[str, Sequence[Record]]  # replies by id of their call, in order of attempt


@dataclass(frozen=True)
class Tally:
    """What became of one generator's calls, all runs together.

    Attributes:
        asked: Templates asked for.
        candidates: Templates taken.
        left_out: Templates not taken: repeats within a call, and more than it was asked for.
        replies: Replies recorded.
        broken: Replies that alone held fewer templates than were asked for.
        input_tokens: Tokens of all requests.
        output_tokens: Tokens of all replies.
        cost: US dollars, by the prices in the generators file.
    """

    asked: int
    candidates: int
    left_out: int
    replies: int
    broken: int
    input_tokens: int
    output_tokens: int
    cost: float


@dataclass(frozen=True)
class Generated:
    """The outcome of a generation.

    Attributes:
        candidates: Template and provenance of each candidate, in the order of the plan.
        tallies: What became of each generator's calls, by its name.
        failures: Why a generator was given up, or a call of it, by its name; running again retries it.
        stopped: Which limit held a call back; empty if none did.
        complete: Whether every call of the plan is done.
    """

    candidates: list[tuple[str, dict[str, Any]]]
    tallies: dict[str, Tally]
    failures: dict[str, str]
    stopped: str
    complete: bool


def templates(reply: Record, call: Call) -> list[str]:
    """Templates in one reply, repeats included."""
    return candidates(reply.text, call.placeholders)


def done(call: Call, replies: Sequence[Record], retries: int) -> bool:
    """Whether a call brought what it was asked for, or was made ``1 + retries`` times."""
    return len(replies) > retries or len(_taken(call, replies)) >= call.count


def gather(calls: Sequence[Call], records: Records) -> list[tuple[str, dict[str, Any]]]:
    """Return template and provenance of each candidate, in the order of the calls."""
    return [
        (template, _provenance(call, reply))
        for call in calls
        for template, reply in _taken(call, records.get(call.id, ())).items()
    ]


def tally(calls: Sequence[Call], records: Records) -> dict[str, Tally]:
    """Count, by generator, what became of its calls."""
    names = dict.fromkeys(call.generator.name for call in calls)
    return {name: _tally([c for c in calls if c.generator.name == name], records) for name in names}


def _tally(calls: Sequence[Call], records: Records) -> Tally:
    replies = [(call, reply) for call in calls for reply in records.get(call.id, ())]
    found = [(call, templates(reply, call)) for call, reply in replies]
    taken = sum(len(_taken(call, records.get(call.id, ()))) for call in calls)
    tokens = sum(r.input_tokens for _, r in replies), sum(r.output_tokens for _, r in replies)
    return Tally(
        asked=sum(call.count for call in calls),
        candidates=taken,
        left_out=sum(len(texts) for _, texts in found) - taken,
        replies=len(replies),
        broken=sum(len(set(texts)) < call.count for call, texts in found),
        input_tokens=tokens[0],
        output_tokens=tokens[1],
        cost=calls[0].generator.cost(*tokens),
    )


def _taken(call: Call, replies: Sequence[Record]) -> dict[str, Record]:
    """The templates a call brings, each with the reply it came in first."""
    first: dict[str, Record] = {}
    for reply in replies:
        for template in templates(reply, call):
            if len(first) < call.count:
                first.setdefault(template, reply)
    return first


def _provenance(call: Call, reply: Record) -> dict[str, Any]:
    named = {name: getattr(reply, name) for name in ("generator", "model", "strategy", "style")}
    used = {key: value for key, value in reply.parameters.items() if value is not None}
    return {
        "source": "generated", **named, "call": call.id, "attempt": reply.attempt, "date": reply.date, **used
    }  # fmt: skip
