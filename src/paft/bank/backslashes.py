r"""What a backslash in a prompt stands for: a line break, LaTeX or a path.

Spreadsheets and lines of text spell a line break as backslash and n, a tab as backslash and t; the
same two characters begin ``\nabla``, ``\theta`` and the parts of ``C:\temp\new``. The rules:

====================================  =======================================================
``Text:\nAnswer``, ``a\tb``           an escape, decoded
``$\theta$``, ``a \times b``          a command of LaTeX, left as it is
``C:\temp\new``, ``\\host\tools``     a path, left as it is
``C:\new``                            path or line break: left as it is, and screening names it
``\\n``                               the two characters backslash and n
====================================  =======================================================
"""

from __future__ import annotations

import re

ESCAPES = {"n": "\n", "t": "\t", "r": ""}

# Commands of LaTeX and amsmath that begin like an escape. `\neg.` is a line break before "eg.".
_WORDS = (
    r"n(?:abla|atural|cong|earrow|eg(?!\.)|eq|ew(?:command|line|page)|exists|geq(?:q|slant)?|gtr"
    r"|(?:left|right|leftright)arrow|leq(?:q|slant)?|less|mid|ocite|oindent|olimits|onumber"
    r"|orm(?=\{)|ormal(?:font|size)|ot|otag|otin|parallel|prec(?:eq)?|sim|su[bp]set(?:eq){0,2}q?|succ(?:eq)?"
    r"|triangle(?:left|right)|um(?=\{)|v[Dd]ash|warrow)"
    r"|t(?:ableofcontents|ag|anh?|au|binom|ext[a-z]*|frac|herefore|heta|hickapprox|hinspace|ilde"
    r"|imes|iny|itle|op|riangle[a-z]*|wohead(?:left|right)arrow)"
    r"|r(?:aisebox|angle|brace|brack|ceil|ef|elax|enewcommand|estriction|floor|ho|ight[a-zA-Z]*|lap|oot"
    r"|times|ule|[vV]ert)"
)
COMMAND = rf"\\{{1,2}}(?:{_WORDS})(?![A-Za-z])"
# "e", "i", "o" and "u" are words and enumerators too: what stands around them decides.
SHORT = r"\\(?:n[eiu]|t[ot]|rm)(?![A-Za-z])"
_NUMBERED = re.compile(r"\\u[0-9A-Fa-f]{4}")
_MATH = re.compile(r"(?<![\w$])\$(?![\s{])[^$]*[^\s$]\$(?![\d$])")
_BESIDE = re.compile(r"[_^$\\{}=\d]")

# In JSON also what begins like a backspace and a form feed.
_JSON_WORDS = (
    r"b(?:ar|ecause|egin|eta|eth|f|ig[a-zA-Z]*|inom|m|matrix|mod|oldsymbol|ot|ox(?:ed)?|reve|ullet)"
    r"|f(?:box|lat|ootnote|orall|rac|rak|rown)"
)
_DRIVE = "[C-PR-Zc-pr-z]"  # "A:" and "Q:" introduce answers and questions
_PART = r"[\w.()~@+$-]+"
# Of a path with a drive some part begins unlike a line break; "A:\nYes" has none.
_SHOWN = r"(?=[^\s\"'<>|{}]*\\(?:[tr][a-z]|[^ntr\\\s\"'<>|{}]))"
_ROOT = (
    rf"(?:(?<![A-Za-z0-9]){_DRIVE}:{_SHOWN}\\"  # C:\
    rf"|(?<![\w.])\.\.{_SHOWN}\\"  # ..\
    r"|(?<![\\\w:])\\\\[\w.-]+\\(?=\w)"  # \\host\
    r"|%[A-Z_]+%\\)"  # %TEMP%\
)
PATH = rf"{_ROOT}{_PART}(?:\\{_PART})*\\?"
_DOUBTFUL = rf"(?<![A-Za-z0-9]){_DRIVE}:(?:\\n[a-z]{_PART})+"

_TEXT = re.compile(
    rf"(?P<kept>{PATH}|{_DOUBTFUL}|{COMMAND})|(?P<short>{SHORT})|\\\\(?P<written>[ntr])|\\(?P<escape>[ntr])"
)
_SPELT = re.compile(rf"(?P<kept>{PATH}|{COMMAND})|(?P<short>{SHORT})|(?P<escape>\\[ntr])")
_JSON = re.compile(
    rf"(?P<path>{PATH})"
    r'|(?P<whole>\\(?:["\\/]|u[0-9A-Fa-f]{4}))'
    rf"|(?P<command>{COMMAND}|\\(?:{_JSON_WORDS})(?![A-Za-z]))|(?P<short>{SHORT})"
    r"|(?P<escape>\\[bfnrt])|\\(?P<quote>')|(?P<other>\\)"
)


def decode_escapes(text: str) -> str:
    r"""Turn the two characters backslash and n (t, r) into the one they stand for, if they are an escape.

    >>> decode_escapes(r"a\nb $\theta$ C:\temp\new")
    'a\nb $\\theta$ C:\\temp\\new'
    """
    return _TEXT.sub(_decoded, text)


def literal_escape(text: str) -> str | None:
    r"""Return a backslash and letter that should have been a line break or a tab, if there is one.

    >>> literal_escape(r"Text: {x}\nAnswer"), literal_escape(r"$\nabla \times F$ in D:\nets\data")
    ('\\n', None)
    """
    for match in _SPELT.finditer(text):
        if match["escape"] or (match["short"] and not _is_command(match)):
            return match[0][:2]
    return None


def mended_json(text: str) -> str:
    r"""Return JSON whose strings hold LaTeX or paths as they stand, with these backslashes doubled.

    >>> mended_json(r'"$\frac{1}{2}$ of\n\{x}"')
    '"$\\\\frac{1}{2}$ of\\n\\\\{x}"'
    """
    return _JSON.sub(_mended, text)


def _decoded(match: re.Match[str]) -> str:
    if match["kept"] or (match["short"] and _is_command(match)):
        return match[0]
    if match["short"]:
        return ESCAPES[match[0][1]] + match[0][2:]
    return "\\" + match["written"] if match["written"] else ESCAPES[match["escape"]]


def _mended(match: re.Match[str]) -> str:
    if match["path"]:  # of letters that JSON spells as numbers is no path
        return match[0] if _NUMBERED.search(match[0]) else match[0].replace("\\", "\\\\")
    if match["command"] or match["other"] or (match["short"] and _is_command(match)):
        return match[0] if match[0].startswith("\\\\") else "\\" + match[0]
    return match["quote"] or match[0]


def _is_command(match: re.Match[str]) -> bool:
    r"""Whether ``\ne``, ``\to`` or the like stands in mathematics, or as a word of it in a text."""
    text, start, end = match.string, match.start(), match.end()
    if _BESIDE.match(text, end) or any(m.start() < start < m.end() for m in _MATH.finditer(text)):
        return True
    return text[max(0, start - 1) : start] in (" ", "$") and text[end : end + 1] in (" ", ",", ";")
