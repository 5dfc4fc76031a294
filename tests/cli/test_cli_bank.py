"""``paft bank``: the verbs in the order a user meets them, and what each refuses."""

import json

import pytest

from paft.bank import load_bank
from paft.cli import main as cli

GOOD = [
    "Which topic is this about? {message}",
    "{message} Name the drawer it goes into:",
    "A customer wrote: {message}. They want to talk about",
    "Sort this note, please.\\nNote: {message}\\nSort:",
    "Subject of {message} is",
    "{message} -> what do we file this under?",
    "Read slowly, then say in a word or two what matters to the writer: {message}",
    "You run the help desk. Where does {message} belong?",
    "Filing cabinet, top to bottom; today's letter: {message}; goes under",
    "Hmm, {message} ... that would be a case of",
]


@pytest.fixture
def lines(tmp_path):
    path = tmp_path / "prompts.txt"
    path.write_text("\n".join(GOOD) + "\n", encoding="utf-8")
    return path


def refused(result, *parts):
    code, out, err = result
    assert code == 2 and "Traceback" not in out + err
    for part in parts:
        assert part in err


def test_screen_split_audit_show_export(paft, own_desk, lines, tmp_path):
    bad = ["{massage}: topic?", "[describe the desk] {message}", GOOD[0], "{message"]
    lines.write_text("\n".join([*GOOD, *bad]) + "\n", encoding="utf-8")
    pool, bank = tmp_path / "pool.jsonl", tmp_path / "bank.jsonl"
    task = own_desk / "task.yaml"
    code, out, _ = paft("bank", "screen", lines, "--task", task, "--output", pool)
    assert code == 0 and "10 train prompts" in out
    reasons = [
        json.loads(line)["reason"] for line in pool.with_suffix(".rejected.jsonl").read_text().splitlines()
    ]
    assert sorted(reasons) == ["duplicate_exact", "placeholder_unknown", "stub", "syntax"]

    code, out, _ = paft(
        "bank", "split", pool, "--output", bank, "--ratio", "4:1", "--adversarial", 3, "--task", task
    )
    assert code == 0 and "8 train, 2 test, 3 adversarial" in out
    code, out, _ = paft("bank", "audit", bank, "--task", task, "--strict")
    assert code == 0 and "nothing found" in out

    code, out, _ = paft("bank", "show", bank, "--split", "test", "--task", task, "--limit", 1)
    assert code == 0 and "1 of 13 prompts shown" in out and "{message}" not in out
    code, out, _ = paft("bank", "show", bank, "--where", "source=adversarial", "--grep", "e")
    assert code == 0 and "(adversarial; source adversarial, kind" in out

    code, out, _ = paft("bank", "export", bank, "--output", tmp_path / "bank.csv", "--format", "csv")
    assert code == 0 and (tmp_path / "bank.csv").read_text().startswith('"id","split","template"')


def test_a_varied_choice_of_the_screened(paft, own_desk, lines, tmp_path):
    pool = tmp_path / "pool.jsonl"
    code, out, _ = paft(
        "bank", "screen", lines, "--task", own_desk / "task.yaml", "--output", pool, "--size", 4
    )
    assert code == 0 and "good, but not among the most varied: 6\n" in out
    assert (
        "rejected, not_chosen" not in out and f"{pool.with_suffix('.rejected.jsonl')}: the 6 left out" in out
    )
    assert len(load_bank(pool).prompts("train")) == 4


def test_audit_as_json_and_its_exit_code(paft, lines, tmp_path):
    other = tmp_path / "other.txt"
    other.write_text(f"{GOOD[0]}\nfresh words around {{message}}\n")
    code, out, _ = paft("bank", "audit", lines, "--against", other, "--json")
    first, second, leaks = json.loads(out)
    assert code == 0
    assert (first["rows"], second["rows"]) == (10, 2)
    assert leaks["counts"]["leak_exact"] == 1
    assert first["counts"]["literal_escape"] == 1
    code, _, _ = paft("bank", "audit", lines, "--against", other, "--strict")
    assert code == 1


def test_import_tells_what_it_left_out(paft, tmp_path, lines):
    lines.write_text(f"{GOOD[0]}\n{GOOD[0]}\n{GOOD[1]}\n")
    code, out, _ = paft("bank", "import", "--train", lines, "--output", tmp_path / "bank.jsonl")
    assert code == 0 and "train: 1 exact repeats left out" in out


def test_import_tells_of_prompts_that_are_of_other_splits_in_their_files(paft, tmp_path, lines):
    paft("bank", "split", lines, "--output", tmp_path / "bank.jsonl", "--test", 4, "--validation", 1)
    args = ("bank", "import", "--train", tmp_path / "bank.jsonl", "--output", tmp_path / "again.jsonl")
    told = "note: train now has prompts that are of other splits in their files: test, validation"
    assert told in paft(*args)[1]
    assert "note:" not in paft("bank", "import", "--train", lines, "--output", tmp_path / "again.jsonl")[1]


def test_diversity_writes_picture_and_figures(paft, lines, tmp_path):
    bank = tmp_path / "bank.jsonl"
    paft("bank", "split", lines, "--output", bank, "--test", 4)
    code, out, _ = paft("bank", "diversity", bank, "--output", tmp_path / "d.svg")
    assert code == 0 and "train against test: MMD²" in out
    assert json.loads((tmp_path / "d.json").read_text())["curve"][-1]["n"] == 6


def test_generate_shows_its_plan_without_calling_anybody(paft, own_desk, tmp_path):
    generators = tmp_path / "g.yaml"
    generators.write_text("generators:\n- {name: a, model: m, base_url: 'http://127.0.0.1:9/v1'}\n")
    code, out, _ = paft(
        "bank", "generate", "--task", own_desk / "task.yaml", "--generators", generators,
        "--output", tmp_path / "bank.jsonl", "--dry-run",
    )  # fmt: skip
    assert code == 0 and "{message}" in out and "few-shot" in out
    assert not list(tmp_path.glob("bank*"))


def test_what_cannot_be_done_is_refused_in_one_message(paft, own_desk, lines, tmp_path):
    out, task = tmp_path / "b.jsonl", own_desk / "task.yaml"
    refused(paft("bank", "split", lines, "--output", out), "--test 50 or --ratio 8:1")
    refused(paft("bank", "split", lines, "--output", out, "--test", 1, "--ratio", "8:1"), "--ratio 8:1")
    refused(paft("bank", "split", lines, "--output", out, "--ratio", "8"), "is not train:test")
    refused(paft("bank", "split", lines, "--output", out, "--test", 10), "cannot split 10")
    refused(paft("bank", "split", lines, "--output", out, "--test", 1, "--adversarial", 2), "give --task")
    refused(paft("bank", "split", lines, "--output", out, "--test", 1, "--hold-out", "a"), "write name=value")
    refused(
        paft("bank", "split", lines, "--output", out, "--test", 1, "--reword", task),
        "it is for --adversarial",
    )
    refused(
        paft("bank", "screen", lines, "--task", task, "--output", out, "--skip", "stubs"),
        "did you mean 'stub'",
    )
    refused(paft("bank", "audit", tmp_path / "none.txt"), "none.txt", "not found")
    refused(paft("bank", "import", "--train", tmp_path / "none.txt", "--output", out), "none.txt")
    refused(paft("bank", "export", lines, "--output", out, "--format", "csv"), "prompts.txt:1")
    refused(
        paft("bank", "export", lines, "--output", out, "--format", "csv", "--provider", "x"), "for --format"
    )
    refused(paft("bank", "export", lines, "--output", out, "--format", "csv", "--data", "x"), "give --task")
    refused(paft("bank", "show", lines, "--example", 1), "give --task")
    assert not out.exists()


def test_a_pool_of_nothing_but_rejects_is_not_written(paft, own_desk, tmp_path):
    path, pool = tmp_path / "p.txt", tmp_path / "pool.jsonl"
    path.write_text("{massage} which topic?\n")
    result = paft("bank", "screen", path, "--task", own_desk / "task.yaml", "--output", pool)
    refused(result, "no candidate was kept", "pool.rejected.jsonl says why")
    assert not pool.exists() and pool.with_suffix(".rejected.jsonl").exists()


def test_unfit_prompts_are_found_by_the_audit(paft, own_desk, tmp_path):
    path = tmp_path / "p.txt"
    path.write_text("{massage} which topic?\n")
    code, out, _ = paft("bank", "audit", path, "--task", own_desk / "task.yaml", "--strict")
    assert code == 1 and "unknown placeholder" in out and "{massage}" in out


def test_the_help_names_every_verb(paft):
    code, out, _ = paft("bank", "--help")
    assert code == 0
    for verb in ("generate", "import", "screen", "split", "audit", "show", "diversity", "export"):
        assert verb in out
    assert cli.bank_app is not None


def test_few_unseen_prompts_are_told_when_a_bank_is_split(paft, lines, tmp_path):
    bank = tmp_path / "bank.jsonl"
    code, out, _ = paft("bank", "split", lines, "--output", bank, "--ratio", "8:1")
    assert code == 0 and "note: few unseen prompts (1) say little" in out and "(--test 5)" in out
    assert "note:" not in paft("bank", "split", lines, "--output", bank, "--test", 5)[1]


def test_a_prompt_over_several_lines_is_told_and_one_with_escapes_is_kept(paft, own_desk, tmp_path):
    text, pool = tmp_path / "p.txt", tmp_path / "pool.jsonl"
    text.write_text("\n".join([GOOD[0], "What is meant", "here?", GOOD[1], "", GOOD[3]]) + "\n")
    code, out, _ = paft("bank", "screen", text, "--task", own_desk / "task.yaml", "--output", pool)
    assert code == 0 and f"note: {text}: lines 2 to 3 have no field: if it belongs to the line before" in out
    assert "rejected, placeholder_missing: 2" in out
    kept = [json.loads(line) for line in pool.read_text().splitlines()]
    assert kept[-1]["template"] == GOOD[3].replace("\\n", "\n")
    bank = tmp_path / "bank.jsonl"
    paft("bank", "split", pool, "--output", bank, "--test", 1)
    places = {p.id: p.provenance for prompts in load_bank(bank).splits.values() for p in prompts}
    assert {(each["file"], each["row"]) for each in places.values()} == {
        ("p.txt", 1),
        ("p.txt", 4),
        ("p.txt", 6),
    }


def test_an_example_to_fill_in_is_a_training_example_where_there_are_no_others(paft, own_desk):
    yaml = (own_desk / "task.yaml").read_text()
    (own_desk / "task.yaml").write_text(yaml.replace("  test: test.jsonl\n", ""))
    first = json.loads((own_desk / "train.jsonl").read_text().splitlines()[0])
    args = (own_desk / "bank.jsonl", "--task", own_desk / "task.yaml", "--limit", 1)
    code, out, _ = paft("bank", "show", *args)
    assert code == 0 and f"Message: {first['message']}\nTopic:" in out
