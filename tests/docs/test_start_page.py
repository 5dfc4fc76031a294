"""docs/start.md: what its table says is what `paft init` guesses; its transcript is what it prints.

``python -m tests.docs.test_start_page`` writes the table anew.
"""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

import pytest

from tests.start_tables import AWKWARD, KNOWN, take_for, write_known, write_sample

PATH = Path(__file__).parents[2] / "docs" / "start.md"
START, END = "<!-- tables: written by tests/docs/test_start_page.py -->\n", "<!-- /tables -->"
HEAD = ["| table | answer | rule | fields | left out | |", "|---|---|---|---|---|---|"]
WORDS = "What does "


def line(name: str, path: Path) -> str:
    """Return a row of the table: what a file is taken for."""
    draft, asked = take_for(path)
    fields = ", ".join(column.name for column in draft.fields.values())
    rule = draft.rule + (f", {len(draft.words)} options" if draft.words else "")
    questions = dict.fromkeys("words for the numbers" if q.text.startswith(WORDS) else q.text for q in asked)
    verdict = f"asked: {'; '.join(questions)}" if asked else "right"
    left = draft.guesses.get("left out", "")
    return f"| {name} | {draft.label.name} | {rule} | {fields} | {left} | {verdict} |"


def table(folder: Path) -> list[str]:
    """Return all rows; those of public data sets must be here."""
    paths = {name: write_known(folder, name) for name in KNOWN}
    known = [line(name, path) for name, path in paths.items() if path is not None]
    return [*known, *(line(name, write_sample(folder, name)) for name in AWKWARD)]


def shown() -> list[str]:
    return PATH.read_text("utf-8").partition(START)[2].partition(END)[0].splitlines()[len(HEAD) :]


@pytest.mark.parametrize("name", AWKWARD)
def test_an_awkward_table_is_taken_for_what_the_page_says(name, tmp_path):
    assert line(name, write_sample(tmp_path, name)) in shown()


@pytest.mark.parametrize("name", KNOWN)
def test_a_public_data_set_is_taken_for_what_the_page_says(name, tmp_path):
    path = write_known(tmp_path, name)
    if path is None:
        pytest.skip(f"data set {name} is not here: set PAFT_DATA to the folder that holds it")
    assert line(name, path) in shown()


def test_every_row_is_right_or_asked():
    rows = shown()
    assert len(rows) == len(AWKWARD) + len(KNOWN) >= 10
    verdicts = [row.split("|")[6].strip() for row in rows]
    assert all(verdict == "right" or verdict.startswith("asked: ") for verdict in verdicts)


def test_the_transcript_has_the_lines_of_the_command(paft, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_sample(tmp_path, "two text columns").rename(tmp_path / "tickets.csv")
    _, out, _ = paft("init", "tickets.csv")
    (transcript,) = re.findall(r"```\n(tickets\.csv: .*?)```", PATH.read_text("utf-8"), re.DOTALL)
    # Of guesses the values differ with the rows; everything else is the same.
    assert [words(each) for each in transcript.splitlines()] == [words(each) for each in out.splitlines()]


def words(text: str) -> str:
    """Return a line without its figures, and of a split without what was found alike."""
    text = re.sub(r", (?:no )?near-duplicates[^,]*", "", text)
    return re.sub(r"\d+", "", text)


def main() -> None:
    """Write the table anew."""
    page = PATH.read_text("utf-8")
    before, _, rest = page.partition(START)
    with tempfile.TemporaryDirectory() as folder:
        rows = table(Path(folder))
    PATH.write_text(before + START + "\n".join([*HEAD, *rows]) + "\n" + END + rest.partition(END)[2], "utf-8")


if __name__ == "__main__":
    main()
