"""Load a causal language model and its tokenizer, by folder, Hub id or built-in name."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safetensors import SafetensorError

from paft.chat import make_encoder
from paft.config import Chat
from paft.encode import Encoder
from paft.errors import ModelError
from paft.files import fingerprint
from paft.quantised import four_bit, keep_layout, own_device, trained_quantised

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

# What the libraries raise for a model that is missing, malformed or needs a package not installed.
UNREADABLE = (OSError, ValueError, KeyError, ImportError, SafetensorError)
PLAIN = Chat()  # no chat


@dataclass(frozen=True)
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

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.model.device

    @property
    def dtype(self) -> torch.dtype:
        """Precision of the weights."""
        return self.model.dtype

    def encoder(self, max_length: int) -> Encoder:
        """The encoder for this model, at most as long as its positions allow."""
        return make_encoder(self.tokenizer, _fitting(self.model.config, max_length), self.chat)


def resolve_model(name: str) -> str:
    """Return the folder of a built-in model, else the name itself."""
    from paft.builtin import MODELS

    return str(MODELS.get(name, name))


def model_fingerprint(name: str) -> str | None:
    """Hash of a model folder's configuration, tokenizer and samples of its weights; None for a Hub id."""
    folder = Path(resolve_model(name))
    if not folder.is_dir():
        return None
    weights = {f.name: _sample_digest(f) for f in sorted(folder.glob("*.safetensors"))}
    names = [file for name in ("*config.json", "tokenizer.json", "*.jinja") for file in folder.glob(name)]
    small = {f.name: hashlib.sha256(f.read_bytes()).hexdigest() for f in sorted(names)}
    return fingerprint([weights, small])


def _sample_digest(path: Path, parts: int = 16, length: int = 65_536) -> str:
    """Hash a file's size and evenly spaced stretches: any retraining shows, gigabytes cost nothing."""
    size = path.stat().st_size
    digest = hashlib.sha256(str(size).encode())
    with path.open("rb") as file:
        for part in range(parts + 1):
            file.seek(max(0, size - length) * part // parts)
            digest.update(file.read(length))
    return digest.hexdigest()


def check_model(name: str, chat: Chat = PLAIN) -> None:
    """Make sure, before anything is written, that a model can be had; weights are not loaded.

    Raises:
        ModelError: If it is unknown, unreadable, out of reach, no answer could end, or it cannot chat.
        ConfigError: If its chat template does not take the system turn.
    """
    from safetensors import safe_open
    from transformers import AutoConfig, AutoTokenizer

    source = resolve_model(name)
    try:
        AutoConfig.from_pretrained(source)
        tokenizer = AutoTokenizer.from_pretrained(source)
        weights = sorted(Path(source).glob("*.safetensors"))
        for file in weights:
            with safe_open(file, framework="numpy"):
                pass  # the header was read: the file is whole as far as its size tells
    except UNREADABLE as error:
        raise ModelError(_unreachable(name, error)) from error
    if Path(source).is_dir() and not weights:
        raise ModelError(f"model folder {name} cannot be loaded: it has no .safetensors file")
    make_encoder(tokenizer, 1, chat)


def load_model(
    name: str,
    adapter: str | Path | None = None,
    *,
    full_precision: bool = False,
    quantised: bool = False,
    chat: Chat = PLAIN,
) -> LanguageModel:
    """Load weights onto the best device: float32 on CPU, bfloat16 on an accelerator.

    Args:
        name: ``"tiny"`` (built in), a folder or a Hub id.
        adapter: Folder of a PEFT adapter to put on top; under one that was trained beside weights in
            4 bit, the weights are held so.
        full_precision: Keep float32 on an accelerator too, as training all weights needs.
        quantised: Hold the weights in 4 bit (:mod:`paft.quantised`).
        chat: Whether it is asked in turns of its chat template.

    Raises:
        ModelError: If the model or adapter is unknown, unreadable or out of reach, or weights in 4
            bit cannot be had here.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    accelerator = torch.accelerator.current_accelerator(check_available=True)
    device = accelerator or torch.device("cpu")
    dtype = torch.float32 if full_precision or device.type == "cpu" else torch.bfloat16
    source = resolve_model(name)
    how: dict[str, Any] = {"dtype": dtype, "use_safetensors": True}
    if quantised or (adapter is not None and trained_quantised(Path(adapter))):
        how |= {"quantization_config": four_bit(), "device_map": own_device()}
    try:
        tokenizer = AutoTokenizer.from_pretrained(source)
        model: Any = AutoModelForCausalLM.from_pretrained(source, **how)
    except UNREADABLE as error:
        raise ModelError(_unreachable(name, error)) from error
    keep_layout(model)
    if adapter is not None:
        model = _with_adapter(model, Path(adapter))
    if "device_map" not in how:
        model = model.to(device)
    return LanguageModel(name, model.eval(), tokenizer, chat)


def load_encoder(name: str, max_length: int, chat: Chat = PLAIN) -> Encoder:
    """Load the encoder of a model, that of :meth:`LanguageModel.encoder`, without any weights.

    Raises:
        ModelError: If the model is unknown, unreadable or out of reach, or it cannot chat.
        ConfigError: If its chat template does not take the system turn.
    """
    from transformers import AutoConfig, AutoTokenizer

    source = resolve_model(name)
    try:
        config = AutoConfig.from_pretrained(source)
        tokenizer = AutoTokenizer.from_pretrained(source)
    except UNREADABLE as error:
        raise ModelError(_unreachable(name, error)) from error
    return make_encoder(tokenizer, _fitting(config, max_length), chat)


def _fitting(config: Any, max_length: int) -> int:
    """Tokens at most that a model has positions for."""
    return min(max_length, int(getattr(config, "max_position_embeddings", None) or max_length))


def _with_adapter(model: PreTrainedModel, folder: Path) -> Any:
    from peft import PeftModel

    if not (folder / "adapter_config.json").exists():
        raise ModelError(f"{folder} is no adapter folder: it has no adapter_config.json")
    try:
        return PeftModel.from_pretrained(model, str(folder))
    except (*UNREADABLE, RuntimeError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ModelError(f"adapter {folder} does not fit the model: {reason}") from error


def _unreachable(name: str, error: Exception) -> str:
    from paft.builtin import MODELS

    if Path(name).is_dir():
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        return f"model folder {name} cannot be loaded: {reason}"
    return (
        f"model {name!r} is no folder here, no built-in ({', '.join(MODELS)}), and could not be had "
        "from the Hugging Face Hub (misspelt, gated or no network): check the name, log in, or give "
        "the path of a downloaded model"
    )
