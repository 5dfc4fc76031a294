"""A table says the same on the terminal, in Markdown, LaTeX and CSV."""

import subprocess
import sys

import pytest
from rich.console import Console

from paft.report.table import Table

GROUPED = Table.grouped(
    ["method"], {"a|b": ["Mean", "Std"], "c": ["Mean"]}, [(["p_1"], {"a|b": ["1", "2"], "c": ["3"]})]
)


def test_markdown_names_the_groups_and_escapes():
    assert GROUPED.markdown().splitlines() == [
        r"| method | a\|b: Mean | a\|b: Std | c: Mean |",
        "|---|---:|---:|---:|",
        r"| p\_1 | 1 | 2 | 3 |",
    ]


def test_the_terminal_has_a_table_for_each_group():
    console = Console(width=80)
    with console.capture() as shown:
        for table in GROUPED.terminal_by_group("grid", " here"):
            console.print(table)
    text = shown.get()
    assert "grid: a|b here" in text and "grid: c here" in text
    rows = [line.strip("│ ").split() for line in text.splitlines() if "p_1" in line]
    assert [[cell for cell in row if cell != "│"] for row in rows] == [["p_1", "1", "2"], ["p_1", "3"]]


def test_the_terminal_takes_no_text_for_markup():
    console = Console(width=80)
    with console.capture() as shown:
        console.print(Table(["Name [b]", "1"], "lr", [["v[old] :fire:", "2"]]).terminal("t [i]", "c [u]"))
    assert all(text in shown.get() for text in ("Name [b]", "v[old] :fire:", "t [i]", "c [u]"))


def test_latex_and_csv_escape_their_own():
    table = Table(["Name", "50 %"], "lr", [["=a_b", "1"]])
    latex = table.latex("x & y", label="x & y", comments=["a\nb"])
    assert r"\begin{tabular}{lr}" in latex and r"Name & 50 \% \\" in latex and r"\caption{x \& y}" in latex
    assert r"\label{tab:x-y}" in latex and latex.startswith("% Needs \\usepackage{booktabs}\n% a b\n")
    assert table.csv() == '"Name","50 %"\n"\'=a_b","1"\n'


@pytest.mark.parametrize(
    "module", ["paft.report.html", "paft.report.table", "paft.report.card", "paft.cli.main"]
)
def test_nothing_but_a_picture_loads_matplotlib(module):
    code = f"import sys, {module}; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
