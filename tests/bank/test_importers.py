"""Prompts that others wrote: escapes decoded once, placeholders renamed, errors name the row."""

import csv
import json

import openpyxl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paft.bank import Bank
from paft.bank.backslashes import decode_escapes
from paft.bank.importers import FORMATS, import_prompts, prompts_of, read_candidates
from paft.bank.importers.records import broken_prompts
from paft.errors import DataError, PaftError, PromptError
from paft.prompt import Prompt
from tests.workbook import workbook


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
    (prompt,) = read_candidates(tmp_path / "a.txt", rename={"prompt": "sentence"}).candidates
    assert prompt.template == "{sentence} {only_option1} {{prompt}} {{{sentence}}}"


def test_two_placeholders_can_swap_their_names(tmp_path):
    (tmp_path / "a.txt").write_text("{a} {b}\n")
    (prompt,) = read_candidates(tmp_path / "a.txt", rename={"a": "b", "b": "a"}).candidates
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
    with pytest.raises(DataError, match=r"a\.docx: unknown format \(known: \.xlsx, \.csv, \.txt, \.jsonl, "):
        import_prompts(tmp_path / "a.docx")
    with pytest.raises(
        DataError, match="unknown format 'word' \\(known: xlsx, csv, txt, jsonl, json, promptsou"
    ):
        read_candidates(tmp_path / "a.txt", format="word")


def test_a_file_without_prompts_is_named(tmp_path):
    (tmp_path / "a.txt").write_text("\n \n")
    with pytest.raises(PromptError, match=r"a\.txt has no prompts"):
        import_prompts(tmp_path / "a.txt")


def templates(imported):
    return [item.template for item in imported.candidates]


def written(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8", newline="")
    return path


def test_candidates_keep_every_row_repeats_and_invalid_templates_included(tmp_path):
    path = workbook(tmp_path / "a.xlsx", ["text"], [r"a\n{x}"], ["{a.b}"], [None], [r"a\n{x}"], [12])
    imported = read_candidates(path)
    assert templates(imported) == ["a\n{x}", "{a.b}", "a\n{x}", "12"]
    assert [item.where for item in imported.candidates] == [f"{path} row {n}" for n in (2, 3, 5, 6)]
    assert dict(imported.candidates[1].provenance) == {"source": "import", "file": "a.xlsx", "row": 3}
    assert imported.skipped == ()


@pytest.mark.parametrize("name", ["a.xlsx", "a.txt"])
def test_what_stands_in_the_file_is_kept_beside_what_it_stands_for(tmp_path, name):
    path = tmp_path / name
    if name == "a.xlsx":
        workbook(path, ["text"], [r"a\n{x}"])
    else:
        written(path, r"a\n{x}")
    assert [each.written for each in read_candidates(path).candidates] == [r"a\n{x}"]
    assert templates(read_candidates(path)) == ["a\n{x}"]


def test_candidates_are_renamed_and_become_prompts(tmp_path):
    path = written(tmp_path / "a.txt", "{a}!\n{a}!\n{b}?\n")
    imported = read_candidates(path, rename={"a": "text"})
    assert templates(imported) == ["{text}!", "{text}!", "{b}?"]
    assert prompts_of(imported.candidates) == [Prompt("{text}!"), Prompt("{b}?")]


@pytest.mark.parametrize("column", ["template", "text", "prompt"])
def test_a_table_is_read_literally_with_line_breaks_and_quotes(tmp_path, column):
    path = tmp_path / "a.csv"
    with path.open("w", newline="", encoding="utf-8-sig") as file:
        rows = [
            ["id", column, "generator"],
            ["1", 'say "{x}",\r\n\\n', "llm"],
            [],
            ["2", " ", ""],
            ["3", "b", ""],
        ]
        csv.writer(file).writerows(rows)
    first, second = read_candidates(path).candidates
    assert (first.template, second.template) == ('say "{x}",\r\n\\n', "b")
    assert first.provenance["generator"] == "llm"
    assert "generator" not in second.provenance
    assert second.provenance["row"] == 5


def test_a_table_without_a_known_column_names_what_it_has(tmp_path):
    path = written(tmp_path / "a.csv", "id,words\n1,x\n")
    with pytest.raises(DataError, match=r"a column of 'template', 'text', .*, found: id, words"):
        read_candidates(path)
    with pytest.raises(DataError, match="found: nothing"):
        read_candidates(written(tmp_path / "b.csv", ""))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("template,b\nx\n", ":2: 1 cells, but the header names 2 columns"),
        ('template\n"x\n', "malformed CSV"),
    ],
)
def test_a_broken_table_is_named_by_line(tmp_path, text, said):
    with pytest.raises(DataError, match=said):
        read_candidates(written(tmp_path / "a.csv", text))


def test_a_state_of_what_art_table_keeps_how_and_whether_a_paraphrase_works(tmp_path):
    text = (
        "prompt idx,method,prompt template,prompt length,correct\n"
        "1,default,Which word rhymes with {query}?,7,True\n"
        '2,rephrase,"Q: name a rhyme of {query}\nA:",9,0\n'
        "3,cot,Rhyme {query},3,\n"
    )
    imported = read_candidates(written(tmp_path / "rhymes.csv", text))
    assert templates(imported)[1] == "Q: name a rhyme of {query}\nA:"
    told = [(c.provenance["strategy"], c.provenance.get("correct")) for c in imported.candidates]
    assert told == [("default", True), ("rephrase", False), ("cot", None)]


@pytest.mark.parametrize("key", ["template", "text", "prompt"])
def test_json_lists_and_lines_take_several_keys(tmp_path, key):
    rows = [{key: "a\\n {x}", "provenance": {"generator": "llm"}}, {key: "b"}]
    lines = written(tmp_path / "a.jsonl", "\n\n".join(map(json.dumps, rows)))
    listed = written(tmp_path / "a.json", json.dumps([*rows, *([] if key != "template" else ["c {x}"])]))
    assert templates(read_candidates(lines)) == ["a\\n {x}", "b"]
    assert templates(read_candidates(listed))[:2] == ["a\\n {x}", "b"]
    assert read_candidates(listed).candidates[0].provenance["generator"] == "llm"
    if key == "template":
        assert templates(read_candidates(listed))[2] == "c {x}"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"template": "x"}', "expected a JSON list of templates, got dict"),
        ("[1]", "item 1: expected a text or an object, got int"),
        ('[{"text": "x"}, {"prompt": "y"}]', "item 2: key 'text' with text is missing, the row has: prompt"),
        ("[", "malformed JSON"),
        ('["\\ud800"]', "surrogate"),
        ("[" * 100_000, "malformed JSON .*thousands of brackets"),
        ("[" + "1" * 5000 + "]", "malformed JSON .*thousands of digits"),
    ],
)
def test_a_broken_json_list_is_named(tmp_path, text, said):
    with pytest.raises(DataError, match=said):
        read_candidates(written(tmp_path / "a.json", text))


PROMPTSOURCE = """
dataset: pets
subset: easy
templates:
  11111111-aaaa: !Template
    answer_choices: Yes ||| No
    id: 11111111-aaaa
    jinja: |-
      {{ animal }} has {{legs}} legs {in all}.
      Is that right? |||
      {{ answer_choices[label] }}
    metadata: !TemplateMetadata
      original_task: true
    name: legs
    reference: ''
  22222222-bbbb: !Template
    answer_choices: null
    jinja: "{# why #}Tell me about{{ ' {{' }}{% raw %}{{x}}{% endraw %}:   {{- animal }} ||| {{ text }} ||| n"
    name: tell
    reference: somebody
"""


def test_promptsource_templates_become_plain_templates(tmp_path):
    imported = read_candidates(written(tmp_path / "templates.yaml", PROMPTSOURCE))
    assert templates(imported) == [
        "{animal} has {legs} legs {{in all}}.\nIs that right?",
        "Tell me about {{{{{{{{x}}}}:{animal}",
    ]
    first, second = imported.candidates
    assert first.where.endswith("templates.yaml template 'legs'")
    assert dict(first.provenance) == {
        "source": "import",
        "answer_choices": "Yes ||| No",
        "dataset": "pets/easy",
        "file": "templates.yaml",
        "row": "legs",
    }
    assert second.provenance["reference"] == "somebody"
    assert Prompt(second.template).render({"animal": "cats"}) == "Tell me about {{{{x}}:cats"


@pytest.mark.parametrize(
    ("jinja", "reason"),
    [
        ("{{ document.text }}", "attribute access (line 1)"),
        ("a\n{{ answer_choices[0] }}", "indexing (line 2)"),
        ("{{ answer_choices }}", "{{ answer_choices }}, which is no field"),
        ("{{ text | upper }}", "a filter (line 1)"),
        ("{{ text ~ 'x' }}", "an expression (line 1)"),
        ("{{ range(3) }}", "a call (line 1)"),
        ("{{ 3 }}", "Jinja Const (line 1)"),
        ("{% if text %} a ||| b {% endif %}", "a condition (line 1)"),
        ("{{ a if b else c }}", "a condition (line 1)"),
        ("{% for a in b %}{{ a }}{% endfor %}", "a loop (line 1)"),
        ("{% set a = 1 %}{{ a }}", "an assignment (line 1)"),
        ("{{ unclosed", "text that is not valid Jinja"),
        ("{{ " + "(" * 5000 + "a" + ")" * 5000 + " }}", "expressions nested too deeply"),
    ],
)
def test_jinja_beyond_plain_fields_is_skipped_with_its_reason(tmp_path, jinja, reason):
    data = {"templates": {"a": {"jinja": "{{ text }} ||| x"}, "b": {"jinja": jinja}}}
    path = written(tmp_path / "t.yaml", json.dumps(data))  # JSON is YAML
    imported = read_candidates(path)
    assert templates(imported) == ["{text}"]
    (skipped,) = imported.skipped
    assert skipped.where == f"{path} template 'b'"
    assert skipped.reason.startswith(reason)


def test_the_strict_import_refuses_what_it_would_have_to_skip(tmp_path):
    data = {"templates": {"a": {"jinja": "{{ text }} ||| x"}, "b": {"jinja": "{{ a.b }}"}}}
    path = written(tmp_path / "t.yaml", json.dumps(data))
    with pytest.raises(PromptError, match=r"template 'b': cannot be .* attribute access \(line 1\) \(1 of 2"):
        import_prompts(path)


def test_a_nemo_skills_prompt_is_read_with_its_braces(tmp_path):
    text = 'few_shot_examples:\n  prefix: ""\nuser: |-\n  End with \\boxed{{}}.\n\n  {examples}{problem}\n'
    imported = read_candidates(written(tmp_path / "boxed.yaml", text))
    assert templates(imported) == ["End with \\boxed{{}}.\n\n{problem}"]
    assert Prompt(templates(imported)[0]).placeholders == ("problem",)


def test_a_nemo_skills_set_is_followed_to_its_files(tmp_path):
    config = tmp_path / "config"
    written(config / "robust" / "one.yaml", "user: 'Solve: {question}'")
    written(config / "robust" / "two.yaml", "system: ''\nuser: '{question}'")
    written(config / "robust" / "three.yaml", "system: You are kind.\nuser: '{question}'")
    entries = (
        "sums:\n- prompt_config: robust/one\n  extract_regex: '<<(.)>>'\n- robust/two.yaml\nfun:\n- three\n"
    )
    imported = read_candidates(written(config / "robust" / "set.yaml", entries))
    assert templates(imported) == ["Solve: {question}", "{question}"]
    assert [(c.provenance["benchmark"], c.provenance["file"]) for c in imported.candidates] == [
        ("sums", "one.yaml"),
        ("sums", "two.yaml"),
    ]
    (skipped,) = imported.skipped
    assert skipped.where.endswith("three.yaml")
    assert "system message" in skipped.reason
    listed = written(config / "list.yaml", "- robust/one\n")
    assert templates(read_candidates(listed)) == ["Solve: {question}"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("sums:\n- gone\n", "prompt file 'gone' is in none of the folders from"),
        ("sums:\n- prompt_config: [a]\n", "sums must name prompt files, got"),
        ("user: [a]\n", "needs `user:` with text"),
        ("some: thing\n", "expected `user:` with text, or lists of prompt files"),
        ("- set.yaml\n", "needs `user:` with text"),
    ],
)
def test_a_broken_nemo_skills_set_is_named(tmp_path, text, said):
    with pytest.raises(DataError, match=said):
        read_candidates(written(tmp_path / "set.yaml", text), format="nemo-skills")


def test_yaml_of_neither_kind_is_named_with_both(tmp_path):
    with pytest.raises(DataError, match=r"neither promptsource .* nor NeMo-Skills"):
        read_candidates(written(tmp_path / "a.yaml", "a: 1\n"))
    with pytest.raises(DataError, match="as promptsource has"):
        read_candidates(tmp_path / "a.yaml", format="promptsource")
    with pytest.raises(DataError, match=r"b\.yml:1: not valid YAML"):
        read_candidates(written(tmp_path / "b.yml", "a: ["))


@pytest.mark.parametrize("call", ["!!python/object/apply:os.system", "!!python/name:os.system", "!Template"])
def test_yaml_tags_construct_nothing(tmp_path, call):
    proof = tmp_path / "proof"
    text = f"templates:\n  a: !Template\n    jinja: {{{{ x }}}}\n    metadata: {call} ['touch {proof}']\n"
    text = text.replace("{{ x }}", "'{{ x }}'")
    if "name" in call:
        text = text.replace(f" ['touch {proof}']", " ''")
    assert templates(read_candidates(written(tmp_path / "t.yaml", text))) == ["{x}"]
    assert not proof.exists()


HOSTILE = st.one_of(
    st.text(),
    st.text("[]{}-:!&*#|>'\"%@,\n \tax\\", max_size=60),
    st.sampled_from(["[", "{a: ", "- ", "'", "{{", '{"a":', "(", "&a [*a]", "? "]).map(lambda s: s * 1200),
    st.text("{}%#|-'\"()[]. \nabx", max_size=40).map(
        lambda jinja: json.dumps({"templates": {"a": {"jinja": jinja}}})
    ),
    st.text("/.\x00a*", max_size=300).map(lambda name: json.dumps({"a": [name]})),
)


@settings(max_examples=40, deadline=None)
@given(text=HOSTILE, format=st.sampled_from(FORMATS))
def test_no_text_makes_an_importer_fail_other_than_with_its_own_error(tmp_path_factory, text, format):
    path = tmp_path_factory.mktemp("hostile") / "a.txt"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    try:
        imported = read_candidates(path, format=format, rename={"a": "b"})
        prompts_of(imported.candidates)
    except PaftError as error:
        assert str(error)


def test_a_template_that_is_a_formula_is_refused_and_text_that_looks_like_one_is_not(tmp_path):
    path = workbook(tmp_path / "a.xlsx", ["id", "text"], ["=A1", "{text} ->"], [2, '="a"&"{text}"'])
    with pytest.raises(DataError, match=r"a\.xlsx row 3: the template is a formula.*paste values"):
        read_candidates(path)
    book = openpyxl.load_workbook(path)
    book.active["B3"].data_type = "s"
    book.save(path)
    assert [item.template for item in read_candidates(path).candidates] == ["{text} ->", '="a"&"{text}"']


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        (["{a} {b}", "{b} {a}"], []),
        (["X", "{a}", "{b}"], ["lines 1 to 3 look like 1 prompt"]),
        (["{a}", "{b}", "{b}", "{a}"], ["lines 1 to 4 look like 2 prompts"]),
        (["{a}", "", "{b}"], []),  # a blank line between: two prompts that each lack a field
        (["{a} {b}", "Answer:", "{a} {b}"], ["line 2 has no field"]),
        (["{a}", "{a}", "{b}"], []),
        (["{a} {b}", "Classify {text}"], []),  # a field that there is not: no part of another prompt
    ],
)
def test_lines_that_look_like_one_prompt_are_found(tmp_path, texts, said):
    path = tmp_path / "p.txt"
    path.write_text("\n".join(texts))
    hints = broken_prompts(read_candidates(path).candidates, ["a", "b"])
    assert len(hints) == len(said) and all(map(str.startswith, hints, said))


@pytest.mark.parametrize("apart", ["adversarial", "final"])
def test_prompts_that_are_on_neither_side_are_not_split_anew(tmp_path, apart):
    Bank({"train": ("Sort {text}",), apart: ("SORT IT {text}",)}).save(tmp_path / "bank.jsonl")
    assert len(import_prompts(tmp_path / "bank.jsonl")) == 2
    with pytest.raises(PromptError, match=rf"row 2: {apart} prompts take no part in a split, as they are"):
        import_prompts(tmp_path / "bank.jsonl", to_split=True)
    pool = Bank({"train": (Prompt("SORT IT {text}", {"source": "adversarial"}),)})
    pool.save(tmp_path / "pool.jsonl")
    with pytest.raises(PromptError, match="row 1: adversarial prompts take no part"):
        import_prompts(tmp_path / "pool.jsonl", to_split=True)


def test_two_columns_of_templates_are_refused(tmp_path):
    rows = [["text", "text"], ["Sort {text}", "Judge {text}"]]
    (tmp_path / "a.csv").write_text("".join(",".join(row) + "\n" for row in rows))
    for path in (tmp_path / "a.csv", workbook(tmp_path / "a.xlsx", *rows)):
        with pytest.raises(DataError, match="two columns are called 'text': rename or remove one"):
            read_candidates(path)
