"""The tables of docs/results.md, each from one or two committed JSON files."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from paft.grid.difference_table import difference_text
from paft.report.table import percent, with_interval
from paper.published import published
from results.sources import (
    ADVERSARIAL,
    BEYOND,
    CONFIRMED,
    DETAILS,
    GRIDS,
    HELD_OUT,
    INFERENCE,
    K_T,
    MAIN,
    POOLED,
    PROMPTS,
    TASKS,
    TIME,
    Figure,
    drawn,
    from_reference,
    main_figures,
    read,
    significant,
    task_details,
)  # fmt: skip
from results.text import span, table

SHOWN = ("single", "token_matched", "top_accuracy", "static", "per_example", "paft", "augmented")
SPLITS = {"snips_wording": "by similarity", "snips_writers": "three voices held out"}
SETTINGS = {  # of the grid `beyond`, with today's names
    "per_example": "`per_example`", "average": "`average`", "dropout": "`word_dropout`",
    "crossover": "`recombination`", "wordings": "`augmented`", "canonical": "`user_prompt_share`",
    "consistency": "`consistency` (removed)", "dro": "`worst`, DRO (removed)",
    "cvar": "`worst`, CVaR (removed)", "fraction": "`augment_fraction` (removed)",
    "low_kl": "`low_kl` (removed)", "easy_first": "`curriculum` (removed)",
}  # fmt: skip
FIGURES = ("mean", "std", "worst prompt")
MOVED = ("mean: difference", "worst prompt: difference")


def set_up() -> str:
    """Return what the main table was trained and evaluated on."""
    heads = (
        "task", "training examples", "epochs", "steps", "prompts drawn by PAFT", "unseen prompts x examples",
        "list options", "most frequent answer", "threshold",
    )  # fmt: skip
    rows = []
    for task, name in TASKS.items():
        found = task_details(task)
        reached = span(drawn("table1_small", task))
        rows.append(
            (
                name, f"{found['examples']:,}", found["epochs"], found["steps"],
                f"{reached} of {found['training prompts']}",
                f"{found['test prompts']} x {found['test examples']}",
                found["test prompts that list options"], f"{100 * found['majority']:.0f} %",
                f"{100 * found['threshold']:g} %",
            )
        )  # fmt: skip
    return table(heads, rows)


def main_table() -> str:
    """Return every method on every task; a star marks a significant difference from PAFT."""
    heads = ("task", "method", "mean", "std", "worst prompt", "worst 10 %", "user prompt")
    rows = []
    for task, name in TASKS.items():
        for method in read(MAIN)["figures"][task]:
            figures = main_figures(task, method)
            stars = _stars(task, method)
            mean = with_interval(figures["mean"]["value"], *figures["mean"]["interval"])
            rest = [percent(figures[key]["value"]) + stars[key] for key in ("std", "min", "cvar_10")]
            rows.append((name, f"`{method}`", mean + stars["mean"], *rest, percent(figures["own"])))
            name = ""  # once a task
    return table(heads, rows, align="llrrrrr")


def _stars(task: str, method: str) -> dict[str, str]:
    names = ("mean", "std", "min", "cvar_10")
    if method == "paft":
        return dict.fromkeys(names, "")
    found = from_reference(MAIN, task, method)
    return {name: r"\*" * significant(found[name]) for name in names}


def options() -> str:
    """Return SNIPS apart for prompts that list the options and for those that do not."""
    task = task_details("snips")
    kinds = {"no options": "no list", "options listed": "list"}
    heads = ["method"] + [
        f"{task[key]['prompts']} with {kind}: {figure}"
        for key, kind in kinds.items()
        for figure in ("mean", "std", "worst")
    ]
    rows = [
        [f"`{method}`"]
        + [percent(task[key]["methods"][method][name]) for key in kinds for name in ("mean", "std", "min")]
        for method in SHOWN
    ]
    return table(heads, rows)


def k_and_t() -> str:
    """Return figures by K and T, the prompts that were drawn, and the paper's averages."""
    theirs = {(row["k"], row["t"]): row for row in published()["k_t"]["rows"]}
    rows = []
    for row in read(K_T)["figures"]:
        setting = f"k{int(row['k'])}_t{row['t']}"
        paper = theirs.get((row["k"], row["t"]))
        reached = span(drawn("k_and_t", f"snips/{setting}"))
        rows.append(
            (
                "1 example" if row["k"] < 1 else row["k"], row["t"], reached, *_shown(row),
                *_moved(K_T, setting), "-" if paper is None else f"{paper['mean']:.2f} ± {paper['std']:.2f}",
            )
        )  # fmt: skip
    where = published()["k_t"]["where"]
    return table(("K", "T", "prompts drawn", *FIGURES, *MOVED, f"paper, {where}: mean ± std"), rows)


def prompts() -> str:
    """Return figures by the number of training prompts, and how many of them were drawn."""
    rows = []
    for row in read(PROMPTS)["figures"]:
        setting, mmd2 = f"n{row['n']:02}", row["mmd2_unbiased"]
        far = "-" if mmd2 is None else f"{round(mmd2, 4) + 0.0:.4f}"
        reached = span(drawn("prompts", f"snips/{setting}"))
        rows.append((row["n"], reached, *_shown(row), *_moved(PROMPTS, setting), far))
    return table(("N", "drawn", *FIGURES, *MOVED, "MMD²"), rows)


def _shown(row: Mapping[str, Any]) -> list[str]:
    return [percent(row[name]["value"]) for name in ("mean", "std", "min")]


def _moved(name: str, setting: str) -> list[str]:
    """Return SNIPS' differences from a grid's reference; nothing for the reference itself."""
    if setting not in {row["setting"] for row in read(name)["differences"]}:
        return ["", ""]
    return _texts(from_reference(name, "snips", setting))


def _texts(found: Mapping[str, Figure], *names: str) -> list[str]:
    return [difference_text(found[name]).replace("*", r"\*") for name in names or ("mean", "min")]


def unseen() -> str:
    """Return two ways to split SNIPS, on unseen and on adversarial prompts."""
    listing = read(DETAILS)["prompts that list options"]
    con = {(row["task"], row["method"]): row for row in read(ADVERSARIAL)["figures"]}
    rows = []
    for row in read(HELD_OUT)["figures"]:
        split, other = row["task"], con[row["task"], row["method"]]
        found = [percent(other[f"con_{name}"]) for name in ("mean", "std", "min")]
        test = listing[split]["test"]
        told = f"{SPLITS[split]} ({test['list options']} of {test['prompts']} list options)"
        rows.append((told, f"`{row['method']}`", *_shown(row), *found))
    heads = (*FIGURES, *(f"adversarial: {figure}" for figure in FIGURES))
    return table(("split", "method", *heads), rows, align="llrrrrrr")


def inference() -> str:
    """Return tokens and seconds of generated answers."""
    found, hours = read(INFERENCE)["figures"]["snips"], published()["inference"]["rows"]
    rows = [
        (
            f"`{method}`", f"{row['tokens_per_answer']:.1f}", f"{row['seconds_per_thousand']:.1f}",
            f"{100 * row['parse_rate']:.1f}",
            f"{row['seconds_per_thousand'] / found['paft']['seconds_per_thousand']:.2f}x",
            f"{hours[method] / hours['paft']:.2f}x",
        )
        for method, row in found.items()
    ]  # fmt: skip
    where = published()["inference"]["where"]
    heads = ("tokens an answer", "seconds for 1,000", "with a label, %", "of `paft`'s", f"paper, {where}")
    return table(("method", *heads), rows)


def training_time() -> str:
    """Return tokens and seconds of training; ``bat`` with rules is not the paper's, so it has no factor."""
    found, hours = read(TIME)["figures"]["snips"], published()["time"]["rows"]
    theirs = {method: f"{time / hours['single']:.2f}x" for method, time in hours.items() if method != "bat"}
    rows = [
        (
            f"`{method}`", f"{row['steps']:.0f}", f"{row['tokens']:,.0f}", f"{row['seconds']:.0f}",
            f"{row['seconds'] / found['single']['seconds']:.2f}x", theirs.get(method, "-"),
        )
        for method, row in found.items()
    ]  # fmt: skip
    where = published()["time"]["where"]
    return table(("method", "steps", "tokens", "seconds", "of `single`'s", f"paper, {where}"), rows)


def beyond_rows(name: str) -> Iterator[tuple[str, str, Mapping[str, Figure]]]:
    """Yield task, setting and differences from plain PAFT of every other setting."""
    for row in read(name)["figures"]:
        if row["differences"] is not None:
            yield row["task"], row["setting"], row["differences"]


def confirmed() -> str:
    """Return ``augmented`` against PAFT: confirming seeds where there are some, else the first look."""
    seeds = {row["task"]: row["seeds"] for name in (POOLED, CONFIRMED) for row in read(name)["figures"]}
    late = {task: found for task, _, found in beyond_rows(CONFIRMED)}
    first = {task: found for task, _, found in beyond_rows(POOLED)}
    rows = []
    for task, name in TASKS.items():
        look = "confirming" if task in late else "first look"
        found = late.get(task, first[task])
        rows.append((name, f"{seeds[task]}, {look}", *_texts(found, "mean", "std", "min", "cvar_10")))
    return table(("task", "seeds", *FIGURES, "worst 10 %"), rows, align="llrrrr")


def beyond() -> str:
    """Return twelve settings against plain PAFT on two tasks."""
    found: dict[str, dict[str, list[str]]] = {}
    for task, setting, differences in beyond_rows(BEYOND):
        found.setdefault(setting, {})[task] = _texts(differences)
    tasks = ("snips", "subj")
    rows = [
        (SETTINGS[name], *(cell for task in tasks for cell in each[task])) for name, each in found.items()
    ]
    heads = [f"{TASKS[task]}: {name}" for task in tasks for name in ("mean", "worst prompt")]
    return table(("setting", *heads), rows)


def commands() -> str:
    """Return which grid and kind make which file, and with what it was measured."""
    rows = []
    for name in GRIDS:
        grid, kind = name.removesuffix(".json").split("/")
        told = read(name)["environment"]
        versions = f"torch {told['torch']}, transformers {told['transformers']}, {told['cpus']} CPU cores"
        rows.append((f"`{grid}`", f"`{kind}`", f"[`{name}`](../results/{name})", versions))
    return table(("GRID", "KIND", "file", "measured with"), rows, align="llll")


TABLES: Mapping[str, Callable[[], str]] = {
    "set-up": set_up, "main": main_table, "options": options, "k and t": k_and_t, "prompts": prompts,
    "unseen": unseen, "inference": inference, "time": training_time, "confirmed": confirmed, "beyond": beyond,
    "commands": commands,
}  # fmt: skip
