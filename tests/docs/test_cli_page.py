"""docs/cli.md is what the command line says of itself."""

from __future__ import annotations

from results.make_cli import PAGE, describe_commands


def test_page_is_current() -> None:
    assert PAGE.read_text("utf-8") == describe_commands(), "run `make docs`"
