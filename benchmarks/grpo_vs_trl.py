# python benchmarks/grpo_vs_trl.py --steps 20
"""Take the same GRPO steps with PAFT and with TRL's GRPOTrainer alone; write the figures beside this file.

Both sides start from the built-in model, train all its weights by the same settings, and sample for the same
rendered prompts of the built-in task, 8 completions each. What PAFT adds is in its steps: rows, encoding,
reading and scoring of the completions by the task's rule, sums by prompt. TRL's reward is the length of a
text, as cheap as one can be. PAFT has it too, with all the weight, so that both learn from the same rewards.

Each side runs in a process of its own, and the sides take turns. Measured is the time from the end of the
first steps, which warm up, to the end of the last, and the peak resident memory. Ratios are of medians; the
aim is 1.05. ``--dry-run`` takes three steps once and writes nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

from paft.files import read_json, write_json

SIDES = ("paft", "trl")
BATCH, GENERATIONS, LIMIT, WARM_UP = 4, 8, 8, 2
REWARD = "def length(completions, **_):\n    return [float(len(text)) for text in completions]\n"


def settings(reward: str) -> Any:
    """Return PAFT's settings, from which TRL's follow too."""
    from paft.train.settings import Train

    grpo = {
        "generations": GENERATIONS,
        "max_tokens": LIMIT,
        "rewards": [f"{reward}:length"],
        "weights": [0, 1],
    }
    return Train(
        algorithm="grpo", batch_size=BATCH, epochs=1, learning_rate=1e-5, save_every=0,
        adapt={"method": "full"}, grpo=grpo,
    )  # fmt: skip


def run_side(side: str, folder: Path, steps: int) -> None:
    """Take the steps of a side and write its figures to a file."""
    from transformers import TrainerCallback

    times: list[float] = []

    class Clock(TrainerCallback):
        def on_step_end(self, *args: Any, **kwargs: Any) -> None:
            times.append(time.perf_counter())

    reward = folder / "reward.py"
    reward.write_text(REWARD)
    (run_paft if side == "paft" else run_trl)(folder, str(reward), steps, Clock())
    write_json(
        folder / "figures.json",
        {
            "seconds_per_step": (times[-1] - times[WARM_UP - 1]) / (len(times) - WARM_UP),
            "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,  # kilobytes on Linux
        },
    )


def task_and_model(steps: int) -> tuple[Any, Any, Any, Any]:
    """Return task, bank, examples and model of both sides."""
    from paft.bank import load_bank
    from paft.builtin import BANKS
    from paft.model.load import load_model
    from paft.task.task import load_task

    task = load_task("routing")
    return task, load_bank(BANKS["routing"]), task.examples("train")[: steps * BATCH], load_model("tiny")


def run_paft(folder: Path, reward: str, steps: int, clock: Any) -> None:
    """Train by :func:`paft.train.grpo.loop.reinforce`."""
    from paft.train.grpo import trainer as home
    from paft.train.grpo.loop import reinforce

    class Timed(home.GroupTrainer):
        def run(self) -> None:
            self.add_callback(clock)
            super().run()

    home.GroupTrainer = Timed  # type: ignore[misc]
    task, bank, examples, model = task_and_model(steps)
    prompts = bank.prompts("train")
    reinforce(model, task, examples, prompts, settings(reward), seed=0, output=folder / "model")


def run_trl(folder: Path, reward: str, steps: int, clock: Any) -> None:
    """Train by TRL alone, on the prompts as they were rendered beforehand."""
    from datasets import Dataset
    from trl import GRPOTrainer

    from paft.train.batches import RenderedExamples
    from paft.train.grpo.loop import grpo_arguments
    from paft.train.grpo.rewards import load_reward
    from paft.train.grpo.rows import RowRenderer, make_group_sampler, unroll_rows
    from paft.train.schedule import make_schedule

    config = settings(reward)
    _, bank, examples, model = task_and_model(steps)
    prompts = bank.prompts("train")
    encoder = model.encoder(config.max_length)
    schedule = make_schedule(config, len(prompts), seed=0, examples=len(examples))
    columns = unroll_rows(make_group_sampler(config, schedule, len(examples)), config, steps)
    numbers = [
        {name: int(column[at]) for name, column in columns.items()}
        for at in range(0, steps * BATCH * GENERATIONS, GENERATIONS)
    ]
    rendered = RowRenderer(RenderedExamples(examples, prompts, encoder))(numbers)
    args = grpo_arguments(config, 0, folder / "out", LIMIT, encoder.stops, model)
    args.max_steps, args.reward_weights = steps, [1.0]
    trainer = GRPOTrainer(
        model.model.train(), load_reward(f"{reward}:length").function, args,
        Dataset.from_dict({"prompt": [row["prompt"] for row in rendered]}),
        processing_class=model.tokenizer, callbacks=[clock],
    )  # fmt: skip
    trainer.train()


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Run both sides in turns and return their figures and ratios."""
    found: dict[str, list[dict[str, float]]] = {side: [] for side in SIDES}
    for _ in range(options.repetitions):
        for side in SIDES:
            with tempfile.TemporaryDirectory() as name:
                threads = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), str(options.threads))
                quiet = {"HF_HUB_OFFLINE": "1", "CUDA_VISIBLE_DEVICES": "", **threads}
                command = [
                    sys.executable, "-W", "ignore", __file__, "--side", side, "--folder", name,
                    "--steps", str(options.steps),
                ]  # fmt: skip
                subprocess.run(command, env={**os.environ, **quiet}, check=True)
                found[side].append(read_json(Path(name) / "figures.json", side))
    medians = {
        side: {key: statistics.median(run[key] for run in runs) for key in runs[0]}
        for side, runs in found.items()
    }
    return {
        "settings": {"batch": BATCH, "generations": GENERATIONS, "tokens": LIMIT, "steps": options.steps},
        "machine": {"processor": platform.processor() or platform.machine(), "threads": options.threads},
        "versions": {name: version(name) for name in ("paft", "torch", "transformers", "trl")},
        "runs": found,
        "medians": medians,
        "ratios": {key: medians["paft"][key] / medians["trl"][key] for key in medians["paft"]},
    }


def main() -> None:
    """Read the command line, measure and write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--dry-run", action="store_true")
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side is not None:
        return run_side(options.side, options.folder, options.steps)
    if options.dry_run:
        options.steps, options.repetitions = 3, 1
    figures = measure(options)
    print(json.dumps({"medians": figures["medians"], "ratios": figures["ratios"]}, indent=1))
    if not options.dry_run:
        write_json(Path(__file__).with_suffix(".json"), figures)
    return None


if __name__ == "__main__":
    main()
