"""Chat: a rendered prompt as the user's turn of a model's own chat template, its answer as the assistant's.

What the template writes around the texts is learnt once (:mod:`paft.model.turns`); from then on nothing
but token ids is put together. What the template writes may be control tokens, what a prompt or an
answer says never is. Text of the template that touches the user's is tokenised together with it,
as the tokenizer does; prompt and answer are tokenised apart, so the boundary between them holds.

The prompt is the one that an inference server makes of the same conversation, to the token, a
thinking model being set to answer at once (``enable_thinking=False``). Where a template opens a
thought all the same (DeepSeek-R1), it is closed behind the prompt, and the answer stands after it
(:func:`paft.model.turns.closing_of`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paft.errors import ConfigError, DataError, ModelError
from paft.files import write_json
from paft.model.adapter import RECORD as RECORD
from paft.model.adapter import training_record
from paft.model.encode import Encoder
from paft.model.settings import Chat
from paft.model.turns import SETTINGS, Turns, conversation

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

PROBE = "  Which one?\nNo. 12:\n", " card arrival "


@dataclass(frozen=True)
class ChatEncoder(Encoder):
    """Turns rendered prompts and answers into the turns of a conversation.

    Attributes:
        system: Text of a system turn before the user's; None for what the template does without.

    Raises:
        ModelError: If the template is missing or unusable, or gives other token ids than this class.
        ConfigError: If the template takes no system turn, or ``system`` spells a control token.
    """

    system: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        for control in filter(None, self._control.values()):
            if self.system is not None and control in self.system:
                raise ConfigError(f"chat.system: {control!r} is a control token of the model: leave it out")
        self._check()

    @cached_property
    def turns(self) -> Turns:
        """What the template writes."""
        return Turns.learn(self.tokenizer, self.system)

    @property
    def end(self) -> int:
        """Id of the template's end-of-turn token; of end of sequence if it writes none."""
        return self._ids[self._after[1]] if len(self._after) > 1 else super().end

    def separator(self, rendered: str) -> str:  # type: ignore[override]  # the template's, for every prompt
        """The text between the generation prompt and an answer."""
        return self.turns.lead

    def answer(self, rendered: str, answer: str) -> list[int]:
        """Token ids of an answer and what the template puts around it, end of turn not included."""
        parts = self._split(self.turns.lead)
        tail = self._after[0] if len(self._after) > 1 else ""
        parts[-1] += self.turns.answer(answer) + tail
        return self._written(parts, self._cue, self._after[1:2])

    def context(self, rendered: str, room: int) -> tuple[list[int], bool]:
        """Token ids of the prompt up to the generation prompt, and whether the user's text was cut.

        Args:
            rendered: The rendered prompt.
            room: Tokens to keep free for the answer. Too long a text loses its first tokens, the
                template loses none.

        Raises:
            DataError: If template and answer alone fill ``max_length``.
        """
        head, foot, text = self._head, self._foot, self.turns.user(rendered)
        opening, closing = self._before[-1], self._between[0]
        ids = self._touching(opening + text + closing)
        limit = self.max_length - room - len(head) - len(foot)
        if len(ids) <= limit:
            return [*head, *ids, *foot], False
        kept = self._segment(opening, self._left)
        limit -= len(kept)
        if limit <= len(self._segment(closing, "")):
            raise DataError(
                f"an answer of {room} tokens and the chat template leave no room for the prompt within "
                f"max_length={self.max_length}: raise max_length"
            )
        rest = self._segment(text + closing, "", self._between[1:2]) if kept else ids
        return [*head, *kept, *rest[-limit:], *foot], True

    def _check(self) -> None:
        """Make sure that a probe gets the ids that the tokenizer itself gives to the conversation."""
        user, answer = PROBE
        found = self._head + self._touching(self._before[-1] + self.turns.user(user) + self._between[0])
        found += self._foot
        if found != self._expected(user, None):
            raise ModelError(self._differs("prompt"))
        if not self.turns.continues or len(self._after) < 2:
            return
        # As text: only what is tokenised apart at the boundary may differ in ids.
        decode = self.tokenizer.decode
        whole = decode(self._expected(user, answer))
        if not str(whole).startswith(str(decode([*found, *self.answer(user, answer), self.end]))):
            raise ModelError(self._differs("conversation"))

    def _expected(self, user: str, answer: str | None) -> list[int]:
        turns = conversation(self.system, user, answer)
        asked = answer is None
        if asked and self.turns.closing:
            text: Any = self.tokenizer.apply_chat_template(
                turns, add_generation_prompt=True, tokenize=False, **SETTINGS
            )
            return list(self.tokenizer(text + self.turns.closing, add_special_tokens=False)["input_ids"])
        whole: Any = self.tokenizer.apply_chat_template(
            turns, add_generation_prompt=asked, return_dict=True, **SETTINGS
        )
        return list(whole["input_ids"])

    def _differs(self, what: str) -> str:
        return (
            f"the tokenizer of {self.tokenizer.name_or_path!r} tokenises a {what} of its chat template in a "
            "way that cannot be followed: switch chat off, or choose another checkpoint"
        )

    @cached_property
    def _control(self) -> dict[int, str]:
        """Control tokens, those included that the template puts together from parts."""
        written = self.turns.written
        added = {i: token.content for i, token in self.tokenizer.added_tokens_decoder.items()}
        found = {i: text for i, text in added.items() if text in written and not text.isspace()}
        found.pop(self.tokenizer.unk_token_id, None)
        return super()._control | found

    @cached_property
    def _ids(self) -> dict[str, int]:
        return {text: i for i, text in self._control.items()}

    def _split(self, written: str) -> list[str]:
        """Cut what the template writes into text, control token, text, ..., text."""
        longest_first = sorted(filter(None, self._ids), key=len, reverse=True)
        return re.split(f"({'|'.join(map(re.escape, longest_first))})", written)

    @cached_property
    def _before(self) -> list[str]:
        return self._split(self.turns.before)

    @cached_property
    def _between(self) -> list[str]:
        return self._split(self.turns.between)

    @cached_property
    def _after(self) -> list[str]:
        return self._split(self.turns.after)

    @cached_property
    def _head(self) -> list[int]:
        """Token ids up to the last control token before the user's text."""
        return self._written([*self._before[:-1], ""], None)

    @cached_property
    def _foot(self) -> list[int]:
        """Token ids from the first control token behind the user's text."""
        return self._written(["", *self._between[1:]], "")

    def _touching(self, text: str) -> list[int]:
        """Token ids of the user's text and what the template writes next to it."""
        return self._segment(text, self._left, self._between[1:2])

    @cached_property
    def _left(self) -> str | None:
        """The last control token before the user's text, None if there is none."""
        return self._before[-2] if len(self._before) > 1 else None

    @cached_property
    def _cue(self) -> str:
        """The control token that the generation prompt ends with, empty if it ends with text."""
        if len(self._between) < 2:
            return ""
        *_, control, text = self._between
        return "" if (text.lstrip() if control in self._swallowing[1] else text) else control

    @cached_property
    def _swallowing(self) -> tuple[set[str], set[str]]:
        """Control tokens that take the white space before them, and behind them, with them."""
        added = self.tokenizer.added_tokens_decoder.values()
        return {t.content for t in added if t.lstrip}, {t.content for t in added if t.rstrip}

    def _written(self, parts: list[str], left: str | None, right: Sequence[str] = ()) -> list[int]:
        """Token ids of text, control token, text, ...; ``left`` and ``right`` as in :meth:`_segment`."""
        ids = []
        for at in range(0, len(parts), 2):
            before = parts[at - 1] if at else left
            ids += self._segment(parts[at], before, parts[at + 1 : at + 2] or right)
            ids += [self._ids[control] for control in parts[at + 1 : at + 2]]
        return ids

    def _segment(self, text: str, left: str | None, right: Sequence[str] = ()) -> list[int]:
        """Token ids of a stretch of text.

        Args:
            text: What it says; control tokens in it are inert.
            left: The control token before it; empty behind other text, None at the beginning.
            right: The control token behind it, if any.
        """
        before, behind = self._swallowing
        if left in behind:
            text = text.lstrip()
        if before.intersection(right):
            text = text.rstrip()
        begins = left is None or (left and self._spaces_every_stretch)
        return self._inert(self._plain(text) if begins else self._continued(text)) if text else []

    @cached_property
    def _spaces_every_stretch(self) -> bool:
        """Whether the tokenizer puts its space before a text behind a control token too."""
        ids = self.tokenizer(f"{self.tokenizer.eos_token}a", add_special_tokens=False)["input_ids"]
        return list(ids[1:]) == self._plain("a")


def make_encoder(tokenizer: PreTrainedTokenizerBase, max_length: int, chat: Chat) -> Encoder:
    """Return the encoder that a chat setting asks for; errors are those of the two encoders."""
    if chat.enabled:
        return ChatEncoder(tokenizer, max_length, chat.system)
    return Encoder(tokenizer, max_length)


def save_chat(
    folder: Path,
    chat: Chat,
    *,
    max_length: int | None = None,
    quantised: bool = False,
    base: Mapping[str, Any] | None = None,
) -> None:
    """Write the record beside trained weights: how they are asked, 4-bit base, of an adapter its base."""
    record: dict[str, Any] = {"schema": 1, "chat": chat.model_dump(mode="json")}
    record |= {} if max_length is None else {"max_length": max_length}
    record |= {"quantised": True} if quantised else {}
    write_json(folder / RECORD, record | ({} if base is None else {"base": dict(base)}))


def check_chat(folder: Path, chat: Chat) -> None:
    """Refuse another chat setting than weights were trained with; weights of others have no record.

    Raises:
        ConfigError: If the settings differ.
        DataError: If the record is damaged.
    """
    trained = training_record(folder, {"chat": {}}).get("chat")
    asked = chat.model_dump(mode="json")
    if trained not in (None, asked):
        raise ConfigError(
            f"{folder} was trained with {described(trained)}, but is to be evaluated with "
            f"{described(asked)}: give the setting it was trained with "
            "(--chat, --no-chat, --system)"
        )


def described(setting: Mapping[str, Any]) -> str:
    """Return a chat setting in words.

    >>> described({"enabled": True, "system": "Be brief."})
    "chat on and system turn 'Be brief.'"
    """
    if not setting.get("enabled"):
        return "chat off"
    system = setting.get("system")
    return "chat on and " + ("no system turn" if system is None else f"system turn {system!r}")
