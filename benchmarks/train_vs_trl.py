# python benchmarks/train_vs_trl.py --steps 60
"""Train the same adapter with PAFT and with TRL's SFTTrainer; write benchmarks/train_vs_trl.json.

All sides start from the same random weights (Llama architecture), put the same LoRA on them (r = 8
on q_proj and v_proj), and take the same optimiser steps of the same size over the token ids of the
same rows: those of PAFT's plan for the task, answers alone carrying loss. Precision and attention are
the same too: float32 and sdpa on a CPU, bfloat16 on a GPU (flash attention where a side says so).

=================  ==========================================================================
side               what trains
=================  ==========================================================================
paft               PAFT as the paper has it: a prompt for K = 4 steps, padded batches in random order
paft_grouped       the same with ``train.group_by_length``
paft_padding_free  the same as paft with ``train.padding_free``; GPU with flash attention alone
single             PAFT's ordinary fine-tuning on one prompt: what resampling costs beside it
trl                ``SFTTrainer`` with its defaults: gradient checkpointing, batches in random order
trl_best           without gradient checkpointing, batches of similar length; on a GPU with flash
                   attention without padding as well
=================  ==========================================================================

On a CPU TRL projects every token of a batch to the vocabulary, and has no setting against it.

Each side runs in a process of its own, and the sides take turns, several times. Measured is the
time from the end of the first steps, which warm up, to the end of the last, with rendering and
tokenising on PAFT's sides and without on TRL's, whose rows are tokenised beforehand. Figures are
useful (non-padding) tokens per second and peak memory: resident memory of the process on a CPU,
allocated memory on a GPU. Ratios are of medians.

On a GPU ``ceiling_share`` sets the arithmetic of a step, 4 x parameters x useful tokens (frozen
weights have no gradient of their own), in proportion to what large matrix products reach there.

The data is not part of PAFT: ``--data`` names a folder with ``piqa`` and ``snips``, each with
``train.jsonl``, as the built-in tasks have them. ``--dry-run`` runs every side on a CPU with a tiny model
and a few steps and writes nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paft.files import read_json, read_jsonl, write_json
from paft.train.settings import Adapt, Train

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from paft.model.load import LanguageModel
    from paft.train.batches import Planned, RenderedExamples
    from paft.train.schedule import Schedule

TASKS = ("piqa", "snips")
BATCH = 16
WARM_UP = 3  # steps
ADAPT = Adapt(rank=8, alpha=16, targets=("q_proj", "v_proj"))
# vocabulary, width, width of the feed-forward part, layers, heads, heads of keys and values
Shape = tuple[int, int, int, int, int, int]
SHAPES: dict[str, Shape] = {
    "tiny": (4_096, 64, 128, 2, 4, 2),
    "36M": (32_768, 512, 1_408, 6, 8, 8),
    "0.5B": (151_936, 896, 4_864, 24, 14, 2),  # Qwen2.5-0.5B
    "1B": (128_256, 2_048, 8_192, 16, 32, 8),  # Llama-3.2-1B
    "8B": (128_256, 4_096, 14_336, 32, 32, 8),  # Llama-3.1-8B
}
SIDES: dict[str, dict[str, Any]] = {
    "paft": {},
    "paft_grouped": {"group_by_length": True},
    "paft_padding_free": {"padding_free": True, "attention": "flash_attention_2"},
    "single": {"schedule": "single"},
    "trl": {},
    "trl_best": {"gradient_checkpointing": False, "train_sampling_strategy": "group_by_length"},
}
RATIOS = (
    ("paft", "trl"),
    ("paft", "trl_best"),
    ("paft_grouped", "trl"),
    ("paft_grouped", "trl_best"),
    ("paft_padding_free", "trl_best"),
    ("paft", "single"),
)


def prepare(folder: Path, data: Path, shape: str) -> None:
    """Save random weights, with a tokenizer of the tasks' training rows."""
    rows = (row for name in TASKS for _, row in read_jsonl(data / name / "train.jsonl", name))
    texts = (" ".join(map(str, row.values())) for row in rows)
    train_tokenizer(texts, SHAPES[shape][0]).save_pretrained(folder)
    save_random_model(folder, SHAPES[shape])


def train_tokenizer(texts: Iterable[str], vocabulary: int) -> PreTrainedTokenizerBase:
    """Train byte-level BPE of what entries the texts yield, up to 32,000."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=min(vocabulary, 32_000),
        special_tokens=["<|endoftext|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    end = "<|endoftext|>"
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token=end, pad_token=end)


def save_random_model(folder: Path, shape: Shape) -> None:
    """Save random weights: float32, or bfloat16 made on the GPU where there is one."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    vocabulary, width, inner, layers, heads, kv_heads = shape
    config = LlamaConfig(
        vocab_size=vocabulary, hidden_size=width, intermediate_size=inner, num_hidden_layers=layers,
        num_attention_heads=heads, num_key_value_heads=kv_heads, max_position_embeddings=4096,
        tie_word_embeddings=shape != SHAPES["8B"], bos_token_id=None, eos_token_id=0, pad_token_id=0,
    )  # fmt: skip
    torch.manual_seed(0)
    torch.set_default_dtype(torch.bfloat16 if torch.cuda.is_available() else torch.float32)
    with torch.device("cuda" if torch.cuda.is_available() else "cpu"):
        model = LlamaForCausalLM(config)
    torch.set_default_dtype(torch.float32)
    model.save_pretrained(folder)


class Counting:
    """A collator that counts the tokens of every micro-batch."""

    def __init__(self, collator: Callable[..., dict[str, Any]], lengths: Callable[[Any], int]) -> None:
        self.collator = collator
        self.lengths = lengths
        self.useful: list[int] = []
        self.computed: list[int] = []

    def __call__(self, rows: Sequence[Any]) -> dict[str, Any]:
        """Collate."""
        batch = self.collator(rows)
        self.useful.append(sum(map(self.lengths, rows)))
        self.computed.append(batch["input_ids"].numel())
        return batch


def timed(trainer: Any, counting: Counting, steps: int) -> dict[str, Any]:
    """Train and return the figures of all steps but the first."""
    import torch
    from transformers import TrainerCallback

    cuda = torch.cuda.is_available()
    warm_up = min(WARM_UP, steps - 1)
    times: dict[int, float] = {}

    class Clock(TrainerCallback):
        def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            if state.global_step in (warm_up, steps):
                if cuda:
                    torch.cuda.synchronize()
                times[state.global_step] = time.perf_counter()

    trainer.add_callback(Clock())
    loaded = peak_mb()
    if cuda:
        torch.cuda.reset_peak_memory_stats()
    trainer.train()
    seconds = times[steps] - times[warm_up]
    useful, computed = sum(counting.useful[warm_up:steps]), sum(counting.computed[warm_up:steps])
    parameters = sum(p.numel() for p in trainer.model.parameters())
    return {
        "seconds": seconds,
        "useful_tokens": useful,
        "useful_share": useful / computed,
        "tokens_per_second": useful / seconds,
        "loaded_mb": loaded,
        "peak_mb": torch.cuda.max_memory_allocated() / 2**20 if cuda else peak_mb(),
        "parameters": parameters,
        "flops_per_second": 4 * parameters * useful / seconds,
    }


def peak_mb() -> float:
    """Return the largest resident memory of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024  # kilobytes on Linux


def plan(
    folder: Path, name: str, data: Path, settings: Mapping[str, Any], steps: int
) -> tuple[LanguageModel, RenderedExamples, Schedule, Train]:
    """Return what PAFT trains on: a task's first rows under its own prompts."""
    from paft.model.load import load_model
    from paft.task.task import load_task
    from paft.train.batches import RenderedExamples
    from paft.train.schedule import make_schedule

    task = load_task(name, data / name)
    found = task.examples("train")
    examples = [found[i % len(found)] for i in range(steps * BATCH)]
    config = Train(epochs=1, batch_size=BATCH, adapt=ADAPT, save_every=0, **settings)
    model = load_model(str(folder))
    dataset = RenderedExamples(examples, task.prompts, model.encoder(config.max_length))
    return model, dataset, make_schedule(config, len(task.prompts), seed=0, examples=len(examples)), config


def run_paft(folder: Path, name: str, data: Path, steps: int, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Train with PAFT."""
    from paft.train.arguments import training_arguments
    from paft.train.checkpoint import Checkpoints
    from paft.train.loop import make_trainer

    model, dataset, schedule, config = plan(folder, name, data, settings, steps)
    args = training_arguments(config, 0, folder / "out")
    trainer = make_trainer(model, dataset, schedule, config, args, Checkpoints(folder / "none", {}))
    counting = Counting(trainer.data_collator, lambda row: len(row.input_ids))
    trainer.data_collator = counting
    return timed(trainer, counting, steps)


def run_trl(folder: Path, name: str, data: Path, steps: int, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Train with TRL on the token ids of PAFT's rows."""
    import torch
    from datasets import Dataset
    from trl import SFTConfig, SFTTrainer

    from paft.train.adapt import adapted
    from paft.train.batches import PlanSampler

    model, dataset, schedule, _ = plan(folder, name, data, {}, steps)
    plans = list(PlanSampler(schedule, len(dataset), BATCH).plans(0))
    rows = Dataset.from_list([labelled(dataset[planned]) for planned in plans])
    cuda = torch.cuda.is_available()
    options = dict(settings)
    if "train_sampling_strategy" in options and cuda and find_spec("flash_attn"):
        model.model.set_attn_implementation("flash_attention_2")
        options["padding_free"] = True
    args = SFTConfig(
        output_dir=str(folder / "out"), per_device_train_batch_size=BATCH, num_train_epochs=1,
        learning_rate=2e-4, lr_scheduler_type="cosine", warmup_steps=0.1, bf16=cuda, save_strategy="no",
        report_to="none", disable_tqdm=True, dataset_kwargs={"skip_prepare_dataset": True}, seed=0,
        max_length=None, **options,
    )  # fmt: skip
    trainer = SFTTrainer(
        adapted(model.model, ADAPT), args=args, train_dataset=rows, processing_class=model.tokenizer
    )
    counting = Counting(trainer.data_collator, lambda row: len(row["input_ids"]))
    trainer.data_collator = counting
    return timed(trainer, counting, steps)


def labelled(row: Planned) -> dict[str, list[int]]:
    """Return a row in the form TRL takes when it does not tokenise."""
    answer = row.input_ids[row.answer_start :]
    return {"input_ids": row.input_ids, "labels": [-100] * row.answer_start + answer}


def ceiling() -> float:
    """Return the floating-point operations per second of large bfloat16 matrix products on the GPU."""
    import torch

    size, times = 8192, 30
    one, other = (torch.randn(size, size, device="cuda", dtype=torch.bfloat16) for _ in range(2))
    for _ in range(5):
        one @ other
    torch.cuda.synchronize()
    began = time.perf_counter()
    for _ in range(times):
        one @ other
    torch.cuda.synchronize()
    return times * 2 * size**3 / (time.perf_counter() - began)


def start(part: str, folder: Path, options: argparse.Namespace, shape: str) -> None:
    """Run one part in a process of its own, so that its peak memory is its own."""
    quiet = {"HF_HUB_OFFLINE": "1", "HF_HOME": str(folder / "cache"), "TOKENIZERS_PARALLELISM": "false"}
    threads = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), str(options.threads))
    command = [
        sys.executable, "-W", "ignore", __file__, "--part", part, "--folder", str(folder),
        "--data", str(options.data), "--steps", str(options.steps), "--model-parameters", shape,
    ]  # fmt: skip
    subprocess.run(command, env={**os.environ, **quiet, **threads, **visible(options.device)}, check=True)


def visible(device: str) -> dict[str, str]:
    """Return what shows a process one GPU, the first of those that this one may use, or none."""
    first = os.environ.get("CUDA_VISIBLE_DEVICES", "0").split(",")[0]
    return {"CUDA_VISIBLE_DEVICES": first if device == "cuda" else ""}


def run_part(options: argparse.Namespace) -> None:
    """Do what a child process is for."""
    folder: Path = options.folder
    if options.part == "prepare":
        return prepare(folder / "model", options.data, options.model_parameters[0])
    if options.part == "ceiling":
        return write_json(folder / "ceiling.json", {"flops_per_second": ceiling()})
    name, side, _ = options.part.split(":")
    run = run_trl if side.startswith("trl") else run_paft
    figures = run(folder / "model", name, options.data, options.steps, SIDES[side])
    return write_json(folder / f"{options.part}.json", figures)


def measure(options: argparse.Namespace, shape: str, sides: Sequence[str]) -> None:
    """Run all sides in turns on one model; save the figures of every task as it ends."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        start("prepare", folder, options, shape)
        top = None
        if options.device == "cuda":
            start("ceiling", folder, options, shape)
            top = read_json(folder / "ceiling.json", "ceiling")["flops_per_second"]
        for task in options.tasks:
            for turn in range(options.repetitions):
                for side in sides:
                    start(f"{task}:{side}:{turn}", folder, options, shape)
            found = {
                side: [
                    read_json(folder / f"{task}:{side}:{turn}.json", side)
                    for turn in range(options.repetitions)
                ]
                for side in sides
            }
            figures = summary(found, top)
            print(shape, task, json.dumps(figures["ratios"]), flush=True)
            if not options.dry_run:
                save(shape, task, figures, options)


def summary(found: Mapping[str, Sequence[Mapping[str, Any]]], top: float | None) -> dict[str, Any]:
    """Return medians by side and the ratios of sides."""
    medians = {
        side: {
            **{
                key: float(f"{statistics.median(run[key] for run in runs):.5g}")
                for key in ("tokens_per_second", "peak_mb", "loaded_mb", "useful_share", "seconds")
            },
            "all_tokens_per_second": [round(run["tokens_per_second"], 1) for run in runs],
        }
        for side, runs in found.items()
    }
    if top:
        for side, runs in found.items():
            share = statistics.median(run["flops_per_second"] for run in runs) / top
            medians[side]["ceiling_share"] = round(share, 3)
    ratios = {
        f"{one} / {other}": {
            "tokens_per_second": ratio(medians, one, other, "tokens_per_second"),
            "peak_memory": ratio(medians, one, other, "peak_mb"),
        }
        for one, other in RATIOS
        if one in medians and other in medians
    }
    return {"ratios": ratios, "sides": medians, "parameters": next(iter(found.values()))[0]["parameters"]}


def ratio(medians: Mapping[str, Mapping[str, Any]], one: str, other: str, key: str) -> float:
    """Return the ratio of two sides' medians."""
    return round(float(medians[one][key] / medians[other][key]), 3)


def read_options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Compare training with TRL's SFTTrainer.")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="folder of the data sets")
    parser.add_argument("--steps", type=int, default=60, help="optimiser steps of 16 examples")
    parser.add_argument(
        "--model-parameters", nargs="+", choices=SHAPES, help="by default 36M on a CPU, 0.5B 1B 8B on a GPU"
    )
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=list(TASKS))
    parser.add_argument("--sides", nargs="+", choices=SIDES, help="all that the device supports by default")
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--dry-run", action="store_true", help="tiny shapes on a CPU; writes nothing")
    output = Path(__file__).with_suffix(".json")
    parser.add_argument("--output", type=Path, default=output, help="file that the figures are added to")
    parser.add_argument("--part", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> None:
    """Measure and write the figures."""
    options = read_options()
    for name in TASKS:
        if not (options.data / name / "train.jsonl").exists():
            sys.exit(f"no {name}/train.jsonl in {options.data}: name the folder of the data sets with --data")
    if options.part:
        run_part(options)
        return
    if find_spec("trl") is None:
        sys.exit("TRL is not installed: pip install trl==1.16.0")
    import torch

    if options.device == "cuda" and not torch.cuda.is_available() and not options.dry_run:
        sys.exit("no GPU here: --device cpu measures on the CPU, --dry-run only checks that every side runs")
    if options.dry_run:
        options.device, options.steps, options.repetitions = "cpu", 3, 1
    shapes = options.model_parameters or (["36M"] if options.device == "cpu" else ["0.5B", "1B", "8B"])
    flash = options.device == "cuda" and find_spec("flash_attn") is not None
    sides = options.sides or [side for side in SIDES if flash or side != "paft_padding_free"]
    for shape in ["tiny"] if options.dry_run else shapes:
        measure(options, shape, sides)
    if options.dry_run:
        print("every side runs")


def save(shape: str, task: str, figures: Mapping[str, Any], options: argparse.Namespace) -> None:
    """Put a task's figures beside those of other devices, shapes and tasks."""
    from paft.provenance import environment

    path: Path = options.output
    everything = read_json(path, "figures") if path.exists() else {}
    models = everything.get(options.device, {}).get("models", {})
    models[shape] = {**models.get(shape, {}), task: figures}
    everything[options.device] = {
        "models": models,
        "steps": options.steps,
        "batch": BATCH,
        "repetitions": options.repetitions,
        "environment": {**environment(), "trl": version("trl")},
    }
    write_json(path, everything)


if __name__ == "__main__":
    main()
