"""Load a causal language model and its tokenizer, by folder, Hub id or built-in name."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from paft.encode import Encoder
from paft.errors import ModelError
from paft.files import fingerprint

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


@dataclass(frozen=True)
class LanguageModel:
    """A model with the tokenizer it was trained with.

    Attributes:
        name: What the user called it.
        model: A causal language model in evaluation mode, on its device.
        tokenizer: Its tokenizer.
    """

    name: str
    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.model.device

    def encoder(self, max_length: int) -> Encoder:
        """The encoder for this model, at most as long as its positions allow."""
        positions = getattr(self.model.config, "max_position_embeddings", None) or max_length
        return Encoder(self.tokenizer, min(max_length, int(positions)))


def resolve_model(name: str) -> str:
    """Return the folder of a built-in model, else the name itself."""
    from paft.builtin import MODELS

    return str(MODELS.get(name, name))


def model_fingerprint(name: str) -> str | None:
    """Hash of a model folder's configuration and weight sizes; None for a Hub id."""
    folder = Path(resolve_model(name))
    if not folder.is_dir():
        return None
    files = {f.name: f.stat().st_size for f in sorted(folder.glob("*.safetensors"))}
    small = {f.name: f.read_text(encoding="utf-8") for f in sorted(folder.glob("*config.json"))}
    return fingerprint([files, small])


def load_model(
    name: str, adapter: str | Path | None = None, *, full_precision: bool = False
) -> LanguageModel:
    """Load weights onto the best device: float32 on CPU, bfloat16 on an accelerator.

    Args:
        name: ``"tiny"`` (built in), a folder or a Hub id.
        adapter: Folder of a PEFT adapter to put on top.
        full_precision: Keep float32 on an accelerator too, as training all weights needs.

    Raises:
        ModelError: If the model or adapter is unknown, unreadable or out of reach.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    accelerator = torch.accelerator.current_accelerator(check_available=True)
    device = accelerator or torch.device("cpu")
    dtype = torch.float32 if full_precision or device.type == "cpu" else torch.bfloat16
    source = resolve_model(name)
    try:
        tokenizer = AutoTokenizer.from_pretrained(source)
        model = AutoModelForCausalLM.from_pretrained(source, dtype=dtype, use_safetensors=True)
    except (OSError, ValueError, KeyError) as error:
        raise ModelError(_unreachable(name, error)) from error
    if adapter is not None:
        model = _with_adapter(model, Path(adapter))
    return LanguageModel(name, model.to(device).eval(), tokenizer)


def _with_adapter(model: PreTrainedModel, folder: Path) -> PreTrainedModel:
    from peft import PeftModel

    if not (folder / "adapter_config.json").exists():
        raise ModelError(f"{folder} is no adapter folder: it has no adapter_config.json")
    try:
        return PeftModel.from_pretrained(model, str(folder))
    except (OSError, ValueError, RuntimeError) as error:
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
