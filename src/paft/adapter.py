"""Adapters: loaded whole, on the base they were tuned on, with the tokenizer they were tuned with.

Beside an adapter of ours lies a record (``paft.json``) with the digest of its base's weights and, for a
base of the Hub, its commit. On another base of the same shape an adapter gives figures that mean
nothing, so that is refused unless it is asked for. Adapters of others have no record: they are loaded,
and that their base could not be verified is told.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safetensors import SafetensorError, safe_open

from paft.errors import ModelError
from paft.model_files import hub_revision, read_tokenizer, weights_digest
from paft.shape import read_record
from paft.weights import UNREADABLE, check_files_finite, check_whole, empty_model

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

RECORD = "paft.json"  # beside trained weights: what they need to be asked like, and on what base
CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
PROBE = "Which card?\n  No. 12: <s> caf\u00e9 \u5361\t{x}"  # words, spaces, marks and scripts


def check_before_loading(
    folder: Path, name: str, *, any_base: bool = False, trust_remote_code: bool = False
) -> str | None:
    """Refuse what can be seen to be wrong with an adapter on a base while no weights are loaded.

    Args:
        folder: Of the adapter.
        name: The base it is to be put on.
        any_base: Tell of another base than it was tuned on, do not refuse it.
        trust_remote_code: Whether code in the base's folder may be run.

    Returns:
        What there is to say of the base, see :func:`check_base`.

    Raises:
        ModelError: Saying what is wrong.
    """
    check_adapter(folder)
    told = check_base(folder, name, any_base=any_base)
    if read_record(folder / CONFIG, "adapter configuration", {}).get("peft_type") == "LORA":
        check_adapter_names(name, folder, trust_remote_code=trust_remote_code)
    check_files_finite(str(folder))
    tokenizer = read_tokenizer(name, trust_remote_code=trust_remote_code)
    check_tokenizer(folder, tokenizer, name, trust_remote_code=trust_remote_code)
    return told


def put_adapter(model: PreTrainedModel, folder: Path) -> Any:
    """Return a model with an adapter on top.

    Raises:
        ModelError: If the folder is none of an adapter, or not every tensor of it finds its place and
            every place its tensor, or numbers are not finite.
    """
    from peft import PeftModel

    check_adapter(folder)
    check_files_finite(str(folder))
    try:
        adapted = PeftModel.from_pretrained(model, str(folder))
    except (*UNREADABLE, RuntimeError) as error:
        if isinstance(error, KeyError) and str(error.args[0]).startswith("base_model."):
            check_whole(f"adapter {folder}", [error.args[0]], (), "")  # of a module that is saved whole
        raise ModelError(f"adapter {folder} does not fit the model: {_first_line(error)}") from error
    _check_filled(adapted, folder)
    return adapted


def check_adapter(folder: Path) -> None:
    """Refuse a folder that holds no adapter, or one whose weights are pickled.

    Raises:
        ModelError: Saying what is not there.
    """
    if not (folder / CONFIG).exists():
        raise ModelError(f"{folder} is no adapter folder: it has no {CONFIG}")
    if not (folder / WEIGHTS).exists():
        raise ModelError(f"{folder} has no {WEIGHTS}; pickled weights are not read")


def _check_filled(adapted: Any, folder: Path) -> None:
    """Refuse an adapter that left something of itself as it was made: peft fills in and says little.

    All its numbers are made NaN and read once more: where the file has nothing, NaN stays.
    """
    import torch
    from peft import get_peft_model_state_dict, set_peft_model_state_dict
    from peft.utils import load_peft_weights

    places = get_peft_model_state_dict(adapted, save_embedding_layers=False)
    with torch.no_grad():
        for place in places.values():
            if place.is_floating_point():
                place.fill_(torch.nan)
    found = set_peft_model_state_dict(adapted, load_peft_weights(str(folder), device="cpu"))
    missing = [name for name, place in places.items() if place.isnan().any()]
    check_whole(f"adapter {folder}", missing, found.unexpected_keys, "the model with this adapter")


def check_adapter_names(name: str, folder: Path, *, trust_remote_code: bool = False) -> None:
    """Refuse an adapter whose tensors are not those of its configuration on a model; no weights are loaded.

    For engines that load adapters themselves and pass over what they do not know.

    Raises:
        ModelError: Naming the first tensors.
    """
    import torch
    from peft import PeftConfig, get_peft_model, get_peft_model_state_dict

    try:
        bare = empty_model(name, trust_remote_code=trust_remote_code)
        with torch.device("meta"), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of another base, which was decided on before
            adapted = get_peft_model(bare, PeftConfig.from_pretrained(str(folder)))
        wanted = get_peft_model_state_dict(adapted, save_embedding_layers=False)
        shapes = _shapes(folder / WEIGHTS)
    except (*UNREADABLE, SafetensorError, RuntimeError) as error:
        raise ModelError(f"adapter {folder} does not fit the model: {_first_line(error)}") from error
    known = adapted.state_dict().keys()
    check_whole(
        f"adapter {folder}", wanted.keys() - shapes.keys(), shapes.keys() - wanted.keys() - known,
        "the model with this adapter",
    )  # fmt: skip
    for tensor, place in wanted.items():
        if list(place.shape) != shapes[tensor]:
            raise ModelError(
                f"adapter {folder} does not fit the model: {tensor} is {shapes[tensor]} in its file, "
                f"{list(place.shape)} by its configuration"
            )


def _shapes(file: Path) -> dict[str, list[int]]:
    with safe_open(file, framework="numpy") as opened:
        return {name: list(opened.get_slice(name).get_shape()) for name in opened.keys()}  # noqa: SIM118


def base_record(name: str) -> dict[str, Any]:
    """Return what is recorded of the base that an adapter is tuned on."""
    found = {"name": name, "revision": hub_revision(name), "weights": weights_digest(name)}
    return {key: value for key, value in found.items() if value is not None}


def check_base(folder: Path, name: str, *, any_base: bool = False) -> str | None:
    """Refuse another base than an adapter was tuned on; return what there is to say of the base.

    Args:
        folder: Of the adapter.
        name: The base it is to be put on.
        any_base: Tell of another base, do not refuse it.

    Returns:
        A warning, None where the base is the one recorded.

    Raises:
        ModelError: If the base is another.
    """
    record = _recorded_base(folder)
    if record is None:
        said = read_record(folder / CONFIG, "adapter configuration", {}).get("base_model_name_or_path")
        return (
            f"adapter {folder} brings no record of its base (it names {said or 'none'}): that it was tuned "
            f"on {name} could not be verified"
        )
    same = _same_base(record, name)
    if same:
        return None
    if same is None:  # of the Hub, and not downloaded yet
        return f"the weights of {name} are not here: that adapter {folder} was tuned on it was not verified"
    there, here = _told(record), _told(base_record(name))
    told = f"adapter {folder} was tuned on another base ({there}) than {name} ({here})"
    if any_base:
        return told
    raise ModelError(f"{told}: take the base it was tuned on, or add --any-base to use this one all the same")


def _same_base(record: Mapping[str, Any], name: str) -> bool | None:
    """Whether a base is the one of a record: the same commit, else the same bytes; None if nothing tells."""
    revision = hub_revision(name)
    if revision is not None and (record.get("name"), record.get("revision")) == (name, revision):
        return True
    weights = weights_digest(name)
    return None if weights is None or "weights" not in record else bool(record["weights"] == weights)


def _recorded_base(folder: Path) -> Mapping[str, Any] | None:
    path = folder / RECORD
    record = read_record(path, "training record", {}) if path.exists() else {}
    base = record.get("base") if isinstance(record, dict) else None
    return base if isinstance(base, dict) else None


def _told(record: Mapping[str, Any]) -> str:
    revision = f" at {record['revision'][:12]}" if record.get("revision") else ""
    return f"{record.get('name')}{revision}, weights {record.get('weights', 'unknown')}"


def check_tokenizer(
    folder: Path, base: PreTrainedTokenizerBase, name: str, *, trust_remote_code: bool = False
) -> None:
    """Refuse an adapter beside which lies another tokenizer or chat template than the base's.

    The base's is the one that asks; that beside the adapter, which servers and exports take, must ask
    in the same words.

    Raises:
        ModelError: Saying what differs.
    """
    differs = _difference(folder, base, trust_remote_code)
    if differs is not None:
        raise ModelError(
            f"the {differs} beside the adapter {folder} is another than that of its base {name}: an adapter "
            "is asked as its base is; remove the tokenizer's files beside the adapter, or take a base that "
            "has the same"
        )


def _difference(folder: Path, base: PreTrainedTokenizerBase, trusted: bool) -> str | None:
    """Say what of the tokenizer beside an adapter is not the base's; None for nothing or no tokenizer."""
    template = folder / "chat_template.jinja"
    if not (folder / "tokenizer_config.json").exists():
        # The base's tokenizer with a template of the adapter's.
        alone = template.exists() and template.read_text(encoding="utf-8") != base.chat_template
        return "chat template" if alone else None
    try:
        own = read_tokenizer(str(folder), trust_remote_code=trusted)
    except UNREADABLE as error:
        raise ModelError(f"the tokenizer beside the adapter {folder} cannot be read: {error}") from error
    if own.chat_template != base.chat_template:
        return "chat template"
    same = (
        own.get_vocab() == base.get_vocab()
        and (own.bos_token_id, own.eos_token_id) == (base.bos_token_id, base.eos_token_id)
        and all(_ids(own, special) == _ids(base, special) for special in (True, False))
    )
    return None if same else "tokenizer"


def _ids(tokenizer: PreTrainedTokenizerBase, special: bool) -> Any:
    return tokenizer(PROBE, add_special_tokens=special)["input_ids"]


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
