"""Names that users choose: made into names of folders and files, or of a file and a part of its rows."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from paft.errors import ConfigError

LONGEST = 100  # bytes; file systems take 255, with what is put around a name
NO_NAMES = ("", ".", "..")
REVISION = r"^[^@\s]+$"
_PART = re.compile(r"(.+\.\w+)(\[.*)")
_BOUND = re.compile(r"(-?\d{1,18})(%?)", re.ASCII)
_ON_HUB = re.compile(r"[\w.-]+(/[\w.-]+)?(:[^:@]+)?")  # behind the colon a GGUF file


def folder_name(path: str, otherwise: str) -> str:
    """Return a name for a folder that is about a path, a Hub id or another name: its last part.

    It never leads out of the folder it is put in and is never empty: ``otherwise`` stands in. Of a path
    that ends in ``.`` or ``..`` the folder it leads to gives the name.

    >>> folder_name("org/model-7b", "model"), folder_name("/", "model")
    ('model-7b', 'model')
    """
    name = Path(path.replace("\0", "")).name
    if name in NO_NAMES and Path(path).is_dir():
        name = Path(path).resolve().name
    return short_name(name, otherwise)


def short_name(name: str, otherwise: str) -> str:
    """Return a name as it is, ``otherwise`` for one that is none, and a digest's end for too long a one.

    >>> short_name("..", "model"), len(short_name("a" * 300, "model"))
    ('model', 100)
    """
    if name in NO_NAMES:
        return otherwise
    data = name.encode("utf-8", "replace")
    if len(data) <= LONGEST:
        return name
    end = "-" + hashlib.sha256(data).hexdigest()[:8]
    return data[: LONGEST - len(end)].decode("utf-8", "ignore") + end


def pin_model(name: str, revision: str | None) -> str:
    """Return a model's name as loaders take it: ``owner/name@revision`` where a revision is pinned."""
    return name if revision is None else f"{name}@{revision}"


def split_revision(name: str) -> tuple[str, str | None]:
    """Return a model's name and the revision (commit, branch or tag) that it is pinned to, if any.

    >>> split_revision("Qwen/Qwen3-0.6B@main"), split_revision("Qwen/Qwen3-0.6B")
    (('Qwen/Qwen3-0.6B', 'main'), ('Qwen/Qwen3-0.6B', None))
    """
    bare, _, revision = name.rpartition("@")
    if not bare or Path(name).exists() or not (_ON_HUB.fullmatch(bare) or Path(bare).exists()):
        return name, None
    return bare, revision


def require_file(path: Path) -> None:
    """Refuse a path that can name no file to write.

    Raises:
        ConfigError: If it is a folder, a device or a pipe.
    """
    if path.name in NO_NAMES or path.is_dir():
        raise ConfigError(f"{path} is a folder: name a file in it, for instance {path / 'bank.jsonl'}")
    if path.exists() and not path.is_file():  # a finished file is renamed over what is there
        raise ConfigError(f"{path} is a device or a pipe: name a file")


def split_part(name: str) -> tuple[str, str]:
    """Return the file that a name of data means, and the part of it, empty for all of it.

    >>> split_part("a.csv[:80%]"), split_part("a.csv")
    (('a.csv', '[:80%]'), ('a.csv', ''))
    """
    found = _PART.fullmatch(name)
    return (found[1], found[2]) if found else (name, "")


def part_range(part: str, count: int) -> range:
    """Return the rows, of so many, that a part of a file holds; shares are rounded to whole rows.

    Raises:
        ValueError: If it is none, or holds none.

    >>> part_range("[80%:]", 12), part_range("[-3:]", 12)
    (range(10, 12), range(9, 12))
    """
    texts, found = [text.strip() for text in part[1:-1].split(":")], []
    if len(texts) != 2 or part[0] + part[-1] != "[]":
        raise ValueError(f"{part} is no part of a file")
    for text, default in zip(texts, (0, count), strict=True):
        bound = _BOUND.fullmatch(text)
        if text and bound is None:
            raise ValueError(f"{text!r} in {part} is neither a number of rows nor a share in percent")
        place = default if bound is None else int(bound[1])
        if bound and bound[2]:  # [-10%:] is what [:90%] leaves
            place = round((place + 100 * text.startswith("-")) * count / 100)
        elif text.startswith("-"):
            place += count
        if not 0 <= place <= count:
            raise ValueError(f"{text!r} in {part} lies outside of it")
        found.append(place)
    if found[0] >= found[1]:
        raise ValueError(f"{part} holds no rows")
    return range(*found)
