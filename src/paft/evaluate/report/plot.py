"""Pictures of a comparison: accuracies by prompt as dots, cells as a map of colours."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from paft.evaluate.report.table import main_split

if TYPE_CHECKING:
    from paft.evaluate.report.cells import Cells

COLOURS = {"base": "#8a8f98", "single": "#d1603d", "paft": "#1f6f8b"}
OTHER = "#6b5b95"
WRONG = "#ece8e1"
UNPARSED = "#2b2d33"
LEGEND = "accuracy on one prompt, percent (bar: mean; diamond: the user's own prompt)"
LARGEST = 1000  # pixels a side of a map; beyond that neighbours are averaged


def colour(method: str) -> str:
    """Return a method's colour as ``#rrggbb``."""
    return COLOURS.get(method, OTHER)


def distribution_svg(results: Mapping[str, Any], *, width: float = 8, label: str = LEGEND) -> str:
    """Draw accuracies over unseen prompts as an SVG element.

    Each dot is one prompt under one seed; the bar marks the mean, the diamond the user's own
    prompt. Dots are spread vertically by rank, which hides nothing and needs no random numbers.

    Args:
        results: The content of ``results.json``.
        width: Inches; a narrow picture has large letters on a small screen.
        label: What stands under the axis.
    """
    import matplotlib
    from matplotlib.figure import Figure

    split = main_split(results)
    entries = [e for e in results["per_prompt"] if e["split"] == split]
    methods = list(dict.fromkeys(e["method"] for e in entries))
    figure = Figure(figsize=(width, 0.9 + 0.8 * len(methods)), layout="constrained")
    axes = figure.subplots()
    for position, method in enumerate(methods):
        values = np.sort([100 * e["accuracy"] for e in entries if e["method"] == method])
        shade = colour(method)
        offsets = 0.28 * np.sin(np.arange(len(values)) * 2.4)
        axes.scatter(values, position + offsets, s=16, color=shade, alpha=0.55, linewidths=0)
        axes.plot([values.mean()] * 2, [position - 0.38, position + 0.38], color=shade, linewidth=2.5)
        own = [
            100 * e["accuracy"]
            for e in results["per_prompt"]
            if e["split"] == "user" and e["method"] == method
        ]
        axes.scatter(own, [position] * len(own), marker="D", s=34, facecolor="white", edgecolor=shade)
    axes.set_yticks(range(len(methods)), methods)
    axes.set_ylim(len(methods) - 0.5, -0.5)
    axes.set_xlim(-2, 102)
    axes.set_xlabel(label)
    axes.grid(axis="x", color="#e3e5e8")
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)
    buffer = io.StringIO()
    # A fixed salt and no date: the same results give the same file.
    with matplotlib.rc_context({"svg.hashsalt": "paft", "svg.fonttype": "none"}):
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    text = buffer.getvalue()
    return text[text.index("<svg") :]


def heatmap(cells: Cells, shade: str, rows: np.ndarray, columns: np.ndarray) -> str:
    """Draw cells as a PNG in a data URI: one pixel a cell, scores averaged over seeds.

    From ``WRONG`` at score 0 to the method's colour at 1; ``UNPARSED`` where no answer could be
    read, transparent where a cell was not judged.

    Args:
        cells: P prompts x N examples.
        shade: ``#rrggbb`` of score 1.
        rows: Order of the prompts (P), top first.
        columns: Order of the examples (N), left first.
    """
    from matplotlib.colors import to_rgb
    from matplotlib.image import imsave

    judged = ~np.isnan(cells.scores)
    unreadable = (judged & ~cells.parsed).mean(axis=0, keepdims=True)[0]
    scores = np.nan_to_num(cells.scores).sum(axis=0) / np.maximum(1, judged.sum(axis=0))
    readable = np.clip(1 - scores - unreadable, 0, 1)
    parts = [(readable, WRONG), (scores, shade), (unreadable, UNPARSED)]
    mixed = sum(part[..., None] * np.array(to_rgb(end)) for part, end in parts)
    image = np.dstack([mixed, judged.any(axis=0)])
    image = _shrink(_shrink(image[np.ix_(rows, columns)], 0), 1)
    buffer = io.BytesIO()
    imsave(buffer, np.clip(image, 0, 1), format="png", metadata={"Software": "PAFT"})
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def _shrink(image: np.ndarray, axis: int) -> np.ndarray:
    """Average neighbours along an axis until it has at most ``LARGEST`` pixels."""
    length = image.shape[axis]
    if length <= LARGEST:
        return image
    starts = np.linspace(0, length, LARGEST, endpoint=False).astype(int)
    sizes = np.diff(np.append(starts, length))
    sums = np.add.reduceat(image, starts, axis=axis)
    return np.asarray(sums / np.expand_dims(sizes, [other for other in range(3) if other != axis]))
