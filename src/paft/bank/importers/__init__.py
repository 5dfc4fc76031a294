"""Read prompts that others wrote.

:func:`read_candidates` keeps every row as it stands, repeats and invalid templates included, and says
what cannot be expressed as a template; :func:`import_prompts` is the strict reading built on it.

=============  ==============================================================================
format         what is read
=============  ==============================================================================
xlsx           a spreadsheet with a column ``text``, as the paper's banks
csv            a table with a column ``template``, ``text``, ``prompt`` or ``prompt template``
txt            a template a line
jsonl          an object a line with a key ``template``, ``text`` or ``prompt``
json           a list of templates, or of such objects
promptsource   ``templates.yaml``: Jinja templates tagged ``!Template``
nemo-skills    a prompt (``user: ...``), or a set that lists prompt files
=============  ==============================================================================

The paper's banks store every line break as the two characters backslash and n. Such escapes are
decoded once, here, so that training and evaluation see the same text: in spreadsheets and text
lines only, since the other formats have a notation of their own for a line break. LaTeX and paths
that begin like an escape stay as they are (:mod:`paft.bank.backslashes`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from paft.bank.foreign_yaml import load_yaml
from paft.bank.importers.candidate import Candidate, Imported, rename_placeholders
from paft.bank.importers.nemo_skills import is_nemo_skills, read_nemo_skills
from paft.bank.importers.promptsource import is_promptsource, read_promptsource
from paft.bank.importers.records import read_json_lines, read_json_list, read_lines
from paft.bank.importers.tables import read_csv, read_xlsx
from paft.errors import DataError, PromptError
from paft.prompt import Prompt

__all__ = ["FORMATS", "Candidate", "Imported", "import_prompts", "prompts_of", "read_candidates"]

SUFFIXES = {".xlsx": "xlsx", ".csv": "csv", ".txt": "txt", ".jsonl": "jsonl", ".json": "json"}
YAML_SUFFIXES = (".yaml", ".yml")
READERS: dict[str, Callable[[Path], Imported]] = {
    "xlsx": read_xlsx,
    "csv": read_csv,
    "txt": read_lines,
    "jsonl": read_json_lines,
    "json": read_json_list,
    "promptsource": read_promptsource,
    "nemo-skills": read_nemo_skills,
}
FORMATS = tuple(READERS)
APART = {
    "adversarial": "they are versions of test prompts",
    "final": "they are kept for one last look",
}


def read_candidates(
    path: str | Path, *, format: str | None = None, rename: Mapping[str, str] | None = None
) -> Imported:
    """Read every row of a file but blank ones as a candidate, repeats and invalid templates included.

    The format (one of ``FORMATS``) is found from the file's suffix and content by default. ``rename`` gives
    new names of placeholders by old ones.
    """
    path = Path(path)
    name = format if format is not None else _detect(path)
    if name not in READERS:
        raise DataError(f"cannot import {path}: unknown format {name!r} (known: {', '.join(FORMATS)})")
    imported = READERS[name](path)
    if not rename:
        return imported
    candidates = tuple(
        replace(item, template=rename_placeholders(item.template, rename)) for item in imported.candidates
    )
    return replace(imported, candidates=candidates)


def import_prompts(path: str | Path, *, to_split: bool = False) -> list[Prompt]:
    """Read a file all of whose rows are valid templates; the first row that is none is an error.

    With ``to_split`` also one that must be on neither side of a new split.

    Returns:
        Prompts in file order, exact repeats removed; provenance names file and row.
    """
    imported = read_candidates(path)
    for item in imported.candidates if to_split else ():
        apart = next((name for name in APART if name in (item.split, item.provenance.get("source"))), None)
        if apart is not None:
            raise PromptError(
                f"{item.where}: {apart} prompts take no part in a split, as {APART[apart]}: remove them from "
                "the file first"
            )
    if imported.skipped:
        first = imported.skipped[0]
        raise PromptError(
            f"{first.where}: cannot be expressed with plain {{field}} placeholders: it uses {first.reason} "
            f"({len(imported.skipped)} of {len(imported.candidates) + len(imported.skipped)} prompts in "
            "this file are like that); `paft bank import` (in Python `read_candidates`) takes the others"
        )
    if not imported.candidates:
        raise PromptError(f"{path} has no prompts")
    return prompts_of(imported.candidates)


def prompts_of(candidates: Iterable[Candidate]) -> list[Prompt]:
    """Make prompts of candidates, exact repeats removed; one that is no valid template is named."""
    prompts: dict[str, Prompt] = {}
    for item in candidates:
        try:
            prompt = Prompt(item.template, item.provenance)
        except PromptError as error:
            raise PromptError(f"{item.where}: {error}") from None
        prompts.setdefault(prompt.id, prompt)
    return list(prompts.values())


def _detect(path: Path) -> str:
    suffix = path.suffix.lower()
    if suffix in SUFFIXES:
        return SUFFIXES[suffix]
    if suffix in YAML_SUFFIXES:
        data = load_yaml(path)
        if is_promptsource(data):
            return "promptsource"
        if is_nemo_skills(data):
            return "nemo-skills"
        raise DataError(
            f"cannot import {path}: neither promptsource (`templates:` with entries that have `jinja:`) "
            "nor NeMo-Skills (`user:`, or a list of prompt files)"
        )
    known = ", ".join([*SUFFIXES, *YAML_SUFFIXES])
    raise DataError(
        f"cannot import {path}: unknown format (known: {known}); name the format if the suffix "
        f"does not tell it ({', '.join(FORMATS)})"
    )
