"""The ways in which a prompt gives the options: in a sentence, as a list, in the cue at its very end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from paft.bank.compose import phrases
from paft.bank.compose.draw import Draw
from paft.bank.compose.terms import Terms
from paft.bank.compose.words import escaped, fill
from paft.task.task import OPTIONS

PLACEHOLDER = "{" + OPTIONS + "}"
WAYS = {"sentence": 4, "one of": 3, "list": 3, "numbered": 1, "line": 2, "end": 5}
WAYS_INLINE = {"sentence": 3, "one of": 3, "line": 2, "end": 3}  # of letters, and of a placeholder alone
BULLETS = ("- ", "- ", "* ", "• ", "", "+ ")
NUMBERS = ("{}. ", "{}) ", "({}) ")
# What is between options, and before the last one.
JOINTS = (
    (", ", " or "),
    (", ", " or "),
    (", ", " or "),
    (" / ", " / "),
    (" | ", " | "),
    ("; ", "; "),
    (", ", ", "),
)


@dataclass(frozen=True)
class OptionsText:
    """The options as a block of their own, or as the end of the prompt; empty where there are none."""

    block: str = ""
    ending: str = ""


def options_text(draw: Draw, terms: Terms, words: Mapping[str, str], case: str) -> OptionsText:
    """Write the options of a closed task."""
    if terms.required and terms.rule == "choice":  # the placeholder has them line by line
        draw.chosen["options"] = "list"
        title = fill(draw.pick("introduction of options", phrases.LISTS["list"]), words, case)
        return OptionsText(f"{title}\n{PLACEHOLDER}".strip())
    as_list = terms.rule == "label" and terms.listable
    way = draw.weigh("options", WAYS if as_list else WAYS_INLINE)
    if way in ("list", "numbered"):
        return OptionsText(_listed(draw, way, terms.options, words, case))
    sentence = draw.pick("options sentence", phrases.LISTS[way])
    in_words = terms.listable and draw.chance("options in words", 0.6)
    inline = _inline(draw, terms, both="between" in sentence) if in_words else PLACEHOLDER
    text = fill(sentence, {**words, "options": inline}, case)
    return OptionsText(ending=text) if way == "end" else OptionsText(text)


def _listed(draw: Draw, way: str, options: Sequence[str], words: Mapping[str, str], case: str) -> str:
    title = fill(draw.pick("introduction of options", phrases.LISTS["list"]), words, case)
    mark = draw.pick("marks", BULLETS if way == "list" else NUMBERS)
    shown = [escaped(option) for option in _ordered(draw, options)]
    return "\n".join(
        [*([title] if title else []), *(mark.format(i) + text for i, text in enumerate(shown, 1))]
    )


def _inline(draw: Draw, terms: Terms, *, both: bool) -> str:
    """Write fixed options one after the other in the prompt's own words; ``both`` says "and", not "or"."""
    shown = list(terms.options) if terms.rule == "choice" else _ordered(draw, terms.options)
    quoted = draw.chance("options quoted", 0.15)
    texts = [f'"{escaped(option)}"' if quoted else escaped(option) for option in shown]
    joint, last = JOINTS[int(draw.fraction("joint of options") * len(JOINTS))]
    last = " and " if both and last == " or " else last
    return joint.join(texts[:-1]) + last + texts[-1]


def _ordered(draw: Draw, options: Sequence[str]) -> list[str]:
    """Return the options in their own order, or in another: the model must not learn places."""
    return (
        list(options) if draw.chance("options as they are", 0.4) else draw.shuffled("options order", options)
    )
