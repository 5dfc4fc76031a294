# python -m results.make_page [--check]
"""Write docs/results.md and its pictures from results/page.md and the JSON files beside it.

Whatever stands in double braces in page.md is a figure or a table made from JSON. ``--check`` changes
nothing and fails when the page is not what they give, or a picture is missing (pictures differ between
versions of matplotlib).
"""

from __future__ import annotations

import sys

from results.claims import claims_table
from results.figures import figures
from results.forest import forest
from results.grpo_tables import GRPO_TABLES, grpo_texts
from results.real_tables import REAL_TABLES, real_texts
from results.sources import DETAILS, HERE, REAL, read
from results.tables import TABLES
from results.text import fill

DOCS = HERE.parent / "docs"
PICTURES = ("forest.svg", "real.svg")
FIRST = "<!-- written by results/make_page.py from results/page.md and JSON: edit those, not this -->\n\n"


def page() -> str:
    """Return the page."""
    tables = {name: make() for name, make in {**TABLES, **REAL_TABLES, **GRPO_TABLES}.items()}
    template = (HERE / "page.md").read_text("utf-8")
    return FIRST + fill(
        template, {**figures(), **real_texts(), **grpo_texts(), **tables, "claims": claims_table()}
    )


def main() -> None:
    """Write the page and its pictures, or check them."""
    target, folder = DOCS / "results.md", DOCS / "results"
    wanted = page()
    if "--check" not in sys.argv:
        target.write_text(wanted, "utf-8")
        (folder / "forest.svg").write_text(forest(read(DETAILS)["tasks"]), "utf-8")
        (folder / "real.svg").write_text(forest(read(REAL)["tasks"], height=4.2), "utf-8")
    elif target.read_text("utf-8") != wanted or not all((folder / name).exists() for name in PICTURES):
        raise SystemExit("docs/results.md does not match results/page.md and JSON: run `make results`")


if __name__ == "__main__":
    main()
