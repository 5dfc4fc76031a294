"""Which requests are scored together, in what order, and what is computed once for many of them.

A request is a context (a rendered prompt) and the options that may follow it, all as token ids. A
batch is padded to its longest context and its largest option tree, within a budget of tokens. Three
ways to line requests up are planned, and the one is taken whose batches hold the fewest tokens,
padding counted:

=========  ===================================================================================
by length  all requests by the length of context and options
by option  requests with the same options next to each other: no padding behind the contexts
by prompt  requests of a prompt next to each other; the tokens all of them begin with (its
           instruction, a system turn) are run once and their keys and values shared
=========  ===================================================================================

Copying shared keys and values costs time too: where sharing leaves 98 % of the tokens, all of the time
was measured, 95 % at 90 %, and 79 % at 76 % (``benchmarks/prefix_sharing.json``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

Tokens = tuple[int, ...]
Options = tuple[Tokens, ...]
SHARING_GATE = 0.9  # share beginnings only where this part of the other plan's tokens suffices


@dataclass(frozen=True)
class Request:
    """A context and the options that may follow it.

    Attributes:
        context: Token ids, at least one.
        options: Token ids of each option, at least one each.
        shared: How many leading tokens other requests of the same prompt have too; fewer than
            ``context`` has.
    """

    context: Tokens
    options: Options
    shared: int = field(default=0, compare=False)

    @property
    def prefix(self) -> Tokens:
        """The leading tokens that others have too."""
        return self.context[: self.shared]


def close_options(options: Sequence[Tokens], end: int) -> tuple[Tokens, ...]:
    """Append ``end`` to every option if one of them begins with another, else leave all as they are.

    The shorter of "card" and "card arrival" could otherwise never lose.
    """
    ordered = sorted(options)
    overlap = any(b[: len(a)] == a for a, b in pairwise(ordered))
    return tuple((*option, end) for option in options) if overlap else tuple(options)


Behind = Callable[[Request], int]


@dataclass(frozen=True)
class Limits:
    """What a batch may hold.

    Attributes:
        tokens: Tokens run at once, padding counted, unless a single request has more.
        logits: Logits in memory at once, likewise.
        vocabulary: Logits per token.
    """

    tokens: int
    logits: int
    vocabulary: int

    def rows(self, context: int, behind: int) -> int:
        """How many requests fit that have at most so many tokens of context and behind it."""
        return max(1, min(self.tokens // (context + behind), self.logits // ((behind + 1) * self.vocabulary)))


@dataclass(frozen=True)
class Plan:
    """Batches of requests.

    Attributes:
        batches: The requests of each batch.
        sharing: Whether all requests of a batch have the same prefix, which is run once.
        tokens: Tokens run for all batches, padding counted.
    """

    batches: list[list[Request]]
    sharing: bool
    tokens: int


def plan_batches(
    requests: Sequence[Request], behind: Behind, limits: Limits, *, may_share: bool = True
) -> Plan:
    """Return the plan that runs the fewest tokens.

    Args:
        requests: Distinct requests.
        behind: How many tokens are run for a request besides those of its context.
        limits: What a batch may hold.
        may_share: Whether the model can run a context behind keys and values of its beginning.
    """

    def size(request: Request) -> int:
        return len(request.context) + behind(request)

    numbers: dict[Options, int] = {}
    for request in requests:
        numbers.setdefault(request.options, len(numbers))
    # The longest come first, so that what does not fit into memory shows at once.
    by_length = sorted(requests, key=size, reverse=True)
    by_option = sorted(requests, key=lambda r: (-behind(r), numbers[r.options], -len(r.context)))
    best = min((_fill(ordered, behind, limits) for ordered in (by_length, by_option)), key=lambda p: p.tokens)
    if not may_share or not any(request.shared for request in requests):
        return best
    sharing = _fill_by_prompt(by_length, behind, limits)
    return sharing if sharing.tokens <= SHARING_GATE * best.tokens else best


def _fill(requests: Sequence[Request], behind: Behind, limits: Limits, prefix: int = 0) -> Plan:
    """Cut ordered requests into batches; ``prefix`` leading tokens of each need no running."""
    batches: list[list[Request]] = []
    tokens = longest = widest = 0
    for request in requests:
        own = len(request.context) - prefix
        longer, wider = max(longest, own), max(widest, behind(request))
        if not batches or len(batches[-1]) >= limits.rows(longer, wider):
            tokens += len(batches[-1]) * (longest + widest) if batches else 0
            batches.append([])
            longer, wider = own, behind(request)
        batches[-1].append(request)
        longest, widest = longer, wider
    tokens += len(batches[-1]) * (longest + widest) if batches else 0
    return Plan(batches, False, tokens)


def _fill_by_prompt(requests: Sequence[Request], behind: Behind, limits: Limits) -> Plan:
    groups: dict[Tokens, list[Request]] = {}
    for request in requests:
        groups.setdefault(request.prefix, []).append(request)
    batches: list[list[Request]] = []
    tokens = 0
    for prefix, members in groups.items():
        plan = _fill(members, behind, limits, len(prefix))
        batches += plan.batches
        tokens += plan.tokens + len(prefix)
    return Plan(batches, True, tokens)


def share_beginnings(requests: Sequence[Request], prompts: Sequence[str | None]) -> list[Request]:
    """Note in each request how many leading tokens all contexts of its prompt have.

    Args:
        requests: Requests.
        prompts: Whose each request is; None for one that shares nothing, its beginning having
            been cut off.
    """
    contexts: dict[str | None, list[Tokens]] = {}
    for request, prompt in zip(requests, prompts, strict=True):
        contexts.setdefault(prompt, []).append(request.context)
    shared = {prompt: shared_beginning(group) for prompt, group in contexts.items()} | {None: 0}
    return [
        replace(request, shared=shared[prompt]) for request, prompt in zip(requests, prompts, strict=True)
    ]


def shared_beginning(contexts: Sequence[Tokens]) -> int:
    """Return how many leading tokens all contexts share, leaving each at least one of its own.

    >>> shared_beginning([(1, 2, 3), (1, 2, 4, 5), (1, 2)])
    1
    """
    if len(contexts) < 2:
        return 0
    first, last = min(contexts), max(contexts)  # those between share what these two do
    limit = min(len(context) for context in contexts) - 1
    count = 0
    while count < limit and first[count] == last[count]:
        count += 1
    return count
