"""Whatever stands in a row, it becomes an example or one line that names the row."""

import datetime
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from paft.errors import SCREEN, DataError
from paft.task.replies.extract import cell_score, extract
from paft.task.task import Task

SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=12), st.binary(max_size=4),
    st.decimals(), st.dates(), st.datetimes(), st.just(datetime.timedelta(1)), st.just(Decimal("1e9999")),
    st.sampled_from(["A", "B", "1", "0", "1/2", "-1", "\n", "{}", "#### 1"]),
)  # fmt: skip
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)
ROWS = st.fixed_dictionaries(
    {"text": SCALARS, "answer": VALUES, "choices": st.lists(SCALARS, max_size=4)},
    optional={"keys": VALUES, "a\nb": VALUES},
)
RULES = [
    {"rule": "number"},
    {"rule": "final_number"},
    {"rule": "text"},
    {"rule": "json"},
    {"rule": "label", "options": {"0": "1", "1": "A"}},
    {"rule": "label", "options_field": "choices"},
    {"rule": "choice", "options_field": "choices"},
    {"rule": "choice", "options_field": "choices", "keys_field": "keys"},
    {"rule": "choice", "options_field": "choices", "gold": "index"},
]


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(RULES), ROWS)
def test_any_row_is_an_example_whose_gold_scores_1_or_one_line(answer, row):
    prompt = "{text} {options}" if "options_field" in answer else "{text}"
    data = {"train": [row], "test": [row]}
    task = Task(name="t", fields={"text": ""}, answer=answer, data=data, prompt=prompt)
    try:
        (example,) = task.examples("test")
    except DataError as error:
        assert str(error).startswith("test row 0: ")
        assert len(str(error)) <= SCREEN and "\n" not in str(error)
        return
    assert isinstance(example.fields["text"], str)
    if task.answer.closed:
        assert example.options.count(example.gold) == 1
    else:
        for gold in example.golds:
            assert cell_score("exact_match", task.answer.rule, extract(task.answer.rule, gold), gold) == 1
