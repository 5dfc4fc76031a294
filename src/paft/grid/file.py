"""A grid file: one base configuration and named patches of it, by axis.

Example::

    # paft grid small.yaml
    output: runs/small
    data: data                  # joined with each run's relative `data`
    base: {model: tiny, methods: [base, single, paft], seeds: [0, 1, 2], train: {epochs: 3}}
    tasks:                                # at least one
      snips: {task: snips, bank: snips, data: snips}
    settings:                             # `models` and `settings` may be left out
      k1: {train.resample_every: 1, methods: [paft]}
    reference: paft                       # what rows are compared with, may be left out

A patch has the keys of ``paft run``'s configuration, nested or dotted. Later axes win: the base,
then the task, the model, the setting.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import Field, field_validator, model_validator

from paft.config import Patch, merged, parse_overrides
from paft.files import read_yaml
from paft.schema import Schema, parse

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
# What lies beside the runs' folders, or in one.
RESERVED = ("trials", "grid.yaml", "grid.lock", "results.json", "table.md", "report.html")

RowKey = tuple[str | None, str | None, str]  # model, setting, method: what tells the rows of a table apart


class Reference(Schema):
    """What ``reference`` in a grid file says; a bare method's name will do.

    What is not given stays that of the row compared, so ``paft`` is PAFT in the row's own setting.

    Attributes:
        model: Name on the axis of models.
        setting: Name on the axis of settings.
        method: A method.
    """

    model: str | None = None
    setting: str | None = None
    method: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _read_name(cls, data: Any) -> Any:
        return {"method": data} if isinstance(data, str) else data

    @model_validator(mode="after")
    def _check_any(self) -> Reference:
        if self == Reference.model_construct():
            raise ValueError(
                "name a method, a setting or a model, for instance {setting: plain, method: paft}"
            )
        return self

    def of(self, row: RowKey) -> RowKey:
        """Return the row that a row is compared with, perhaps itself.

        >>> Reference(setting="plain").of((None, "k1", "paft"))
        (None, 'plain', 'paft')
        """
        model, setting, method = row
        return self.model or model, self.setting or setting, self.method or method

    def __str__(self) -> str:
        """Return the method alone where that is all there is, else every key with its name."""
        if self.method and self.model is None and self.setting is None:
            return self.method
        return ", ".join(f"{key} {name}" for key, name in self if name is not None)


class GridFile(Schema):
    """What a grid file holds.

    Attributes:
        output: Folder for everything; ``runs/<name of the file>`` by default.
        data: Folder that a run's relative ``data`` lies in; the working directory by default.
        base: What all runs share, as for ``paft run``.
        tasks: Patches by name; a run's folder is ``<task>/<model>/<setting>``.
        models: Patches by name, none by default.
        settings: Patches by name, none by default.
        reference: What the other rows of the table are compared with, if anything.
    """

    output: str
    data: str | None = None
    base: Patch = Field(default_factory=dict)
    tasks: dict[str, Patch] = Field(min_length=1)
    models: dict[str, Patch] = Field(default_factory=dict)
    settings: dict[str, Patch] = Field(default_factory=dict)
    reference: Reference | None = None

    @field_validator("tasks", "models", "settings", mode="before")
    @classmethod
    def _check_names(cls, patches: Any) -> Any:
        if not isinstance(patches, dict):
            return patches
        for name in patches:
            if not isinstance(name, str):
                raise ValueError(f"the name {name!r} was not read as text: put it in quotes")
            if NAME.fullmatch(name) is None or name.lower() in RESERVED:
                raise ValueError(
                    f"{name!r} cannot name a folder: begin with a letter or digit, go on with letters, "
                    f"digits, '.', '_' and '-' (100 at most), and use none of {', '.join(RESERVED)}"
                )
        if len({name.lower() for name in patches}) < len(patches):
            raise ValueError("two names differ in case alone, so some file systems take them for one folder")
        return {name: {} if patch is None else patch for name, patch in patches.items()}


def load_grid(
    path: Path,
    overrides: Sequence[str] = (),
    *,
    output: str | None = None,
    data: str | None = None,
) -> GridFile:
    """Read a grid file.

    Args:
        path: The file.
        overrides: ``key=value`` on the base; patches of the axes win over them.
        output: Replaces the file's ``output``.
        data: Replaces the file's ``data``.

    Raises:
        ConfigError: If the file is malformed, a key is unknown or a name cannot be a folder.
        DataError: If the file cannot be read.
    """
    values = {"output": f"runs/{path.stem}", **read_yaml(path, "grid")}
    values |= {key: value for key, value in {"output": output, "data": data}.items() if value is not None}
    grid = parse(GridFile, values, str(path))
    base = merged(merged({}, grid.base, f"{path}: base"), parse_overrides(overrides), "--set")
    return grid.model_copy(update={"base": base})
