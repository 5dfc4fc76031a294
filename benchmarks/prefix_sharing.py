# python benchmarks/prefix_sharing.py
"""What running a prompt's beginning once saves in time, by what it saves in tokens.

Requests of four prompts are scored with the beginnings shared and without, in turns, in one process and
thread: the built-in model, float32. Tails are of 20 to 60 tokens, options of three; beginnings grow from
row to row. Time is processor time, the median of the rounds. ``SHARING_GATE`` of
:mod:`paft.evaluate.scoring.batch_plan` rests on it. Writes benchmarks/prefix_sharing.json.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from paft.evaluate.scoring import batch_plan as plan
from paft.evaluate.scoring.batch_plan import Request, share_beginnings
from paft.evaluate.scoring.likelihood import Scorer
from paft.evaluate.scoring.score import _plan, score_options
from paft.files import write_json
from paft.model.load import LanguageModel, load_model
from paft.provenance import environment

PROMPTS, EXAMPLES, ROUNDS = 4, 30, 5
BEGINNINGS = (5, 10, 20, 40, 80)  # tokens that all requests of a prompt begin with
ALWAYS, NEVER = float("inf"), 0.0
BATCH_TOKENS = 4096


def requests_of(beginning: int, vocabulary: int) -> list[Request]:
    """Return requests whose contexts share so many tokens by prompt."""
    draw = np.random.default_rng(beginning)

    def tokens(count: int) -> tuple[int, ...]:
        return tuple(draw.integers(10, vocabulary, count).tolist())

    options = tuple(tokens(3) for _ in range(5))
    tails = [tokens(int(count)) for count in draw.integers(20, 61, EXAMPLES)]
    pairs = [
        (str(p), start + tail) for p in range(PROMPTS) for start in [tokens(beginning)] for tail in tails
    ]
    made = [Request(context, options) for _, context in pairs]
    return share_beginnings(made, [prompt for prompt, _ in pairs])


def measure(language_model: LanguageModel, beginning: int) -> dict[str, Any]:
    """Score requests both ways in turns and return what sharing leaves of tokens and time."""
    model, pad = language_model.model, language_model.encoder(1024).pad
    requests = requests_of(beginning, model.config.vocab_size)
    tokens: dict[float, int] = {}
    seconds: dict[float, list[float]] = {ALWAYS: [], NEVER: []}
    for number in range(ROUNDS + 1):  # the first warms up
        for gate, taken in seconds.items():
            plan.SHARING_GATE = gate
            with torch.inference_mode():
                tokens[gate] = _plan(Scorer(model, pad), requests, BATCH_TOKENS)[1].tokens
            started = time.process_time()
            score_options(model, requests, pad=pad, batch_tokens=BATCH_TOKENS)
            if number:
                taken.append(time.process_time() - started)
    ratios = np.array(seconds[ALWAYS]) / np.array(seconds[NEVER])
    return {
        "beginning": beginning,
        "tokens_left": round(tokens[ALWAYS] / tokens[NEVER], 3),
        "time_left": round(float(np.median(ratios)), 3),
        "time_left_in_rounds": [round(float(ratio), 3) for ratio in sorted(ratios)],
        "seconds_unshared": round(float(np.median(seconds[NEVER])), 2),
    }


def main() -> None:
    """Measure every length of beginning and write the file."""
    torch.set_num_threads(1)
    language_model = load_model("tiny")
    rows = []
    for beginning in BEGINNINGS:
        rows.append(measure(language_model, beginning))
        print(rows[-1])
    write_json(Path(__file__).with_suffix(".json"), {"rows": rows, "environment": environment()})


if __name__ == "__main__":
    main()
