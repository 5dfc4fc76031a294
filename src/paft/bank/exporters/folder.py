"""The YAML and Parquet files of an exported folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml


class _Dumper(yaml.SafeDumper):
    """Writes texts of several lines as blocks."""


def _text(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    # YAML 1.1 takes these for line breaks and YAML 1.2 does not: escaped, both read the same text.
    odd = any(char in text for char in "\x85\u2028\u2029")
    style = '"' if odd else "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style)


_Dumper.add_representer(str, _text)


def yaml_text(data: Any) -> str:
    """Return YAML in the order of the data, which every parser reads back as the same texts."""
    options: dict[str, Any] = {"sort_keys": False, "allow_unicode": True, "width": float("inf")}
    return str(yaml.dump(data, Dumper=_Dumper, **options))


def write_parquet(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write rows of texts, whole numbers and lists of texts, all of one shape.

    Parquet states its types. A loader of JSON or CSV guesses them, and makes a date of a text that
    looks like one: the prompt would then show another spelling than the data.
    """
    import pyarrow as pa
    from pyarrow import parquet

    types = {str: pa.string(), int: pa.int64(), list: pa.list_(pa.string())}
    schema = pa.schema([(name, types[type(value)]) for name, value in rows[0].items()])
    parquet.write_table(pa.Table.from_pylist([dict(row) for row in rows], schema=schema), path)
