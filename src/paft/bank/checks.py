"""What can be wrong with one template for one task: a list of (reason, finder).

A finder looks at a template and returns the words that are wrong, or None. Finders read; they
never render with real data and never run anything. Their order is the order of
``REASONS``: the first that finds something names the rejection.

What an answer instruction asks for is checked in :mod:`paft.bank.answer_checks`.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable

from paft.bank.answer_checks import contradicts_rule, leaks_answer, unreadable_answer
from paft.bank.backslashes import literal_escape
from paft.errors import PromptError
from paft.prompt import Prompt
from paft.task.task import Task

MAX_LETTERS = 1500
WORD = re.compile(r"[^\W\d_]{2,}")
JOINERS = "\u200c\u200d"  # Persian words and the conjuncts of Indian scripts are spelt with them, too
QUESTION_ANSWER = re.compile(r"\bQ\b.*\bA\b", re.DOTALL)

AUTHOR_VERBS = (
    "add|briefly|choose|describe|define|detail|enter|explain|fill|give|identify|include|input|insert|"
    "list|mention|name|paste|place|provide|put|replace|restate|rewrite|specify|state|summari[sz]e|write|your"
)
STUB = re.compile(
    rf"\[\s*(?:{AUTHOR_VERBS}|e\.g\.|example|optional|placeholder|some|task)\b[^\]{{}}]*\]"
    rf"|<\s*(?:{AUTHOR_VERBS}|placeholder)\b[^>{{}}/]*\s[^>{{}}/]*>"
    r"|\[[^\]{}]*\b(?:goes?|belongs?) here\b[^\]{}]*\]"
    # two or more words, the first in lower case: "[specific topic]"
    r"|\[(?!(?:start|beginning|end) of\b)(?:(?-i:[a-z])[\w'’-]* )+[\w'’-]+\]"
    r"|\[\s*(?:\.{3}|…)\s*\]|<\s*(?:\.{3}|…)\s*>"
    r"|(?-i:\b(?:TODO|TBD|FIXME|XXX+)\b)|\blorem ipsum\b"  # a to-do list is none
    r"|\((?:insert|fill in|add|put|describe|write)\b[^){}]*\bhere\b[^){}]*\)",
    re.IGNORECASE,
)
CODE_COMMENT = re.compile(r"(?:^|\s)//\s*\w|/\*.*?\*/|<!--.*?-->", re.DOTALL)
SPECIAL_TOKEN = re.compile(
    r"<\|[^|<>\n]*\|>|\[/?INST\]|<<\s*/?SYS\s*>>|</?s>|<(?:start|end)_of_turn>"
    r"|<(?:bos|eos|pad|unk|mask)>|\[(?:CLS|SEP|MASK|PAD|UNK)\]|<[｜|][^>\n]*[｜|]>"
)
ROLE_LINE = re.compile(r"^\W*(?:user|assistant|system|human|ai|bot)\s*:", re.IGNORECASE | re.MULTILINE)
# Common short words: two of another language, and more of them than of English, decide.
FUNCTION_WORDS = {
    "en": "the of and to is in for this that which what with a an be on by it from at as or you your "
    "given one only below following here does who should",
    "es": "el la los las de del que y en un una por para con se su es lo como más qué cuál este esta "
    "siguiente entre usted debe",
    "fr": "le la les des du de et à est un une pour dans que qui ce cette vous votre sur au aux avec "
    "quelle quel par ne pas suivant voici",
    "de": "der die das und ist zu den dem des ein eine einen welche welches welcher für mit auf von nicht "
    "sie bitte im wird soll diese dieser folgende an",
    "it": "il lo la gli le di del della e è un una per che con non si da quale questo questa nel alla "
    "seguente sono",
    "pt": "o a os as de do da dos das e é um uma para que com não se em no na qual este esta seguinte por "
    "você deve",
    "nl": "de het een en van is te dat op voor met die niet aan welke dit deze naar wordt bij onderstaande "
    "hoort u",
    "pl": "na jest który która które się nie dla tej tego to jako jaki jaka poniższy poniższej",
    "tr": "ve bir bu için hangi aşağıdaki ile da de olan mi ne",
    "id": "yang dan di ke dari untuk ini dengan adalah mana berikut pada",
    "sv": "och att det som en ett är för av på vilken med till följande den",
}
LEXICON = {name: frozenset(words.split()) for name, words in FUNCTION_WORDS.items()}
# Shares of letters: a loan word or a name is fine, a sentence is not.
FOREIGN_SHARE = 0.2

Finder = Callable[[str, Task], str | None]


def syntax(template: str, task: Task) -> str | None:
    """Return what the parser refuses, if it does."""
    try:
        Prompt(template)
    except PromptError as error:
        return str(error)
    return None


def placeholder_missing(template: str, task: Task) -> str | None:
    """Return a field the template leaves out, and how it is written where its braces are doubled."""
    used = Prompt(template).placeholders
    name = next((name for name in task.required if name not in used), None)
    if name is None:
        return None
    doubled = re.search(r"\{\{\s*" + re.escape(name) + r"\s*\}\}", template)
    return "{" + name + "}" + (f" (doubled braces are text: write {{{name}}})" if doubled else "")


def placeholder_unknown(template: str, task: Task) -> str | None:
    """Return a placeholder the task does not have, and how LaTeX is written that looks like one."""
    used = Prompt(template).placeholders
    name = next((name for name in used if name not in task.placeholders), None)
    if name is None:
        return None
    latex = re.search(r"\\[A-Za-z]+(?:\{\w*\})*\{" + name + r"\}", template)
    advice = (
        f" (braces of LaTeX are doubled: {latex[0].replace('{', '{{').replace('}', '}}')})" if latex else ""
    )
    return "{" + name + "}" + advice


def placeholder_repeated(template: str, task: Task) -> str | None:
    """Return a placeholder that stands twice: the example's text would be read twice."""
    counts = Counter(Prompt(template).placeholders)
    return next(("{" + name + "}" for name, count in counts.items() if count > 1), None)


def control_character(template: str, task: Task) -> str | None:
    """Return an invisible character; line breaks, tabs and joiners in emoji and other scripts are fine."""
    for i, letter in enumerate(template):
        if letter.isprintable() or letter in "\n\t":
            continue
        joins = letter in JOINERS and 0 < i < len(template) - 1 and not template[i - 1].isascii()
        if unicodedata.category(letter) in {"Cc", "Cf", "Co", "Cn"} and not joins:
            return f"U+{ord(letter):04X}"
    return None


def too_short(template: str, task: Task) -> str | None:
    """Return the template if no word stands beside its placeholders."""
    literals = _literals(template)
    return None if WORD.search(literals) or QUESTION_ANSWER.search(literals) else template


def foreign_language(template: str, task: Task) -> str | None:
    """Return the sign of a language other than English."""
    letters = [letter for letter in _literals(template) if letter.isalpha()]
    foreign = [c for c in letters if not c.isascii() and not unicodedata.name(c, "").startswith("LATIN")]
    if letters and len(foreign) > FOREIGN_SHARE * len(letters):
        return "".join(foreign[:20])
    words = re.findall(r"[^\W\d_]+", _literals(template).casefold())
    hits = {name: [word for word in words if word in lexicon] for name, lexicon in LEXICON.items()}
    name = max(hits, key=lambda name: (len(hits[name]), name == "en"))
    # Words that English has too prove nothing; an accent alone is a name, beside such a word a sign.
    signs = len(set(hits[name]) - LEXICON["en"]) + any(not word.isascii() for word in words)
    if name != "en" and signs >= 2 and len(hits[name]) > len(hits["en"]):
        return f"{name}: {' '.join(dict.fromkeys(hits[name]))}"
    return None


REASONS: dict[str, Finder] = {
    "syntax": syntax,
    "control_character": control_character,
    # A tokenizer's control token, or a chat role at the start of a line.
    "special_token": lambda template, task: _found(SPECIAL_TOKEN, template) or _found(ROLE_LINE, template),
    "placeholder_unknown": placeholder_unknown,
    "placeholder_missing": placeholder_missing,
    "placeholder_repeated": placeholder_repeated,
    "literal_escape": lambda template, task: literal_escape(template),
    # Text meant for the prompt's author, left unfilled.
    "stub": lambda template, task: _found(STUB, template),
    "code_comment": lambda template, task: _found(CODE_COMMENT, template),
    "too_short": too_short,
    "too_long": lambda template, task: f"{len(template)} characters" if len(template) > MAX_LETTERS else None,
    "language": foreign_language,
    "unreadable_answer": unreadable_answer,
    "contradicts_rule": contradicts_rule,
    "answer_leaked": leaks_answer,
}


def _found(pattern: re.Pattern[str], text: str) -> str | None:
    match = pattern.search(text)
    return match[0].strip() if match else None


def _literals(template: str) -> str:
    return " ".join(literal for literal, _ in Prompt(template).pieces)
