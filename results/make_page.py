# python -m results.make_page [--check]
"""Write docs/results.md and its picture from results/page.md and the JSON files beside it.

Whatever stands in double braces in page.md is a figure or a table made from JSON. ``--check`` changes
nothing and fails when the page is not what they give, or the picture is missing (pictures differ between
versions of matplotlib).
"""

from __future__ import annotations

import sys

from results.claims import claims_table
from results.figures import figures
from results.forest import forest
from results.sources import HERE
from results.tables import TABLES
from results.text import fill

DOCS = HERE.parent / "docs"
FIRST = "<!-- written by results/make_page.py from results/page.md and JSON: edit those, not this -->\n\n"


def page() -> str:
    """Return the page."""
    tables = {name: make() for name, make in TABLES.items()}
    template = (HERE / "page.md").read_text("utf-8")
    return FIRST + fill(template, {**figures(), **tables, "claims": claims_table()})


def main() -> None:
    """Write the page and its picture, or check them."""
    target, picture = DOCS / "results.md", DOCS / "results" / "forest.svg"
    wanted = page()
    if "--check" not in sys.argv:
        target.write_text(wanted, "utf-8")
        picture.write_text(forest(), "utf-8")
    elif not picture.exists() or target.read_text("utf-8") != wanted:
        raise SystemExit("docs/results.md does not match results/page.md and JSON: run `make results`")


if __name__ == "__main__":
    main()
