r"""The number a reply gives, or None where it would be misread.

A number stands for itself alone: with units, currency or a percent sign around it, but not as a part
of something else. So a chosen number that belongs to a fraction, date, time, range, calculation,
list without spaces, word, ordinal, power, root, bound or a larger unit ("3.5 million") is not read, and
neither is any other in its place.

``,`` and ``'`` group three digits each, as do spaces; ``.`` is the decimal point. So ``1,250`` is
1250 and ``1.250`` is 1.25. Where both stand, or several points, only one reading is left:
``1.250,50`` is 1250.5, ``1.250.000`` is 1250000. ``12,5`` is not read.
"""

from __future__ import annotations

import re

from paft.task.numerals import fold, read_number

FINAL = "####"  # GSM8K's mark before the result
CONTEXT = 60  # characters before a number that are looked at
_SPACES = " \u00a0\u2007\u2009\u202f"
_SIZES = (
    "hundred|thousand|million|millionen|millions?|mill?i[oó]n(?:es|i)|milhões|milhão|milliarden?|milliards?|"
    "billion|billions|billones|trillions?|dozens?|lakhs?|crores?|mio|mrd|mln|bn|mn|tsd|"
    "тыс|млн|млрд|тысяч[\u0430и]?|миллион(?:\u0430|ов)?"
)
_NUMBER = re.compile(
    rf"""[-+]?(?:
      \d{{1,3}}(?:\.\d{{3}})+,\d+ | \d{{1,3}}(?:\.\d{{3}}){{2,}}(?!\d)
    | \d{{1,3}}(?P<group>[,'\u2019{_SPACES}])\d{{3}}(?:(?P=group)\d{{3}})*(?!\d)(?:\.\d+)?
    | \d+(?:\.\d+)? | (?<![\w.])(?<![\w.][-+])\.\d+
    )(?:[eE][-+]?\d+(?!\w))?""",
    re.VERBOSE,
)
_MONTHS = (
    "Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?|Sept?(?:ember)?|Oct(?:ober)?|"
    "Nov(?:ember)?|Dec(?:ember)?"
)
# What a number counts off: "Step 3".
_LABELS = "step|question|part|option|example|figure|table|chapter|section|item|no\\.|nr\\."
_LETTER = r"[^\W\d_\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]"
_TIMES = r"(?:[*/\u00d7\u00f7\u00b7^+=-]|\\times|\\cdot|\\div|\u00b1|\\pm|\+/-|\bx)"
# What makes a number part of something else, before and behind it.
_BEFORE = re.compile(
    rf"""(?: {_LETTER}[-+]? | _\{{? | [\d)}}\]%][-+] | [-+][-+]
    | \d[.,:/'\u2019] | \d[{_SPACES}]
    | [\d)}}\]%]\ *(?:[*/\u00d7\u00f7\u00b7^+-]|\\times|\\cdot|\\div|\u00b1|\\pm|\bx)\ *
    | [-+]\ +[$\u20ac\u00a3]?\ ? | (?<!\#)\# | \b(?:{_MONTHS})\.?\ + | (?i:\b(?:{_LABELS})\ *)
    | \d[\uff0c\u060c\u5e74\u6708] | (?i:\b(?:between|zwischen|entre)\s+(?:\S+\s+\S+\s+)?)
    | \b(?:{_MONTHS})\.?\ \d{{1,2}}(?:st|nd|rd|th)?,?[ ]
    | (?<![^\W\d_])[xyz]\ *[+*/-]\ * | [\^\u221a\u2264\u2265]\ *[{{(]?[-+]?
    | \\[dtc]?frac\d?\{{? | \\[dtc]?frac\{{[^{{}}]*\}}\{{? | \\sqrt(?:\[[^\]]*\])?\{{? | \\[lg]eq?\ *
    | (?i:\b(?:minus|negative|moins|menos|meno))\s+ | \d\ +(?:to|or|through|bis|oder)\ +
    | \d\ +:\ * | \w\ [<>]\ * | \u00b1\ * | \\pm\ *
    )\Z""",
    re.VERBOSE,
)
_BEHIND = re.compile(
    rf"""[.,:/'\u2019]\d | [{_SPACES}]\d | _\w | {_LETTER}+\d | \ ?[kKMBT](?!\w) | [xyz]\b | \*\*\d
    | [\uff0c\u060c\u5e74\u6708\u6642\u65f6\u70b9\u9ede]\d | [.)][\ \t]+[-+$\u20ac\u00a3]?\d
    | (?:st|nd|rd|th)\b | \ +(?:of\ +)?(?:{_MONTHS})\b
    | \ *{_TIMES}\ *[\d(\\\u221a] | \ *[\u00b2\u00b3\u00b9\u00bc-\u00be\u2070-\u207e\u2150-\u215e]
    | \ *(?:\u03c0|pi\b|\\pi|\u221a|\\sqrt|\\[dtc]?frac|\^)
    | \ *[\u5341\u767e\u5343\u842c\u4e07\u5104\u4ebf\u5146\uc2ed\ubc31\ucc9c\ub9cc\uc5b5] | \ *(?i:{_SIZES})\b
    | \ +:\ *\d | \ +(?:to|or|through|bis|oder)\ +[-+]?\d""",
    re.VERBOSE,
)
_CURRENCY_SIGN = re.compile(
    r"(?<![\w)%])-\s?(?:[A-Z]{0,3}\$|[\u20ac\u00a3\u00a5\u20b9\u20a9\u20bd\u20ba\u0e3f])\s?$"
)
_MARKED = re.compile(rf"{FINAL}[ \t]*([^\n]*)")
_NUMBERED = re.compile(r"[.:)]\s+\S|\s*[-:]\s")  # "#### 1. Add them" is a heading
# Units whose power is no number of its own: "18 m^2", "18 \\text{ cm}^{2}".
_UNIT_POWER = re.compile(
    r"(\\(?:text|mathrm|mbox)\{[^{}]{0,40}\}|(?<=\d)\s?(?:[kcdm]?m|ft|in|yd|mi|units?)(?:/s)?)\^(?:[23]|\{[23]\})"
)
_SLASHES = {0x2044: "/", 0x2215: "/", 0xFF0F: "/", 0x2236: ":", 0xFF1A: ":"}  # of fractions and ratios
_BOXED = re.compile(r"\\(?:boxed|fbox)\s*\{")


def first_number(text: str, *, cut: bool = False) -> str | None:
    r"""Return the last boxed number, else the first one.

    Of a reply that was cut at the limit, a number at its end may lack digits.

    >>> first_number("\\boxed{18}. That took 3 steps."), first_number("It costs 1 250 EUR.")
    ('18', '1250')
    >>> [first_number(text) for text in ("3/4", "2024-05-01", "5-7 days", "3.5 million", "12 * 4 = 48")]
    [None, None, None, None, None]
    """
    whole = None if cut else read_number(text)
    if whole is not None:
        return whole
    text = _plain(text)
    boxed = _boxed(text)
    return _only(boxed) if boxed is not None else _chosen(text, 0, cut)


def final_number(text: str, *, cut: bool = False) -> str | None:
    r"""Return the last boxed number, else the one behind the first ``####``, else the last one.

    Working that was cut at the limit has no last number.

    >>> final_number("20 - 8 = 12, and 3 of them make $1,036.00.")
    '1036'
    >>> final_number("#### Step 1: add 5 and 6.\n#### 11\nNow 12")
    '11'
    """
    whole = None if cut else read_number(text)
    if whole is not None:
        return whole
    text = _plain(text)
    boxed = _boxed(text)
    if boxed is not None:
        return _only(boxed)
    for marked in _MARKED.finditer(text):
        line = marked[1]
        found = _NUMBER.search(line)
        heading = found is None or any(map(str.isalnum, line[: found.start()]))
        if found is not None and not heading and not _NUMBERED.match(line, found.end()):
            return _chosen(line, 0, cut and marked.end() == len(text))
    return None if cut else _chosen(text, -1, cut)


def _plain(text: str) -> str:
    """Undo what Markdown and LaTeX write around and into numbers."""
    text = fold(text).translate(_SLASHES)
    text = re.sub(r"(?<=\d)(?:\\[,;:! ]|\{,\})(?=\d{3})", ",", text)
    text = re.sub(r"\\([$%#])|\^(?:\{\\circ\}|\\circ)", r"\1", text)
    text = _UNIT_POWER.sub(r"\1", text)
    text = re.sub(r"(?<!\w)(_{1,2})(\S[^_\n]*)\1(?!\w)", r"\2", text)
    text = re.sub(r"(?<!\d)\*\*|\*\*(?!\d)|`", "", text)
    return re.sub(r"(?<![\w)*])\*(\S[^*\n]*)\*(?![\w(*])", r"\1", text)


def _boxed(text: str) -> str | None:
    r"""Return what the last ``\boxed`` holds."""
    *_, last = [None, *_BOXED.finditer(text)]
    if last is None:
        return None
    depth = 1
    for place in range(last.end(), len(text)):
        depth += (text[place] == "{") - (text[place] == "}")
        if not depth:
            return text[last.end() : place]
    return ""  # cut within: no number


def _only(text: str) -> str | None:
    """Return the number of a text that holds just one."""
    return _chosen(text, 0, False) if len(_NUMBER.findall(text)) == 1 else None


def _chosen(text: str, which: int, cut: bool) -> str | None:
    found = list(_NUMBER.finditer(text))
    if not found:
        return None
    match = found[which]
    before, behind = text[max(0, match.start() - CONTEXT) : match.start()], text[match.end() :]
    sign = match[0][0] if match[0][0] in "+-" else ""
    if _BEFORE.search(before + sign) or _BEHIND.match(behind) or (cut and behind in ("", ".", ",")):
        return None
    value = read_number(_ungrouped(match))
    if value in (None, "0") or not _CURRENCY_SIGN.search(before):
        return value
    return None if sign else f"-{value}"


def _ungrouped(match: re.Match[str]) -> str:
    """Return the digits of a number with a decimal point at most."""
    digits, points, decimals = match[0], match[0].count("."), match[0].count(",")
    if match["group"]:
        return re.sub(rf"[,'\u2019{_SPACES}]", "", digits)
    if points and decimals:
        return digits.replace(".", "").replace(",", ".")
    return digits.replace(".", "") if points > 1 else digits
