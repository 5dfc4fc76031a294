"""The Python lines of a model card that load what was trained."""

from __future__ import annotations

import re
from pathlib import Path

from paft.config import RunConfig
from paft.model.files import resolve_model
from paft.model.gguf import find_gguf

HERE = 'FOLDER = "."  # that of this card: start Python in it, or write its path'
TOKENIZER = "tokenizer = AutoTokenizer.from_pretrained(FOLDER)"
WHOLE_IMPORT = "from transformers import AutoModelForCausalLM, AutoTokenizer"
ADAPTER_IMPORT = "from peft import PeftModel"
ADAPTER = "model = PeftModel.from_pretrained(base, FOLDER)"
FOUR_BIT = (
    'FOUR_BIT = BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4", '
    'bnb_4bit_use_double_quant=True, bnb_4bit_compute_dtype="bfloat16")'
)


def loading_code(config: RunConfig) -> list[str]:
    """Return the lines that load the adapter on its base, or the whole model."""
    adapt = config.train.adapt
    if adapt.method == "full":
        return whole_loading_code()
    gguf = find_gguf(config.model)
    base = config.model if on_hub(config.model) else f"path/to/{Path(config.model).name}"
    how, more = (", quantization_config=FOUR_BIT", ", BitsAndBytesConfig") if adapt.quantised else ("", "")
    if config.revision is not None:
        how = f", revision={config.revision!r}{how}"
    if gguf is not None:
        base = gguf.source if on_hub(config.model) else "path/to"
        how += f", gguf_file={gguf.file!r}, quantization_config=GgufConfig(dequantize=True)"
        more = ", GgufConfig"
    return [
        ADAPTER_IMPORT,
        WHOLE_IMPORT + more,
        "",
        *([FOUR_BIT] if adapt.quantised else []),
        HERE,
        f"BASE = {base!r}" + ("  # write where it lies" if base.startswith("path/to") else ""),
        TOKENIZER,
        f"base = AutoModelForCausalLM.from_pretrained(BASE{how})",
        ADAPTER,
    ]


def whole_loading_code() -> list[str]:
    """Return the lines that load a whole model."""
    return [WHOLE_IMPORT, "", HERE, TOKENIZER, "model = AutoModelForCausalLM.from_pretrained(FOLDER)"]


def on_hub(model: str) -> bool:
    """Return whether a model is a name on the Hub, not a folder here."""
    return not Path(resolve_model(model)).exists()


def fenced(code: str) -> str:
    """Return a code block that no run of backticks in the code can end."""
    longest = max((len(run) for run in re.findall("`+", code)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}python\n{code}\n{fence}"
