"""The picture of a comparison: every prompt's accuracy as a dot, one row per method."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import numpy as np

COLOURS = {"base": "#8a8f98", "single": "#d1603d", "paft": "#1f6f8b"}
OTHER = "#6b5b95"


def distribution_svg(results: Mapping[str, Any]) -> str:
    """Draw accuracies over unseen prompts as an SVG element.

    Each dot is one prompt under one seed; the bar marks the mean, the diamond the user's own
    prompt. Dots are spread vertically by rank, which hides nothing and needs no random numbers.
    """
    import matplotlib
    from matplotlib.figure import Figure

    entries = [e for e in results["per_prompt"] if e["split"] == "test"]
    methods = list(dict.fromkeys(e["method"] for e in entries))
    figure = Figure(figsize=(8, 0.9 + 0.8 * len(methods)), layout="constrained")
    axes = figure.subplots()
    for position, method in enumerate(methods):
        values = np.sort([100 * e["accuracy"] for e in entries if e["method"] == method])
        colour = COLOURS.get(method, OTHER)
        offsets = 0.28 * np.sin(np.arange(len(values)) * 2.4)
        axes.scatter(values, position + offsets, s=16, color=colour, alpha=0.55, linewidths=0)
        axes.plot([values.mean()] * 2, [position - 0.38, position + 0.38], color=colour, linewidth=2.5)
        own = [
            100 * e["accuracy"]
            for e in results["per_prompt"]
            if e["split"] == "user" and e["method"] == method
        ]
        axes.scatter(own, [position] * len(own), marker="D", s=34, facecolor="white", edgecolor=colour)
    axes.set_yticks(range(len(methods)), methods)
    axes.set_ylim(len(methods) - 0.5, -0.5)
    axes.set_xlim(-2, 102)
    axes.set_xlabel("accuracy on one prompt, percent (bar: mean; diamond: the user's own prompt)")
    axes.grid(axis="x", color="#e3e5e8")
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)
    buffer = io.StringIO()
    # A fixed salt and no date: the same results give the same file.
    with matplotlib.rc_context({"svg.hashsalt": "paft", "svg.fonttype": "none"}):
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    text = buffer.getvalue()
    return text[text.index("<svg") :]
