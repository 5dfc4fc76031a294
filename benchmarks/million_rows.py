# python benchmarks/million_rows.py
"""Start training on 10k, 100k and 1M rows of JSON Lines; write benchmarks/million_rows.json.

The claim: memory does not grow with the rows (but for a few whole numbers each), and the first
optimiser step is done within 10 s of processor time beyond what a start on few rows takes, which is
mostly loading libraries and model; the clock tells more about who else uses the machine. Each size
runs in a process of its own, with two loader workers.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from paft.files import write_json
from paft.provenance import environment

SIZES = (10_001, 100_000, 1_000_000)  # up to 10,000 examples are simply held in memory
TASK = """\
name: synthetic
fields: {message: a text}
answer: {rule: label, options: [first, second, third]}
data: {train: train.jsonl, test: test.jsonl}
prompt: "Message: {message}\\nLabel:"
"""


def write(folder: Path, rows: int) -> None:
    """Write a task of so many rows of about 200 characters, and its bank."""
    words = ("first", "second", "third")
    with (folder / "train.jsonl").open("w") as file:
        for i in range(rows):
            text = " ".join(f"word{(i * 31 + k * 17) % 997}" for k in range(20))
            file.write(json.dumps({"message": f"{i} {text}", "answer": words[i % 3]}) + "\n")
    (folder / "test.jsonl").write_text('{"message": "x", "answer": "first"}\n')
    (folder / "task.yaml").write_text(TASK)
    templates = [f"Variant {i}. Text: {{message}} Answer:" for i in range(20)]
    lines = [json.dumps({"split": "train", "template": template}) for template in templates]
    (folder / "bank.jsonl").write_text("\n".join(lines))


def first_step(folder: Path) -> None:
    """Train until the first optimiser step is done, and print what it took as JSON."""
    import resource

    import psutil

    started = float(os.environ["STARTED"])

    from transformers import TrainerCallback

    from paft.config import RunConfig
    from paft.experiment import train as training
    from paft.train import trainer

    class Stop(TrainerCallback):
        def on_step_end(self, args: object, state: object, control: object, **kwargs: object) -> None:
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            workers = max(each.memory_info().rss for each in psutil.Process().children()) / 2**20
            print(json.dumps({
                "seconds": round(time.time() - started, 2),
                "cpu_seconds": round(time.process_time(), 2),
                "peak_mib": round(peak), "worker_mib": round(workers),
            }), flush=True)  # fmt: skip
            os._exit(0)

    stock = trainer.PromptTrainer.__init__

    def watched(self: trainer.PromptTrainer, *args: object, **kwargs: object) -> None:
        stock(self, *args, **kwargs)  # type: ignore[arg-type]
        self.add_callback(Stop())

    trainer.PromptTrainer.__init__ = watched  # type: ignore[method-assign]
    training.train(
        RunConfig(
            task=str(folder / "task.yaml"), bank=str(folder / "bank.jsonl"), output=str(folder / "out"),
            train={"workers": 2, "batch_size": 8, "epochs": 1},
        )
    )  # fmt: skip


def measure(rows: int) -> dict[str, float]:
    """Return what the first step on so many rows takes, in a process of its own."""
    with tempfile.TemporaryDirectory() as name:
        write(Path(name), rows)
        done = subprocess.run(
            [sys.executable, __file__, name],
            env={**os.environ, "STARTED": str(time.time())}, stdout=subprocess.PIPE, text=True, check=True,
        )  # fmt: skip
    return {"rows": rows, **json.loads(done.stdout.splitlines()[-1])}


def main() -> None:
    """Measure every size and write the figures."""
    sizes = [measure(rows) for rows in SIZES]
    few, many = sizes[0], sizes[-1]
    result = {
        "sizes": sizes,
        "cpu_seconds_more_than_few": round(many["cpu_seconds"] - few["cpu_seconds"], 2),
        "mib_more_than_few": many["peak_mib"] - few["peak_mib"],
        "environment": environment(),
    }
    print(json.dumps(result, indent=1))
    write_json(Path(__file__).with_suffix(".json"), result)


if __name__ == "__main__":
    first_step(Path(sys.argv[1])) if len(sys.argv) > 1 else main()
