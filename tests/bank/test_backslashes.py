r"""Escapes are decoded, LaTeX and paths are not, however a file or a model spells them."""

import json

import openpyxl
import pytest

from paft.bank.backslashes import decode_escapes, literal_escape, mended_json
from paft.bank.generate.replies import candidates
from paft.bank.importers import read_candidates
from paft.bank.screen import first_defect

TEXTS = [
    r"Find $\theta$ in {message}",
    r"$a \times b \neq \nu$ of {message}",
    r"\nabla \cdot \rho \tau \text{{x}} {message}",
    r"\tfrac{{1}}{{2}} \right\rangle \not\in {message}",
    r"$\ni$, $a\ne b$, x \ne y, f \to g, \nu_1 and \top in {message}",
    r"rows a \\ \text{{b}} \\ \nu_1 of {message}",
    r"Open C:\temp\new and read {message}",
    r"in D:\new\data\report.txt, {message}",
    r"'c:\Users\nina\tools\run.exe' {message}",
    r"\\server\new\tools holds {message}",
    r"%TEMP%\new and ..\tools\new: {message}",
]
ESCAPED = {
    r"Text: {x}\nAnswer:": "Text: {x}\nAnswer:",
    r"{x}\n\nanswer in one word\n": "{x}\n\nanswer in one word\n",
    r"a\tb\r\n{x}": "a\tb\n{x}",
    r"d) {d}\ne) {e}\ni) {x}\neg. this": "d) {d}\ne) {e}\ni) {x}\neg. this",
    r"{x}\ne poi\ni suoi\nu nas": "{x}\ne poi\ni suoi\nu nas",
    r"costs $5\nor $6, 5$\nor 6$, ${x}\n${y}": "costs $5\nor $6, 5$\nor 6$, ${x}\n${y}",
    r"Q: {x}\nA:\nlet us think": "Q: {x}\nA:\nlet us think",
    r"C:\nYes\nD:\n{x}": "C:\nYes\nD:\n{x}",
    r"say \\n between {x}": r"say \n between {x}",
    r"Now.\nto the point\nnot so\nright": "Now.\nto the point\nnot so\nright",
}


@pytest.mark.parametrize("text", TEXTS)
def test_latex_and_paths_survive_import_and_screening(tmp_path, task, text):
    (tmp_path / "a.txt").write_text(text + "\n", encoding="utf-8")
    book = openpyxl.Workbook()
    book.active.append(["text"])
    book.active.append([text])
    book.save(tmp_path / "a.xlsx")
    (tmp_path / "a.csv").write_text('template\n"' + text + '"\n', encoding="utf-8")
    (tmp_path / "a.json").write_text(json.dumps([text]), encoding="utf-8")
    for name in ("a.txt", "a.xlsx", "a.csv", "a.json"):
        assert [item.template for item in read_candidates(tmp_path / name).candidates] == [text], name
    assert literal_escape(text) is None
    assert first_defect(text, task) is None


@pytest.mark.parametrize(("text", "meant"), ESCAPED.items())
def test_escapes_are_decoded(text, meant):
    assert decode_escapes(text) == meant


@pytest.mark.parametrize("text", [r"Look into C:\new {message}", r"D:\notes {message}"])
def test_what_may_be_either_is_left_and_screening_names_it(task, text):
    assert decode_escapes(text) == text
    assert first_defect(text, task) == ("literal_escape", r"\n")


@pytest.mark.parametrize("text", TEXTS)
def test_what_a_model_writes_into_json_without_doubling_survives(text):
    told = text.replace('"', "'").replace(r"\\ ", "")  # in JSON two backslashes are one
    for reply in (
        '{"prompts": ["%s"]}',
        '["%s", "Read {message}\\nLabel:"]',
        'Here:\n```json\n{"prompts": ["%s"]}\n```',
    ):
        assert candidates(reply % told, ["message"])[0] == told
    assert candidates(json.dumps({"prompts": [text]}), ["message"]) == [text], "nor what was doubled"


def test_line_breaks_of_json_stay_line_breaks():
    text = "Text: {x}\nAnswer:\n\n1.\tyes\n2.\tno\nneither"
    assert json.loads(mended_json(json.dumps(text))) == text


def test_braces_of_latex_and_doubled_braces_are_told_how_to_be_written(task):
    reason, detail = first_defect(r"$\frac{a}{b}$ of {message}", task)
    assert reason == "placeholder_unknown"
    assert detail == r"{a} (braces of LaTeX are doubled: \frac{{a}})"
    reason, detail = first_defect(r"$\frac{1}{2}$ of {message}", task)
    assert (reason, "write {{ and }} for literal braces" in detail) == ("syntax", True)
    assert first_defect(r"$\frac{{a}}{{b}}$ of {message}", task) is None
    reason, detail = first_defect("What is this about: {{ message }}?", task)
    assert (reason, detail) == ("placeholder_missing", "{message} (doubled braces are text: write {message})")
