"""The plan of a generation: which calls are made, with which words, and about what they will cost.

The plan is a pure function of the task and the generators file. Calls are numbered within a
generator and strategy, and their style briefs follow from that number and the generator's place in
the file, so adding a generator at the end or asking for more prompts leaves all other calls as they
were.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from paft.bank.generate.generators import Generator, Generators
from paft.bank.generate.meta_prompts import STRATEGIES, Strategy, meta_prompt, style_at
from paft.files import fingerprint
from paft.model.endpoint import CHARACTERS_PER_TOKEN, Message
from paft.task.task import Task

# PAPER: 11.75 thousand tokens bought 400 prompts, 29 each. JSON around them, longer styles and
# replies that have to be asked for again about double it.
OUTPUT_TOKENS = 29
MARGIN = 2
MESSAGE_TOKENS = 16  # what chat templates put around a message, at most


@dataclass(frozen=True)
class Call:
    """One request for templates.

    Attributes:
        generator: Who is asked.
        strategy: By which strategy.
        number: Position within generator and strategy, from 0.
        style: Name of the style brief.
        count: Templates asked for.
        messages: The meta-prompt.
        placeholders: Names a template may use.
    """

    generator: Generator
    strategy: Strategy
    number: int
    style: str
    count: int
    messages: tuple[Message, ...]
    placeholders: tuple[str, ...]

    @property
    def id(self) -> str:
        """Readable and unique within a plan, such as ``gpt/few-shot/0``."""
        return f"{self.generator.name}/{self.strategy}/{self.number}"

    @cached_property
    def request(self) -> str:
        """Hash of everything that shapes the reply."""
        return fingerprint([list(self.messages), self.generator.model, self.generator.parameters])

    @property
    def input_tokens(self) -> int:
        """Estimate of the request's tokens, from its length."""
        return -(-sum(len(message["content"]) for message in self.messages) // CHARACTERS_PER_TOKEN)

    @property
    def output_tokens(self) -> int:
        """Estimate of the reply's tokens."""
        return min(self.count * OUTPUT_TOKENS * MARGIN, self.generator.max_tokens)

    def most_tokens(self, text: str) -> tuple[int, int]:
        """Tokens of the request and of a reply at most: no text has more of them than bytes.

        ``text`` was replied; hidden reasoning may have come before it.
        """
        asked = sum(len(message["content"].encode("utf-8")) + MESSAGE_TOKENS for message in self.messages)
        return asked, max(self.generator.max_tokens, len(text.encode("utf-8")))

    def seed(self, attempt: int) -> int | None:
        """The seed to send: another one for every call and attempt; None if the user gave none."""
        if self.generator.seed is None:
            return None
        return int(fingerprint([self.generator.seed, self.id, attempt])[:8], 16) >> 1


def plan(task: Task, generators: Generators) -> list[Call]:
    """Return all calls, in the order in which the candidates stand in the end."""
    calls = []
    for place, generator in enumerate(generators.generators):
        for kind, strategy in enumerate(STRATEGIES):
            wanted = generators.wanted(generator, strategy)
            for number, first in enumerate(range(0, wanted, generators.per_call)):
                count = min(generators.per_call, wanted - first)
                # Generators and strategies begin at different briefs: with two calls each all would else have
                # the same two.
                style = style_at(number + 4 * place + 2 * kind)
                messages = tuple(meta_prompt(task, strategy, count, style, task.prompts))
                call = Call(
                    generator, strategy, number, style.name, count, messages, tuple(task.placeholders)
                )
                calls.append(call)
    return calls


def dry_run(task: Task, generators: Generators) -> str:
    """Describe what would be done, without asking anybody: estimates, calls, one meta-prompt of each kind."""
    calls = plan(task, generators)
    lines = [f"{len(calls)} calls for {sum(call.count for call in calls)} prompts of task {task.name!r}", ""]
    for generator in generators.generators:
        lines.append(f"{generator.name} ({generator.model}): {_estimate(calls, generator)}")
    price = sum(call.generator.cost(call.input_tokens, call.output_tokens) for call in calls)
    asked, answered = sum(call.input_tokens for call in calls), sum(call.output_tokens for call in calls)
    lines += [
        f"all together: about {asked} input and {answered} output tokens{_dollars(price)}",
        f"(estimates: {CHARACTERS_PER_TOKEN} characters an input token, {OUTPUT_TOKENS * MARGIN} output "
        "tokens a prompt; hidden reasoning and broken replies come on top)",
        "",
        *(f"{call.id}: {call.count} prompts, style {call.style}" for call in calls),
    ]
    for strategy in STRATEGIES:
        first = next((call for call in calls if call.strategy == strategy), None)
        if first is not None:
            lines += ["", f"----- meta-prompt of {first.id}", *(m["content"] for m in first.messages)]
    return "\n".join(lines) + "\n"


def _estimate(calls: Sequence[Call], generator: Generator) -> str:
    own = [call for call in calls if call.generator.name == generator.name]
    tokens = sum(call.input_tokens for call in own), sum(call.output_tokens for call in own)
    return (
        f"{len(own)} calls, {sum(call.count for call in own)} prompts, about {tokens[0]} input and "
        f"{tokens[1]} output tokens{_dollars(generator.cost(*tokens))}"
    )


def _dollars(price: float) -> str:
    return f", {price:.2f} US dollars" if price else ", no price given"
