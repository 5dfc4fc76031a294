"""Finished runs and evaluations side by side: one report of the prompts and examples that all of them have.

Prompts are the same if their text is, which their id says; examples if fields, options and right answer are,
wherever they stand in their file. Figures are counted anew from the cells of these alone. Runs of different
tasks, of another scoring or without anything in common are refused.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from paft.errors import ConfigError, DataError, shown
from paft.evaluate.matrix import Matrix
from paft.evaluate.rows import prompt_rows, robustness_row, split_row
from paft.files import fingerprint
from paft.methods import main_method
from paft.prompt import Prompt
from paft.report.data import Matrices, Report, gather
from paft.report.folder import read_examples, read_matrices, read_results, read_trained
from paft.report.method_rows import main_split
from paft.report.run_folder import IDENTITY
from paft.shape import read_record
from paft.task.task import Example

Key = tuple[str, int]  # content of an example, and how many equal ones stand before it


@dataclass(frozen=True)
class Source:
    """One run or evaluation.

    Attributes:
        label: What its methods are called by.
        folder: Where it lies.
        results: The content of its ``results.json``.
        unfinished: Names of its trials that are planned and not finished.
        matrices: Its cells.
        identity: What its figures depend on.
        texts: Its examples by index; empty where they cannot be read from here.
    """

    label: str
    folder: Path
    results: Mapping[str, Any]
    unfinished: tuple[str, ...]
    matrices: Matrices
    identity: Mapping[str, Any]
    texts: Mapping[int, Example]

    @property
    def split(self) -> str:
        """The prompts that it is about."""
        return main_split(self.results)

    @cached_property
    def prompts(self) -> dict[str, str]:
        """Template by id, of all its prompts that have cells under every model."""
        rows = [entry for entry in self.results["per_prompt"] if entry["split"] in (self.split, "user")]
        return {entry["prompt_id"]: entry["prompt"] for entry in rows}

    @cached_property
    def tested(self) -> list[str]:
        """Ids of the prompts of its split, in order."""
        return list(
            dict.fromkeys(e["prompt_id"] for e in self.results["per_prompt"] if e["split"] == self.split)
        )

    @cached_property
    def indices(self) -> list[int]:
        """Numbers of its examples."""
        return sorted(
            {i for (_, _, split), m in self.matrices.items() if split == self.split for i in m.examples}
        )

    @property
    def subject(self) -> str:
        """The model that it is about."""
        names = list(dict.fromkeys(row["method"] for row in self.results["rows"]))
        compared = self.results.get("compared") or [main_method(names) or names[-1]]
        return f"{self.label}/{compared[0]}"

    def keys(self) -> dict[Key, int]:
        """Return the number of each example by its content."""
        found: Counter[str] = Counter()
        keyed = {}
        for index in self.indices:
            e = self.texts[index]
            told = fingerprint([dict(e.fields), e.gold, list(e.options), list(e.option_texts)])
            keyed[told, found[told]] = index
            found[told] += 1
        return keyed


def read_combined(folders: Sequence[Path], compare: tuple[str, str] | None = None) -> Report:
    """Gather one report of several finished runs or evaluations.

    Args:
        folders: Their folders, two at least.
        compare: The two models of the headline, the first against the second, as ``RUN/method``; by default
            what the second run is about against what the first is.

    Raises:
        DataError: If a folder holds no finished run, or runs cannot be compared.
        ConfigError: If a folder is given twice, or a model of ``compare`` is unknown.
    """
    sources = [_read(folder, label) for folder, label in zip(folders, _labels(folders), strict=True)]
    first = sources[0]
    for other in sources[1:]:
        _check_alike(first, other)
    prompts = [id_ for id_ in first.tested if all(id_ in other.tested for other in sources)]
    places = _places(sources)
    for what, count in (("prompt", len(prompts)), ("example", len(places[0]))):
        if not count:
            named = " and ".join(str(source.folder) for source in sources)
            raise DataError(
                f"{named} have no {what} in common: evaluate the models on the same bank and test examples"
            )
    own = {m.prompt_ids for s in sources for (_, _, split), m in s.matrices.items() if split == "user"}
    splits = [first.split, *(["user"] if len(own) == 1 else [])]
    results = _empty_results(sources, compare)
    results["warnings"] = [
        *_left_out(sources, len(prompts), len(places[0]), len(own) > 1),
        *(f"{source.label}: {warning}" for source in sources for warning in source.results["warnings"]),
    ]
    matrices: dict[tuple[str, int | None, str], Matrix] = {}
    for source, place in zip(sources, places, strict=True):
        matrices |= _add_source(results, source, splits, prompts, place)
        results["trained_on"] += _trained_on(source, prompts)
        results["warnings"] += _drop_same_base(results, matrices, source)
    _check_compared(results)
    texts = [first.texts[index] for index in places[0].values() if index in first.texts]
    trained = {
        (f"{source.label}/{method}", seed): record
        for source in sources
        for (method, seed), record in read_trained(source.folder, source.results).items()
    }
    unfinished = tuple(f"{source.label}/{name}" for source in sources for name in source.unfinished)
    return gather(results, matrices, texts, unfinished, trained)


def _labels(folders: Sequence[Path]) -> list[str]:
    """Name runs by their folders, with as many of the folders around them as tells them apart."""
    parts = [folder.resolve().parts for folder in folders]
    doubled = next((folder for n, folder in enumerate(folders) if parts[n] in parts[:n]), None)
    if doubled is not None:
        raise ConfigError(f"{doubled} is given twice: give different runs")
    depth = 1
    while len({part[-depth:] for part in parts}) < len(parts):
        depth += 1
    return ["/".join(part[-depth:]) for part in parts]


def _read(folder: Path, label: str) -> Source:
    results, unfinished = read_results(folder)
    matrices = read_matrices(folder, results)
    split = main_split(results)
    cells = [(row["method"], row["seed"], row["split"]) for row in results["rows"] if row["split"] == split]
    if lacking := [cell[0] for cell in cells if cell not in matrices]:
        raise DataError(f"the cells of {lacking[0]!r} are not in {folder}: runs are compared cell by cell")
    identity = read_record(folder / IDENTITY, "run identity", {}) if (folder / IDENTITY).exists() else {}
    indices = sorted({i for (_, _, of), m in matrices.items() if of != "user" for i in m.examples})
    texts = {example.index: example for example in read_examples(folder, indices)}
    return Source(label, folder, results, unfinished, matrices, identity, texts)


def _check_alike(first: Source, other: Source) -> None:
    """Refuse runs whose figures are of different things.

    Raises:
        DataError: Saying what differs.
    """
    both = f"{first.folder} and {other.folder}"
    for words, found in (
        ("are of different tasks", (_task_of(first), _task_of(other))),
        ("are scored in different ways", (_scoring_of(first), _scoring_of(other))),
        ("are of different prompts", ({"split": first.split}, {"split": other.split})),
    ):
        one, two = found
        differs = next((key for key in one if key in two and one[key] != two[key]), None)
        if differs is not None:
            told = f"{differs}: {shown(one[differs])} and {shown(two[differs])}"
            raise DataError(f"{both} {words} ({told}): only figures of the same thing can be compared")


def _task_of(source: Source) -> dict[str, Any]:
    """Return what makes a task, but for the user prompt and what a run of a former version did not record."""
    answer = {key: value for key, value in source.identity.items() if key.startswith("task.")}
    answer.pop("task.prompt", None)
    return {"task": source.results["task"], **answer}


def _scoring_of(source: Source) -> dict[str, Any]:
    scoring = {
        key: value for key, value in source.results.get("scoring", {}).items() if key in ("by", "rule")
    }
    chosen = source.results.get("config", {}).get("evaluate", {}).get("choose")
    return {**scoring, **({} if chosen is None else {"evaluate.choose": chosen})}


def _places(sources: Sequence[Source]) -> list[dict[Any, int]]:
    """Return for each run the numbers of the examples that all have, by what they have in common, in order.

    Raises:
        DataError: If the examples of one cannot be read, and it is not known that all have the same.
    """
    known = {source.identity.get("test examples") for source in sources}
    blind = next((source for source in sources if not source.texts), None)
    keyed: list[dict[Any, int]]
    if blind is None:
        keyed = [source.keys() for source in sources]
    elif None not in known and len(known) == 1:
        keyed = [{index: index for index in source.indices} for source in sources]
    else:
        raise DataError(
            f"the test examples of {blind.folder} cannot be read from here, or have changed since: give the "
            "command in the folder in which it was run, so that its examples can be matched"
        )
    common = [key for key in keyed[0] if all(key in other for other in keyed)]
    return [{key: each[key] for key in common} for each in keyed]


def _left_out(sources: Sequence[Source], prompts: int, examples: int, users: bool) -> list[str]:
    """Say what only some of the runs have."""
    told = []
    for source in sources:
        few = [
            f"{kept} of its {len(all_)} {what}"
            for what, kept, all_ in (
                ("prompts", prompts, source.tested),
                ("examples", examples, source.indices),
            )
            if kept < len(all_)
        ]
        if few:
            told.append(f"{source.label} is compared on {' and '.join(few)}: the others are not in every run")
    return told + ["the runs have different user prompts, which are left out"] * users


def _empty_results(sources: Sequence[Source], compare: tuple[str, str] | None) -> dict[str, Any]:
    """Return what ``results.json`` of one run would hold, without figures."""
    first = sources[0].results
    shared = [key for key in ("backend", "by", "rule", "isolation") if key in first.get("scoring", {})]

    def joined(ask: Callable[[Source], Any]) -> str:
        return ", ".join(dict.fromkeys(str(ask(source)) for source in sources))

    return {
        "schema": 2,
        "task": first["task"],
        "model": joined(lambda source: source.results["model"]),
        "bank_fingerprint": joined(lambda source: source.results["bank_fingerprint"]),
        "trained_on": [],
        "near_duplicates": [near for source in sources for near in source.results.get("near_duplicates", [])],
        "compared": list(compare or (sources[1].subject, sources[0].subject)),
        "runs": [
            {
                "run": source.label,
                "folder": str(source.folder),
                **{
                    key: source.results[key]
                    for key in ("model", "model_revision", "bank_fingerprint", "config", "environment")
                    if key in source.results
                },
            }
            for source in sources
        ],
        **({"scoring": {key: first["scoring"][key] for key in shared}} if shared else {}),
        "rows": [],
        "per_prompt": [],
        "robustness": [],
    }


def _check_compared(results: Mapping[str, Any]) -> None:
    known = list(dict.fromkeys(row["method"] for row in results["rows"]))
    for name in results["compared"]:
        if name not in known:
            raise ConfigError(f"--compare: there is no {name!r} (there are {', '.join(known)})")
    if len(set(results["compared"])) == 1:
        raise ConfigError(f"--compare: {results['compared'][0]!r} cannot be compared with itself")


def _add_source(
    results: dict[str, Any], source: Source, splits: Sequence[str], prompts: Sequence[str],
    places: Mapping[Any, int],
) -> dict[tuple[str, int | None, str], Matrix]:  # fmt: skip
    """Add the figures of a run, counted from the cells that all runs have; return these cells."""
    numbers = {index: number for number, index in enumerate(places.values())}
    threshold = (results["rows"] or source.results["rows"])[0]["top_threshold"]
    found: dict[tuple[str, int | None, str], Matrix] = {}
    for row in source.results["rows"]:
        split, key = row["split"], (row["method"], row["seed"], row["split"])
        if split not in splits or key not in source.matrices:
            continue
        ids = source.matrices[key].prompt_ids if split == "user" else tuple(prompts)
        matrix = _part(source.matrices[key], ids, numbers)
        name, seed = f"{source.label}/{row['method']}", row["seed"]
        found[name, seed, split] = matrix
        kept = {name: row[name] for name in row if name.startswith("train_")}
        seconds = row.get("eval_seconds", 0.0)
        results["rows"].append(split_row(name, seed, split, matrix, threshold, seconds) | kept)
        asked = [Prompt(source.prompts[id_]) for id_ in ids]
        results["per_prompt"] += prompt_rows(name, seed, split, asked, matrix, seconds)
    for name, seed, split in found:
        if split != "user":
            mine = {of: matrix for (n, s, of), matrix in found.items() if (n, s) == (name, seed)}
            results["robustness"].append(robustness_row(name, seed, split, mine, threshold))
    return found


def _trained_on(source: Source, prompts: Sequence[str]) -> list[dict[str, Any]]:
    """Return which of the prompts that all runs have the models of a run met in their training."""
    told = source.results.get("trained_on", ())
    ours = [
        {**each, "method": f"{source.label}/{each['method']}",
         "prompts": [id_ for id_ in each["prompts"] if id_ in prompts]}
        for each in told
    ]  # fmt: skip
    return [each for each in ours if each["prompts"]]


def _drop_same_base(
    results: dict[str, Any], matrices: dict[tuple[str, int | None, str], Matrix], source: Source
) -> list[str]:
    """Take the base of a run out again where that of a run before it has the same answers, and say so."""
    own = f"{source.label}/base"
    cells = {name: matrix.cells for (name, _, split), matrix in matrices.items() if split == source.split}
    same = [
        name for name in cells if name.endswith("/base") and name != own and cells[name] == cells.get(own)
    ]
    if not same or own in results["compared"]:
        return []
    for key in [key for key in matrices if key[0] == own]:
        del matrices[key]
    for rows in ("rows", "per_prompt", "robustness", "trained_on"):
        results[rows] = [row for row in results[rows] if row["method"] != own]
    return [f"{own} has the same answers as {same[0]} in every cell, and is shown once"]


def _part(matrix: Matrix, ids: Sequence[str], numbers: Mapping[int, int]) -> Matrix:
    """Return the cells of some prompts and examples, the examples numbered anew."""
    cells = {(cell.prompt_id, cell.example): cell for cell in matrix.cells}
    return Matrix(
        tuple(ids),
        tuple(numbers.values()),
        tuple(
            dataclasses.replace(cells[id_, index], example=number)
            for id_ in ids
            for index, number in numbers.items()
        ),
    )
