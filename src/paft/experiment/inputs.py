"""What a run works on: task, bank and examples, loaded and checked before anything is written."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from types import NoneType
from typing import TYPE_CHECKING

import numpy as np

from paft.bank import Bank, near_duplicates_across
from paft.bank.generate.generators import Generators
from paft.config import BUILTIN_TASK, RunConfig
from paft.errors import ConfigError, DataError, PromptError, expect
from paft.evaluate.settings import Evaluate
from paft.experiment.bank_choice import check_prompts, choose_bank, is_composed
from paft.experiment.baselines.settings import RULES
from paft.methods import METHODS, Method
from paft.model.adapter import refuse_as_model
from paft.model.encode import Encoder
from paft.model.load import check_model, load_encoder, resolve_model
from paft.prompt import Prompt
from paft.similarity import skeleton
from paft.task.programs.code_answer import check_opt_in
from paft.task.repeats import count_repeats, hold_out, repeats_warning
from paft.task.task import CHECKED, Example, Examples, Split, Task, load_task
from paft.train.adapt import check_adapt, check_start
from paft.train.arguments import check_optimizer, report_to
from paft.train.grpo.rewards import load_reward
from paft.train.grpo.settings import check_extras
from paft.train.schedule import make_schedule
from paft.train.settings import Train

if TYPE_CHECKING:
    from paft.train.validation import Validation

SCORING = ("choose", "generate")  # settings of evaluation that decide what a validation finds
VALIDATION_CELLS = 50  # below so many a validation is warned of
_STREAM = 0xDA7A
_HELD_OUT = 0xDA7B
_PROMPTS = 0xDA7C


@dataclass(frozen=True)
class Inputs:
    """Everything loaded once for all trials.

    Attributes:
        task: The task.
        bank: All prompts.
        train: Training examples in use; with ``train.redraw`` those of one seed (:meth:`for_seed`).
        test: Test examples in use; none where nothing is evaluated.
        validation: Examples for validation during training, if there is to be any.
        generators: Language models that rewrite prompts for methods that have it done, if any.
        warnings: What was found that is no reason to stop.
        hints: What a user may have overlooked, which no record keeps.
        pool: What training examples are drawn from anew for each seed; empty where all seeds have the same.
        composed: Whether the bank was composed, since none was given.
    """

    task: Task
    bank: Bank
    train: Sequence[Example]
    test: Sequence[Example]
    validation: Sequence[Example] = ()
    generators: Generators | None = None
    warnings: Sequence[str] = ()
    hints: Sequence[str] = ()
    pool: Sequence[Example] = ()
    composed: bool = False

    def for_seed(self, seed: int | None) -> Inputs:
        """Return what one trial works on: with ``train.redraw`` its own training examples."""
        if not self.pool or seed is None:
            return self
        return dataclasses.replace(self, train=sample(self.pool, len(self.train), seed))

    @cached_property
    def repeats(self) -> list[str]:
        """Warnings of test or validation examples that are training examples; all are read for it."""
        splits = {"test": self.test, "validation": self.validation}
        return [
            warning
            for split, examples in splits.items()
            for warning in repeats_warning(
                count_repeats(self.pool or self.train, examples), len(examples), split
            )
        ]

    def tested_prompts(self) -> dict[str, Sequence[Prompt]]:
        """Prompts to evaluate on, by split: unseen ones, adversarial ones if any, the user's own."""
        splits: dict[str, Sequence[Prompt]] = {"test": self.bank.require("test")}
        if self.bank.prompts("adversarial"):
            splits["adversarial"] = self.bank.prompts("adversarial")
        splits["user"] = self.task.prompts[:1]  # the others are examples for those who write prompts
        return splits

    def validated(self, settings: Evaluate) -> Validation | None:
        """What a training is validated on, if it is to be; scored as its weights will be evaluated."""
        if not self.validation:
            return None
        from paft.evaluate.cells import score_cells
        from paft.train.validation import Validation

        rule = {key: getattr(settings, key) for key in SCORING}
        score = partial(score_cells, batch_tokens=settings.batch_tokens, **rule)
        changed = {key: value for key, value in rule.items() if value != getattr(Evaluate(), key)}
        return Validation(self.task, self.bank.require("validation"), self.validation, score, changed)

    def training_prompts(
        self, method: Method, settings: Train, chosen: Prompt | None = None, *, seed: int = 0
    ) -> list[Prompt]:
        """The prompts a method trains on; the user's own is the first of them if it has a share.

        Args:
            method: The method.
            settings: Training settings as it has them.
            chosen: What a method chose that trains on one prompt of its choice.
            seed: The run's, which chooses where not all prompts are to be used.

        Raises:
            ConfigError: If such a method has not chosen yet, or the bank has too few prompts.
        """
        if method.prompts == "chosen":
            if chosen is None:
                raise ConfigError(
                    f"method {method.chooser!r} chooses the prompt it trains on while it runs, and "
                    "writes it to choice.json beside the weights"
                )
            return [chosen]
        own = self.task.prompts[0]
        if method.prompts == "user":
            return [own]
        seen = some(self.bank.require("train"), settings.prompts, seed)
        if not settings.user_prompt_first:
            return list(seen)
        return [own, *(prompt for prompt in seen if prompt.id != own.id)]


def blank_fields(task: Task, split: Split, examples: Sequence[Example]) -> list[str]:
    """Return a warning if fields are empty in some examples, and one if such fields are options.

    Of many examples the first ``CHECKED`` are looked at, as when they are loaded.
    """
    looked = examples[:CHECKED]
    blank = {name: [e for e in looked if not e.fields[name].strip()] for name in task.fields}
    words = [word for word in task.answer.words or () if word in task.fields]
    kinds = (
        (words, f"an empty option among {', '.join(words)}, which a model may choose like the others"),
        ([name for name in blank if name not in words], "an empty field"),
    )
    found = []
    for names, what in kinds:
        by_index = {e.index: e for name in names for e in blank[name]}
        if not by_index:
            continue
        counts = ", ".join(f"{name} {len(blank[name]):,}" for name in names if blank[name])
        todo = "fill it in, or remove these rows" + (", unless it may be empty" if names is not words else "")
        found.append(
            f"{len(by_index):,} of {len(looked):,} {'training' if split == 'train' else split} examples have "
            f"{what} ({counts}; first {task.place(split, min(by_index))}): {todo}"
        )
    return found


def some(prompts: Sequence[Prompt], count: int | None, seed: int) -> list[Prompt]:
    """Return a random choice of prompts, in their order; all of them for None.

    The choice of a smaller count is a part of that of a larger one.

    Raises:
        ConfigError: If there are fewer.
    """
    if count is None:
        return list(prompts)
    if count > len(prompts):
        raise ConfigError(f"train.prompts {count}: the bank has {len(prompts)} training prompts")
    order = np.random.default_rng([_PROMPTS, seed]).permutation(len(prompts))
    return [prompts[i] for i in sorted(order[:count])]


def load_inputs(
    config: RunConfig,
    task: Task | None = None,
    bank: Bank | None = None,
    *,
    evaluate: bool = True,
    methods: Sequence[str] | None = None,
) -> Inputs:
    """Load what is not given, and check task, bank, examples and methods.

    ``evaluate`` says whether test prompts and test examples are needed too; ``methods`` are those to check,
    by default those of the configuration.

    Raises:
        PaftError: On the first thing that cannot be used.
    """
    expect(task, (Task, NoneType), "the task")
    expect(bank, (Bank, NoneType), "the bank")
    config = config.of_task(task)
    task = task or load_task(config.task, config.data)
    if evaluate or config.train.algorithm == "grpo":  # whose rewards are scores
        check_opt_in(task, config.evaluate.allow_code)
    if task.answer.rule == "code" and config.train.validate_every is not None:
        raise ConfigError(f"answers of task {task.name!r} are programs: train without validate_every")
    given = bank is not None or config.bank is not None
    bank = bank or choose_bank(config, task, Path(config.output))
    _check_prompts(config, task, bank)
    bank.require("train")
    if evaluate:
        bank.require("test")
    near_duplicates_across(bank)  # refuses a prompt that is both seen and unseen
    _check_own(task, bank)
    refuse_as_model(config.model)
    model = Path(resolve_model(config.model))
    if model.is_dir() and not (model / "config.json").exists():
        raise ConfigError(f"model folder {model} has no config.json: is it the right folder?")
    pool = task.examples("train") if config.train.redraw else ()
    train = pool or sample(task.examples("train"), config.train.examples)
    test = sample(task.examples("test"), config.evaluate.examples) if evaluate else ()
    validation: Sequence[Example] = ()
    if config.train.validate_every is not None:
        bank.require("validation")
        train, validation = validation_split(task, train, config.train.validate_examples)
    if pool:
        pool, train = train, sample(train, config.train.examples)
    writer = config.choose.writer
    generators = None if writer == RULES else Generators.from_yaml(Path(writer))
    composed = not given and is_composed(bank)
    inputs = Inputs(task, bank, train, test, validation, generators, pool=pool, composed=composed)
    for name in config.methods if methods is None else methods:
        check_method(name, config, inputs)
    return inputs


def check_trained(config: RunConfig) -> None:
    """Refuse a model, an adapter, an extra or a reward function that cannot be had; no weights are loaded.

    Raises:
        PaftError: Saying why.
    """
    train, trusted = config.train, config.trust_remote_code
    check_model(config.pinned_model, config.chat, trust_remote_code=trusted)
    check_adapt(config.pinned_model, train.adapt, trust_remote_code=trusted)
    if train.start_from is not None:
        check_start(config.pinned_model, train.start_from, train.adapt, trust_remote_code=trusted)
    if train.algorithm == "grpo":
        check_extras(train.grpo)
        for spec in train.grpo.rewards:
            load_reward(spec)


def encoder_of(config: RunConfig) -> Encoder:
    """Load the encoder that a run's model is trained and evaluated with; no weights are loaded."""
    return load_encoder(
        config.pinned_model, config.train.max_length, config.chat, trust_remote_code=config.trust_remote_code
    )


def _check_prompts(config: RunConfig, task: Task, bank: Bank) -> None:
    """Refuse a bank whose prompts do not fit the task, which nobody may have named."""
    try:
        check_prompts(bank, task)
    except PromptError as error:
        if config.task != BUILTIN_TASK or config.bank is None:
            raise
        raise PromptError(f"{error}; where no task is given it is {BUILTIN_TASK!r}: name yours") from None


def chat_hint(encoder: Encoder, config: RunConfig) -> list[str]:
    """Hint at a chat template that is not used, if the model has one."""
    if config.chat.enabled or not encoder.tokenizer.chat_template:
        return []
    return [
        f"hint: {config.model} has a chat template, which is off: chat.enabled (--chat) asks in its turns"
    ]


def few_validation_cells(inputs: Inputs) -> list[str]:
    """Warn of a validation so small that its best is a matter of luck."""
    examples, prompts = len(inputs.validation), len(inputs.bank.prompts("validation"))
    if not examples or examples * prompts >= VALIDATION_CELLS:
        return []
    return [
        f"a validation looks at {examples} examples x {prompts} prompts, {examples * prompts} cells: below "
        f"{VALIDATION_CELLS} one answer moves it by points; give more `data.validation` or validation prompts"
    ]


def _check_own(task: Task, bank: Bank) -> None:
    """Refuse a bank with unseen prompts that have the words of the task's own."""
    own = {skeleton(prompt) for prompt in task.prompts}
    for split in ("validation", "test"):
        for prompt in bank.prompts(split):
            if skeleton(prompt) in own:
                raise ConfigError(
                    f"the bank's {split} prompt {prompt.template!r} has the words of the user prompt, "
                    "which method 'single' trains on, so it is not unseen: remove it from one of them"
                )


def check_method(name: str, config: RunConfig, inputs: Inputs) -> None:
    """Refuse a method whose trials could not be trained, before any of the run is.

    Raises:
        ConfigError: If the settings do not go with the method, its schedule or its prompts.
    """
    method = METHODS[name]
    if method.schedule is None:
        return
    try:
        settings = method.settings(config.train)
        _check_micro_batches(settings)
        report_to(settings, None)
        if settings.optimizer != Train().optimizer:
            check_optimizer(settings.optimizer)
        any_prompt = inputs.task.prompts[0]  # stands for the one that a method chooses as it runs
        for seed in config.seeds:
            prompts = inputs.training_prompts(method, settings, any_prompt, seed=seed)
            make_schedule(settings, len(prompts), seed=seed, examples=len(inputs.train))
    except ConfigError as error:
        raise ConfigError(f"method {name!r}: {error}") from None


def _check_micro_batches(settings: Train) -> None:
    """Refuse micro-batches that no number of devices makes a step of; the trainer counts the devices."""
    if settings.micro_batch_size is not None and settings.rows_per_step % settings.micro_batch_size:
        each = f" x {settings.grpo.generations} generations" if settings.algorithm == "grpo" else ""
        raise ConfigError(
            f"train.batch_size {settings.batch_size}{each} is not a multiple of micro_batch_size "
            f"{settings.micro_batch_size}: change one of them"
        )


def validation_split(
    task: Task, train: Sequence[Example], count: int
) -> tuple[Sequence[Example], Sequence[Example]]:
    """Return training and validation examples, disjoint; test examples have no part in it.

    The task's validation data is used if it has any, ``count`` of it at most; else at most a tenth of the
    training examples is held out, those with the same fields together.

    Raises:
        DataError: If there are too few training examples to hold any out, or too few different ones.
    """
    if task.data.validation is not None:
        found = task.examples("validation")
        return train, sample(found, min(count, len(found)))
    count = min(count, len(train) // 10)
    if count == 0:
        raise DataError(
            f"{len(train)} training examples are too few to hold a tenth of them out for validation: give "
            "the task `data.validation`, or train without validate_every"
        )
    order = np.random.default_rng([_HELD_OUT, len(train)]).permutation(len(train))
    held = hold_out(train, order, count)
    if not len(held):
        raise DataError(
            f"each of {len(train)} training examples is repeated more than {count} times, so a tenth of them "
            "cannot be held out for validation: remove repeats, give the task `data.validation`, or train "
            "without validate_every"
        )
    return take(train, np.delete(np.arange(len(train)), held)), take(train, held)


def sample(examples: Sequence[Example], count: int | None, seed: int | None = None) -> Sequence[Example]:
    """Return a fixed random sample in data order, the same for every method and, unless given, every seed.

    Raises:
        DataError: If there are fewer examples than asked for.
    """
    if count is None or count == len(examples):
        return examples
    if count > len(examples):
        raise DataError(
            f"{count} examples were asked for, but there are only {len(examples)}: ask for fewer, or leave "
            "the number out for all"
        )
    stream = [_STREAM, len(examples)] + ([] if seed is None else [seed])
    chosen = np.random.default_rng(stream).permutation(len(examples))[:count]
    return take(examples, np.sort(chosen))


def take(examples: Sequence[Example], numbers: np.ndarray) -> Sequence[Example]:
    """Return the examples of these numbers, still on disk if they lie there."""
    return examples.take(numbers) if isinstance(examples, Examples) else [examples[i] for i in numbers]
