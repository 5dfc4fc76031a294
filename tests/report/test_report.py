"""The table, the sentence on who wins, and a page that shows any prompt without obeying it."""

from html.parser import HTMLParser

import pytest
from rich.console import Console

from paft.report import method_rows, results_table, write_report
from paft.report.plot import distribution_svg
from paft.report.table import percent
from paft.statistics.summary import summarize

HOSTILE = "<script>alert(1)</script> \"a\" & 'b' {{ 7 * 7 }} {% raw %} <img src=x onerror=alert(2)> {text}"


def results(accuracies, *, own=None, prompts=("Q: {text}", "Which? {text}", HOSTILE), **changes):
    """Return results of {(method, seed): accuracy of each unseen prompt}."""
    rows, per_prompt = [], []
    for (method, seed), values in accuracies.items():
        judged = {"test": (values, prompts), "user": ([(own or {}).get((method, seed), 0.5)], ["own {text}"])}
        for split, (scores, templates) in judged.items():
            rows.append(
                {
                    "method": method,
                    "seed": seed,
                    "split": split,
                    **vars(summarize(scores, 0.6)),
                    "n_examples": 10,
                }
            )
            rows[-1] |= {"n_prompts": len(scores), "train_steps": 0 if method == "base" else 12}
            for number, (score, template) in enumerate(zip(scores, templates, strict=True)):
                entry = {"method": method, "seed": seed, "split": split, "accuracy": score, "parse_rate": 1.0}
                per_prompt.append({**entry, "prompt_id": f"{split}{number}", "prompt": template})
    made = {
        "task": "mail",
        "model": "tiny",
        "bank_fingerprint": "abc123",
        "near_duplicates": [],
        "warnings": [],
    }
    return {**made, "rows": rows, "per_prompt": per_prompt, **changes}


THREE = {
    ("base", None): [0.1, 0.2, 0.3],
    ("single", 0): [0.5, 0.7, 0.9],
    ("single", 1): [0.4, 0.6, 0.8],
    ("paft", 0): [0.8, 0.9, 1.0],
    ("paft", 1): [0.8, 0.8, 0.8],
}


def page(tmp_path, made):
    write_report(made, tmp_path / "report.html")
    return (tmp_path / "report.html").read_text(encoding="utf-8")


class Reader(HTMLParser):
    """Collects the tags of a page and the text of its table cells."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.cells, self.inside = [], [], False
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.inside = tag in ("td", "pre")
        if tag == "td":
            self.cells.append("")

    def handle_endtag(self, tag):
        self.inside = self.inside and tag not in ("td", "pre")

    def handle_data(self, data):
        if self.inside:
            self.cells[-1] += data


def test_figures_are_means_over_seeds_of_the_unseen_prompts():
    base, single, paft = method_rows(results(THREE, own={("single", 0): 0.9, ("single", 1): 0.7}))
    assert [row.method for row in (base, single, paft)] == ["base", "single", "paft"]
    assert (single.seeds, single.steps, base.steps) == (2, 12, 0)
    assert single.mean == pytest.approx(0.65)
    assert single.mean_range == pytest.approx((0.6, 0.7))
    assert (single.min, single.max) == pytest.approx((0.45, 0.85))
    assert single.std == pytest.approx(0.2)
    assert single.top == pytest.approx((2 / 3 + 1 / 3) / 2)
    assert single.own == pytest.approx(0.8)
    assert paft.std == pytest.approx(0.05)


def test_another_split_can_be_asked_for():
    (row,) = method_rows(results({("paft", 0): [0.8, 0.9, 1.0]}, own={("paft", 0): 0.3}), split="user")
    assert (row.mean, row.std) == (0.3, None)


@pytest.mark.parametrize("name", ["per_example", "an_adapter_of_a_name_that_is_rather_long"])
def test_the_table_of_a_run_fits_a_terminal_of_80_columns(name):
    """With names of methods and heads whole, the sample of generated answers included."""
    found = results({("base", None): [0.1] * 3, ("single", 0): [1.0] * 3, (name, 0): [1.0] * 3})
    rows = [
        {**row, "generated_cells": 10, "generated_accuracy": 1.0, "generated_parse_rate": 1.0}
        for row in found["rows"]
    ]
    console = Console(width=80)
    with console.capture() as shown:
        console.print(results_table({**found, "rows": rows}))
    text = shown.get()
    assert "\u2026" not in text and text.count("100.0") == 2 + 2 * 6 and "gener-" in text
    first = "".join(line[2:].partition("│")[0].strip() for line in text.splitlines() if line.startswith("│"))
    assert first == f"basesingle{name}"


def test_the_table_shows_every_method_in_percent():
    console = Console(width=120)
    with console.capture() as shown:
        console.print(results_table(results(THREE)))
    lines = [line.split() for line in shown.get().splitlines()]
    rows = {words[1]: words for words in lines if len(words) > 2 and words[1] in ("base", "single", "paft")}
    assert [rows["single"][i] for i in (3, 5, 7, 9, 11, 13)] == [
        "65.0",
        "20.0",
        "45.0",
        "85.0",
        "50.0",
        "50.0",
    ]
    assert rows.keys() == {"base", "single", "paft"}
    assert "3 unseen prompts x 10 examples, mean of 2 seeds" in " ".join(shown.get().split())


def test_percent_has_one_decimal_and_a_dash_for_nothing():
    assert (percent(0.12345), percent(1.0), percent(None)) == ("12.3", "100.0", "-")


def test_a_hostile_prompt_is_shown_and_never_obeyed(tmp_path):
    reader = Reader(page(tmp_path, results(THREE, model="<script>model</script>")))
    assert HOSTILE in reader.cells
    assert not [tag for tag, attrs in reader.tags if tag == "img" or "onerror" in attrs]
    assert [attrs for tag, attrs in reader.tags if tag == "script"] == [
        {"type": "application/json", "id": "data"},  # no code
        {},  # the page's own
    ]
    text = page(tmp_path, results(THREE, model="<script>model</script>"))
    assert "&lt;script&gt;model&lt;/script&gt;" in text
    assert text.count("<script") == 2


def test_the_page_shows_every_unseen_prompt_once_hardest_for_single_first(tmp_path):
    made = results({("single", 0): [0.9, 0.5, 0.7], ("paft", 0): [0.81, 0.82, 0.83]})
    cells = Reader(page(tmp_path, made)).cells
    prompts = [cell for cell in cells if "{text}" in cell]
    assert prompts == ["Which? {text}", HOSTILE, "Q: {text}"]
    place = cells.index("Which? {text}")
    assert cells[place + 1 : place + 3] == ["50.0", "82.0"]


def test_the_page_claims_nothing_where_the_cells_are_not_there(tmp_path):
    text = page(tmp_path, results(THREE))
    assert "beats" not in text
    assert "as observed: mean 85.0 % and 65.0 %, worst prompt 80.0 % and 45.0 %" in text


def test_the_page_warns_of_near_duplicates_and_shows_the_warnings_of_the_run(tmp_path):
    assert "near duplicates" not in page(tmp_path, results(THREE))
    pair = {"seen": "a", "unseen": "b", "similarity": 0.9}
    text = page(tmp_path, results(THREE, near_duplicates=[pair], warnings=["3 <b> prompts were cut"]))
    assert "near duplicates" in text
    assert "3 &lt;b&gt; prompts were cut" in text


def test_the_page_needs_nothing_from_outside(tmp_path):
    tags = Reader(page(tmp_path, results(THREE))).tags
    links = [
        value for _, attrs in tags for key, value in attrs.items() if key in ("src", "href", "xlink:href")
    ]
    assert all(link.startswith("#") for link in links)
    assert "link" not in {tag for tag, _ in tags}


def test_the_same_results_give_the_same_page(tmp_path):
    assert page(tmp_path, results(THREE)) == page(tmp_path, results(THREE))


def test_the_picture_shows_each_prompt_as_a_dot_and_names_the_methods():
    picture = distribution_svg(results({("paft", 0): [0.8, 0.9, 1.0]}))
    more = distribution_svg(results({("paft", 0): [0.7, 0.8, 0.9, 1.0]}, prompts=["{text}"] * 4))
    assert picture.startswith("<svg")
    assert ">paft<" in picture
    assert more.count("<use") == picture.count("<use") + 1


def test_the_picture_escapes_the_names_it_shows():
    picture = distribution_svg(results({("<script>$x", 0): [0.8, 0.9, 1.0]}))
    assert "&lt;script&gt;$x" in picture
    assert "<script" not in picture
