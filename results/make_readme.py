# python results/make_readme.py [--check]
"""Write README's figures from the JSON files beside this script, and docs/robustness.svg.

Text between ``<!-- results -->`` and ``<!-- /results -->`` in README.md is replaced; ``--check``
changes nothing and fails when README is not what the JSON files say.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from paft.evaluate.report.plot import distribution_svg
from paft.evaluate.report.table import method_rows, percent

HERE = Path(__file__).parent
ROOT = HERE.parent
TASKS = ("routing", "snips", "subj", "sms_spam", "banking77")
START, END = "<!-- results -->\n", "<!-- /results -->"


def load() -> dict[str, dict[str, Any]]:
    """Read the result files that exist, in table order."""
    files = {task: HERE / f"{task}.json" for task in TASKS}
    return {task: json.loads(path.read_text("utf-8")) for task, path in files.items() if path.exists()}


def table(results: dict[str, dict[str, Any]]) -> str:
    """Return the Markdown table of all tasks and methods."""
    lines = [
        "| task | method | mean | std over prompts | worst prompt | best prompt | own prompt | seeds |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for task, result in results.items():
        for row in method_rows(result):
            low, high = row.mean_range
            spread = f" ({percent(low)} to {percent(high)})" if row.seeds > 1 else ""
            cells = [percent(row.mean) + spread, *map(percent, (row.std, row.min, row.max, row.own))]
            seeds = str(row.seeds) if row.steps else "-"
            lines.append(f"| {task} | {row.method} | {' | '.join(cells)} | {seeds} |")
    return "\n".join(lines) + "\n"


def caption(results: dict[str, dict[str, Any]]) -> str:
    """Return the line that says what was measured."""
    parts = []
    for task, result in results.items():
        first = next(row for row in result["rows"] if row["split"] == "test")
        steps = max(row["train_steps"] for row in result["rows"])
        size = f"{first['n_prompts']} x {first['n_examples']}, {steps} steps"
        parts.append(f"[{task}](results/{task}.json) {size}")
    return (
        "Accuracy in percent over unseen prompts x test examples (" + "; ".join(parts) + "). Figures are "
        "means over seeds, in brackets the lowest and highest seed; *own prompt* is the one prompt that "
        "`single` is trained on.\n\n" + lora(results)
    )


def lora(results: dict[str, dict[str, Any]]) -> str:
    """Return the sentence that compares LoRA with training all weights."""
    adapter = json.loads((HERE / "snips_lora.json").read_text("utf-8"))
    row = next(row for row in adapter["rows"] if row["split"] == "test")
    same = next(
        other
        for other in results["snips"]["rows"]
        if (other["method"], other["seed"], other["split"]) == (row["method"], row["seed"], "test")
    )
    rate, steps = adapter["config"]["train"]["learning_rate"], row["train_steps"]
    return (
        f"With [LoRA](results/snips_lora.json) (rank {adapter['config']['train']['adapt']['rank']}, learning "
        f"rate {rate:g}) PAFT reaches {percent(row['mean'])} ± {percent(row['std'])} on SNIPS after the same "
        f"{steps} steps, with all weights {percent(same['mean'])} ± {percent(same['std'])} (one seed).\n"
    )


def main() -> None:
    """Rewrite README and picture, or check them."""
    results = load()
    readme = ROOT / "README.md"
    text = readme.read_text("utf-8")
    before, rest = text.split(START)
    wanted = before + START + table(results) + "\n" + caption(results) + END + rest.split(END)[1]
    picture = ROOT / "docs" / "robustness.svg"
    svg = distribution_svg(results["routing"]) if "routing" in results else ""
    if "--check" in sys.argv:
        if text != wanted:
            raise SystemExit("README.md does not match results/*.json: run `make results`")
        return
    readme.write_text(wanted, "utf-8")
    picture.write_text(svg, "utf-8")


if __name__ == "__main__":
    main()
