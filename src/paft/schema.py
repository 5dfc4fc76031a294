"""The base of everything a user writes in YAML or Python, and the errors for what does not fit.

Models are frozen and refuse unknown keys. A pydantic error becomes one :class:`ConfigError` that
names the file (or the class), the key path, the value and, for a misspelt key, the nearest known one.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from typing import Any, TypeVar, get_args

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from paft.errors import ConfigError, shown


class Schema(BaseModel):
    """A frozen model that refuses unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)

    def __init__(self, **data: Any) -> None:
        try:
            super().__init__(**data)
        except ValidationError as error:
            raise _config_error(type(self), error, type(self).__name__) from None

    # By this mark of its own __init__ pydantic builds inner models without a call, so that their errors
    # are gathered with their place and only the outermost model raises.
    __init__.__pydantic_base_init__ = True  # type: ignore[attr-defined]

    def __setattr__(self, name: str, value: Any) -> None:
        if not name.startswith("_"):
            raise ConfigError(
                f"a {type(self).__name__} cannot be changed: make another one with {name}={shown(value)}"
            )
        super().__setattr__(name, value)

    def to_yaml(self) -> str:
        """The values as YAML, defaults written out."""
        return yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False, allow_unicode=True)


_TOLD = 6  # errors told at once
S = TypeVar("S", bound=Schema)


def parse(model: type[S], data: Mapping[str, Any], where: str) -> S:
    """Validate what the user wrote in a file (or on the ``"command line"``), which ``where`` names in errors.

    Raises:
        ConfigError: On what does not fit, with key path, value and a suggestion.
    """
    try:
        return model.model_validate(dict(data))
    except ValidationError as error:
        raise _config_error(model, error, where) from None


def nearest(word: str, known: list[str]) -> str:
    """Return ``"; did you mean 'x'?"`` for the closest known word, else the list of all."""
    return _near(word, known) or f" (known: {', '.join(known)})"


def _near(word: str, known: list[str]) -> str:
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    return f"; did you mean {close[0]!r}?" if close else ""


def _config_error(model: type[BaseModel], error: ValidationError, where: str) -> ConfigError:
    found = error.errors(include_url=False)
    lines = dict.fromkeys(_explain(model, dict(item)) for item in found[:_TOLD])
    more = f"; and {len(found) - _TOLD} more" if len(found) > _TOLD else ""
    return ConfigError(f"{where}: " + "; ".join(lines) + more)


def _explain(model: type[BaseModel], item: dict[str, Any]) -> str:
    location = [str(part) for part in item["loc"]]
    path = ".".join(location) or "(top level)"
    if item["type"] == "extra_forbidden":
        known = _known_keys(model, location[:-1])
        return f"unknown key {path!r}{nearest(location[-1], known)}"
    if item["type"] == "missing":
        return f"key {path!r} is missing"
    value = item.get("input")
    message = item["msg"].removeprefix("Value error, ")
    if item["type"] == "string_type":
        return f"{path}: {unquoted(value)}"
    got = "" if isinstance(value, dict) else f" (got {shown(value)})"
    if item["type"] == "literal_error":
        known = re.findall(r"'([^']*)'", item["ctx"]["expected"])
        got += _near(str(value), known)
    return f"{path}: {message}{got}"


def unquoted(value: Any) -> str:
    """Say what to do about a value that YAML took for something else than the text it is to be.

    >>> unquoted(True)
    "Input should be a valid string (got True): quote 'yes', 'on' or 'true'"
    """
    if isinstance(value, (list, tuple, dict)):
        return f"Input should be a valid string (got {shown(value)})"
    words = {True: "'yes', 'on' or 'true'", False: "'no', 'off' or 'false'", None: "'null' or '~'"}
    known = value is None or isinstance(value, bool)  # 1 is not True here
    quoted = words[value] if known else f"'{shown(value)}'"
    return f"Input should be a valid string (got {shown(value)}): quote {quoted}"


def _known_keys(model: type[BaseModel], path: list[str]) -> list[str]:
    for part in path:
        if part.isdigit():  # a place in a list, whose model was entered by the list's name
            continue
        section = section_of(model.model_fields[part].annotation) if part in model.model_fields else None
        if section is None:
            return []
        model = section
    return sorted(model.model_fields)


def section_of(annotation: Any) -> type[BaseModel] | None:
    """Return the schema of a section that a field holds; None where it holds something else."""
    for each in (annotation, *get_args(annotation)):
        if isinstance(each, type) and issubclass(each, BaseModel):
            return each
    return None
