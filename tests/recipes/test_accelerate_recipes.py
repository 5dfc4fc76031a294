"""The shipped settings of accelerate are read by accelerate itself."""

from pathlib import Path

import pytest
from accelerate.commands.config.config_args import load_config_from_file
from accelerate.utils import DistributedType

RECIPES = Path(__file__).parents[2] / "recipes" / "accelerate"
KINDS = {
    "fsdp2": DistributedType.FSDP,
    "deepspeed_zero2": DistributedType.DEEPSPEED,
    "deepspeed_zero3": DistributedType.DEEPSPEED,
    "two_machines": DistributedType.MULTI_GPU,
}


def test_every_recipe_is_tested():
    assert {path.stem for path in RECIPES.iterdir()} == KINDS.keys()


@pytest.mark.parametrize("name", KINDS)
def test_accelerate_reads_it_and_its_first_line_starts_it(name):
    path = RECIPES / f"{name}.yaml"
    config = load_config_from_file(str(path))
    assert config.distributed_type == KINDS[name]
    assert config.num_processes > config.num_machines
    command = path.read_text().splitlines()[0]
    assert command.startswith(f"# accelerate launch --config_file recipes/accelerate/{path.name} ")
    assert " -m paft train " in command


def test_divided_weights_are_put_together_when_they_are_saved():
    assert load_config_from_file(str(RECIPES / "fsdp2.yaml")).fsdp_config["fsdp_version"] == 2
    zero3 = load_config_from_file(str(RECIPES / "deepspeed_zero3.yaml")).deepspeed_config
    assert (zero3["zero_stage"], zero3["zero3_save_16bit_model"]) == (3, True)
