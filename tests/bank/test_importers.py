"""Prompts that others wrote: escapes decoded once, placeholders renamed, errors name the row."""

import json

import openpyxl
import pytest

from paft.bank import Bank, import_prompts
from paft.bank.importers import decode_escapes
from paft.errors import DataError, PromptError
from paft.prompt import Prompt


def workbook(path, *rows):
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    book.save(path)
    return path


def test_a_spreadsheet_gives_one_prompt_a_row_with_real_line_breaks(tmp_path):
    path = workbook(
        tmp_path / "paper.xlsx", ["id", "text"], [1, r"Q: {goal}\nA:"], [2, None], [3, r"x\t{goal}\r\n"]
    )
    first, second = import_prompts(path)
    assert (first.template, second.template) == ("Q: {goal}\nA:", "x\t{goal}\n")
    assert dict(second.provenance) == {"source": "import", "file": "paper.xlsx", "row": 4}


def test_text_gives_one_prompt_a_line_with_escapes_decoded(tmp_path):
    (tmp_path / "a.txt").write_text("Q: {text}\\nA:\n\n{text} ->\n")
    prompts = import_prompts(tmp_path / "a.txt")
    assert [p.template for p in prompts] == ["Q: {text}\nA:", "{text} ->"]
    assert [p.provenance["row"] for p in prompts] == [1, 3]


def test_json_lines_are_taken_literally_and_keep_their_provenance(tmp_path):
    rows = [{"template": "a\\n{text}", "provenance": {"writer": "me"}}, {"template": "b {text}"}]
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, rows)))
    first, second = import_prompts(tmp_path / "a.jsonl")
    assert first.template == "a\\n{text}"
    assert dict(first.provenance) == {"source": "import", "writer": "me", "file": "a.jsonl", "row": 1}
    assert second.template == "b {text}"


def test_a_saved_bank_can_be_imported_again(tmp_path):
    prompts = (Prompt("a {text}\n"), Prompt("b {text}"))
    Bank({"train": prompts}).save(tmp_path / "bank.jsonl")
    assert tuple(import_prompts(tmp_path / "bank.jsonl")) == prompts


def test_exact_repeats_are_kept_once_with_their_first_row(tmp_path):
    (tmp_path / "a.txt").write_text("{text}!\n{text}?\n{text}!\n")
    assert [p.provenance["row"] for p in import_prompts(tmp_path / "a.txt")] == [1, 2]


def test_placeholders_are_renamed_and_literal_braces_are_not(tmp_path):
    (tmp_path / "a.txt").write_text("{prompt} {only_option1} {{prompt}} {{{prompt}}}\n")
    (prompt,) = import_prompts(tmp_path / "a.txt", rename={"prompt": "sentence"})
    assert prompt.template == "{sentence} {only_option1} {{prompt}} {{{sentence}}}"


def test_two_placeholders_can_swap_their_names(tmp_path):
    (tmp_path / "a.txt").write_text("{a} {b}\n")
    (prompt,) = import_prompts(tmp_path / "a.txt", rename={"a": "b", "b": "a"})
    assert prompt.template == "{b} {a}"


def test_escapes_are_decoded_once():
    assert decode_escapes(r"a\nb\tc\rd\x") == "a\nb\tcd\\x"


def test_a_row_that_is_no_template_is_named_by_file_and_row(tmp_path):
    path = workbook(tmp_path / "a.xlsx", ["text"], ["fine {a}"], ["{a.b}"])
    with pytest.raises(PromptError) as caught:
        import_prompts(path)
    assert str(caught.value).startswith(f"{path} row 3: ")
    assert "{a.b}" in str(caught.value)


def test_a_spreadsheet_without_the_column_names_what_it_has(tmp_path):
    path = workbook(tmp_path / "a.xlsx", ["id", "prompt"], [1, "x"])
    with pytest.raises(DataError, match="must name a column 'text', found: id, prompt"):
        import_prompts(path)


def test_a_json_line_without_a_template_is_named(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"template": "a {x}"}\n{"prompt": "b"}\n')
    with pytest.raises(DataError, match=r"a\.jsonl:2: key 'template'"):
        import_prompts(tmp_path / "a.jsonl")


def test_a_file_that_is_no_workbook_is_named(tmp_path):
    (tmp_path / "a.xlsx").write_text("text")
    with pytest.raises(DataError, match=r"a\.xlsx is not a readable \.xlsx workbook"):
        import_prompts(tmp_path / "a.xlsx")


@pytest.mark.parametrize("name", ["gone.xlsx", "gone.jsonl", "gone.txt"])
def test_a_missing_file_is_named(tmp_path, name):
    with pytest.raises(DataError) as caught:
        import_prompts(tmp_path / name)
    assert str(caught.value) == f"bank file not found: {tmp_path / name}"


def test_an_unknown_format_is_named_with_the_known_ones(tmp_path):
    with pytest.raises(DataError, match=r"a\.csv: unknown format \(known: \.xlsx, \.jsonl, \.txt\)"):
        import_prompts(tmp_path / "a.csv")


def test_a_file_without_prompts_is_named(tmp_path):
    (tmp_path / "a.txt").write_text("\n \n")
    with pytest.raises(PromptError, match=r"a\.txt has no prompts"):
        import_prompts(tmp_path / "a.txt")
