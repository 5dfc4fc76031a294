"""How commands show their help: options by group, in words instead of Python's types, summaries whole.

Beside that they say of an option that they do not have which setting it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from difflib import get_close_matches
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

# The groups of options, in the order of the help, by the names of parameters; all others come last.
_GROUPS = {
    "Data": "task data bank split train test validation columns field label matrix examples run",
    "Model": "trial model revision trust_remote_code adapter base any_base dtype chat system "
    "backend base_url api_key_env completions embeddings",
    "Training": "method methods seed seeds epochs lr batch_size resample_every max_steps lora_rank "
    "train_examples",
    "Evaluation": "test_examples budget budget_evals precision mean_only allow_code prompt prompt_id prompts",
    "Output": "output format json_ as_json",
}
_GROUP_OF = {name: group for group, names in _GROUPS.items() for name in names.split()}
# In the order of use; what is not named here comes last.
VERBS = ("init", "tasks", "bank", "run", "train", "evaluate", "predict", "try", "report", "export", "grid")
NEAR = 0.8  # how alike an option is in letters that is named beside the setting
_WORDS = {"str": "TEXT", "int": "N", "float": "NUMBER", "Path": "PATH", "path": "PATH"}
_UsageError: Any = typer.BadParameter.__base__  # which Typer does not name


class Command(TyperCommand):
    """A command whose help is as this module says."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _name_values(self.params)

    def get_short_help_str(self, limit: int = 45) -> str:
        """Return the first sentence whole; a list of commands breaks its lines."""
        return _first_paragraph(self.help)

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write arguments, then options by group."""
        _format_options(self, ctx, formatter)

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse; of an option that there is not, say which setting it is."""
        given = list(args)
        try:
            return list(super().parse_args(ctx, args))
        except _UsageError as error:
            hint = _hint(self, getattr(error, "option_name", ""), given)
            if hint and hasattr(error, "possibilities"):
                error.message += f": {hint}"
                near = get_close_matches(error.option_name, error.possibilities or (), cutoff=NEAR)
                error.possibilities = near or None
            raise


class Group(TyperGroup):
    """A group of commands in the order of use."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _name_values(self.params)

    def get_short_help_str(self, limit: int = 45) -> str:
        """Return the first sentence whole."""
        return _first_paragraph(self.help)

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names of the commands, verbs in the order of use."""
        names = super().list_commands(ctx)
        if self.name != "paft":
            return list(names)
        return sorted(names, key=lambda name: VERBS.index(name) if name in VERBS else len(VERBS))

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the commands, then the options."""
        self.format_commands(ctx, formatter)
        _format_options(self, ctx, formatter)


class App(typer.Typer):
    """An app of such commands."""

    def __init__(self, **kwargs: Any) -> None:
        # Rich help pages take as long to import as everything else together.
        super().__init__(cls=Group, no_args_is_help=True, rich_markup_mode=None, **kwargs)

    def command(self, name: str | None = None, **kwargs: Any) -> Callable[[Any], Any]:
        """Add a command."""
        return super().command(name, cls=Command, **kwargs)


def _name_values(params: Iterable[Any]) -> None:
    """Let the help say TEXT, not ``<str>``, and nothing behind the name of an argument."""
    for param in params:
        if getattr(param, "multiple", False) and "repeat" not in (param.help or ""):
            param.help = f"{param.help}  [repeatable]"
        if not hasattr(param, "display_type"):  # of Typer before 0.26, whose words are not Python's
            continue
        argument = param.param_type_name == "argument"
        if argument and param.metavar is None:
            param.metavar = param.name.upper()
        param.display_type = _no_type if argument else _worded(param.display_type)


def _no_type(ctx: Any) -> str:
    return ""


def _worded(displayed: Callable[[Any], str]) -> Callable[[Any], str]:
    def display_type(ctx: Any) -> str:
        word = displayed(ctx).strip("<>").removeprefix("list[").removesuffix("]").removesuffix(" range")
        return _WORDS.get(word, word)

    return display_type


def _first_paragraph(text: str | None) -> str:
    return " ".join((text or "").partition("\n\n")[0].split())


def _format_options(command: Any, ctx: Any, formatter: Any) -> None:
    rows: dict[str, list[tuple[str, str]]] = {name: [] for name in ("Arguments", *_GROUPS, "Options")}
    for param in command.get_params(ctx):
        record = param.get_help_record(ctx)
        if record is not None:
            group = _GROUP_OF.get(param.name, "Options")
            rows["Arguments" if param.param_type_name == "argument" else group].append(record)
    for group, records in rows.items():
        if records:
            with formatter.section(group):
                formatter.write_dl(records)


def _hint(command: Any, option: str, args: list[str]) -> str:
    """Return what to write for an option that the command does not have, '' if it is no setting."""
    from paft.cli.options import SETTINGS
    from paft.config import RunConfig
    from paft.experiment.evaluate_config import EvaluateConfig
    from paft.schema import find_setting

    own = {param.name: param.opts[0] for param in command.params}
    value = _value(option, args)
    for other in (option.removesuffix("s"), f"{option}s"):
        if other != option and other in own.values():
            return f"use {other}{value and ' ' + value}"
    model = EvaluateConfig if command.name == "evaluate" else RunConfig
    found = find_setting(model, option.lstrip("-").replace("-", "_")) if option.startswith("--") else None
    if found is None:
        return ""
    by_option = {SETTINGS[name]: flag for name, flag in own.items() if name in SETTINGS}
    keys = found.partition(" (")[0].split(" or ")
    ways = [f"{by_option[key]}{value and ' ' + value}" for key in keys if key in by_option]
    if "set_" in own:
        ways += [f"--set {key}={value or '...'}" for key in keys if key not in by_option]
    return f"use {' or '.join(ways)}" if ways else ""


def _value(option: str, args: list[str]) -> str:
    for at, arg in enumerate(args):
        name, _, value = arg.partition("=")
        if name == option:
            following = args[at + 1] if at + 1 < len(args) else ""
            return value or ("" if following.startswith("-") else following)
    return ""
