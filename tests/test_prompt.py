"""A prompt renders its fields verbatim, takes plain placeholders only, and is its text's hash."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paft.errors import PromptError
from paft.prompt import Prompt

# Everything a template language, a logger or a tokenizer might react to.
HOSTILE = st.one_of(
    st.text(max_size=20),
    st.sampled_from(["{a}", "{b}", "{{", "}}", "{", "%s", "{0}", "{a.__class__}", "<|endoftext|>", "\\n"]),
)
LITERAL = st.text(max_size=12).filter(str.strip)


def escaped(text):
    return text.replace("{", "{{").replace("}", "}}")


@settings(max_examples=60, deadline=None)
@given(before=LITERAL, between=LITERAL, after=LITERAL, a=HOSTILE, b=HOSTILE)
def test_values_and_literal_text_are_rendered_verbatim(before, between, after, a, b):
    prompt = Prompt(f"{escaped(before)}{{a}}{escaped(between)}{{b}}{escaped(after)}{{a}}")
    assert prompt.render({"a": a, "b": b}) == before + a + between + b + after + a


@settings(max_examples=60, deadline=None)
@given(value=HOSTILE)
def test_a_value_is_never_read_as_template(value):
    rendered = Prompt("<{a}|{b}>").render({"a": value, "b": "SECRET"})
    assert rendered == f"<{value}|SECRET>"


@settings(max_examples=200, deadline=None)
@given(text=st.text(alphabet="{}ab:!.[0 ", min_size=1, max_size=12))
def test_every_accepted_template_renders_as_the_plain_python_format_would(text):
    try:
        prompt = Prompt(text)
    except PromptError:
        return
    values = {name: f"<{name}>" for name in prompt.placeholders}
    assert all(name.isidentifier() for name in values)
    assert prompt.render(values) == text.format(**values)


@pytest.mark.parametrize(
    "template",
    ["{a.b}", "{a[0]}", "{a!r}", "{a:>8}", "{a:}", "{a:{b}}", "{}", "{0}", "{ a }", "{a-b}", "{a.__class__}"],
)
def test_anything_but_a_plain_placeholder_is_refused_with_the_way_to_write_braces(template):
    with pytest.raises(PromptError, match=r"field}") as caught:
        Prompt(f"Question: {template}")
    assert template in str(caught.value)


@pytest.mark.parametrize("template", ["a { b", "a } b", "{a", "a}"])
def test_a_lone_brace_is_refused(template):
    with pytest.raises(PromptError, match="literal braces") as caught:
        Prompt(template)
    assert repr(template) in str(caught.value)


@pytest.mark.parametrize("template", ["", "  \n\t"])
def test_a_blank_template_is_refused(template):
    with pytest.raises(PromptError, match="empty"):
        Prompt(template)


def test_half_a_surrogate_pair_is_refused_because_it_is_no_text():
    with pytest.raises(PromptError, match="surrogate"):
        Prompt("cut emoji \ud83d {a}")


def test_a_missing_value_is_an_error_naming_the_field_and_what_there_is():
    with pytest.raises(PromptError) as caught:
        Prompt("{text} {label}").render({"text": "x", "title": "y"})
    assert "{label}" in str(caught.value)
    assert "text, title" in str(caught.value)


def test_values_the_template_does_not_name_are_ignored():
    assert Prompt("{a}!").render({"a": "x", "unused": "{a}"}) == "x!"


def test_doubled_braces_are_literal_and_name_no_field():
    prompt = Prompt('Reply as {{"team": "{text}"}}')
    assert prompt.placeholders == ("text",)
    assert prompt.render({"text": "x"}) == 'Reply as {"team": "x"}'


def test_placeholders_are_listed_in_order_with_repeats():
    assert Prompt("{b} {a} {b}").placeholders == ("b", "a", "b")


def test_the_id_is_the_same_in_every_version_run_and_machine():
    # A change here makes every bank and every finished run unreadable.
    assert Prompt("Message: {text}\nTeam:").id == "79542fbe7a04"


def test_the_id_depends_on_the_text_alone():
    assert Prompt("{a}", {"writer": "x"}).id == Prompt("{a}").id
    assert Prompt("{a}").id != Prompt("{a} ").id
    assert Prompt("{a}", {"writer": "x"}) == Prompt("{a}")
