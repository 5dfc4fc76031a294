"""A promptfoo configuration: prompts of one split, the task's test examples as tests.

promptfoo treats a variable's text as a template again, reads and even runs files that it names
(``file://``, ``package:``), and cuts its last line break. A field with such a text in any example is
therefore given in pieces that mean nothing by themselves, and the prompts join them.

It also takes a prompt on one line that holds a slash, star or dot for a path, and one that is JSON
for a list of messages. Such a prompt begins with a comment on two lines, which renders to nothing.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from paft.bank.exporters.jinja import NOT_VARIABLES, jinja_text, quoted, require_exportable
from paft.bank.foreign_yaml import yaml_text
from paft.bank.store import Bank
from paft.files import write_text
from paft.prompt import Prompt
from paft.task.replies.extract import extract
from paft.task.task import Example, Task

RESERVED = NOT_VARIABLES | {"env", "__proto__"}
REFERENCES = ("file://", "package:")
# The empty raw block keeps promptfoo from taking the comment's first line for an unclosed tag.
NO_PATH = "{% raw %}{% endraw %}{#\n#}"
# What the model said, normalised as paft.task.replies.extract does, as far as one JavaScript expression goes.
TRANSFORMS = {
    "closed": r'output.trim().replace(/\.$/, "")',
    "number": r'(output.match(/[-+]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?|[-+]?\.\d+/) || ["none"])[0]'
    r'.replace(/,/g, "").replace(/^\+/, "").replace(/^(-?)0+(?=\d)/, "$1")'
    r'.replace(/^(-?)\./, (all, sign) => sign + "0.").replace(/(\.\d*?)0+$/, "$1").replace(/\.$/, "")'
    r'.replace(/^-0$/, "0")',
    "text": r'(output.split("\n").find((line) => line.trim()) || "none").toLowerCase().trim()'
    r""".replace(/\s+/g, " ").replace(/^[ .,;:!?"'`]+|[ .,;:!?"'`]+$/g, "")""",
}


def write_promptfoo(bank: Bank, output: Path, task: Task, split: str, provider: str) -> None:
    """Write the configuration file; ``promptfoo eval -c FILE`` runs it."""
    prompts, examples = require_exportable(task, bank, split, "promptfoo", RESERVED)
    in_pieces = {name for e in examples for name, value in e.values.items() if _unsafe(value)}
    config: dict[str, Any] = {
        "description": f"Task {task.name}, {split} prompts of bank {bank.fingerprint}",
        "prompts": [
            {"id": prompt.id, "label": prompt.id, "raw": _raw(prompt, in_pieces)} for prompt in prompts
        ],
        "providers": [provider],
    }
    if task.metric == "exact_match":
        form = "closed" if task.answer.closed else task.answer.rule
        config["defaultTest"] = {"options": {"transform": TRANSFORMS[form]}}
    config["tests"] = [_test(task, example, in_pieces) for example in examples]
    write_text(output, yaml_text(config))


def _raw(prompt: Prompt, in_pieces: set[str]) -> str:
    def expression(name: str) -> str:
        return f"{{{{ {name}.pieces | join }}}}" if name in in_pieces else f"{{{{ {name} }}}}"

    raw = jinja_text(prompt, expression)
    like_path = "\n" not in raw and re.search(r"[/\\*.]", raw)
    like_json = raw.lstrip()[:1] in ("[", '"')
    return NO_PATH + raw if like_path or like_json or "://" in raw else raw


def _test(task: Task, example: Example, in_pieces: set[str]) -> dict[str, Any]:
    variables = {
        name: {"pieces": _pieces(value)} if name in in_pieces else value
        for name, value in example.values.items()
    }
    if task.metric == "token_f1":
        check = {"type": "icontains", "value": _inert(example.gold)}
    elif task.answer.closed:
        check = {"type": "equals", "value": _inert(example.gold.removesuffix("."))}
    else:
        check = {"type": "equals", "value": _inert(extract(task.answer.rule, example.gold) or "")}
    return {"vars": variables, "assert": [check]}


def _unsafe(value: str) -> bool:
    return bool(re.search(r"\{[{%#]", value)) or value.startswith(REFERENCES) or value.endswith("\n")


def _pieces(value: str) -> list[str]:
    # Cut after every brace and after the first character: no tag and no reference stays whole.
    return [piece for piece in re.split(r"(?<=\{)|(?<=\A.)", value, flags=re.DOTALL) if piece]


def _inert(value: str) -> str:
    """Return an expected answer, which promptfoo renders once, as Nunjucks text."""
    text = quoted(value)
    return f'{{{{ "{text[0]}" }}}}{text[1:]}' if text.startswith(REFERENCES) else text
