"""``paft show``: the prompt of every step and the tokens of training sequences, before any training."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from paft.cli import options
from paft.cli.command import App
from paft.cli.terminal import say

if TYPE_CHECKING:
    from paft.experiment.inputs import Inputs
    from paft.prompt import Prompt

HELP = """See, before any training, what it will see.

Example: paft show tokens --task task.yaml --model HuggingFaceTB/SmolLM2-135M

Docs: docs/train.md
"""
show_app = App(help=HELP)


@show_app.command("schedule")
def show_schedule(
    config: options.Config = None,
    task: options.Task = None,
    data: options.Data = None,
    bank: options.Bank = None,
    model: options.Model = None,
    method: Annotated[
        str | None,
        typer.Option(help="The method whose prompts are shown; by default that of `paft train`."),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="Training seed; the configuration's first by default.", min=0)
    ] = None,
    limit: Annotated[int, typer.Option(help="Rows of a table at most; 0 for all.", min=0)] = 30,
    as_json: options.Json = False,
    set_: options.Set = None,
) -> None:
    """Show which prompt every optimiser step uses, and how often each prompt is used.

    Example: paft show schedule --task task.yaml --method paft

    Docs: docs/train.md
    """
    given = {
        **locals(),
        "methods": None if method is None else [method],
        "seeds": None if seed is None else [seed],
    }
    from rich.console import Console

    from paft.config import load_config
    from paft.experiment.inputs import load_inputs
    from paft.methods import METHODS, method_to_train
    from paft.train.schedule import make_schedule
    from paft.train.show import outline
    from paft.train.show_text import print_schedule, schedule_figures

    settings = load_config(config, options.overrides(given))
    method, seed = method_to_train(settings.methods), settings.seeds[0]
    inputs = load_inputs(settings, evaluate=False, methods=[method])
    train = METHODS[method].settings(settings.train)
    inputs = inputs.for_seed(seed)
    prompts = inputs.training_prompts(METHODS[method], train, seed=seed)
    schedule = make_schedule(train, len(prompts), seed=seed, examples=len(inputs.train))
    steps = -(-len(inputs.train) // train.batch_size)
    found = outline(
        schedule, length=train.rounds(steps), steps=steps, examples=len(inputs.train),
        spanned=train.grpo.spanned,
    )  # fmt: skip
    if as_json:
        head: dict[str, Any] = {"task": inputs.task.name, "bank_fingerprint": inputs.bank.fingerprint}
        head |= {"method": method, "seed": seed}
        figures = schedule_figures(found, prompts, train, steps)
        typer.echo(json.dumps(head | figures, indent=1, ensure_ascii=False))
        return
    console = Console()
    title = f"{inputs.task.name}: {method}, seed {seed}, {len(inputs.train)} training examples"
    say(console, title)
    print_schedule(console, found, prompts, train, steps, limit)


@show_app.command("tokens")
def show_tokens(
    config: options.Config = None,
    task: options.Task = None,
    data: options.Data = None,
    bank: options.Bank = None,
    model: options.Model = None,
    revision: options.Revision = None,
    trust_remote_code: options.Trust = None,
    chat: options.Chat = None,
    system: options.System = None,
    examples: Annotated[int, typer.Option(help="Training examples to show.", min=1)] = 3,
    prompt: Annotated[
        str | None,
        typer.Option(help="Id of the prompt; by default the user prompt, then those of the bank in turn."),
    ] = None,
    set_: options.Set = None,
) -> None:
    """Show training examples token by token: which are trained, which only read. Loads no weights.

    Example: paft show tokens --task task.yaml --model Qwen/Qwen3-0.6B --chat

    Docs: docs/train.md
    """
    given = locals()
    from rich.console import Console

    from paft.config import load_config
    from paft.experiment.inputs import encoder_of, load_inputs
    from paft.model.turns import default_system
    from paft.train.show_text import legend, print_tokens

    settings = load_config(config, options.overrides(given))
    inputs = load_inputs(settings, evaluate=False, methods=())
    chosen = _prompts(inputs, prompt)
    encoder = encoder_of(settings)
    console = Console()
    plain = console.no_color or not (console.is_terminal and console.color_system)
    told = f"model {settings.model}, chat {'on' if settings.chat.enabled else 'off'}, "
    told += f"at most {encoder.max_length} tokens"
    say(console, told)
    if settings.chat.enabled and settings.chat.system is None:
        own = default_system(encoder.tokenizer)
        say(console, "no system turn" if own is None else f"system turn, the template's own: {own!r}")
    console.print(legend(plain), soft_wrap=True)
    for at, example in enumerate(inputs.train[:examples]):
        place = inputs.task.place("train", example.index)
        print_tokens(console, encoder, example, chosen[at % len(chosen)], plain, place)


def _prompts(inputs: Inputs, wanted: str | None) -> list[Prompt]:
    """Return the prompts to show examples under, in turn."""
    from paft.errors import PromptError
    from paft.schema import nearest

    own = inputs.task.prompts
    if wanted is None:
        return [own[0], *(each for each in inputs.bank.require("train") if each.id != own[0].id)]
    known = [*own, *(each for prompts in inputs.bank.splits.values() for each in prompts)]
    found = [each for each in known if each.id == wanted]
    if not found:
        close = nearest(wanted, [each.id for each in known])
        hint = close if close.startswith(";") else "; `paft bank show` lists the ids"
        raise PromptError(f"--prompt {wanted!r} is neither in the bank nor the task's own{hint}")
    return found[:1]
