"""Section ``evaluate``."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from paft.schema import Schema


class Evaluate(Schema):
    """Stage 3.

    Attributes:
        examples: Test examples used at most (a fixed random sample); all by default.
        choose: The option with the largest log-probability (``sum``) or the largest one per token
            (``mean``) is the prediction.
        batch_tokens: Tokens per forward pass at most; lower it when memory runs out.
        allow_code: Whether answers that are programs (rule ``code``) may be run on this machine.
        generate: Whether answers of closed rules are generated and read, as a server's are, instead of
            scored by likelihood: what a deployed model says, and what saying it costs.
        generated_sample: Cells at most of closed rules whose answers are generated too, besides their
            likelihood: how many are readable, and right, when a model writes them; 0 for none.
    """

    examples: int | None = Field(default=None, ge=1)
    choose: Literal["sum", "mean"] = "sum"
    batch_tokens: int = Field(default=4096, ge=1)
    allow_code: bool = False
    generate: bool = False
    generated_sample: int = Field(default=100, ge=0)
