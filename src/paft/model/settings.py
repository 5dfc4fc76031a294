"""Section ``chat``: how prompts are put to a model."""

from __future__ import annotations

from typing import Any

from pydantic import model_validator

from paft.schema import Schema


class Chat(Schema):
    """Whether prompts go to the model as turns of its own chat template; see :mod:`paft.model.chat`.

    Attributes:
        enabled: A rendered prompt is the user's turn, its answer the assistant's; else plain text.
        system: Text of a system turn before the user's; what the template does without by default.
    """

    enabled: bool = False
    system: str | None = None

    @model_validator(mode="after")
    def _check_system(self) -> Chat:
        if self.system is not None and not self.enabled:
            raise ValueError("a system turn needs chat: switch it on (--chat) or leave the system text out")
        if self.system is not None and not self.system.strip():
            raise ValueError("the system text is empty: leave it out")
        return self

    def identity(self) -> dict[str, Any] | None:
        """What a result depends on; None where chat is off."""
        return self.model_dump(mode="json") if self.enabled else None
