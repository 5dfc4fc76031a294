"""An audit counts what is wrong and names the rows; on the paper's own banks too."""

import io
import json

import pytest

from paft.bank.audit import MEANING, audit_file, audit_leaks, audit_paths, audit_table, worst_rows
from paft.errors import ConfigError, DataError
from screening import TASKS

CLEAN = ["Which team should take this? {message}", "{message} Name the desk:", "Forward {message} to"]


def write(folder, name, lines):
    path = folder / name
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def rows_of(audit, reason):
    return [int(finding.row.rsplit(" ", 1)[1]) for finding in audit.findings if finding.reason == reason]


def test_a_clean_file_has_no_findings(tmp_path):
    audit = audit_file(write(tmp_path, "a.txt", CLEAN), TASKS["routing"])
    assert (audit.rows, audit.findings, audit.errors) == (3, [], 0)
    assert set(audit.counts) == set(MEANING)


def test_every_defect_is_found_with_its_row_and_all_of_them_in_one_row(tmp_path):
    lines = [*CLEAN, "[describe the shop] {massage}\\n// note", "{message", CLEAN[0], CLEAN[0].upper() + "!"]
    audit = audit_file(write(tmp_path, "a.txt", lines), TASKS["routing"])
    assert rows_of(audit, "stub") == rows_of(audit, "literal_escape") == rows_of(audit, "code_comment") == [4]
    assert rows_of(audit, "placeholder_unknown") == rows_of(audit, "placeholder_missing") == [4, 7]
    assert rows_of(audit, "syntax") == [5]
    assert rows_of(audit, "duplicate_exact") == [6]


def test_without_a_task_rows_are_measured_by_what_most_of_them_use(tmp_path):
    audit = audit_file(write(tmp_path, "a.txt", [*CLEAN, "What about {text} then?"]))
    assert rows_of(audit, "placeholder_unknown") == rows_of(audit, "placeholder_missing") == [4]
    assert audit.counts["contradicts_rule"] == 0


def test_a_repeat_counts_once_by_the_strictest_degree(tmp_path):
    first = "Which team should take this letter from our customer today? {message}"
    lines = [first, first, first.lower(), first.replace("?", " -"), first.replace("today", "now"), CLEAN[1]]
    audit = audit_file(write(tmp_path, "a.txt", lines))
    assert {reason: count for reason, count in audit.counts.items() if count} == {
        "duplicate_exact": 1, "duplicate_normalised": 1, "duplicate_skeleton": 1, "duplicate_near": 1,
    }  # fmt: skip
    (near,) = [finding for finding in audit.findings if finding.reason == "duplicate_near"]
    assert near.twin.endswith("row 1")
    assert 0.5 <= near.similarity < 1


def test_leaks_into_the_validation_split_of_a_file_are_found(tmp_path):
    first = "Which team should take this letter from our customer today? {message}"
    rows = [
        ("train", first), ("train", CLEAN[1]),
        ("validation", first.upper().replace("?", " -").replace("{MESSAGE}", "{message}")),
        ("validation", first.replace("today", "now")), ("validation", CLEAN[2]),
    ]  # fmt: skip
    lines = [json.dumps({"split": split, "template": template}) for split, template in rows]
    audit = audit_file(write(tmp_path, "bank.jsonl", lines))
    assert (rows_of(audit, "leak_skeleton"), rows_of(audit, "leak_near")) == ([3], [4])
    assert audit.errors == 1


def test_leaks_from_one_file_to_another_are_told_by_degree(tmp_path):
    seen = write(
        tmp_path,
        "seen.txt",
        ["Which team should take this letter from our customer today? {message}", *CLEAN],
    )
    unseen = write(
        tmp_path, "unseen.txt",
        [
            CLEAN[0], "NAME THE DESK {message}", "New: {message}",
            "Which team should take this letter from our customer now? {message}",
        ],
    )  # fmt: skip
    audit = audit_leaks(seen, unseen)
    assert {r: c for r, c in audit.counts.items() if c} == {
        "leak_exact": 1,
        "leak_skeleton": 1,
        "leak_near": 1,
    }
    assert audit.errors == 2
    assert [a.name for a in audit_paths(seen, unseen)] == ["seen.txt", "unseen.txt", "seen.txt -> unseen.txt"]


def test_splits_inside_a_bank_are_compared(tmp_path):
    rows = [{"split": "train", "template": CLEAN[0]}, {"split": "test", "template": CLEAN[0] + "!"},
            {"split": "train", "template": CLEAN[1]}, {"split": "test", "template": CLEAN[2]}]  # fmt: skip
    audit = audit_file(write(tmp_path, "bank.jsonl", [json.dumps(row) for row in rows]))
    assert {r: c for r, c in audit.counts.items() if c} == {"leak_skeleton": 1}


def test_a_folder_without_prompts_is_refused(tmp_path):
    with pytest.raises(DataError, match="holds no"):
        audit_paths(tmp_path)


def test_the_table_and_the_rows_show_what_was_found(tmp_path):
    from rich.console import Console

    audits = [audit_file(write(tmp_path, "a.txt", [*CLEAN, CLEAN[0], "[describe x] {message}"]))]
    console = Console(width=120, record=True, file=io.StringIO())
    console.print(audit_table(audits))
    text = console.export_text()
    assert "exact repeat" in text and "unfilled stub" in text and "near duplicate" not in text
    lines = worst_rows(audits)
    assert any("row 4" in line and "row 1" in line for line in lines)


PAPER = {
    "hel": {"train": {"literal_escape": 317}, "test": {"literal_escape": 49}, "skeleton": 0},
    "piqa": {
        "train": {"literal_escape": 284, "duplicate_exact": 1},
        "test": {"literal_escape": 46},
        "skeleton": 0,
    },
    "win": {
        "train": {"literal_escape": 310, "duplicate_exact": 24},
        "test": {"literal_escape": 51},
        "skeleton": 5,
    },
    "race": {
        "train": {"literal_escape": 289, "stub": 21},
        "test": {"literal_escape": 49, "stub": 1},
        "skeleton": 0,
    },
}


@pytest.mark.parametrize("name", sorted(PAPER))
def test_the_papers_banks_have_the_defects_that_were_counted_by_hand(name, paft_banks):
    found = {}
    for split in ("train", "test"):
        audit = audit_file(paft_banks / f"robust_{split}dataset_{name}.xlsx")
        found[split] = audit.counts
        for reason in ("stub", "duplicate_exact", "literal_escape"):
            assert audit.counts[reason] == PAPER[name][split].get(reason, 0), (split, reason)
        assert audit.counts["placeholder_missing"] == audit.counts["placeholder_unknown"] == 0
        assert audit.counts["syntax"] == 0
    leaks = audit_leaks(
        paft_banks / f"robust_traindataset_{name}.xlsx", paft_banks / f"robust_testdataset_{name}.xlsx"
    )
    assert leaks.counts["leak_exact"] + leaks.counts["leak_skeleton"] == PAPER[name]["skeleton"]
    near = [finding for finding in leaks.findings if finding.reason == "leak_near"]
    assert near
    assert all(finding.similarity >= 0.5 and finding.twin for finding in near)


def test_rows_without_a_split_are_training_rows_and_final_ones_unseen(tmp_path):
    rows = [{"template": CLEAN[0]}, {"template": CLEAN[1]}, {"split": "test", "template": CLEAN[0] + "!"},
            {"split": "final", "template": CLEAN[1] + "!"}]  # fmt: skip
    audit = audit_file(write(tmp_path, "bank.jsonl", [json.dumps(row) for row in rows]))
    assert rows_of(audit, "leak_skeleton") == [3, 4]


def test_a_folder_is_audited_whatever_the_case_of_endings_and_without_what_lies_beside_banks(tmp_path):
    write(tmp_path, "A.TXT", CLEAN)
    write(tmp_path, "pool.rejected.jsonl", ['{"template": "{", "reason": "syntax"}'])
    write(tmp_path, "pool.jsonl.log.jsonl", ['{"log": 1}'])
    assert [(audit.name, audit.findings) for audit in audit_paths(tmp_path)] == [("A.TXT", [])]
    with pytest.raises(ConfigError, match="is a folder: --against compares a file"):
        audit_paths(tmp_path, tmp_path / "A.TXT")
