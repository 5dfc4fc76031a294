"""YAML of other tools: read as text and structure alone, written so that every parser reads the same texts.

A file from elsewhere may carry tags that name Python objects. The base loader knows no tag: every
scalar is a string, every collection a list or dict, so nothing is constructed, imported or run, and
no value changes its spelling on the way (``Yes`` stays ``Yes``).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from paft.errors import DataError
from paft.files import read_text


def load_yaml(path: Path) -> Any:
    """Return a YAML file's content: dicts, lists and strings; errors name file and line."""
    text = read_text(path, "bank")
    try:
        return yaml.load(text, Loader=yaml.BaseLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f":{mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or getattr(error, "reason", None) or "malformed"
        raise DataError(f"{path}{where}: not valid YAML: {problem}") from None
    except RecursionError:
        raise DataError(f"{path}: YAML nested too deeply to be a set of prompts") from None


class Dumper(yaml.SafeDumper):
    """Writes texts of several lines as blocks."""


def _text(dumper: Dumper, text: str) -> yaml.ScalarNode:
    # YAML 1.1 takes these for line breaks and YAML 1.2 does not: escaped, both read the same text.
    odd = any(char in text for char in "\x85\u2028\u2029")
    style = '"' if odd else "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style)


Dumper.add_representer(str, _text)


def yaml_text(data: Any) -> str:
    """Return YAML in the order of the data, which every parser reads back as the same texts."""
    options: dict[str, Any] = {"sort_keys": False, "allow_unicode": True, "width": float("inf")}
    return str(yaml.dump(data, Dumper=Dumper, **options))
