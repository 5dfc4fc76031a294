"""Reading and writing files so that errors name the place and nothing is left half-written.

Writes go to a temporary file beside the target and are renamed over it, so a reader sees the old
content or the new, never a part. A full disk or a missing permission becomes a :class:`PaftError`
that names the path and what to do about it, and the temporary file is removed; what ``kill -9`` left
of one is removed by the next write to the same target (:mod:`paft.part`).
"""

from __future__ import annotations

import codecs
import errno
import hashlib
import json
import os
import shlex
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from paft.errors import ConfigError, DataError, PaftError
from paft.names import require_file
from paft.part import in_writing, part_of
from paft.text_values import load_yaml

_BEYOND = "malformed JSON (a number of thousands of digits, or thousands of brackets inside of each other)"
_PART = 1 << 20  # bytes read at once
_DIGESTS: dict[tuple[int, ...], str] = {}
SPACE = "free some space or choose another place"
CHANGED = "another program moved or removed files there meanwhile: stop it or choose another place"
ADVICE = {
    errno.ENOSPC: SPACE,
    errno.EDQUOT: SPACE,
    errno.EFBIG: SPACE,
    errno.EACCES: "get the right to write there or choose another place",
    errno.EPERM: "get the right to write there or choose another place",
    errno.EROFS: "choose a place that is not read-only",
    errno.ENOENT: CHANGED,
    errno.ENOTEMPTY: CHANGED,
    errno.EEXIST: CHANGED,
    errno.ENAMETOOLONG: "choose a shorter name",
}


def read_text(path: Path, what: str, newline: str | None = None) -> str:
    """Return the text of a UTF-8 file; ``what`` it is, ``"bank"`` say, is named in errors.

    ``newline`` is that of :func:`open`: ``""`` keeps carriage returns, which cells of a table may hold.

    Raises:
        DataError: If the file is missing, is a folder, is unreadable or is not UTF-8.
    """
    try:
        # Excel begins its CSV files with a mark, which utf-8-sig drops.
        with path.open(encoding="utf-8-sig", newline=newline) as file:
            return file.read()
    except FileNotFoundError:
        raise DataError(f"{what} file not found: {path}") from None
    except UnicodeDecodeError as error:
        todo = to_utf8(path)
        raise DataError(f"{what} file {path} is not UTF-8 (byte {error.start}): {todo}") from None
    except OSError as error:
        raise DataError(f"{what} file {path} cannot be read: {error.strerror}") from None


def to_utf8(path: Path) -> str:
    """Say how to convert a text file that is not UTF-8: one with UTF-16's mark, else in Windows' encoding."""
    with path.open("rb") as file:
        marked = file.read(2) in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
    target = path.with_name(f"{path.stem}.utf8{path.suffix}")
    command = f"iconv -f {'utf-16' if marked else 'cp1252'} -t utf-8 {shlex.quote(str(path))}"
    return f"convert it (`{command} > {shlex.quote(str(target))}`, or save it as UTF-8)"


def read_jsonl(path: Path, what: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield ``(line number from 1, object)`` of a JSON Lines file; blank lines are skipped.

    Raises:
        DataError: If a line is not a JSON object; the message names file and line.
    """
    # Only "\n" ends a line: str.splitlines would also break inside texts at U+2028 and friends.
    for number, line in enumerate(read_text(path, what).split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            raise DataError(
                f"{path}:{number}: malformed JSON ({error.msg} at column {error.colno}): "
                "each line must be one JSON object"
            ) from None
        except (ValueError, RecursionError):
            raise DataError(f"{path}:{number}: {_BEYOND}") from None
        yield number, as_object(row, line, f"{path}:{number}")


def as_object(value: Any, text: str, where: str) -> dict[str, Any]:
    """Return a value read from a JSON text if it is an object whose texts can be written again.

    Raises:
        DataError: If not; ``where`` names the place.
    """
    if not isinstance(value, dict):
        raise DataError(f"{where}: expected a JSON object, got {type(value).__name__}")
    if "\\u" in text and not encodable(json.dumps(value, ensure_ascii=False, default=str)):
        raise DataError(f"{where}: a \\ud8xx escape is half a surrogate pair: remove it")
    return value


def encodable(text: str) -> bool:
    """Whether a text is UTF-8; half a surrogate pair, as of an emoji cut in two, is not."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def read_yaml(path: Path, what: str) -> dict[str, Any]:
    """Return a YAML file's top-level mapping.

    Raises:
        ConfigError: If it is not valid YAML or not a mapping; the message names file and line.
        DataError: If the file cannot be read.
    """
    try:
        data = load_yaml(read_text(path, what))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f":{mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or "malformed"
        raise ConfigError(f"{path}{where}: not valid YAML: {problem}") from None
    if not isinstance(data, dict):
        raise ConfigError(f"{path}: expected `key: value` lines, got {type(data).__name__}")
    return data


def write_atomically(path: Path, write: Callable[[Path], object]) -> None:
    """Let ``write`` fill a temporary file beside ``path``, then rename it to ``path``; links stay links.

    Raises:
        ConfigError: If the path is a folder or a device.
        PaftError: If the disk is full or the folder cannot be written.
    """
    try:
        require_file(path)
        path = path.resolve() if path.is_symlink() else path
        with part_of(path) as part:
            write(part)
            with part.open("rb") as file:
                os.fsync(file.fileno())
            part.chmod(0o666 & ~_withheld())
            part.replace(path)
    except OSError as error:
        raise disk_error(path, error) from error


@contextmanager
def new_folder(output: Path) -> Iterator[Path]:
    """Yield a temporary folder that becomes ``output`` when the block ends without an error.

    Raises:
        ConfigError: If ``output`` is a file or holds files.
        PaftError: If another process writes it too, or the folder cannot be written.
    """
    require_new_folder(output)
    try:
        if output.parent.is_dir() and in_writing(output):
            raise PaftError(f"another PAFT process writes {output}: wait for it, or stop it first")
        with part_of(output, folder=True) as part:
            yield part
            part.chmod(0o777 & ~_withheld())
            require_new_folder(output)  # somebody may have been faster
            if output.exists():
                output.rmdir()
            part.replace(output)
    except OSError as error:
        raise disk_error(output, error) from error


def require_new_folder(output: Path) -> None:
    """Refuse a place for a folder where files are.

    Raises:
        ConfigError: If it is a file or holds files.
    """
    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise ConfigError(f"{output} already exists: choose a new folder, or remove this one first")


def _withheld() -> int:
    """Return the rights that the user's umask withholds from new files."""
    mask = os.umask(0o077)  # it is the whole process's, so never a wider one in between
    os.umask(mask)
    return mask


def disk_error(path: Path, error: OSError) -> PaftError:
    """Return a one-line error for a failed write (disk full, permission, read-only)."""
    advice = ADVICE.get(error.errno or 0, "mend that or choose another place")
    if error.errno in (errno.EEXIST, errno.ENOENT, errno.ENOTDIR):
        no_folder = next((p for p in path.parents if os.path.lexists(p) and not p.is_dir()), None)
        advice = f"{no_folder} is no folder: choose another place" if no_folder else advice
    return PaftError(
        f"cannot write {path}: {error.strerror or error}; {advice}, then run the same command again: "
        "finished work is kept"
    )


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text atomically."""
    write_atomically(path, lambda part: part.write_bytes(text.encode("utf-8")))


def write_json(path: Path, data: Any) -> None:
    """Write indented JSON atomically; NaN is refused, since JSON has none."""
    write_text(path, json.dumps(data, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path: Path, what: str) -> Any:
    """Return a JSON file's content.

    Raises:
        DataError: If it is missing or malformed; the message names file and line.
    """
    try:
        return json.loads(read_text(path, what))
    except json.JSONDecodeError as error:
        raise DataError(f"{path}:{error.lineno}: malformed JSON ({error.msg})") from None
    except (ValueError, RecursionError):
        raise DataError(f"{path}: {_BEYOND}") from None


def fingerprint(data: Any) -> str:
    """Return 16 hexadecimal digits of the SHA-256 of canonical JSON."""
    text = json.dumps(data, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8")).hexdigest()[:16]


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file.

    Raises:
        OSError: If it cannot be read.
    """
    status = path.stat()
    # Wherever it is moved to; the time of its last change cannot be set back, as that of writing can.
    key = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
    if key not in _DIGESTS:
        digest = hashlib.sha256()
        with path.open("rb") as file:
            while part := file.read(_PART):
                digest.update(part)
        _DIGESTS[key] = digest.hexdigest()
    return _DIGESTS[key]
