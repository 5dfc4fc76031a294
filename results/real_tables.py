"""Tables and sentences about the pretrained model, from its two committed JSON files."""

from __future__ import annotations

from paft.report.table import percent
from results.sources import FINAL, NAMES, REAL, from_single, read, significant, task_details
from results.text import between, ends, listed, points, shares, span, table

SHOWN = ("base", "single", "per_example", "paft", "user_share")
CALLED = {"user_share": "`per_example`, 20 % user prompt"}


def called(method: str) -> str:
    """Return a method's name, or what its setting is."""
    return CALLED.get(method, f"`{method}`")


def real_table() -> str:
    """Return every method on every task."""
    rows = []
    for task, found in read(REAL)["tasks"].items():
        name = NAMES[task]
        for method in SHOWN:
            if method not in found["methods"]:
                continue
            figures = found["methods"][method]
            mean = f"{percent(figures['mean'])} ({ends({'interval': figures['mean interval']})})"
            rest = [percent(figures[key]) for key in ("std", "min", "own")]
            rows.append((name, called(method), len(figures["seeds"]), mean, *rest))
            name = ""  # once a task
    heads = ("task", "method", "seeds", "mean", "std over prompts", "worst prompt", "user prompt")
    return table(heads, rows, align="llrrrrr")


def real_differences() -> str:
    """Return paired differences from ``single``."""
    rows = []
    for task, found in read(REAL)["tasks"].items():
        name = NAMES[task]
        for method, moved in found["differences from single"].items():
            own = found["differences from single, user prompt"][method]["mean"]
            texts = [between(each) for each in (moved["mean"], moved["std"], moved["min"], own)]
            rows.append((name, called(method), *texts, f"{_ratio(task, method):.2f}"))
            name = ""
    heads = ("task", "method", "mean", "std", "worst prompt", "user prompt", "std, share of `single`'s")
    return table(heads, rows, align="llrrrrr")


def real_final() -> str:
    """Return the prompts looked at once beside the unseen ones, the same seed."""
    rows = []
    for task in dict.fromkeys(row["task"] for row in read(FINAL)["rows"]):
        name = NAMES[task]
        for row in (row for row in read(FINAL)["rows"] if row["task"] == task):
            method = row["method"]
            test = task_details(task, REAL)["methods"][method]["seeds"][row["seed"] or 0]
            both = [f"{percent(row[key])} ({points(row[key] - test[key])})" for key in ("mean", "std", "min")]
            rows.append((name, f"`{method}`", *both))
            name = ""
    heads = ("mean (minus unseen)", "std (minus unseen)", "worst (minus unseen)")
    return table(("task", "method", *heads), rows, align="llrrr")


def _ratio(task: str, method: str) -> float:
    methods = task_details(task, REAL)["methods"]
    return float(methods[method]["std"] / methods["single"]["std"])


def real_texts() -> dict[str, str]:
    """Return the figures of the sentences, by name."""
    tasks = read(REAL)["tasks"]
    gained = {task: from_single(task, "per_example", REAL) for task in tasks}
    own = {task: found["differences from single, user prompt"] for task, found in tasks.items()}
    parts = [tasks["snips"][kind]["per_example"]["mean"] for kind in ("options listed", "no options")]
    share = tasks["snips"]["test prompts that list options"] / tasks["snips"]["test prompts"]

    rates = read(REAL)["single_2e-3"]["snips"]

    def wins(figure: str) -> str:
        return listed([NAMES[task] for task in tasks if significant(gained[task][figure], better=1)])

    def examples(device: str) -> str:
        return span([each["test examples"] for each in tasks.values() if each["device"].startswith(device)])

    def lost(method: str) -> str:
        return listed([points(each[method]["mean"]["value"]) for each in own.values() if method in each])

    return {
        "real tasks": listed([NAMES[task] for task in tasks]),
        "real mean wins": wins("mean"),
        "real min wins": wins("min"),
        "real min gains": listed([points(found["min"]["value"]) for found in gained.values()]),
        "real std share": span([round(_ratio(task, "per_example"), 2) for task in tasks]),
        "real lost": lost("per_example"),
        "real paft lost": lost("paft"),
        "real share lost": lost("user_share"),
        "real per_example - paft": ", ".join(
            f"{NAMES[task]} {between(found['per_example - paft']['mean'])}" for task, found in tasks.items()
        ),
        "real examples": examples("NVIDIA"),
        "real cpu examples": examples("CPU"),
        "real prompts": span([found["test prompts"] for found in tasks.values()]),
        "real reached": span([n for found in tasks.values() for n in found["prompts reached by paft"]]),
        "real training": span([found["training prompts"] for found in tasks.values()]),
        "real sms seeds": shares([each["mean"] for each in tasks["sms_spam"]["methods"]["single"]["seeds"]]),
        "real sms majority": f"{100 * tasks['sms_spam']['majority']:.0f}",
        "real snips listed": between(parts[0]),
        "real snips plain": between(parts[1]),
        "real listed part": f"{100 * share * parts[0]['value']:.1f}",
        "real banking lead": between(gained["banking20"]["mean"]),
        "real snips lead": f"{100 * gained['snips']['mean']['value']:.1f}",
        "real devices": ", ".join(
            f"`{method}` {percent(each['cpu'])} and {percent(each['gpu'])}"
            for method, each in read(REAL)["same trials on a CPU"].items()
        ),
        "real device cells": f"{read(REAL)['same trials on a CPU']['base']['cells']:,}",
        "real other rate": percent(rates["methods"]["single_2e-3"]["mean"]),
        "real same rate": percent(rates["methods"]["single"]["mean"]),
        "real rate seeds": str(rates["seeds"]),
        "real rate examples": str(rates["test examples"]),
        "real rate lead": between(rates["per_example - single"]["mean"]),
        "real final examples": span([row["n_examples"] for row in read(FINAL)["rows"]]),
    }


REAL_TABLES = {"real": real_table, "real differences": real_differences, "real final": real_final}
