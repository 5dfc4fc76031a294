"""The plan: which calls are made, alike each time, and what they are estimated to cost."""

from paft.bank.generate.calls import dry_run, plan
from paft.bank.generate.generators import Generators
from paft.bank.generate.meta_prompts import STYLES


def file_for(models, own=None, **settings):
    """A generators file that asks each model for 2 x 6 prompts, 3 a call."""
    listed = [{"name": name, "model": name, "seed": 5, **(own or {}).get(name, {})} for name in models]
    numbers = {"few_shot": 6, "zero_shot": 6, "per_call": 3, **settings}
    return Generators.model_validate({"generators": listed, **numbers})


def test_a_plan_covers_what_is_wanted_with_the_papers_numbers_by_default(task):
    generators = Generators.model_validate({"generators": [{"name": "a", "model": "m"}]})
    calls = plan(task, generators)
    assert [call.id for call in calls] == ["a/few-shot/0", "a/few-shot/1", "a/zero-shot/0", "a/zero-shot/1"]
    assert [call.count for call in calls] == [10] * 4
    assert task.prompts[0].template in calls[0].messages[0]["content"]
    assert task.prompts[0].template not in calls[2].messages[0]["content"]


def test_what_is_left_over_makes_a_smaller_last_call(task):
    calls = plan(task, file_for(["a"], few_shot=7, zero_shot=0))
    assert [call.count for call in calls] == [3, 3, 1]
    assert "exactly 1 templates" in calls[-1].messages[0]["content"]


def test_ten_models_meet_all_styles_and_no_request_is_made_twice(task):
    generators = Generators.model_validate(
        {"generators": [{"name": f"m{i}", "model": "m"} for i in range(10)]}
    )
    calls = plan(task, generators)
    assert {call.style for call in calls} == {style.name for style in STYLES}
    assert all(len({call.style for call in calls[i : i + 4]}) == 4 for i in range(0, 40, 4))


def test_a_generator_more_and_prompts_more_leave_the_other_calls_alone(task):
    before = {call.id: call for call in plan(task, file_for(["a", "b"]))}
    after = {call.id: call for call in plan(task, file_for(["a", "b", "c"], few_shot=9))}
    assert before.items() <= after.items()


def test_every_call_and_attempt_has_its_own_seed_if_any(task):
    calls = plan(task, file_for(["a", "b"]))
    assert len({call.seed(attempt) for call in calls for attempt in (1, 2)}) == 2 * len(calls)
    assert plan(task, file_for(["a"], own={"a": {"seed": None}}))[0].seed(1) is None


def test_a_dry_run_shows_the_calls_the_words_and_estimates(task):
    priced = {"m0": {"price_input": 1000, "price_output": 1000}}
    text = dry_run(task, file_for(["m0", "m1"], own=priced))
    assert text.startswith("8 calls for 24 prompts of task 'desk'")
    assert "m1 (m1): 4 calls, 12 prompts, about" in text
    assert "no price given" in text
    assert "estimates" in text
    assert "m0/zero-shot/1: 3 prompts, style" in text
    for strategy in ("few-shot", "zero-shot"):
        assert f"----- meta-prompt of m0/{strategy}/0\n" in text
