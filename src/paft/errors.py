"""The errors a user can cause.

Every message says what was wrong (the value), where (file, line, key) and what to do, in no more
than a screen: values of any size may stand in it. The command line prints the message alone and
exits with code 2; anything that is not a :class:`PaftError` is a defect of ours and keeps its
traceback.
"""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral, Real

SCREEN = 1_200  # characters of a message at most
SHOWN = 80  # characters of a value in a message
QUOTED = 240  # characters of what a library says


class PaftError(Exception):
    """Base of all errors caused by input, never by a defect of PAFT."""

    def __init__(self, message: str = "") -> None:
        super().__init__(shorten(message, SCREEN))


class ConfigError(PaftError):
    """A configuration, task file or command line cannot be used."""


class PromptError(PaftError):
    """A template or a bank of prompts breaks a rule."""


class DataError(PaftError):
    """Examples are missing, unreadable or do not fit the task."""


class ModelError(PaftError):
    """A model or tokenizer cannot be loaded or does not fit the task."""


class NotFiniteError(ModelError):
    """Weights, a loss or log-probabilities are NaN or infinite."""


class DivergedError(NotFiniteError):
    """A trial failed because what it trained gives no finite numbers; nothing of it is kept."""


class ResumeError(PaftError):
    """What lies in the output directory was made by another configuration or other inputs."""


def expect(value: object, kinds: type | tuple[type, ...], what: str) -> None:
    """Refuse an argument of another type than a function takes.

    Args:
        value: The argument.
        kinds: The type it must have, or several.
        what: What the argument is, for the message.

    Raises:
        ConfigError: Naming what was wanted and what was given.

    >>> expect({"epochs": 1}, int, "seed")
    Traceback (most recent call last):
    paft.errors.ConfigError: seed must be of type int, not dict: {'epochs': 1}
    """
    known = kinds if isinstance(kinds, tuple) else (kinds,)
    if not isinstance(value, known):
        wanted = " or ".join(kind.__name__ for kind in known)
        raise ConfigError(f"{what} must be of type {wanted}, not {type(value).__name__}: {shown(value)}")


def expect_items(values: object, kind: type, what: str) -> None:
    """Refuse an argument that is no list of things of a type; of lazy ones the first is looked at.

    Raises:
        ConfigError: As :func:`expect`.

    >>> expect_items(["{text}"], int, "the prompts")
    Traceback (most recent call last):
    paft.errors.ConfigError: the prompts must be a list of int, not of str: ['{text}']
    """
    listed = isinstance(values, Sequence) and not isinstance(values, str)
    items = (values if isinstance(values, (list, tuple)) else values[:1]) if listed else ()  # type: ignore[index]
    if not listed or not all(isinstance(item, kind) for item in items):
        wrong = [type(item).__name__ for item in items if not isinstance(item, kind)]
        found = f"of {wrong[0]}" if wrong else type(values).__name__
        raise ConfigError(f"{what} must be a list of {kind.__name__}, not {found}: {shown(values)}")


def expect_whole(value: object, what: str, *, least: int = 0, most: int | None = None) -> int:
    """Return an argument that is a whole number, of Python or numpy, and refuse any other.

    Raises:
        ConfigError: Naming what was wanted and what was given.

    >>> expect_whole(0, "epochs", least=1)
    Traceback (most recent call last):
    paft.errors.ConfigError: epochs must be a whole number, at least 1, not 0
    """
    whole = isinstance(value, Integral) and not isinstance(value, bool)
    if not whole or int(value) < least or (most is not None and int(value) > most):  # type: ignore[call-overload]
        bounds = f"at least {least}" if most is None else f"from {least} to {most}"
        raise ConfigError(f"{what} must be a whole number, {bounds}, not {shown(value)}")
    return int(value)  # type: ignore[call-overload, no-any-return]


def expect_share(value: object, what: str) -> float:
    """Return an argument that is a share, of Python or numpy, and refuse any other.

    Raises:
        ConfigError: Naming what was wanted and what was given.

    >>> expect_share(90, "the threshold")
    Traceback (most recent call last):
    paft.errors.ConfigError: the threshold must be a number from 0 to 1, not 90: write 0.9 for 90 %
    """
    real = isinstance(value, Real) and not isinstance(value, bool)
    if not real or not 0 <= float(value) <= 1:  # type: ignore[arg-type]
        raise ConfigError(f"{what} must be a number from 0 to 1, not {shown(value)}{share_hint(value)}")
    return float(value)  # type: ignore[arg-type]


def share_hint(value: object) -> str:
    """Say how to write a percentage where a share is wanted; nothing of what looks like none.

    >>> share_hint(5), share_hint(-1)
    (': write 0.05 for 5 %', '')
    """
    if isinstance(value, bool) or not isinstance(value, Real) or not 1 < float(value) <= 100:
        return ""
    return f": write {float(value) / 100:g} for {float(value):g} %"


def shorten(text: str, limit: int) -> str:
    """Return a text with its middle left out where it is longer; what to do stands at its end.

    >>> shorten("0123456789", 8)
    '01 ... 9'
    """
    if len(text) <= limit:
        return text
    mark = " ... "
    tail = (limit - len(mark)) // 3
    return text[: limit - len(mark) - tail] + mark + text[len(text) - tail :]


def said(error: Exception) -> str:
    r"""Return what a library says of an error, in one line.

    >>> said(KeyError("yarn")), said(ValueError("two\nlines")), said(ValueError())
    ("KeyError: 'yarn'", 'two lines', 'ValueError')
    """
    text = shorten(" ".join(str(error).split()), QUOTED)
    if text and not isinstance(error, KeyError):
        return text
    return ": ".join(filter(None, [type(error).__name__, text]))


def shown(value: object) -> str:
    """Return a value as it stands in a message: its ``repr``, at most ``SHOWN`` characters of it."""
    if isinstance(value, (str, bytes)) and len(value) > 4 * SHOWN:
        value = value[: 2 * SHOWN] + value[-2 * SHOWN :]  # type: ignore[operator]
    try:
        text = repr(value)
        return shorten(" ".join(text.split()) if "\n" in text else text, SHOWN)  # a table's has lines
    except (RecursionError, ValueError):  # nested too deeply, or a whole number of thousands of digits
        return f"{type(value).__name__} too large to show"
