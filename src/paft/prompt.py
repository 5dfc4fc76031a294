"""A prompt: a template with ``{field}`` placeholders, filled by one example.

Templates take plain ``{field}`` only. Attribute access, indexing, format specifications and conversions are
refused, and a filled-in value is never read as template again, so data can never act as template syntax.
``{{`` and ``}}`` stand for literal braces. A prompt's id is a hash of its template: the same text has the
same id in every bank, run and machine. This module does not tokenise; see :mod:`paft.model.encode`.
"""

from __future__ import annotations

import hashlib
import string
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any

from paft.errors import ConfigError, PromptError, expect, expect_items, shown
from paft.files import encodable

ID_LENGTH = 12


@dataclass(frozen=True)
class Prompt:
    r"""A template and where it came from.

    Attributes:
        template: Text with ``{field}`` placeholders.
        provenance: Who or what wrote it (``source``, ``writer``, ``file`` ...); not part of the id.

    Raises:
        PromptError: If the template is blank or is not made of plain ``{field}`` placeholders.

    >>> prompt = Prompt("Message: {text}\nTeam:")
    >>> prompt.placeholders
    ('text',)
    >>> prompt.render({"text": "Where is {parcel}?"})
    'Message: Where is {parcel}?\nTeam:'
    """

    template: str
    provenance: Mapping[str, Any] = field(default_factory=dict, compare=False)

    def __post_init__(self) -> None:
        expect(self.template, str, "a prompt's template")
        expect(self.provenance, Mapping, "a prompt's provenance")
        if not self.template.strip():
            raise PromptError("a prompt's template is empty: give text with {field} placeholders")
        if not encodable(self.template):
            raise PromptError(f"template {self.template!r} holds half a surrogate pair: remove it")
        _ = self.pieces

    @cached_property
    def id(self) -> str:
        """The first 12 hexadecimal digits of the template's SHA-256."""
        return hashlib.sha256(self.template.encode("utf-8")).hexdigest()[:ID_LENGTH]

    @cached_property
    def pieces(self) -> tuple[tuple[str, str | None], ...]:
        """The template as (literal text, placeholder after it or None) pairs."""
        return _parse(self.template)

    @cached_property
    def placeholders(self) -> tuple[str, ...]:
        """Names of the placeholders, in order, with repeats."""
        return tuple(name for _, name in self.pieces if name is not None)

    def render(self, values: Mapping[str, str]) -> str:
        """Fill every placeholder with its value, exactly once and verbatim; other values are ignored.

        Raises:
            PromptError: If a placeholder has no value.
        """
        lacking = next((name for name in self.placeholders if name not in values), None)
        if lacking is not None:
            known = ", ".join(sorted(values)) or "none"
            raise PromptError(
                f"prompt {self.id} uses {{{lacking}}}, which the example does not have "
                f"(it has: {known}): rename the placeholder or map a column to {lacking!r}"
            )
        return "".join(literal + ("" if name is None else values[name]) for literal, name in self.pieces)


# Screening looks at one template a dozen times.
@lru_cache(maxsize=1024)
def _parse(template: str) -> tuple[tuple[str, str | None], ...]:
    named = f"template {shown(template)}"
    try:
        parts = list(string.Formatter().parse(template))
    except ValueError as error:
        raise PromptError(f"{named}: {error}; write {{{{ and }}}} for literal braces") from error
    pieces: list[tuple[str, str | None]] = []
    for literal, name, spec, conversion in parts:
        if name is not None and (spec or conversion or not name.isidentifier()):
            raise PromptError(
                f"{named}: placeholder {{{name}{'!' + conversion if conversion else ''}"
                f"{':' + spec if spec else ''}}} is not a plain {{field}}: attribute access, "
                "indexing, format specifications and empty braces are refused; write {{ and }} for "
                "literal braces"
            )
        pieces.append((literal, name))
    if unparse(pieces) != template:  # the parser hides an empty format specification
        raise PromptError(f"{named}: a colon in a placeholder is refused; write plain {{field}}")
    return tuple(pieces)


def as_prompts(values: Iterable[Prompt | str], what: str) -> tuple[Prompt, ...]:
    """Return prompts that are given as such or as text.

    ``what`` they are stands in errors.

    Raises:
        ConfigError: If something is neither.
        PromptError: If a text is no template.

    >>> as_prompts([Prompt("{text} ->"), "Sort: {text}"], "the prompts")[1].template
    'Sort: {text}'
    """
    if isinstance(values, (str, Mapping)) or not isinstance(values, Iterable):
        raise ConfigError(f"{what} must be a list of prompts, not {type(values).__name__}: {shown(values)}")
    found = tuple(Prompt(str(each)) if isinstance(each, str) else each for each in values)
    expect_items(found, Prompt, what)
    return found


def unparse(pieces: Sequence[tuple[str, str | None]]) -> str:
    """Return the template of (literal text, placeholder after it or None) pairs."""
    return "".join(
        literal.replace("{", "{{").replace("}", "}}") + ("" if name is None else f"{{{name}}}")
        for literal, name in pieces
    )


def templates_of(value: Any) -> Any:
    """Return the template of a prompt, or those of a list of prompts; anything else as it is.

    >>> templates_of([Prompt("Sort: {text}"), "{text} ->"])
    ('Sort: {text}', '{text} ->')
    """
    if isinstance(value, (list, tuple)):
        return tuple(map(templates_of, value))
    return value.template if isinstance(value, Prompt) else value
