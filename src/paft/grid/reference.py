"""The row of a grid that the others are compared with."""

from __future__ import annotations

from typing import Any

from pydantic import model_validator

from paft.schema import Schema

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
