"""``paft config``: every setting with its type, default and meaning."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from paft.config_reference import Setting

HEAD = """# Configuration

Every key of the YAML files, with its type, default and meaning. Any of them can be given on the command line:
`--set train.epochs=2`. This page is the output of `paft config --markdown`.
"""


def config(
    key: Annotated[
        str | None, typer.Argument(help="Only keys that begin so, for instance train.adapt.", metavar="KEY")
    ] = None,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print a page in Markdown.")] = False,
) -> None:
    """Print every setting with its type, default and meaning.

    Example: paft config train.adapt

    Docs: docs/configuration.md
    """
    from paft.config_reference import as_markdown, as_text
    from paft.errors import ConfigError

    chosen = {
        title: [each for each in settings if each.key.startswith(key or "")]
        for title, settings in settings_by_verb().items()
    }
    if not any(chosen.values()):
        raise ConfigError(f"no setting begins with {key!r}: `paft config` lists all")
    if markdown:
        typer.echo(HEAD)
    parts = [
        f"## {title}\n\n{as_markdown(settings)}" if markdown else f"# {title}\n\n{as_text(settings)}"
        for title, settings in chosen.items()
        if settings
    ]
    typer.echo("\n\n".join(parts))


def settings_by_verb() -> dict[str, list[Setting]]:
    """Return the settings of the verbs; a key that ``paft run`` has too stands there alone."""
    from paft.config import RunConfig
    from paft.config_reference import list_settings
    from paft.experiment.evaluate_config import EvaluateConfig
    from paft.grid.file import GridFile

    run = list(list_settings(RunConfig))
    shared = {each.key for each in run} - {"output"}
    return {
        "`paft run` and `paft train`": run,
        "`paft evaluate`, beside those above that it shares": [
            each for each in list_settings(EvaluateConfig) if each.key not in shared
        ],
        "`paft grid`": list(list_settings(GridFile)),
    }
