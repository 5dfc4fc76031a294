# python -m results.make_readme [--check]
"""Write README's figures from results/readme.md and the JSON files beside it, and docs/robustness.svg.

Text between ``<!-- results -->`` and ``<!-- /results -->`` in README.md is replaced; ``--check``
changes nothing and fails when README is not what they say.
"""

from __future__ import annotations

import sys

from paft.report.plot import Dots, dots_svg
from paper.exhibit import read_exhibit
from results.figures import figures
from results.sources import HERE, MAIN
from results.tables import readme_table
from results.text import fill

ROOT = HERE.parent
IN_PICTURE = ("base", "single", "top_accuracy", "paft", "augmented")
PICTURED = "snips"
START, END = "<!-- results -->\n", "<!-- /results -->"


def block() -> str:
    """Return what stands between the marks."""
    return fill((HERE / "readme.md").read_text("utf-8"), {**figures(), "readme table": readme_table()})


def picture() -> str:
    """Return the accuracies of one task under every unseen prompt and seed, as SVG."""
    panel = next(panel for panel in read_exhibit(HERE / MAIN).panels if panel.title == PICTURED)
    lines = [Dots(series.name, series.y) for series in panel.series if series.name in IN_PICTURE]
    return dots_svg(lines, width=8, label=panel.x_label)


def main() -> None:
    """Rewrite README and picture, or check README."""
    readme = ROOT / "README.md"
    text = readme.read_text("utf-8")
    before, rest = text.split(START)
    wanted = before + START + block() + END + rest.split(END)[1]
    if "--check" not in sys.argv:
        readme.write_text(wanted, "utf-8")
        (ROOT / "docs" / "robustness.svg").write_text(picture(), "utf-8")
    elif text != wanted:
        raise SystemExit("README.md does not match results/readme.md and JSON: run `make results`")


if __name__ == "__main__":
    main()
