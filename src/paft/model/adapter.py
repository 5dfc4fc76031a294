"""Adapters: loaded whole, on the base they were tuned on, with the tokenizer they were tuned with.

Beside an adapter of ours lies a record (``paft.json``) with the digest of its base's weights and, for a
base of the Hub, its commit. On another base of the same shape an adapter gives figures that mean
nothing, so that is refused unless it is asked for. Adapters of others have no record: they are loaded,
and that their base could not be verified is reported.
"""

from __future__ import annotations

import re
import shlex
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safetensors import safe_open

from paft.errors import ModelError, said
from paft.model.files import hub_revision, model_folder, read_tokenizer, resolve_model, weights_digest
from paft.model.turns import SETTINGS, conversation
from paft.model.weights import UNREADABLE, check_files_finite, check_whole, empty_model
from paft.names import pin_model, split_revision
from paft.shape import read_record

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

RECORD = "paft.json"  # beside trained weights: what they need to be asked like, and on what base
CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
INSIDE = (f"adapter/{CONFIG}", f"trials/*/adapter/{CONFIG}")  # where adapters lie in the folder of a run
# What a tokenizer is saved as.
TOKENIZER = (
    "tokenizer*",
    "special_tokens_map.json",
    "added_tokens.json",
    "chat_template*",
    "vocab.json",
    "merges.txt",
)
# In names of what peft writes once more for a module that is saved whole in an enlarged vocabulary.
COPY = re.compile(r"\.(modules_to_save|original_module)\.")
PROBE = "Which card?\n  No. 12: <s> caf\u00e9 \u5361\t{x}"  # words, spaces, marks and scripts


def check_before_loading(
    folder: Path, name: str, *, any_base: bool = False, trust_remote_code: bool = False
) -> str | None:
    """Refuse what can be seen to be wrong with an adapter on a base while no weights are loaded.

    Returns:
        A warning about the base, see :func:`check_base`.

    Raises:
        ModelError: Saying what is wrong.
    """
    check_adapter(folder)
    check_files_finite(str(folder))
    warning = check_base(folder, name, any_base=any_base)
    if read_record(folder / CONFIG, "adapter configuration", {}).get("peft_type") == "LORA":
        try:
            check_adapter_names(name, folder, trust_remote_code=trust_remote_code)
        except ModelError as error:
            named = base_name(folder)
            if recorded_base(folder) is not None or named is None or _same_place(named, name):
                raise
            raise ModelError(
                f"adapter {folder} names {named} as its base and does not fit {name}: take the base it names"
            ) from error
    tokenizer = read_tokenizer(name, trust_remote_code=trust_remote_code)
    check_tokenizer(folder, tokenizer, name, trust_remote_code=trust_remote_code)
    return warning


def put_adapter(model: PreTrainedModel, folder: Path, *, dropout: float | None = None) -> Any:
    """Return a model with an adapter on top.

    Args:
        model: The base.
        folder: The adapter's.
        dropout: Before the adapter, to train it on; None to use it as it is.

    Raises:
        ModelError: If the folder is none of an adapter, or not every tensor of it finds its place and
            every place its tensor, or numbers are not finite.
    """
    from peft import PeftModel

    check_adapter(folder)
    check_files_finite(str(folder))
    _fit_embeddings(model, folder)
    try:
        adapted = PeftModel.from_pretrained(model, str(folder), **_to_train(folder, dropout))
    except (*UNREADABLE, RuntimeError) as error:
        if isinstance(error, KeyError) and str(error.args[0]).startswith("base_model."):
            check_whole(f"adapter {folder}", [error.args[0]], (), "")  # of a module that is saved whole
        raise ModelError(f"adapter {folder} does not fit the model: {said(error)}") from error
    _check_filled(adapted, folder)
    return adapted


def _to_train(folder: Path, dropout: float | None) -> dict[str, Any]:
    """Return what peft has to know to train an adapter on, nothing for one that is only used."""
    from peft import PeftConfig

    if dropout is None:
        return {}
    config = PeftConfig.from_pretrained(str(folder))
    config.lora_dropout = dropout
    config.inference_mode = False
    return {"is_trainable": True, "config": config}


def check_adapter(folder: Path) -> None:
    """Refuse a folder without an adapter, or one of an unknown kind, pickled, or of tokens before a prompt.

    Raises:
        ModelError: Saying what is not there, or what cannot be evaluated.
    """
    from peft import PEFT_TYPE_TO_CONFIG_MAPPING, PromptLearningConfig

    require_adapter(folder)
    if not (folder / WEIGHTS).exists():
        raise ModelError(f"{folder} has no {WEIGHTS}; pickled weights are not read")
    kind = str(read_record(folder / CONFIG, "adapter configuration", {}).get("peft_type"))
    if kind not in PEFT_TYPE_TO_CONFIG_MAPPING:
        raise ModelError(f"{folder / CONFIG}: peft_type is {kind!r}, which the installed peft does not know")
    if issubclass(PEFT_TYPE_TO_CONFIG_MAPPING[kind], PromptLearningConfig):
        raise ModelError(
            f"adapter {folder} is of the kind {kind}, which puts trained tokens before every prompt: only "
            "adapters that change the model's modules, as LoRA does, are evaluated and exported"
        )


def require_adapter(folder: Path) -> None:
    """Refuse a path that is no folder of an adapter, and say what was meant where that is clear.

    Raises:
        ModelError: If it has no configuration of an adapter.
    """
    if (folder / CONFIG).exists():
        return
    for place in (folder, folder.with_name("model")):  # where training of all weights leaves them
        if (place / "config.json").exists():
            raise ModelError(f"{place} is a whole model, no adapter: give it by --model instead of --adapter")
    inside = [str(place.parent) for pattern in INSIDE for place in sorted(folder.glob(pattern))]
    meant = f"; did you mean {' or '.join(inside[:4])}?" if inside else ""
    raise ModelError(f"{folder} is no adapter folder: it has no {CONFIG}{meant}")


def refuse_as_model(name: str) -> None:
    """Refuse the folder of an adapter where a model is to be named.

    Raises:
        ModelError: Saying by which option it is given, and what its base is.
    """
    folder = Path(name)
    if (folder / CONFIG).exists() and not (folder / "config.json").exists():
        base = base_name(folder)
        raise ModelError(
            f"{name} is an adapter, no model: `paft evaluate` and `paft try` take it by --adapter "
            f"{shlex.quote(name)}; --model takes its base{'' if base is None else f', {base}'}"
        )


def _fit_embeddings(model: Any, folder: Path) -> None:
    """Give a model as many embeddings as an adapter brings: tokens were added to its base, or cut off."""
    embedding = model.get_input_embeddings()
    name = next(name for name, module in model.named_modules() if module is embedding)
    shapes = tensor_shapes(folder / WEIGHTS)
    for layer in ("", "base_layer."):
        rows = shapes.get(f"base_model.model.{name}.{layer}weight", [embedding.weight.shape[0]])[0]
        if rows != embedding.weight.shape[0]:
            model.resize_token_embeddings(rows, mean_resizing=False)


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
    _check_whole(folder, missing, found.unexpected_keys)


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
            _fit_embeddings(bare, folder)
            adapted = get_peft_model(bare, PeftConfig.from_pretrained(str(folder)))
        wanted = get_peft_model_state_dict(adapted, save_embedding_layers=False)
        shapes = tensor_shapes(folder / WEIGHTS)
    except (*UNREADABLE, RuntimeError) as error:
        raise ModelError(f"adapter {folder} does not fit the model: {said(error)}") from error
    known = adapted.state_dict().keys()
    _check_whole(folder, wanted.keys() - shapes.keys(), shapes.keys() - wanted.keys() - known)
    for tensor, place in wanted.items():
        if list(place.shape) != shapes[tensor]:
            raise ModelError(
                f"adapter {folder} does not fit the model: {tensor} is {shapes[tensor]} in its file, "
                f"{list(place.shape)} by its configuration"
            )


def _check_whole(folder: Path, missing: Iterable[str], unexpected: Iterable[str]) -> None:
    """Refuse an adapter that lacks tensors or brings others than further copies of what it has."""
    there = tensor_shapes(folder / WEIGHTS)
    left = [name for name in unexpected if COPY.sub(".", name) == name or COPY.sub(".", name) not in there]
    check_whole(f"adapter {folder}", missing, left, "the model with this adapter")


def tensor_shapes(file: Path) -> dict[str, list[int]]:
    """Return the shape of every tensor in a safetensors file; none of them is read."""
    with safe_open(file, framework="numpy") as opened:
        return {name: list(opened.get_slice(name).get_shape()) for name in opened.keys()}  # noqa: SIM118


def base_record(name: str) -> dict[str, Any]:
    """Return what is recorded of the base that an adapter is tuned on."""
    bare, _ = split_revision(name)
    found = {"name": bare, "revision": hub_revision(name), "weights": weights_digest(name)}
    return {key: value for key, value in found.items() if value is not None}


def check_base(folder: Path, name: str, *, any_base: bool = False) -> str | None:
    """Refuse another base than an adapter was tuned on.

    Returns:
        A warning if the base cannot be verified, or is another and ``any_base`` allows it; else None.

    Raises:
        ModelError: If the base is another.
    """
    record = recorded_base(folder)
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
    there, here = _described(record), _described(base_record(name))
    message = f"adapter {folder} was tuned on another base ({there}) than {name} ({here})"
    if any_base:
        return message
    raise ModelError(
        f"{message}: take the base it was tuned on, or add --any-base to use this one all the same"
    )


def _same_base(record: Mapping[str, Any], name: str) -> bool | None:
    """Whether a base is the one of a record: the same commit, else the same bytes; None if unknown."""
    revision = hub_revision(name)
    bare, _ = split_revision(name)
    if revision is not None and (record.get("name"), record.get("revision")) == (bare, revision):
        return True
    weights = weights_digest(name)
    return None if weights is None or "weights" not in record else bool(record["weights"] == weights)


def training_record(folder: Path, shape: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return the record beside trained weights; empty for weights of others, which have none.

    Raises:
        DataError: If it is damaged, or lacks what :func:`paft.shape.read_record` is to find.
    """
    path = folder / RECORD
    return read_record(path, "training record", shape or {}) if path.exists() else {}


def _same_place(first: str, second: str) -> bool:
    """Whether two names are of the same folder or Hub id, whatever its revision."""
    one, other = (resolve_model(split_revision(name)[0]) for name in (first, second))
    return one == other or Path(one).resolve() == Path(other).resolve()


def base_name(adapter: Path) -> str | None:
    """Return the base of an adapter as loaders take it, from the files beside it; None where none names it.

    Our record has what the user called it, peft's configuration where it lay. The first of the two that is on
    this machine counts. A base of the Hub is pinned to the commit of the record where that is here and is not
    the one that the bare id stands for.
    """
    recorded = recorded_base(adapter) or {}
    settings = read_record(adapter / CONFIG, "adapter configuration", {})
    named = [str(name) for name in (recorded.get("name"), settings.get("base_model_name_or_path")) if name]
    name = next(filter(is_here, named), named[0] if named else None)
    if name is None or name != recorded.get("name") or recorded.get("revision") is None:
        return name
    pinned = pin_model(name, recorded["revision"])
    here = hub_revision(pinned) == recorded["revision"]
    return pinned if here and hub_revision(name) != hub_revision(pinned) else name


def is_here(name: str) -> bool:
    """Whether a model lies on this machine: built in, a folder, a file, or in the cache of the Hub."""
    try:
        return Path(name).is_file() or model_folder(name) is not None
    except ModelError:  # a GGUF file that is gone
        return False


def recorded_base(folder: Path) -> Mapping[str, Any] | None:
    """Return what was recorded of the base that an adapter was tuned on; None without a record."""
    base = training_record(folder).get("base")
    return base if isinstance(base, dict) else None


def _described(record: Mapping[str, Any]) -> str:
    revision = f" at {record['revision'][:12]}" if record.get("revision") else ""
    return f"{record.get('name')}{revision}, weights {record.get('weights', 'unknown')}"


def check_tokenizer(
    folder: Path, base: PreTrainedTokenizerBase, name: str, *, trust_remote_code: bool = False
) -> None:
    """Refuse an adapter beside which lies another tokenizer or chat template than the base's.

    The base's is the one that asks; that beside the adapter, which servers and exports take, must ask
    in the same words. Tokens that no text becomes may be added, and padding and limits be set otherwise.

    Raises:
        ModelError: Saying what differs, and the command after which the adapter is asked as its base is.
    """
    differs = _difference(folder, base, trust_remote_code)
    if differs is not None:
        files = sorted(str(file) for pattern in TOKENIZER for file in folder.glob(pattern))
        raise ModelError(
            f"the {differs} beside the adapter {folder} is not that of its base {name}: an adapter is asked "
            "as its base is; take a base that has the same, or remove the tokenizer's files beside the "
            f"adapter: rm {shlex.join(files)}"
        )


def _difference(folder: Path, base: PreTrainedTokenizerBase, trusted: bool) -> str | None:
    """Say what of the tokenizer beside an adapter is not the base's; None for nothing or no tokenizer."""
    template = folder / "chat_template.jinja"
    if (folder / "tokenizer_config.json").exists():
        try:
            own: Any = read_tokenizer(str(folder), trust_remote_code=trusted)
        except UNREADABLE as error:
            return f"tokenizer (unreadable: {said(error)})"
        conversations = _conversations(own)
    elif template.exists():  # for the base's tokenizer
        own, conversations = base, _conversations(base, template.read_text(encoding="utf-8"))
    else:
        return None
    if conversations != _conversations(base):
        return "chat template"
    same = (
        _texts_vocabulary(own) == _texts_vocabulary(base)
        and own.eos_token_id == base.eos_token_id
        and all(_ids(own, special) == _ids(base, special) for special in (True, False))
    )
    return None if same else "tokenizer"


def _texts_vocabulary(tokenizer: PreTrainedTokenizerBase) -> dict[str, int]:
    """Return the vocabulary without special tokens, which no text becomes."""
    special = {token.content for token in tokenizer.added_tokens_decoder.values() if token.special}
    return {text: i for text, i in tokenizer.get_vocab().items() if text not in special}


def _conversations(tokenizer: PreTrainedTokenizerBase, template: str | None = None) -> list[Any] | None:
    """Return the token ids that a chat template makes of probes, None for those it refuses."""
    from jinja2 import TemplateError

    if not (template or tokenizer.chat_template):
        return None
    asked = (
        conversation(None, PROBE, None),
        conversation(PROBE, PROBE, None),
        conversation(None, PROBE, PROBE),
    )
    found: list[Any] = []
    for turns in asked:
        try:
            ids: Any = tokenizer.apply_chat_template(
                turns, chat_template=template, add_generation_prompt=turns[-1]["role"] == "user", **SETTINGS
            )
        except (TemplateError, ValueError, TypeError):
            ids = None
        found.append(ids)
    return found


def _ids(tokenizer: PreTrainedTokenizerBase, special: bool) -> Any:
    return tokenizer(PROBE, add_special_tokens=special)["input_ids"]
