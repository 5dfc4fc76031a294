# python benchmarks/evaluate_vs_lm_eval.py
"""Score the same cells with PAFT and with lm-evaluation-harness; write benchmarks/evaluate_vs_lm_eval.json.

A cell is one prompt on one example, and its result the log-probability of every option. Both sides
load the same random weights (about 36 million parameters, 32,768 tokens, float32 on a CPU; shapes of
0.5B and 1B, bfloat16 on a GPU) and score the same token ids, which is checked: digests of all
(context, option) pairs must agree. So must the predictions wherever the two best options are further
apart than rounding.

=====  ====================================================================================
case   what is scored
=====  ====================================================================================
A      HellaSwag, the four endings (some 30 tokens each) after their beginning
B      BANKING77 with ten of its intents, label words (1 to 5 tokens)
C      HellaSwag, letters A to D after a prompt that shows the endings
D      as A with few examples, the longest, and with 36M a vocabulary of 131,072: for memory only
=====  ====================================================================================

Each side runs in a process of its own, with all prompts in one go: ``evaluate_matrix`` as it stands
by default, ``simple_evaluate`` on a group of one task per prompt with the best of some batch sizes,
which is found on some 1,000 sequences. Time is wall time from files on disk to results, without
imports and loading the model, with tokenising. For lm-evaluation-harness ``seconds_scoring`` leaves
out building tasks and averaging; ``ratio_scoring`` sets it against all that PAFT does. Memory is
resident memory on a CPU, and allocated memory on a GPU.

On a GPU PAFT is measured with more tokens a forward pass than its default as well; figures with a
number at the end are of these. There the harness by default also normalises and sums in bfloat16,
whose steps are 2 nats from -256 on. The time is of that; the cells are held against those of a pass
over the first examples that normalises in float32, and ``by_default`` has the differences without.
What is finished is written after every case. ``--dry-run`` runs all on a CPU with a tiny model and
writes nothing.

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
import traceback
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version
from importlib.util import find_spec
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from train_vs_trl import SHAPES, Shape, save_random_model, train_tokenizer, visible

from paft.bank import Bank, load_bank
from paft.files import read_json, read_jsonl, write_json, write_text
from paft.prompt import Prompt
from paft.task.task import Example, Task

if TYPE_CHECKING:
    from paft.model.load import LanguageModel

Pairs = Iterable[tuple[Sequence[int], Sequence[int]]]  # token ids of context and option
MEMORY_EXAMPLES = 4
TRIED_SEQUENCES = 1_000
# Nats; options closer than this may change places. In bfloat16 the hidden states of two ways to batch
# differ by some 0.5 %, a logit (of size 0.6 to 0.9 here) by 0.005, a sum over 30 tokens by 0.03, and
# the largest of thousands of sums by four times as much; two options by twice that.
ROUNDING = {"cpu": 1e-4, "cuda": 0.25}
DEFAULTS: dict[str, dict[str, Any]] = {
    "cpu": {
        "prompts": 50, "examples": 200, "cases": [*"ABCD"], "model_parameters": ["36M"],
        "batch_sizes": [8, 16, 32, 64], "more_batch_tokens": [],
    },
    "cuda": {
        "prompts": 25, "examples": 100, "cases": [*"ABC"], "model_parameters": ["0.5B", "1B"],
        "batch_sizes": [64, 128, 256], "more_batch_tokens": [16_384, 65_536],
    },
}  # fmt: skip
DRY_RUN = {
    "device": "cpu", "prompts": 2, "examples": 3, "model_parameters": ["tiny"], "batch_sizes": [2, 4],
    "more_batch_tokens": [16_384], "cases": [*"ABCD"],
}  # fmt: skip
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


def weights_of(case: str, shape: str) -> tuple[str, Shape]:
    """Return name and shape of the weights that a case is scored with."""
    if case == "D" and shape == "36M":
        return "36M-131072", (131_072, *SHAPES[shape][1:])
    return shape, SHAPES[shape]


def prepare(folder: Path, options: argparse.Namespace) -> None:
    """Write models, prompts, examples and lm-evaluation-harness's task groups."""
    texts = [
        " ".join(str(value) for value in row.values())
        for name in ("hellaswag", "banking77")
        for _, row in read_jsonl(options.data / name / "train.jsonl", name)
    ]
    models = dict(weights_of(*pair) for pair in product(options.cases, options.model_parameters))
    tokenizers: dict[int, Any] = {}
    for name, shape in models.items():
        entries = min(shape[0], 32_000)
        if entries not in tokenizers:
            tokenizers[entries] = train_tokenizer(texts, entries)
        tokenizers[entries].save_pretrained(folder / name)
        save_random_model(folder / name, shape)
    for case in options.cases:
        home = folder / case
        rows = rows_for(case, options.data, options.examples)
        source = {"train": "test.jsonl", "test": "test.jsonl"}
        write_json(home / "task.yaml", {"name": case, "data": source, **TASKS[case]})  # JSON is YAML
        write_text(home / "test.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
        bank = Bank({"test": tuple(prompts_for(case, options.prompts))})
        bank.save(home / "bank.jsonl")
        _write_group(home, case, bank.prompts("test"), Task.from_yaml(home / "task.yaml").examples("test"))


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


def run_paft(case: str, source: str, home: Path, more_batch_tokens: Sequence[int]) -> dict[str, Any]:
    """Time evaluate_matrix at its defaults, and with other numbers of tokens a forward pass.

    Returns:
        The figures of the side ``paft``, and of ``paft_N`` for N tokens a forward pass.
    """
    from paft.evaluate.cells import evaluate_matrix
    from paft.model.load import load_model

    model = load_model(source)
    ways: dict[str, dict[str, int]] = {"paft": {}}
    ways |= {f"paft_{tokens}": {"batch_tokens": tokens} for tokens in more_batch_tokens}
    sides: dict[str, Any] = {}
    for side, settings in ways.items():
        task, bank = Task.from_yaml(home / "task.yaml"), load_bank(home / "bank.jsonl")
        evaluate_matrix(model, task, bank.require("test")[:1], task.examples("test")[:1])  # warm-up
        loaded = _loaded_mb()
        started = _now()
        task, prompts = Task.from_yaml(home / "task.yaml"), load_bank(home / "bank.jsonl").require("test")
        matrix = evaluate_matrix(model, task, prompts, task.examples("test"), **settings)
        seconds = _now() - started
        sides[side] = {
            "seconds": seconds,
            "loaded_mb": loaded,
            "peak_mb": _peak_mb(),
            "log_probabilities": [list(cell.log_probabilities) for cell in matrix.cells],
        }
    sides["paft"] |= {
        "parameters": sum(weight.numel() for weight in model.model.parameters()),
        "tokenizer_entries": len(model.tokenizer),
        **_digest(_paft_pairs(model, prompts, task.examples("test"))),
    }
    return sides


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


def run_lm_eval(
    case: str, source: str, home: Path, batch_sizes: Sequence[int], *, cuda: bool, check: bool
) -> dict[str, Any]:
    """Time simple_evaluate with the quickest batch size.

    Args:
        case: Which.
        source: Folder of the model.
        home: Folder of the case.
        batch_sizes: Those to try.
        cuda: Whether it runs on the GPU in bfloat16.
        check: Whether to score the first examples once more, normalised in float32.
    """
    import torch
    from lm_eval.api.instance import Instance
    from lm_eval.evaluator import simple_evaluate
    from lm_eval.models.huggingface import HFLM
    from lm_eval.tasks import TaskManager

    class Timed(HFLM):  # type: ignore[misc]
        """The model as it is, with a clock and the token ids it was asked for."""

        seconds = 0.0
        pairs: Pairs = ()
        requests: Sequence[Instance] = ()

        def loglikelihood(self, requests: list[Instance], disable_tqdm: bool = True) -> Any:
            self.requests = requests
            started = _now()
            results = super().loglikelihood(requests, disable_tqdm=True)
            self.seconds = _now() - started
            return results

        def _loglikelihood_tokens(self, requests: Any, *args: Any, **options: Any) -> Any:
            self.pairs = [(context, option) for _, context, option in requests]
            return super()._loglikelihood_tokens(requests, *args, **options)

    device, dtype = ("cuda", "bfloat16") if cuda else ("cpu", "float32")
    model = Timed(pretrained=source, device=device, dtype=dtype, batch_size=batch_sizes[0])

    def evaluate(batch_size: int, limit: int | None) -> tuple[float, Any]:
        model.batch_size_per_gpu = batch_size
        started = _now()
        manager = TaskManager(include_path=str(home / "lm_eval"), include_defaults=False)
        results = simple_evaluate(model, tasks=[case], task_manager=manager, limit=limit, bootstrap_iters=0)
        return _now() - started, results

    rows = [row for _, row in read_jsonl(home / "lm_eval" / "test.jsonl", "examples")]
    prompts = len(load_bank(home / "bank.jsonl").require("test"))
    few = min(len(rows), max(1, TRIED_SEQUENCES // (prompts * len(rows[0]["choices"]))))
    tried: dict[str, float | None] = {}
    evaluate(batch_sizes[0], 1)  # warm-up
    for batch_size in batch_sizes if len(batch_sizes) > 1 else ():
        try:
            if tried:  # the same requests again, without building the tasks anew
                model.batch_size_per_gpu = batch_size
                model.loglikelihood(model.requests)
            else:
                evaluate(batch_size, few)
            tried[str(batch_size)] = round(model.seconds, 2)
        except torch.OutOfMemoryError:
            tried[str(batch_size)] = None
    fitting = [int(size) for size, seconds in tried.items() if seconds is not None] or batch_sizes[:1]
    quickest = sorted(fitting, key=lambda size: tried.get(str(size)) or 0.0)
    while True:
        loaded = _loaded_mb()
        try:
            seconds, results = evaluate(quickest[0], None)
            break
        except torch.OutOfMemoryError:  # the longest examples were not among the few
            tried[str(quickest.pop(0))] = None
            if not quickest:
                raise
    figures = {
        "seconds": seconds,
        "seconds_scoring": model.seconds,
        "batch_size": quickest[0],
        "seconds_of_tries": tried,
        "loaded_mb": loaded,
        "peak_mb": _peak_mb(),
        "log_probabilities": _harness_scores(results["samples"], case, home),
        **_digest(model.pairs),
    }
    if check:
        model.softmax_dtype = torch.float32
        _, results = evaluate(batch_sizes[0], few)
        figures["checked_examples"] = few
        figures["checked"] = _harness_scores(results["samples"], case, home)
    return figures


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


def _now() -> float:
    """Return the time, on a GPU when all that it was given is done."""
    import torch

    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()


def _peak_mb() -> float:
    """Return the largest memory of this process, on a GPU that allocated since :func:`_loaded_mb`."""
    import torch

    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated() / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024  # kilobytes on Linux


def _loaded_mb() -> float:
    """Return the memory of this process before what is measured."""
    import torch

    if torch.cuda.is_available():
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    return _peak_mb()


def compare(sides: Mapping[str, Any], harness: Mapping[str, Any], rounding: float) -> dict[str, Any]:
    """Hold the two sides' cells against each other and set their costs in proportion.

    Args:
        sides: As of :func:`run_paft`.
        harness: As of :func:`run_lm_eval`.
        rounding: Nats within which options may change places.
    """
    paft = sides["paft"]
    for key in ("pairs", "pair_tokens", "digest"):
        assert paft[key] == harness[key], f"not the same token ids: {key} {paft[key]} and {harness[key]}"
    ours, theirs = paft["log_probabilities"], harness["log_probabilities"]
    figures = {
        "cells": len(ours),
        "sequences": paft["pairs"],
        "mean_tokens": round(paft["pair_tokens"] / paft["pairs"], 1),
    }
    if "checked" in harness:
        by_default = agreement(ours, theirs, rounding)
        examples = len(ours) * harness["checked_examples"] // len(harness["checked"])  # of a prompt
        first = [cell for i, cell in enumerate(ours) if i % examples < harness["checked_examples"]]
        figures |= {"checked_cells": len(first), **agreement(first, harness["checked"], rounding)}
        figures["by_default"] = by_default
    else:
        figures |= agreement(ours, theirs, rounding)
    for name, side in sides.items():
        number = name.removeprefix("paft")
        figures[f"ratio{number}"] = round(harness["seconds"] / side["seconds"], 2)
        figures[f"ratio_scoring{number}"] = round(harness["seconds_scoring"] / side["seconds"], 2)
        figures[f"ratio_peak_memory{number}"] = round(harness["peak_mb"] / side["peak_mb"], 2)
        if number:
            others = agreement(ours, side["log_probabilities"], rounding)
            figures[f"largest_difference{number}"] = others["largest_difference"]
    return {**figures, **{name: _costs(side) for name, side in sides.items()}, "lm_eval": _costs(harness)}


def agreement(
    ours: Sequence[Sequence[float]], theirs: Sequence[Sequence[float]], rounding: float
) -> dict[str, Any]:
    """Count cells whose best options are closer than rounding, and others predicted differently."""
    close = differing = 0
    largest = 0.0
    for one, other in zip(ours, theirs, strict=True):
        assert np.isfinite([*one, *other]).all(), f"not finite: {one} and {other}"
        largest = max(largest, float(np.abs(np.subtract(one, other)).max()))
        ranked = sorted(one, reverse=True)
        if ranked[0] - ranked[1] <= rounding:
            close += 1
        elif np.argmax(one) != np.argmax(other):
            differing += 1
    return {
        "close_cells": close,
        "differing_cells": differing,
        "largest_difference": float(f"{largest:.2g}"),
    }


def _costs(side: Mapping[str, Any]) -> dict[str, Any]:
    left_out = ("log_probabilities", "pairs", "pair_tokens", "checked", "checked_examples")
    kept = {key: value for key, value in side.items() if key not in left_out}
    return {key: round(value, 2) if isinstance(value, float) else value for key, value in kept.items()}


def start(part: str, folder: Path, options: argparse.Namespace, *more: str) -> bool:
    """Run one part in a process of its own, so that its peak memory is its own; say whether it went well."""
    quiet = {"HF_HUB_OFFLINE": "1", "HF_HOME": str(folder / "cache"), "TOKENIZERS_PARALLELISM": "false"}
    threads = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), str(options.threads))
    command = [sys.executable, __file__, *sys.argv[1:], "--part", part, "--folder", str(folder), *more]
    done = subprocess.run(
        command, env={**os.environ, **quiet, **threads, **visible(options.device)}, check=False
    )
    return done.returncode == 0


def run_part(options: argparse.Namespace) -> None:
    """Do what a child process is for; one case that fails does not stop the others."""
    if options.part == "prepare":
        prepare(options.folder, options)
        return
    failed = []
    for case in options.cases:
        try:
            run_case(case, options)
        except Exception:
            traceback.print_exc()
            failed.append(case)
    if failed:
        sys.exit(f"{options.part} failed: {' '.join(failed)}")


def run_case(case: str, options: argparse.Namespace) -> None:
    """Run one side of a case; the harness's is the second and saves what both have."""
    (shape,) = options.model_parameters
    home: Path = options.folder / case
    source, ours = str(options.folder / weights_of(case, shape)[0]), home / f"{shape}.paft.json"
    if options.part == "paft":
        write_json(ours, run_paft(case, source, home, options.more_batch_tokens))
        return
    sides = read_json(ours, "PAFT's side")
    cuda = options.device == "cuda"
    # D is about memory, of which small batches need the least.
    sizes = options.batch_sizes[:1] if case == "D" else options.batch_sizes
    harness = run_lm_eval(case, source, home, sizes, cuda=cuda, check=cuda or options.dry_run)
    described = {key: getattr(options, key) for key in ("prompts", "examples", "threads")}
    figures = {**described, **compare(sides, harness, ROUNDING[options.device])}
    ratios = {key: value for key, value in figures.items() if key.startswith("ratio")}
    print(shape, case, json.dumps(ratios), flush=True)
    if not options.dry_run:
        save(shape, case, figures, options)
    if differing := figures["differing_cells"]:
        raise ValueError(f"{differing} predictions differ although the options are well apart")


def save(shape: str, case: str, figures: Mapping[str, Any], options: argparse.Namespace) -> None:
    """Put a case's figures beside those of other devices, shapes and cases."""
    from paft.provenance import environment

    path: Path = options.output
    everything = read_json(path, "figures") if path.exists() else {}
    models = everything.get(options.device, {}).get("models", {})
    models[shape] = dict(sorted({**models.get(shape, {}), case: figures}.items()))
    everything[options.device] = {
        "models": models,
        "environment": {**environment(), "lm_eval": version("lm_eval")},
    }
    write_json(path, everything)


def measure(folder: Path, options: argparse.Namespace) -> bool:
    """Run both sides of every case; say whether all went well."""
    if not start("prepare", folder, options):
        return False
    # Resident memory never shrinks, so on a CPU every case has processes of its own.
    together = options.device == "cuda"
    groups = [options.cases] if together else [[case] for case in options.cases]
    well = True
    for shape, cases in product(options.model_parameters, groups):
        more = ("--model-parameters", shape, "--cases", *cases)
        for side in ("paft", "lm_eval"):
            well = start(side, folder, options, *more) and well
    return well


def read_options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Compare evaluation with lm-evaluation-harness.")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="folder of the data sets")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--prompts", type=int, help="by default 50, on a GPU 25")
    parser.add_argument("--examples", type=int, help="by default 200, on a GPU 100")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--cases", nargs="+", choices=TASKS, help="by default all, on a GPU A B C")
    parser.add_argument(
        "--model-parameters", nargs="+", choices=SHAPES, help="by default 36M on a CPU, 0.5B 1B on a GPU"
    )
    parser.add_argument("--batch-sizes", type=int, nargs="+", help="of the harness, to try")
    parser.add_argument(
        "--more-batch-tokens", type=int, nargs="*", help="PAFT's tokens a forward pass, beside the default"
    )
    parser.add_argument("--dry-run", action="store_true", help="a tiny shape on a CPU; writes nothing")
    output = Path(__file__).with_suffix(".json")
    parser.add_argument("--output", type=Path, default=output, help="file that the figures are added to")
    parser.add_argument("--part", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.dry_run:
        cases = options.cases or DRY_RUN["cases"]
        vars(options).update({**DRY_RUN, "cases": cases})
    for name, value in DEFAULTS[options.device].items():
        if getattr(options, name) is None:
            setattr(options, name, value)
    return options


def main() -> None:
    """Measure and write the figures."""
    options = read_options()
    for name in ("hellaswag", "banking77"):
        if not (options.data / name / "test.jsonl").exists():
            sys.exit(f"no {name}/test.jsonl in {options.data}: name the folder of the data sets with --data")
    if options.part:
        run_part(options)
        return
    import torch

    if find_spec("lm_eval") is None:
        sys.exit("lm-evaluation-harness is not installed: pip install lm_eval==0.4.13")
    if options.device == "cuda" and not torch.cuda.is_available():
        sys.exit("no GPU here: --device cpu measures on the CPU, --dry-run only checks that every side runs")
    with tempfile.TemporaryDirectory() as folder:
        if not measure(Path(folder), options):
            sys.exit("not all cases went well, see above")
    if options.dry_run:
        print("every side runs")


if __name__ == "__main__":
    main()
