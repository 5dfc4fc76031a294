"""Models in GGUF files, the format of llama.cpp and Ollama: named, checked, and read as plain weights.

Most such files hold quantised weights. They are taken back to floating point as they are read, so
training and evaluation work on what the file holds: what its quantisation rounded away is lost, and
the model is not quite the one the file was made from. Tokenizer and chat template come from the
file too. What is trained is saved as a plain folder.

A model is named ``path/to/file.gguf``, or ``owner/repository:file.gguf`` on the Hugging Face Hub.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from paft.errors import ModelError
from paft.names import split_revision

if TYPE_CHECKING:
    from transformers import GgufConfig

SUFFIX = ".gguf"
_ON_HUB = re.compile(r"(?P<repository>[\w.-]+/[\w.-]+):(?P<file>[^:]+)")
_SPLIT = re.compile(r"-(\d{5})-of-(\d{5})\.gguf$", re.IGNORECASE)


@dataclass(frozen=True)
class GgufFile:
    """A model in a GGUF file.

    Attributes:
        source: The folder it lies in, or the repository on the Hub.
        file: Its name there.
    """

    source: str
    file: str

    @property
    def path(self) -> Path | None:
        """The file on this machine; None for one on the Hub."""
        path = Path(self.source) / self.file
        return path if path.is_file() else None


def find_gguf(name: str) -> GgufFile | None:
    """Return the GGUF file that a model's name stands for, None for any other name.

    Raises:
        ModelError: If it is not there, is one of several parts, or the package that reads it is missing.

    >>> find_gguf("Qwen/Qwen3-0.6B") is None
    True
    """
    name, _ = split_revision(name)
    if not name.lower().endswith(SUFFIX):
        return None
    path, on_hub = Path(name), _ON_HUB.fullmatch(name)
    if path.is_file():
        found = GgufFile(str(path.parent), path.name)
    elif on_hub:
        found = GgufFile(on_hub["repository"], on_hub["file"])
    else:
        raise ModelError(
            f"GGUF file not found: {name}; on the Hugging Face Hub it is named owner/repository:file.gguf"
        )
    if part := _SPLIT.search(found.file):
        raise ModelError(
            f"{name} is part {int(part[1])} of {int(part[2])} of a model: join the parts first "
            f"(llama-gguf-split --merge FIRST_PART whole.gguf)"
        )
    if find_spec("gguf") is None:
        raise ModelError(f"to read {name} takes the package gguf: pip install 'paft[gguf]'")
    return found


def plain_weights() -> GgufConfig:
    """Return the setting that takes weights back to floating point as they are read.

    Raises:
        ModelError: If the installed transformers cannot.
    """
    try:
        from transformers import GgufConfig
    except ImportError as error:
        raise ModelError("GGUF files need transformers 5.23 or later: pip install -U transformers") from error
    return GgufConfig(dequantize=True)
