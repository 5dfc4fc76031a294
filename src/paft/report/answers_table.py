"""The answers of models side by side: prompts down, models across, answers that differ marked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from paft.evaluate.answers import Answer

if TYPE_CHECKING:
    from rich.table import Table

MARK = "*"
LEGEND = f"{MARK} another answer than under the user prompt"
LONGEST = 160  # characters of a generated answer


def answers_table(prompts: Sequence[tuple[str, str]], answers: Mapping[str, Sequence[Answer]]) -> Table:
    """Lay out what models answer to one input.

    Args:
        prompts: Kind and template of each prompt, the user prompt first.
        answers: By name of the model, one a prompt.
    """
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, show_footer=True, pad_edge=False)
    table.add_column("Prompt", ratio=2, footer="different answers")
    for name, mine in answers.items():
        count = len({answer.text for answer in mine})
        style = "yellow" if count > 1 else "green"
        table.add_column(Text(name), ratio=1, footer=Text(str(count), style=style), overflow="fold")
    for place, (kind, template) in enumerate(prompts):
        cells = [_cell(mine[place], differs=mine[place].text != mine[0].text) for mine in answers.values()]
        label = Text(f"{kind} ", style="bold cyan") + Text(_glance(template), style="default")
        table.add_row(label, *(Text(text, style=style) for text, style in cells))
    return table


def answers_record(
    fields: Mapping[str, str], prompts: Sequence[tuple[str, str]], answers: Mapping[str, Sequence[Answer]]
) -> dict[str, Any]:
    """Return the same as JSON takes it."""
    return {
        "input": dict(fields),
        "answers": [
            {
                "kind": kind,
                "prompt": template,
                **{
                    name: {
                        "answer": mine[place].text,
                        "probability": mine[place].probability,
                        "differs": mine[place].text != mine[0].text,
                    }
                    for name, mine in answers.items()
                },
            }
            for place, (kind, template) in enumerate(prompts)
        ],
    }


def _cell(answer: Answer, *, differs: bool) -> tuple[str, str]:
    text = "(no answer)" if answer.text is None else " ".join(answer.text.split())
    text = text if len(text) <= LONGEST else text[: LONGEST - 1] + "\u2026"
    if answer.meaning is not None:
        text += f". {answer.meaning}"
    if answer.probability is not None:
        text += f" {100 * answer.probability:.0f}%"
    return (f"{MARK} {text}", "bold yellow") if differs else (text, "default")


def _glance(template: str, limit: int = 72) -> str:
    """Return a template on one line, its middle left out where it is long: field and end are what differ."""
    line = " ".join(template.split())
    return line if len(line) <= limit else f"{line[: limit // 2]} \u2026 {line[-(limit // 2 - 3) :]}"
