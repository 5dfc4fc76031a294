"""The prompt that a method of this package chooses for a trial, and how it came to it.

A prompt's score is the accuracy of the model *before* training under it, on a random sample of the
training examples (``choose.examples``, another sample for every seed); ties go to the higher mean
log-probability of the right answers, then to the smaller id. Only what :class:`Seen` holds has a
part in a choice: the user's own prompt, training prompts, training examples.

The trial's folder gets ``choice.json``: the prompt, its score and the trace of all scores in the
order in which they came. Until then, and after, ``choice/`` holds every score as a matrix of
:mod:`paft.evaluate.runner`, with a log while it is made: searches are pure functions of seed and
scores, so one that was killed finds what it had and goes on where it was.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from paft.bank.diversity import embed_prompts, masked, require_sentence_transformers, sentence_embedder
from paft.bank.generate.generators import Generators
from paft.config import RunConfig
from paft.errors import DataError
from paft.evaluate.matrix import Matrix
from paft.evaluate.runner import evaluate_split
from paft.experiment.baselines.bat import bat
from paft.experiment.baselines.scores import Measured, Score, Scores
from paft.experiment.baselines.writers import BankWriter, ModelWriter
from paft.experiment.baselines.zopo import zopo
from paft.experiment.inputs import take
from paft.files import fingerprint, write_atomically, write_json
from paft.methods import Chooser
from paft.model.load import LanguageModel, load_model
from paft.progress import Reporter
from paft.prompt import Prompt
from paft.shape import ADVICE, read_record
from paft.task.task import Example, Task

if TYPE_CHECKING:
    from paft.experiment.baselines.tangent_kernel import Array

_STREAM = 0xC405E


@dataclass(frozen=True)
class Seen:
    """All that a choice is based on.

    Attributes:
        task: Says how answers are scored; its data is not read.
        own: The user's own prompt.
        prompts: The bank's training prompts.
        examples: Training examples.
        generators: Who rewrites prompts; None for nobody.
    """

    task: Task
    own: Prompt
    prompts: Sequence[Prompt]
    examples: Sequence[Example]
    generators: Generators | None = None


def most_cells(chooser: Chooser, seen: Seen, config: RunConfig) -> int:
    """Return how many (prompt, example) cells a choice scores at most."""
    count = min(config.choose.examples, len(seen.examples))
    every = len(seen.prompts)
    budget = config.choose.budget
    return count * {"top_accuracy": every, "zopo": min(budget, every), "bat": budget}[chooser]


def check_chooser(chooser: Chooser, config: RunConfig, generators: Generators | None) -> None:
    """Refuse, before anything is trained, a choice that this machine could not make.

    Raises:
        ConfigError: If a key is not in the environment.
        PromptError: If sentence-transformers is not installed.
    """
    if chooser == "zopo" and config.choose.embedding is not None:
        require_sentence_transformers(config.choose.embedding)
    if chooser == "bat" and generators is not None:
        for generator in generators.generators:
            if not generator.local:
                generator.endpoint.key()


def choose_prompt(
    chooser: Chooser, seen: Seen, config: RunConfig, folder: Path, reporter: Reporter, *, seed: int
) -> Prompt:
    """Choose a prompt for a trial, or return what a former run chose and left in the trial's folder.

    Raises:
        PaftError: If the model, a writer or the embedding cannot be had.
    """
    record = folder / "choice.json"
    if not record.exists():
        model = _Untrained(seen, config, folder / "choice", reporter, seed)
        budget = None if chooser == "top_accuracy" else config.choose.budget
        scores = Scores(model.measure, budget)
        found = _search(chooser, seen, config, model, scores, seed)
        write_json(
            record,
            {
                "chooser": chooser,
                "seed": seed,
                **found.row(),
                "examples": len(model.examples),
                "evaluations": len(scores.trace) * len(model.examples),
                "seconds": round(model.seconds, 2),
                "trace": [score.row() for score in scores.trace],
            },
        )
    return Prompt(read_record(record, "choice", {"template": str})["template"], {"source": chooser})


def _search(
    chooser: Chooser, seen: Seen, config: RunConfig, model: _Untrained, scores: Scores, seed: int
) -> Score:
    if chooser == "top_accuracy":
        # PAPER: "the prompt with the highest accuracy on the training set"; here on a sample of it.
        scores([(prompt, {"origin": "bank"}) for prompt in seen.prompts])
        return scores.best()
    if chooser == "zopo":
        return zopo(seen.prompts, model.vectors(), scores, budget=config.choose.budget, seed=seed)
    writer = (
        BankWriter(seen.prompts)
        if seen.generators is None
        else ModelWriter(seen.task, seen.generators, model.folder, seed)
    )
    return bat(seen.own, seen.task, writer, scores, seed=seed)


class _Untrained:
    """The model before training, loaded when it is needed; keeps in ``folder`` what it brings."""

    def __init__(self, seen: Seen, config: RunConfig, folder: Path, reporter: Reporter, seed: int) -> None:
        self.folder = folder
        self.examples = _sample(seen.examples, config.choose.examples, seed)
        self.seconds = 0.0
        self._seen, self._config, self._reporter = seen, config, reporter
        self._load = cache(
            lambda: load_model(
                config.pinned_model, chat=config.chat, trust_remote_code=config.trust_remote_code
            )
        )

    def measure(self, prompts: Sequence[Prompt]) -> list[Measured]:
        """Score prompts, or return what is known of them."""
        told = 0

        def tell(count: int) -> None:
            nonlocal told
            told += count
            self._reporter.advance(count)

        matrix, seconds = evaluate_split(
            self._load, self._seen.task, prompts, self.examples,
            folder=self.folder, split=f"scores-{fingerprint([prompt.id for prompt in prompts])}",
            settings=self._config.evaluate, max_length=self._config.train.max_length, on_cells=tell,
        )  # fmt: skip
        self._reporter.advance(len(matrix.cells) - told)
        self.seconds += seconds
        return measured(matrix, self.examples)

    def vectors(self) -> Array:
        """Return the training prompts as points, shape (P, dimensions)."""
        path = self.folder / "vectors.npy"
        if not path.exists():
            prompts, choose = self._seen.prompts, self._config.choose
            if choose.embedding is not None:
                found = embed_prompts(prompts, sentence_embedder(choose.embedding))
            else:
                found = hidden_states(self._load(), prompts, self._config.train.max_length)
            write_atomically(path, lambda part: _save(part, found))
        try:
            return np.asarray(np.load(path, allow_pickle=False))
        except (OSError, EOFError, ValueError) as error:
            raise DataError(f"{path} is damaged ({error}): {ADVICE}") from error


def hidden_states(language_model: LanguageModel, prompts: Sequence[Prompt], max_length: int) -> Array:
    """Return the mean of the last hidden states over each template's tokens, placeholders masked: (P, H)."""
    import torch

    model: Any = language_model.model
    found = []
    with torch.inference_mode():
        for prompt in prompts:  # one at a time: no padding that could move a bit
            ids = language_model.tokenizer(masked(prompt))["input_ids"][:max_length]
            out = model(torch.tensor([ids], device=language_model.device), output_hidden_states=True)
            found.append(out.hidden_states[-1][0].double().mean(dim=0).cpu().numpy())
    return np.stack(found)


def measured(matrix: Matrix, examples: Sequence[Example]) -> list[Measured]:
    """Return accuracy and mean log-probability of the right answers under each prompt of a matrix."""
    accuracies = matrix.scores.mean(axis=1)
    if not matrix.cells[0].log_probabilities:
        return [Measured(float(accuracy)) for accuracy in accuracies]
    right = [example.options.index(example.gold) for example in examples]
    found = [cell.log_probabilities[right[at % len(right)]] for at, cell in enumerate(matrix.cells)]
    means = np.array(found).reshape(len(accuracies), len(right)).mean(axis=1)
    return [Measured(float(a), float(mean)) for a, mean in zip(accuracies, means, strict=True)]


def _sample(examples: Sequence[Example], count: int, seed: int) -> list[Example]:
    order = np.random.default_rng([_STREAM, seed, len(examples)]).permutation(len(examples))
    return list(take(examples, np.sort(order[:count])))


def _save(part: Path, vectors: Array) -> None:
    with part.open("wb") as file:  # given a name, numpy would add a suffix to it
        np.save(file, vectors, allow_pickle=False)
