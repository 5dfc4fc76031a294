"""The vLLM path against the Hugging Face path, with a stand-in for the engine.

vLLM needs an accelerator. The stand-in takes only the arguments that the documentation names and
computes real log-probabilities with the tiny model, one sequence after the other.
"""

from __future__ import annotations

import dataclasses
import shutil
import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import torch

import paft as api
from paft.errors import ConfigError, ModelError, ResumeError
from paft.evaluate.cells import evaluate_matrix
from paft.evaluate.matrix import Matrix
from paft.evaluate.scoring import vllm as vllm_path
from paft.evaluate.scoring.vllm import load_vllm
from paft.experiment.evaluate import EvaluateConfig, evaluate
from paft.files import write_json
from paft.model.load import load_model
from paft.task.task import Task


@dataclasses.dataclass
class SamplingParams:
    """The documented fields that the path may use, with their defaults."""

    temperature: float = 1.0
    max_tokens: int | None = 16
    prompt_logprobs: int | None = None
    ignore_eos: bool = False
    stop_token_ids: list[int] | None = None
    detokenize: bool = True


@dataclasses.dataclass
class LoRARequest:
    lora_name: str
    lora_int_id: int
    lora_path: str


class LLM:
    """Greedy generation and prompt log-probabilities as ``vllm.LLM`` returns them."""

    made = 0

    def __init__(
        self, model, *, dtype, max_model_len, enable_lora=False, max_lora_rank=16, generation_config="auto"
    ):
        assert dtype == "bfloat16"
        assert generation_config == "vllm"  # "auto" takes the checkpoint's limits
        assert max_lora_rank in vllm_path.LORA_RANKS
        self.folder, self.longest, self.enable_lora = model, max_model_len, enable_lora
        if max_model_len > 512:
            raise ValueError("max_model_len is greater than the derived max_model_len")
        self.loaded: dict[str | None, object] = {}
        self.batches: list[int] = []
        LLM.made += 1

    def model(self, lora):
        path = None if lora is None else lora.lora_path
        assert path is None or (self.enable_lora and lora.lora_int_id > 0)
        if path not in self.loaded:
            self.loaded[path] = load_model(self.folder, path).model
        return self.loaded[path]

    def generate(self, prompts, sampling_params=None, *, use_tqdm=True, lora_request=None):
        self.batches.append(len(prompts))
        model = self.model(lora_request)
        return [self.output(model, prompt["prompt_token_ids"], sampling_params) for prompt in prompts]

    @torch.inference_mode()
    def output(self, model, ids, params):
        assert params.temperature == 0 and params.detokenize is False
        if len(ids) >= self.longest:
            raise ValueError("the prompt is longer than the maximum model length")
        logs = model(torch.tensor([ids])).logits[0].float().log_softmax(-1)
        found = None
        if params.prompt_logprobs is not None:
            found = [None] + [
                {token: SimpleNamespace(logprob=logs[at, token].item())}
                | {int(logs[at].argmax()): SimpleNamespace(logprob=logs[at].max().item())}
                for at, token in enumerate(ids[1:])
            ]
        made = [int(logs[-1].argmax())]
        while made[-1] not in (params.stop_token_ids or []):
            if len(made) == min(params.max_tokens, self.longest - len(ids)):
                break
            made.append(int(model(torch.tensor([[*ids, *made]])).logits[0, -1].argmax()))
        return SimpleNamespace(prompt_logprobs=found, outputs=[SimpleNamespace(token_ids=made)])


@pytest.fixture(autouse=True)
def vllm(monkeypatch):
    """The stand-in where the package would be."""
    package, lora, request = ModuleType("vllm"), ModuleType("vllm.lora"), ModuleType("vllm.lora.request")
    package.LLM, package.SamplingParams, request.LoRARequest = LLM, SamplingParams, LoRARequest
    for name, module in {"vllm": package, "vllm.lora": lora, "vllm.lora.request": request}.items():
        monkeypatch.setitem(sys.modules, name, module)
    LLM.made = 0
    return package


@pytest.fixture(scope="module")
def adapter(tmp_path_factory, configure):
    """Folder of a trained LoRA adapter of rank 4."""
    output = tmp_path_factory.mktemp("trained") / "out"
    api.run(configure(output, methods=("paft",)))
    return output / "trials" / "paft-0" / "adapter"


def same(vllm_cells, hf_cells):
    """Whether two matrices say the same, log-probabilities up to rounding."""
    for ours, theirs in zip(vllm_cells, hf_cells, strict=True):
        # The engine computes in half precision, where calls are closer.
        assert ours.tie or not theirs.tie
        assert dataclasses.replace(ours, log_probabilities=(), tie=False) == dataclasses.replace(
            theirs, log_probabilities=(), tie=False
        )
        np.testing.assert_allclose(ours.log_probabilities, theirs.log_probabilities, atol=1e-4)
    return True


@pytest.mark.parametrize("choose", ["sum", "mean"])
@pytest.mark.parametrize("trained", [False, True])
def test_options_get_the_log_probabilities_of_the_hugging_face_path(
    model_folder, adapter, task, bank, test_examples, choose, trained
):
    weights = adapter if trained else None
    prompts, test_examples = bank.prompts("test"), test_examples[:4]
    engine = load_vllm(str(model_folder), [adapter] if trained else [], max_length=300).wearing(weights)
    ours = evaluate_matrix(engine, task, prompts, test_examples, choose=choose)
    theirs = evaluate_matrix(
        load_model(str(model_folder), weights), task, prompts, test_examples, choose=choose
    )
    assert same(ours.cells, theirs.cells)
    assert len({cell.prediction for cell in ours.cells}) > 1


@pytest.mark.parametrize(("rule", "limit"), [("text", 6), ("number", 3)])
def test_open_answers_are_those_of_the_hugging_face_path(model_folder, rule, limit):
    rows = [{"question": f"What is {i} + {i}?", "answer": "4"} for i in range(6)]
    task = Task(
        name="open", fields={"question": "a question"}, answer={"rule": rule, "max_tokens": limit},
        data={"train": rows, "test": rows}, prompt="{question} =",
    )  # fmt: skip
    engine = load_vllm(str(model_folder), max_length=300)
    ours = evaluate_matrix(engine, task, task.prompts, task.examples("test"))
    theirs = evaluate_matrix(load_model(str(model_folder)), task, task.prompts, task.examples("test"))
    assert ours == theirs
    assert {cell.tokens for cell in ours.cells} <= set(range(1, limit + 1))


def test_a_generated_answer_ends_at_the_encoders_end(model_folder, monkeypatch):
    engine = load_vllm(str(model_folder), max_length=300)
    encoder = engine.encoder(300)
    context = tuple(encoder.tokens("What is it?"))
    (whole,) = engine.generate_answers([context], encoder, max_tokens=5)
    assert whole.tokens == 5
    second = LLM.output(engine.engine, engine.engine.model(None), list(context), SamplingParams(
        temperature=0, max_tokens=2, detokenize=False)).outputs[0].token_ids[1]  # fmt: skip
    monkeypatch.setattr(type(encoder), "stops", property(lambda self: [second]))
    (cut,) = engine.generate_answers([context], encoder, max_tokens=5)
    assert cut.tokens == 2
    assert whole.text.startswith(cut.text) and len(cut.text) < len(whole.text)


def test_ends_and_cuts_are_those_of_the_hugging_face_path(model_folder, tmp_path):
    folder = shutil.copytree(model_folder, tmp_path / "model")
    rows = [{"question": f"What is {i} + {i}?", "answer": "x"} for i in range(6)]
    task = Task(
        name="open", fields={"question": "a question"}, answer={"rule": "text", "max_tokens": 6},
        data={"train": rows, "test": rows}, prompt="{question} =",
    )  # fmt: skip
    hf = load_model(str(folder))
    contexts = [tuple(hf.encoder(300).tokens(f"What is {i} + {i}? =")) for i in range(6)]
    third = LLM(str(folder), dtype="bfloat16", max_model_len=301, generation_config="vllm").output(
        hf.model, list(contexts[0]), SamplingParams(temperature=0, max_tokens=3, detokenize=False)
    ).outputs[0].token_ids[2]  # fmt: skip
    wishes = {"eos_token_id": [hf.encoder(300).end, third], "repetition_penalty": 3.0, "num_beams": 2}
    write_json(folder / "generation_config.json", wishes)
    ours = evaluate_matrix(load_vllm(str(folder), max_length=300), task, task.prompts, task.examples("test"))
    theirs = evaluate_matrix(load_model(str(folder)), task, task.prompts, task.examples("test"))
    assert ours == theirs
    assert ours.cells[0].tokens <= 3 and not ours.cells[0].cut


def test_a_prompt_that_fills_max_length_still_fits_into_the_engine(model_folder, task, bank, test_examples):
    engine, test_examples = load_vllm(str(model_folder), max_length=14), test_examples[:3]
    ours = evaluate_matrix(engine, task, bank.prompts("test"), test_examples, max_length=14)
    theirs = evaluate_matrix(
        load_model(str(model_folder)), task, bank.prompts("test"), test_examples, max_length=14
    )
    assert all(cell.truncated for cell in ours.cells)
    assert same(ours.cells, theirs.cells)


def test_the_engine_is_built_within_the_models_positions(model_folder):
    engine = load_vllm(str(model_folder), max_length=4096)
    assert engine.engine.longest == 512
    assert engine.encoder(4096).max_length == 511


@pytest.fixture
def settings(desk, model_folder, tmp_path):
    """Return a function that makes a configuration."""

    def make(name="out", **changes):
        values = {
            "task": str(desk / "task.yaml"), "bank": str(desk / "bank.jsonl"), "model": str(model_folder),
            "output": str(tmp_path / name), "backend": "vllm", "max_length": 300,
            "evaluate": {"examples": 4},
        }  # fmt: skip
        return EvaluateConfig(**{**values, **changes})

    return make


def test_paft_evaluate_starts_one_engine_and_writes_the_same_figures(settings, adapter):
    ours = evaluate(settings(adapter=str(adapter)))
    assert LLM.made == 1  # for the base, the adapter, the split and the user prompt
    theirs = evaluate(settings("hf", backend="hf", adapter=str(adapter)))
    for mine, other in zip(ours["rows"], theirs["rows"], strict=True):
        # Ties are closer calls in the engine's half precision; the base has one.
        apart = {"eval_seconds", *(["ties"] if mine["method"] == "base" else [])}
        assert {k: v for k, v in mine.items() if k not in apart} == {
            k: v for k, v in other.items() if k not in apart
        }
    assert [row["method"] for row in ours["rows"]] == ["base", "base", "adapter", "adapter"]
    assert ours["scoring"] == {**theirs["scoring"], "backend": "vllm"}
    assert ours["scoring"]["by"] == "likelihood"


def test_a_run_of_another_backend_is_refused(settings):
    evaluate(settings())
    with pytest.raises(ResumeError, match="backend: 'vllm' there, 'hf' now"):
        evaluate(settings(backend="hf"))


def test_killed_behind_a_batch_it_goes_on_and_ends_with_the_same_matrix(settings, monkeypatch, tmp_path):
    monkeypatch.setattr(vllm_path, "LOG_SEQUENCES", 10)  # 2 requests of 5 options
    compared = {"examples": 4, "generated_sample": 0}
    evaluate(settings("calm", evaluate=compared))
    generate, left = LLM.generate, 3

    def dying(self, *args, **kwargs):
        nonlocal left
        if left == 0:
            raise KeyboardInterrupt
        left -= 1
        return generate(self, *args, **kwargs)

    monkeypatch.setattr(LLM, "generate", dying)
    with pytest.raises(KeyboardInterrupt):
        evaluate(settings(evaluate=compared))
    monkeypatch.setattr(LLM, "generate", generate)
    engines = []
    monkeypatch.setattr(
        LLM, "__init__", lambda self, *a, _i=LLM.__init__, **k: (_i(self, *a, **k), engines.append(self))[0]
    )
    evaluate(settings(evaluate=compared))
    assert sum(engines[0].batches) == 16 * 5 - 3 * 10
    for split in ("test", "user"):
        name = f"{split}.parquet"
        (calm,), (out,) = ((tmp_path / folder).rglob(name) for folder in ("calm", "out"))
        assert Matrix.load(out) == Matrix.load(calm)


def test_without_the_package_the_error_says_what_to_install(settings, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "vllm", None)
    with pytest.raises(ModelError, match=r"pip install 'paft\[vllm\]'"):
        evaluate(settings())
    assert not (tmp_path / "out").exists()


def test_what_the_engine_cannot_run_is_named(model_folder, vllm, monkeypatch):
    def refuse(*args, **kwargs):
        raise ValueError("architecture not supported")

    monkeypatch.setattr(vllm, "LLM", refuse)
    with pytest.raises(ModelError, match=r"vLLM cannot run model .* architecture not supported"):
        load_vllm(str(model_folder), max_length=64)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"use_dora": True}, "plain LoRA adapters only"),
        ({"modules_to_save": ["lm_head"]}, "plain LoRA adapters only"),
        ({"peft_type": "IA3"}, "plain LoRA adapters only"),
        ({"r": 1024}, "rank 512 at most"),
    ],
)
def test_adapters_that_vllm_cannot_run_are_refused(model_folder, tmp_path, changes, said):
    write_json(tmp_path / "adapter_config.json", {"peft_type": "LORA", "r": 8, **changes})
    with pytest.raises(ModelError, match=said):
        load_vllm(str(model_folder), [tmp_path], max_length=64)


@pytest.mark.parametrize(
    ("rank", "pattern", "size"), [(4, {}, 8), (16, {}, 16), (17, {}, 32), (8, {"q": 40}, 64)]
)
def test_the_engine_is_built_for_the_next_rank_it_knows(tmp_path, rank, pattern, size):
    write_json(tmp_path / "adapter_config.json", {"peft_type": "LORA", "r": rank, "rank_pattern": pattern})
    assert vllm_path.lora_rank(tmp_path) == size


def test_several_processes_are_refused(settings, monkeypatch):
    from paft.experiment import evaluate as evaluation

    monkeypatch.setattr(evaluation, "processes", lambda: (0, 2))
    with pytest.raises(ConfigError, match="single process"):
        evaluate(settings())
