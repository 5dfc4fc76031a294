r"""Find the templates in what a model wrote, whatever it made of the request for JSON.

Understood, in this order: JSON objects and lists (fenced, with prose around, one object a line),
JSON that breaks off or is malformed (its complete strings), a fenced block per template, numbered
lists, bullet lists, quoted lines. The first form that yields anything is taken. JSON escapes are
decoded once; that models write LaTeX and paths into JSON without doubling the backslash is made up
for. Plain prose yields nothing: asking again is better than a guess.

Nothing is checked here; :mod:`paft.bank.screen` does that. Nothing is executed, and every text,
however mangled, gives a list.

>>> candidates('Sure!\n{"prompts": ["{text}\\nTeam:", "Which team? {te')
['{text}\nTeam:']
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Sequence
from typing import Any

from paft.bank.backslashes import decode_escapes, mended_json

KEYS = ("prompts", "templates", "prompt_templates")
ITEM_KEYS = ("prompt", "template", "text", "content")
QUOTES = {'"': '"', "'": "'", "`": "`", "\u201c": "\u201d", "\u00ab": "\u00bb", "\u300c": "\u300d"}
FALSE_STARTS = 50  # a model caught in a loop opens a list thousands of times

_DECODER = json.JSONDecoder(strict=False)  # models often leave real line breaks inside strings
_THOUGHT_ENDS = re.compile(r"</think(?:ing)?>")
_FENCE = re.compile(r"^[ \t]*```[^\n`]*\n(.*?)(?:\n[ \t]*```[ \t]*$|\Z)", re.DOTALL | re.MULTILINE)
# JSON is looked for where a line begins or an object names its prompts: a template or the prose
# around may hold braces and brackets of its own.
_KEY = "|".join((*KEYS, *ITEM_KEYS))
_JSON = re.compile(rf'^[ \t]*(?=[{{\[])|(?=\{{\s*"(?:{_KEY})")', re.MULTILINE)
_LIST = re.compile(rf'"(?:{"|".join(KEYS)})"\s*:\s*\[|^[ \t]*\[(?=\s*["{{])', re.MULTILINE)
_NUMBER = re.compile(
    r"^([ \t]*)(?:#+[ \t]*)?(?:\*\*)?(?:(?:prompt|template)[ \t]*#?[ \t]*)?(\d{1,4})"
    r"(?:[.):]\**|\*\*:?)(?=\s|$)",
    re.MULTILINE | re.IGNORECASE,
)
_BULLET = re.compile(r"^([ \t]*)[-*\u2022\u2013](?=[ \t]+\S)", re.MULTILINE)
_TITLE = re.compile(r"\*\*[^*{}\n]+\*\*[ \t]*[:\u2013\u2014-]?\s*")


def candidates(text: str, placeholders: Sequence[str] = ()) -> list[str]:
    """Return the templates in a reply, in order, repeats included.

    A template that has ``{{name}}`` of a known placeholder, and nowhere ``{name}``, gets the single braces it
    was meant to have.

    Returns:
        Templates; they may break any rule of a template but are never blank and always UTF-8.
    """
    text = _THOUGHT_ENDS.split(text.replace("\r\n", "\n"))[-1]
    mended = mended_json(text)
    for form in (_json_values, _broken_json, _fenced_blocks, _numbered, _bulleted, _quoted_lines):
        found = [item for item in form(mended if form in FORMS_OF_JSON else text) if item.strip()]
        if found and (form is _json_values or _braced(found)):  # remarks come in lists too
            return [_single_braces(_utf8(item), placeholders) for item in found]
    return []


def _json_values(text: str) -> list[str]:
    """Strings of every JSON value that begins a line or names prompts."""
    found: list[str] = []
    end = failures = 0
    for match in _JSON.finditer(text):
        if match.end() < end:
            continue
        if failures > FALSE_STARTS:
            break
        value, after = _decode(text, match.end())
        if after > match.end():
            strings = _strings(value)
            # A template or the prose around may hold a list of answers. Templates have braces; only
            # an object that calls its texts prompts is believed without.
            if (isinstance(value, dict) and set(value) & set(KEYS)) or _braced(strings):
                found += strings
            end = after
        else:
            failures += 1
    return found


def _broken_json(text: str) -> list[str]:
    """Complete strings of lists that break off or hold malformed strings."""
    starts = [match.end() for match in itertools.islice(_LIST.finditer(text), FALSE_STARTS)]
    if not starts:
        return []
    by_line = _quoted_lines(text[starts[0] :])
    return max([*(_elements(text, start) for start in starts), by_line], key=len)


def _elements(text: str, position: int) -> list[str]:
    """Elements of a list from ``position`` on, up to the first that is not whole."""
    found: list[str] = []
    while True:
        while position < len(text) and text[position] in " \t\n,":
            position += 1
        value, end = _decode(text, position)
        # A quotation mark left unescaped ends a string early: what follows is then no comma.
        if end == position or not re.match(r"\s*(?:[,\]]|$)", text[end : end + 200]):
            return found
        found += _item(value)
        position = end


def _decode(text: str, position: int) -> tuple[Any, int]:
    """Return the JSON value at ``position`` and where it ends; ``(None, position)`` if there is none."""
    try:
        return _DECODER.raw_decode(text, position)
    except (ValueError, RecursionError):
        return None, position


def _strings(value: Any) -> list[str]:
    """Templates in a JSON value: a list of them, or an object that holds such a list."""
    if isinstance(value, list):
        return [text for item in value for text in _item(item)]
    if not isinstance(value, dict):
        return []
    for key in KEYS:
        if key in value:
            inner = value[key]
            # {"prompts": {"1": ..., "2": ...}}
            return _strings(list(inner.values()) if isinstance(inner, dict) else inner)
    if any(key in value for key in ITEM_KEYS):
        return _item(value)
    if value and all(re.fullmatch(r"\D{0,12}\d+", str(key)) for key in value):
        return _strings(list(value.values()))  # {"prompt_1": ..., "prompt_2": ...}
    lists = [item for item in value.values() if isinstance(item, list)]
    return _strings(lists[0]) if len(lists) == 1 else []


def _item(value: Any) -> list[str]:
    """The template of one list element: a string, or an object with one."""
    if isinstance(value, dict):
        value = next((value[key] for key in ITEM_KEYS if key in value), None)
    return [value] if isinstance(value, str) else []


def _fenced_blocks(text: str) -> list[str]:
    """Two or more fenced blocks are a template each; a single one is read like a reply of its own."""
    blocks = [match[1] for match in _FENCE.finditer(text)]
    if len(blocks) == 1:
        return _numbered(blocks[0]) or _bulleted(blocks[0]) or _quoted_lines(blocks[0])
    return blocks


def _numbered(text: str) -> list[str]:
    """Items of a list whose numbers go up by one; other numbers belong to the items."""
    marks: list[re.Match[str]] = []
    for match in _NUMBER.finditer(text):
        if not marks and int(match[2]) > 1:
            continue
        if not marks or (int(match[2]) == int(marks[-1][2]) + 1 and match[1] == marks[0][1]):
            marks.append(match)
    return _items(text, marks)


def _bulleted(text: str) -> list[str]:
    """Items of a bullet list; deeper bullets belong to the items."""
    marks = list(_BULLET.finditer(text))
    return _items(text, [match for match in marks if match[1] == marks[0][1]])


def _items(text: str, marks: Sequence[re.Match[str]]) -> list[str]:
    """Cut a text at list marks and undress each item."""
    if not marks:
        return []
    starts = [match.end() for match in marks]
    ends = [*(match.start() for match in marks[1:]), len(text)]
    items = [text[start:end].strip() for start, end in zip(starts, ends, strict=True)]
    if len(items) > 1 and not any("\n\n" in item for item in items[:-1]):
        items[-1] = items[-1].split("\n\n")[0]  # what follows the list is no part of its last item
    return [_undress(item) for item in items]


def _undress(item: str) -> str:
    """Take off quotes, code marks, and a bold title that stands before quoted text."""
    fence = _FENCE.search(item)
    if fence:
        return fence[1]
    title = _TITLE.match(item)
    for text in (item, item[title.end() :] if title else item):
        inner = _unquote(text)
        if inner is not None:
            return inner
    # A template on one line writes its line breaks as backslash and n.
    return item if "\n" in item else decode_escapes(item)


def _unquote(text: str) -> str | None:
    """Return the text between a matching pair of quotation marks, escapes decoded; None without."""
    if len(text) < 3 or QUOTES.get(text[0]) != text[-1]:
        return None
    try:
        value = json.loads(mended_json(text), strict=False)
        return value if isinstance(value, str) else None
    except (ValueError, RecursionError):
        inner = text[1:-1]
    if text[0] in "\"'`" and re.search(rf"(?<!\\){text[0]}\s*[,:]\s*{text[0]}", inner):
        return None  # several quoted strings, no single one
    return decode_escapes(inner.replace("\\" + text[0], text[0]))


def _quoted_lines(text: str) -> list[str]:
    """Lines that are a quoted text and nothing else but a comma."""
    lines = [line.strip().rstrip(", ") for line in text.split("\n")]
    return [inner for inner in map(_unquote, lines) if inner is not None]


def _braced(texts: Sequence[str]) -> bool:
    return any("{" in text for text in texts)


def _utf8(text: str) -> str:
    """Replace halves of surrogate pairs, which a JSON escape can spell and no file can hold."""
    return re.sub("[\ud800-\udfff]", "\ufffd", text)


def _single_braces(template: str, placeholders: Sequence[str]) -> str:
    for name in placeholders:
        doubled = re.compile(r"(?<!\{)\{\{" + re.escape(name) + r"\}\}(?!\})")
        if not re.search(r"(?<!\{)(?:\{\{)*\{" + re.escape(name) + r"\}", template):
            template = doubled.sub("{" + name + "}", template)
    return template


FORMS_OF_JSON = (_json_values, _broken_json)
