"""Plans of batches: every request once, within the limits, and sharing only where it saves enough."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paft.evaluate.scoring.batch_plan import Limits, Request, plan_batches, share_beginnings, shared_beginning

token_lists = st.lists(st.integers(1, 3), min_size=1, max_size=30).map(tuple)
option_sets = st.lists(st.lists(st.integers(1, 9), min_size=1, max_size=4).map(tuple), min_size=1, max_size=3)
requests_of_prompts = st.lists(
    st.tuples(st.integers(0, 3), token_lists, option_sets.map(tuple)), min_size=1, max_size=40
)


def inner(request: Request) -> int:
    return sum(len(option) - 1 for option in request.options)


def planned(drawn, limits: Limits, **keys):
    starts = {prompt: tuple(range(10, 10 + 6 * prompt)) for prompt in range(4)}
    requests = [Request(starts[prompt] + context, options) for prompt, context, options in drawn]
    shared = share_beginnings(requests, [str(prompt) for prompt, _, _ in drawn])
    distinct = list(dict.fromkeys(shared))
    return distinct, plan_batches(distinct, inner, limits, **keys)


def cost(plan) -> int:
    """Tokens of a plan, by hand."""
    total, beginnings = 0, set()
    for batch in plan.batches:
        own = [len(r.context) - (r.shared if plan.sharing else 0) for r in batch]
        total += len(batch) * (max(own) + max(map(inner, batch)))
        beginnings.add(batch[0].prefix)
    return total + (sum(map(len, beginnings)) if plan.sharing else 0)


@given(requests_of_prompts, st.integers(1, 200), st.integers(100, 5000))
@settings(deadline=None, max_examples=60)
def test_every_request_is_in_one_batch_within_the_limits(drawn, tokens, logits):
    limits = Limits(tokens, logits, vocabulary=50)
    requests, plan = planned(drawn, limits)
    assert Counter(r for batch in plan.batches for r in batch) == Counter(requests)
    for batch in plan.batches:
        own = max(len(r.context) - (r.shared if plan.sharing else 0) for r in batch)
        wide = max(map(inner, batch))
        assert len(batch) == 1 or len(batch) * (own + wide) <= tokens
        assert len(batch) == 1 or len(batch) * (wide + 1) * 50 <= logits
        assert not plan.sharing or len({r.prefix for r in batch}) == 1
    assert plan.tokens == cost(plan)


@given(requests_of_prompts, st.integers(30, 300))
@settings(deadline=None, max_examples=40)
def test_sharing_is_taken_only_where_it_saves_a_tenth(drawn, tokens):
    limits = Limits(tokens, 10**6, vocabulary=50)
    _, free = planned(drawn, limits)
    _, without = planned(drawn, limits, may_share=False)
    assert not without.sharing
    assert free.tokens <= (0.9 * without.tokens if free.sharing else without.tokens)


def test_a_long_instruction_is_shared_and_a_short_one_is_not():
    limits = Limits(1000, 10**6, vocabulary=50)
    for length, expected in ((40, True), (1, False)):
        contexts = [(*range(length), 100 + tail, *range(30)) for tail in range(20)]
        requests = share_beginnings([Request(context, ((1,),)) for context in contexts], ["p"] * 20)
        assert {r.shared for r in requests} == {length}
        assert plan_batches(requests, inner, limits).sharing is expected


def test_requests_with_the_same_options_stay_together_if_that_saves_padding():
    sets = (((1,),), ((1, 2, 3, 4, 5, 6, 7, 8, 9),))
    # All are eleven tokens long, one half of them in the context, the other behind it.
    requests = [Request((i,) * (11, 3)[i % 2], sets[i % 2]) for i in range(20)]
    plan = plan_batches(requests, inner, Limits(60, 10**6, 50))
    assert all(len({r.options for r in batch}) == 1 for batch in plan.batches)
    assert plan.tokens == 20 * 11


def test_a_context_whose_beginning_was_cut_shares_nothing_and_spoils_nothing():
    requests = [Request((1, 2, 3, tail), ((5,),)) for tail in (7, 8, 9)] + [Request((3, 4), ((5,),))]
    assert [r.shared for r in share_beginnings(requests, ["p", "p", "p", None])] == [3, 3, 3, 0]
    assert [r.shared for r in share_beginnings(requests, ["p"] * 4)] == [0, 0, 0, 0]


@given(st.lists(token_lists, max_size=6))
@settings(deadline=None, max_examples=60)
def test_a_shared_beginning_is_the_longest_that_leaves_a_token_to_each(contexts):
    length = shared_beginning(contexts)
    if len(contexts) < 2:
        assert length == 0
        return
    assert len({context[:length] for context in contexts}) == 1
    shortest = min(map(len, contexts))
    assert length == shortest - 1 or len({context[: length + 1] for context in contexts}) > 1


def test_requests_that_differ_in_what_they_share_are_the_same_request():
    one, other = Request((1, 2), ((3,),), shared=1), Request((1, 2), ((3,),))
    assert one == other and len({one, other}) == 1
    with pytest.raises(AttributeError):
        one.shared = 0
