"""Models that answer one after another: one base is in memory at most.

LoRA adapters are put on it and taken off again, other weights are loaded in turn.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from paft.model.adapter import CONFIG as ADAPTER_CONFIG
from paft.model.adapter import (
    WEIGHTS,
    check_adapter,
    check_base,
    check_tokenizer,
    put_adapter,
    tensor_shapes,
)
from paft.model.load import PLAIN, LanguageModel, load_model
from paft.model.quantised import trained_quantised
from paft.model.settings import Chat
from paft.shape import read_record


@dataclass
class SharedBase:
    """Loads models in turn.

    Attributes:
        chat: How all models are asked.
        trust_remote_code: Whether code in a model's folder may be run.
        any_base: Whether an adapter may stand on another base than its own.
    """

    chat: Chat = PLAIN
    trust_remote_code: bool = False
    any_base: bool = False
    _held: dict[tuple[str, bool], LanguageModel] = field(default_factory=dict)

    @contextmanager
    def loaded(self, name: str, adapter: Path | None = None) -> Iterator[LanguageModel]:
        """Give a model for a while: with the weights that :func:`paft.model.load.load_model` would load.

        Raises:
            ModelError: As there.
        """
        if adapter is not None:
            check_adapter(adapter)
        if adapter is None:
            yield self._hold(name, False)
        elif detachable(adapter):
            base = self._hold(name, trained_quantised(adapter))
            held, self._held = self._held, {}  # a base that an adapter failed on is not used again
            trusted = self.trust_remote_code
            with wear_adapter(base, adapter, any_base=self.any_base, trust_remote_code=trusted) as model:
                yield model
            self._held = held
        else:
            self._held.clear()
            yield load_model(
                name, adapter, chat=self.chat,
                trust_remote_code=self.trust_remote_code, any_base=self.any_base,
            )  # fmt: skip

    def _hold(self, name: str, quantised: bool) -> LanguageModel:
        """Return a model that is in memory, or load it in place of the one that is."""
        if (name, quantised) not in self._held:
            self._held.clear()
            self._held[name, quantised] = load_model(
                name, quantised=quantised, chat=self.chat, trust_remote_code=self.trust_remote_code
            )
        return self._held[name, quantised]


def detachable(adapter: Path) -> bool:
    """Whether an adapter can be taken off a model again and leaves nothing: LoRA on frozen modules alone.

    One that brings embeddings for an enlarged vocabulary would leave them in its base.
    """
    record = read_record(adapter / ADAPTER_CONFIG, "adapter configuration", {})
    changes = ("modules_to_save", "trainable_token_indices", "target_parameters")
    return (
        record.get("peft_type") == "LORA"
        and record.get("bias", "none") == "none"
        and not any(record.get(key) for key in changes)
        and all(".lora_" in name for name in tensor_shapes(adapter / WEIGHTS))
    )


@contextmanager
def wear_adapter(
    base: LanguageModel, adapter: Path, *, any_base: bool = False, trust_remote_code: bool = False
) -> Iterator[LanguageModel]:
    """Put a detachable adapter on a loaded base for a while: the weights that :func:`load_model` would load.

    Raises:
        ModelError: If the two do not belong together.
    """
    check_adapter(adapter)
    check_base(adapter, base.name, any_base=any_base)
    check_tokenizer(adapter, base.tokenizer, base.name, trust_remote_code=trust_remote_code)
    trainable = [weight for weight in base.model.parameters() if weight.requires_grad]
    adapted = put_adapter(base.model, adapter)
    try:
        yield replace(base, model=adapted.to(base.device).eval())
    finally:
        adapted.unload()
        for weight in trainable:  # frozen ones take other kernels, whose last digits differ
            weight.requires_grad_(True)
