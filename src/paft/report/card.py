"""The model card of what a trial trained: a ``README.md`` beside its weights.

Only facts of the run, and no times: the same trial gives the same card. It replaces the empty card
that peft writes. A card of ours is left alone, since its reader may have added to it. The text is in
``templates/card.md.jinja``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from yaml import YAMLError

from paft.config import RunConfig
from paft.errors import PaftError
from paft.evaluate.rows import ends_in_words, guess_levels
from paft.files import read_text, write_text
from paft.model.files import hub_revision, model_folder
from paft.model.gguf import find_gguf
from paft.provenance import PACKAGES, environment
from paft.report.data import INTERVALS
from paft.report.findings import Finding
from paft.report.loading_code import ADAPTER, ADAPTER_IMPORT, fenced, loading_code, on_hub, whole_loading_code
from paft.report.method_rows import levels_in_words
from paft.report.run_folder import SUMMARY, TRAINED, matrix_file
from paft.report.table import escape_markdown, marked, percent
from paft.shape import TRAINED as TRAINED_SHAPE
from paft.shape import interpreted, read_record
from paft.statistics.comparison import Estimate, estimable, estimate
from paft.task.task import OPTIONS

if TYPE_CHECKING:
    from huggingface_hub import EvalResult
    from jinja2 import Environment

    from paft.task.task import Example, Task

MARK = "<!-- Written by PAFT from the record of the run. -->"
COMPARED = (
    "<!-- What the run shows. -->",
    "<!-- /What the run shows. -->",
)  # filled in at the end
FILLED = "<!-- Figures. -->", "<!-- /Figures. -->"  # between them stands what an evaluation says
DIGITS = 4  # of a share in the front matter
FIGURES = {
    "mean": "mean over prompts",
    "std": "standard deviation over prompts",
    "min": "worst prompt",
    "max": "best prompt",
    "cvar_10": "mean of the worst 10 % of the prompts",
    "top": "share of prompts above the threshold",
    "debiased_std": "standard deviation without the noise of the examples",
    "consistency": "pairs of prompts with the same answer",
    "user_accuracy": "under the user prompt",
    "flip_rate": "answers that differ from those under the user prompt",
    "adversarial_mean": "mean over adversarial prompts",
    "adversarial_min": "worst adversarial prompt",
}
ELSEWHERE = "user_accuracy", "adversarial_mean", "adversarial_min"  # figures of no unseen prompts
INTERVAL_OF = {"cvar_10": "cvar"}  # names that statistics and robustness spell differently
PIPELINES = {"label": "text-classification", "choice": "multiple-choice"}


@dataclass(frozen=True)
class CardSubject:
    """What a card is about.

    Attributes:
        name: The trial's name.
        method: What it was trained with.
        summary: The method in a line.
        seed: Of the training.
        task: The task.
        bank: Fingerprint of the bank.
        prompts: Whose prompts it was trained on.
        bank_prompts: Number of the bank's prompts it was trained on, if it was.
        resample_every: K, if its schedule has one.
        epochs: Passes over the examples; None where a number of tokens ends the training.
        examples: Number of training examples.
        notes: What else is to be said of the test examples, in sentences.
    """

    name: str
    method: str
    summary: str
    seed: int | None
    task: Task
    bank: str
    prompts: Literal["user", "bank", "chosen"]
    bank_prompts: int
    resample_every: int | None
    epochs: float | None
    examples: int
    notes: Sequence[str] = ()


@dataclass(frozen=True)
class Evaluated:
    """What an evaluation on unseen prompts says of a trial.

    Attributes:
        figures: Its row of robustness.
        row: Its row of results.
        estimates: By statistic, with intervals, as far as there are any.
        notes: What else is to be said of the test examples, in sentences.
    """

    figures: Mapping[str, Any]
    row: Mapping[str, Any]
    estimates: Mapping[str, Estimate]
    notes: Sequence[str] = ()


def write_card(subject: CardSubject, config: RunConfig, folder: Path, weights: Path) -> None:
    """Write the card of a trial or of a trained model that was not evaluated, unless one of ours is there.

    Args:
        subject: What was trained.
        config: The run's configuration.
        folder: The trial's folder, with ``train.json`` and, once it was evaluated, ``trial.json`` and
            ``test.parquet``.
        weights: The folder with adapter or model; nothing is done where it is not there.

    Raises:
        DataError: If a file of the trial cannot be read.
    """
    path = weights / "README.md"
    if not weights.is_dir() or (path.exists() and MARK in read_text(path, "model card")):
        return
    from huggingface_hub import ModelCard

    done = folder / SUMMARY
    found = None
    if done.exists():
        trial = read_record(done, "trial", {"robustness": [{"split": str}], "rows": [{"split": str}]})
        with interpreted(done):
            [figures] = [row for row in trial["robustness"] if row["split"] == "test"]
            [row] = [row for row in trial["rows"] if row["split"] == "test"]
        found = Evaluated(figures, row, card_estimates(folder, figures), subject.notes)
    trained = read_record(folder / TRAINED, "training record", TRAINED_SHAPE)
    # Refuses front matter that is no valid YAML.
    write_text(path, str(ModelCard(card_text(subject, config, trained, found))))


def fill_card(weights: Path, name: str, task: Task, found: Evaluated) -> bool:
    """Put what an evaluation says into the card beside trained weights, in place of what stands there.

    Args:
        weights: The folder with adapter or model.
        name: The trial's name.
        task: The task.
        found: What the evaluation says.

    Returns:
        Whether there is a card of ours with a place for it; what its reader added elsewhere stays.

    Raises:
        DataError: If the card cannot be read.
    """
    from huggingface_hub import ModelCard

    path = weights / "README.md"
    text = read_text(path, "model card") if path.exists() else ""
    if MARK not in text or not all(mark in text for mark in FILLED):
        return False
    card: Any = ModelCard(text)
    card.data.model_name = f"{task.name}-{name}"
    card.data.eval_results = _eval_results(task, found.figures)
    before, _, rest = card.text.partition(FILLED[0])
    section = _templates().get_template("card_figures.md.jinja").render(_section(found)).rstrip("\n")
    card.text = before + section + rest.partition(FILLED[1])[2]
    write_text(path, str(card))
    return True


def card_text(
    subject: CardSubject, config: RunConfig, trained: Mapping[str, Any], found: Evaluated | None = None
) -> str:
    """Return the text of a card.

    Args:
        subject: What was trained.
        config: The run's configuration.
        trained: The content of ``train.json``.
        found: What its evaluation says; None before there is one.
    """
    task, licence = subject.task, _licence(config)
    prompt = task.prompts[0]
    letters = task.answer.rule == "choice" and task.answer.options_field is not None
    words = task.answer.words or (("A", "B") if letters else ("...", "..."))
    shown = "A. ...\nB. ..." if letters else ", ".join(words)
    return (
        _templates()
        .get_template("card.md.jinja")
        .render(
            subject=subject,
            task=task,
            metadata=_metadata(subject, config, None if found is None else found.figures, licence),
            mark=MARK,
            training=_training(subject, config, trained),
            loading=loading_code(config),
            likelihood=task.answer.closed and not config.evaluate.generate,
            choose=config.evaluate.choose,
            whole=config.train.adapt.method == "full",
            options=words,
            letters=letters,
            fillers={OPTIONS: repr(shown)},
            prompt=prompt,
            names=list(dict.fromkeys(prompt.placeholders)),
            chat=config.chat,
            licence=(
                f"{licence['license']} by the base model's card; that of the data is not recorded."
                if licence
                else "unknown (no card of the base model here says it); see base model and data."
            ),
            **_section(found),
        )
    )


def _templates() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    templates = Environment(
        loader=PackageLoader("paft.report", "templates"),
        undefined=StrictUndefined,
        trim_blocks=True,
        keep_trailing_newline=True,
    )
    templates.filters |= {"md": escape_markdown, "fenced": fenced, "repr": repr}
    return templates


def _section(found: Evaluated | None) -> dict[str, Any]:
    """Return what the section of figures is made of."""
    estimates = {} if found is None else found.estimates
    return {
        "filled": FILLED,
        "compared": COMPARED,
        "figures": None if found is None else found.figures,
        "figure_rows": [] if found is None else figure_rows(found.figures, estimates),
        "intervals": f"{INTERVALS[0].lower()}{INTERVALS[1:]}" if estimates else "",
        "ends": [] if found is None else ends_in_words(found.row),
        "notes": [] if found is None else [*_generated_note(found.row), *found.notes],
    }


def _generated_note(row: Mapping[str, Any]) -> list[str]:
    if "generated_cells" not in row:
        return []
    return [
        "These figures compare the log-probabilities of the options. Of "
        f"{row['generated_cells']} answers that were generated too, {percent(row['generated_parse_rate'])} % "
        f"were readable and {percent(row['generated_accuracy'])} % right."
    ]


def level_note(examples: Sequence[Example]) -> list[str]:
    """Say what accuracy needs no model, as the report does; nothing for open rules.

    Args:
        examples: The test examples.
    """
    levels = escape_markdown(levels_in_words(guess_levels(examples)))
    return [f"Without a model, in percent: {levels}."] if levels else []


def _licence(config: RunConfig) -> dict[str, str]:
    """Return what the base model's own card says of its licence, as far as it lies on this machine."""
    from huggingface_hub import ModelCard

    folder = None if find_gguf(config.model) else model_folder(config.pinned_model)
    path = None if folder is None else folder / "README.md"
    if path is None or not path.is_file():
        return {}
    try:
        data = vars(ModelCard(read_text(path, "model card")).data)
    except (ValueError, PaftError, YAMLError):  # somebody else's file: it says nothing
        return {}
    found = {key: data.get(key) for key in ("license", "license_name", "license_link")}
    return {key: value for key, value in found.items() if isinstance(value, str)} if found["license"] else {}


def tell_verdict(weights: Path, verdict: str, findings: Sequence[Finding] = ()) -> None:
    """Put what the whole run shows into a trial's card, in place of what an earlier run of fewer trials did.

    Args:
        weights: The folder with adapter or model; nothing is done without a card of ours there.
        verdict: The sentence of terminal and report.
        findings: What stands against it, likewise.

    Raises:
        DataError: If the card cannot be read.
    """
    path = weights / "README.md"
    if not path.exists():
        return
    text = read_text(path, "model card")
    start, end = COMPARED
    before, found, rest = text.partition(start)
    _, whole, after = rest.partition(end)
    if MARK not in text or not (found and whole):
        return
    told = [escape_markdown(verdict), *(f"- {escape_markdown(each.text)}" for each in findings)]
    section = "\n".join(told).replace("\n", "\n\n", 1)  # a list begins behind an empty line
    changed = f"{before}{start}\n## In its run\n\n{section}\n{end}{after}"
    if changed != text:
        write_text(path, changed)


def _metadata(
    subject: CardSubject, config: RunConfig, figures: Mapping[str, Any] | None, licence: Mapping[str, str]
) -> str:
    from huggingface_hub import ModelCardData

    lora = config.train.adapt.method != "full"
    of_base: dict[str, Any] = dict(licence)
    data = ModelCardData(
        # A folder's or built-in model's name would point to somebody else's model on the Hub.
        base_model=config.model if on_hub(config.model) else None,
        library_name="peft" if lora else "transformers",
        pipeline_tag="text-generation",
        tags=["paft", "lora"] if lora else ["paft"],
        **of_base,
        model_name=f"{subject.task.name}-{subject.name}",
        eval_results=None if figures is None else _eval_results(subject.task, figures),
    )
    return str(data.to_yaml())


def _eval_results(task: Task, figures: Mapping[str, Any]) -> list[EvalResult]:
    from huggingface_hub import EvalResult

    score = "f1" if task.metric == "token_f1" else "accuracy"
    return [
        EvalResult(
            task_type=PIPELINES.get(task.answer.rule, "text-generation"),
            dataset_type=task.name,
            dataset_name=task.name,
            dataset_split="test",
            metric_type=score if name == "mean" else name,
            metric_name=_figure_name(name, figures)
            + ("" if name in ELSEWHERE else f" ({figures['prompts']} unseen prompts)"),
            metric_value=round(figures[name], DIGITS) + 0.0,  # no -0.0
        )
        for name in _known(figures)
    ]


def _training(subject: CardSubject, config: RunConfig, trained: Mapping[str, Any]) -> dict[str, Any]:
    seen = {
        "user": "the user prompt",
        "bank": f"{len(trained['by_prompt'])} of the bank's {subject.bank_prompts} prompts",
        "chosen": f"one, chosen before training: {trained.get('chosen')!r}",
    }[subject.prompts]
    versions = environment()
    return {
        "Base model": _base(config),
        "Task": f"{subject.task.name}. {subject.task.description}",
        "Method": f"{subject.method}: {subject.summary}",
        "Prompts in training": seen,
        "K (steps that share a prompt)": subject.resample_every,
        "Optimiser steps": trained["steps"],
        "Examples": subject.examples,
        "Epochs": subject.epochs,
        "Examples in a step": config.train.batch_size,
        **config.train.told,
        "Tokens": trained["tokens"],
        "Peak learning rate": config.train.learning_rate,
        "Seed": subject.seed,
        "Weights": _weights(config),
        "Bank": subject.bank,
        "Versions": ", ".join(f"{name} {versions[name]}" for name in PACKAGES),
    }


def _weights(config: RunConfig) -> str:
    adapt = config.train.adapt
    if adapt.method == "full":
        return "all, trained whole"
    targets = adapt.targets if isinstance(adapt.targets, str) else ", ".join(adapt.targets)
    kind = "DoRA" if adapt.dora else "LoRA"
    scale = f"alpha {adapt.alpha:g}" + (" over the square root of the rank" if adapt.rslora else "")
    beside = ", beside weights in 4 bit (QLoRA)" if adapt.quantised else ""
    return f"{kind} adapter of rank {adapt.rank}, {scale}, on {targets}{beside}"


def figure_rows(figures: Mapping[str, Any], estimates: Mapping[str, Estimate]) -> list[tuple[str, str, str]]:
    """Return name, value and 95 % interval of every figure, as printed."""
    rows = []
    for name in _known(figures):
        found = estimates.get(INTERVAL_OF.get(name, name))
        value, between = percent(figures[name]), ""
        if found is not None:
            low, high = found.interval.low, found.interval.high
            value, between = marked(figures[name], low, high), f"{percent(low)} to {percent(high)}"
        rows.append((_figure_name(name, figures), value, between))
    return rows


def merged_card(text: str) -> str | None:
    """Return an adapter's card as that of the model it was merged into; None for a card that is not ours.

    The card of a whole model stays as it is.
    """
    from huggingface_hub import ModelCard

    if MARK not in text:
        return None  # peft's own, for instance, says that peft loads it
    card: Any = ModelCard(text)
    if card.data.library_name != "peft":
        return text
    card.data.library_name = "transformers"
    card.data.tags = [tag for tag in card.data.tags or [] if tag != "lora"]
    loading = f"{re.escape(ADAPTER_IMPORT)}.*?{re.escape(ADAPTER)}\n"
    whole = "\n".join(whole_loading_code()) + "\n"
    card.text = re.sub(loading, lambda _: whole, card.text, count=1, flags=re.DOTALL)
    card.text = card.text.replace("- Weights: ", "- Weights: merged into the base: ", 1)
    card.text = card.text.replace("--task TASK --adapter FOLDER`", "--task TASK --model FOLDER`", 1)
    return str(card)


def card_estimates(folder: Path, figures: Mapping[str, Any]) -> Mapping[str, Estimate]:
    """Return the estimates with intervals that the cells are enough for, by statistic."""
    from paft.evaluate.matrix import Matrix

    scores = Matrix.load(matrix_file(folder, "test")).scores
    found = estimate(scores[None], estimable(*scores.shape), threshold=figures["threshold"])
    return {str(name): each for name, each in found.items()}


def _known(figures: Mapping[str, Any]) -> list[str]:
    return [name for name in FIGURES if figures.get(name) is not None]


def _figure_name(name: str, figures: Mapping[str, Any]) -> str:
    return f"share of prompts above {100 * figures['threshold']:g} %" if name == "top" else FIGURES[name]


def _base(config: RunConfig) -> str:
    if on_hub(config.model):
        revision = hub_revision(config.pinned_model)
        return config.model + (f" at commit {revision}" if revision else "")
    if find_gguf(config.model):
        return (
            f"{Path(config.model).name}, a GGUF file: its quantised weights were taken back to floating "
            "point, so what their quantisation rounded away is lost"
        )
    return f"{Path(config.model).name} (a folder or built in, not from the Hub)"
