"""PAFT's prompts in the plain Trainer of transformers: python examples/plain_trainer.py OUTPUT."""

import sys
from pathlib import Path

from transformers import Trainer, TrainingArguments, set_seed

from paft import Train, load_bank, load_model, load_task
from paft.builtin import BANKS
from paft.train import RowCollator, prompt_dataset

# A new prompt every 2 optimiser steps of 4 examples.
SETTINGS = Train(schedule="block", resample_every=2, batch_size=4, epochs=2)


def main(output: Path, seed: int = 0) -> None:
    """Train the built-in model on 14 examples of the built-in task."""
    set_seed(seed)
    loaded = load_model("tiny")
    model, tokenizer = loaded.model, loaded.tokenizer  # those of AutoModelForCausalLM would do
    task = load_task("routing")
    bank = load_bank(BANKS["routing"])
    rows = prompt_dataset(task, bank, tokenizer, SETTINGS, seed=seed, examples=task.examples("train")[:14])
    arguments = TrainingArguments(
        output_dir=str(output),
        num_train_epochs=SETTINGS.epochs,
        per_device_train_batch_size=2,  # x 2 forward passes = the 4 examples of a step
        gradient_accumulation_steps=2,
        learning_rate=1e-3,
        train_sampling_strategy="sequential",  # the order of the rows is random already
        remove_unused_columns=False,
        save_strategy="no",
        logging_steps=2,
        report_to="none",
        seed=seed,
    )
    # The trainer tells the data set each epoch (`set_epoch`).
    trainer = Trainer(model, arguments, RowCollator(tokenizer.pad_token_id), rows)
    trainer.train()
    trainer.save_model(str(output))
    tokenizer.save_pretrained(output)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
