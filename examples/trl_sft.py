"""PAFT's prompts in TRL's SFTTrainer: python examples/trl_sft.py OUTPUT."""

import sys
from pathlib import Path

from paft import load_bank, load_model, load_task, make_sft_trainer
from paft.builtin import BANKS
from paft.train.settings import Adapt, Train

# A new prompt every 2 optimiser steps of 4 examples; all weights are trained.
SETTINGS = Train(
    schedule="block", resample_every=2, batch_size=4, micro_batch_size=2, epochs=2, learning_rate=1e-3,
    adapt=Adapt(method="full"),
)  # fmt: skip


def main(output: Path, seed: int = 0) -> None:
    """Train the built-in model on 14 examples of the built-in task."""
    loaded = load_model("tiny")
    task = load_task("routing")
    trainer = make_sft_trainer(
        loaded.model,  # and its tokenizer: those of AutoModelForCausalLM would do
        loaded.tokenizer,
        task,
        load_bank(BANKS["routing"]),
        SETTINGS,
        output=output,
        seed=seed,
        examples=task.examples("train")[:14],
        logging_steps=2,
    )
    trainer.train()
    trainer.save_model(str(output))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
