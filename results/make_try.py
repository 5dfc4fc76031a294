# python -m results.make_try RUN TEXT [--output docs/try.svg]
"""Write the picture of the terminal in the docs: what ``paft try`` prints for one input to a run.

The published one is of ``paft run`` without options and of the test message "This is my second message. I
have two logins, can they be merged into one? Thanks!", picked because the methods differ on it.
"""

from __future__ import annotations

import argparse
import re
from io import StringIO
from pathlib import Path

from rich.console import Console

from paft.experiment.side_by_side import try_run
from paft.files import write_text
from paft.report.answers_table import LEGEND, answers_table

WIDTH = 80  # columns


def main() -> None:
    """Write the picture."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path, help="folder of a finished run")
    parser.add_argument("text", help="text of the task's only field")
    parser.add_argument("--output", type=Path, default=Path("docs/try.svg"))
    parser.add_argument("--prompts", type=int, default=4, help="unseen prompts")
    options = parser.parse_args()
    side = try_run(options.run, options.prompts)
    (field,) = side.task.fields
    (answers,) = side.answer([{field: options.text}])
    console = Console(record=True, width=WIDTH, file=StringIO(), color_system="truecolor")
    console.print(f"$ paft try RUN '{options.text}'", style="bold", highlight=False, markup=False)
    console.print(answers_table([(shown.kind, shown.prompt.template) for shown in side.prompts], answers))
    console.print(LEGEND, highlight=False, markup=False)
    options.output.parent.mkdir(parents=True, exist_ok=True)
    svg = console.export_svg(title="paft try", unique_id="try")
    write_text(
        options.output, re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)
    )  # fonts of elsewhere


if __name__ == "__main__":
    main()
