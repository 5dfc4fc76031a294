# python benchmarks/evaluate_vs_lm_eval.py
"""Score the same cells with PAFT and with lm-evaluation-harness; write benchmarks/evaluate_vs_lm_eval.json.

A cell is one prompt on one example, and its result the log-probability of every option. Both sides
load the same random weights in float32 (about 36 million parameters, 32,768 tokens) and score the
same token ids, which is checked: digests of all (context, option) pairs must agree. So must the
predictions wherever the two best options are further apart than rounding.

=====  ====================================================================================
case   what is scored
=====  ====================================================================================
A      HellaSwag, the four endings (some 30 tokens each) after their beginning
B      BANKING77 with ten of its intents, label words (1 to 5 tokens)
C      HellaSwag, letters A to D after a prompt that shows the endings
D      as A with 131,072 tokens and few examples, the longest: for memory only
=====  ====================================================================================

Each side runs in a process of its own, with all prompts in one go: ``evaluate_matrix`` as it stands
by default, ``simple_evaluate`` on a group of one task per prompt with the best of some batch sizes,
which is found on some 1,000 sequences. Time is wall time from files on disk to results, without
imports and loading the model, with tokenising. For lm-evaluation-harness ``seconds_scoring`` leaves
out building tasks and averaging; ``ratio_scoring`` sets it against all that PAFT does.

The data is not part of PAFT: ``--data`` names a folder with ``hellaswag`` and ``banking77``, each
with ``train.jsonl`` and ``test.jsonl``, rows of ctx, A, B, C, D, answer and of text, intent.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from paft.bank import Bank, load_bank
from paft.files import read_json, read_jsonl, write_json, write_text
from paft.prompt import Prompt
from paft.task.task import Example, Task

if TYPE_CHECKING:
    from paft.model.load import LanguageModel

Pairs = Iterable[tuple[Sequence[int], Sequence[int]]]  # token ids of context and option
VOCABULARIES = {"A": 32_768, "B": 32_768, "C": 32_768, "D": 131_072}
MEMORY_EXAMPLES = 4
BATCH_SIZES = (8, 16, 32, 64)
TRIED_SEQUENCES = 1_000
ROUNDING = 1e-4  # nats; options closer than this may change places
INTENTS = (
    "activate my card", "age limit", "card arrival", "card not working", "change pin",
    "exchange rate", "lost or stolen phone", "request refund", "terminate account", "top up failed",
)  # fmt: skip
OPENINGS = (
    "",
    "Please help. ",
    "Here is a small exercise. ",
    "Take your time. ",
    "A short one: ",
    "Next item. ",
)
CONTINUE = (
    (
        "Say how the following goes on.",
        "The passage below breaks off; carry it on in the most natural way.",
        "What happens next in this scene?",
        "Complete the description as somebody who watched it would.",
    ),
    ("\n\n{ctx}\n\n", "\nBeginning: {ctx}\n", "\n> {ctx}\n"),
    ("Continuation:", "It goes on:", "Next:", "And then:"),
)
CLASSIFY = (
    (
        "Name what this bank customer wants.",
        "Which intent does the question below have?",
        "Sort the customer's words by what they are about.",
        "Tell our help desk the subject of this enquiry.",
    ),
    ("\n\n{text}\n\n", "\nCustomer: {text}\n", "\nOne of: {options}.\n\n{text}\n"),
    ("Intent:", "Subject:", "It is about", "=>"),
)
CHOOSE = (
    CONTINUE[0],
    (
        "\n\n{ctx}\nA. {A}\nB. {B}\nC. {C}\nD. {D}\n",
        "\n{ctx}\n(A) {A}\n(B) {B}\n(C) {C}\n(D) {D}\n",
        "\nBeginning: {ctx}\nA: {A}\nB: {B}\nC: {C}\nD: {D}\n\n",
    ),
    ("Answer:", "Letter:", "The best ending is", "Choice:"),
)
GRAMMARS = {"A": CONTINUE, "B": CLASSIFY, "C": CHOOSE, "D": CONTINUE}
TASKS: dict[str, dict[str, Any]] = {
    # `{options}` is asked for where options differ by example; the bank's prompts, which show the
    # beginning alone as HellaSwag's usual form does, go straight to evaluate_matrix.
    "A": {
        "fields": {"ctx": "beginning"},
        "answer": {"rule": "label", "options_field": "endings"},
        "prompt": "{ctx} {options}",
    },
    "B": {
        "fields": {"text": "question"},
        "answer": {"rule": "label", "field": "intent", "options": INTENTS},
        "prompt": "{text}",
    },
    "C": {
        "fields": {name: name for name in ("ctx", *"ABCD")},
        "answer": {"rule": "choice", "options": tuple("ABCD")},
        "prompt": "{ctx} {A} {B} {C} {D}",
    },
}
TASKS["D"] = TASKS["A"]


def prompts_for(case: str, count: int) -> list[Prompt]:
    """Draw distinct prompts from a case's grammar."""
    requests, layouts, cues = GRAMMARS[case]
    everything = ["".join(parts) for parts in product(OPENINGS, requests, layouts, cues)]
    return [Prompt(text) for text in random.Random(0).sample(everything, count)]


def rows_for(case: str, data: Path, count: int) -> list[dict[str, Any]]:
    """Return the first test rows of a case's data, or for memory the longest of them."""
    name = "banking77" if case == "B" else "hellaswag"
    rows = [row for _, row in read_jsonl(data / name / "test.jsonl", name)]
    if case == "B":
        return [row for row in rows if row["intent"] in INTENTS][:count]
    if case == "D":
        longest = sorted(rows[:count], key=lambda row: -len("".join(row[key] for key in ("ctx", *"ABCD"))))
        rows = longest[:MEMORY_EXAMPLES]
    if case in "AD":
        rows = [
            {"ctx": row["ctx"], "endings": [row[key] for key in "ABCD"], "answer": row[row["answer"]]}
            for row in rows
        ]
    return rows[:count]


def prepare(folder: Path, data: Path, prompts: int, examples: int) -> None:
    """Write models, prompts, examples and lm-evaluation-harness's task groups."""
    texts = [
        " ".join(str(value) for value in row.values())
        for name in ("hellaswag", "banking77")
        for _, row in read_jsonl(data / name / "train.jsonl", name)
    ]
    for size in sorted(set(VOCABULARIES.values())):
        _write_model(folder / str(size), texts, size)
    for case in VOCABULARIES:
        home = folder / case
        rows = rows_for(case, data, examples)
        source = {"train": "test.jsonl", "test": "test.jsonl"}
        write_json(home / "task.yaml", {"name": case, "data": source, **TASKS[case]})  # JSON is YAML
        write_text(home / "test.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
        bank = Bank({"test": tuple(prompts_for(case, prompts))})
        bank.save(home / "bank.jsonl")
        _write_group(home, case, bank.prompts("test"), Task.from_yaml(home / "task.yaml").examples("test"))


def _write_model(folder: Path, texts: Sequence[str], vocabulary: int) -> None:
    """Save random weights, and byte-level BPE of what entries the texts yield, up to 32,000."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=32_000,
        special_tokens=["<|endoftext|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<|endoftext|>").save_pretrained(folder)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=vocabulary, hidden_size=512, intermediate_size=1408, num_hidden_layers=6,
        num_attention_heads=8, max_position_embeddings=1024, tie_word_embeddings=True,
        bos_token_id=None, eos_token_id=0,
    )  # fmt: skip
    LlamaForCausalLM(config).save_pretrained(folder)


def _write_group(home: Path, case: str, prompts: Sequence[Prompt], examples: Sequence[Example]) -> None:
    """Write a task per prompt and a group over them, as lm-evaluation-harness's guide has it."""
    folder = home / "lm_eval"
    rows = (
        {**example.values, "choices": example.options, "gold": example.options.index(example.gold)}
        for example in examples
    )
    write_text(folder / "test.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    for prompt in prompts:
        task = {
            "task": f"{case}_{prompt.id}",
            "dataset_path": "json",
            "dataset_kwargs": {"data_files": {"test": str(folder / "test.jsonl")}},
            "test_split": "test",
            "output_type": "multiple_choice",
            "num_fewshot": 0,
            "doc_to_text": prompt.template.replace("{", "{{ ").replace("}", " }}"),
            "doc_to_choice": "choices",
            "doc_to_target": "gold",
            "target_delimiter": " ",
            "metric_list": [{"metric": "acc", "aggregation": "mean", "higher_is_better": True}],
        }
        write_json(folder / f"{prompt.id}.yaml", task)
    names = [f"{case}_{prompt.id}" for prompt in prompts]
    group = {"group": case, "task": names, "aggregate_metric_list": [{"metric": "acc"}]}
    write_json(folder / "group.yaml", group)


def run_paft(case: str, folder: Path) -> dict[str, Any]:
    """Time evaluate_matrix at its defaults."""
    from paft.evaluate.cells import evaluate_matrix
    from paft.model.load import load_model

    home = folder / case
    model = load_model(str(folder / str(VOCABULARIES[case])))
    task, bank = Task.from_yaml(home / "task.yaml"), load_bank(home / "bank.jsonl")
    evaluate_matrix(model, task, bank.require("test")[:1], task.examples("test")[:1])  # warm-up
    loaded = _peak_mb()
    started = time.perf_counter()
    task, prompts = Task.from_yaml(home / "task.yaml"), load_bank(home / "bank.jsonl").require("test")
    matrix = evaluate_matrix(model, task, prompts, task.examples("test"))
    seconds = time.perf_counter() - started
    peak = _peak_mb()
    scores = [list(cell.log_probabilities) for cell in matrix.cells]
    pairs = _paft_pairs(model, prompts, task.examples("test"))
    return {
        "seconds": seconds,
        "loaded_mb": loaded,
        "peak_mb": peak,
        "parameters": sum(weight.numel() for weight in model.model.parameters()),
        "tokenizer_entries": len(model.tokenizer),
        "log_probabilities": scores,
        **_digest(pairs),
    }


def _paft_pairs(
    model: LanguageModel, prompts: Sequence[Prompt], examples: Sequence[Example]
) -> list[tuple[list[int], list[int]]]:
    encoder = model.encoder(1024)
    pairs = []
    for prompt, example in product(prompts, examples):
        rendered = prompt.render(example.values)
        context, truncated = encoder.context(rendered, 0)
        assert not truncated
        pairs += [(context, encoder.answer(rendered, option)) for option in example.options]
    return pairs


def run_lm_eval(case: str, folder: Path, batch_sizes: Sequence[int]) -> dict[str, Any]:
    """Time simple_evaluate with the quickest batch size."""
    from lm_eval.api.instance import Instance
    from lm_eval.evaluator import simple_evaluate
    from lm_eval.models.huggingface import HFLM
    from lm_eval.tasks import TaskManager

    class Timed(HFLM):  # type: ignore[misc]
        """The model as it is, with a clock and the token ids it was asked for."""

        seconds = 0.0
        pairs: Pairs = ()

        def loglikelihood(self, requests: list[Instance], disable_tqdm: bool = True) -> Any:
            started = time.perf_counter()
            results = super().loglikelihood(requests, disable_tqdm=True)
            self.seconds = time.perf_counter() - started
            return results

        def _loglikelihood_tokens(self, requests: Any, *args: Any, **options: Any) -> Any:
            self.pairs = [(context, option) for _, context, option in requests]
            return super()._loglikelihood_tokens(requests, *args, **options)

    home = folder / case
    source = str(folder / str(VOCABULARIES[case]))
    model = Timed(pretrained=source, device="cpu", dtype="float32", batch_size=batch_sizes[0])

    def evaluate(batch_size: int, limit: int | None) -> tuple[float, Any]:
        model.batch_size_per_gpu = batch_size
        started = time.perf_counter()
        manager = TaskManager(include_path=str(home / "lm_eval"), include_defaults=False)
        results = simple_evaluate(model, tasks=[case], task_manager=manager, limit=limit, bootstrap_iters=0)
        return time.perf_counter() - started, results

    rows = [row for _, row in read_jsonl(home / "lm_eval" / "test.jsonl", "examples")]
    prompts = len(load_bank(home / "bank.jsonl").require("test"))
    few = max(1, TRIED_SEQUENCES // (prompts * len(rows[0]["choices"])))
    tried = {}
    evaluate(batch_sizes[0], 1)  # warm-up
    for batch_size in batch_sizes if len(batch_sizes) > 1 else ():
        evaluate(batch_size, few)
        tried[str(batch_size)] = round(model.seconds, 2)
    best = int(min(tried, key=tried.__getitem__)) if tried else batch_sizes[0]
    loaded = _peak_mb()
    seconds, results = evaluate(best, None)
    return {
        "seconds": seconds,
        "seconds_scoring": model.seconds,
        "batch_size": best,
        "seconds_of_tries": tried,
        "loaded_mb": loaded,
        "peak_mb": _peak_mb(),
        "log_probabilities": _harness_scores(results["samples"], case, home),
        **_digest(model.pairs),
    }


def _harness_scores(samples: Mapping[str, Any], case: str, home: Path) -> list[list[float]]:
    """Return the options' log-probabilities of each cell, prompt by prompt."""
    scores = []
    for prompt in load_bank(home / "bank.jsonl").require("test"):
        rows = sorted(samples[f"{case}_{prompt.id}"], key=lambda row: row["doc_id"])
        scores += [[float(value) for value, _ in row["filtered_resps"]] for row in rows]
    return scores


def _digest(pairs: Pairs) -> dict[str, Any]:
    """Sum up token ids irrespective of order."""
    lines = sorted(json.dumps([list(context), list(option)]) for context, option in pairs)
    tokens = [len(json.loads(line)[0]) + len(json.loads(line)[1]) for line in lines]
    digest = hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]
    return {"pairs": len(lines), "pair_tokens": sum(tokens), "digest": digest}


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024  # kilobytes on Linux


def compare(paft: Mapping[str, Any], harness: Mapping[str, Any]) -> dict[str, Any]:
    """Hold the two sides' cells against each other and set their costs in proportion."""
    for key in ("pairs", "pair_tokens", "digest"):
        assert paft[key] == harness[key], f"not the same token ids: {key} {paft[key]} and {harness[key]}"
    close = differing = 0
    largest = 0.0
    for ours, theirs in zip(paft["log_probabilities"], harness["log_probabilities"], strict=True):
        largest = max(largest, float(np.abs(np.subtract(ours, theirs)).max()))
        ranked = sorted(ours, reverse=True)
        if ranked[0] - ranked[1] <= ROUNDING:
            close += 1
        elif np.argmax(ours) != np.argmax(theirs):
            differing += 1
    assert not differing, f"{differing} predictions differ although the options are well apart"
    return {
        "cells": len(paft["log_probabilities"]),
        "sequences": paft["pairs"],
        "mean_tokens": round(paft["pair_tokens"] / paft["pairs"], 1),
        "close_cells": close,
        "largest_difference": float(f"{largest:.2g}"),
        "ratio": round(harness["seconds"] / paft["seconds"], 2),
        "ratio_scoring": round(harness["seconds_scoring"] / paft["seconds"], 2),
        "ratio_peak_memory": round(harness["peak_mb"] / paft["peak_mb"], 2),
        "paft": _costs(paft),
        "lm_eval": _costs(harness),
    }


def _costs(side: Mapping[str, Any]) -> dict[str, Any]:
    kept = {
        key: value for key, value in side.items() if key not in ("log_probabilities", "pairs", "pair_tokens")
    }
    return {key: round(value, 2) if isinstance(value, float) else value for key, value in kept.items()}


def start(part: str, folder: Path, arguments: argparse.Namespace, batch_sizes: Sequence[int] = ()) -> None:
    """Run one part in a process of its own, so that its peak memory is its own."""
    threads = str(arguments.threads)
    quiet = {"HF_HUB_OFFLINE": "1", "HF_HOME": str(folder / "cache"), "TOKENIZERS_PARALLELISM": "false"}
    command = [
        sys.executable, __file__, "--part", part, "--folder", str(folder), "--data", str(arguments.data),
        "--prompts", str(arguments.prompts), "--examples", str(arguments.examples),
        "--batch-sizes", *map(str, batch_sizes or BATCH_SIZES),
    ]  # fmt: skip
    names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")
    subprocess.run(command, env={**os.environ, **quiet, **dict.fromkeys(names, threads)}, check=True)


def run_part(arguments: argparse.Namespace) -> None:
    """Do what a child process is for."""
    folder: Path = arguments.folder
    if arguments.part == "prepare":
        return prepare(folder, arguments.data, arguments.prompts, arguments.examples)
    side, case = arguments.part.split(":")
    batch_sizes = arguments.batch_sizes
    figures = run_paft(case, folder) if side == "paft" else run_lm_eval(case, folder, batch_sizes)
    return write_json(folder / case / f"{side}.json", figures)


def measure(folder: Path, arguments: argparse.Namespace) -> dict[str, Any]:
    """Run both sides of every case."""
    start("prepare", folder, arguments)
    cases: dict[str, Any] = {}
    for case in arguments.cases:
        start(f"paft:{case}", folder, arguments)
        # D is about memory, of which small batches need the least.
        start(f"lm_eval:{case}", folder, arguments, BATCH_SIZES[:1] if case == "D" else ())
        sides = [read_json(folder / case / f"{side}.json", side) for side in ("paft", "lm_eval")]
        sizes = {key: getattr(arguments, key) for key in ("prompts", "examples", "threads")}
        cases[case] = {**sizes, **compare(*sides)}
        print(
            case,
            json.dumps({key: cases[case][key] for key in cases[case] if key.startswith("ratio")}),
            flush=True,
        )
    return cases


def options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Compare evaluation with lm-evaluation-harness.")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="folder of the data sets")
    parser.add_argument("--prompts", type=int, default=50)
    parser.add_argument("--examples", type=int, default=200)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--cases", nargs="+", choices=VOCABULARIES, default=list(VOCABULARIES))
    parser.add_argument("--part", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--batch-sizes", type=int, nargs="+", default=BATCH_SIZES, help="of the harness")
    return parser.parse_args()


def main() -> None:
    """Measure and write the figures."""
    arguments = options()
    for name in ("hellaswag", "banking77"):
        if not (arguments.data / name / "test.jsonl").exists():
            sys.exit(
                f"no {name}/test.jsonl in {arguments.data}: name the folder of the data sets with --data"
            )
    if arguments.part:
        return run_part(arguments)
    with tempfile.TemporaryDirectory() as folder:
        cases = measure(Path(folder), arguments)
    from paft.provenance import environment

    path = Path(__file__).with_suffix(".json")
    former = read_json(path, "figures")["cases"] if path.exists() else {}
    figures = {
        "cases": dict(sorted({**former, **cases}.items())),
        "environment": {**environment(), "lm_eval": version("lm_eval")},
    }
    return write_json(path, figures)


if __name__ == "__main__":
    main()
