"""What a model's tokenizer makes of the answers, looked at before anything is trained or evaluated.

Two options of the same tokens have one likelihood, so the first would always win. A gold answer
longer than may be generated can never be written, so a perfect model would score nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import product

import numpy as np

from paft.config import RunConfig
from paft.errors import ConfigError, shown
from paft.experiment.inputs import take
from paft.model.encode import Encoder
from paft.task.replies.extract import extract
from paft.task.task import CHECKED, Example, Task

FEW = 0.01  # share of gold answers that may be too long to be given
_CUES = ("x", "x\n")  # ends of a rendered prompt: a space separates the answer, or none does
_FREE = ("final_number", "code")  # rules under which an answer may be shorter than the gold one


def check_options(encoder: Encoder, task: Task, *splits: Sequence[Example]) -> None:
    """Refuse options, the task's or those of examples, that the tokenizer cannot tell apart.

    Of many examples, ``CHECKED`` that lie evenly are looked at.

    Raises:
        ConfigError: If two options of a set become the same tokens.
    """
    if not task.answer.closed:
        return
    known: dict[tuple[str, str], tuple[int, ...]] = {}
    for options, cue in product(_option_sets(task, splits), _CUES):
        seen: dict[tuple[int, ...], str] = {}
        for option in options:
            if (cue, option) not in known:
                known[cue, option] = tuple(encoder.answer(cue, option))
            other = seen.setdefault(known[cue, option], option)
            if other != option:
                raise ConfigError(
                    f"options {shown(other)} and {shown(option)} of task {task.name!r} become the same "
                    "tokens under the model's tokenizer, so the first would always win: choose other words"
                )


def check_lengths(
    encoder: Encoder, task: Task, examples: Sequence[Example], given: int | None = None
) -> list[str]:
    """Compare gold answers that have to be generated with the tokens that may be, and these with all.

    Of many examples, ``CHECKED`` that lie evenly are looked at. ``given`` stands in for the task's
    limit (``train.grpo.max_tokens``).

    Returns:
        A warning if a gold answer does not fit, where shorter ones may be right as well or only few
        are so long.

    Raises:
        ConfigError: If more than ``FEW`` of the right answers do not fit.
        DataError: If so many tokens leave no room for a prompt, before anything is trained or evaluated.
    """
    limit, looked = given or task.answer.generation_limit, spread(examples)
    encoder.context(_CUES[0], limit)
    setting = "answer.max_tokens" if given is None else "train.grpo.max_tokens"
    lengths = [_shortest(encoder, task, example) for example in looked]
    long = [length for length in lengths if length > limit]
    if not long:
        return []
    told = (
        f"{len(long):,} of {len(lengths):,} gold answers of task {task.name!r} have more tokens (up to "
        f"{max(long):,}, the end counted) than {setting} {limit:,}"
    )
    few = len(long) <= FEW * len(lengths)
    if few or task.answer.rule in _FREE or task.metric == "token_f1":
        return [f"{told}: an answer as long as these would be cut; raise {setting}"]
    raise ConfigError(f"{told}, so even a perfect model could not give them: raise {setting}")


def check_completions(
    encoder: Encoder, config: RunConfig, task: Task, examples: Sequence[Example]
) -> list[str]:
    """Compare gold answers of training with the tokens that may be sampled, as :func:`check_lengths`."""
    if config.train.algorithm == "sft" or not config.train.grpo.reward_weights[0]:
        return []
    return check_lengths(encoder, task, examples, config.train.grpo.max_tokens)


def spread(examples: Sequence[Example]) -> Sequence[Example]:
    """Return at most ``CHECKED`` of the examples, evenly spread."""
    count = min(CHECKED, len(examples))
    return take(examples, np.linspace(0, len(examples) - 1, count).round().astype(int))


def _option_sets(task: Task, splits: Sequence[Sequence[Example]]) -> Iterable[tuple[str, ...]]:
    if task.answer.words is not None:
        return [task.answer.words]
    return dict.fromkeys(example.options for examples in splits for example in spread(examples))


def _shortest(encoder: Encoder, task: Task, example: Example) -> int:
    """Return the tokens of the shortest right answer that is known, the end counted."""
    texts = set(example.golds)
    if task.answer.rule == "json":
        texts |= {extract("json", gold) or gold for gold in example.golds}
    return 1 + min(len(encoder.answer(_CUES[0], text)) for text in texts)
