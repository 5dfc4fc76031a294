"""Perturbed versions of prompts, for evaluation only: typos, casing, spacing, punctuation, order.

Every perturbation works on the literal text between placeholders, so a placeholder can never be
damaged, and is a pure function of (prompt, kind, seed). The labels of a task keep their spelling
(their order may change): a prompt that misspells its own labels would ask for another answer.
The paper's adversarial set has 10 such prompts (PAPER: section 2, rewording and typos); rewording
by a language model is :func:`paft.bank.generate.reword.reword`'s part.
"""

from __future__ import annotations

import hashlib
import random
import re
from collections.abc import Callable, Sequence

from paft.bank.answer_checks import any_of, options_of
from paft.errors import PromptError
from paft.prompt import Prompt, unparse
from paft.task.task import Task

ADVERSARIAL = 10  # PAPER: prompts in the adversarial set
TYPO_SHARE = 0.15  # words with a typo
TWICE = 0.25  # blanks that are doubled
ENUMERATORS = ("({})", "{})", "{} -", "[{}]", "{}:")

Perturb = Callable[[list[str], random.Random, Task], list[str]]


def perturb(prompt: Prompt, kind: str, task: Task, seed: int = 0) -> Prompt | None:
    """Return the prompt after one kind of perturbation (a key of ``KINDS``), None if it would not change it.

    The labels of the task keep their spelling; other seeds place other typos.
    """
    digest = hashlib.sha256(f"{seed}:{kind}:{prompt.id}".encode()).digest()
    # random.Random of an integer, and choice and random() on it, are the same on every machine.
    chance = random.Random(int.from_bytes(digest[:8], "big"))
    if kind == "label_order":
        template = _reorder_labels(prompt, task)
    else:
        literals = KINDS[kind]([literal for literal, _ in prompt.pieces], chance, task)
        names = [name for _, name in prompt.pieces]
        if kind == "enumerators" and names[-1] is None and task.answer.rule == "choice":
            literals[-1] = prompt.pieces[-1][0]  # "A:" asks for the answer there, "(A)" would be one
        template = unparse(list(zip(literals, names, strict=True)))
    if template == prompt.template or not template.strip():
        return None
    return Prompt(template, {"source": "adversarial", "kind": kind, "parent": prompt.id})


def adversarial_prompts(
    prompts: Sequence[Prompt], task: Task, count: int = ADVERSARIAL, seed: int = 0
) -> list[Prompt]:
    """Return ``count`` perturbed versions of unseen prompts: every prompt once, all kinds in turn."""
    order = sorted(prompts, key=lambda p: hashlib.sha256(f"{seed}:{p.id}".encode()).hexdigest())
    kinds = list(KINDS)
    found: dict[str, Prompt] = {}
    taken = {prompt.id for prompt in prompts}
    for turn in range(len(kinds)):
        for place, prompt in enumerate(order):
            version = perturb(prompt, kinds[(place + turn) % len(kinds)], task, seed)
            if version is not None and version.id not in taken:
                found.setdefault(version.id, version)
            if len(found) == count:
                return list(found.values())
    raise PromptError(
        f"{len(order)} prompts have only {len(found)} adversarial versions, {count} were asked for: "
        "ask for fewer or add test prompts"
    )


def _typos(literals: list[str], chance: random.Random, task: Task) -> list[str]:
    """Swap two letters, drop one or double one in some words of four letters or more."""
    protected = {word.casefold() for option in options_of(task) for word in re.findall(r"\w+", option)}

    def spoil(match: re.Match[str]) -> str:
        word = match[0]
        if word.casefold() in protected or chance.random() >= TYPO_SHARE:
            return word
        place = 1 + int(chance.random() * (len(word) - 2))
        slip = int(chance.random() * 3)
        if slip == 0:
            return word[:place] + word[place + 1] + word[place] + word[place + 2 :]
        return word[:place] + word[place + 1 :] if slip == 1 else word[:place] + word[place] + word[place:]

    return [re.sub(r"[^\W\d_]{4,}", spoil, literal) for literal in literals]


def _spacing(literals: list[str], chance: random.Random, task: Task) -> list[str]:
    """Double some blanks and turn some line breaks into two or into a blank."""

    def stretch(match: re.Match[str]) -> str:
        if chance.random() >= TWICE:
            return match[0]
        return "  " if match[0] == " " else ("\n\n" if chance.random() < 0.5 else " ")

    return [re.sub(r" |\n", stretch, literal) for literal in literals]


def _punctuation(literals: list[str], chance: random.Random, task: Task) -> list[str]:
    """Leave out sentence marks; the commas between labels stay."""
    return [re.sub(r"[.;!?](?=\s|$)|:(?=\s*$)", "", literal) for literal in literals]


def _enumerators(literals: list[str], chance: random.Random, task: Task) -> list[str]:
    """Write the letters that introduce options in another way: ``A.`` as ``(A)``."""
    form = ENUMERATORS[int(chance.random() * len(ENUMERATORS))]
    return [
        re.sub(r"(?<!\w)\(?([A-Z])(?:\.|\)|:)(?=\s*$)", lambda m: form.format(m[1]), literal)
        for literal in literals
    ]


KINDS: dict[str, Perturb] = {
    "typos": _typos,
    "lower_case": lambda literals, chance, task: _outside_labels(literals, str.lower, task),
    "upper_case": lambda literals, chance, task: _outside_labels(literals, str.upper, task),
    "spacing": _spacing,
    "punctuation": _punctuation,
    "label_order": lambda literals, chance, task: literals,
    "enumerators": _enumerators,
}


def _reorder_labels(prompt: Prompt, task: Task) -> str:
    """Write the labels, or the lines of lettered options, in reverse order."""
    lines = prompt.template.split("\n")
    lettered = [i for i, line in enumerate(lines) if re.match(r"\W{0,2}[A-Z]\W{1,2}\s*\{\w+\}\s*$", line)]
    if len(lettered) > 1:
        for place, line in zip(lettered, [lines[i] for i in reversed(lettered)], strict=True):
            lines[place] = line
        return "\n".join(lines)
    options = options_of(task)
    if task.answer.rule != "label":
        return prompt.template
    found = list(re.finditer(rf"(?<![\w{{]){any_of(options)}(?![\w}}])", prompt.template))
    if {match[0] for match in found} != set(options) or len(found) != len(options):
        return prompt.template
    out, end = [], 0
    for match, other in zip(found, reversed(found), strict=True):
        out += [prompt.template[end : match.start()], other[0]]
        end = match.end()
    return "".join(out) + prompt.template[end:]


def _outside_labels(literals: list[str], change: Callable[[str], str], task: Task) -> list[str]:
    options = options_of(task)
    if not options:
        return [change(literal) for literal in literals]
    return [
        "".join(
            part if place % 2 else change(part)
            for place, part in enumerate(re.split(rf"(?<!\w)({any_of(options)})(?!\w)", literal))
        )
        for literal in literals
    ]
