"""The model card of what a cell trained: a ``README.md`` beside its weights.

Only facts of the run, and no times: the same cell gives the same card. It replaces the empty card
that peft writes. A card of ours is left alone, since its reader may have added to it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from paft.config import RunConfig
from paft.evaluate.rows import ends_in_words
from paft.files import read_text, write_text
from paft.methods import METHODS
from paft.model.files import hub_revision, resolve_model
from paft.model.gguf import find_gguf
from paft.provenance import PACKAGES, environment
from paft.report.data import INTERVALS
from paft.report.table import marked, percent
from paft.report.text import escape_markdown
from paft.shape import TRAINED, interpreted, read_record
from paft.statistics.estimates import STATISTICS, Estimate, estimate

if TYPE_CHECKING:
    from huggingface_hub import EvalResult

    from paft.bank import Bank
    from paft.report.run_folder import Trial
    from paft.task.task import Example, Task

MARK = "<!-- Written by PAFT from the record of the run. -->"
COMPARED = "<!-- What the run shows. -->", "<!-- /What the run shows. -->"  # filled in once all is judged
FIGURES = {
    "mean": "mean over prompts",
    "std": "standard deviation over prompts",
    "min": "worst prompt",
    "max": "best prompt",
    "cvar_10": "mean of the worst tenth of the prompts",
    "top": "share of prompts above the threshold",
    "debiased_std": "standard deviation without the noise of the examples",
    "consistency": "pairs of prompts with the same answer",
    "user_accuracy": "under the task's own prompt",
    "flip_rate": "answers that differ from those under the task's own prompt",
    "adversarial_mean": "mean over adversarial prompts",
    "adversarial_min": "worst adversarial prompt",
}
ELSEWHERE = "user_accuracy", "adversarial_mean", "adversarial_min"  # figures of no unseen prompts
INTERVAL_OF = {"cvar_10": "cvar"}  # names that statistics and robustness spell differently
NOT_JUDGED = "## Accuracy over unseen prompts\n\nNot judged yet: `paft evaluate` does."
TOKENIZER = 'tokenizer = AutoTokenizer.from_pretrained("FOLDER")  # this folder'
WHOLE_IMPORT = "from transformers import AutoModelForCausalLM, AutoTokenizer"
ADAPTER_IMPORT = "from peft import PeftModel"
ADAPTER = 'model = PeftModel.from_pretrained(base, "FOLDER")'
FOUR_BIT = (
    'FOUR_BIT = BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4", '
    'bnb_4bit_use_double_quant=True, bnb_4bit_compute_dtype="bfloat16")'
)
PIPELINES = {"label": "text-classification", "choice": "multiple-choice"}


class Used(Protocol):
    """What a model was trained and scored on, as :class:`paft.experiment.inputs.Inputs` has it."""

    @property
    def task(self) -> Task: ...
    @property
    def bank(self) -> Bank: ...
    @property
    def train(self) -> Sequence[Example]: ...
    @property
    def repeats(self) -> Sequence[str]: ...


def write_card(plan: Trial, config: RunConfig, inputs: Used, folder: Path, weights: Path) -> None:
    """Write the card of a cell or of a trained model that was not judged, unless one of ours is there.

    Args:
        plan: Which method under which seed.
        config: The run's configuration.
        inputs: What it was trained and judged on.
        folder: Its folder, with ``train.json`` and, once it was judged, ``cell.json``, ``test.parquet``.
        weights: The folder with adapter or model; nothing is done where it is not there.

    Raises:
        DataError: If a file of the cell cannot be read.
    """
    path = weights / "README.md"
    if not weights.is_dir() or (path.exists() and MARK in read_text(path, "model card")):
        return
    from huggingface_hub import ModelCard

    figures, ends = None, ""
    if (folder / "cell.json").exists():
        cell = read_record(
            folder / "cell.json", "cell", {"robustness": [{"split": str}], "rows": [{"split": str}]}
        )
        with interpreted(folder / "cell.json"):
            [figures] = [row for row in cell["robustness"] if row["split"] == "test"]
            [row] = [row for row in cell["rows"] if row["split"] == "test"]
            words = ends_in_words(row)
        ends = f" Of the answers {', '.join(words)}." if words else ""
    trained = read_record(folder / "train.json", "training record", TRAINED)
    parts = [
        f"---\n{_metadata(plan, config, inputs.task, figures)}\n---",
        MARK,
        f"# {inputs.task.name}: {plan.name}",
        _training(plan, config, inputs, trained),
        NOT_JUDGED if figures is None else _robustness(figures, _estimates(folder, figures), ends),
        *([] if figures is None else ["\n".join(COMPARED)]),
        _usage(config, inputs.task, judged=figures is not None),
        _unknown(inputs, figures),
    ]
    card = ModelCard("\n\n".join(parts) + "\n")  # refuses front matter that is no valid YAML
    write_text(path, str(card))


def tell_verdict(weights: Path, verdict: str) -> None:
    """Put what the whole run shows into a cell's card, in place of what an earlier run of fewer cells did.

    Args:
        weights: The folder with adapter or model; nothing is done without a card of ours there.
        verdict: The sentence of terminal and report.

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
    told = f"{before}{start}\n## In its run\n\n{escape_markdown(verdict)}\n{end}{after}"
    if told != text:
        write_text(path, told)


def _metadata(plan: Trial, config: RunConfig, task: Task, figures: Mapping[str, Any] | None) -> str:
    from huggingface_hub import ModelCardData

    lora = config.train.adapt.method != "full"
    data = ModelCardData(
        # A folder's or built-in model's name would point to somebody else's model on the Hub.
        base_model=config.model if _on_hub(config.model) else None,
        library_name="peft" if lora else "transformers",
        pipeline_tag="text-generation",
        tags=["paft", "lora"] if lora else ["paft"],
        model_name=f"{task.name}-{plan.name}",
        eval_results=None if figures is None else _eval_results(task, figures),
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
            metric_value=figures[name],
        )
        for name in _known(figures)
    ]


def _training(plan: Trial, config: RunConfig, inputs: Used, trained: Mapping[str, Any]) -> str:
    train, task, method = config.train, inputs.task, METHODS[plan.method]
    seen = {
        "user": "the task's own prompt",
        "bank": f"{train.prompts or len(inputs.bank.prompts('train'))} prompts of the bank",
        "chosen": f"one, chosen before training: {trained.get('chosen')!r}",
    }[method.prompts]
    told = {
        "Base model": _base(config),
        "Task": f"{task.name}. {task.description}",
        "Method": f"{plan.method}: {method.summary}",
        "Prompts in training": seen,
        "K (steps that share a prompt)": train.resample_every if method.schedule == "block" else None,
        "Optimiser steps": trained["steps"],
        "Examples": len(inputs.train),
        "Epochs": train.epochs if method.settings(train).tokens is None else None,
        "Examples in a step": train.batch_size,
        "Tokens": trained["tokens"],
        "Peak learning rate": train.learning_rate,
        "Seed": plan.seed,
        "Weights": _weights(config),
        "Bank": inputs.bank.fingerprint,
        "Versions": ", ".join(f"{name} {environment()[name]}" for name in PACKAGES),
    }
    lines = [f"- {name}: {escape_markdown(str(value))}" for name, value in told.items() if value is not None]
    return "## Training\n\n" + "\n".join(lines)


def _weights(config: RunConfig) -> str:
    adapt = config.train.adapt
    if adapt.method == "full":
        return "all, trained whole"
    targets = adapt.targets if isinstance(adapt.targets, str) else ", ".join(adapt.targets)
    kind = "DoRA" if adapt.dora else "LoRA"
    scale = f"alpha {adapt.alpha:g}" + (" over the square root of the rank" if adapt.rslora else "")
    beside = ", beside weights in 4 bit (QLoRA)" if adapt.quantised else ""
    return f"{kind} adapter of rank {adapt.rank}, {scale}, on {targets}{beside}"


def _robustness(figures: Mapping[str, Any], estimates: Mapping[str, Estimate], ends: str) -> str:
    lines = ["| Accuracy, percent | | 95 % interval |", "|---|---:|---:|"]
    for name in _known(figures):
        found = estimates.get(INTERVAL_OF.get(name, name))
        told, between = percent(figures[name]), ""
        if found is not None:
            low, high = found.interval.low, found.interval.high
            told, between = marked(figures[name], low, high), f"{percent(low)} to {percent(high)}"
        lines.append(f"| {escape_markdown(_figure_name(name, figures))} | {told} | {between} |")
    told = (
        f"Judged on {figures['prompts']} prompts that no method of the run was trained on, with "
        f"{figures['examples']} test examples under each.{ends}"
        + (f" Intervals: {INTERVALS[0].lower()}{INTERVALS[1:]}" if estimates else "")
    )
    return "\n\n".join(["## Accuracy over unseen prompts", told, "\n".join(lines)])


def _usage(config: RunConfig, task: Task, *, judged: bool) -> str:
    values = ", ".join(f"{name!r}: '...'" for name in dict.fromkeys(task.prompts[0].placeholders))
    code = [
        *_loading(config),
        f"prompt = {task.prompts[0].template!r}.format(**{{{values}}})",
        *_encoding(config),
        f"output = model.generate(**inputs, max_new_tokens={max(16, task.answer.token_limit)})",
        'print(tokenizer.decode(output[0, inputs["input_ids"].shape[1]:], skip_special_tokens=True))',
    ]
    told = [
        "## Use",
        "Any wording that uses the task's fields may stand in the place of the prompt below.",
        _fenced("\n".join(code)),
        _rendering(config, "training and judging" if judged else "training"),
    ]
    if judged and task.answer.closed:
        told.append("The figures above compare the log-probabilities of the options, without generating.")
    return "\n\n".join(told)


def _loading(config: RunConfig) -> list[str]:
    adapt = config.train.adapt
    if adapt.method == "full":
        return _loading_whole()
    gguf = find_gguf(config.model)
    base = config.model if _on_hub(config.model) else f"path/to/{Path(config.model).name}"
    how, more = (", quantization_config=FOUR_BIT", ", BitsAndBytesConfig") if adapt.quantised else ("", "")
    if config.revision is not None:
        how = f", revision={config.revision!r}{how}"
    if gguf is not None:
        base = gguf.source if _on_hub(config.model) else "path/to"
        how += f", gguf_file={gguf.file!r}, quantization_config=GgufConfig(dequantize=True)"
        more = ", GgufConfig"
    return [
        ADAPTER_IMPORT,
        WHOLE_IMPORT + more,
        "",
        *([FOUR_BIT] if adapt.quantised else []),
        f"BASE = {base!r}",
        TOKENIZER,
        f"base = AutoModelForCausalLM.from_pretrained(BASE{how})",
        ADAPTER,
    ]


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
    loading = re.escape(ADAPTER_IMPORT) + ".*?" + re.escape(ADAPTER) + "\n"
    whole = "\n".join(_loading_whole()) + "\n"
    card.text = re.sub(loading, lambda _: whole, card.text, count=1, flags=re.DOTALL)
    card.text = card.text.replace("- Weights: ", "- Weights: merged into the base: ", 1)
    return str(card)


def _loading_whole() -> list[str]:
    return [WHOLE_IMPORT, "", TOKENIZER, 'model = AutoModelForCausalLM.from_pretrained("FOLDER")']


def _encoding(config: RunConfig) -> list[str]:
    if not config.chat.enabled:
        return ['inputs = tokenizer(prompt, return_tensors="pt")']
    turns = [{"role": "system", "content": config.chat.system}] if config.chat.system is not None else []
    listed = "".join(f"{turn!r}, " for turn in turns) + '{"role": "user", "content": prompt}'
    return [
        "inputs = tokenizer.apply_chat_template(",
        f"    [{listed}], add_generation_prompt=True, enable_thinking=False,",
        '    return_tensors="pt", return_dict=True,',
        ")",
    ]


def _rendering(config: RunConfig, who: str) -> str:
    if config.chat.enabled:
        return (
            "The prompt is the user's turn of the model's own chat template, the answer the assistant's: "
            f"{who} did it so. As plain text, or with another system turn, it was not judged."
        )
    return (
        f"The prompt is plain text, without a chat template: {who} did it so. The answer "
        "follows behind one space (behind none if the prompt ends in white space) and ends with the "
        "end-of-sequence token."
    )


def _unknown(inputs: Used, figures: Mapping[str, Any] | None) -> str:
    unlike = "" if figures is None else f", and examples unlike the {figures['examples']} it was judged on"
    lines = [
        f"Prompts unlike those of the bank (fingerprint {inputs.bank.fingerprint}): other languages, other "
        "lengths, several examples in the prompt.",
        f"Other tasks{unlike}. What the base model could do besides may have been lost.",
        *inputs.repeats,
        "Other training seeds: this is one of them.",
        "Harmful output, bias and privacy: not measured.",
        "The licence: see those of the base model and of the data.",
    ]
    return "## Not known\n\n" + "\n".join(f"- {line}" for line in lines)


def _estimates(folder: Path, figures: Mapping[str, Any]) -> Mapping[str, Estimate]:
    """Return the estimates with intervals that the cells are enough for, by statistic."""
    from paft.evaluate.matrix import Matrix

    scores = Matrix.load(folder / "test.parquet").scores
    if scores.shape[1] < 2:
        return {}
    names = [name for name in STATISTICS if name != "std" or min(scores.shape) >= 3]
    return {str(k): v for k, v in estimate(scores[None], names, threshold=figures["threshold"]).items()}


def _known(figures: Mapping[str, Any]) -> list[str]:
    return [name for name in FIGURES if figures.get(name) is not None]


def _figure_name(name: str, figures: Mapping[str, Any]) -> str:
    return f"share of prompts above {100 * figures['threshold']:g} %" if name == "top" else FIGURES[name]


def _base(config: RunConfig) -> str:
    if _on_hub(config.model):
        revision = hub_revision(config.pinned_model)
        return config.model + (f" at commit {revision}" if revision else "")
    if find_gguf(config.model):
        return (
            f"{Path(config.model).name}, a GGUF file: its quantised weights were taken back to floating "
            "point, so what their quantisation rounded away is lost"
        )
    return f"{Path(config.model).name} (a folder or built in, not from the Hub)"


def _on_hub(model: str) -> bool:
    return not Path(resolve_model(model)).exists()


def _fenced(code: str) -> str:
    """Return a code block that no run of backticks in the code can end."""
    longest = max((len(run) for run in re.findall("`+", code)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}python\n{code}\n{fence}"
