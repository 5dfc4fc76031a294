"""Which language models write prompts, and how they are asked: the generators file (YAML).

One file lists all generators of a bank, with defaults for the whole file at its top::

    few_shot: 20
    zero_shot: 20
    generators:
      - name: gpt
        model: gpt-4.1-mini
        api_key_env: OPENAI_API_KEY
      - name: local
        model: hf:Qwen/Qwen2.5-7B-Instruct

PAPER: ten models, each writing 20 few-shot and 20 zero-shot prompts. A key is never written here,
only the name of the environment variable that holds it.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, model_validator

from paft.bank.generate.meta_prompts import Strategy
from paft.files import read_yaml
from paft.model.endpoint import Endpoint, Patience, check_address
from paft.schema import NAME, Schema, parse

LOCAL = "hf:"


class Generator(Schema):
    """A language model that writes prompts.

    Attributes:
        name: Short name, unique in the file; part of every call's id.
        model: Model id at an OpenAI-compatible endpoint, or ``hf:`` with a Hub id or folder.
        base_url: The endpoint; OpenAI's own by default.
        api_key_env: Environment variable with the key; ``OPENAI_API_KEY`` for OpenAI's own
            endpoint, none for another one.
        temperature: Sampling temperature, 0 for greedy.
        top_p: Share of probability sampled from; the endpoint's default where left out.
        max_tokens: Tokens of one reply at most.
        seed: Makes sampling repeatable where the endpoint can; each attempt sends its own
            number derived from it.
        price_input: US dollars per million input tokens.
        price_output: US dollars per million output tokens.
        few_shot: Prompts wanted from this model by the few-shot strategy, if not the file's number.
        zero_shot: The same for the zero-shot strategy.
    """

    name: str = Field(pattern=NAME)
    model: str = Field(min_length=1)
    base_url: str | None = None
    api_key_env: str | None = None
    temperature: float = Field(default=1.0, ge=0, le=5)
    top_p: float | None = Field(default=None, gt=0, le=1)
    max_tokens: int = Field(default=2048, ge=1)
    seed: int | None = None
    price_input: float = Field(default=0.0, ge=0)
    price_output: float = Field(default=0.0, ge=0)
    few_shot: int | None = Field(default=None, ge=0)
    zero_shot: int | None = Field(default=None, ge=0)

    # Checked on the whole model, not by field: errors then show no value, and a key that somebody
    # put in the wrong place stays out of them.
    @model_validator(mode="after")
    def _check(self) -> Generator:
        if self.local and (self.base_url is not None or self.api_key_env is not None):
            raise ValueError(f"a local model ({LOCAL}...) takes neither `base_url` nor `api_key_env`")
        if self.local and not self.model.removeprefix(LOCAL):
            raise ValueError(f"`model: {LOCAL}` lacks the model's id or folder")
        check_address(self.base_url, self.api_key_env)
        return self

    @property
    def local(self) -> bool:
        """Whether the model runs in this process."""
        return self.model.startswith(LOCAL)

    @property
    def parameters(self) -> dict[str, float | int | None]:
        """What shapes a reply besides the messages and the model."""
        return self.model_dump(include={"temperature", "top_p", "max_tokens", "seed"})

    @property
    def endpoint(self) -> Endpoint:
        """How it is asked, if it does not run in this process."""
        shared = {"model", "base_url", "api_key_env", "temperature", "top_p", "max_tokens"}
        return Endpoint(title=f"generator {self.name!r}", **self.model_dump(include=shared))

    def cost(self, input_tokens: int, output_tokens: int) -> float:
        """US dollars for so many tokens."""
        return (input_tokens * self.price_input + output_tokens * self.price_output) / 1e6


class Generators(Patience):
    """The generators file.

    Attributes:
        generators: The models, in the order their prompts come in.
        few_shot: Prompts wanted per model by the few-shot strategy.
        zero_shot: Prompts wanted per model by the zero-shot strategy.
        per_call: Prompts asked for in one call.

    ``retries`` (:class:`paft.model.endpoint.Patience`) also counts further replies after a broken one.
    """

    generators: tuple[Generator, ...]
    few_shot: int = Field(default=20, ge=0)
    zero_shot: int = Field(default=20, ge=0)
    per_call: int = Field(default=10, ge=1)

    @model_validator(mode="after")
    def _check(self) -> Generators:
        if not self.generators:  # a bound on the field would show the whole list, keys and all
            raise ValueError("`generators` lists no model: give each a `name` and a `model`")
        names = [generator.name for generator in self.generators]
        doubled = sorted({name for name in names if names.count(name) > 1})
        if doubled:
            raise ValueError(f"two generators have the name {doubled[0]!r}: give each its own")
        idle = [
            g.name for g in self.generators if not self.wanted(g, "few-shot") + self.wanted(g, "zero-shot")
        ]
        if idle:
            raise ValueError(f"generator {idle[0]!r} is asked for no prompt: raise `few_shot` or `zero_shot`")
        return self

    @classmethod
    def from_yaml(cls, path: str | Path) -> Generators:
        """Load a generators file; errors name file, key and value."""
        return parse(cls, read_yaml(Path(path), "generators"), str(path))

    def wanted(self, generator: Generator, strategy: Strategy) -> int:
        """Prompts wanted from a model by a strategy."""
        few = strategy == "few-shot"
        own = generator.few_shot if few else generator.zero_shot
        return own if own is not None else self.few_shot if few else self.zero_shot
