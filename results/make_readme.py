# python -m results.make_readme [--check]
"""Write README's figures from the JSON files beside this script, and docs/robustness.svg.

Text between ``<!-- results -->`` and ``<!-- /results -->`` in README.md is replaced; ``--check``
changes nothing and fails when README is not what the JSON files say.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from paft.report.plot import Dots, dots_svg
from paft.report.table import percent
from paper.exhibit import Exhibit, read_exhibit
from results.details_text import listed

HERE = Path(__file__).parent
ROOT = HERE.parent
DETAILS = json.loads((HERE / "table1_small" / "details.json").read_text("utf-8"))
SHOWN = ("base", "single", "top_accuracy", "static", "per_example", "paft", "augmented")
IN_PICTURE = ("base", "single", "top_accuracy", "paft", "augmented")
PICTURED = "snips"
START, END = "<!-- results -->\n", "<!-- /results -->"


def table(exhibit: Exhibit) -> str:
    """Return the Markdown table of all tasks and the methods that a reader meets first."""
    lines = [
        "| task | method | mean | std over prompts | worst prompt | worst 10 % | user prompt |",
        "|---|---|---|---|---|---|---|",
    ]
    for task, methods in exhibit.figures.items():
        for method in SHOWN:
            figures = methods[method]
            mean, std, low, tenth = (figures[name]["value"] for name in ("mean", "std", "min", "cvar_10"))
            ends = " to ".join(map(percent, figures["mean"]["interval"]))
            others = " | ".join(map(percent, (std, low, tenth, figures["own"])))
            lines.append(f"| {task} | {method} | {percent(mean)} ({ends}) | {others} |")
    return "\n".join(lines) + "\n"


def caption(exhibit: Exhibit) -> str:
    """Return what was measured."""
    counts = {
        (task, method): methods[method]["seeds"]
        for task, methods in exhibit.figures.items()
        for method in SHOWN
        if methods[method]["steps"]
    }
    seeds = max(counts.values())
    fewer = "".join(f" ({n} of {m} on {t})" for (t, m), n in counts.items() if n < seeds)
    return (
        f"Accuracy in percent on unseen prompts and test examples, means over {seeds} seeds{fewer}, in "
        "brackets 95 % intervals for further prompts, examples and seeds, under the same training examples. "
        f"{sizes()} *User prompt* is the one in the task file, on which `single` trains; "
        "`top_accuracy` trains on the prompt of the bank "
        "under which the untrained model does best; `static`, `per_example` and `paft` "
        "draw from the whole bank: once per example, once per example and epoch, and every 4 steps; "
        "`augmented` goes [beyond the paper](docs/methods.md).\n\n"
        + cost(exhibit)
        + listed(DETAILS)
        + "\n\n"
        + lora()
    )


def sizes() -> str:
    """Return how much each task trains and evaluates on."""
    parts = [
        f"{name} {found['examples']:,} training examples, {found['steps']} steps, "
        f"{found['test prompts']} x {found['test examples']}"
        for name, found in DETAILS["tasks"].items()
    ]
    most = DETAILS["tasks"]["sms_spam"]["majority"]
    return (
        "Training examples, optimiser steps, unseen prompts x test examples: "
        f"{'; '.join(parts)}. On SMS spam one answer is right in {100 * most:.0f} % of the examples."
    )


def cost(exhibit: Exhibit) -> str:
    """Return the sentence on what PAFT costs under the prompt that ``single`` is trained on."""
    behind = {
        task: 100 * (methods["single"]["own"] - methods["paft"]["own"])
        for task, methods in exhibit.figures.items()
    }
    counts = {
        method: sum(
            found[method]["mean"]["value"] > found["paft"]["mean"]["value"]
            for found in exhibit.figures.values()
        )
        for method in ("static", "per_example")
    }
    tasks = len(exhibit.figures)
    ahead = ", ".join(
        f"`{method}` has the higher mean on {n} of {tasks} tasks" for method, n in counts.items()
    )
    points = ", ".join(f"{lost:.1f} ({task})" for task, lost in behind.items())
    return (
        f"What PAFT costs: with the user prompt it is behind the model trained on that prompt by "
        f"{points} points. Simpler schedules over the same bank do as well: {ahead}.\n\n"
    )


def lora() -> str:
    """Return the sentence that compares LoRA with training all weights: under one seed."""
    adapter, full = (
        json.loads((HERE / name).read_text("utf-8")) for name in ("snips_lora.json", "snips.json")
    )
    row = next(row for row in adapter["rows"] if row["split"] == "test")
    same = next(
        other
        for other in full["rows"]
        if (other["method"], other["seed"], other["split"]) == (row["method"], row["seed"], "test")
    )
    rate, steps = adapter["config"]["train"]["learning_rate"], row["train_steps"]
    return (
        f"With [LoRA](results/snips_lora.json) (rank {adapter['config']['train']['adapt']['rank']}, "
        f"learning rate {rate:g}) PAFT reaches {percent(row['mean'])} ± {percent(row['std'])} on SNIPS after "
        f"{steps} steps, with [all weights](results/snips.json) {percent(same['mean'])} ± "
        f"{percent(same['std'])} (one seed; not the machine of the table).\n"
    )


def picture(exhibit: Exhibit) -> str:
    """Return the accuracies of one task under every unseen prompt and seed, as SVG."""
    panel = next(panel for panel in exhibit.panels if panel.title == PICTURED)
    lines = [Dots(series.name, series.y) for series in panel.series if series.name in IN_PICTURE]
    return dots_svg(lines, width=8, label=panel.x_label)


def main() -> None:
    """Rewrite README and picture, or check them."""
    exhibit = read_exhibit(HERE / "table1_small" / "main.json")
    readme = ROOT / "README.md"
    text = readme.read_text("utf-8")
    before, rest = text.split(START)
    wanted = before + START + table(exhibit) + "\n" + caption(exhibit) + END + rest.split(END)[1]
    if "--check" in sys.argv:
        if text != wanted:
            raise SystemExit("README.md does not match results/*.json: run `make results`")
        return
    readme.write_text(wanted, "utf-8")
    (ROOT / "docs" / "robustness.svg").write_text(picture(exhibit), "utf-8")


if __name__ == "__main__":
    main()
