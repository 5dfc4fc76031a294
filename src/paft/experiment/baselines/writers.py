"""Who rewrites a prompt that perturbations hurt: language models, or the bank's own prompts.

A model gets the prompt, its accuracy and the versions that did worst with theirs, is asked what
makes it break and for rewrites without that weakness: the "simulated gradient" of BATprompt (Shi et
al. 2024, arXiv 2412.18196). Replies are screened as a bank's are (:mod:`paft.bank.screen`), and
kept on disk, since an endpoint would not give the same one again.

Without a model (``choose.writer: rules``) rewrites are the training prompts whose wording is most
like the prompt's. That is a stand-in of ours, for machines without a model that could write prompts.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from paft.bank.generate.generators import Generator, Generators
from paft.bank.generate.local import open_client
from paft.bank.generate.meta_prompts import meta_prompt, style_at
from paft.bank.generate.replies import candidates
from paft.bank.screen import screen
from paft.errors import DataError
from paft.experiment.baselines.bat import Attacked, Writer
from paft.experiment.baselines.scores import Score
from paft.files import fingerprint, read_json, write_json
from paft.prompt import Prompt
from paft.similarity import jaccard, letter_grams, skeleton
from paft.task.task import Task

TRIES = 2  # requests until one brings a usable rewrite


class BankWriter(Writer):
    """Offers training prompts, those most like the prompt first; failures have no part in it."""

    def __init__(self, prompts: Sequence[Prompt]) -> None:
        self._prompts = prompts

    def rewrites(
        self, current: Attacked, failures: Sequence[Score], tried: Sequence[Prompt], count: int
    ) -> list[Prompt]:
        known = {prompt.id for prompt in tried}
        own = letter_grams(skeleton(current.clean.prompt))
        fresh = [prompt for prompt in self._prompts if prompt.id not in known]
        likeness = {prompt.id: jaccard(own, letter_grams(skeleton(prompt))) for prompt in fresh}
        return sorted(fresh, key=lambda prompt: (-likeness[prompt.id], prompt.id))[:count]


class ModelWriter(Writer):
    """Has language models rewrite, in turn; other seeds ask for other replies, which a folder keeps."""

    def __init__(self, task: Task, generators: Generators, folder: Path, seed: int) -> None:
        self._task, self._generators, self._folder, self._seed = task, generators, folder, seed
        self._asked = 0

    def rewrites(
        self, current: Attacked, failures: Sequence[Score], tried: Sequence[Prompt], count: int
    ) -> list[Prompt]:
        """See :class:`Writer`.

        Raises:
            ConfigError: If a key is missing.
            ModelError: If an endpoint gives up.
        """
        for _ in range(TRIES):
            text = _request(self._task, current, failures, count, self._asked)
            generator = self._generators.generators[self._asked % len(self._generators.generators)]
            name = f"rewrite/{self._seed}/{self._asked}"
            self._asked += 1
            told = {"source": "bat", "parent": current.clean.prompt.id, "generator": generator.name,
                    "model": generator.model}  # fmt: skip
            reply = self._reply(generator, text, name)
            offered = [(template, told) for template in candidates(reply, self._task.placeholders)]
            kept = screen(offered, self._task, known=tried, skip=("duplicate_near",)).kept
            if kept:
                return list(kept[:count])
        return []

    def _reply(self, generator: Generator, text: str, name: str) -> str:
        """Ask, or read what was answered before a kill."""
        path = self._folder / f"reply-{fingerprint([name, generator.model, text])}.json"
        if path.exists():
            return _recorded(path)
        client = open_client(generator, self._generators)
        try:
            seed = int(fingerprint([name, generator.seed])[:8], 16) >> 1
            reply = client.ask([{"role": "user", "content": text}], name, seed, lambda why, wait: None)
        finally:
            client.close()
        row = {"request": text, "generator": generator.name, "reply": reply.text}
        write_json(path, {**row, "digest": fingerprint(row)})
        return reply.text


def _recorded(path: Path) -> str:
    """Return the reply in a file.

    Raises:
        DataError: If it is not what was written.
    """
    row = read_json(path, "reply")
    digest = row.pop("digest", None) if isinstance(row, dict) else None
    if digest is None or digest != fingerprint(row):
        raise DataError(f"{path} is damaged: delete it, and the model is asked again")
    return str(row["reply"])


def _request(task: Task, current: Attacked, failures: Sequence[Score], count: int, number: int) -> str:
    """Return what a model is asked: where the prompt breaks, then for templates as a bank's are asked for."""
    shown = [f"- {score.accuracy:.1%} right with {score.prompt.template!r}" for score in failures]
    prompt = current.clean.prompt
    [meta] = meta_prompt(task, "few-shot", count, style_at(number), [prompt])
    return "\n\n".join(
        [
            "A language model is given a prompt template, filled with one example at a time. With this one "
            f"it was right on {current.clean.accuracy:.1%} of the examples:",
            f"<template>\n{prompt.template}\n</template>",
            "When the template's wording was disturbed, it was right less often:",
            "\n".join(shown) or "(no disturbance that was tried harmed it)",
            "First work out which details of the wording the model depends on that such disturbances "
            "destroy. Then do what follows, so that the new templates do without these details and such "
            "disturbances harm them less.",
            meta["content"],
        ]
    )
