"""``paft export``: what a run trained, ready to serve or to publish."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer


def export(
    source: Annotated[
        Path,
        typer.Argument(
            help="Output folder of a run, or a folder of adapter or model.", metavar="RUN_OR_ADAPTER"
        ),
    ],
    output: Annotated[Path, typer.Option(help="Folder to write; must not be there yet.")],
    trial: Annotated[
        str | None,
        typer.Option(
            help="Which trial of a run, say paft-1, or single if of one seed; by default the bank's method."
        ),
    ] = None,
    merge: Annotated[
        bool, typer.Option("--merge", help="Merge the adapter into its base: one whole model.")
    ] = False,
    dtype: Annotated[
        Literal["float32", "bfloat16", "float16"] | None,
        typer.Option(help="Type of a whole model's weights; the base's own by default."),
    ] = None,
    base: Annotated[
        str | None, typer.Option(help="Base model of the adapter; by default the one that it names.")
    ] = None,
    gguf: Annotated[
        bool,
        typer.Option("--gguf", help="Print the commands that take a whole model to llama.cpp and Ollama."),
    ] = False,
    push_to_hub: Annotated[
        str | None,
        typer.Option(
            metavar="REPO", help="Upload to owner/name on the Hugging Face Hub too; by default not."
        ),
    ] = None,
    private: Annotated[
        bool, typer.Option("--private", help="Make the repository private if it is new.")
    ] = False,
    any_base: Annotated[
        bool, typer.Option("--any-base", help="Take another base than the adapter was tuned on too.")
    ] = False,
    trust_remote_code: Annotated[
        bool, typer.Option("--trust-remote-code", help="Run code in the model's folder, to load it.")
    ] = False,
) -> None:
    """Write a trained adapter, or with --merge one whole model, to a folder of its own.

    Example: paft export runs/routing --output model --merge

    Docs: docs/train.md
    """
    from paft.errors import ConfigError
    from paft.experiment.export import export as write
    from paft.experiment.export import find_weights, gguf_commands
    from paft.model.adapter import CONFIG
    from paft.progress import quiet_libraries

    quiet_libraries()
    if private and push_to_hub is None:
        raise ConfigError("--private is of a repository on the Hub: give --push-to-hub too")
    if gguf and not merge and (find_weights(source, trial) / CONFIG).exists():
        raise ConfigError("--gguf is for whole models, and this is an adapter: add --merge")
    done = write(
        source, output, trial=trial, merge=merge, dtype=dtype, base=base,
        push_to=push_to_hub, private=private, any_base=any_base, trust_remote_code=trust_remote_code,
    )  # fmt: skip
    if done.warning is not None:
        typer.echo(f"warning: {done.warning}", err=True)
    what = "model" if done.whole else "adapter"
    typer.echo(f"{output}: {what} of {done.source}")
    if done.difference is not None:
        typer.echo(
            f"merged in float32; its logits differ from the adapter's by at most {done.difference:.1e}"
        )
    if done.url is not None:
        typer.echo(f"pushed to {done.url}")
    if gguf:
        typer.echo("To serve it with Ollama or llama.cpp (a checkout of llama.cpp beside you):")
        for command in gguf_commands(output):
            typer.echo(f"  {command}")
