"""What the suite itself promises: the same examples everywhere, and no warning of ours unseen."""

from __future__ import annotations

import os
import warnings

import pytest
from hypothesis import settings


def test_properties_are_tried_on_the_same_examples_unless_others_are_asked_for() -> None:
    same = os.environ.get("PAFT_PROPERTIES", "same") == "same"
    assert settings().derandomize is same
    assert settings(max_examples=60, deadline=None).derandomize is same


def test_a_warning_that_our_own_lines_cause_is_an_error() -> None:
    with pytest.raises(UserWarning, match="look out"):
        warnings.warn_explicit("look out", UserWarning, "task.py", 1, module="paft.task.task")


@pytest.mark.parametrize("module", ["torch.nn.modules", "peft.tuners.tuners_utils"])
def test_a_warning_of_a_library_that_is_new_is_shown(module: str) -> None:
    with pytest.warns(UserWarning, match="something new"):
        warnings.warn_explicit("something new", UserWarning, "x.py", 1, module=module)
