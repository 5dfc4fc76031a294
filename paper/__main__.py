"""``python -m paper KIND GRID``: a table or figure of the paper, the paper's figures beside ours."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from paft.errors import PaftError
from paper.report import KINDS, make_exhibit, write_exhibit

Kind = Enum("Kind", {kind: kind for kind in KINDS}, type=str)  # type: ignore[misc]


def main(
    kind: Annotated[Kind, typer.Argument(help="Table or figure of the paper.")],
    grid: Annotated[Path, typer.Argument(help="Output folder of `paft grid`.")],
    output: Annotated[Path | None, typer.Option(help="Folder to write to; GRID/paper if not given.")] = None,
) -> None:
    """Write a table or figure of the paper as Markdown, SVG, PNG and JSON."""
    try:
        for path in write_exhibit(make_exhibit(kind.value, grid), output or grid / "paper"):
            typer.echo(f"{path} written")
    except PaftError as error:
        typer.echo(f"Error: {error}", err=True)
        raise typer.Exit(1) from None


if __name__ == "__main__":
    typer.run(main)
