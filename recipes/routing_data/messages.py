"""Writes the messages of the default task: which team of a mail-order shop should answer a customer.

The task must ship with the package and be free of any licence, so its data are written by a small grammar
instead of being collected.  A message is one core sentence (the request), sometimes with a greeting, a side
remark that names another team's matter, and a closing; a few are written carelessly.  Held-out messages use
core sentences and side remarks that training messages never use, so a test measures more than remembered
wording.  The same arguments always give the same rows.
"""

from __future__ import annotations

import random
import re
from typing import Final

from recipes.routing_data.grammar import PRODUCTIONS

TEAMS: Final[tuple[str, ...]] = tuple(PRODUCTIONS)

MIN_WORDS: Final = 5
MAX_WORDS: Final = 40
TRIES_PER_ROW: Final = 400

_MACHINES: Final = (
    "kettle",
    "toaster",
    "microwave",
    "washing machine",
    "dishwasher",
    "tumble dryer",
    "fridge freezer",
    "vacuum cleaner",
    "stand mixer",
    "coffee machine",
    "slow cooker",
    "steam mop",
    "dehumidifier",
    "bread maker",
    "food processor",
    "fan heater",
)
_BIG: Final = ("washing machine", "dishwasher", "tumble dryer", "fridge freezer")
_FURNITURE: Final = (
    "bookcase",
    "sofa bed",
    "dining table",
    "garden bench",
    "bedside cabinet",
    "wardrobe",
    "desk",
    "kitchen stool",
    "shoe rack",
    "headboard",
)
_SOFT_GOODS: Final = (
    "rug",
    "duvet set",
    "mattress",
    "pan set",
    "curtain set",
    "wall mirror",
    "floor lamp",
    "laundry basket",
    "bath mat",
    "blanket",
)
_NAMES: Final = (
    "J. Marsh",
    "Priya",
    "Mrs Okafor",
    "Tom Beale",
    "Agnes",
    "D. Lindqvist",
    "Mr Hussain",
    "Carla",
    "R. Pryce",
    "Wendy Tan",
    "Oleg",
    "Miss Farrow",
)
_DAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
_AMOUNTS: Final = (
    "£18.50",
    "£24.99",
    "£39",
    "£62.40",
    "£79.95",
    "£104",
    "£129.99",
    "£215",
    "£349",
    "£480",
)
_NUMBERS: Final = ("4", "7", "12", "15", "23", "38", "41", "56", "70", "88")

SLOTS: Final[dict[str, tuple[str, ...]]] = {
    "machine": _MACHINES,
    "big": _BIG,
    "large": _BIG + _FURNITURE,
    "wet": ("washing machine", "dishwasher", "fridge freezer", "washer dryer"),
    "furniture": _FURNITURE,
    "item": _MACHINES + _FURNITURE + _SOFT_GOODS,
    "amount": _AMOUNTS,
    "limit": ("£300", "£500", "£750", "£1,000", "£1,200", "£1,500", "£2,000"),
    "order": ("LH-20418", "LH-31177", "LH-40952", "LH-55203", "LH-61890", "LH-73364", "LH-88025", "4471902"),
    "date": ("3 March", "the 14th", "21 June", "the 2nd", "9 October", "30 August", "the 27th", "11 January"),
    "nth": ("5th", "12th", "20th", "28th"),
    "month": ("January", "March", "April", "June", "July", "September", "October", "November"),
    "day": _DAYS,
    "time": ("five", "6 pm", "four o'clock", "half past five", "7 in the evening"),
    "days": ("three days", "five days", "a week", "nine days", "four working days"),
    "weeks": ("two weeks", "three weeks", "a fortnight", "five weeks", "nearly a month"),
    "months": ("two months", "five months", "eight months", "a year", "eighteen months", "six weeks"),
    "num": _NUMBERS,
    "colour": ("grey", "dark green", "white", "navy", "cream", "black", "brown"),
    "place": ("Ashcombe", "Norwell", "Brightmoor", "Kelby", "Upper Dean", "Stanwick", "Port Hale", "Elby"),
    "name": _NAMES,
    "job": (
        "warehouse clerk",
        "customer adviser",
        "billing assistant",
        "van driver",
        "web designer",
        "credit analyst",
        "repair technician",
        "night packer",
    ),
}

OPENERS: Final = (
    "Hi,",
    "Hi,",
    "Hello,",
    "Hello,",
    "Good morning,",
    "Good evening,",
    "Hi there,",
    "Hello team,",
    "Dear Larkfield,",
    "Dear Sir or Madam,",
    "Dear all,",
    "Excuse me,",
    "Sorry to bother you,",
    "Me again,",
    "{name} here.",
    "I hope you can help.",
    "Not sure who deals with this.",
    "This is my second message.",
    "I'm rather puzzled.",
    "I've been on hold for half an hour.",
    "My customer number is 70{num}31.",
)
CLOSERS: Final = (
    "Thanks.",
    "Thanks!",
    "Thank you.",
    "Many thanks, {name}",
    "Regards, {name}",
    "Kind regards, {name}",
    "Cheers",
    "Please help.",
    "Please let me know.",
    "Please advise.",
    "An answer today would be nice.",
    "I look forward to your reply.",
    "Can you help?",
    "It's rather urgent.",
    "Please pass this to the right people.",
    "You can ring me after {time}.",
    "Thanks in advance, {name}",
    "I'd be grateful for a quick answer.",
    "Not good enough!",
    "Hope that's clear.",
)
CHAT_WORDS: Final[dict[str, str]] = {
    "please": "pls",
    "you": "u",
    "your": "ur",
    "thanks": "thx",
    "because": "cos",
    "are": "r",
    "and": "n",
    "before": "b4",
    "about": "abt",
    "with": "w",
    "tomorrow": "tmrw",
    "going to": "gonna",
    "want to": "wanna",
}
STYLES: Final = ("plain", "lower", "typo", "chat", "upper")
STYLE_WEIGHTS: Final = (74, 10, 9, 6, 1)

_CHOICE: Final = re.compile(r"\[([^\[\]]*)\]")
_SLOT: Final = re.compile(r"\{([a-z]+)(2?)\}")
_LONG_WORD: Final = re.compile(r"[a-z]{5,}")


def read_productions(block: str) -> dict[str, tuple[str, ...]]:
    """Splits one team's block of the grammar into its sections.

    Args:
        block: Text with lines such as ``# core held-out``, each followed by productions, one a line.

    Returns:
        The productions of every section by the section's name.
    """
    sections: dict[str, list[str]] = {}
    name = ""
    for line in block.strip().splitlines():
        if line.startswith("# "):
            name = line[2:]
            sections[name] = []
        else:
            sections[name].append(line)
    return {key: tuple(lines) for key, lines in sections.items()}


def fill(text: str, rng: random.Random, bound: dict[str, str]) -> str:
    """Makes every choice of a production and fills its slots.

    Args:
        text: A production with ``[a|b]`` choices and ``{slot}`` names; ``{slot2}`` differs from ``{slot}``.
        rng: Source of randomness.
        bound: Words chosen so far in this message, so that one slot means one thing in it; is added to.

    Returns:
        Plain text.
    """
    text = _CHOICE.sub(lambda match: rng.choice(match.group(1).split("|")), text)

    def word(match: re.Match[str]) -> str:
        """Returns the word bound to one slot, choosing it if it is new."""
        base, key = match.group(1), match.group(1) + match.group(2)
        if key not in bound:
            taken = {bound.get(base), bound.get(base + "2")}
            bound[key] = rng.choice([value for value in SLOTS[base] if value not in taken])
        return bound[key]

    return _SLOT.sub(word, text)


def _join(parts: list[str]) -> str:
    """Joins sentences, with a small letter after a part that ends in a comma."""
    text = parts[0]
    for part in parts[1:]:
        if text.endswith(",") and not re.match(r"I\b|VAT\b|CV\b", part):
            part = part[0].lower() + part[1:]
        text += " " + part
    return text


def _misspell(text: str, rng: random.Random) -> str:
    """Swaps two neighbouring letters inside one or two longer words, never the first or last letter."""
    for _ in range(rng.choice((1, 1, 2))):
        words = list(_LONG_WORD.finditer(text))
        if not words:
            break
        match = rng.choice(words)
        spot = rng.randrange(match.start() + 1, match.end() - 2)
        text = text[:spot] + text[spot + 1] + text[spot] + text[spot + 2 :]
    return text


def _style(text: str, rng: random.Random) -> str:
    """Writes a message plainly or, in a small share, carelessly."""
    style = rng.choices(STYLES, STYLE_WEIGHTS)[0]
    if style == "typo":
        return _misspell(text, rng)
    if style == "upper":
        return text.upper()
    if style == "plain":
        return text
    text = text.lower().rstrip(".")
    if style == "chat":
        for word, short in CHAT_WORDS.items():
            if rng.random() < 0.7:
                text = re.sub(rf"\b{word}\b", short, text)
        text = text.replace("'", "")
    return text


def _message(core: str, asides: tuple[str, ...], rng: random.Random) -> str:
    """Writes one message around a core sentence.

    Args:
        core: The production that carries the request.
        asides: Productions for side remarks of the same team.
        rng: Source of randomness.

    Returns:
        The message.
    """
    bound: dict[str, str] = {}
    parts = [fill(core, rng, bound)]
    if rng.random() < 0.3:
        aside = fill(rng.choice(asides), rng, bound)
        refers_back = re.search(r"\b(it|one|this)\b", aside, re.IGNORECASE) is not None
        parts.insert(1 if refers_back or rng.random() < 0.5 else 0, aside)
    if rng.random() < 0.34:
        parts.insert(0, fill(rng.choice(OPENERS), rng, bound))
    if rng.random() < 0.25:
        parts.append(fill(rng.choice(CLOSERS), rng, bound))
    return _style(_join(parts), rng)


def _team_messages(team: str, count: int, rng: random.Random, held_out: bool) -> list[str]:
    """Writes distinct messages for one team, using its core sentences about equally often.

    Args:
        team: One of ``TEAMS``.
        count: How many to write.
        rng: Source of randomness.
        held_out: Whether to use the productions kept for testing.

    Returns:
        The messages, in no particular order.

    Raises:
        ValueError: If the grammar does not yield that many distinct messages.
    """
    sections = read_productions(PRODUCTIONS[team])
    suffix = " held-out" if held_out else ""
    cores, asides = sections["core" + suffix], sections["aside" + suffix]
    found: dict[str, str] = {}
    for attempt in range(count * TRIES_PER_ROW):
        if len(found) == count:
            break
        text = _message(cores[attempt % len(cores)], asides, rng)
        if MIN_WORDS <= len(text.split()) <= MAX_WORDS:
            found.setdefault(text.lower(), text)
    if len(found) < count:
        raise ValueError(f"the grammar yields only {len(found)} of {count} messages for {team!r}")
    return list(found.values())


def write_messages(count: int, seed: int, held_out: bool) -> list[dict[str, str]]:
    """Writes customers' messages with the team that should answer each.

    Args:
        count: How many rows; the teams get equally many, the first ones one more where it does not divide.
        seed: Different seeds give different rows, the same seed always the same rows.
        held_out: True uses only wording kept for testing, False never uses it.

    Returns:
        Rows ``{"message": ..., "team": ...}`` in random order, no two messages alike (case aside).

    Raises:
        ValueError: If ``count`` is negative or more than the grammar can yield.
    """
    if count < 0:
        raise ValueError(f"count must not be negative, got {count}")
    rng = random.Random(f"messages/{seed}/{held_out}")
    rows: list[dict[str, str]] = []
    for index, team in enumerate(TEAMS):
        share = count // len(TEAMS) + (index < count % len(TEAMS))
        rows += [{"message": text, "team": team} for text in _team_messages(team, share, rng, held_out)]
    rng.shuffle(rows)
    return rows


def write_splits() -> dict[str, list[dict[str, str]]]:
    """Writes the data that the package ships: 1,800 training and 360 test messages, none in both.

    A third of the test messages use sentences that training never uses; the others fill the training
    sentences anew. Too hard a test would hide what the task is there to show, the effect of the prompt.
    """
    train = write_messages(1800, seed=0, held_out=False)
    known = {row["message"].lower() for row in train}
    again = write_messages(1800, seed=1, held_out=False)
    fresh = [row for row in again if row["message"].lower() not in known]
    test = write_messages(117, seed=1, held_out=True)
    for team in TEAMS:
        test += [row for row in fresh if row["team"] == team][:27]
    return {"train": train, "test": test}
