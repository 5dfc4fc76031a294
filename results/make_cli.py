# python -m results.make_cli [--check]
"""Write docs/cli.md, the options of every command; ``--check`` fails when it is not current."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

PAGE = Path(__file__).parents[1] / "docs" / "cli.md"


def describe_commands() -> str:
    """Return the page that typer makes of the command line."""
    typer = [sys.executable, "-m", "typer", "paft.cli.main", "utils", "docs"]
    command = [*typer, "--name", "paft", "--title", "Commands"]
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=True)
    text = "\n".join(line.rstrip() for line in done.stdout.splitlines()).strip() + "\n"
    text = re.sub(r"docs/(\w+\.md)", r"[\1](\1)", text)
    return re.sub(r"^Example: (.*)$", r"Example: `\1`", text, flags=re.MULTILINE)


def main() -> None:
    """Write the page, or check it."""
    wanted = describe_commands()
    if "--check" not in sys.argv:
        PAGE.write_text(wanted, "utf-8")
    elif not PAGE.exists() or PAGE.read_text("utf-8") != wanted:
        raise SystemExit("docs/cli.md does not match the command line: run `make docs`")


if __name__ == "__main__":
    main()
