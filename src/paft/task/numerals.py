"""Numbers as people write them: what is a number, and its one plain form.

The plain form is decimal, exact, without exponent, plus sign, thousands separators or needless
zeros, so equal numbers have equal texts. Separators are ``,``, ``'`` and spaces that do not break;
signs, digits and points of other scripts count as the ASCII ones.

Fractions, percentages, units, dates and words are no numbers, nor are numbers of more than
:data:`LIMIT` digits.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Context, Decimal, InvalidOperation

LIMIT = 1_000  # digits before the point, digits behind it and digits in all, each at most

_EXACT = Context(prec=2 * LIMIT, Emax=10 * LIMIT, Emin=-10 * LIMIT)
# Not NFKC, which makes 102 of a ten squared. One character stands for one: places stay places.
_SIGNS = dict.fromkeys("\u2010\u2011\u2012\u2013\u2212\ufe63\uff0d", "-") | dict.fromkeys("\uff0b\ufe62", "+")
_MARKS = {"\uff0e": ".", "\u066b": ".", "\u066c": ","}  # full-width and Arabic
_JOINED = "\u00a0\u202f\u2009"  # spaces that hold the digits of one number together


def _pattern(separators: str) -> re.Pattern[str]:
    grouped = rf"\d{{1,3}}(?P<separator>[{separators}])\d{{3}}(?:(?P=separator)\d{{3}})*(?!\d)"
    return re.compile(rf"[-+]?(?:(?:{grouped}|\d+)(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?", re.ASCII)


_VALUED = "\u00b2\u00b3\u00b9\u00bc-\u00be\u2070-\u2079\u2150-\u215f"  # 3\u00bd and 3\u00b2 are not 3
_UNIT = rf"(?:[^\W\d_{_VALUED}]{{1,4}}\.?|[^\w\s.,()/+<>\u2264\u2265-]+)"  # EUR, kg, a currency's sign, %
_AS_MEANT = re.compile(rf"{_UNIT}?\s*(?P<number>[-+]?\d[\d.,'\u2019\s]*)(?<!\s)\s*{_UNIT}?")
_DECIMAL_COMMA = re.compile(r"[-+]?(?:\d{1,3}(?:[.'\u2019\s]\d{3})+|\d+),\d+")
_SPACED_WHOLE = re.compile(r"[-+]?\d{1,3}(?:\s\d{3})+(?:\.\d+)?")
_WRITTEN = _pattern(rf",'\u2019{_JOINED}")
_SPACED = _pattern(rf",'\u2019{_JOINED} ")


@dataclass(frozen=True)
class Numeral:
    """A number in a text.

    Attributes:
        start: Place of its first character, its sign if it has one.
        end: Place behind its last character.
        value: Its plain form; None for more than ``LIMIT`` digits.
    """

    start: int
    end: int
    value: str | None


def fold(text: str) -> str:
    r"""Return a text of the same length with ASCII digits, signs and decimal points.

    >>> fold("\u2212\uff17\uff0e\uff15 \u0663")
    '-7.5 3'
    """
    if text.isascii():
        return text
    return "".join(map(_folded, text))


def read_number(text: str) -> str | None:
    r"""Return the plain form of a text that is one number and nothing else, white space aside.

    >>> read_number(" 1,250.50 ")
    '1250.5'
    >>> read_number("1e-05")
    '0.00001'
    >>> [read_number(text) for text in ("3/4", "50%", "2024-05-01", "1 234", "five")]
    [None, None, None, None, None]
    """
    folded = fold(text.strip())
    return _value(folded) if _WRITTEN.fullmatch(folded) else None


def number_meant(text: str) -> str | None:
    r"""Return the number that a text most likely means which is none as it stands, for a hint.

    A unit or a currency's sign is left out, and so are spaces between digits; a comma that can only be a
    decimal one becomes a point.

    >>> [number_meant(text) for text in ("3,5", "1.234,50", "\u20ac 12", "12 %", "1 234")]
    ['3.5', '1234.50', '12', '12', '1234']
    >>> [number_meant(text) for text in ("3/4", "2024-05-01", "five", "1,2,3", "(12)")]
    [None, None, None, None, None]
    >>> [number_meant(text) for text in ("3\u00bd", "3\u00b2", "<5")]
    [None, None, None]
    """
    found = _AS_MEANT.fullmatch(fold(text.strip()))
    if found is None:
        return None
    number = found["number"]
    if _DECIMAL_COMMA.fullmatch(number) and read_number(number) is None:
        return re.sub(r"[.'\u2019\s]", "", number).replace(",", ".")
    if _SPACED_WHOLE.fullmatch(number):
        return re.sub(r"\s", "", number)
    return number if read_number(number) is not None else None


def find_numbers(text: str) -> Iterator[Numeral]:
    """Yield the numbers in a text from left to right; here a plain space may group digits too.

    A full stop behind a number ends the sentence. A sign is the number's own: whether it stands
    between two numbers is for the caller to see.

    >>> [numeral.value for numeral in find_numbers("Of 1 250 EUR, 3.5e2 remain: -7.")]
    ['1250', '350', '-7']
    """
    folded = fold(text)
    for match in _SPACED.finditer(folded):
        digits = match.group().removesuffix(".")
        yield Numeral(match.start(), match.start() + len(digits), _value(digits))


def plain(number: Decimal) -> str | None:
    """Return the plain form of a number, None if it is not finite or has more than ``LIMIT`` digits.

    >>> [plain(Decimal(text)) for text in ("2e16", "-0.00", "1e999999")]
    ['20000000000000000', '0', None]
    """
    if not number.is_finite():
        return None
    if not number:
        return "0"
    digits, exponent = number.as_tuple().digits, number.as_tuple().exponent
    if len(digits) > LIMIT or number.adjusted() >= LIMIT or int(exponent) < -LIMIT:
        return None
    return format(number.normalize(_EXACT), "f")


def _folded(character: str) -> str:
    if character.isdecimal():
        return str(unicodedata.decimal(character))
    return _SIGNS.get(character) or _MARKS.get(character, character)


def _value(written: str) -> str | None:
    try:
        return plain(Decimal(re.sub(rf"[,'\u2019 {_JOINED}]", "", written)))
    except InvalidOperation:  # an exponent that no machine number holds
        return None
