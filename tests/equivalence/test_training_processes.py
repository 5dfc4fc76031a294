"""Two processes train what one does, whatever the loss averages over."""

from __future__ import annotations

import json
import multiprocessing
import os
import socket
from dataclasses import asdict

import pytest
from safetensors.torch import load_file

from paft.config import Train

pytestmark = pytest.mark.slow
SETTINGS = {"epochs": 2, "batch_size": 8, "micro_batch_size": 2, "learning_rate": 5e-3, "adapt": {"rank": 4}}
CASES = [{}, {"loss": "example"}, {"loss": "example", "padding_free": True, "group_by_length": True}]


def child(rank, processes, port, model, desk, output, settings):
    if processes > 1:
        os.environ.update(
            RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE=str(processes),
            LOCAL_WORLD_SIZE=str(processes), MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port),
        )  # fmt: skip
    os.environ.update(CUDA_VISIBLE_DEVICES="", OMP_NUM_THREADS="1")
    import torch

    torch.set_num_threads(1)
    from paft.bank import load_bank
    from paft.model import load_model
    from paft.task import Task
    from paft.train.sft import fine_tune

    examples = Task.from_yaml(desk / "task.yaml").examples("train")
    prompts = load_bank(desk / "bank.jsonl").prompts("train")
    config = Train(**{**SETTINGS, **settings})
    trained = fine_tune(load_model(str(model)), examples, prompts, config, seed=0, output=output)
    if rank == 0:
        output.with_name("record.json").write_text(json.dumps(asdict(trained)))


def run(processes, *job):
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["paft.train.sft", "peft"])
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    children = [
        context.Process(target=child, args=(rank, processes, port, *job)) for rank in range(processes)
    ]
    for each in children:
        each.start()
    for each in children:
        each.join(300)
        each.kill()
    assert [each.exitcode for each in children] == [0] * processes
    output = job[2]
    record = json.loads(output.with_name("record.json").read_text())
    return record, load_file(output / "adapter_model.safetensors")


@pytest.mark.parametrize("settings", CASES, ids=str)
def test_two_processes_equal_one(model_folder, desk, tmp_path, settings):
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    alone, weights = run(1, model_folder, desk, tmp_path / "one" / "adapter", settings)
    shared, others = run(2, model_folder, desk, tmp_path / "two" / "adapter", settings)
    assert max((weights[name] - others[name]).abs().max().item() for name in weights) < 1e-5
    assert (shared["steps"], shared["tokens"]) == (alone["steps"], alone["tokens"])
    assert shared["loss"] == pytest.approx(alone["loss"], rel=1e-5)
    assert shared["by_prompt"].keys() == alone["by_prompt"].keys()
    for name, values in alone["by_prompt"].items():
        assert shared["by_prompt"][name] == pytest.approx(values, rel=1e-4)
