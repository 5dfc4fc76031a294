"""A template as Jinja or Nunjucks text that renders to what :meth:`paft.prompt.Prompt.render` gives.

``{field}`` becomes ``{{ field }}``. Every opening brace becomes a quoted string, so nothing in a
template's text can open a tag. So do the brace of ``#}``, which Nunjucks refuses outside a comment,
and a carriage return, which Jinja would turn into a line feed. Values are inserted once and not
read again, as far as the tool that renders keeps to that.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from paft.bank.store import Bank
from paft.errors import ConfigError
from paft.prompt import Prompt
from paft.task.task import Example, Task

# Answer rules that neither lm-eval nor promptfoo reads without code of its own.
NO_COUNTERPART = ("final_number", "json", "code")
# Constants and operators of the two languages, and the receiver of Jinja's own render method.
NOT_VARIABLES = frozenset({"true", "false", "none", "null", "True", "False", "None", "not", "self"})


def jinja_text(prompt: Prompt, expression: Callable[[str], str] = "{{{{ {} }}}}".format) -> str:
    r"""Return a prompt's template as Jinja; ``expression`` writes what shows a placeholder's value.

    >>> jinja_text(Prompt("{text} {{x}}"))
    '{{ text }} {{ "{" }}x}'
    """
    out = []
    for literal, name in prompt.pieces:
        out.append(quoted(literal))
        if name is not None:
            out.append(expression(name))
    return "".join(out)


def quoted(text: str) -> str:
    """Return literal text as Jinja."""
    escaped = {"{": '{{ "{" }}', "#}": '#{{ "}" }}', "\r": '{{ "\\r" }}'}
    return re.sub(r"\{|#\}|\r", lambda match: escaped[match[0]], text)


def require_exportable(
    task: Task, bank: Bank, split: str, tool: str, reserved: frozenset[str] = NOT_VARIABLES
) -> tuple[Sequence[Prompt], Sequence[Example]]:
    """Return the prompts of a split and the test examples of a task that a tool can read.

    Raises:
        ConfigError: If the answer rule needs code there, a field's name is no variable there, or an
            example has several right answers: a tool that knows the first only scores otherwise.
    """
    refused = f"task {task.name!r} cannot be exported for {tool}:"
    if task.answer.rule in NO_COUNTERPART:
        raise ConfigError(f"{refused} rule {task.answer.rule!r} has no counterpart there that needs no code")
    for name in task.fields:
        if name in reserved:
            raise ConfigError(
                f"{refused} field {name!r} is a reserved word there; rename it in the task and map the "
                "column under `data.columns`"
            )
    prompts, examples = bank.require(split), task.examples("test")
    several = next((example for example in examples if example.references), None)
    if several is not None:
        raise ConfigError(
            f"{refused} test example {several.index} has {len(several.golds)} right answers, and {tool} "
            "would know the first of them only"
        )
    for prompt in prompts:
        task.check_prompt(prompt)
    return prompts, examples
