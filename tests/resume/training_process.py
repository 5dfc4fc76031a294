"""A training run that can be killed: in this process by an exception, in its own by kill -9."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import socket
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

FINAL = "final.pt"  # beside the output: what a finished run ended with
PRELOAD = [  # what a child would import, each anew
    "paft.train.loop", "paft.bank", "paft.builtin", "peft", "accelerate", "training_process",
    "transformers.models.llama.modeling_llama", "transformers.models.auto.modeling_auto",
    "transformers.models.auto.tokenization_auto",
]  # fmt: skip
SIZE = 22  # examples: the third step of an epoch is not full


class Killed(BaseException):
    """Stands for kill -9: nobody catches it."""


@dataclass(frozen=True)
class Job:
    """A run of 9 steps in 3 epochs, with a checkpoint every 2 steps.

    Attributes:
        model: Folder of the model.
        desk: Folder of the task and its bank.
        output: Where the weights go.
        settings: Of ``train``, beside the ones below.
        processes: How many train together.
        kill_at: Steps done when it is killed, in the midst of the next; None for never.
    """

    model: Path
    desk: Path
    output: Path
    settings: dict[str, Any] = field(default_factory=dict)
    processes: int = 1
    kill_at: int | None = None


def train(job: Job, die, **keywords) -> None:
    """Train, call ``die`` in the midst of step ``kill_at``, and save what the run ended with."""
    import torch

    from paft.bank import load_bank
    from paft.model.load import load_model
    from paft.task.task import Task
    from paft.train.settings import Train

    ended: dict[str, Any] = {}
    owner, name = trainer_of(job)
    original = getattr(owner, name)

    class Doomed(original):
        def training_step(self, *args, **kwargs):
            loss = super().training_step(*args, **kwargs)  # gradients are there, the step is not done
            if self.state.global_step == job.kill_at:
                die()
            return loss

        def run(self):
            super().run()
            timed = ("per_second", "runtime", "step_time", "profiling")
            history = [{k: v for k, v in log.items() if not any(name in k for name in timed)}
                       for log in self.state.log_history if "loss" in log]  # fmt: skip
            ended.update(optimizer=self.optimizer.state_dict(), history=history)

    settings = {"epochs": 3, "batch_size": 8, "learning_rate": 1e-2, "resample_every": 2, "save_every": 2}
    task, model = Task.from_yaml(job.desk / "task.yaml"), load_model(str(job.model))
    given = task.examples("train")[:SIZE], load_bank(job.desk / "bank.jsonl").prompts("train")
    config = Train(**{**settings, "adapt": {"rank": 4, "dropout": 0.1}, **job.settings})
    keywords = {"seed": 3, "output": job.output, **keywords}
    setattr(owner, name, Doomed)
    try:
        if config.algorithm == "grpo":
            from paft.train.grpo.loop import reinforce

            trained = reinforce(model, task, *given, config, **keywords)
        else:
            from paft.train.loop import fine_tune

            trained = fine_tune(model, *given, config, **keywords)
    finally:
        setattr(owner, name, original)
    record = json.loads(json.dumps(asdict(trained)))
    ended |= {key: record.pop(key) for key in ("seconds", "damaged")}
    if os.environ.get("RANK", "0") == "0":
        torch.save({**ended, "record": record}, job.output.with_name(FINAL))


def trainer_of(job: Job) -> tuple[Any, str]:
    """Return where the trainer of a job is looked up, and by which name."""
    if job.settings.get("algorithm") == "grpo":
        import paft.train.grpo.trainer as grpo

        return grpo, "GroupTrainer"
    import paft.train.loop as sft

    return sft, "PromptTrainer"


def _child(job: Job, rank: int, port: int) -> None:
    os.environ.update(CUDA_VISIBLE_DEVICES="", OMP_NUM_THREADS="1")
    if job.processes > 1:
        os.environ.update(
            RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE=str(job.processes),
            LOCAL_WORLD_SIZE=str(job.processes), MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port),
        )  # fmt: skip
    import torch

    torch.set_num_threads(1)
    # Loader workers begin as they do under a launcher, not by importing all anew as by default here.
    multiprocessing.set_start_method("fork", force=True)
    train(job, lambda: os.kill(os.getpid(), signal.SIGKILL))


def start(job: Job) -> list[int]:
    """Run a job in processes of its own, as a launcher does, and return their exit codes.

    They are forked from a server that has imported torch. When one dies, the others are killed.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOAD)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    children = [context.Process(target=_child, args=(job, rank, port)) for rank in range(job.processes)]
    for child in children:
        child.start()
    deadline = time.monotonic() + 300
    while any(child.is_alive() for child in children) and time.monotonic() < deadline:
        if any(child.exitcode not in (None, 0) for child in children):
            break
        time.sleep(0.02)
    late = time.monotonic() >= deadline
    for child in children:
        child.kill()
        child.join()
    assert not late, "the processes neither ended nor died within 5 minutes"
    return [child.exitcode for child in children]


def final(output: Path) -> dict[str, Any]:
    """Return what a finished run ended with, weights included."""
    import torch
    from safetensors.torch import load_file

    weights = load_file(next(output.glob("*model.safetensors")))
    return {**torch.load(output.with_name(FINAL), weights_only=True), "weights": weights}


def assert_same_bits(one: Any, other: Any, where: str = "run") -> None:
    """Compare tensors bit by bit and everything else exactly."""
    import torch

    assert type(one) is type(other), where
    if isinstance(one, dict):
        assert one.keys() == other.keys(), where
        for key in one:
            assert_same_bits(one[key], other[key], f"{where}.{key}")
    elif isinstance(one, (list, tuple)):
        assert len(one) == len(other), where
        for i, (left, right) in enumerate(zip(one, other, strict=True)):
            assert_same_bits(left, right, f"{where}[{i}]")
    elif isinstance(one, torch.Tensor):
        assert torch.equal(one, other), where
    else:
        assert one == other, (where, one, other)
