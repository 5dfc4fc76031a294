"""The row of a grid that the others are compared with."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from pydantic import model_validator

from paft.errors import ConfigError
from paft.schema import Schema, nearest

if TYPE_CHECKING:
    from paft.grid.file import GridFile
    from paft.grid.plan import RunPlan

RowKey = tuple[str | None, str | None, str]  # model, setting, method


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
        given = {key: name for key, name in self if name is not None}
        return (
            self.method
            if self.method and len(given) == 1
            else ", ".join(f"{k} {v}" for k, v in given.items())
        )


def check_reference(grid: GridFile, runs: Sequence[RunPlan], where: str) -> None:
    """Make sure that some run of a grid has its reference; a grid without one passes.

    Args:
        grid: The grid.
        runs: Its runs.
        where: Its file, for errors.

    Raises:
        ConfigError: If a name is unknown, or no run there is has the method.
    """
    if grid.reference is None:
        return
    chosen = list(runs)
    for key, axis in (("model", grid.models), ("setting", grid.settings)):
        name = getattr(grid.reference, key)
        if name is not None:
            _check_known(name, axis, f"{where}: reference.{key}: the grid has no {key} {name!r}")
            chosen = [run for run in chosen if getattr(run, key) == name]
    method = grid.reference.method
    if method is not None:
        methods = dict.fromkeys(each for run in chosen for each in run.config.methods)
        runs_there = "run" if len(chosen) == len(runs) else f"run of {_axes(grid.reference)}"
        _check_known(method, methods, f"{where}: reference.method: no {runs_there} has method {method!r}")


def _check_known(name: str, known: Iterable[str], message: str) -> None:
    names = list(known)
    if name not in names:
        raise ConfigError(message + (nearest(name, names) if names else ", nor any other: leave it out"))


def _axes(reference: Reference) -> str:
    given = {"model": reference.model, "setting": reference.setting}
    return ", ".join(f"{key} {name!r}" for key, name in given.items() if name is not None)
