"""How the examples of a task are answered.

============  ===============================================  =======================
rule          the model answers with                           how it is scored
============  ===============================================  =======================
choice        a letter; the letters stand for fields or for a  likelihood of letters
              per-example list of options
label         one of a fixed (or per-example) list of words    likelihood of the words
number        a number                                         generated, first number
final_number  working that ends with a number                  generated, last number
text          free text                                        generated, first line
json          a JSON value                                     generated, parsed
code          a program, or the rest of one                    generated, run on tests
============  ===============================================  =======================
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from paft.errors import shown
from paft.schema import Schema, unquoted

Rule = Literal["choice", "label", "number", "final_number", "text", "json", "code"]
Gold = Literal["text", "letter", "key", "index", "position"]
CLOSED_RULES = ("choice", "label")
_NEW = ("gold",)
CLOSED_TOKENS = 64  # for an option in a sentence, where the task sets no limit
DEFAULT_MAX_TOKENS = {
    "choice": 1,
    "label": 1,
    "number": 24,
    "final_number": 256,
    "text": 64,
    "json": 128,
    "code": 320,
}


class Program(Schema):
    """What else a program is made of (rule ``code``).

    Attributes:
        begins: Field with the beginning that an answer continues: imports and the function's first lines.
        entry: Column with the name of the function.
        tests: Column with Python that calls it, or that defines ``check(candidate)``.
    """

    begins: str
    entry: str = "entry_point"
    tests: str = "test"


class Answer(Schema):
    """How examples are answered.

    Attributes:
        rule: See the module docstring.
        field: Column that holds the gold answer.
        options: Fixed options: a list, or a mapping from the value in the data to the word shown;
            several values may stand for one word, and a word may stand for itself.
        options_field: Column with a list of options per example (instead of ``options``).
        keys_field: Column with that list's keys, of which the gold answer is one (rule ``choice``).
        gold: What of an option the gold answer is, where the data could be read in two ways: ``text``,
            ``letter``, ``key``, ``index`` (its number, counted from 0) or ``position`` (from 1).
        program: What programs are made of and tested with (rule ``code``).
        max_tokens: Tokens generated at most for open rules.
    """

    rule: Rule
    field: str = "answer"
    options: tuple[str, ...] | dict[str, str] | None = None
    options_field: str | None = None
    keys_field: str | None = None
    gold: Gold | None = None
    program: Program | None = None
    max_tokens: int | None = Field(default=None, ge=1)

    @field_validator("options", mode="before")
    @classmethod
    def _check_words(cls, options: Any) -> Any:
        """Refuse what YAML makes of words that are not in quotes."""
        if options is None:
            return None
        if hasattr(options, "tolist"):  # a column of a table, or its distinct values
            options = options.tolist()
        if not isinstance(options, (list, tuple, Mapping)):
            raise ValueError("give a list of options, or a mapping from values in the data to options")
        listed = [*options, *options.values()] if isinstance(options, Mapping) else options
        for word in listed:
            if not isinstance(word, str):
                raise ValueError(unquoted(word))
        return options

    @model_validator(mode="after")
    def _check(self) -> Answer:
        closed = self.rule in CLOSED_RULES
        given = (self.options is not None) + (self.options_field is not None)
        if closed and given != 1:
            raise ValueError(f"rule {self.rule!r} needs either `options` or `options_field`")
        if not closed and given:
            raise ValueError(f"rule {self.rule!r} takes neither `options` nor `options_field`")
        if self.keys_field is not None and (self.rule != "choice" or self.options_field is None):
            raise ValueError("`keys_field` goes with rule 'choice' and `options_field`")
        self._check_gold()
        if (self.program is not None) != (self.rule == "code"):
            raise ValueError("`program` goes with rule 'code', and rule 'code' with `program`")
        words = self.words
        if words is not None:
            if len(words) < 2:
                raise ValueError("`options` needs at least two entries")
            doubled = {w for w in words if words.count(w) > 1}
            if doubled or not all(w.strip() == w and w for w in words):
                raise ValueError(f"`options` must be distinct, non-blank and trimmed, got {shown(words)}")
            if (pair := twins(words)) is not None:
                raise ValueError(
                    f"`options` {pair[0]!r} and {pair[1]!r} are one word to a reader: rename one"
                )
        return self

    def _check_gold(self) -> None:
        if self.gold is None:
            return
        if not self.closed:
            raise ValueError("`gold` goes with the rules 'choice' and 'label'")
        if self.gold == "key" and self.keys_field is None and not isinstance(self.options, dict):
            raise ValueError("`gold: key` needs `keys_field`, or `options` as a mapping from keys")
        if self.gold == "letter" and (self.rule != "choice" or self.options_field is None):
            raise ValueError("`gold: letter` goes with rule 'choice' and `options_field`")

    @property
    def settings(self) -> dict[str, Any]:
        """All settings; those that a former version did not have, only where they are set."""
        found = self.model_dump(mode="json")
        return {key: value for key, value in found.items() if value is not None or key not in _NEW}

    @property
    def words(self) -> tuple[str, ...] | None:
        """The fixed options as shown to the model, None when they differ per example."""
        if isinstance(self.options, dict):
            return tuple(dict.fromkeys(self.options.values()))
        return self.options

    @property
    def columns(self) -> list[str]:
        """Columns it is read from, the gold answer's first."""
        program = [] if self.program is None else [self.program.entry, self.program.tests]
        return [self.field, *filter(None, [self.options_field, self.keys_field]), *program]

    @property
    def closed(self) -> bool:
        """Whether the answer is one of listed options."""
        return self.rule in CLOSED_RULES

    @property
    def token_limit(self) -> int:
        """Tokens generated at most."""
        return self.max_tokens or DEFAULT_MAX_TOKENS[self.rule]

    @property
    def generation_limit(self) -> int:
        """Tokens of an answer that is generated whatever the rule; an option may stand in a sentence."""
        return CLOSED_TOKENS if self.closed and self.max_tokens is None else self.token_limit


@lru_cache(maxsize=4096)
def twins(options: tuple[str, ...]) -> tuple[str, str] | None:
    """Return two options that a reader could not tell apart, None if there are none.

    Letters of either case, compatible and composed forms of characters, and white space count as one.

    >>> twins(("US", "UK", "us"))
    ('US', 'us')
    """
    first: dict[str, str] = {}
    for option in options:
        other = first.setdefault(seen(option), option)
        if other is not option:
            return other, option
    return None


def seen(option: str) -> str:
    """Return what a reader sees of an option; that of twins is equal."""
    # Twice: folding may bring forth characters that normalisation takes apart.
    form = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", option).casefold())
    return " ".join(form.split())
