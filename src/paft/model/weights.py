"""Weights are read whole or refused: every tensor is in the files, is used, and holds finite numbers.

The libraries fill in what a file lacks with fresh random numbers and warn; figures of such a model
say nothing. What they leave to the user to see is an error here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from huggingface_hub.errors import StrictDataclassError
from safetensors import SafetensorError, safe_open

from paft.errors import ModelError, NotFiniteError, said
from paft.model.files import pretrained, read_config, weight_files
from paft.model.gguf import plain_weights

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

# What the libraries raise for a model that is missing, malformed or needs a package not installed; the
# latter half for values in its configuration that nobody there expected.
UNREADABLE = (
    OSError, ValueError, LookupError, ImportError, SafetensorError,
    TypeError, AttributeError, ArithmeticError, AssertionError, StrictDataclassError,
)  # fmt: skip
SHOWN = 3  # names of tensors in a message
# Causal masks that former versions of the library saved with GPT-2, GPT-Neo and their like.
MASKS = re.compile(r"\b(attn|attention)\.(masked_)?bias\Z")


def load_weights(name: str, *, trust_remote_code: bool = False, **how: Any) -> PreTrainedModel:
    """Load a causal language model from safetensors, every tensor of it; ``how`` is for ``from_pretrained``.

    Raises:
        ModelError: If files and architecture do not have the same tensors, or numbers are not finite.
        Exception: What the library says of a model that it cannot read, one of ``UNREADABLE`` or
            ``RuntimeError``.
    """
    from transformers import AutoModelForCausalLM

    factory: Any = AutoModelForCausalLM
    source, where = pretrained(name)
    gguf = "gguf_file" in where
    if gguf and "quantization_config" in how:
        raise ModelError(
            f"{name} holds quantised weights already: take them back to plain ones first (paft export {name} "
            "--output FOLDER), or train an adapter on them as they are (train.adapt.method: lora)"
        )
    kept: dict[str, Any] = {**where, **({"quantization_config": plain_weights()} if gguf else {})}
    model, found = factory.from_pretrained(
        source,
        use_safetensors=True,
        output_loading_info=True,
        ignore_mismatched_sizes=True,
        trust_remote_code=trust_remote_code,
        **how,
        **kept,
    )
    if gguf:
        model.name_or_path = name  # what an adapter names as its base
    for tensor, there, wanted in sorted(found["mismatched_keys"]):
        raise ModelError(
            f"model {name} cannot be loaded: tensor {tensor} is {list(there)} in its files, {list(wanted)} "
            "by its configuration: the two are not of one model"
        )
    left = [tensor for tensor in found["unexpected_keys"] if not MASKS.search(tensor)]
    check_whole(f"model {name}", found["missing_keys"], left, "the architecture")
    if "quantization_config" in how:  # packed weights hold no NaN, whatever they were made of
        check_files_finite(name)
    else:
        check_finite(model, name)
    ready: PreTrainedModel = model
    return ready


def empty_model(name: str, *, trust_remote_code: bool = False) -> Any:
    """Return a model without memory for its weights, on the meta device.

    Raises:
        ModelError: If its configuration makes none.
    """
    import torch
    from transformers import AutoModelForCausalLM

    factory: Any = AutoModelForCausalLM
    try:
        config = read_config(name, trust_remote_code=trust_remote_code)
        with torch.device("meta"):
            return factory.from_config(config, trust_remote_code=trust_remote_code)
    except UNREADABLE as error:
        refuse_code(name, error)
        raise ModelError(f"model {name}: no model can be made by its config.json: {said(error)}") from error


def check_whole(what: str, missing: Iterable[str], unexpected: Iterable[str], where: str) -> None:
    """Refuse weights whose files lack tensors, or bring some that have no place in ``where``.

    Raises:
        ModelError: Naming the first of them.
    """
    lost, left = sorted(missing), sorted(unexpected)
    problems = [f"lack {_first(lost)}"] if lost else []
    problems += [f"hold {_first(left)}, which {where} does not have"] if left else []
    if problems:
        raise ModelError(
            f"{what} cannot be loaded whole: its files {' and '.join(problems)}; what was renamed or lost "
            "would be random numbers or go unused: restore the files"
        )


def refuse_code(name: str, error: Exception) -> None:
    """Say in our words what the library says of a model whose code may not be run.

    Raises:
        ModelError: If that is what it says.
    """
    if "trust_remote_code" in str(error):
        raise ModelError(
            f"model {name} brings code of its own (`auto_map` in its files), which would run on this "
            "machine: read it, then allow it with --trust-remote-code"
        ) from error


def check_finite(model: torch.nn.Module, name: str) -> None:
    """Refuse a model with a weight that is NaN or infinite.

    Raises:
        NotFiniteError: Naming the tensor, and the file if it is there that it is broken.
    """
    broken = first_not_finite(model.state_dict().items())
    if broken is None:
        return
    check_files_finite(name)
    raise NotFiniteError(
        f"model {name}: tensor {broken} holds NaN or infinite numbers, which its files do not: they do not "
        "fit the type the weights are loaded in"
    )


def check_files_finite(name: str) -> None:
    """Refuse a model or adapter with a tensor in its files that is NaN or infinite.

    Raises:
        NotFiniteError: Naming tensor and file.
        ModelError: If a file cannot be read.
    """
    for file in weight_files(name):
        try:
            broken = first_not_finite(_tensors(file))
        except (SafetensorError, OSError) as error:
            raise ModelError(f"{file} cannot be read ({error}): restore it") from error
        if broken is not None:
            raise NotFiniteError(
                f"{file}: tensor {broken} holds NaN or infinite numbers, as after a training that diverged: "
                "nothing that such weights answer means anything; take others"
            )


def first_not_finite(tensors: Iterable[tuple[str, Any]]) -> str | None:
    """Return the name of the first tensor with a number that is NaN or infinite; None if there is none.

    A sum is finite only if all numbers are, and reads each once without a copy. One that is not, which
    huge numbers reach too, is looked at again.
    """
    import torch

    for name, found in tensors:
        if not isinstance(found, torch.Tensor) or not found.is_floating_point():
            continue
        # Of weights that lie on several devices this process's part, and of other ranks theirs.
        tensor = getattr(found, "to_local", lambda whole=found: whole)().detach()
        tensor = tensor if tensor.element_size() > 1 else tensor.float()  # 8 bits have no sums of their own
        total = tensor.sum(dtype=torch.float64 if tensor.dtype == torch.float64 else torch.float32)
        if not total.isfinite() and not tensor.isfinite().all():
            return name
    return None


def _tensors(file: Path) -> Iterator[tuple[str, Any]]:
    with safe_open(file, framework="pt") as opened:
        for name in opened.keys():  # noqa: SIM118  # no mapping, has no iterator
            yield name, opened.get_tensor(name)


def _first(names: list[str]) -> str:
    """Name the first of some tensors and count the others.

    >>> _first(["a", "b", "c", "d", "e"])
    'a, b, c and 2 more tensors'
    """
    more = f" and {len(names) - SHOWN} more tensors" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
