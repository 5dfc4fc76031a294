"""The report in a real browser: it works, loads nothing, and shows hostile text as text."""

from __future__ import annotations

import json

import pytest
from chromium import NAMES, Chromium, find

from paft.report.budget import BudgetReport, PartlyScored, budget_page
from paft.report.data import read_report
from paft.report.foreign import read_foreign_report
from paft.report.html import page
from report_run import HOSTILE_PROMPT, HOSTILE_TEXT, write_run

pytestmark = pytest.mark.browser

ROWS = "[...document.querySelectorAll('#table tbody tr:not([hidden])')]"
FIRST = f"{ROWS}.map(row => row.querySelector('pre').textContent)"
NUMBERS = f"{ROWS}.map(row => parseFloat(row.cells[3].textContent))"
SORTS = "[...document.querySelectorAll('#table th')].map(head => head.getAttribute('aria-sort'))"


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    binary = find()
    if binary is None:
        pytest.skip(f"no Chromium: none of {', '.join(NAMES)} is on the path")
    chromium = Chromium(binary, tmp_path_factory.mktemp("profile"))
    yield chromium
    chromium.close()


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """The page of a run of 3 prompts."""
    run = write_run(tmp_path_factory.mktemp("small"))
    (run / "report.html").write_text(page(read_report(run)), "utf-8")
    return run / "report.html"


@pytest.fixture(scope="module")
def long_report(tmp_path_factory):
    """The page of a run of 200 prompts."""
    run = write_run(tmp_path_factory.mktemp("large"), prompts=200, examples=20)
    (run / "report.html").write_text(page(read_report(run)), "utf-8")
    return run / "report.html"


@pytest.fixture
def opened(browser, report):
    browser.open(report)
    return browser


def click(browser, selector):
    browser.run(f"document.querySelector({json.dumps(selector)}).click()")


def open_all(browser):
    browser.run("document.querySelectorAll('details').forEach(each => { each.open = true; })")
    browser.run("new Promise(done => setTimeout(done, 100))")  # toggle events come later


def test_a_column_sorts_up_and_down_and_says_so(opened):
    click(opened, "#table th:nth-child(4) button")
    numbers = opened.run(NUMBERS)
    assert len(set(numbers)) > 1
    assert numbers == sorted(numbers)
    assert opened.run(SORTS) == [None, None, None, "ascending"]
    click(opened, "#table th:nth-child(4) button")
    assert opened.run(NUMBERS) == sorted(numbers, reverse=True)
    assert opened.run(SORTS) == [None, None, None, "descending"]
    click(opened, "#table th:nth-child(1) button")
    assert opened.run(SORTS) == ["ascending", None, None, None]
    assert opened.run(FIRST)[0].startswith("<script>")


def test_the_keyboard_sorts_and_opens_examples(opened):
    opened.run("document.querySelector('#table th:nth-child(4) button').focus()")
    opened.press("Enter", 13, "\r")
    assert opened.run(SORTS)[3] == "ascending"
    opened.run("document.querySelector('#table summary').focus()")
    opened.press("Enter", 13, "\r")
    opened.run("new Promise(done => setTimeout(done, 100))")
    assert opened.run("document.querySelectorAll('#table details[open] li').length") > 0


def test_search_finds_prompts_with_all_words_and_counts_them(opened):
    opened.run("document.getElementById('search').focus()")
    opened.type("this READ")
    assert [text.splitlines()[0] for text in opened.run(FIRST)] == ["Read this."]
    assert opened.run("document.getElementById('count').textContent") == "1 of 3"
    opened.run("search.value = ''; search.dispatchEvent(new Event('input'))")
    assert opened.run("document.getElementById('count').textContent") == "3 of 3"


@pytest.mark.parametrize(("scheme", "other"), [("light", "dark"), ("dark", "light")])
def test_the_theme_follows_the_system_until_it_is_switched(browser, report, scheme, other):
    background = "getComputedStyle(document.body).backgroundColor"
    shown = {}
    for name in ("light", "dark"):
        browser.prefer(name)
        browser.open(report)
        shown[name] = browser.run(background)
    assert shown["light"] != shown["dark"]
    browser.prefer(scheme)
    browser.open(report)
    assert browser.run("document.getElementById('theme').textContent").lower() == other
    click(browser, "#theme")
    assert browser.run(background) == shown[other]
    click(browser, "#theme")
    assert browser.run(background) == shown[scheme]


def test_worst_examples_have_text_right_answer_and_what_was_answered(opened):
    open_all(opened)
    items = opened.run("[...document.querySelectorAll('#table li')].map(item => item.innerText)")
    assert any("message 3" in item and "right: yes" in item and "answered: " in item for item in items)


def test_hostile_prompts_and_examples_stay_text(opened):
    open_all(opened)
    assert opened.run("document.title") == "mail: accuracy over prompts"
    assert opened.run("document.querySelectorAll('td script, td img, li script, li b b, td i').length") == 0
    shown = HOSTILE_PROMPT.replace("\u202e", "U+202E").replace("\u202c", "U+202C")
    assert shown in opened.run(FIRST)
    text = HOSTILE_TEXT.replace("\u2067", "U+2067").replace("\u202e", "U+202E")
    assert text in opened.run("[...document.querySelectorAll('li bdi')].map(each => each.textContent)")
    assert not {"\u202e", "\u2067"} & set(opened.run("document.body.textContent.split('{\"examples')[0]"))


def test_nothing_is_requested_and_nothing_goes_wrong(opened, report):
    open_all(opened)
    click(opened, "#theme")
    click(opened, "#table th button")
    assert opened.requests[0] == report.as_uri()
    assert all(address.startswith("data:image/png") for address in opened.requests[1:])
    assert opened.messages == []


def test_the_policy_stops_whatever_might_slip_in(opened):
    """A script element, as a browser would meet it if an escape were forgotten."""
    opened.run(
        "document.body.append(Object.assign(document.createElement('script'), {text: 'window.slipped = 1'}))"
    )
    opened.run("document.body.append(Object.assign(new Image(), {src: 'file:///etc/hostname'}))")
    opened.run("new Promise(done => setTimeout(done, 100))")
    assert opened.run("window.slipped") is None
    assert sum("Content Security Policy" in message for message in opened.messages) == 2


@pytest.mark.parametrize("width", [380, 1200])
def test_only_boxes_scroll_sideways(browser, long_report, width):
    browser.open(long_report, width)
    open_all(browser)
    wide = browser.run("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide == 0
    assert browser.run("[...document.querySelectorAll('.scroll')].every(box => box.tabIndex === 0)")


def test_two_hundred_prompts_are_quick_and_keep_their_header_in_sight(browser, long_report):
    assert long_report.stat().st_size < 1_000_000
    browser.open(long_report)
    spent = browser.run(
        "(() => { const start = performance.now();"
        " document.querySelectorAll('#table th button').forEach(button => button.click());"
        " document.body.offsetHeight; return performance.now() - start; })()"
    )
    assert spent < 2000
    top = "document.querySelector('#table th').getBoundingClientRect().top - "
    box = "document.querySelector('#table').closest('.tall')"
    top += f"{box}.getBoundingClientRect().top"
    before = browser.run(top)
    browser.run(f"{box}.scrollTop = 2000")
    assert browser.run(f"{box}.scrollTop") == 2000
    assert browser.run(top) == before


def test_a_table_from_elsewhere_names_its_examples_and_says_nothing_of_answers(browser, tmp_path):
    table = tmp_path / "scores.jsonl"
    cells = [
        {"prompt": f"p{p}", "example": f"e{n} </script> {HOSTILE_TEXT[-8:]}", "score": (p + n) % 2}
        for p in range(3)
        for n in range(4)
    ]
    table.write_text("".join(json.dumps(cell) + "\n" for cell in cells), "utf-8")
    (tmp_path / "page.html").write_text(page(read_foreign_report(table)), "utf-8")
    browser.open(tmp_path / "page.html")
    open_all(browser)
    text = browser.run("document.querySelector('#table tbody details').innerText")
    assert f"scores, example e0 </script> {HOSTILE_TEXT[-8:]}" in text
    assert "answer" not in text and "undefined" not in text


def test_the_page_of_several_models_sorts_by_model_by_prompt_and_by_number(browser, tmp_path):
    prompts = tuple(
        PartlyScored(model, f"{model}{text}", text, cells, 0.5)
        for cells, (model, text) in enumerate(
            [("b", "Why {t}"), ("a", "2 {t}"), ("b", "10 {t}"), ("a", "As {t}")]
        )
    )
    whole = {"value": 0.5, "low": 0.4, "high": 0.6, "standard_error": 0.05}
    models = [{"name": name, "cells": 3, "mean": whole, "std": whole} for name in "ab"]
    pair = {"first": "b", "second": "a", **whole}
    made = {
        "prompts": 2, "examples": 4, "cells": 6, "precision": 0.1, "looks": [3], "models": models,
        "compared": ["b", "a"], "differences": [pair],
    }  # fmt: skip
    results = {"task": "t", "model": "m", "bank_fingerprint": "f", "warnings": [], "budget": made}
    (tmp_path / "page.html").write_text(
        budget_page(BudgetReport(results, ("a", "b"), "test", prompts)), "utf-8"
    )
    browser.open(tmp_path / "page.html")
    for column, wanted in enumerate((["a", "a", "b", "b"], ["10 {t}", "2 {t}", "As {t}", "Why {t}"])):
        click(browser, f"#table th:nth-child({column + 1}) button")
        assert browser.run(f"{ROWS}.map(row => row.cells[{column}].textContent)") == wanted
    click(browser, "#table th:nth-child(4) button")
    assert browser.run(f"{ROWS}.map(row => row.cells[3].textContent)") == ["0", "1", "2", "3"]
    assert (
        browser.run("getComputedStyle(document.querySelector('#table td:nth-child(2)')).textAlign") == "left"
    )
