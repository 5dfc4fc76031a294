"""``paft bank``: compose, generate, import, screen, split, audit, show, diversity, export."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from paft.cli import options
from paft.cli.command import App
from paft.cli.terminal import EXIT_FAILED, say

if TYPE_CHECKING:
    from paft.bank.importers import Candidate, Imported
    from paft.bank.screen import Screened
    from paft.bank.store import Bank
    from paft.prompt import Prompt
    from paft.task.task import Split, Task

HELP = """Banks of prompts: write, import, screen, split, audit, show, export.

Example: paft bank compose --task task.yaml --output bank.jsonl

Docs: docs/bank.md
"""
bank_app = App(help=HELP)

IN_TEXT = r" A .txt has one a line, in which \n is a line break."
Seed = Annotated[int, typer.Option(help="Seed of the shuffle.")]


@bank_app.command("compose")
def bank_compose(
    task: options.TaskName,
    output: options.BankOutput,
    count: Annotated[int, typer.Option(help="Prompts of all splits together.", min=2, max=2000)] = 250,
    test: Annotated[
        int | None,
        typer.Option(help="Unseen prompts among them; by default 1 for 8 seen.", min=1),
    ] = None,
    validation: Annotated[
        int | None, typer.Option(help="Validation prompts among them; 4 % by default.", min=0)
    ] = None,
    options_share: Annotated[
        float | None,
        typer.Option(help="Share that lists the options; 0.3 by default, 0 for a long list.", min=0, max=1),
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the grammar and of the split.")] = 0,
) -> None:
    """Compose a bank from the task file by a grammar, with no language model; split it.

    Example: paft bank compose --task task.yaml --output bank.jsonl

    Docs: docs/bank.md
    """
    from paft.bank.compose.composed_bank import compose_bank
    from paft.errors import PromptError
    from paft.task.task import load_task

    if output.exists():
        raise PromptError(f"{output} exists and is not overwritten: choose another --output, or delete it")
    composed = compose_bank(
        load_task(task), count=count, seed=seed, options_share=options_share, test=test, validation=validation
    )
    _save_left_out(composed.screened, output)
    _save(composed.bank, output)


@bank_app.command("generate")
def bank_generate(
    task: options.TaskName,
    generators: Annotated[Path, typer.Option(help="YAML file that lists the language models.")],
    output: options.BankOutput,
    max_tokens_total: Annotated[
        int | None,
        typer.Option(help="Start no call once so many tokens are used; no limit by default.", min=1),
    ] = None,
    max_cost: Annotated[
        float | None,
        typer.Option(help="Start no call once so many US dollars are spent; no limit by default.", min=0),
    ] = None,
    embeddings: options.Embeddings = None,
    size: options.Size = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show meta-prompts and plan; call nobody.")
    ] = False,
) -> None:
    """Let language models write prompts; keep the good and distinct ones.

    Example: paft bank generate --task task.yaml --generators llms.yaml --output all.jsonl

    Docs: docs/bank.md
    """
    from rich.console import Console

    from paft.bank.generate.calls import dry_run as describe
    from paft.bank.generate.generators import Generators
    from paft.bank.generate.live import LiveCalls, remarks, tally_table
    from paft.bank.generate.request_log import request_log_path
    from paft.bank.generate.run import generate
    from paft.errors import PromptError
    from paft.task.task import load_task

    wanted, target = Generators.from_yaml(generators), load_task(task)
    if dry_run:
        typer.echo(describe(target, wanted))
        return
    console = Console()
    with LiveCalls(console, target, wanted) as live:
        made = generate(
            target, wanted, output, reporter=live, max_tokens_total=max_tokens_total, max_cost=max_cost
        )
    screened = _screen(made.candidates, target, embeddings, size)
    console.print(tally_table(made, screened))
    for remark in remarks(made, screened):
        typer.echo(remark)
    for name, why in made.failures.items():
        typer.echo(f"generator {name} failed: {why}", err=True)
    if made.stopped:
        typer.echo(f"stopped: {made.stopped}")
    if not made.candidates:
        log = request_log_path(output)
        raise PromptError(f"no reply holds a template, so {output} is not written: the replies are in {log}")
    _save_screened(screened, output)
    if not made.complete:
        typer.echo("the plan is not complete; run the same command again to go on")
        raise typer.Exit(EXIT_FAILED)


@bank_app.command("import")
def bank_import(
    output: options.BankOutput,
    train: Annotated[
        list[Path] | None,
        typer.Option(help="Seen prompts: xlsx, csv, txt, jsonl, json, promptsource or NeMo-Skills YAML."),
    ] = None,
    test: Annotated[list[Path] | None, typer.Option(help="Unseen prompts.")] = None,
    validation: Annotated[list[Path] | None, typer.Option(help="Validation prompts.")] = None,
    format: Annotated[
        str | None, typer.Option(help="The files' format; by default as name and content tell.")
    ] = None,
    rename: Annotated[list[str] | None, typer.Option(help="Placeholder old=new (repeatable).")] = None,
) -> None:
    """Import prompts that others wrote, for instance the paper's spreadsheets.

    Example: paft bank import --train seen.xlsx --test unseen.xlsx --output bank.jsonl

    Docs: docs/bank.md
    """
    from paft.bank import Bank, near_duplicates_across, near_warnings
    from paft.bank.importers import prompts_of, read_candidates
    from paft.errors import ConfigError

    names = dict(options.name_and_value(item, "--rename") for item in rename or [])
    files = {"train": train or [], "validation": validation or [], "test": test or []}
    splits: dict[str, tuple[Prompt, ...]] = {}
    for split, paths in files.items():
        candidates: list[Candidate] = []
        for path in paths:
            read = read_candidates(path, format=format, rename=names)
            candidates += read.candidates
            _tell_skipped(read)
        prompts = prompts_of(candidates)
        if len(prompts) < len(candidates):
            typer.echo(f"{split}: {len(candidates) - len(prompts)} exact repeats left out")
        if others := {each.split for each in candidates if each.split} - {split}:
            told = ", ".join(sorted(others))
            typer.echo(f"note: {split} now has prompts that are of other splits in their files: {told}")
        if prompts:
            splits[split] = tuple(prompts)
    bank = Bank(splits)
    used = {name for prompt in bank for name in prompt.placeholders}
    if idle := [old for old, new in names.items() if new not in used]:
        raise ConfigError(f"--rename {idle[0]}={names[idle[0]]}: no prompt has {{{idle[0]}}}")
    near = near_duplicates_across(bank)
    _save(bank, output)
    for warning in near_warnings(bank, near):
        typer.echo(f"note: {warning}; `paft bank split` makes a split without any")


@bank_app.command("screen")
def bank_screen(
    source: Annotated[Path, typer.Argument(help="Candidates in any format `import` reads." + IN_TEXT)],
    task: options.TaskName,
    output: options.BankOutput,
    skip: Annotated[list[str] | None, typer.Option(help="Reason not to look for (repeatable).")] = None,
    embeddings: options.Embeddings = None,
    size: options.Size = None,
) -> None:
    """Keep the good and distinct prompts; write the others with their reasons.

    Example: paft bank screen prompts.txt --task task.yaml --output good.jsonl

    Docs: docs/bank.md
    """
    from paft.bank.importers import read_candidates
    from paft.bank.importers.records import broken_prompts
    from paft.task.task import load_task

    read = read_candidates(source)
    candidates, target = [(c.template, c.provenance) for c in read.candidates], load_task(task)
    screened = _screen(candidates, target, embeddings, size, skip or ())
    _tell_skipped(read)
    if source.suffix.lower() == ".txt":
        for hint in broken_prompts(read.candidates, target.required):
            typer.echo(f"note: {source}: {hint}")
    _save_screened(screened, output)


@bank_app.command("split")
def bank_split(
    sources: Annotated[list[Path], typer.Argument(help="Prompts in any format `import` reads." + IN_TEXT)],
    output: options.BankOutput,
    test: Annotated[int | None, typer.Option(help="Unseen prompts, or --ratio; no default.", min=1)] = None,
    ratio: Annotated[str | None, typer.Option(help="Seen to unseen, say 8:1, or --test; no default.")] = None,
    validation: Annotated[int, typer.Option(help="Number of validation prompts.", min=0)] = 0,
    hold_out: Annotated[
        list[str] | None,
        typer.Option(
            help="Keep all prompts unseen that have generator=NAME, strategy=few-shot ... (repeatable)."
        ),
    ] = None,
    human_to_test: Annotated[bool, typer.Option(help="Keep prompts written by people unseen.")] = False,
    adversarial: Annotated[
        int, typer.Option(help="Number of adversarial versions of test prompts; needs --task.", min=0)
    ] = 0,
    reword: Annotated[
        Path | None,
        typer.Option(
            help="Generators file: its models reword half of the adversarial prompts; none by default."
        ),
    ] = None,
    task: options.MaybeTask = None,
    seed: Seed = 0,
) -> None:
    """Split prompts into seen and unseen; near duplicates never straddle.

    Example: paft bank split good.jsonl --test 20 --output bank.jsonl

    Docs: docs/bank.md
    """
    from paft.bank import split_prompts
    from paft.bank.importers import import_prompts
    from paft.bank.split import FEW_TEST, counts_of, written_by

    if (test is None) == (ratio is None):
        raise typer.BadParameter("give either --test 50 or --ratio 8:1")
    if adversarial and task is None:
        raise typer.BadParameter(
            "adversarial versions keep a task's labels: give --task", param_hint="--adversarial"
        )
    if reword is not None and not adversarial:
        raise typer.BadParameter("it is for --adversarial: give that too", param_hint="--reword")
    prompts = list({p.id: p for source in sources for p in import_prompts(source, to_split=True)}.values())
    held = [options.name_and_value(item, "--hold-out") for item in hold_out or []]
    bank = split_prompts(
        prompts,
        test=test or counts_of(ratio or "8:1", len(prompts) - validation),
        validation=validation,
        seed=seed,
        hold_out=written_by(held, human=human_to_test) if held or human_to_test else None,
    )
    if adversarial and task is not None:
        bank = _with_adversarial(bank, task, adversarial, seed, reword)
    _save(bank, output)
    if (unseen := len(bank.prompts("test"))) < FEW_TEST:
        todo = f"write more prompts, or keep more of them unseen (--test {FEW_TEST})"
        typer.echo(f"note: few unseen prompts ({unseen}) say little of how answers vary: {todo}")


@bank_app.command("audit")
def bank_audit(
    file: Annotated[
        Path, typer.Argument(help="File of prompts in any format `import` reads, or a folder of them.")
    ],
    against: Annotated[
        Path | None, typer.Option(help="Second file, whose prompts should be unseen; none by default.")
    ] = None,
    task: options.MaybeTask = None,
    as_json: options.Json = False,
    strict: Annotated[bool, typer.Option(help="Exit with code 1 if there are errors.")] = False,
) -> None:
    """Find defects, duplicates and leaks; the file is only read.

    Example: paft bank audit bank.jsonl --task task.yaml

    Docs: docs/bank.md
    """
    from rich.console import Console

    from paft.bank.audit import audit_paths, audit_table, worst_rows
    from paft.task.task import load_task

    audits = audit_paths(file, against, load_task(task) if task is not None else None)
    if as_json:
        typer.echo(json.dumps([audit.to_json() for audit in audits], ensure_ascii=False, indent=1))
    else:
        console = Console()
        console.print(audit_table(audits))
        for line in worst_rows(audits):
            say(console, line)
    if strict and any(audit.errors for audit in audits):
        raise typer.Exit(EXIT_FAILED)


@bank_app.command("show")
def bank_show(
    bank: options.BankFile,
    split: Annotated[str | None, typer.Option(help="Only this split; by default all.")] = None,
    grep: Annotated[str | None, typer.Option(help="Only prompts with this text; by default all.")] = None,
    where: Annotated[
        list[str] | None, typer.Option(help="Only prompts with this provenance: writer=terse (repeatable).")
    ] = None,
    task: options.MaybeTask = None,
    data: options.Data = None,
    example: Annotated[
        int | None,
        typer.Option(help="With --task: the test (else training) example to fill in; 0 by default.", min=0),
    ] = None,
    limit: Annotated[int, typer.Option(help="Prompts at most; 0 for all.", min=0)] = 0,
) -> None:
    """Page through prompts; with a task, filled in with a real example.

    Example: paft bank show bank.jsonl --split test --task task.yaml

    Docs: docs/bank.md
    """
    from rich.console import Console

    from paft.bank import load_bank
    from paft.bank.split import written_by
    from paft.errors import ConfigError

    found = load_bank(bank)
    chosen = [(name, p) for name in ([split] if split else found.splits) for p in found.require(name)]
    for item in where or []:
        matches = written_by([options.name_and_value(item, "--where")])
        chosen = [(name, prompt) for name, prompt in chosen if matches(prompt)]
    chosen = [(name, p) for name, p in chosen if grep is None or grep.casefold() in p.template.casefold()]
    target = options.load_given_task(task, data)
    if target is None and example is not None:
        raise ConfigError("--example fills prompts in with a row of a task: give --task too")
    values = None if target is None else _example_values(target, example or 0)
    blocks = []
    for name, prompt in chosen[: limit or None]:
        told = ", ".join(f"{key} {value}" for key, value in prompt.provenance.items())
        body = prompt.template if values is None else prompt.render(values)
        blocks.append(f"--- {prompt.id} ({name}{'; ' + told if told else ''})\n{body}\n")
    text = "\n".join(blocks) + f"\n{len(blocks)} of {sum(map(len, found.splits.values()))} prompts shown"
    console = Console()
    if console.is_terminal and text.count("\n") >= console.height:
        with console.pager():
            say(console, text)
    else:
        typer.echo(text)


@bank_app.command("diversity")
def bank_diversity(
    bank: Annotated[Path, typer.Argument(help="Bank file (JSONL) with train and test splits.")],
    output: Annotated[
        Path, typer.Option(help="Picture (.svg or .png), its figures in .json beside it.", dir_okay=False)
    ],
    embeddings: options.Embeddings = None,
    seed: Seed = 0,
) -> None:
    """Measure how varied the prompts are and how far the unseen are from the seen.

    Example: paft bank diversity bank.jsonl --output diversity.svg

    Docs: docs/bank.md
    """
    from paft.bank import load_bank
    from paft.bank.diversity import diversity_of, sentence_embedder, write_diversity

    embed = sentence_embedder(embeddings) if embeddings else None
    measured = diversity_of(load_bank(bank), embed, embeddings, seed=seed)
    write_diversity(measured, output)
    for split, spread in measured["spread"].items():
        typer.echo(
            f"{split}: mean distance {spread['mean_distance']:.3f}, "
            f"to the nearest {spread['nearest_distance']:.3f}"
        )
    between = measured["train_test"]
    typer.echo(
        f"train against test: MMD² {between['mmd2']:.5f}, 95 % of random splits are below "
        f"{between['floor_95']:.5f} (p = {between['p_value']:.3f})"
    )
    typer.echo(f"{output} and {output.with_suffix('.json')} written")


@bank_app.command("export")
def bank_export(
    bank: options.BankFile,
    output: Annotated[Path, typer.Option(help="File or folder to write.")],
    format: Annotated[str, typer.Option(help="jsonl, csv, dataset, lm-eval or promptfoo.")],
    task: options.MaybeTask = None,
    data: options.Data = None,
    split: Annotated[
        str | None, typer.Option(help="Split that lm-eval and promptfoo get; test by default.")
    ] = None,
    provider: Annotated[
        str | None,
        typer.Option(help="The model that promptfoo asks, say openai:gpt-4o; none by default."),
    ] = None,
) -> None:
    """Write a bank in a format other tools read.

    Example: paft bank export bank.jsonl --format csv --output prompts.csv

    Docs: docs/bank.md
    """
    from paft.bank import load_bank
    from paft.bank.exporters import export_bank

    target = options.load_given_task(task, data)
    export_bank(load_bank(bank), output, format, task=target, split=split, provider=provider)
    typer.echo(f"{output} written")


def _tell_skipped(read: Imported) -> None:
    for skipped in read.skipped:
        typer.echo(f"left out: {skipped.where}: it uses {skipped.reason}")


def _screen(
    candidates: Sequence[tuple[str, Any]],
    task: Task,
    embeddings: str | None,
    size: int | None,
    skip: Sequence[str] = (),
) -> Screened:
    from paft.bank.diversity import sentence_embedder
    from paft.bank.screen import check_reasons, screen, vary

    check_reasons(skip)
    embed = sentence_embedder(embeddings) if embeddings else None
    screened = screen(candidates, task, known=task.prompts, skip=skip, embed=embed)
    return screened if size is None else vary(screened, size, embed)


def _save_screened(screened: Screened, output: Path) -> None:
    """Write kept prompts as an unsplit bank and the others beside it."""
    from paft.bank import Bank
    from paft.errors import PromptError

    others = _save_left_out(screened, output)
    if not screened.kept:
        raise PromptError(f"no candidate was kept, so {output} is not written: {others} says why")
    _save(Bank({"train": screened.kept}), output)


def _save_left_out(screened: Screened, output: Path) -> Path:
    """Write the prompts that are not in a bank beside it, with their reasons."""
    path = output.with_suffix(".rejected.jsonl")
    screened.save_rejected(path)
    for line in screened.counted():
        typer.echo(line)
    typer.echo(f"{path}: the {len(screened.rejected)} left out, each with its reason")
    return path


def _with_adversarial(bank: Bank, task: str, count: int, seed: int, generators: Path | None) -> Bank:
    from paft.bank import Bank
    from paft.bank.adversarial import adversarial_prompts
    from paft.bank.generate.generators import Generators
    from paft.bank.generate.reword import reword
    from paft.task.task import load_task

    target, unseen = load_task(task), bank.require("test")
    versions: list[Prompt] = []
    if generators is not None:
        seen = [*bank.prompts("train"), *bank.prompts("validation")]
        wanted = count // 2
        versions = reword(unseen, target, Generators.from_yaml(generators), wanted, known=seen, seed=seed)
        typer.echo(f"reworded by language models: {len(versions)} of {wanted}; the rest are spoilt by rule")
    versions += adversarial_prompts(unseen, target, count - len(versions), seed)
    return Bank({**bank.splits, "adversarial": tuple(versions)})


def _save(bank: Bank, output: Path) -> None:
    bank.save(output)
    counts = ", ".join(f"{len(prompts)} {split}" for split, prompts in bank.splits.items())
    typer.echo(f"{output}: {counts} prompts, fingerprint {bank.fingerprint}")


def _example_values(target: Task, index: int) -> dict[str, str]:
    split: Split = "test" if target.data.test or target.data.test_share else "train"
    examples = target.examples(split)
    if index >= len(examples):
        raise typer.BadParameter(
            f"the {split} split has examples 0 to {len(examples) - 1}", param_hint="--example"
        )
    return examples[index].values
