"""Chat templates of every common shape, each with a tokenizer of the kind it comes with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tokenizer_kinds import BEGINNING, byt5, sentencepiece, tiktoken, unigram, wrap
from tokenizers import AddedToken
from transformers import PreTrainedTokenizerBase

CHATML = (
    "{% if messages[0].role != 'system' %}<|im_start|>system\nYou help.<|im_end|>\n{% endif %}"
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
HEADERS = (
    "{{ bos_token }}{% for m in messages %}<|head|>{{ m.role }}<|/head|>\n\n{{ m.content | trim }}<|eot|>"
    "{% endfor %}{% if add_generation_prompt %}<|head|>assistant<|/head|>\n\n{% endif %}"
)
NO_SYSTEM = (
    "{{ bos_token }}{% if messages[0].role == 'system' %}{{ raise_exception('no system role') }}{% endif %}"
    "{% for m in messages %}<turn>{{ 'model' if m.role == 'assistant' else m.role }}\n"
    "{{ m.content | trim }}<end>\n{% endfor %}{% if add_generation_prompt %}<turn>model\n{% endif %}"
)
# The system text is part of the user's turn.
BRACKETS = (
    "{{ bos_token }}{% set ns = namespace(system='') %}{% for m in messages %}"
    "{% if m.role == 'system' %}{% set ns.system = m.content + '\n\n' %}"
    "{% elif m.role == 'user' %}[INST] {{ ns.system + m.content }}SPACE[/INST]"
    "{% else %} {{ m.content | trim }}TAIL{{ eos_token }}{% endif %}{% endfor %}"
)
TOKEN_BRACKETS = BRACKETS.replace("SPACE", "").replace("TAIL", "")
TEXT_BRACKETS = BRACKETS.replace("SPACE", " ").replace("TAIL", " ")
THINKING = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n"
    "{% if m.role == 'assistant' %}<think>\n\n</think>\n\n{{ m.content.lstrip('\n') }}"
    "{% else %}{{ m.content }}{% endif %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n"
    "{% if enable_thinking is defined and not enable_thinking %}<think>\n\n</think>\n\n{% endif %}{% endif %}"
)
# Thinking cannot be switched off, and a written conversation does not show any.
ALWAYS_THINKING = (
    "{{ bos_token }}{% for m in messages %}{% if m.role == 'assistant' %}<|A|>{{ m.content }}{{ eos_token }}"
    "{% elif m.role == 'user' %}<|U|>{{ m.content }}{% else %}{{ m.content }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<|A|><think>\n{% endif %}"
)
# Thoughts of a written conversation are cut away, as DeepSeek-R1 and QwQ do.
CUT_THOUGHTS = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{% if m.role == 'assistant' %}"
    "{{ m.content.split('</think>')[-1].lstrip('\n') }}{% else %}{{ m.content }}{% endif %}<|im_end|>\n"
    "{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n<think>{% endif %}"
)
SWALLOWING = (
    "{% for m in messages %}<|{{ m.role }}|>\n{{ m.content }}<|end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>\n{% endif %}"
)
WORDS = (
    "{% for m in messages %}{% if m.role == 'system' %}{{ m.content }} {% elif m.role == 'user' %}"
    "USER: {{ m.content }} {% else %}ASSISTANT: {{ m.content }}{{ eos_token }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}ASSISTANT:{% endif %}"
)
CHANNELS = (
    "{% for m in messages %}<|head|>{{ m.role }}"
    "{% if m.role == 'assistant' %}<|channel|>final{% endif %}<|/head|>{{ m.content }}<|eot|>{% endfor %}"
    "{% if add_generation_prompt %}<|head|>assistant{% endif %}"
)


@dataclass(frozen=True)
class ChatKind:
    """A chat template with its tokenizer.

    Attributes:
        template: Jinja.
        base: Makes the tokenizer.
        control: Control tokens that it gets besides its own.
        words: Control tokens that it does not call special.
        end: What ends a turn.
        system: Whether a system turn is taken.
        continues: Whether a whole conversation begins with the prompt, the answer right behind it.
        swallows: Whether control tokens take white space behind them.
        closing: What closes a thought that the generation prompt opens.
    """

    template: str
    base: Callable[[], PreTrainedTokenizerBase]
    control: Sequence[str] = ()
    words: Sequence[str] = ()
    end: str = "</s>"
    system: bool = True
    continues: bool = True
    swallows: bool = False
    closing: str = ""

    def build(self) -> PreTrainedTokenizerBase:
        """Make the tokenizer."""
        tokenizer = self.base()
        special = [AddedToken(t, special=True, normalized=False, rstrip=self.swallows) for t in self.control]
        tokenizer.add_tokens(special, special_tokens=True)
        tokenizer.add_tokens([AddedToken(text, special=False, normalized=False) for text in self.words])
        tokenizer.chat_template = self.template
        return tokenizer


def _bytes() -> PreTrainedTokenizerBase:
    return wrap(tiktoken(), [BEGINNING])


def _pieces(scheme: str) -> Callable[[], PreTrainedTokenizerBase]:
    return lambda: wrap(sentencepiece(scheme), [BEGINNING])


def _unigram() -> PreTrainedTokenizerBase:
    return wrap(unigram(words=False))


TURN, HEAD = ["<|im_start|>", "<|im_end|>"], ["<|head|>", "<|/head|>", "<|eot|>", "<|channel|>"]
ROLES = ["<|system|>", "<|user|>", "<|assistant|>", "<|end|>"]
CHAT_KINDS = {
    "chatml": ChatKind(CHATML, _bytes, TURN, end="<|im_end|>"),
    "chatml, pieces": ChatKind(CHATML, _pieces("never"), TURN, end="<|im_end|>"),
    "headers": ChatKind(HEADERS, _bytes, HEAD, end="<|eot|>"),
    "no system": ChatKind(NO_SYSTEM, _pieces("never"), ["<turn>", "<end>"], ["\n"], "<end>", False),
    "token brackets": ChatKind(TOKEN_BRACKETS, _pieces("first"), ["[INST]", "[/INST]"]),
    "token brackets, bytes": ChatKind(TOKEN_BRACKETS, _bytes, ["[INST]", "[/INST]"]),
    "text brackets": ChatKind(TEXT_BRACKETS, _pieces("first")),
    "text brackets, spaced": ChatKind(TEXT_BRACKETS, _pieces("prepend")),
    "text brackets, always": ChatKind(TEXT_BRACKETS, _pieces("always")),
    "thinking": ChatKind(THINKING, _bytes, TURN, ["<think>", "</think>"], "<|im_end|>"),
    "always thinking": ChatKind(
        ALWAYS_THINKING,
        _bytes,
        ["<|A|>"],
        ["<|U|>", "<think>"],
        continues=False,
        closing="\n</think>\n\n",
    ),
    "always thinking, thoughts cut": ChatKind(
        CUT_THOUGHTS,
        _bytes,
        TURN,
        ["<think>", "</think>"],
        "<|im_end|>",
        continues=False,
        closing="\n\n</think>\n\n",
    ),
    "swallowing": ChatKind(SWALLOWING, _pieces("prepend"), ROLES, end="<|end|>", swallows=True),
    "swallowing, bytes": ChatKind(SWALLOWING, _bytes, ROLES, end="<|end|>", swallows=True),
    "role words": ChatKind(SWALLOWING, _bytes, words=ROLES, end="<|end|>"),
    "words": ChatKind(WORDS, _bytes),
    "words, pieces": ChatKind(WORDS, _pieces("always")),
    "chatml, slow": ChatKind(CHATML, byt5, TURN, end="<|im_end|>"),
    "chatml, unigram": ChatKind(CHATML, _unigram, TURN, end="<|im_end|>"),
    "channels": ChatKind(CHANNELS, _bytes, HEAD, end="<|eot|>"),
}
