"""Two processes train what one does, whatever the loss averages over and whoever holds the weights."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import socket
from dataclasses import asdict

import pytest
from safetensors.torch import load_file

from paft.evaluate.cells import score_cells
from paft.train.settings import Train

pytestmark = pytest.mark.slow
SETTINGS = {"epochs": 2, "batch_size": 8, "micro_batch_size": 2, "learning_rate": 5e-3, "adapt": {"rank": 4}}
CASES = [
    {},
    {"loss": "example"},
    {"loss": "example", "padding_free": True, "group_by_length": True},
    {"schedule": "example", "batch_size": 2, "micro_batch_size": 1},
]
SHARDED = [
    {},
    {"adapt": {"method": "full"}},
    {"loss": "example", "validate_every": 3, "validate_examples": 5, "keep": "best"},
]


def shard():
    """Divide the weights over the processes as on GPUs: accelerate does so wherever it sees no CPU."""
    os.environ.update(
        ACCELERATE_USE_FSDP="true", FSDP_VERSION="2", FSDP_AUTO_WRAP_POLICY="TRANSFORMER_BASED_WRAP",
        FSDP_RESHARD_AFTER_FORWARD="true", FSDP_STATE_DICT_TYPE="FULL_STATE_DICT",
    )  # fmt: skip
    from accelerate import PartialState
    from accelerate.state import AcceleratorState
    from accelerate.utils import DistributedType

    original = AcceleratorState.__init__

    def disguised(self, *args, **kwargs):
        if not AcceleratorState._shared_state:
            PartialState(cpu=True)
            PartialState._shared_state["distributed_type"] = DistributedType.MULTI_XPU
        original(self, *args, **kwargs)
        assert self.distributed_type == DistributedType.FSDP

    AcceleratorState.__init__ = disguised


def child(rank, processes, port, sharded, kill_at, model, desk, output, settings):
    if processes > 1:
        os.environ.update(
            RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE=str(processes),
            LOCAL_WORLD_SIZE=str(processes), MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port),
        )  # fmt: skip
    os.environ.update(CUDA_VISIBLE_DEVICES="", OMP_NUM_THREADS="1")
    import torch

    torch.set_num_threads(1)
    if sharded:
        shard()
    from paft.bank import load_bank
    from paft.model.load import load_model
    from paft.task.task import Task
    from paft.train.loop import fine_tune
    from paft.train.validation import Validation

    task, bank = Task.from_yaml(desk / "task.yaml"), load_bank(desk / "bank.jsonl")
    config = Train(**{**SETTINGS, **settings})
    validation = Validation(
        task, bank.prompts("test"), task.examples("test")[: config.validate_examples], score_cells
    )

    def die(step, *_):
        if step == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

    trained = fine_tune(
        load_model(str(model)), task.examples("train"), bank.prompts("train"), config, seed=0, output=output,
        on_step=die, validation=validation if config.validate_every else None,
    )  # fmt: skip
    if rank == 0:
        output.with_name("record.json").write_text(json.dumps(asdict(trained)))


def run(processes, *job, sharded=False, kill_at=None):
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["paft.train.loop", "peft"])
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    children = [
        context.Process(target=child, args=(rank, processes, port, sharded, kill_at, *job))
        for rank in range(processes)
    ]
    for each in children:
        each.start()
    for each in children:
        each.join(300)
        each.kill()
    if kill_at is not None:
        assert [each.exitcode for each in children] == [-signal.SIGKILL] * processes
        return None
    assert [each.exitcode for each in children] == [0] * processes
    output = job[2]
    record = json.loads(output.with_name("record.json").read_text())
    return record, load_file(next(output.glob("*model.safetensors")))


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


@pytest.mark.parametrize("settings", SHARDED, ids=str)
def test_two_processes_with_half_of_the_weights_each_equal_one(model_folder, desk, tmp_path, settings):
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    alone, weights = run(1, model_folder, desk, tmp_path / "one" / "adapter", settings)
    shared, others = run(2, model_folder, desk, tmp_path / "two" / "adapter", settings, sharded=True)
    assert weights.keys() == others.keys()
    assert max((weights[name] - others[name]).abs().max().item() for name in weights) < 1e-5
    assert shared["loss"] == pytest.approx(alone["loss"], rel=1e-5)
    assert shared["validations"] == alone["validations"]
    assert shared["kept"] == alone["kept"]


def test_a_killed_run_with_divided_weights_goes_on_to_the_same_end(model_folder, desk, tmp_path):
    (tmp_path / "whole").mkdir()
    (tmp_path / "killed").mkdir()
    settings = {"save_every": 2}
    _, weights = run(2, model_folder, desk, tmp_path / "whole" / "adapter", settings, sharded=True)
    job = (model_folder, desk, tmp_path / "killed" / "adapter", settings)
    run(2, *job, sharded=True, kill_at=4)
    resumed, others = run(2, *job, sharded=True)
    assert resumed["curve"][0][0] == 2
    assert all((weights[name] == others[name]).all() for name in weights)
