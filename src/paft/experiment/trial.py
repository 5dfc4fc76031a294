"""One trial of a comparison: one method under one seed, trained and evaluated.

A trial's folder fills in order: ``choice.json`` (of a method that chooses its prompt), ``adapter/``
(``model/`` when all weights are trained), ``train.json``, ``<split>.parquet`` for each evaluated split,
``trial.json``, and last the weights' model card. A finished file is never made again, so an interrupted
trial continues behind its last finished part. While it trains, ``adapter-checkpoints/``
(``model-checkpoints/``) holds what it goes on from when killed. A trial that diverged holds
``failed.json`` instead, which says what went wrong: a trial is a function of its inputs, which the
output folder is tied to, so it would fail again, and the next call tells the failure and does not train.
"""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Mapping, Sequence
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paft.config import RunConfig
from paft.errors import DataError, DivergedError, NotFiniteError
from paft.evaluate.rows import cell_warnings, model_rows
from paft.evaluate.runner import evaluate_sample, evaluate_split, processes, sample_name
from paft.experiment.baselines.choice import Seen, choose_prompt, most_cells
from paft.experiment.inputs import Inputs
from paft.files import write_json
from paft.methods import METHODS
from paft.model.load import LanguageModel, load_model
from paft.progress import Reporter
from paft.prompt import Prompt
from paft.report.card import CardSubject, level_note, write_card
from paft.report.method_rows import prompts_name
from paft.report.run_folder import SUMMARY, TRAINED, Trial, weights_name
from paft.shape import ADVICE, TRIAL, read_record
from paft.shape import TRAINED as TRAINED_SHAPE
from paft.similarity import near_pairs
from paft.train.checkpoint import remove_checkpoints
from paft.train.schedule import make_schedule
from paft.train.settings import Train
from paft.train.step_time import Pace

if TYPE_CHECKING:
    from paft.train.loop import Trained
    from paft.train.validation import Validation

FAILED = "failed.json"
SPLITS = ("test", "adversarial", "user")
UNTRAINED = {"steps": 0, "tokens": 0, "seconds": 0.0, "truncated": 0}


def write_trial_card(plan: Trial, config: RunConfig, inputs: Inputs, folder: Path) -> None:
    """Write the model card of a trial (:func:`paft.report.card.write_card`)."""
    train, method = config.train, METHODS[plan.method]
    subject = CardSubject(
        name=plan.name,
        method=plan.method,
        summary=method.summary,
        seed=plan.seed,
        task=inputs.task,
        bank=inputs.bank.fingerprint,
        prompts=method.prompts,
        bank_prompts=train.prompts or len(inputs.bank.prompts("train")),
        resample_every=train.resample_every if method.schedule == "block" else None,
        epochs=train.epochs if method.settings(train).tokens is train.max_steps is None else None,
        examples=len(inputs.train),
        notes=[*level_note(inputs.test), *inputs.repeats],
    )
    write_card(subject, config, folder, folder / weights_name(config))


def run_trial(
    plan: Trial, config: RunConfig, inputs: Inputs, folder: Path, reporter: Reporter
) -> dict[str, Any]:
    """Train and evaluate one trial, or return what a former run left.

    Returns:
        Lists ``rows``, ``per_prompt``, ``robustness`` and ``warnings``, as in ``results.json``.

    Raises:
        DivergedError: If what it trained gives no finite numbers, now or in a former call.
        DataError: If a file that a former run left is damaged.
    """
    inputs = inputs.for_seed(plan.seed)
    done = folder / SUMMARY
    if done.exists():
        result = read_record(done, "trial", TRIAL)
        if not result["rows"]:
            raise DataError(f"{done} is damaged (it has no row): {ADVICE}")
        # Under another threshold other prompts count, which follows from the matrices.
        if result["rows"][0]["top_threshold"] == inputs.task.thresholds[0]:
            write_trial_card(plan, config, inputs, folder)
            reporter.finish(plan.name, "already done: " + _outcome(result["rows"][0]))
            return result
    trained = train_trial(plan, config, inputs, folder, reporter)
    try:
        result = _evaluate_splits(plan, config, inputs, folder, reporter, trained)
    except NotFiniteError as error:
        # Of several processes, which evaluate a share each, the others do not know: all of them end.
        if METHODS[plan.method].schedule is None or processes()[1] > 1:
            raise
        failure = DivergedError(f"what was trained gives no numbers: {error}")
        give_up(folder, folder / weights_name(config), failure)
        raise failure from error
    write_json(done, result)
    write_trial_card(plan, config, inputs, folder)
    reporter.finish(plan.name, _outcome(result["rows"][0], prompts_met(plan.method, config, inputs, trained)))
    return result


def _evaluate_splits(
    plan: Trial, config: RunConfig, inputs: Inputs, folder: Path, reporter: Reporter,
    trained: dict[str, Any],
) -> dict[str, Any]:  # fmt: skip
    """Return what :func:`run_trial` does, of a trial that is trained."""
    warnings = []
    if trained["truncated"]:
        cut = f"{trained['truncated']} training prompts were cut to max_length"
        warnings.append(f"{plan.name}: of {trained['looked_at']} looked at, {cut}")
    warnings.extend(f"{plan.name}: {text}" for text in trained.get("damaged", ()))
    if trained.get("chosen"):
        warnings.extend(_twin_warning(plan, Prompt(trained["chosen"]), inputs))
    weights = trial_weights(plan, config, folder)  # what is evaluated lies on disk, as it gets deployed
    trusted = config.trust_remote_code
    loaded = cache(lambda: load_model(*weights, chat=config.chat, trust_remote_code=trusted))

    def load(split: str, cells: int) -> LanguageModel:
        reporter.stage(plan.name, f"evaluate on {split} prompts", cells)
        return loaded()

    shared: dict[str, Any] = {
        "task": inputs.task, "examples": inputs.test, "folder": folder, "settings": config.evaluate,
        "max_length": config.train.max_length,
    }  # fmt: skip
    tested, splits = inputs.tested_prompts(), {}
    for split, prompts in tested.items():
        matrix, seconds = evaluate_split(
            partial(load, split, len(prompts) * len(inputs.test)),
            prompts=prompts, split=split, on_cells=reporter.advance, **shared,
        )  # fmt: skip
        splits[split] = prompts, matrix, seconds
        warnings.extend(cell_warnings(plan.name, split, matrix))
    sample = evaluate_sample(loaded, prompts=tested["test"], split="test", **shared)
    training = {f"train_{key}": trained[key] for key in ("steps", "tokens", "seconds")}
    threshold = inputs.task.thresholds[0]
    rows = model_rows(plan.method, plan.seed, splits, "test", threshold, sample, training)
    return {**rows, "warnings": warnings}


def _twin_warning(plan: Trial, chosen: Prompt, inputs: Inputs) -> list[str]:
    """Warn if a chosen prompt, which a writer may have made, is a near duplicate of unseen ones."""
    test = inputs.bank.require("test")
    twins = [test[j - 1].id for i, j, _ in near_pairs([chosen, *test]) if i == 0]
    return (
        [f"{plan.name}: the chosen prompt is a near duplicate of unseen {', '.join(twins)}"] if twins else []
    )


def prompts_met(method: str, config: RunConfig, inputs: Inputs, trained: Mapping[str, Any]) -> str:
    """Say how many prompts of the bank a training met; nothing for a method that has one prompt or none."""
    if not METHODS[method].trains_on_bank:
        return ""
    drawn_from = config.train.prompts or len(inputs.bank.prompts("train"))
    own = config.train.user_prompt_share > 0
    return f" under {len(trained['by_prompt'])} of {drawn_from + own} prompts"


def _outcome(row: dict[str, Any], met: str = "") -> str:
    spread = ""
    if row["std"] is not None:
        spread = f" (std {100 * row['std']:.1f}), worst {100 * row['min']:.1f}"
    told = f"{row['train_steps']} steps in {row['train_seconds']:.0f} s{met}" if row["train_steps"] else ""
    return (
        f"{told}{', ' * bool(told)}mean {100 * row['mean']:.1f}{spread} on "
        f"{prompts_name({}, 'test', row['n_prompts'])}"
    )


def train_trial(
    plan: Trial, config: RunConfig, inputs: Inputs, folder: Path, reporter: Reporter
) -> dict[str, Any]:
    """Train one trial, or return what a former run recorded.

    Returns:
        The content of ``train.json``, see :class:`paft.train.loop.Trained`; zeros for a method that does
        not train.

    Raises:
        DivergedError: If training diverged, now or in a former call.
    """
    method = METHODS[plan.method]
    if method.schedule is None or plan.seed is None:
        return dict(UNTRAINED)
    record = folder / TRAINED
    output = folder / weights_name(config)
    if record.exists() and output.exists():
        remove_checkpoints(output)  # a kill may have come between the record and this
        return read_record(record, "training record", TRAINED_SHAPE)
    check_not_failed(folder)

    settings = method.settings(config.train)
    chosen = _chosen(plan, config, inputs, folder, reporter)
    prompts = inputs.training_prompts(method, settings, chosen, seed=plan.seed)
    per_epoch = -(-len(inputs.train) // settings.batch_size) * settings.iterations
    reporter.stage(plan.name, "train", settings.length(per_epoch))
    schedule = make_schedule(settings, len(prompts), seed=plan.seed, examples=len(inputs.train))
    pace = Pace(reporter, schedule, prompts, per_epoch, settings)
    adapt = config.train.adapt
    full_precision = adapt.method == "full" or config.train.precision == "float32"
    language_model = load_model(
        config.pinned_model, full_precision=full_precision, quantised=adapt.quantised, chat=config.chat,
        trust_remote_code=config.trust_remote_code,
    )  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    try:
        trained = _train(
            language_model, inputs, prompts, settings, plan, output, pace, reporter,
            inputs.validated(config.evaluate),
        )  # fmt: skip
    except DivergedError as error:
        if processes()[0] == 0:
            give_up(folder, output, error)
        raise
    reporter.advance(trained.steps - pace.step)
    told = dataclasses.asdict(trained) | ({} if chosen is None else {"chosen": chosen.template})
    for key in ("damaged", "rewards"):
        if not told[key]:
            del told[key]
    write_json(record, told)
    remove_checkpoints(output)
    return told


def _train(
    language_model: LanguageModel, inputs: Inputs, prompts: Sequence[Prompt], settings: Train, plan: Trial,
    output: Path, pace: Pace, reporter: Reporter, validation: Validation | None,
) -> Trained:  # fmt: skip
    """Train by the algorithm of the settings."""
    common: dict[str, Any] = {
        "seed": plan.seed, "output": output, "on_step": pace, "keep_checkpoints": True,
        "validation": pace.listen(validation),
    }  # fmt: skip
    if settings.algorithm == "grpo":
        from paft.train.grpo.loop import reinforce

        return reinforce(language_model, inputs.task, inputs.train, prompts, settings, **common)
    from paft.train.loop import fine_tune

    return fine_tune(
        language_model, inputs.train, prompts, settings, **common, reference=inputs.bank.require("train"),
        on_steps=partial(reporter.stage, plan.name, "train"),
    )  # fmt: skip


def _chosen(
    plan: Trial, config: RunConfig, inputs: Inputs, folder: Path, reporter: Reporter
) -> Prompt | None:
    """The prompt that the method chooses, if it does; it sees nothing to be tested or validated on."""
    chooser = METHODS[plan.method].chooser
    if chooser is None or plan.seed is None:
        return None
    seen = Seen(
        inputs.task, inputs.task.prompts[0], inputs.bank.require("train"), inputs.train, inputs.generators
    )
    reporter.stage(plan.name, "choose a prompt", most_cells(chooser, seen, config))
    return choose_prompt(chooser, seen, config, folder, reporter, seed=plan.seed)


def trial_weights(plan: Trial, config: RunConfig, folder: Path) -> tuple[str, Path | None]:
    """Return a trial's model and the adapter on top of it, as ``load_model`` takes them."""
    if METHODS[plan.method].schedule is None:
        start = config.train.start_from  # as trained methods begin
        return config.pinned_model, None if start is None else Path(start)
    weights = folder / weights_name(config)
    if config.train.adapt.method == "full":
        return str(weights), None
    return config.pinned_model, weights


def check_not_failed(folder: Path) -> None:
    """Refuse to work on a trial again that diverged.

    Raises:
        DivergedError: With what it failed of, and how to have it tried again.
    """
    path = folder / FAILED
    if path.exists():
        error = read_record(path, "failure", {"error": str})["error"]
        raise DivergedError(f"{error} (recorded in {path}: delete it to train again)")


def give_up(folder: Path, weights: Path, error: DivergedError) -> None:
    """Remove what a trial left in its folder, its weights among that, and record that it failed."""
    remove_checkpoints(weights)
    for path in (weights, weights.with_name(f".{weights.name}.part")):
        shutil.rmtree(path, ignore_errors=True)
    splits = [name for split in SPLITS for name in (split, sample_name(split))]
    scores = [path for split in splits for path in folder.glob(f"{split}.log-*.jsonl")]
    scores += [folder / f"{split}.{kind}" for split in splits for kind in ("parquet", "json")]
    for path in (*scores, folder / "train.json", folder / "trial.json"):
        path.unlink(missing_ok=True)
    write_json(folder / FAILED, {"error": str(error)})
