"""What results/table1_small/details.json says, in Markdown; see make_details.py."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from paft.report.table import percent

NAMES = {"mean": "mean", "min": "worst prompt"}
SHOWN = ("single", "token_matched", "top_accuracy", "static", "per_example", "paft", "augmented")
Details = Mapping[str, Any]


def between(found: Mapping[str, Any]) -> str:
    """Return a difference in points with its interval.

    >>> between({"value": 0.028, "interval": [0.0145, 0.0411]})
    '+2.8 (1.4 to 4.1)'
    """
    low, high = (f"{100 * end:.1f}" for end in found["interval"])
    return f"{100 * found['value']:+.1f} ({low} to {high})"


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Return a Markdown table; all columns but the first are numbers."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def set_up(details: Details) -> str:
    """Return what the first table was trained and evaluated on, and how many prompts PAFT drew."""
    heads = (
        "task", "training examples", "epochs", "steps", "unseen prompts x test examples",
        "of these prompts list the options", "most frequent answer, %", "prompts drawn of 77, by seed",
    )  # fmt: skip
    drawn = details["prompts reached"]
    rows = [
        (
            name, found["examples"], found["epochs"], found["steps"],
            f"{found['test prompts']} x {found['test examples']}", found["test prompts that list options"],
            f"{100 * found['majority']:.0f}", ", ".join(map(str, drawn["table1_small"][name])),
        )
        for name, found in details["tasks"].items()
    ]  # fmt: skip
    by_k = [
        f"{setting.removeprefix('snips/').partition('_')[0].removeprefix('k') or '0'}: {min(n)} to {max(n)}"
        for setting, n in drawn["k_and_t"].items()
        if setting.startswith("snips/k") and setting.endswith("_t3") and "k0" not in setting
    ]
    few, all_of_them = (drawn["prompts"][f"snips/{name}"] for name in ("n32", "n77"))
    return "\n\n".join(
        [
            "## What the first table rests on",
            table(heads, rows),
            "PAFT draws a prompt for every K = 4 steps of 8 examples, uniformly and with replacement (the "
            "paper's algorithm 1 with an optimiser step for its step; its code counts examples). So it never "
            "sees some prompts of the bank, while `static` and `per_example` see all 77. In `k_and_t`, too, "
            f"K decides how many of the 77 are drawn (K = {'; '.join(by_k)}), and in `prompts` N = 32 means "
            f"{min(few)} to {max(few)} drawn, N = 77 means {min(all_of_them)} to {max(all_of_them)}.",
        ]
    )


def listed(details: Details) -> str:
    """Say how much of PAFT's lead on SNIPS are prompts that list the options."""
    task = details["tasks"]["snips"]
    parts = [(task[key]["prompts"], task[key]["paft - single"]) for key in ("options listed", "no options")]
    (count, with_list), (others, without) = parts
    whole = sum(n * found["mean"]["value"] for n, found in parts) / (count + others)
    share = count * with_list["mean"]["value"] / (count + others)
    leads = [lead(each) for name, each in details["tasks"].items() if name != "snips"]
    average = (sum(leads) + without["mean"]["value"]) / (len(leads) + 1)
    return (
        f"Most of the lead on SNIPS is not about phrasing: {count} of its {count + others} unseen prompts "
        f"list the options, which the user's prompt does not. Under these PAFT leads `single` by "
        f"{between(with_list['mean'])} points of the mean, which makes {100 * share:.1f} of the "
        f"{100 * whole:.1f} points; under the other {others} by {between(without['mean'])}. Without them the "
        f"average lead over the four tasks is {100 * average:.1f} points of the mean. In the paper's tasks "
        "options stand in every prompt."
    )


def lead(task: Details) -> float:
    """Return PAFT's lead over ``single`` in the mean of a task."""
    paft, single = (task["seeds"][name] for name in ("paft", "single"))
    return sum(paft) / len(paft) - sum(single) / len(single)


def beside_per_example(details: Details) -> str:
    """Say what ``augmented`` adds to ``per_example``, on which it builds."""
    found = {name: task["augmented - per_example"] for name, task in details["tasks"].items()}
    told = [
        f"{name} {', '.join(f'{what} {between(each[key])}' for key, what in NAMES.items())}"
        for name, each in found.items()
    ]
    ends = [each[key]["interval"] for each in found.values() for key in NAMES]
    sure = sum(low > 0 or high < 0 for low, high in ends)
    leave = "none leaves" if not sure else f"{sure} leave{'s' * (sure == 1)}"
    return (
        f"`augmented` against `per_example`, on which it builds, in points: {'; '.join(told)}. Of these "
        f"{len(ends)} intervals {leave} out 0."
    )


def options_apart(details: Details) -> str:
    """Return the first table on SNIPS apart for prompts that list the options and for those that do not."""
    task = details["tasks"]["snips"]
    kinds = {"no options": "no list", "options listed": "list"}
    heads = ["method"] + [
        f"{figure}, {task[key]['prompts']} prompts with {kind}"
        for key, kind in kinds.items()
        for figure in ("mean", "std", "worst")
    ]
    rows = [
        [f"`{method}`"]
        + [percent(task[key]["methods"][method][name]) for key in kinds for name in ("mean", "std", "min")]
        for method in SHOWN
    ]
    return "\n\n".join(
        [
            "## SNIPS: prompts that list the options, and others",
            table(heads, rows),
            "The same cells as in the first table below, apart for the two kinds of unseen prompts; "
            f"{task['training prompts that list options']} of the {task['training prompts']} training "
            "prompts "
            "list the options, so methods over the bank have seen such ones.",
        ]
    )
