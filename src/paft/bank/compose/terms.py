r"""What a task calls things: its fields, its answers, its options, as nouns for sentences and headings.

The task file says it in several places: names and descriptions of fields, ``answer.field``, and the user
prompts, whose headings (``Message: {text}``) and last words (``Team:``) are the user's own.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from paft.bank.compose.asked import Asked, read_description
from paft.prompt import Prompt
from paft.task.task import Task

GENERIC_ANSWERS = {
    "label": ("label", "category", "class", "answer", "type", "tag"),
    "choice": ("answer", "choice", "option", "letter"),
    "number": ("number", "answer", "result"),
    "final_number": ("solution", "answer", "result"),
    "text": ("answer", "reply", "response"),
    "json": ("answer", "output", "JSON"),
    "code": ("code", "solution", "implementation"),
}
UNCOUNTED = ("code", "JSON")
ITEMS = ("text", "item", "example", "case", "entry")  # what any example may be called
FUNCTIONS = ("function", "task", "exercise")
SEVERAL_ITEMS = ("case", "example", "item", "exercise", "problem")
# Column names that say nothing, and words that make no noun of a heading.
EMPTY_NAMES = {
    "answer", "label", "labels", "gold", "target", "output", "y", "class", "x", "text", "input", "inputs",
    "value", "col", "column", "key",
}  # fmt: skip
NO_NOUN = re.compile(
    r"\b(?:i|you|we|they|he|she|it|me|my|our|your|their|this|that|these|on|in|at|for|by|to|is|are|was|said|says|"
    r"and|or|not|names?|words?|right|correct|best|most|true|next|only|under|one|so|must|should|say|asked|found|picked|sorted|here|first|then)\b",
    re.IGNORECASE,
)
PLAIN_WORDS = re.compile(r"[A-Za-z][A-Za-z' -]*[A-Za-z]")
HEAD = re.compile(
    r"(?:the|an?|one)\s+((?:[a-z'-]+\s){0,2}?[a-z'-]+?)"
    r"(?=\s+(?:of|that|as|which|from|about|in|with|to|for|on|by|it)\b|\s*[,;:(.]|\s*$)",
    re.IGNORECASE,
)
ORDINALS = re.compile(r"\b(?:first|second|third|fourth|fifth|sixth|other|possible|last|next)\b")
LONGEST_OPTIONS = 400  # characters of all options that a prompt may list in words of its own


@dataclass(frozen=True)
class Terms:
    """The words of a task.

    Attributes:
        rule: The answer rule.
        asked: What the description asks.
        fields: Fields to be shown that are no options, in the task's order.
        lettered: Letter and field of each option that is a field.
        headings: What a field may be called above or before its text, by field.
        items: Nouns for what an example shows.
        answers: Nouns for an answer.
        cues: What the user prompts end in, where it is short.
        options: Fixed options; empty where they differ by example, or the answer is open.
        required: Whether ``{options}`` must be used.
    """

    rule: str
    asked: Asked
    fields: tuple[str, ...]
    lettered: tuple[tuple[str, str], ...]
    headings: dict[str, tuple[str, ...]]
    items: tuple[str, ...]
    answers: tuple[str, ...]
    cues: tuple[str, ...]
    options: tuple[str, ...]
    required: bool

    @property
    def closed(self) -> bool:
        """Whether an answer is one of listed options."""
        return self.rule in ("label", "choice")

    @property
    def listable(self) -> bool:
        """Whether the options are few and short enough for a list in the prompt's own words."""
        return 0 < sum(map(len, self.options)) <= LONGEST_OPTIONS


def terms_of(task: Task) -> Terms:
    """Gather the words of a task."""
    lettered = _lettered(task)
    shown = tuple(name for name in task.fields if name not in dict(lettered).values())
    headings = {name: _headings(name, task) for name in task.fields}
    cues = tuple(dict.fromkeys(filter(None, map(_cue, task.prompts))))
    generic = GENERIC_ANSWERS[task.answer.rule]
    own = _own_answers(task, cues[:2])
    return Terms(
        rule=task.answer.rule,
        asked=read_description(task.description),
        fields=shown,
        lettered=lettered,
        headings=headings,
        items=FUNCTIONS if task.answer.rule == "code" else _items(shown, headings, task),
        answers=(*own, *own, *(word for word in generic if word not in own)),
        cues=cues,
        options=task.answer.words or (),
        required=task.answer.options_field is not None,
    )


def plural(noun: str) -> str:
    """Return the plural of a noun.

    >>> plural("category"), plural("class"), plural("text message"), plural("choice")
    ('categories', 'classes', 'text messages', 'choices')
    """
    if noun in UNCOUNTED:
        return noun
    if re.search(r"[^aeiou]y$", noun):
        return noun[:-1] + "ies"
    return noun + ("es" if re.search(r"(?:s|x|z|ch|sh)$", noun) else "s")


def _lettered(task: Task) -> tuple[tuple[str, str], ...]:
    """Which fields hold the options that fixed letters stand for; nothing where no field does."""
    letters = task.answer.words if task.answer.rule == "choice" else None
    if not letters:
        return ()
    for prompt in task.prompts:
        found = _letters_before(prompt, letters)
        if set(found) == set(letters):
            return tuple((letter, found[letter]) for letter in letters)
    if set(letters) <= set(task.fields):
        return tuple((letter, letter) for letter in letters)
    last = list(task.fields)[-len(letters) :]
    return tuple(zip(letters, last, strict=True)) if len(task.fields) > len(letters) else ()


def _letters_before(prompt: Prompt, letters: Sequence[str]) -> dict[str, str]:
    """Return the fields that stand right behind a letter: ``A. {first}``, ``(B) {second}``."""
    found: dict[str, str] = {}
    for literal, name in prompt.pieces:
        match = re.search(r"(?<![A-Za-z])([A-Za-z0-9])[\s).:\]=\"'-]*$", literal)
        if match and name and match[1] in letters:
            found[match[1]] = name
    return found


def _headings(name: str, task: Task) -> tuple[str, ...]:
    """What a field is called: as the user prompts do, by its name, by the head of its description."""
    found = []
    for prompt in task.prompts:
        for literal, field in prompt.pieces:
            match = re.search(r"(?:^|\n)([^\n:=.?!]{2,24}?)\s*[:=]\s*[\"“'(]*$", literal)
            if field == name and match and PLAIN_WORDS.fullmatch(match[1].strip().replace("_", " ")):
                found.append(match[1].strip().replace("_", " ").lower())
    spoken = _spoken(name)
    found += [spoken] if _is_noun(spoken) else []
    head = HEAD.match(task.fields[name])
    if head and _is_noun(head[1]) and not ORDINALS.search(head[1]):
        found.append(head[1].lower())
    return tuple(dict.fromkeys(found)) or (spoken,)


def _items(shown: Sequence[str], headings: dict[str, tuple[str, ...]], task: Task) -> tuple[str, ...]:
    """Nouns for what is looked at; of several fields the one the user is asked about, or neutral words."""
    if len(shown) == 1:
        nouns = [heading for heading in headings[shown[0]] if _is_noun(heading)]
        return tuple(dict.fromkeys([*nouns, *nouns, *ITEMS[: 1 if nouns else None]]))
    asked = [name for name in shown if name in ("question", "request", "problem", "goal", "query", "claim")]
    return (*asked, *asked, *SEVERAL_ITEMS[: 2 if asked else None])


def _cue(prompt: Prompt) -> str | None:
    """Return what a prompt ends in, if it is a few plain words."""
    literal = prompt.pieces[-1][0]
    last = literal.rstrip().split("\n")[-1].rstrip(" :=->")
    words = last.replace("_", " ").strip()
    if prompt.pieces[-1][1] is not None or not PLAIN_WORDS.fullmatch(words) or len(words.split()) > 3:
        return None
    return words


def _spoken(name: str) -> str:
    """Return a name of code as words: ``intent_name`` is ``intent name``, ``sentence1`` is ``sentence 1``."""
    split = re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Za-z])(?=\d)|_+", " ", name)
    return " ".join(split.split()).lower()


def _is_noun(words: str) -> bool:
    """Whether words may stand for a noun in a sentence: one or two plain ones that can be spoken."""
    parts = words.split()
    return (
        1 <= len(parts) <= 2
        and PLAIN_WORDS.fullmatch(words) is not None
        and not NO_NOUN.search(words)
        and all(len(part) > 2 and re.search(r"[aeiouy]", part.lower()) for part in parts)
    )


def _own_answers(task: Task, cues: Sequence[str]) -> list[str]:
    """Nouns for an answer that are the task's own: the name of its column, what its user prompts end in."""
    column = _spoken(task.answer.field)
    nouns = [column] if task.answer.closed and column not in EMPTY_NAMES and _is_noun(column) else []
    nouns += [cue.lower() for cue in cues if _is_noun(cue) and not _says_option(cue, task)]
    return list(dict.fromkeys("JSON" if noun == "json" else noun for noun in nouns))


def _says_option(cue: str, task: Task) -> bool:
    words = {word.lower() for option in task.answer.words or () for word in option.split()}
    return bool(words & set(cue.lower().split()))
