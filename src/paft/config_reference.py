"""A reference of settings, read from the schemas themselves: key, type, default and meaning.

The meaning is the entry under ``Attributes:`` in the docstring of the section.
"""

from __future__ import annotations

import inspect
import json
import re
import types
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from paft.schema import section_of

BOUNDS = {"ge": "from {}", "gt": "above {}", "le": "to {}", "lt": "below {}"}
NAMES = {"str": "text", "int": "whole number", "float": "number", "bool": "true or false", "NoneType": "null"}
_ENTRY = re.compile(r"^    (\w+): (.*(?:\n(?: {8,}.*)?)*)", re.MULTILINE)
_ROLE = re.compile(r":\w+:`~?([^`]+)`")


@dataclass(frozen=True)
class Setting:
    """One key that a user may set.

    Attributes:
        key: Its dotted key.
        type: What it takes, in words.
        default: As YAML would have it; ``required`` if it must be set.
        meaning: What it does.
    """

    key: str
    type: str
    default: str
    meaning: str


def list_settings(model: type[BaseModel], prefix: str = "") -> Iterator[Setting]:
    """Yield every setting of a schema, those of its sections behind the section itself."""
    meanings = attribute_meanings(model)
    for name, field in model.model_fields.items():
        section = section_of(field.annotation)
        whole = section is not None and not _optional(field.annotation)
        yield Setting(
            prefix + name,
            "section" if section is not None else _type(field.annotation, field),
            "" if whole else _default(field, meanings.get(name, "")),
            meanings.get(name, ""),
        )
        if section is not None:
            yield from list_settings(section, f"{prefix}{name}.")


def attribute_meanings(model: type[BaseModel]) -> dict[str, str]:
    """Return what the docstrings of a class and its bases say of its attributes, each in one line."""
    found: dict[str, str] = {}
    for each in reversed(model.__mro__):
        _, _, attributes = inspect.cleandoc(each.__doc__ or "").partition("Attributes:\n")
        found |= {name: " ".join(text.split()) for name, text in _ENTRY.findall(attributes)}
    return {name: _ROLE.sub(r"`\1`", text).replace("``", "`") for name, text in found.items()}


def as_text(settings: list[Setting]) -> str:
    """Return settings as lines for a terminal."""
    blocks = []
    for each in settings:
        default = f", default {each.default}" if each.default else ""
        blocks.append(f"{each.key}  ({each.type}{default})\n    {each.meaning}")
    return "\n".join(blocks)


def as_markdown(settings: list[Setting]) -> str:
    """Return settings as a table."""
    lines = ["| key | type | default | meaning |", "|---|---|---|---|"]
    for each in settings:
        default = f"`{each.default}`" if each.default else ""
        cells = (f"`{each.key}`", each.type, default, each.meaning)
        lines.append(f"| {' | '.join(cell.replace('|', '&#124;') for cell in cells)} |")
    return "\n".join(lines)


def _type(annotation: Any, field: FieldInfo | None = None) -> str:
    origin, args = get_origin(annotation), get_args(annotation)
    bounds = field.metadata if field else []
    if origin is Annotated:
        inner, *metadata = args
        nested = [m for item in metadata for m in getattr(item, "metadata", [item])]
        return _bounded(_type(inner), nested)
    if origin is Literal:
        return ", ".join(f"`{value}`" for value in args)
    if origin in (Union, types.UnionType):
        text = " or ".join(_type(arg) for arg in args if arg is not type(None))
        return _bounded(text, bounds) + (", or null" if type(None) in args else "")
    if origin in (tuple, list):
        return f"list of {_type(args[0])}"
    if origin is dict:
        return "mapping"
    return _bounded(NAMES.get(getattr(annotation, "__name__", ""), "mapping"), bounds)


def _bounded(text: str, metadata: list[Any]) -> str:
    bounds = [
        words.format(getattr(item, name))
        for name, words in BOUNDS.items()
        for item in metadata
        if getattr(item, name, None) is not None
    ]
    return " ".join([text, *bounds])


def _default(field: FieldInfo, meaning: str) -> str:
    value = field.get_default(call_default_factory=True)
    if value is PydanticUndefined:
        return "" if "by default" in meaning else "required"
    return json.dumps(value, ensure_ascii=False)


def _optional(annotation: Any) -> bool:
    return type(None) in get_args(annotation)
