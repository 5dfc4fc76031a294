"""TRL's ``SFTTrainer`` on PAFT's rows, in one call.

What TRL 1.16 refuses, and what this does about it:

- Any data set that is not of the library ``datasets``: a column of positions is, and a transform turns
  positions to rows when they are asked for.
- A transform under its own preparation, which would tokenise once, before training, and so freeze one prompt
  for every example (it raises): preparation is skipped, the rows bring ``input_ids``.
- Rows with a completion mask but no labels where preparation is skipped, since nothing would apply the mask
  (it raises): the rows bring ``labels``, -100 on the prompt.
- ``packing``, and prompts cut to ``max_length``: both belong to preparation. Rows are cut by PAFT.

A data set of that library knows no epochs, so a callback tells the rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from transformers import PreTrainedModel, TrainerCallback, set_seed

from paft.bank import Bank
from paft.errors import ConfigError, expect, expect_whole
from paft.model.load import PLAIN
from paft.model.settings import Chat
from paft.prompt import Prompt
from paft.schema import nearest
from paft.task.task import Example, Task
from paft.train.adapt import adapted
from paft.train.arguments import training_arguments
from paft.train.dataset import PromptDataset, prompt_dataset
from paft.train.numerics import prepare
from paft.train.settings import LARGEST_SEED, Train

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase
    from trl import SFTTrainer

# Arguments of SFTConfig that follow from ours.
OURS = {
    "output_dir": "output",
    "seed": "seed",
    "num_train_epochs": "Train.epochs",
    "max_steps": "Train.max_steps",
    "per_device_train_batch_size": "Train.micro_batch_size",
    "gradient_accumulation_steps": "Train.batch_size",
    "learning_rate": "Train.learning_rate",
    "lr_scheduler_type": "Train.lr_scheduler",
    "warmup_steps": "Train.warmup",
    "weight_decay": "Train.weight_decay",
    "max_grad_norm": "Train.max_grad_norm",
    "optim": "Train.optimizer",
    "bf16": "Train.precision",
    "gradient_checkpointing": "Train.gradient_checkpointing",
    "max_length": "Train.max_length",
    "neftune_noise_alpha": "Train.neftune",
    "dataloader_num_workers": "Train.workers",
    "report_to": "Train.report_to",
}
# Those that would break the order or the encoding of the rows.
FIXED = {
    "train_sampling_strategy": "sequential",  # the order of the rows is random already
    "remove_unused_columns": False,  # it would remove the positions
    "dataset_kwargs": {"skip_prepare_dataset": True},
    "packing": False,
    "padding_free": False,
}
# Settings of PAFT's own loop that another trainer has no part for.
OWN_LOOP = (
    "algorithm", "start_from", "prompts", "examples", "redraw", "tokens", "padding_free", "loss", "average",
    "compile", "save_every", "validate_every",
)  # fmt: skip


class _Epochs(TrainerCallback):
    """Tells the rows which epoch begins."""

    def __init__(self, rows: PromptDataset) -> None:
        self.rows = rows

    def on_epoch_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Pass the epoch on; a resumed run begins in the midst of one."""
        self.rows.set_epoch(int(state.epoch or 0))


def make_sft_trainer(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    task: Task,
    prompts: Bank | Sequence[Prompt],
    config: Train,
    *,
    output: str | Path,
    seed: int = 0,
    examples: Sequence[Example] | None = None,
    chat: Chat = PLAIN,
    **arguments: Any,
) -> SFTTrainer:
    """Return TRL's trainer, ready for ``train()``, on the examples and prompts of PAFT's own loop.

    Args:
        model: A causal language model of transformers. It gets the adapter of ``config.adapt``, unless it is
            a peft model already.
        tokenizer: The model's.
        task: The task.
        prompts: A bank, whose training split is used, or the training prompts.
        config: Training settings. Those of PAFT's own loop alone are refused: validation, checkpoints, and
            limits on prompts, examples and tokens.
        output: Folder for what the trainer writes.
        seed: Seed of schedule, order and adapter initialisation.
        examples: Training examples; the task's by default.
        chat: Whether prompts are put as turns of the tokenizer's chat template.
        **arguments: Others of ``trl.SFTConfig``: ``save_strategy``, ``logging_steps``, ``push_to_hub`` ...

    Raises:
        ConfigError: If TRL is not installed, an argument is unknown or follows from another one, or settings
            do not fit the prompts, the devices or TRL.
        PromptError: If the bank has no training prompts, or one does not fit the task.
    """
    try:
        from trl import SFTConfig, SFTTrainer
    except ImportError:
        raise ConfigError("TRL's trainer needs the package trl: pip install 'paft[rl]'") from None
    from datasets import Dataset
    from peft import PeftModel

    expect(model, (PreTrainedModel, PeftModel), "the model (of load_model, take its attribute `model`)")
    expect(config, Train, "the training settings")
    expect(output, (str, Path), "the folder for what the trainer writes")
    seed = expect_whole(seed, "the seed", most=LARGEST_SEED)
    if not config.report_to and arguments.get("report_to") in ("none", ["none"]):
        del arguments["report_to"]  # both say the same
    _check_arguments(arguments, [field.name for field in fields(SFTConfig)])
    _check_settings(config)
    set_seed(seed)
    own = training_arguments(config, seed, Path(output))
    values = {field.name: getattr(own, field.name) for field in fields(own) if field.init}
    shown = {"disable_tqdm": False, "log_level": "passive"}  # PAFT's own loop has a progress bar instead
    shown |= {"max_length": config.max_length, "max_steps": config.max_steps or -1}
    args = SFTConfig(**{**values, **shown, **FIXED, **arguments})
    fill = args.per_device_train_batch_size * args.world_size if args.world_size > 1 else 1
    rows = prompt_dataset(
        task, prompts, tokenizer, config, seed=seed, examples=examples, chat=chat, fill=fill
    )

    def fetch(batch: Mapping[str, Any]) -> dict[str, list[Any]]:
        found: list[Mapping[str, Any]] = [rows[at] for at in batch["position"]]
        return {name: [row[name] for row in found] for name in ("input_ids", "labels")}

    if not isinstance(model, PeftModel):
        prepare(model, config)
        model = adapted(model, config.adapt)
    return SFTTrainer(
        model=model,
        args=args,
        train_dataset=Dataset.from_dict({"position": list(range(len(rows)))}).with_transform(fetch),
        processing_class=tokenizer,
        callbacks=[_Epochs(rows)],
    )


def _check_arguments(arguments: Mapping[str, Any], known: Sequence[str]) -> None:
    for name in arguments:
        if name in OURS:
            raise ConfigError(f"SFTConfig's {name} follows from {OURS[name]}: set that")
        if name in FIXED:
            raise ConfigError(f"SFTConfig's {name} is {FIXED[name]!r}, as PAFT's rows need it: leave it out")
        if name not in known:
            raise ConfigError(f"SFTConfig has no argument {name!r}{nearest(name, list(known))}")


def _check_settings(config: Train) -> None:
    for name in OWN_LOOP:
        if getattr(config, name) != getattr(Train(), name):
            raise ConfigError(
                f"train.{name} is a setting of PAFT's own loop (`paft train`): leave it out for TRL's trainer"
            )
