"""PAFT's prompts in a bare PyTorch loop: python examples/pytorch_loop.py OUTPUT."""

import sys
from pathlib import Path

import torch
from torch.utils.data import DataLoader

from paft import Train, load_bank, load_model, load_task
from paft.builtin import BANKS
from paft.train import RowCollator, prompt_dataset

# A new prompt every 2 optimiser steps of 4 examples.
SETTINGS = Train(schedule="block", resample_every=2, batch_size=4, epochs=2)


def main(output: Path, seed: int = 0) -> None:
    """Train the built-in model on 14 examples of the built-in task."""
    loaded = load_model("tiny")
    model, tokenizer = loaded.model, loaded.tokenizer  # those of AutoModelForCausalLM would do
    task = load_task("routing")
    bank = load_bank(BANKS["routing"])
    examples = task.examples("train")[:14]
    rows = prompt_dataset(  # of all epochs, one after the other
        task, bank, tokenizer, SETTINGS, seed=seed, examples=examples, epochs=SETTINGS.epochs
    )
    steps = DataLoader(rows, batch_sampler=rows.step_rows(), collate_fn=RowCollator(tokenizer.pad_token_id))
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    model.train()
    for number, batch in enumerate(steps, start=1):
        loss = model(**{name: tensor.to(model.device) for name, tensor in batch.items()}).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        if number % 2 == 0:
            print(f"step {number} of {len(steps)}, loss {loss.item():.3f}")
    model.save_pretrained(output)
    tokenizer.save_pretrained(output)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
