# python -m results.make_page [--check]
"""Write docs/results.md and its pictures from the JSON files in the folders beside this script.

Each file is an exhibit, made by ``python -m paper KIND runs/GRID --output results/GRID``.
``--check`` changes nothing and fails when the page is not what the JSON files say, or a picture is missing
(pictures differ between versions of matplotlib).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from paft.methods import METHODS
from paft.report.table import percent
from paper.beyond import wins
from paper.exhibit import Exhibit, read_exhibit
from paper.figure import picture
from paper.text import markdown
from paper.wording import points
from results.details_text import NAMES, beside_per_example, between, listed, options_apart, set_up

HERE = Path(__file__).parent
DOCS = HERE.parent / "docs"
DETAILS = json.loads((HERE / "table1_small" / "details.json").read_text("utf-8"))
SECTIONS = (  # grid and kind, in the page's order; those without a file are left out
    ("table1_small", "main"), ("k_and_t", "k_t"), ("prompts", "prompts"), ("unseen", "adversarial"),
    ("unseen", "held_out"), ("inference", "inference"), ("time", "time"), ("beyond", "beyond"),
    ("wordings", "beyond"),
)  # fmt: skip
TITLES = {("wordings", "beyond"): "What helped most in trials, on four tasks with other seeds"}
Section = tuple[str, str]


def page(exhibits: Mapping[Section, Exhibit]) -> str:
    """Return the page: what it shows in sentences, then every table and picture."""
    parts = [
        "<!-- written by results/make_page.py from the JSON files beside it: edit that, not this -->",
        (HERE / "intro.md").read_text("utf-8").strip(),
        set_up(DETAILS),
        "## What they show",
        "\n".join(f"- {line}" for line in findings(exhibits)),
        options_apart(DETAILS),
        (HERE / "discussion.md").read_text("utf-8").strip(),
    ]
    for (grid, kind), exhibit in exhibits.items():
        parts.append(markdown(exhibit, level=2, picture=f"results/{grid}-{kind}.svg").strip())
        parts.append(f"```bash\n{commands(grid, kind)}\n```")
        parts.append(f"[Figures as JSON](../results/{grid}/{kind}.json), measured with {made_with(exhibit)}.")
    return "\n\n".join(parts) + "\n"


def commands(grid: str, kind: str) -> str:
    """Return what made an exhibit."""
    return (
        f"paft grid recipes/paper/{grid}.yaml --data data\n"
        f"python -m paper {kind} runs/{grid} --output results/{grid}"
    )


def made_with(exhibit: Exhibit) -> str:
    """Name versions and machine."""
    told = exhibit.environment or {}
    names = ("paft", "torch", "transformers", "peft")
    versions = ", ".join(f"{name} {told[name]}" for name in names if name in told)
    return f"{versions} on {told.get('cpus')} CPU cores" + (
        f" and {told['accelerator']}" if told.get("accelerator") else ""
    )


def findings(exhibits: Mapping[Section, Exhibit]) -> list[str]:
    """Say in sentences what the figures show, good or bad."""
    found = []
    for (grid, kind), exhibit in exhibits.items():
        if kind == "main":
            tasks = exhibit.figures
            found += [against_single(tasks), listed(DETAILS), first_places(tasks), own_prompts(tasks)]
            found.append(beside_per_example(DETAILS))
        elif grid == "wordings":
            found.append(won_again())
        elif kind == "beyond":
            found.append(won_beyond(grid, exhibit.figures))
    return found


def against_single(tasks: Mapping[str, Any]) -> str:
    """Compare PAFT with training on one prompt, by task."""
    told = []
    for task, methods in tasks.items():
        paft, single = (methods[name] for name in ("paft", "single"))
        mean, low = (points(paft[key]["value"] - single[key]["value"]) for key in ("mean", "min"))
        stds = [percent(figures["std"]["value"]) for figures in (single, paft)]
        told.append(f"{task} mean {mean}, worst prompt {low}, std {stds[0]} to {stds[1]}")
    return f"PAFT against training on the user's one prompt, in points: {'; '.join(told)}."


def first_places(tasks: Mapping[str, Any]) -> str:
    """Say on how many tasks PAFT is first, and which methods are ahead of it elsewhere."""
    one_prompt = {name for name, method in METHODS.items() if method.prompts != "bank"}
    alone = {
        task: {m: f for m, f in found.items() if m in one_prompt | {"paft"}} for task, found in tasks.items()
    }
    return (
        f"Among all methods that train on one prompt, chosen or not, PAFT is first by {_places(alone)}. "
        "Among all trained methods, with other schedules over the same bank, it is first by "
        f"{_places(tasks)}."
    )  # fmt: skip


def _places(tasks: Mapping[str, Any]) -> str:
    told = []
    for name, label, best in (("mean", "mean", max), ("std", "std", min), ("min", "worst prompt", max)):
        first = {}
        for task, methods in tasks.items():
            values = {m: f[name]["value"] for m, f in methods.items() if f["steps"]}
            first[task] = best(values, key=lambda method: values[method])
        others = ", ".join(f"{method} on {task}" for task, method in first.items() if method != "paft")
        count = sum(method == "paft" for method in first.values())
        told.append(f"{label} on {count} of {len(first)} tasks" + (f" ({others})" if others else ""))
    return "; by ".join(told)


def own_prompts(tasks: Mapping[str, Any]) -> str:
    """Say what PAFT costs where the one prompt is the one that is used."""
    told = [
        f"{task} {points(methods['paft']['own'] - methods['single']['own'])}"
        for task, methods in tasks.items()
    ]
    return (
        "Under the very prompt that `single` is trained on, PAFT is ahead or behind by these points: "
        f"{', '.join(told)}."
    )


def won_beyond(grid: str, rows: list[dict[str, Any]]) -> str:
    """Say which methods beyond the paper surely raise the worst prompts, and on how many tasks."""
    tasks = {row["task"] for row in rows}
    counts: dict[str, int] = {}
    for row in rows:
        if row["differences"] is not None:
            counts[row["setting"]] = counts.get(row["setting"], 0) + wins(row["differences"])
    won = [f"`{name}` on {count}" for name, count in counts.items() if count]
    return (
        f"Grid `{grid}`, {len(counts)} setting{'s' * (len(counts) > 1)} beyond the paper on {len(tasks)} "
        "tasks at equal tokens: "
        "worst prompt and worst tenth are surely higher than with plain PAFT, and the mean not lower by "
        f"more than 0.3 points, with {', '.join(won) if won else 'none of them'}."
    )  # fmt: skip


def won_again() -> str:
    """Say what the seeds show that came after the first look at ``wordings``, and what pooling adds."""
    rows = json.loads((HERE / "wordings" / "beyond_seeds_8_to_15.json").read_text("utf-8"))["figures"]
    told = []
    for row in rows:
        if row["differences"] is not None:
            figures = (f"{name} {between(row['differences'][key])}" for key, name in NAMES.items())
            told.append(f"{row['task']}: {', '.join(figures)}")
    return (
        "Grid `wordings`, the setting that became `augmented`, against plain PAFT at equal tokens: five "
        "seeds on four tasks were a first look. Eight seeds that followed on the two tasks that looked best "
        f"show, in points, {'; '.join(told)}. So the gain is surely there on SNIPS alone; the tables below "
        "pool both looks."
    )


def main() -> None:
    """Write the page and its pictures, or check them."""
    files = {section: HERE / section[0] / f"{section[1]}.json" for section in SECTIONS}
    exhibits = {section: read_exhibit(path) for section, path in files.items() if path.exists()}
    for section in exhibits.keys() & TITLES.keys():
        exhibits[section] = replace(exhibits[section], title=TITLES[section])
    wanted = {
        DOCS / "results" / f"{grid}-{kind}.svg": picture(each)
        for (grid, kind), each in exhibits.items()
        if each.panels
    }
    wanted[DOCS / "results.md"] = page(exhibits)
    for path, text in wanted.items():
        if "--check" not in sys.argv:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
        elif not path.exists() or (path.suffix == ".md" and path.read_text("utf-8") != text):
            raise SystemExit(
                f"docs/{path.relative_to(DOCS)} does not match results/*.json: run `make results`"
            )


if __name__ == "__main__":
    main()
