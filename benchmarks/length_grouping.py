# python benchmarks/length_grouping.py --data ../shared/data/snips --tokenizer models/smollm2-135m-instruct
"""What ``train.group_by_length`` saves; write benchmarks/length_grouping.json.

Of schedules by example (methods ``per_example``, ``static``, ``augmented``) with and without it, and beside
them ``single`` and ``paft``, which it leaves as they are:

- the share of the computed tokens that are useful, the others being padding, over all batches of two epochs,
  with the number of different prompts and answers in a batch, so that it can be seen whether a step still
  mixes them;
- useful tokens a second of training. The ways take turns in one process, in another order every time, each
  time training the same model anew for some steps of another seed, with rendering and tokenising.
  A ratio is the median of those of the turns, so that what else the machine does falls on all ways alike.

The claim: a useful token of ``per_example`` takes no more than 5 % longer than one of ``single``.

The built-in task and tokenizer need nothing. ``--data`` adds SNIPS (a folder with ``train.jsonl``, as for
the built-in task ``snips``), ``--tokenizer`` another tokenizer (any folder of a model with one).
``--turns 0`` measures shares alone and leaves the speeds in the file as they are.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paft.bank import Bank, load_bank
from paft.builtin import BANKS, MODELS, TASKS
from paft.files import read_json, write_json
from paft.methods import METHODS
from paft.provenance import environment
from paft.task.task import Task, load_task
from paft.train.settings import Train

if TYPE_CHECKING:
    from paft.model.encode import Encoder
    from paft.train.batches import Planned, RenderedExamples
    from paft.train.schedule import Schedule

ROOT = Path(__file__).parents[1]
GROUPED = ("per_example", "static", "augmented")
# name: method, train.group_by_length
WAYS: dict[str, tuple[str, bool]] = {
    "single": ("single", False),
    "paft": ("paft", False),
    **{method: (method, False) for method in GROUPED},
    **{f"{method} grouped": (method, True) for method in GROUPED},
}
BATCH, EXAMPLES, EPOCHS = 8, 1_500, 2
STEPS, WARM_UP = 33, 3  # of a turn


def made(
    way: str, task: Task, bank: Bank, encoder: Encoder, seed: int = 0
) -> tuple[RenderedExamples, Schedule, Train]:
    """Return what a way trains on."""
    from paft.train.batches import RenderedExamples
    from paft.train.schedule import make_schedule
    from paft.train.variation import variation

    method, group = WAYS[way]
    config = Train(batch_size=BATCH, group_by_length=group, epochs=1, save_every=0, precision="float32")
    settings = METHODS[method].settings(config).model_copy(update={"average": None})
    prompts = list(bank.require("train")) if METHODS[method].trains_on_bank else [task.prompts[0]]
    found = task.examples("train")
    chosen = random.Random(seed).sample(range(len(found)), min(EXAMPLES, len(found)))
    examples = [found[i] for i in sorted(chosen)]
    schedule = make_schedule(settings, len(prompts), seed=seed, examples=len(examples))
    return (
        RenderedExamples(examples, prompts, encoder, variation(settings, prompts, seed)),
        schedule,
        settings,
    )


def shares(way: str, task: Task, bank: Bank, encoder: Encoder) -> dict[str, float]:
    """Return the useful share of a way's tokens, and how many prompts and answers its batches mix."""
    dataset, schedule, settings = made(way, task, bank, encoder)
    useful = computed = 0
    prompts, answers = [], []
    for batch in batches(dataset, schedule, settings):
        rows: list[Planned] = [dataset[plan] for plan in batch]
        lengths = [len(row.input_ids) for row in rows]
        useful += sum(lengths)
        computed += max(lengths) * len(lengths)
        prompts.append(len({plan.prompt for plan in batch}))
        answers.append(len({dataset.examples[plan.example].gold for plan in batch}))
    return {
        "useful_share": round(useful / computed, 4),
        "prompts_in_a_batch": round(statistics.mean(prompts), 2),
        "answers_in_a_batch": round(statistics.mean(answers), 2),
    }


def batches(dataset: RenderedExamples, schedule: Schedule, settings: Train) -> Iterator[Sequence[Any]]:
    """Yield the plans of every batch of some epochs."""
    from paft.train.batches import make_sampler

    sampler = make_sampler(settings, dataset, schedule)
    for epoch in range(EPOCHS):
        plans = list(sampler.plans(epoch))
        for start in range(0, len(plans), BATCH):
            yield plans[start : start + BATCH]


def speed(way: str, task: Task, bank: Bank, seed: int) -> float:
    """Return the useful tokens a second of some steps of training the built-in model."""
    from transformers import TrainerCallback

    from paft.model.load import load_model
    from paft.train.arguments import training_arguments
    from paft.train.checkpoint import Checkpoints
    from paft.train.loop import make_trainer

    model = load_model(str(MODELS["tiny"]))
    dataset, schedule, settings = made(way, task, bank, model.encoder(1024), seed)
    times: dict[int, tuple[float, int]] = {}

    class Clock(TrainerCallback):
        def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            if state.global_step in (WARM_UP, STEPS):
                tally = trainer.step_loss.tally
                times[state.global_step] = time.perf_counter(), tally.tokens(trainer.accelerator.reduce)

    with tempfile.TemporaryDirectory() as name:
        args = training_arguments(settings, seed, Path(name) / "out")
        args.max_steps = STEPS
        trainer = make_trainer(model, dataset, schedule, settings, args, Checkpoints(Path(name) / "none", {}))
        trainer.add_callback(Clock())
        trainer.train()
    (began, before), (ended, after) = times[WARM_UP], times[STEPS]
    return (after - before) / (ended - began)


def speeds(task: Task, bank: Bank, turns: int) -> dict[str, Any]:
    """Return the useful tokens a second of every way, and its ratio to ``single`` turn by turn."""
    ways = [way for way in WAYS if not way.startswith("augmented")]
    speed(ways[0], task, bank, 0)  # what is loaded and compiled once falls on nobody
    found: dict[str, list[float]] = {way: [] for way in ways}
    for turn in range(turns):
        for way in random.Random(turn).sample(ways, len(ways)):
            found[way].append(speed(way, task, bank, turn))
        print(turn, {way: round(values[-1]) for way, values in found.items()}, flush=True)
    ratios = {
        way: [one / other for one, other in zip(values, found["single"], strict=True)]
        for way, values in found.items()
    }
    return {
        way: {
            "useful_tokens_per_second": round(statistics.median(found[way])),
            "to_single": round(statistics.median(ratios[way]), 3),
            "to_single_by_turn": [round(each, 3) for each in ratios[way]],
        }
        for way in ways
    }


def main() -> None:
    """Measure what the options ask for and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder of SNIPS")
    parser.add_argument("--tokenizer", type=Path, help="folder of a further tokenizer")
    parser.add_argument("--turns", type=int, default=7, help="turns of every way; 0 for shares alone")
    options = parser.parse_args()
    os.environ["HF_HUB_OFFLINE"] = "1"
    import torch
    from transformers import AutoTokenizer

    from paft.model.encode import Encoder

    torch.set_num_threads(1)
    tasks = {"routing": (load_task(str(TASKS["routing"])), load_bank(BANKS["routing"]))}
    if options.data:
        snips = load_task("snips", options.data)
        tasks["snips"] = snips, load_bank(BANKS["snips"])
    tokenizers = {"built-in": MODELS["tiny"]}
    if options.tokenizer:
        tokenizers[options.tokenizer.name] = options.tokenizer
    target = Path(__file__).with_suffix(".json")
    result: dict[str, Any] = {
        "batch_size": BATCH, "examples": EXAMPLES, "epochs": EPOCHS, "shares": {}, "speeds": {}
    }  # fmt: skip
    for name, (task, bank) in tasks.items():
        for which, folder in tokenizers.items():
            encoder = Encoder(AutoTokenizer.from_pretrained(folder), 1024)
            found = {way: shares(way, task, bank, encoder) for way in WAYS}
            result["shares"].setdefault(name, {})[which] = found
            print(name, which, json.dumps(found, indent=1), flush=True)
        if options.turns:
            result["speeds"][name] = speeds(task, bank, options.turns)
    if not options.turns and target.exists():
        result["speeds"] = read_json(target, "benchmark")["speeds"]
    write_json(target, {**result, "environment": environment()})


if __name__ == "__main__":
    main()
