"""Load a causal language model and its tokenizer, by folder, Hub id or built-in name."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paft.builtin import MODELS
from paft.errors import ModelError, expect, said
from paft.model.adapter import check_adapter, check_base, check_tokenizer, put_adapter, refuse_as_model
from paft.model.chat import make_encoder
from paft.model.encode import Encoder
from paft.model.files import model_fingerprint as model_fingerprint
from paft.model.files import read_config, read_tokenizer
from paft.model.files import resolve_model as resolve_model
from paft.model.quantised import four_bit, keep_layout, own_device, trained_quantised
from paft.model.settings import Chat
from paft.model.weights import UNREADABLE, load_weights, refuse_code
from paft.names import split_revision
from paft.progress import quiet

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

PLAIN = Chat()  # no chat


@dataclass(frozen=True, repr=False)
class LanguageModel:
    """A model with the tokenizer it was trained with.

    Attributes:
        name: What the user called it.
        model: A causal language model in evaluation mode, on its device.
        tokenizer: Its tokenizer.
        chat: Whether it is asked in turns of its chat template.
    """

    name: str
    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    chat: Chat = PLAIN

    def __repr__(self) -> str:
        size = f"{self.model.num_parameters() / 1e6:.1f} million parameters"
        return f"LanguageModel({self.name}, {size}, {self.dtype} on {self.device})".replace("torch.", "")

    @property
    def device(self) -> torch.device:
        return self.model.device

    @property
    def dtype(self) -> torch.dtype:
        return self.model.dtype

    def encoder(self, max_length: int) -> Encoder:
        """The encoder for this model, at most as long as its positions allow."""
        return make_encoder(self.tokenizer, _fitting(self.model.config, max_length), self.chat)


def check_model(name: str, chat: Chat = PLAIN, *, trust_remote_code: bool = False) -> None:
    """Make sure, before anything is written, that :func:`load_model` can load a model; no weights are loaded.

    Raises:
        ModelError: If it is unknown, unreadable, out of reach, brings code that may not be run, no
            answer could end, or it cannot chat.
        ConfigError: If its chat template does not take the system turn.
    """
    from safetensors import safe_open

    bare, revision = split_revision(name)
    source = resolve_model(bare)
    if revision is not None and Path(source).exists():
        raise ModelError(f"revision {revision!r}: model {bare} is not on the Hub: leave it out")
    _, tokenizer = _config_and_tokenizer(name, trust_remote_code)
    weights = sorted(Path(source).glob("*.safetensors"))
    try:
        for file in weights:
            with safe_open(file, framework="numpy"):
                pass  # the header was read: the file is whole as far as its size tells
    except UNREADABLE as error:
        raise ModelError(_unreachable(name, error)) from error
    if Path(source).is_dir() and not weights:
        raise ModelError(
            f"model folder {name} cannot be loaded: it has no .safetensors file; pickled "
            "weights (.bin) are not read: load them with transformers and save them by save_pretrained"
        )
    make_encoder(tokenizer, 1, chat)


@quiet()
def load_model(
    name: str | Path,
    adapter: str | Path | None = None,
    *,
    full_precision: bool = False,
    quantised: bool = False,
    chat: Chat = PLAIN,
    trust_remote_code: bool = False,
    any_base: bool = False,
) -> LanguageModel:
    """Load weights onto the best device: float32 on CPU, bfloat16 on an accelerator.

    Args:
        name: ``"tiny"`` (built in), a folder, a Hub id or a GGUF file (:mod:`paft.model.gguf`).
        adapter: Folder of a PEFT adapter to put on top; under one that was trained beside weights in
            4 bit, the weights are held so.
        full_precision: Keep float32 on an accelerator too, as training all weights needs.
        quantised: Hold the weights in 4 bit (:mod:`paft.model.quantised`).
        chat: Whether it is asked in turns of its chat template.
        trust_remote_code: Whether code in the model's folder may be run.
        any_base: Put the adapter on another base than it was tuned on too.

    Raises:
        ModelError: If the model or adapter is unknown, unreadable, out of reach, not whole or not
            finite, they do not belong together, or weights in 4 bit cannot be had here.
    """
    import torch

    expect(name, (str, Path), "the model (a folder, a Hub id or a built-in name)")
    name = str(name)
    expect(chat, Chat, "the chat setting")
    if adapter is not None:
        expect(adapter, (str, Path), "the folder of an adapter")
        check_adapter(Path(adapter))
    accelerator = torch.accelerator.current_accelerator(check_available=True)
    device = accelerator or torch.device("cpu")
    dtype = torch.float32 if full_precision or device.type == "cpu" else torch.bfloat16
    # Behind a mask cuDNN's attention gives gradients that are not finite on Hopper GPUs (pytorch#196678, from
    # torch 2.11); without it torch takes its other kernels.
    torch.backends.cuda.enable_cudnn_sdp(False)
    how: dict[str, Any] = {"dtype": dtype}
    if quantised or (adapter is not None and trained_quantised(Path(adapter))):
        how |= {"quantization_config": four_bit(), "device_map": own_device()}
    _, tokenizer = _config_and_tokenizer(name, trust_remote_code)
    try:
        model: Any = load_weights(name, trust_remote_code=trust_remote_code, **how)
    except (*UNREADABLE, RuntimeError) as error:
        raise ModelError(_unreachable(name, error)) from error
    keep_layout(model)
    if adapter is not None:
        check_base(Path(adapter), name, any_base=any_base)  # now the weights are on this machine
        check_tokenizer(Path(adapter), tokenizer, name, trust_remote_code=trust_remote_code)
        model = put_adapter(model, Path(adapter))
    if "device_map" not in how:
        model = model.to(device)
    return LanguageModel(name, model.eval(), tokenizer, chat)


def load_encoder(
    name: str, max_length: int, chat: Chat = PLAIN, *, trust_remote_code: bool = False
) -> Encoder:
    """Load the encoder of a model, that of :meth:`LanguageModel.encoder`, without any weights.

    Raises:
        ModelError: If the model is unknown, unreadable or out of reach, or it cannot chat.
        ConfigError: If its chat template does not take the system turn.
    """
    config, tokenizer = _config_and_tokenizer(name, trust_remote_code)
    return make_encoder(tokenizer, _fitting(config, max_length), chat)


def _config_and_tokenizer(name: str, trusted: bool) -> tuple[Any, Any]:
    """Load what a model is without its weights."""
    refuse_as_model(name)
    try:
        config = read_config(name, trust_remote_code=trusted)
        return config, read_tokenizer(name, trust_remote_code=trusted)
    except UNREADABLE as error:
        raise ModelError(_unreachable(name, error)) from error


def _fitting(config: Any, max_length: int) -> int:
    """Tokens at most that a model has positions for."""
    return min(max_length, int(getattr(config, "max_position_embeddings", None) or max_length))


def _unreachable(name: str, error: Exception) -> str:
    refuse_code(name, error)
    if Path(name).exists():
        what = "folder" if Path(name).is_dir() else "file"
        return f"model {what} {name} cannot be loaded: {said(error)}"
    return (
        f"model {name!r} is no folder here, no built-in ({', '.join(MODELS)}), and could not be had "
        "from the Hugging Face Hub (misspelt, gated or no network): check the name, log in, or give "
        "the path of a downloaded model"
    )
