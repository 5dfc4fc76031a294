"""``paft report GRID --paper KIND``: an exhibit as Markdown, SVG, PNG and JSON."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from paft.files import write_atomically, write_json, write_text
from paft.grid.paper.against import with_differences
from paft.grid.paper.beyond import beyond
from paft.grid.paper.case import Case, cases
from paft.grid.paper.cost import inference, training_time
from paft.grid.paper.exhibit import Exhibit
from paft.grid.paper.figure import picture, save_png
from paft.grid.paper.k_t import k_and_t
from paft.grid.paper.main import main_table
from paft.grid.paper.prompts import prompt_count
from paft.grid.paper.text import markdown
from paft.grid.paper.unseen import adversarial, held_out
from paft.shape import interpreted, read_record

KINDS: dict[str, Callable[[Sequence[Case], Path], Exhibit]] = {
    "main": main_table,
    "k_t": k_and_t,
    "prompts": prompt_count,
    "time": training_time,
    "inference": inference,
    "adversarial": adversarial,
    "held_out": held_out,
    "beyond": beyond,
}
COMPARING = ("main", "k_t", "prompts")  # have the grid's differences too, if it names a reference


def make_exhibit(kind: str, folder: Path) -> Exhibit:
    """Make an exhibit from a grid.

    Args:
        kind: A key of ``KINDS``.
        folder: Output of ``paft grid``.

    Raises:
        DataError: If the folder holds no finished grid, or one that does not fit the kind.
    """
    path = folder / "results.json"
    results = read_record(path, "results of a grid", {})
    with interpreted(path):
        found = cases(results, str(path))
        exhibit = KINDS[kind](found, folder)
        if kind in COMPARING:
            exhibit = with_differences(exhibit, found, results)
    return dataclasses.replace(exhibit, environment=results.get("environment"))


def write_exhibit(exhibit: Exhibit, folder: Path) -> list[Path]:
    """Write an exhibit's files into a folder, which is made if need be.

    Returns:
        ``<kind>.json`` and ``<kind>.md``; of one with a picture ``<kind>.svg`` and ``<kind>.png`` too.
    """
    stem = folder / exhibit.kind
    written = [stem.with_suffix(".json"), stem.with_suffix(".md")]
    write_json(written[0], exhibit.to_json())
    write_text(written[1], markdown(exhibit, picture=f"{exhibit.kind}.svg"))
    if exhibit.panels:
        written += [stem.with_suffix(".svg"), stem.with_suffix(".png")]
        write_text(written[2], picture(exhibit))
        write_atomically(written[3], partial(save_png, exhibit))
    return written
