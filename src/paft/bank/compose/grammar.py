"""Writes one prompt for a task: instruction, layout of the fields, options, answer cue.

``write_prompt`` is a pure function of task, seed, number and whether options are to be listed; the prompt's
provenance has these and names every production, so that a bank can be filtered, held out and rebuilt by them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from paft.bank.compose import phrases, stories
from paft.bank.compose.draw import Draw
from paft.bank.compose.layouts import QUOTES, lay_out, lay_out_letters
from paft.bank.compose.options_text import OptionsText, options_text
from paft.bank.compose.terms import Terms, plural
from paft.bank.compose.words import CASES, escaped, fill, marks
from paft.prompt import Prompt

ORDERS = {"fields last": 5, "fields first": 5, "fields between": 3, "options first": 2}
GAPS = {"blank line": 6, "line": 5, "space": 4, "rule": 1}
GAP_TEXT = {"blank line": "\n\n", "line": "\n", "space": " ", "rule": "\n---\n"}
CUE_GAPS = {"line": 5, "blank line": 3, "space": 4}
SOURCE = "grammar"
# How often a part is there where it can be.
DESCRIBED = 0.6  # instructions that say what the description asks
OPENED, NOTED, REMARKED, ASIDE = 0.12, 0.7, 0.3, 0.25  # sentences around the instruction
FORMED = {"label": 0.25, "choice": 0.35, "other": 0.5}  # the form of the answer, by rule
INSIDE = 0.2  # the text inside a sentence
LED = 0.35  # an instruction before that sentence
IN_STYLE = 0.4  # a cue that looks like the layout
LETTERS_FIRST = 0.12
TURNED = 0.4  # fields in another order


def write_prompt(terms: Terms, seed: int, number: int, *, listed: bool) -> Prompt:
    """Write a prompt; ``listed`` says whether it lists the options, where the task lets it choose.

    Screening decides whether it is any good (:func:`paft.bank.screen.screen`).
    """
    draw = Draw(seed, number)
    listed = terms.closed and (listed or terms.required)
    case = draw.weigh("case", CASES)
    words = _choose_words(draw, terms)
    if _fits_a_sentence(terms) and not listed and draw.chance("inside", INSIDE):
        text = _write_sentence(draw, terms, words, case)
    else:
        text = _write_blocks(draw, terms, words, case, listed)
    origin = {"source": SOURCE, "seed": seed, "number": number, "listed": listed}
    return Prompt(text.strip(), {**origin, **draw.chosen})


def _choose_words(draw: Draw, terms: Terms) -> dict[str, str]:
    """Choose the nouns and the form of the order that all sentences of the prompt have in common."""
    item, answer = draw.pick("item", terms.items), draw.pick("answer", terms.answers)
    words = {"item": item, "items": plural(item), "answer": answer, "answers": plural(answer)}
    asked = terms.asked
    if asked.orders:
        words["do"] = draw.pick("do", asked.orders, note=False)
    if asked.clauses:
        words["clause"] = draw.pick("clause", asked.clauses, note=False)
    if asked.kind in ("question", "heading"):
        words[asked.kind] = asked.text
    return words


def _fits_a_sentence(terms: Terms) -> bool:
    return terms.rule == "label" and len(terms.fields) == 1 and not terms.required


def _write_sentence(draw: Draw, terms: Terms, words: Mapping[str, str], case: str) -> str:
    """Put the text into the middle of a sentence that ends in the answer."""
    draw.chosen["layout"] = "sentence"
    quoted = draw.pick("quotes", QUOTES[:5]).format("{" + terms.fields[0] + "}")
    kind = draw.weigh("sentence", stories.SENTENCE_KINDS)
    openings, ends = stories.SENTENCES[kind]
    before = fill(draw.pick("before", openings), words, case)
    after = fill(draw.pick("after", ends), words, case)
    if kind == "scene" and draw.chance("aside of the scene told", 0.5):
        aside = fill(draw.pick("aside of the scene", stories.ASIDES), words, case)
        after = f". {aside}{after.removeprefix('.')}"
    lead = _paragraph(draw, terms, words, case) if draw.chance("sentence led", LED) else ""
    gap = "\n" if draw.chance("sentence on a line", 0.6) else " "
    return f"{lead}{gap if lead else ''}{before}{quoted}{after}"


def _write_blocks(draw: Draw, terms: Terms, words: Mapping[str, str], case: str, listed: bool) -> str:
    """Put instruction, options and fields one after the other in one of several orders."""
    options = options_text(draw, terms, words, case) if listed else OptionsText()
    paragraph = _paragraph(draw, terms, words, case)
    body = [_lay_out_fields(draw, terms, case)]
    if terms.lettered:
        letters = lay_out_letters(draw, terms.lettered, _noun_of_letters(terms), case)
        body = [letters, *body] if draw.chance("letters first", LETTERS_FIRST) else [*body, letters]
    # What ends in a colon announces the text: it comes next.
    order = "fields between" if paragraph.endswith(":") else draw.weigh("order", ORDERS)
    draw.chosen["order"] = order
    blocks = {
        "fields last": [paragraph, options.block, *body],
        "fields first": [*body, paragraph, options.block],
        "fields between": [paragraph, *body, options.block],
        "options first": [options.block, *body, paragraph],
    }[order]
    blocks = [block for block in blocks if block]
    text = _join(draw, blocks)
    cue = options.ending or _cue(draw, terms, words, case, bare=not paragraph)
    if not cue:
        return text
    gap = draw.weigh("cue gap", CUE_GAPS)
    if gap == "space" and "\n" in blocks[-1]:  # the last line of a list would go on
        gap = draw.chosen["cue gap"] = "line"
    return f"{text}{GAP_TEXT[gap]}{cue}"


def _paragraph(draw: Draw, terms: Terms, words: Mapping[str, str], case: str) -> str:
    """Write the instruction and the sentences around it; nothing for manner ``none``."""
    manner = draw.weigh("manner", phrases.MANNERS)
    if manner == "none":
        return ""
    sentences = [_instruction(draw, terms, manner, words)]
    if manner != "terse" and draw.chance("opening told", OPENED):
        sentences.insert(0, draw.pick("opening", phrases.OPENINGS))
    if manner != "terse" and not sentences[-1].endswith(":"):
        if terms.asked.notes and draw.chance("note told", NOTED):
            words = {**words, "note": draw.pick("note", terms.asked.notes)}  # the user's, so no marks of ours
            sentences.append("<note>")
        sentences += [draw.pick("remark", phrases.REMARKS)] if draw.chance("remark told", REMARKED) else []
        sentences += [draw.pick("aside", stories.ASIDES)] if draw.chance("aside told", ASIDE) else []
        formed = draw.chance("form told", FORMED.get(terms.rule, FORMED["other"]))
        sentences += [draw.pick("form", phrases.FORMS[terms.rule])] if formed else []
    joint = "\n" if draw.chance("a sentence a line", 0.15) else " "
    return joint.join(fill(sentence, words, case) for sentence in sentences)


def _instruction(draw: Draw, terms: Terms, manner: str, words: Mapping[str, str]) -> str:
    described = [text for text in phrases.DESCRIBED[manner] if marks(text) <= set(words)]
    plain = [*phrases.ANY_ANSWER[manner], *(phrases.LABELLING[manner] if terms.rule == "label" else ())]
    chosen = described if described and draw.chance("described", DESCRIBED) else plain
    return draw.pick("instruction", chosen)


def _lay_out_fields(draw: Draw, terms: Terms, case: str) -> str:
    fields = list(terms.fields)
    if len(fields) > 1 and not _numbered(fields) and draw.chance("fields turned", TURNED):
        fields = draw.shuffled("field order", fields)
    pairs = [(draw.pick(f"heading of {name}", terms.headings[name], note=False), name) for name in fields]
    return lay_out(draw, pairs, case, code=terms.rule == "code")


def _numbered(fields: Sequence[str]) -> bool:
    """Whether fields follow each other: the sentences of a story."""
    return all(name[-1:].isdigit() for name in fields)


def _noun_of_letters(terms: Terms) -> str:
    """What the user prompts call the options that are fields ("Ending A:"), "option" where they do not."""
    found = {terms.headings[name][0].removesuffix(f" {letter.lower()}") for letter, name in terms.lettered}
    return found.pop() if len(found) == 1 else "option"


def _cue(draw: Draw, terms: Terms, words: Mapping[str, str], case: str, *, bare: bool) -> str:
    """Write the last words before the answer; ``bare`` prompts have no instruction and need some."""
    weights = {end: weight for end, weight in phrases.ENDS.items() if end != "none" or not bare}
    ways = _ways_to_end(terms, bare)
    end = draw.weigh("end", {end: weight for end, weight in weights.items() if ways[end] or end == "none"})
    if end == "none":
        return ""
    layout = draw.chosen.get("layout")
    styled = {"table": "| <answer> |", "tagged": "<answer>", "json-like": "<answer> ="}.get(layout or "")
    if styled and end == "colon" and draw.chance("cue in style", IN_STYLE):
        cue = fill(styled, words, case)
        return f"<{cue.lower().replace(' ', '-')}>" if layout == "tagged" else cue
    return fill(draw.pick("cue", ways[end]), words, case)


def _ways_to_end(terms: Terms, bare: bool) -> dict[str, tuple[str, ...]]:
    """Return the cues that suit the answers of a task, by kind."""
    own = tuple(f"{escaped(cue)}:" for cue in terms.cues)
    of_a_label = phrases.COLONS_OF_A_LABEL if terms.rule == "label" and not bare else ()
    return {
        "colon": (*own, *phrases.COLONS, *of_a_label),
        "lead": phrases.LEADS.get(terms.rule, ()),
        "arrow": phrases.ARROWS if terms.rule != "code" else (),
        "question": phrases.QUESTIONS,
        "none": (),
    }


def _join(draw: Draw, blocks: Sequence[str]) -> str:
    gap = draw.weigh("gap", GAPS)
    if gap == "space" and any("\n" in block for block in blocks):
        gap = draw.chosen["gap"] = "line"
    return GAP_TEXT[gap].join(blocks)
