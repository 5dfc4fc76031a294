"""The files of a model: where they lie, and hashes that show whether a model has changed.

Every byte is hashed. A digest is kept for the life of the process alone, by what the file system says of
the file: one that lay beside the model could be older than the bytes it vouches for.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from paft.builtin import MODELS
from paft.files import file_digest, fingerprint
from paft.model.gguf import find_gguf
from paft.names import split_revision

# What decides what a model computes and how a text reaches it; cards and logs do not.
SMALL = (
    "*config.json", "*.index.json", "tokenizer.json", "*.jinja", "*.py", "tokenizer.model", "vocab.*",
    "merges.txt", "added_tokens.json", "special_tokens_map.json",
)  # fmt: skip


def resolve_model(name: str) -> str:
    """Return the folder of a built-in model, else the name itself."""
    return str(MODELS.get(name, name))


def pretrained(name: str) -> tuple[str, dict[str, str]]:
    """Return what ``from_pretrained`` takes: folder or Hub id, and as keywords a GGUF file, a revision."""
    bare, revision = split_revision(name)
    gguf, pinned = find_gguf(bare), {} if revision is None else {"revision": revision}
    if gguf is None:
        return resolve_model(bare), pinned
    return gguf.source, {"gguf_file": gguf.file, **pinned}


def read_config(name: str, *, trust_remote_code: bool = False) -> Any:
    """Return a model's configuration; code in its folder is run only where that is allowed."""
    from transformers import AutoConfig

    source, where = pretrained(name)
    # Said aloud either way: left open, the library asks on the terminal in the middle of a run.
    return AutoConfig.from_pretrained(source, trust_remote_code=trust_remote_code, **where)


def read_tokenizer(name: str, *, trust_remote_code: bool = False) -> Any:
    """Return a model's tokenizer, on the same terms."""
    from transformers import AutoTokenizer

    source, where = pretrained(name)
    return AutoTokenizer.from_pretrained(source, trust_remote_code=trust_remote_code, **where)


def hub_snapshot(name: str) -> Path | None:
    """Return the folder of a Hub id in this machine's cache, named by its commit; None if there is none."""
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    repository, where = pretrained(name)
    file = where.get("gguf_file", "config.json")
    try:
        found = try_to_load_from_cache(repository, file, revision=where.get("revision"))
    except HFValidationError:
        return None
    # A GGUF file may lie in a folder of the repository.
    return Path(found).parents[file.count("/")] if isinstance(found, str) else None


def model_folder(name: str) -> Path | None:
    """Return where the files of a model lie; None for a Hub id that is not in the cache."""
    folder = Path(resolve_model(name))
    return folder if folder.is_dir() else hub_snapshot(name)


def hub_revision(name: str) -> str | None:
    """Return the commit that a Hub id stands for in this machine's cache; None for a folder."""
    if Path(resolve_model(name)).is_dir():
        return None
    snapshot = hub_snapshot(name)
    return snapshot.name if snapshot else None


def hub_commit(name: str) -> dict[str, str]:
    """Return what results record of a model of the Hub beside its name; nothing for a folder."""
    revision = hub_revision(name)
    return {} if revision is None else {"model_revision": revision}


def weight_files(name: str) -> list[Path]:
    """Return the safetensors files of a model or adapter, as far as they lie on this machine."""
    folder = model_folder(name)
    return sorted(folder.glob("*.safetensors")) if folder else []


def model_fingerprint(name: str) -> str | None:
    """Hash of all of a model's files; the commit of a Hub id, None where it is not known here."""
    folder = Path(resolve_model(name))
    if folder.is_file():
        return file_digest(folder)
    if not folder.is_dir():
        return hub_revision(name)
    small = [file for pattern in SMALL for file in folder.glob(pattern)]
    return fingerprint({f.name: file_digest(f) for f in {*small, *weight_files(name)}})


def weights_digest(name: str) -> str | None:
    """Hash of a model's weights alone, which a copy in another folder keeps; None where they are not here."""
    gguf = find_gguf(name)
    if gguf is not None:
        return file_digest(gguf.path) if gguf.path else None
    files = weight_files(name)
    return fingerprint({f.name: file_digest(f) for f in files}) if files else None
