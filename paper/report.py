"""``python -m paper KIND GRID``: an exhibit as Markdown, SVG, PNG and JSON."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from paft.files import write_atomically, write_json, write_text
from paft.shape import interpreted, read_record
from paper.against import with_differences
from paper.beyond import beyond
from paper.case import Case, cases
from paper.cost import inference, training_time
from paper.exhibit import Exhibit
from paper.figure import picture, save_png
from paper.k_t import k_and_t
from paper.main import main_table
from paper.prompts import prompt_count
from paper.text import markdown
from paper.unseen import adversarial, held_out

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
