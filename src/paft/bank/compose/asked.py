"""What a task's description asks, as parts that go into sentences of another kind.

``Decide whether a text message is spam.`` is an instruction: it also gives "Could you decide whether this
text message is spam?" and "Tell me whether the text message is spam." A question is taken as a question, and
anything else is a heading.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from paft.bank.compose.words import capitalised

# Verbs of one meaning, one of which may stand for another before the same words.
JUDGE = ("decide", "determine", "work out", "say", "judge", "find out", "establish")
ALIKE = (
    JUDGE,
    ("name", "give", "state", "identify", "write down", "find"),
    ("choose", "pick", "select"),
    ("solve", "work out", "find the answer to"),
    ("classify", "categorise", "sort"),
    ("answer", "give the answer to", "reply to"),
    ("write", "produce", "supply"),
)
OTHERS = {
    "add", "assign", "call", "complete", "compute", "continue", "convert", "correct", "count", "describe",
    "detect", "estimate", "evaluate", "explain", "extract", "fill", "fix", "flag", "generate", "get",
    "grade", "guess", "label", "list", "map", "mark", "match", "predict", "put", "rank", "rate", "read",
    "recognise", "recognize", "rephrase", "resolve", "return", "rewrite", "route", "score", "spot",
    "summarise", "summarize", "tag", "tell", "translate", "use", "compare", "categorize", "select",
    "calculate", "infer",
}  # fmt: skip
KNOWN = {verb: group for group in ALIKE for verb in group}
ASKING = r"(?:which|whether|if|what|how|who|whom|whose|where|when|why)"
# After a verb that no list has, such a word shows that it is one.
AFTER_VERB = re.compile(rf"(?:an?|the|this|these|each|every|all|{ASKING})$")
NO_VERB = re.compile(rf"(?:an?|the|this|these|each|every|all|one|{ASKING}|\w+ing|it|we|you|i|is|are)$")
FIRST_ARTICLE = re.compile(rf"^((?:{ASKING} )?)an? (?!few\b|little\b|lot\b|number\b)")
NAMED = re.compile(r"\s*\([^()]*[A-Z][^()]*\)")  # the data set's name, which no prompt needs


@dataclass(frozen=True)
class Asked:
    """What is asked.

    Attributes:
        kind: ``order``, ``question``, ``heading`` or ``nothing``.
        text: The order (``decide whether ...``), question (without its mark) or heading, without a full stop.
        orders: The order with other verbs of the same meaning and with "this" or "the" in the place of "a".
        clauses: The indirect question in an order to judge (``whether this message is spam``).
        notes: What the description says besides.
    """

    kind: str
    text: str = ""
    orders: tuple[str, ...] = ()
    clauses: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def read_description(description: str) -> Asked:
    """Take a description apart.

    >>> asked = read_description("Decide whether a note is spam.")
    >>> asked.kind, asked.clauses
    ('order', ('whether a note is spam', 'whether this note is spam', 'whether the note is spam'))
    >>> asked.orders[:2]
    ('decide whether a note is spam', 'decide whether this note is spam')
    """
    text = " ".join(NAMED.sub("", description).split())
    first, *others = [part.strip() for part in re.split(r"(?<=[.?!])\s+|;\s+", text) if part.strip()] or [""]
    notes = tuple(capitalised(note.rstrip(".")) + "." for note in others)
    bare = first.rstrip(".!: ")
    words = bare.split()
    if not words:
        return Asked("nothing")
    lowered = bare[0].lower() + bare[1:]
    if lowered.startswith("whether "):
        lowered = f"decide {lowered}"
    if bare.endswith("?"):
        return Asked("question", lowered.rstrip("? "), notes=notes)
    verb = next((verb for verb in KNOWN if lowered.startswith(verb + " ")), None)
    if verb is None and not _unknown_verb(words):
        return Asked("heading", bare, notes=notes)
    verb = verb or words[0].lower()
    rests = _with_articles(lowered[len(verb) :].strip())
    asking = re.match(rf"{ASKING} ", rests[0]) is not None
    verbs = _verbs(verb, asking)
    orders = tuple(f"{other} {rest}" for other in verbs for rest in rests)
    return Asked("order", lowered, orders, rests if asking else (), notes)


def _unknown_verb(words: list[str]) -> bool:
    first = words[0].lower()
    return first in OTHERS or (
        len(words) > 2 and not NO_VERB.match(first) and AFTER_VERB.match(words[1].lower()) is not None
    )


def _verbs(verb: str, asking: bool) -> tuple[str, ...]:
    """Return verbs that may stand for one: to judge takes an indirect question, to name does not."""
    group = KNOWN.get(verb, (verb,))
    if (group is JUDGE) != asking:
        return JUDGE if asking and verb in ("choose", "pick", "select", "name") else (verb,)
    return (verb, *(other for other in group if other != verb))


def _with_articles(rest: str) -> tuple[str, ...]:
    """Return the words behind a verb, the first "a" also as "this" and "the": a prompt has one example."""
    if not FIRST_ARTICLE.match(rest):
        return (rest,)
    return (rest, *(FIRST_ARTICLE.sub(rf"\1{article} ", rest) for article in ("this", "the")))
