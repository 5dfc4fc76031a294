"""What a run trained, in a folder of its own: a plain adapter, or one whole model without peft.

An adapter goes out as peft keeps it. Merged, its changes are added to the weights in float32 and the
sum is rounded once, to the type asked for; that the merged model still gives the adapter's logits is
checked on a probe before anything is written. Weights in 4 bit are dequantised first: a sum that is
rounded to 4 bit again would be another model.
"""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from paft.errors import ConfigError, ModelError, PaftError, said
from paft.files import new_folder, read_text, write_json, write_text
from paft.methods import METHODS, main_method
from paft.model.adapter import CONFIG as ADAPTER_CONFIG
from paft.model.adapter import (
    RECORD,
    WEIGHTS,
    base_name,
    check_adapter,
    check_base,
    check_before_loading,
    put_adapter,
)
from paft.model.files import read_config, read_tokenizer, resolve_model
from paft.model.gguf import find_gguf
from paft.model.quantised import four_bit, trained_quantised
from paft.model.weights import UNREADABLE, check_files_finite, load_weights, refuse_code
from paft.names import split_revision
from paft.report.card import merged_card
from paft.report.run_folder import TRIALS, refuse_former
from paft.shape import read_record

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

Dtype = Literal["float32", "bfloat16", "float16"]
ADAPTER_FILES = (WEIGHTS, "README.md", RECORD)
PROBE_TOKENS = 32
TOLERANCE = 1e-4  # of logits in float32, for logits up to 1 and relative to larger ones


@dataclass(frozen=True)
class Exported:
    """What an export wrote.

    Attributes:
        source: The folder of adapter or model that was taken.
        whole: Whether a whole model was written, or an adapter.
        difference: Largest difference of a logit between merged model and adapter, if it was merged.
        url: Where it lies on the Hub, if it was pushed.
        warning: What there is to say of the adapter's base, if anything.
    """

    source: Path
    whole: bool
    difference: float | None = None
    url: str | None = None
    warning: str | None = None


def export(
    source: Path,
    output: Path,
    *,
    trial: str | None = None,
    merge: bool = False,
    dtype: Dtype | None = None,
    base: str | None = None,
    push_to: str | None = None,
    private: bool = False,
    any_base: bool = False,
    trust_remote_code: bool = False,
) -> Exported:
    """Write an adapter or a whole model to a folder, and to the Hub if asked.

    Args:
        source: Output folder of ``paft run``, one of its trials, or a folder of adapter or model.
        output: A folder that is not there yet; it appears when complete.
        trial: Which trial of a run, say ``paft-0``, or its method; see :func:`find_weights`.
        merge: Whether to merge the adapter into its base.
        dtype: Type of a whole model's weights; the base's own by default.
        base: Base model of the adapter (a folder or Hub id), where another than it names.
        push_to: Repository on the Hub, ``owner/name``.
        private: Whether to make the repository private, if it is new.
        any_base: Whether to take another base than the adapter was tuned on too.
        trust_remote_code: Whether code in the model's folder may be run.

    Raises:
        ConfigError: If the source holds no weights, the output is there, or options do not fit.
        ModelError: If the base cannot be had, or the merged model is not the adapter's.
        PaftError: If the disk is full or the Hub refuses.
    """
    weights = find_weights(source, trial)
    if output.exists():
        raise ConfigError(f"--output {output} is there already: choose another folder or remove it")
    is_adapter = (weights / ADAPTER_CONFIG).exists()
    if dtype is not None and is_adapter and not merge:
        raise ConfigError("--dtype is for whole models, an adapter stays as it was trained: add --merge")
    warning = None
    if is_adapter:
        base = resolve_model(base or _base_name(weights))
        warning = _check_adapter(weights, base, any_base, trust_remote_code)
    if push_to is not None:
        _check_push(push_to, base if is_adapter and not merge else None)
    model = difference = None
    if not is_adapter:
        model = _load(str(weights), trust_remote_code=trust_remote_code)
    elif merge:
        model, difference = merged(weights, str(base), trust_remote_code=trust_remote_code)
    own = str(base if is_adapter else weights)
    try:
        with new_folder(output) as part:
            if model is None:
                _write_adapter(weights, own, part, trust_remote_code)
            else:
                _write_model(model, weights, own, dtype, part, trust_remote_code)
    except ValueError as error:
        raise ModelError(f"cannot write {output}: {said(error)}") from error
    url = _push(output, push_to, private=private) if push_to is not None else None
    return Exported(weights, merge or not is_adapter, difference, url, warning)


def find_weights(source: Path, trial: str | None = None) -> Path:
    """Return the folder of adapter or model that a path stands for: one itself, or that of a trial or run.

    A method names its trial if it has one seed.

    By default the trial of a run is the only one, or the first seed of ``paft``, else of the only method that
    trains on the bank.

    Raises:
        ConfigError: If there is none, or several and none is named.
    """
    if source.is_file() and find_gguf(str(source)):
        return source
    if trial is None and ((source / ADAPTER_CONFIG).exists() or (source / "config.json").exists()):
        return source
    refuse_former(source)
    folders = source.glob(f"{TRIALS}/*/*") if (source / TRIALS).is_dir() else source.glob("*")
    found = {folder.parent.name: folder for folder in sorted(folders) if folder.name in ("adapter", "model")}
    if not found:
        raise ConfigError(f"{source} holds no trained weights: give a run, an adapter or a model folder")
    if trial is None:
        trial = next(iter(found)) if len(found) == 1 else _main_trial(found)
    elif trial not in found:  # a method with one seed needs no number
        of_method = [name for name in found if name.rpartition("-")[0] == trial]
        trial = of_method[0] if len(of_method) == 1 else trial
    if trial not in found:
        asked = "has several trials" if trial is None else f"has no trained trial {trial!r}"
        raise ConfigError(f"{source} {asked}: choose one by --trial ({', '.join(found)})")
    return found[trial]


def _main_trial(names: Iterable[str]) -> str | None:
    """Return the first seed of the method that a run is about; None where that is not clear."""
    by_method: dict[str, list[str]] = {}
    for name in sorted(names, key=lambda name: (len(name), name)):
        by_method.setdefault(name.rpartition("-")[0], []).append(name)
    of_bank = [method for method in by_method if method in METHODS and METHODS[method].trains_on_bank]
    main = main_method(of_bank) if "paft" in of_bank or len(of_bank) == 1 else None
    return None if main is None else by_method[main][0]


def gguf_commands(model: Path) -> list[str]:
    """Return the two commands that make a GGUF file of a model's folder and serve it (llama.cpp, Ollama)."""
    file = model / f"{model.resolve().name}-f16.gguf"
    convert = [
        "python",
        "llama.cpp/convert_hf_to_gguf.py",
        str(model),
        "--outfile",
        str(file),
        "--outtype",
        "f16",
    ]
    modelfile, name = model / "Modelfile", re.sub(r"[^a-z0-9._-]+", "-", model.resolve().name.lower())
    create = shlex.join(["ollama", "create", name, "-f", str(modelfile)])
    return [
        shlex.join(convert),
        f"echo FROM ./{shlex.quote(file.name)} > {shlex.quote(str(modelfile))} && {create}",
    ]


def merged(adapter: Path, base: str, *, trust_remote_code: bool = False) -> tuple[PreTrainedModel, float]:
    """Return the base with the adapter merged into it, in float32, and how far its logits are off.

    Raises:
        ModelError: If the base or the adapter cannot be loaded, the adapter is of a kind that
            cannot be merged, or the merged model gives other logits.
    """
    loaded = _load(base, quantised=trained_quantised(adapter), trust_remote_code=trust_remote_code)
    model = put_adapter(loaded, adapter).eval()
    try:
        before = _probe(model)
        _untie_base(model)
        plain: PreTrainedModel = model.merge_and_unload(safe_merge=True)
    except AttributeError as error:
        raise ModelError(f"the adapter {adapter} is of a kind that cannot be merged: {error}") from error
    except (*UNREADABLE, RuntimeError) as error:
        raise ModelError(f"adapter {adapter} cannot be merged into {base}: {said(error)}") from error
    _untie_config(plain)
    difference = float((_probe(plain) - before).abs().max())
    if not difference <= TOLERANCE * max(1.0, float(before.abs().max())):
        raise ModelError(
            f"merged into {base}, the adapter {adapter} gives other logits (by {difference:.2g}), so nothing "
            "was written: export it without --merge"
        )
    return plain, difference


def _base_name(adapter: Path) -> str:
    check_adapter(adapter)
    name = base_name(adapter)
    if name is None:
        raise ConfigError(f"{adapter / ADAPTER_CONFIG} names no base model: give it by --base")
    return name


def _check_adapter(adapter: Path, base: str, any_base: bool, trusted: bool) -> str | None:
    """Refuse an adapter that is damaged or not the base's; return what there is to say of its base."""
    try:
        read_config(base, trust_remote_code=trusted)
    except UNREADABLE as error:  # an adapter may go out where its base does not lie
        refuse_code(base, error)
        check_base(adapter, base, any_base=any_base)
        check_files_finite(str(adapter))
        return f"{adapter} was not compared with its base {base}, which is out of reach"
    return check_before_loading(adapter, base, any_base=any_base, trust_remote_code=trusted)


def _load(name: str, *, quantised: bool = False, trust_remote_code: bool = False) -> PreTrainedModel:
    """Load weights in float32, out of any quantisation."""
    import torch

    how = {"quantization_config": four_bit()} if quantised else {}
    try:
        model: Any = load_weights(name, trust_remote_code=trust_remote_code, dtype=torch.float32, **how)
        if getattr(model, "hf_quantizer", None) is not None:
            model = model.dequantize(dtype=torch.float32)
    except (*UNREADABLE, RuntimeError) as error:
        refuse_code(name, error)
        raise ModelError(
            f"the model {name} cannot be loaded ({said(error)}): check its path or id, or give the "
            "base of an adapter by --base"
        ) from error
    ready: PreTrainedModel = model.eval()
    return ready


def _probe(model: Any) -> torch.Tensor:
    """Return the logits (S, V) of a fixed row of tokens that spans the vocabulary."""
    import torch

    ids = torch.linspace(0, model.config.get_text_config().vocab_size - 1, PROBE_TOKENS).long()
    with torch.inference_mode():
        logits: torch.Tensor = model(input_ids=ids[None].to(model.device), use_cache=False).logits[0]
    return logits.float().cpu()


def _untie_base(model: Any) -> None:
    """Give a tied output projection weights of its own where an adapter would be merged into them twice."""
    import torch
    from peft.tuners.tuners_utils import BaseTunerLayer

    ends = [model.get_base_model().get_input_embeddings(), model.get_base_model().get_output_embeddings()]
    layers = [end.get_base_layer() if isinstance(end, BaseTunerLayer) else end for end in ends]
    touched = any(isinstance(end, BaseTunerLayer) for end in ends)
    if touched and layers[0].weight is layers[1].weight:
        layers[1].weight = torch.nn.Parameter(layers[1].weight.detach().clone())


def _untie_config(model: Any) -> None:
    """Say in the configuration that input and output embeddings differ, where they do now."""
    import torch

    embedding, head = model.get_input_embeddings(), model.get_output_embeddings()
    if head is not None and not torch.equal(embedding.weight, head.weight):
        for config in (model.config, model.config.get_text_config()):
            config.tie_word_embeddings = False


def _write_adapter(weights: Path, base: str, part: Path, trusted: bool) -> None:
    settings = read_record(weights / ADAPTER_CONFIG, "adapter configuration", {})
    name, revision = split_revision(base)
    pinned = {} if revision is None else {"revision": revision}
    write_json(part / ADAPTER_CONFIG, settings | {"base_model_name_or_path": name, **pinned})
    for name in ADAPTER_FILES:
        if (weights / name).exists():
            shutil.copyfile(weights / name, part / name)
    _save_tokenizer(weights, base, part, trusted)


def _write_model(
    model: Any, weights: Path, base: str, dtype: Dtype | None, part: Path, trusted: bool
) -> None:
    import torch

    own = read_config(base, trust_remote_code=trusted).dtype
    model.to(getattr(torch, dtype) if dtype else own or torch.float32)
    model.save_pretrained(part)
    _save_tokenizer(weights, base, part, trusted)
    if (weights / RECORD).exists():
        record = read_record(weights / RECORD, "training record", {})
        of_adapter = ("quantised", "base")
        write_json(part / RECORD, {key: value for key, value in record.items() if key not in of_adapter})
    if (weights / "README.md").exists():
        card = merged_card(read_text(weights / "README.md", "model card"))
        if card is not None:
            write_text(part / "README.md", card)


def _save_tokenizer(weights: Path, base: str, part: Path, trusted: bool) -> None:
    """Write the tokenizer that lies beside the weights, else the base's, chat template included."""
    source = str(weights) if (weights / "tokenizer_config.json").exists() else base
    read_tokenizer(source, trust_remote_code=trusted).save_pretrained(part)


def _check_push(repository: str, base: str | None = None) -> None:
    """Make sure, before anything is computed, that a push to ``owner/name`` can succeed.

    Args:
        repository: The repository.
        base: Base model of the adapter to push; None for a whole model.

    Raises:
        ConfigError: If the name is malformed, there is no token, or the base is a folder here.
        PaftError: If the Hub cannot be reached or refuses the token.
    """
    from huggingface_hub import HfApi, get_token
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]

    try:
        validate_repo_id(repository)
    except HFValidationError as error:
        raise ConfigError(f"--push-to-hub {repository!r}: {error}") from None
    if base is not None and Path(base).is_dir():
        raise ConfigError(
            f"--push-to-hub: the adapter's base is the folder {base}, which others do not have: add --merge, "
            "or name the base on the Hub by --base"
        )
    if get_token() is None:
        raise ConfigError("--push-to-hub needs a token: set HF_TOKEN, or log in by `hf auth login`")
    try:
        HfApi().whoami()
    except Exception as error:  # the library raises many unrelated types for one cause
        raise PaftError(_failed(repository, error)) from error


def _push(folder: Path, repository: str, *, private: bool) -> str:
    """Upload a folder, making the repository if it is new; return its address.

    Raises:
        PaftError: If the Hub cannot be reached or refuses; the folder stays.
    """
    from huggingface_hub import HfApi

    api = HfApi()
    try:
        url = api.create_repo(repository, private=private, exist_ok=True)
        api.upload_folder(repo_id=repository, folder_path=folder, commit_message="Upload by paft export")
    except Exception as error:  # as above
        raise PaftError(
            f"{_failed(repository, error)}. {folder} is complete: `hf upload {repository} {folder}` does "
            "the rest"
        ) from error
    return str(url)


def _failed(repository: str, error: Exception) -> str:
    detail = str(error).strip().splitlines()[0] if str(error).strip() else "no detail"
    return (
        f"cannot push to {repository} on the Hub ({type(error).__name__}: {detail}): check the network and "
        "that the token may write"
    )
