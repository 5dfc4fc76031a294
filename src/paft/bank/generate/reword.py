"""Rewording of unseen prompts by a language model, for the adversarial split.

One call a prompt, so that every rewording knows its parent. A reply that has no usable template (it
lost a field, asks for another answer, repeats a prompt) is passed over, and so is a request that a
content filter refuses; the caller fills the gap with deterministic versions (:mod:`paft.bank.adversarial`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from paft.bank.generate.generators import Generator, Generators
from paft.bank.generate.local import open_client
from paft.bank.generate.replies import candidates
from paft.bank.screen import screen
from paft.model.endpoint import Client, WithheldError
from paft.prompt import Prompt
from paft.task.task import Task

INSTRUCTION = Prompt(
    """\
Here is a prompt template for a language model:

<template>
{template}
</template>

Rewrite it so that it asks for exactly the same thing in words that nobody would expect: roundabout,
clumsy, old-fashioned or chatty, in another order, with other punctuation. Keep the placeholders in
braces ({placeholders}) exactly as they are, each as often as in the template. Keep the names of the
possible answers. Do not answer it. The template must still end where the answer comes next.

Reply with one JSON object and nothing else: {{"prompts": ["your rewritten template"]}}"""
)


def reword(
    prompts: Sequence[Prompt],
    task: Task,
    generators: Generators,
    count: int,
    *,
    known: Sequence[Prompt] = (),
    seed: int = 0,
) -> list[Prompt]:
    """Return at most ``count`` rewordings of as many different prompts, by all generators in turn.

    A hash of the seed chooses the prompts; no rewording repeats one that is ``known``.
    """
    clients = {generator.name: open_client(generator, generators) for generator in generators.generators}
    order = sorted(prompts, key=lambda p: hashlib.sha256(f"{seed}:{p.id}".encode()).hexdigest())
    found: list[Prompt] = []
    try:
        for turn, prompt in enumerate(order[: 2 * count]):
            if len(found) == count:
                break
            generator = generators.generators[turn % len(generators.generators)]
            version = _ask(clients[generator.name], generator, prompt, task, [*prompts, *known, *found], seed)
            if version is not None:
                found.append(version)
    finally:
        for client in clients.values():
            client.close()
    return found


def _ask(
    client: Client, generator: Generator, prompt: Prompt, task: Task, known: Sequence[Prompt], seed: int
) -> Prompt | None:
    names = ", ".join("{" + name + "}" for name in dict.fromkeys(prompt.placeholders))
    text = INSTRUCTION.render({"placeholders": names, "template": prompt.template})
    message = {"role": "user", "content": text}
    try:
        reply = client.ask([message], f"reword/{prompt.id}", seed, lambda why, wait: None)
    except WithheldError:
        return None
    provenance = {
        "source": "adversarial",
        "kind": "reword",
        "parent": prompt.id,
        "generator": generator.name,
        "model": generator.model,
    }
    offered = [(template, provenance) for template in candidates(reply.text, task.placeholders)]
    kept = screen(offered, task, known=known, skip=("duplicate_near", "placeholder_repeated")).kept
    return next((p for p in kept if sorted(p.placeholders) == sorted(prompt.placeholders)), None)
