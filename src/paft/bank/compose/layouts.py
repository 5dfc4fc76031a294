r"""How the fields of an example stand in a prompt: one text for each layout, with placeholders.

A layout gets pairs (heading, field); the options of a choice that are fields get a block of their own, each
behind its letter.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from paft.bank.compose.draw import Draw
from paft.bank.compose.words import capitalised, escaped, in_case

Pair = tuple[str, str]  # heading, name of the field
LAYOUTS = {
    "plain": 6, "quoted": 5, "labelled": 6, "heading": 3, "fenced": 2, "tagged": 2, "json-like": 2,
    "table": 2, "list": 1,
}  # fmt: skip
CODE_LAYOUTS = {"plain": 4, "labelled-block": 3, "heading": 3, "fenced": 3}  # its lines and indents must stay
QUOTES = ('"{}"', '"{}"', "'{}'", "“{}”", "«{}»", "> {}", ">> {} <<", "({})", "[{}]", "* {}", "` {} `")
LABELLED = ("{}: {}", "{}: {}", '{}: "{}"', "{} - {}", "{} = {}", "{} | {}", "{} >> {}", "{}, {}", "[{}] {}")
HEADINGS = (
    "{}\n{}", "{}:\n{}", "## {}\n{}", "=== {} ===\n{}", "**{}**\n{}", "--- {} ---\n{}", "{}\n\n{}",
    "# {}\n{}",
)  # fmt: skip
FENCES = (
    "```\n{}\n```", '"""\n{}\n"""', "---\n{}\n---", "----------\n{}\n----------", "<<<\n{}\n>>>",
    "~~~\n{}\n~~~",
)  # fmt: skip
TAGS = ("<{0}>{1}</{0}>", "<{0}>\n{1}\n</{0}>", "[{0}]{1}[/{0}]", "[{0}] {1} [end of {0}]", "<{0}> {1}")
JSON_LIKE = ("{{{{{}}}}}", "{}", "[{}]", "record({})", "{}")  # around key-value pairs
PAIRS = ('{}: "{}"', '"{}": "{}"', '{} = "{}"', "{}={}")
TABLES = ("| {} | {} |", "{} | {} |", "{} ........ {}", "{}\t{}", "{} || {}", "{}  :  {}")
LISTED = ("- {}: {}", "* {}: {}", "{number}. {}: {}", "({number}) {} {}", "- {}\n  {}")
LETTERED = (
    "{}. {}", "{}. {}", "({}) {}", "{}) {}", "{}: {}", "[{}] {}", "{} - {}", "{} = {}", "- {}: {}", "{} {}",
    "| {} | {} |", "<{0}>{1}</{0}>", '{}: "{}"', "* ({}) {}",
)  # fmt: skip
NAMED = ("{noun} {}: {}", "{noun} ({}): {}", "{noun} {}\n{}")
JOINTS = {"normal": ("\n", "\n", "\n\n"), "line": (" ", "; ", " / ")}
INTRODUCTIONS = (
    "", "", "Options:", "Choices:", "Choose from:", "Possible answers:", "The candidates:", "Given:",
)  # fmt: skip


def lay_out(draw: Draw, pairs: Sequence[Pair], case: str, *, code: bool = False) -> str:
    """Return the text of all fields; ``code`` keeps to layouts that leave lines as they are."""
    layout = draw.weigh("layout", CODE_LAYOUTS if code else LAYOUTS)
    titled = [(_titled(heading, layout, case), name) for heading, name in pairs]
    return WRITERS[layout](draw, titled)


def lay_out_letters(draw: Draw, lettered: Sequence[Pair], noun: str, case: str) -> str:
    """Return the block of options that are fields: ``A. {first}`` and so on, in the order of the letters."""
    named = draw.chance("option named", 0.2)
    form = draw.pick("option form", NAMED if named else LETTERED)
    title = in_case(noun.capitalize(), case)
    lines = [form.format(letter, _braced(name), noun=title) for letter, name in lettered]
    joint = "\n\n" if draw.chance("wide options", 0.1) else "\n"
    if "\n" not in form and not form.startswith(("|", "-", "*")) and draw.chance("options in a line", 0.15):
        joint = draw.pick("option joint", ("; ", " ", " / ", ", "))
    introduction = in_case(draw.pick("introduction", INTRODUCTIONS), case)
    return f"{introduction}\n{joint.join(lines)}".lstrip("\n")


def _plain(draw: Draw, pairs: Sequence[Pair]) -> str:
    return _joined(draw, [_braced(name) for _, name in pairs])


def _quoted(draw: Draw, pairs: Sequence[Pair]) -> str:
    form = draw.pick("quotes", QUOTES)
    labelled = len(pairs) > 1 or draw.chance("quote labelled", 0.2)
    texts = [form.format(_braced(name)) for _, name in pairs]
    if labelled and not form.startswith((">", "*")):
        texts = [f"{heading}: {text}" for (heading, _), text in zip(pairs, texts, strict=True)]
    return _joined(draw, texts)


def _by(name: str, forms: Sequence[str]) -> Callable[[Draw, Sequence[Pair]], str]:
    """Return a writer that puts heading and field into one form, the same for every field."""

    def write(draw: Draw, pairs: Sequence[Pair]) -> str:
        form = draw.pick(name, forms)
        texts = [form.format(head, _braced(field), number=i) for i, (head, field) in enumerate(pairs, 1)]
        return _joined(draw, texts, line=name not in ("table", "list") and "\n" not in form)

    return write


def _fenced(draw: Draw, pairs: Sequence[Pair]) -> str:
    form = draw.pick("fence", FENCES)
    titled = len(pairs) > 1 or draw.chance("fence titled", 0.4)
    return "\n".join((f"{head}:\n" if titled else "") + form.format(_braced(name)) for head, name in pairs)


def _json_like(draw: Draw, pairs: Sequence[Pair]) -> str:
    around, pair = draw.pick("record", JSON_LIKE), draw.pick("pair", PAIRS)
    if around.startswith("{{") and pair.startswith('"'):
        pair = PAIRS[0]  # an object with quoted keys would ask for one as the answer
    return around.format(", ".join(pair.format(head, _braced(name)) for head, name in pairs))


def _joined(draw: Draw, texts: Sequence[str], *, line: bool = True) -> str:
    if len(texts) == 1:
        return texts[0]
    flat = line and draw.chance("fields in a line", 0.2)
    return draw.pick("field joint", JOINTS["line" if flat else "normal"]).join(texts)


def _titled(heading: str, layout: str, case: str) -> str:
    """Return a heading as the layout has it: words of code in small letters, others with a capital."""
    if layout in ("tagged", "json-like"):
        return re.sub(r"\W+", "_" if layout == "json-like" else "-", heading)
    return in_case(escaped(capitalised(heading)), case)


def _braced(name: str) -> str:
    return "{" + name + "}"


WRITERS: dict[str, Callable[[Draw, Sequence[Pair]], str]] = {
    "plain": _plain,
    "quoted": _quoted,
    "labelled": _by("label", LABELLED),
    "labelled-block": _by("label", ("{}:\n{}", "{}:\n\n{}")),
    "heading": _by("heading", HEADINGS),
    "fenced": _fenced,
    "tagged": _by("tag", TAGS),
    "json-like": _json_like,
    "table": _by("table", TABLES),
    "list": _by("list", LISTED),
}
