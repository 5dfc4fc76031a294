r"""Audit a file of prompts: every defect, every duplicate, every leak, with the rows.

The file is read as it is: rows are neither repaired nor dropped, and literal ``\n`` is counted
before escapes are decoded. Without a task, the placeholders most rows use are what a row is
measured by, and the checks that need an answer rule are left out.

A finding is an *error* (a bank with it should not be used) or a *warning* (to be looked at).
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.markup import escape
from rich.table import Table

from paft.bank.checks import REASONS
from paft.bank.importers import Candidate, read_candidates
from paft.bank.split import IN_ORDER
from paft.errors import ConfigError, DataError, PromptError
from paft.prompt import Prompt
from paft.similarity import DEGREES, near_pairs, skeleton
from paft.task.task import OPTIONS, Task

WARNINGS = ("placeholder_repeated", "too_long", "duplicate_near", "not_expressible", "leak_near")
SHOWN = 3  # rows per finding under the table; `--json` has all
WIDTH = 110
IN_FOLDER = (".xlsx", ".csv", ".jsonl", ".txt")  # what is audited of a folder
BESIDE = re.compile(r"\.(?:rejected|log)\.jsonl$")  # what `paft bank` itself writes beside a bank
NEEDS_RULE = ("unreadable_answer", "contradicts_rule", "answer_leaked")
MEANING = {
    "syntax": "not a template",
    "control_character": "invisible character",
    "special_token": "control token or chat role",
    "placeholder_unknown": "unknown placeholder",
    "placeholder_missing": "missing placeholder",
    "placeholder_repeated": "placeholder used twice",
    "literal_escape": "literal backslash-n",
    "stub": "unfilled stub",
    "code_comment": "code comment",
    "too_short": "no word beside placeholders",
    "too_long": "very long",
    "language": "other language",
    "unreadable_answer": "answer form nobody reads",
    "contradicts_rule": "contradicts the answer rule",
    "answer_leaked": "gives an answer away",
    "not_expressible": "not a plain {field} template",
    "duplicate_exact": "exact repeat",
    "duplicate_normalised": "repeat but for case and spaces",
    "duplicate_skeleton": "repeat but for punctuation and layout",
    "duplicate_near": "near duplicate",
    "leak_exact": "unseen prompt is a seen one",
    "leak_skeleton": "unseen prompt has the words of a seen one",
    "leak_near": "unseen prompt is near a seen one",
}


@dataclass(frozen=True)
class Finding:
    """One row, or pair of rows, that is wrong.

    Attributes:
        reason: A key of ``MEANING``.
        row: Where the row stands (file and row).
        template: Its text.
        detail: The words that are wrong.
        twin: For duplicates and leaks, where the other row stands.
        similarity: For near duplicates, in [0.5, 1].
    """

    reason: str
    row: str
    template: str
    detail: str = ""
    twin: str | None = None
    similarity: float | None = None

    @property
    def is_error(self) -> bool:
        """Whether a bank with this should not be used."""
        return self.reason not in WARNINGS


@dataclass
class Audit:
    """What was found in one file, or between two (``name`` is then ``file -> other file``)."""

    name: str
    rows: int
    findings: list[Finding] = field(default_factory=list)

    @property
    def counts(self) -> dict[str, int]:
        """Rows by reason, for every reason looked for; leaks count unseen rows, not pairs."""
        rows: dict[str, set[str]] = defaultdict(set)
        for finding in self.findings:
            rows[finding.reason].add(finding.row)
        return {reason: len(rows[reason]) for reason in MEANING}

    @property
    def errors(self) -> int:
        return sum(finding.is_error for finding in self.findings)

    def to_json(self) -> dict[str, Any]:
        found = [
            {key: value for key, value in vars(finding).items() if value not in ("", None)}
            | {"severity": "error" if finding.is_error else "warning"}
            for finding in self.findings
        ]
        return {"name": self.name, "rows": self.rows, "counts": self.counts, "findings": found}


@dataclass(frozen=True)
class Row:
    """A row that is a template: where it stands in a file, and its split, as a bank is read."""

    where: str
    split: str
    prompt: Prompt


def audit_paths(path: Path, against: Path | None = None, task: Task | None = None) -> list[Audit]:
    """Audit a file, or a folder of files, and what leaks from one into another.

    Of a folder ``...test...`` is compared with its ``...train...``; the rows of ``against`` should be unseen
    by those of ``path``.
    """
    if path.is_dir():
        if against is not None:
            raise ConfigError(f"{path} is a folder: --against compares a file with another one")
        known = (p for p in path.iterdir() if p.suffix.lower() in IN_FOLDER)
        files = sorted(p for p in known if not BESIDE.search(p.name))
        if not files:
            raise DataError(f"{path} holds no .xlsx, .csv, .jsonl or .txt files of prompts")
        pairs = [(f.with_name(f.name.replace("test", "train")), f) for f in files if "test" in f.name]
        return [audit_file(f, task) for f in files] + [
            audit_leaks(seen, unseen) for seen, unseen in pairs if seen in files
        ]
    audits = [audit_file(path, task)]
    if against is not None:
        audits += [audit_file(against, task), audit_leaks(path, against)]
    return audits


def audit_file(path: Path, task: Task | None = None) -> Audit:
    """Audit one file: defects, duplicates, and leaks between the splits it names."""
    imported = read_candidates(path)
    rows = _rows(imported.candidates)
    findings = [
        *(Finding("not_expressible", item.where, "", item.reason) for item in imported.skipped),
        *_defects(imported.candidates, rows, task),
        # Adversarial prompts are versions of others, so their likeness is meant.
        *_duplicates([row for row in rows if row.split != "adversarial"]),
        *_leaks_between_splits(rows),
    ]
    return Audit(
        path.name,
        len(imported.candidates),
        sorted(findings, key=lambda found: list(MEANING).index(found.reason)),
    )


def audit_leaks(seen: Path, unseen: Path) -> Audit:
    """Audit what rows of one file are known from another."""
    candidates = read_candidates(unseen).candidates
    leaks = _leaks(_rows(read_candidates(seen).candidates), _rows(candidates))
    return Audit(f"{seen.name} -> {unseen.name}", len(candidates), leaks)


def audit_table(audits: Sequence[Audit]) -> Table:
    """Return one column a file (or pair of files), one row a kind of finding that occurs."""
    table = Table("finding", "", *(f"{escape(audit.name)}\n{audit.rows} rows" for audit in audits))
    counts = [audit.counts for audit in audits]
    for reason, meaning in MEANING.items():
        if any(count[reason] for count in counts):
            severity = "warning" if reason in WARNINGS else "error"
            cells = [str(count[reason]) if count[reason] else "-" for count in counts]
            table.add_row(meaning, severity, *cells, style="yellow" if severity == "warning" else "red")
    if not table.row_count:
        table.add_row("nothing found", "", *("-" for _ in audits), style="green")
    return table


def worst_rows(audits: Sequence[Audit]) -> list[str]:
    """Return lines that show the first rows of every kind of finding."""
    lines = []
    for audit in audits:
        for reason, meaning in MEANING.items():
            found = [finding for finding in audit.findings if finding.reason == reason]
            if not found:
                continue
            lines.append(f"\n{audit.name}: {meaning} ({audit.counts[reason]} rows)")
            lines += [_line(finding) for finding in found[:SHOWN]]
            if len(found) > SHOWN:
                lines.append(f"  ... {len(found) - SHOWN} more; --json shows all")
    return lines


def _line(finding: Finding) -> str:
    text = finding.template.replace("\n", "⏎")
    text = text if len(text) <= WIDTH else text[: WIDTH - 1] + "…"
    place = finding.row.rsplit("/", 1)[-1]
    more = f" {finding.detail}" if finding.detail and finding.detail != finding.template else ""
    if finding.twin is not None:
        more += f" = {finding.twin.rsplit('/', 1)[-1]}"
    if finding.similarity is not None:
        more += f" ({finding.similarity:.2f})"
    return f"  {place}:{more} | {text}"


def _rows(candidates: Sequence[Candidate]) -> list[Row]:
    rows = []
    for candidate in candidates:
        with suppress(PromptError):
            rows.append(Row(candidate.where, candidate.split or "train", Prompt(candidate.template)))
    return rows


def _defects(candidates: Sequence[Candidate], rows: Sequence[Row], task: Task | None) -> list[Finding]:
    found = []
    target, sound = task or _task_of(rows), {row.where for row in rows}
    for reason, find in REASONS.items():
        if task is None and reason in NEEDS_RULE:
            continue
        for candidate in candidates:
            if candidate.where in sound or reason in ("syntax", "literal_escape"):
                detail = find(candidate.written if reason == "literal_escape" else candidate.template, target)
                if detail is not None:
                    found.append(Finding(reason, candidate.where, candidate.template, detail))
    return found


def _duplicates(rows: Sequence[Row]) -> list[Finding]:
    """Every row that repeats an earlier one of the same split, by the strictest degree that holds."""
    found: dict[str, Finding] = {}
    for reason, key in DEGREES.items():
        first: dict[tuple[str, str], Row] = {}
        for row in rows:
            twin = first.setdefault((row.split, key(row.prompt)), row)
            if twin is not row:
                found.setdefault(row.where, _repeat(reason, twin, row))
    near = [
        _repeat("duplicate_near", a, b, likeness)
        for a, b, likeness in _near(rows)
        if a.split == b.split and a.where not in found and b.where not in found
    ]
    return [*found.values(), *near]


def _leaks_between_splits(rows: Sequence[Row]) -> list[Finding]:
    """What rows of each split are known from those before it."""
    found: list[Finding] = []
    seen: list[Row] = []
    for split in IN_ORDER:
        unseen = [row for row in rows if row.split == split]
        found += _leaks(seen, unseen) if seen and unseen else []
        seen += unseen
    return found


def _leaks(seen: Sequence[Row], unseen: Sequence[Row]) -> list[Finding]:
    exact = {row.prompt.template: row for row in seen}
    words = {skeleton(row.prompt): row for row in seen}
    found: dict[str, Finding] = {}
    for row in unseen:
        same, alike = exact.get(row.prompt.template), words.get(skeleton(row.prompt))
        if twin := same or alike:
            found[row.where] = _repeat("leak_exact" if same else "leak_skeleton", twin, row)
    known = {row.where for row in seen}
    near = [
        _repeat("leak_near", a, b, likeness)
        for a, b, likeness in _near([*seen, *unseen])
        if a.where in known and b.where not in known and b.where not in found
    ]
    return [*found.values(), *near]


def _repeat(reason: str, twin: Row, row: Row, likeness: float | None = None) -> Finding:
    likeness = None if likeness is None else round(likeness, 3)
    return Finding(reason, row.where, row.prompt.template, twin=twin.where, similarity=likeness)


def _near(rows: Sequence[Row]) -> list[tuple[Row, Row, float]]:
    pairs = near_pairs([row.prompt for row in rows])
    return [(rows[i], rows[j], likeness) for i, j, likeness in pairs]


def _task_of(rows: Sequence[Row]) -> Task:
    """A task whose fields are the placeholders most rows use."""
    sets = Counter(tuple(sorted(set(row.prompt.placeholders) - {OPTIONS})) for row in rows)
    names = max(sets, key=lambda used: (sets[used], used)) if sets else ()
    fields = dict.fromkeys(names or ["text"], "")
    return Task.model_validate(
        {
            "name": "audit",
            "fields": fields,
            "answer": {"rule": "choice", "options": ["A", "B"]},
            "data": {"train": "none.jsonl", "test": "none.jsonl"},
            "prompt": "Prompt " + " ".join("{" + name + "}" for name in fields),
        }
    )
