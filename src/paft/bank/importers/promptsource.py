"""promptsource: a ``templates.yaml`` of a dataset, entries tagged ``!Template`` that hold Jinja.

The part before ``|||`` is the prompt. A template whose prompt part is made of plain fields becomes a
candidate; the others are returned with the reason. The answer part and the answer choices belong to
the task, not to a prompt; the choices are kept as provenance.

The Jinja is parsed, never rendered. ``{{ field }}`` becomes ``{field}``, literal braces are doubled,
and a quoted string ``{{ "..." }}`` is literal text. Everything else Jinja can do (attributes,
indices, filters, calls, conditions, loops) has no counterpart and is named as the reason.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paft.bank.foreign_yaml import load_yaml
from paft.bank.importers.candidate import Candidate, Imported, Skipped, candidate
from paft.errors import DataError
from paft.prompt import unparse

if TYPE_CHECKING:
    from jinja2 import nodes

KEPT = ("answer_choices", "reference")
NO_VALUE = ("", "null", "~")  # spellings of an absent value, which the loader leaves as text
NO_FIELD = "answer_choices"
SEPARATOR = "|||"  # promptsource: what stands before it is the prompt, after it the answer
REASONS = {
    "Getattr": "attribute access",
    "Getitem": "indexing",
    "Filter": "a filter",
    "Call": "a call",
    "If": "a condition",
    "CondExpr": "a condition",
    "For": "a loop",
    "Assign": "an assignment",
    "AssignBlock": "an assignment",
    "Concat": "an expression",
}


def is_promptsource(data: Any) -> bool:
    """Whether YAML content is a set of promptsource templates."""
    entries = data.get("templates") if isinstance(data, dict) else None
    return isinstance(entries, dict) and all(
        isinstance(entry, dict) and isinstance(entry.get("jinja"), str) for entry in entries.values()
    )


def read_promptsource(path: Path) -> Imported:
    """Read a ``templates.yaml``."""
    data = load_yaml(path)
    if not is_promptsource(data):
        raise DataError(f"{path}: expected `templates:` with entries that have `jinja:`, as promptsource has")
    candidates: list[Candidate] = []
    skipped: list[Skipped] = []
    for key, entry in data["templates"].items():
        name = str(entry.get("name") or key)
        where = f"{path} template {name!r}"
        try:
            template = template_of(entry["jinja"])
        except NotPlainError as error:
            skipped.append(Skipped(where, str(error)))
            continue
        candidates.append(candidate(path.name, template, name, where, _provenance(data, entry)))
    return Imported(tuple(candidates), tuple(skipped))


def _provenance(data: Mapping[str, Any], entry: Mapping[str, Any]) -> dict[str, Any]:
    found = {key: entry[key] for key in KEPT if entry.get(key, "") not in NO_VALUE}
    dataset = [data[key] for key in ("dataset", "subset") if isinstance(data.get(key), str)]
    return {**found, "dataset": "/".join(dataset)} if dataset else found


class NotPlainError(ValueError):
    """A Jinja text uses more than plain fields; the message says what."""


def template_of(source: str) -> str:
    """Return the template that a Jinja text's part before ``|||`` is, stripped of outer white space.

    Raises:
        NotPlainError: If it is more than plain fields.
    """
    from jinja2 import Environment, TemplateError, nodes

    try:
        body = Environment(keep_trailing_newline=True).parse(source).body  # parsed, never rendered
    except (TemplateError, ValueError, OverflowError) as error:
        raise NotPlainError(f"text that is not valid Jinja ({error})") from None
    except RecursionError:
        raise NotPlainError("expressions nested too deeply") from None
    out: list[str] = []
    for statement in body:
        if not isinstance(statement, nodes.Output):
            raise NotPlainError(_reason(statement))
        for node in statement.nodes:
            if isinstance(node, nodes.TemplateData):
                before, separator, _ = node.data.partition(SEPARATOR)
                out.append(unparse([(before, None)]))
                if separator:
                    return "".join(out).strip()
            else:
                out.append(_placeholder(node))
    return "".join(out).strip()


def _placeholder(node: nodes.Node) -> str:
    from jinja2 import nodes

    if isinstance(node, nodes.Const) and isinstance(node.value, str):
        return unparse([(node.value, None)])
    if not isinstance(node, nodes.Name):
        raise NotPlainError(_reason(node))
    if node.name == NO_FIELD:
        raise NotPlainError(f"{{{{ {node.name} }}}}, which is no field")
    return "{" + node.name + "}"


def _reason(node: nodes.Node) -> str:
    kind = type(node).__name__
    return f"{REASONS.get(kind, f'Jinja {kind}')} (line {node.lineno})"
