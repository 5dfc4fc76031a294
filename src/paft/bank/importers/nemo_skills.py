"""NeMo-Skills: a prompt is a YAML file with ``user:``; a set lists prompt files, by benchmark.

Placeholders are ``{field}`` and literal braces are doubled, as here. ``{examples}`` stands for
few-shot examples, which NeMo-Skills leaves empty by default; it is left empty here. A
prompt with a system message is no single template and is returned with that reason.

A set names files with or without ``.yaml``, relative to a folder above it or as full paths.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from paft.bank.foreign_yaml import load_yaml
from paft.bank.importers.candidate import Candidate, Imported, Skipped, candidate
from paft.errors import DataError

FEW_SHOT = "{examples}"


def is_nemo_skills(data: Any) -> bool:
    """Whether YAML content is a prompt or a set of prompts of NeMo-Skills."""
    if isinstance(data, dict) and isinstance(data.get("user"), str):
        return True
    try:
        return any(True for _ in _entries(data))
    except ValueError:
        return False


def read_nemo_skills(path: Path) -> Imported:
    """Read a prompt file, or every file that a set names."""
    data = load_yaml(path)
    files: list[tuple[Path, Any, dict[str, str]]] = []
    if isinstance(data, dict) and "user" in data:
        files.append((path, data, {}))
    else:
        try:
            entries = list(_entries(data))
        except ValueError as error:
            raise DataError(f"{path}: {error}") from None
        for benchmark, name in entries:
            found = _find(path, name)
            files.append((found, load_yaml(found), {"benchmark": benchmark} if benchmark else {}))
    candidates: list[Candidate] = []
    skipped: list[Skipped] = []
    for row, (file, prompt, more) in enumerate(files, start=1):
        user = prompt.get("user") if isinstance(prompt, dict) else None
        if not isinstance(user, str):
            raise DataError(f"{file}: a NeMo-Skills prompt needs `user:` with text")
        if str(prompt.get("system") or "").strip():
            skipped.append(Skipped(str(file), "a system message beside the user message"))
            continue
        candidates.append(candidate(file.name, user.replace(FEW_SHOT, ""), row, str(file), more))
    return Imported(tuple(candidates), tuple(skipped))


def _entries(data: Any) -> Iterator[tuple[str, str]]:
    """Yield (benchmark or "", file) of a set; content that is none is a ValueError."""
    groups = data if isinstance(data, dict) else {"": data}
    for benchmark, items in groups.items():
        if not isinstance(items, list):
            raise ValueError("expected `user:` with text, or lists of prompt files by benchmark")
        for item in items:
            name = item.get("prompt_config") if isinstance(item, dict) else item
            if not isinstance(name, str) or not name.strip():
                raise ValueError(f"{benchmark or 'the list'} must name prompt files, got {item!r}")
            yield str(benchmark), name


def _find(path: Path, name: str) -> Path:
    file = name if name.endswith((".yaml", ".yml")) else name + ".yaml"
    folders = path.absolute().parents
    try:
        for folder in folders:
            if (folder / file).is_file():
                return folder / file
    except (OSError, ValueError):  # a name too long for a file, or with a null character
        pass
    raise DataError(f"{path}: prompt file {name!r} is in none of the folders from {folders[0]} upwards")
