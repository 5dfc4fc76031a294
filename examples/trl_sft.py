"""PAFT's prompts in TRL's SFTTrainer: python examples/trl_sft.py OUTPUT.

What TRL 1.16 refuses, and what this does about it:

- Any data set that is not of the library ``datasets``: a column of positions is, and a transform
  turns positions to rows when they are asked for.
- A transform under its own preparation, which would tokenise once, before training, and so freeze
  one prompt for every example (it raises): preparation is skipped, the rows bring ``input_ids``.
- Rows with a completion mask but no labels where preparation is skipped, since nothing would apply
  the mask (it raises): the rows bring ``labels``, -100 on the prompt.
- ``packing``, and prompts cut to ``max_length``: both belong to preparation. Rows are cut by PAFT.

A data set of that library knows no epochs, so a callback tells the rows.
"""

import sys
from pathlib import Path

from datasets import Dataset
from transformers import TrainerCallback
from trl import SFTConfig, SFTTrainer

from paft import load_bank, load_model, load_task
from paft.builtin import BANKS
from paft.config import Train
from paft.train import PromptDataset, prompt_dataset

# A new prompt every 2 optimiser steps of 4 examples.
SETTINGS = Train(schedule="block", resample_every=2, batch_size=4, epochs=2)


class Epochs(TrainerCallback):
    """Tells the rows which epoch begins."""

    def __init__(self, rows: PromptDataset) -> None:
        self.rows = rows

    def on_epoch_begin(self, args, state, control, **kwargs) -> None:
        """Pass the epoch on; a resumed run begins in the midst of one."""
        self.rows.set_epoch(int(state.epoch or 0))


def main(output: Path, seed: int = 0) -> None:
    """Train the built-in model on 14 examples of the built-in task."""
    loaded = load_model("tiny")
    task = load_task("routing")
    bank = load_bank(BANKS["routing"])
    rows = prompt_dataset(
        task, bank, loaded.tokenizer, SETTINGS, seed=seed, examples=task.examples("train")[:14]
    )

    def fetch(batch: dict) -> dict:
        found = [rows[at] for at in batch["position"]]
        return {name: [row[name] for row in found] for name in ("input_ids", "labels")}

    arguments = SFTConfig(
        output_dir=str(output),
        num_train_epochs=SETTINGS.epochs,
        per_device_train_batch_size=2,  # x 2 forward passes = the 4 examples of a step
        gradient_accumulation_steps=2,
        learning_rate=1e-3,
        train_sampling_strategy="sequential",  # the order of the rows is random already
        remove_unused_columns=False,  # it would remove the positions
        dataset_kwargs={"skip_prepare_dataset": True},
        bf16=False,
        gradient_checkpointing=False,
        save_strategy="no",
        logging_steps=2,
        report_to="none",
        seed=seed,
    )
    trainer = SFTTrainer(
        model=loaded.model,
        args=arguments,
        train_dataset=Dataset.from_dict({"position": list(range(len(rows)))}).with_transform(fetch),
        processing_class=loaded.tokenizer,
        callbacks=[Epochs(rows)],
    )
    trainer.train()
    trainer.save_model(str(output))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
