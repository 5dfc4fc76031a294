"""Every figure in the pages' sentences, by the name that results/page.md and results/readme.md call it by."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from paft.grid.difference_table import BY_CHANCE
from paft.report.table import percent
from results.sources import (
    ADVERSARIAL,
    BEYOND,
    DETAILS,
    HELD_OUT,
    INFERENCE,
    K_T,
    MAIN,
    POOLED,
    PROMPTS,
    TASKS,
    TIME,
    drawn,
    from_reference,
    from_single,
    main_figures,
    read,
    significant,
    task_details,
)  # fmt: skip
from results.tables import SETTINGS, beyond_rows
from results.text import between, listed, points, shares, span

COMPARED = ("mean", "std", "min", "cvar_10")


def figures() -> dict[str, str]:
    """Return all of them as text."""
    return {**_leads(), **_other_schedules(), **_seeds(), **_single_grids(), **_augmented(), **_trials()}


def _by_task(told: Mapping[str, str]) -> str:
    return ", ".join(f"{TASKS[task]} {text}" for task, text in told.items())


def _tasks(names: Iterable[str]) -> str:
    return listed([TASKS[name] for name in names])


def _leads() -> dict[str, str]:
    """What many prompts gain over one, and with which prompts."""
    snips = task_details("snips")
    parts = [snips[kind] for kind in ("options listed", "no options")]
    count = sum(part["prompts"] for part in parts)
    leads = [part["paft - single"]["mean"] for part in parts]
    user = {task: main_figures(task, "paft")["own"] - main_figures(task, "single")["own"] for task in TASKS}
    won = {
        f"{prefix}{figure} wins": _tasks(
            task for task in TASKS if significant(from_single(task, method)[figure], better=1)
        )
        for prefix, method in (("", "paft"), ("per_example ", "per_example"))
        for figure in ("mean", "min")
    }
    return won | {
        "listed count": str(parts[0]["prompts"]),
        "plain count": str(parts[1]["prompts"]),
        "listed lead": between(leads[0]),
        "plain lead": between(leads[1]),
        "listed part": f"{100 * parts[0]['prompts'] * leads[0]['value'] / count:.1f}",
        "snips lead": f"{100 * from_single('snips', 'paft')['mean']['value']:.1f}",
        "user prompt": _by_task({task: points(lost) for task, lost in user.items()}),
        "listing training": str(snips["training prompts that list options"]),
        "seeds": str(main_figures("snips", "paft")["seeds"]),
        "sms majority": f"{100 * task_details('sms_spam')['majority']:.0f}",
    }


def _other_schedules() -> dict[str, str]:
    """Other schedules over the same bank, and how many intervals there are."""
    found = {
        f"{method} - paft": _by_task(
            {task: between(from_reference(MAIN, task, method)["mean"]) for task in TASKS}
        )
        for method in ("per_example", "static")
    }
    pairs = {task: task_details(task)["augmented - per_example"] for task in TASKS}
    for name in ("mean", "min"):
        found[f"augmented {name}"] = _by_task({task: between(pair[name]) for task, pair in pairs.items()})
    count = sum(row.get(name) is not None for row in read(MAIN)["differences"] for name in COMPARED)
    reached = [n for task in TASKS for n in drawn("table1_small", task)]
    whole = task_details("snips")["training prompts"]
    return found | {
        "main intervals": str(count),
        "main chance": f"{BY_CHANCE * count:.0f}",
        "never drawn": " to ".join(f"{100 * (1 - n / whole):.0f}" for n in (max(reached), min(reached))),
    }


def _seeds() -> dict[str, str]:
    """Means of single seeds."""
    seeds = task_details("sms_spam")["seeds"]
    subj = task_details("subj")["seeds"]["paft"]
    return {
        "subj range": f"{100 * (max(subj) - min(subj)):.1f}",
        **{f"sms {method}": shares(seeds[method]) for method in ("single", "neftune", "zopo", "paft")},
    }


def _single_grids() -> dict[str, str]:
    """K and T, the number of prompts, prompts further away, time."""
    stars = sum(significant(row[name]) for row in read(K_T)["differences"] for name in COMPARED)
    mean = {(row["task"], row["method"]): row["mean"]["value"] for row in read(HELD_OUT)["figures"]}
    con = {(row["task"], row["method"]): row["con_mean"] for row in read(ADVERSARIAL)["figures"]}
    unread = {method: 1 - row["parse_rate"] for method, row in read(INFERENCE)["figures"]["snips"].items()}
    trained = read(TIME)["figures"]["snips"]
    listing = read(DETAILS)["prompts that list options"]
    splits = {"similarity": "snips_wording", "writers": "snips_writers"}
    counts = [str(listing[split]["adversarial"]["list options"]) for split in splits.values()]
    found = {
        "listing adversarial": listed(counts),
        "k_t stars": f"{stars} of {len(COMPARED) * len(read(K_T)['differences'])}",
        "n77 drawn": span(drawn("prompts", "snips/n77")),
        "n08 min": f"{-100 * from_reference(PROMPTS, 'snips', 'n08')['min']['value']:.1f}",
        "paft tokens": f"{trained['paft']['tokens'] / trained['single']['tokens']:.2f}",
        "single unread": f"{100 * unread['single']:.0f}",
        "paft unread": f"{100 * unread['paft']:.0f}",
    }
    for name, split in splits.items():
        found[f"{name} lead"] = points(mean[split, "paft"] - mean[split, "single"])
        for method in ("single", "paft"):
            found[f"{name} {method} con"] = points(con[split, method] - mean[split, method])
    return found


def _augmented() -> dict[str, str]:
    """Settings beyond the paper, and PAFT's worst prompt in the grids that share its set-up."""
    rows = list(beyond_rows(BEYOND))
    worse = [(task, setting, found["mean"]) for task, setting, found in rows]
    worse = [each for each in worse if significant(each[2], better=-1)]
    worst = [
        row["min"]["value"]
        for name, setting in ((BEYOND, "plain"), (POOLED, "plain"), (K_T, None), (PROMPTS, None))
        for row in read(name)["figures"]
        if row["task"] == "snips" and _is_paft(row, setting)
    ]
    count = sum(found[name] is not None for *_, found in rows for name in COMPARED)
    return {
        "beyond worse tasks": _tasks(dict.fromkeys(task for task, *_ in worse)),
        "beyond worse": listed([f"{SETTINGS[setting]} {between(found)}" for _, setting, found in worse]),
        "beyond intervals": str(count),
        "beyond chance": f"{BY_CHANCE * count:.0f}",
        "snips min 1000": f"{percent(min(worst))} to {percent(max(worst))}",
        "snips min 1500": percent(main_figures("snips", "paft")["min"]["value"]),
    }


def _is_paft(row: Mapping[str, Any], setting: str | None) -> bool:
    """Whether a row is of PAFT with K = 4, T = 3 and the whole bank."""
    if setting is not None:
        return bool(row["setting"] == setting)
    return bool(row.get("n") == 77 or (row.get("k"), row.get("t")) == (4, 3))


def _trials() -> dict[str, str]:
    """One machine against another."""
    rows = [row for row in read("snips.json")["rows"] if row["split"] == "test"]
    found = {}
    for method in ("paft", "single"):
        there = [row for row in rows if row["method"] == method]
        averages = [sum(row[name] for row in there) / len(there) for name in ("mean", "std", "min")]
        here = [main_figures("snips", method)[name]["value"] for name in ("mean", "std", "min")]
        found |= {f"other {method}": shares(averages), f"this {method}": shares(here)}
    return found
