"""What a model generated: decoded, read as an answer and scored by the task's rule.

Evaluation and reinforcement fine-tuning read replies here, so that what is rewarded is what counts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from paft.model.encode import Encoder
from paft.task.programs.code_answer import code_score
from paft.task.replies.extract import cell_score, extract, extract_option
from paft.task.replies.thoughts import is_mark, marked_pieces
from paft.task.task import Example, Task

if TYPE_CHECKING:
    from transformers import GenerationConfig


@dataclass(frozen=True)
class Generated:
    """What followed a context.

    Attributes:
        text: Decoded text, special tokens left out but for those that mark thoughts.
        tokens: Tokens generated, the end of turn or sequence included.
        cut: Whether it ended at the limit of tokens, not by itself.
        withheld: Whether a server's filter or the model's refusal stands in the answer's place.
        sampled: Whether it could not be had greedily, from a server's model that takes no temperature.
    """

    text: str
    tokens: int
    cut: bool = False
    withheld: bool = False
    sampled: bool = False

    @property
    def row(self) -> list[Any]:
        """What a log keeps; ``Generated(*row)`` is the same again."""
        return [self.text, self.tokens, self.cut]


def ends(encoder: Encoder, settings: GenerationConfig | None) -> list[int]:
    """Return the tokens that end an answer.

    Args:
        encoder: Knows those of end of turn and of sequence.
        settings: The checkpoint's, which may name more, if it has any.
    """
    # Settings that Transformers made up from config.json hold defaults that nobody chose.
    given = settings is not None and not getattr(settings, "_from_model_config", False)
    named = settings.eos_token_id if given and settings is not None else None
    more = [] if named is None else [named] if isinstance(named, int) else named
    return list(dict.fromkeys([*encoder.stops, *map(int, more)]))


@contextmanager
def without_settings(model: Any) -> Iterator[Any]:
    """Lend a model, an adapted one too, without its checkpoint's ``generation_config.json``.

    ``generate`` would take from there whatever it is not told: sampling, beams, repetition penalty, forced or
    suppressed tokens, lengths ... Another backend would not do it, and the probability of a completion that
    reinforcement trains on knows nothing of it. Only the tokens that end a sequence (:func:`ends`) count.
    """
    from transformers import GenerationConfig

    owner = model.get_base_model() if hasattr(model, "get_base_model") else model
    kept = owner.generation_config
    owner.generation_config = GenerationConfig.from_dict({})
    try:
        yield model
    finally:
        owner.generation_config = kept


def read_generated(row: list[int], encoder: Encoder, stops: Sequence[int]) -> Generated:
    """Decode generated tokens up to the first that ends an answer; what follows is padding.

    Args:
        row: The tokens.
        encoder: Decodes.
        stops: Tokens that end an answer; where none is there, it was cut.
    """
    stop = next((at for at, token in enumerate(row) if token in stops), None)
    # Not every tokenizer calls its end of turn special, so it is left out here. Marks of thoughts may
    # be special: without them nobody could tell a thought from the answer.
    marks = {token: name for token, name in _special(encoder).items() if is_mark(name)}
    # Cleaning up would make "== ' '" of a program "=='", and "a , b" of a string "a, b".
    plain = {"skip_special_tokens": True, "clean_up_tokenization_spaces": False}
    text = "".join(
        piece if isinstance(piece, str) else str(encoder.tokenizer.decode(piece, **plain))
        for piece in marked_pieces(row[:stop], marks)
    )
    return Generated(text, len(row) if stop is None else stop + 1, cut=stop is None)


def _special(encoder: Encoder) -> dict[int, str]:
    tokenizer = encoder.tokenizer
    return dict(zip(tokenizer.all_special_ids, tokenizer.all_special_tokens, strict=True))


def read_answer(task: Task, example: Example, answer: Generated) -> str | None:
    """Return the answer that a reply gives, None where none can be read."""
    if answer.withheld:
        return None
    if task.answer.closed:
        return extract_option(answer.text, example.options, cut=answer.cut)
    return extract(task.answer.rule, answer.text, cut=answer.cut, tests=example.tests)


def score_answer(task: Task, example: Example, prediction: str | None) -> float:
    """Return the score in [0, 1] of what was read, the best over references where there are several."""
    if task.answer.rule == "code":
        return code_score(prediction, example.tests)
    return max(cell_score(task.metric, task.answer.rule, prediction, gold) for gold in example.golds)
