"""What a budget of cells says, as a table for the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from paft.evaluate.report.table import percent, prompts_name

if TYPE_CHECKING:
    from rich.table import Table


def budget_table(results: Mapping[str, Any], split: str) -> Table:
    """Return estimates of accuracy over prompts with their 95 % intervals, in percent."""
    from rich.table import Table

    made = results["budget"]
    cells = made["prompts"] * made["examples"]
    refused = made["minimum_refused"]
    table = Table(
        title=f"{results['task']}: accuracy on {prompts_name(split, made['prompts'])} x {made['examples']} "
        f"examples, estimated from {made['cells']} of {cells} cells",
        caption="percent" + (f"; no worst prompt: {refused}" if refused else ""),
    )
    table.add_column("")
    for name in ("estimate", "95 % from", "to"):
        table.add_column(name, justify="right")
    shown = {"mean": made["mean"], "std": made["std"]}
    shown |= {f"{100 * float(q):g} % of prompts below": value for q, value in made["quantiles"].items()}
    if made["minimum"] is not None:
        shown["worst prompt"] = made["minimum"]
    for name, value in shown.items():
        table.add_row(name, *(percent(value[key]) for key in ("value", "low", "high")))
    return table
