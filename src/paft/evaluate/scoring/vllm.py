"""A model run by vLLM, scored as the Hugging Face path scores it (:mod:`paft.evaluate.cells`).

Both give the engine token ids of the one encoder, so no text is tokenised twice. Open answers are
generated greedily and end where the Hugging Face path ends them. An option's log-probability is the
sum over its tokens of the ``prompt_logprobs`` of context + option.

vLLM never reads its prefix cache for requests with ``prompt_logprobs``, so every option computes
its context anew: tasks with many options per example are better served by the Hugging Face path,
which computes a context once (:mod:`paft.evaluate.scoring.score`). The engine does the batching; only the
log sees batches, of ``LOG_SEQUENCES`` sequences.

Written for vLLM 0.10 and newer.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from paft.errors import ModelError
from paft.evaluate.log import EvaluationLog, Results, run_unique
from paft.evaluate.scoring.batch_plan import Request, Tokens
from paft.files import fingerprint
from paft.model.adapter import check_base, check_before_loading
from paft.model.chat import make_encoder
from paft.model.encode import Encoder
from paft.model.files import pretrained, read_config, read_tokenizer
from paft.model.finite import check_scores
from paft.model.load import PLAIN
from paft.model.reply import Generated, ends, read_generated
from paft.model.settings import Chat
from paft.model.weights import check_files_finite
from paft.shape import read_record

if TYPE_CHECKING:
    import torch
    from transformers import GenerationConfig, PreTrainedTokenizerBase

LOG_SEQUENCES = 2048  # a kill loses one batch; the engine wants hundreds of sequences at once
LORA_RANKS = (8, 16, 32, 64, 128, 256, 320, 512)  # what vLLM can be built for

M = TypeVar("M", bound=Hashable)


@dataclass(frozen=True)
class VllmModel:
    """A model inside a vLLM engine.

    Attributes:
        name: What the user called it.
        engine: A ``vllm.LLM``.
        tokenizer: Its tokenizer.
        max_length: Tokens of prompt and answer together at most.
        chat: Whether it is asked in turns of its chat template.
        adapters: Folders of the adapters that the engine was started for.
        lora: A ``vllm.lora.request.LoRARequest`` for every prompt, if any.
        generation: The checkpoint's generation settings, if it has any, for the tokens that end an answer.
    """

    name: str
    engine: Any
    tokenizer: PreTrainedTokenizerBase
    max_length: int
    chat: Chat = PLAIN
    adapters: tuple[Path, ...] = ()
    lora: Any = None
    generation: GenerationConfig | None = None

    def wearing(self, adapter: Path | None) -> VllmModel:
        """Return the same engine with one of its adapters on every prompt, or without any."""
        if adapter is None:
            return replace(self, lora=None)
        from vllm.lora.request import LoRARequest

        number = self.adapters.index(adapter) + 1
        return replace(self, lora=LoRARequest(f"adapter-{number}", number, str(adapter.resolve())))

    @property
    def dtype(self) -> torch.dtype:
        """Precision of the weights, as :func:`load_vllm` asks for."""
        import torch

        return torch.bfloat16

    def encoder(self, max_length: int) -> Encoder:
        """The encoder for this model, at most as long as the engine was built for."""
        return make_encoder(self.tokenizer, min(max_length, self.max_length), self.chat)

    def score_options(
        self,
        requests: Sequence[Request],
        *,
        on_cells: Callable[[int], None] | None = None,
        log: EvaluationLog | None = None,
    ) -> list[np.ndarray]:
        """Return the log-probability of every option of every request.

        Returns:
            For each request, in order, float64 of shape (options,), in nats, summed over tokens.
        """
        batches = _log_batches(requests, lambda request: len(request.options))

        def plan() -> str:
            return _fingerprint("options", [[[r.context, r.options] for r in batch] for batch in batches])

        found = run_unique(requests, batches, self._score, plan=plan, log=log, on_cells=on_cells)
        return [np.array(values) for values in found]

    def generate_answers(
        self,
        contexts: Sequence[Tokens],
        encoder: Encoder,
        *,
        max_tokens: int,
        on_cells: Callable[[int], None] | None = None,
        log: EvaluationLog | None = None,
    ) -> list[Generated]:
        """Generate greedily until an end token or ``max_tokens``; identical contexts only once."""
        stops = ends(encoder, self.generation)
        batches = _log_batches(contexts, lambda context: 1)
        found = run_unique(
            contexts,
            batches,
            lambda batch: self._generate(batch, encoder, stops, max_tokens),
            plan=lambda: _fingerprint(f"answers of {max_tokens} tokens that end by {stops}", batches),
            log=log,
            on_cells=on_cells,
        )
        return [Generated(*row) for row in found]

    def _score(self, requests: Sequence[Request]) -> Results:
        from vllm import SamplingParams

        rows = [(*request.context, *option) for request in requests for option in request.options]
        # The engine cannot generate nothing; one token more is cheap.
        settings = SamplingParams(temperature=0.0, max_tokens=1, prompt_logprobs=1, detokenize=False)
        outputs = iter(self._run(rows, settings))
        found = [
            [_tail(next(outputs).prompt_logprobs, option) for option in request.options]
            for request in requests
        ]
        check_scores(found, self.name)
        return found

    def _generate(
        self, contexts: Sequence[Tokens], encoder: Encoder, stops: list[int], max_tokens: int
    ) -> Results:
        from vllm import SamplingParams

        # Ends are those of the Hugging Face path and no others.
        settings = SamplingParams(
            temperature=0.0, max_tokens=max_tokens, ignore_eos=True, stop_token_ids=stops, detokenize=False
        )
        outputs = self._run(contexts, settings)
        return [read_generated(list(output.outputs[0].token_ids), encoder, stops).row for output in outputs]

    def _run(self, rows: Sequence[Tokens], settings: Any) -> Any:
        prompts = [{"prompt_token_ids": list(row)} for row in rows]
        return self.engine.generate(prompts, settings, use_tqdm=False, lora_request=self.lora)


def load_vllm(
    name: str,
    adapters: Sequence[Path] = (),
    *,
    max_length: int,
    chat: Chat = PLAIN,
    trust_remote_code: bool = False,
    any_base: bool = False,
) -> VllmModel:
    """Start an engine: weights in bfloat16, as on an accelerator everywhere here.

    Args:
        name: ``"tiny"`` (built in), a folder or a Hub id.
        adapters: Folders of LoRA adapters that :meth:`VllmModel.wearing` puts on top.
        max_length: Tokens of prompt and answer together at most; as many as the model has positions
            for but one, which the engine keeps for itself.
        chat: Whether it is asked in turns of its chat template.
        trust_remote_code: Whether code in the model's folder may be run.
        any_base: Put adapters on another base than they were tuned on too.

    Raises:
        ModelError: If vLLM is not installed or cannot run the model or adapter, or weights are not
            whole or not finite.
    """
    from transformers import GenerationConfig

    vllm = import_vllm()
    source, where = pretrained(name)
    if "gguf_file" in where:
        raise ModelError(f"vLLM takes a model folder: paft export {name} --output FOLDER makes one")
    config = read_config(name, trust_remote_code=trust_remote_code).get_text_config()
    tokenizer = read_tokenizer(name, trust_remote_code=trust_remote_code)
    positions = getattr(config, "max_position_embeddings", None) or max_length + 1
    longest = min(max_length, int(positions) - 1)
    more: dict[str, Any] = {"trust_remote_code": True} if trust_remote_code else {}
    more |= {key: where["revision"] for key in ("revision", "tokenizer_revision") if where}
    if adapters:
        more |= {"enable_lora": True, "max_lora_rank": max(map(lora_rank, adapters))}
    for adapter in adapters:  # the engine passes over tensors it does not know
        check_before_loading(adapter, name, any_base=any_base, trust_remote_code=trust_remote_code)
    check_files_finite(name)
    try:
        # Without the checkpoint's generation settings, as the Hugging Face path.
        engine = vllm.LLM(
            model=source, dtype="bfloat16", max_model_len=longest + 1, generation_config="vllm", **more
        )
    except (ValueError, RuntimeError, OSError) as error:
        raise ModelError(f"vLLM cannot run model {name!r}: {error}") from error
    for adapter in adapters:
        check_base(adapter, name, any_base=any_base)  # now the weights are on this machine
    try:
        pinned: dict[str, Any] = dict(where)
        generation = GenerationConfig.from_pretrained(source, trust_remote_code=trust_remote_code, **pinned)
    except OSError:  # not every checkpoint has one
        generation = None
    return VllmModel(name, engine, tokenizer, longest, chat, tuple(adapters), generation=generation)


def import_vllm() -> Any:
    """Return the package ``vllm``.

    Raises:
        ModelError: If it is not installed.
    """
    try:
        import vllm
    except ImportError as error:
        raise ModelError(
            f"the backend vllm needs the package vllm ({error}): pip install 'paft[vllm]', or choose "
            "--backend hf"
        ) from error
    return vllm


def lora_rank(adapter: Path) -> int:
    """Return the smallest rank vLLM can be built for that an adapter fits into.

    Raises:
        ModelError: If there is none, or the adapter is no plain LoRA.
    """
    config = read_record(adapter / "adapter_config.json", "adapter configuration", {})
    if config.get("peft_type") != "LORA" or config.get("use_dora") or config.get("modules_to_save"):
        raise ModelError(
            f"vLLM runs plain LoRA adapters only, without DoRA and modules_to_save; {adapter} is another: "
            "choose --backend hf, or merge it into the model"
        )
    rank = max([config["r"], *(config.get("rank_pattern") or {}).values()])
    fitting = [size for size in LORA_RANKS if size >= rank]
    if not fitting:
        raise ModelError(f"vLLM runs adapters of rank {LORA_RANKS[-1]} at most; {adapter} has rank {rank}")
    return fitting[0]


def _tail(prompt_logprobs: Sequence[Any], option: Tokens) -> float:
    """Sum the log-probabilities of a prompt's last tokens."""
    last = prompt_logprobs[-len(option) :]
    return float(sum(found[token].logprob for found, token in zip(last, option, strict=True)))


def _log_batches(members: Sequence[M], size: Callable[[M], int]) -> list[list[M]]:
    """Return the distinct members, in order, in batches of about ``LOG_SEQUENCES`` sequences."""
    batches: list[list[M]] = []
    room = 0
    for member in dict.fromkeys(members):
        if room < size(member):
            batches.append([])
            room = LOG_SEQUENCES
        batches[-1].append(member)
        room -= size(member)
    return batches


def _fingerprint(what: str, batches: Sequence[Sequence[Any]]) -> str:
    return fingerprint(["vllm", what, batches])
