# python -m results.make_readme [--check]
"""Write README's figures from results/readme.md and the JSON files beside it, and docs/robustness.svg.

Text between ``<!-- results -->`` and ``<!-- /results -->`` in README.md is replaced; ``--check``
changes nothing and fails when README is not what they say.
"""

from __future__ import annotations

import sys
from itertools import chain

from paft.report.plot import Dots, dots_svg
from results.real_tables import real_table, real_texts
from results.sources import HERE, REAL, task_details
from results.text import fill

ROOT = HERE.parent
IN_PICTURE = ("base", "single", "per_example", "paft")
PICTURED = "snips"
START, END = "<!-- results -->\n", "<!-- /results -->"


def block() -> str:
    """Return what stands between the marks."""
    return fill((HERE / "readme.md").read_text("utf-8"), {**real_texts(), "real": real_table()})


def picture() -> str:
    """Return the accuracies of one task under every unseen prompt and seed, as SVG."""
    methods = task_details(PICTURED, REAL)["methods"]
    lines = [Dots(name, tuple(chain.from_iterable(methods[name]["accuracies"]))) for name in IN_PICTURE]
    return dots_svg(lines, width=8, label="accuracy under each unseen prompt and seed, percent")


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
