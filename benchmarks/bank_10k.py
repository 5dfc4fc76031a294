# python benchmarks/bank_10k.py
"""Screen, deduplicate and split 10,000 candidate prompts on one core; write benchmarks/bank_10k.json.

The candidates are made from a grammar of clauses, so that many are good and distinct, many are near
duplicates, and every tenth has a defect: a bank of the size that many models write together. The
claim is a limit, not a speed-up: under 60 seconds.
"""

from __future__ import annotations

import json
import os
import random
import time
from pathlib import Path

from paft.bank import split_prompts
from paft.bank.screen import screen
from paft.files import write_json
from paft.provenance import environment
from paft.task.task import load_task

COUNT = 10_000
OPENINGS = (
    "Read the",
    "Look at the",
    "Here is a",
    "Consider this",
    "Take the",
    "Study the",
    "Below stands a",
    "You have received a",
    "A shopper sent this",
    "Someone wrote the",
    "Our inbox holds a",
    "Please open the",
)
NOUNS = ("message", "letter", "note", "mail", "request", "complaint", "question", "text", "ticket", "entry")
VERBS = ("decide", "tell me", "say", "work out", "state", "name", "find", "write down", "determine", "guess")
OBJECTS = (
    "which team should answer it",
    "who ought to handle it",
    "whose desk it belongs on",
    "where it must go",
    "the department in charge",
    "the group that solves such things",
    "the right colleagues for it",
    "the unit responsible for it",
    "the people who can help",
    "which queue it joins",
)
MANNERS = (
    "without any comment",
    "in a single term",
    "as briefly as you can",
    "and nothing besides",
    "with great care",
    "as our clerks do",
    "the way a postmaster would",
    "before the next one arrives",
    "for the archive",
    "so that nobody waits",
    "with a calm mind",
    "at once",
    "though it may be hard",
    "if you please",
)
CUES = ("Team:", "->", "It goes to", "Answer:", "Desk:", "=>", "Forward to", "Result:", "Queue:", "For:")
FIELDS = ("\n\n{message}\n\n", ' "{message}" ', "\n> {message}\n", " ({message}) ", "\n---\n{message}\n---\n")
DEFECTS = (
    "{massage}",
    "\\n",
    "[describe the shop in your words]",
    "// the letter",
    "Team: billing",
    "{message",
    "Antworten Sie bitte auf diese Frage",
    "<|im_start|>",
    "​",
    "Choose all that apply.",
)


def candidates(count: int, seed: int = 0) -> list[tuple[str, dict[str, int]]]:
    """Return templates with their row; every tenth has a defect."""
    chance = random.Random(seed)
    found = []
    for row in range(count):
        parts = [chance.choice(part) for part in (OPENINGS, NOUNS, VERBS, OBJECTS, MANNERS)]
        text = f"{parts[0]} {parts[1]} and {parts[2]} {parts[3]} {parts[4]}."
        template = text + chance.choice(FIELDS) + chance.choice(CUES)
        if row % 10 == 9:
            template = f"{chance.choice(DEFECTS)} {template}"
        found.append((template, {"row": row}))
    return found


def main() -> None:
    """Measure and write the figures."""
    os.sched_setaffinity(0, {0})
    task, rows = load_task("routing"), candidates(COUNT)
    started = time.perf_counter()
    screened = screen(rows, task)
    middle = time.perf_counter()
    bank = split_prompts(screened.kept, test=len(screened.kept) // 9)
    ended = time.perf_counter()
    figures = {
        "candidates": COUNT,
        "kept": len(screened.kept),
        "rejected": screened.counts,
        "splits": {name: len(prompts) for name, prompts in bank.splits.items()},
        "seconds_screen": round(middle - started, 1),
        "seconds_split": round(ended - middle, 1),
        "environment": environment(),
    }
    write_json(Path(__file__).with_suffix(".json"), figures)
    print(json.dumps({key: value for key, value in figures.items() if key != "environment"}))


if __name__ == "__main__":
    main()
