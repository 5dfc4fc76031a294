"""Pictures of a comparison: accuracies by prompt as dots, losses as lines, cells as a map of colours."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

import numpy as np

from paft.files import write_atomically, write_text
from paft.report.method_rows import best_guess, level_in_words, main_split, prompts_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from paft.report.cells import Cells

# Far apart for colour-blind eyes too, and from the page in light and dark; tests/report/test_colours.py.
COLOURS = {
    "paft": "#2691ef",
    "single": "#cf723c",
    "per_example": "#005942",
    "augmented": "#463cfc",
    "static": "#866200",
    "base": "#8a8f98",
}
PALETTE = ("#7e257e", "#d4266b", *COLOURS.values())  # of all other names, as far as free
WRONG = "#ece8e1"
UNPARSED = "#2b2d33"
LEGEND = "accuracy on one prompt, percent (bar: mean; diamond: the user prompt)"
LARGEST = 1000  # pixels a side of a map; beyond that neighbours are averaged
QUOTES = {'"': "&#34;", "'": "&#39;"}  # no text, even where it does no harm, reads like an attribute
NAME = 300  # characters of a prompt beside the pointer
PICTURES = ("svg", "png", "pdf")
POINTS = 200  # of a training curve, likewise


def colours(names: Iterable[str]) -> dict[str, str]:
    """Return a colour as ``#rrggbb`` for each method or model of a report, no two alike among eight.

    A method has its own. Of several runs (``RUN/method``) the first with a method has that method's.

    >>> colours(["a/base", "a/paft", "b/paft", "c"])
    {'a/base': '#8a8f98', 'a/paft': '#2691ef', 'b/paft': '#7e257e', 'c': '#d4266b'}
    """
    found: dict[str, str | None] = dict.fromkeys(names)
    for name in found:
        own = COLOURS.get(name.rpartition("/")[2])
        found[name] = None if own in found.values() else own
    free = cycle([each for each in PALETTE if each not in found.values()] or PALETTE)
    return {name: own or next(free) for name, own in found.items()}


@dataclass(frozen=True)
class Dots:
    """One line of dots.

    Attributes:
        name: What stands before it.
        values: Accuracies in [0, 1], a dot each; the bar is their mean.
        own: Accuracies under the user prompt, a diamond each.
        names: What each dot is, shown by a pointer on it; nothing is without them.
    """

    name: str
    values: Sequence[float]
    own: Sequence[float] = ()
    names: Sequence[str] = ()


def distribution_svg(results: Mapping[str, Any], *, width: float = 8, label: str = LEGEND) -> str:
    """Draw one dot per prompt and seed for every method, as SVG.

    Args:
        results: The content of ``results.json``.
        width: In inches; text keeps its size, so a small picture has relatively larger text.
        label: Below the axis.
    """
    lines = distribution(results)
    return _named(svg(_distribution_figure(results, lines, width, label)), lines)


def write_pictures(results: Mapping[str, Any], page: Path) -> None:
    """Write the dots of every method with a title, as SVG and PNG beside a report's page."""
    for ending in ("svg", "png"):
        write_picture(results, page.with_suffix(f".{ending}"), ending)


def write_picture(results: Mapping[str, Any], path: Path, format: str) -> None:
    """Write the dots of every method with a title.

    Args:
        results: The content of ``results.json``.
        path: The file.
        format: One of ``PICTURES``.
    """
    import matplotlib

    split = main_split(results)
    row = next(row for row in results["rows"] if row["split"] == split)
    lines = distribution(results)
    level = results.get("levels")
    legend = LEGEND if level is None else f"{LEGEND}\ndashed: {plain(level_in_words(level))}"
    figure = _distribution_figure(results, lines, 8, legend)
    each = f", {row['n_examples']} examples each" if row["n_examples"] else ""
    title = f"{results['task']}: {prompts_name(results, split, row['n_prompts'])}{each}"
    figure.axes[0].set_title(plain(title), loc="left")
    if format == "svg":
        write_text(path, _named(svg(figure), lines))
        return
    # Neither a date nor a version, so that the same results give the same file.
    metadata = {"Software": "PAFT"} if format == "png" else {"Creator": "PAFT", "CreationDate": None}

    def save(part: Path) -> None:
        with matplotlib.rc_context({"pdf.fonttype": 42}):
            figure.savefig(part, format=format, dpi=150, metadata=metadata)

    write_atomically(path, save)


def _distribution_figure(
    results: Mapping[str, Any], lines: Sequence[Dots], width: float, label: str
) -> Figure:
    """Draw the dots of every method, with a line at what needs no model."""
    figure = _dots_figure(lines, width, label)
    if results.get("levels") is not None:
        level = 100 * best_guess(results["levels"])
        figure.axes[0].axvline(level, color="#8a8f98", linestyle=(0, (4, 3)), linewidth=1, zorder=0.5)
    return figure


def distribution(results: Mapping[str, Any]) -> list[Dots]:
    """Return a line of dots for every method: a dot per prompt and seed, the user prompt's a diamond."""
    split = main_split(results)
    entries = [e for e in results["per_prompt"] if e["split"] in (split, "user")]
    return [
        Dots(
            method,
            [e["accuracy"] for e in entries if (e["method"], e["split"]) == (method, split)],
            [e["accuracy"] for e in entries if (e["method"], e["split"]) == (method, "user")],
            [e["prompt"] for e in entries if (e["method"], e["split"]) == (method, split)],
        )
        for method in dict.fromkeys(e["method"] for e in entries if e["split"] == split)
    ]


def dots_svg(lines: Sequence[Dots], *, width: float, label: str) -> str:
    """Draw lines of dots, the first on top, as SVG; arguments as of :func:`distribution_svg`."""
    return svg(_dots_figure(lines, width, label))


def _dots_figure(lines: Sequence[Dots], width: float, label: str) -> Figure:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, 0.9 + 0.8 * len(lines)), layout="constrained")
    draw_dots(figure.subplots(), lines, label)
    return figure


def draw_dots(axes: Axes, lines: Sequence[Dots], label: str) -> None:
    """Draw lines of dots on axes, the first on top; ``label`` goes below."""
    shades = colours(line.name for line in lines)
    for position, line in enumerate(lines):
        values = 100 * np.sort(line.values)
        shade = shades[line.name]
        offsets = 0.28 * np.sin(np.arange(len(values)) * 2.4)
        dots = axes.scatter(values, position + offsets, s=16, color=shade, alpha=0.55, linewidths=0)
        dots.set_gid(f"dots-{position}" if line.names else None)
        axes.plot([values.mean()] * 2, [position - 0.38, position + 0.38], color=shade, linewidth=2.5)
        own = [100 * value for value in line.own]
        axes.scatter(own, [position] * len(own), marker="D", s=34, facecolor="white", edgecolor=shade)
    axes.set_yticks(range(len(lines)), [plain(line.name) for line in lines])
    axes.set_ylim(len(lines) - 0.5, -0.5)
    axes.set_xlim(-2, 102)
    axes.set_xlabel(label)
    axes.grid(axis="x", color="#e3e5e8")
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)


def _named(picture: str, lines: Sequence[Dots]) -> str:
    """Give each dot of lines with names a title, which browsers show beside the pointer.

    The last line comes first: no title, whatever its text, stands before a line still to be found.
    """
    for position, line in reversed(list(enumerate(lines))):
        head, found, rest = picture.partition(f'<g id="dots-{position}"')
        dots, behind, tail = rest.partition('<g id="')
        order = np.argsort(line.values, kind="stable")
        titles = [f"{_glance(line.names[place])}: {100 * line.values[place]:.1f} %" for place in order]
        picture = head + found + _titled(dots, titles) + behind + tail
    return picture


def _titled(dots: str, titles: Sequence[str]) -> str:
    """Give each of a group of dots its title; none where they are not as many, as in other versions."""
    parts = re.split(r"(<use [^>]*/>)", dots)
    if len(parts) != 2 * len(titles) + 1:
        return dots
    for place, title in enumerate(titles):
        parts[2 * place + 1] = f"<g><title>{escape(title, QUOTES)}</title>{parts[2 * place + 1]}</g>"
    return "".join(parts)


def _glance(prompt: str) -> str:
    """Return a prompt on one line without invisible controls, cut to what fits beside a pointer."""
    line = "".join(letter if letter.isprintable() else "\ufffd" for letter in " ".join(prompt.split()))
    return line if len(line) <= NAME else f"{line[:NAME]} \u2026"


def curves_svg(
    curves: Mapping[str, Sequence[Sequence[tuple[int, float]]]],
    shades: Mapping[str, str],
    *,
    width: float,
    measure: str = "loss",
) -> str:
    """Draw the loss of every training run over its steps, as SVG.

    Args:
        curves: By method, one list of (optimiser step, loss) a seed.
        shades: Colour by method.
        width: In inches.
        measure: What stands in the place of the loss.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, 2.6), layout="constrained")
    axes = figure.subplots()
    for method, runs in curves.items():
        for place, run in enumerate(runs):
            parts = np.array_split(np.array(run, float), min(len(run), POINTS))
            steps, losses = np.array([part.mean(axis=0) for part in parts]).T
            axes.plot(
                steps,
                losses,
                color=shades[method],
                linewidth=1.6,
                alpha=0.85,
                marker="o",
                markersize=2,
                label=plain(method) if place == 0 else None,
            )
    if measure == "loss":
        axes.set_ylim(bottom=0)
    axes.set_xlabel("optimiser step")
    axes.set_ylabel(measure)
    axes.grid(axis="y", color="#e3e5e8")
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    return svg(figure)


def plain(name: str) -> str:
    """Return a name with what matplotlib would read as mathematics escaped."""
    return name.replace("$", r"\$")


def svg(figure: Figure) -> str:
    """Return a figure as SVG without date or random names, so the same results give the same text."""
    import matplotlib

    buffer = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": "paft", "svg.fonttype": "none"}):
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    text = buffer.getvalue()
    return text[text.index("<svg") :]


def heatmap(cells: Cells, shade: str, rows: np.ndarray, columns: np.ndarray) -> str:
    """Draw cells as a PNG in a data URI: one pixel a cell, scores averaged over seeds.

    From ``WRONG`` at score 0 to the method's colour at 1; ``UNPARSED`` where no answer could be
    read, transparent where a cell was not scored.

    Args:
        cells: P prompts x N examples.
        shade: ``#rrggbb`` of score 1.
        rows: Order of the prompts (P), top first.
        columns: Order of the examples (N), left first.
    """
    from matplotlib.colors import to_rgb
    from matplotlib.image import imsave

    scored = ~np.isnan(cells.scores)
    unreadable = (scored & ~cells.parsed).mean(axis=0, keepdims=True)[0]
    scores = np.nan_to_num(cells.scores).sum(axis=0) / np.maximum(1, scored.sum(axis=0))
    readable = np.clip(1 - scores - unreadable, 0, 1)
    parts = [(readable, WRONG), (scores, shade), (unreadable, UNPARSED)]
    mixed = sum(part[..., None] * np.array(to_rgb(end)) for part, end in parts)
    image = np.dstack([mixed, scored.any(axis=0)])
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
