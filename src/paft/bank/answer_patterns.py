r"""How English prompts word their answer instructions: the patterns of :mod:`paft.bank.answer_checks`.

Each pattern is a list of alternatives, so that a reader (and a diff) sees one wording a line.
"""

from __future__ import annotations

import re


def _any(*alternatives: str) -> re.Pattern[str]:
    """Compile alternatives; case does not matter."""
    return re.compile("|".join(f"(?:{one})" for one in alternatives), re.IGNORECASE)


CUE = r"(?:answer|choice|label|class|category|intent|team|department|option|result|verdict|topic|tag|output)"
REPLY = r"(?:answer|reply|respond|give|write|return|output)"
OPEN, CLOSE = "[\"'“‘`]", "[\"'”’`]"

# Lists of answers: what introduces one, and what separates its items.
CHOOSING = re.compile(
    r"(?:one of(?: the| these| our| following| nine| \w+)*"
    r"|(?:choose|pick|select) (?:from|between|among)|(?:pick|select) one|either"
    r"|(?:possible|allowed|valid|available|permitted) \w+"
    r"|(?:answer|reply|respond) (?:only )?with(?: either| only| just)?"
    r"|options?|labels?|teams?|categories|departments?|classes|intents?|choices)"
    r"\s*(?:are|is)?\s*[:(\[]?\s*\n?\s*[-*•]?\s*",
    re.IGNORECASE,
)
OF_ANSWERS = _any(
    "one of", "choose", "pick", "select", "answer", "reply", "respond", "possible", "allowed", "valid"
)
CLOSED_LIST = _any(r"\b(?:one of|either|choose (?:from|between))[^.\n]{0,20}[:\s]\s*")
SEPARATOR = re.compile(r"\s*(?:,\s*(?:(?:or|and)\b)?|/|\||;|\bor\b|\band\b|\n+\s*[-*•]?)\s*")
LIST_END = re.compile(r"[.?!)\]](?:\s|$)|\n\s*\n|:\s|…")

# Other kinds of answers.
SEVERAL = _any(
    r"\b(?:choose|select|pick|list|name|mark|tick) (?:all|every|each|as many)\b",
    r"\ball that apply\b",
    r"\brank (?:the|all|each|them)\b",
    r"\b(?:one or more|two or more|at least two|multiple) "
    r"(?:of|options|labels|teams|letters|answers|categories)\b",
    r"\btop (?:two|three|2|3)\b",
    r"\bmost to least\b",
    r"\border of (?:likelihood|probability|preference)\b",
)
QUOTED_PAIR = _any(
    rf"\b(?:answer|reply|respond|write) (?:only )?(?:with )?{OPEN}\w+{CLOSE} or {OPEN}\w+{CLOSE}"
)
EITHER_OR = re.compile(r"\b(?:is|are|was|does|did)\b[^?.\n]{3,60}?\b(\w+) or (\w+)\?", re.IGNORECASE)
YES_NO = _any(r"\byes(?: (?:or|/) ?|/)no\b", r"\btrue(?: (?:or|/) ?|/)false\b", r"\bthumbs up or\b")
A_LETTER = _any(
    r"\b(?:answer|reply|respond|give|write|return|choose|pick|select|output)\b[^.\n]{0,40}?\bletter\b",
    r"\b(?:single|one|capital|uppercase|correct|right) letter\b",
    r"\bletter (?:only|of)\b",
)
A_NUMBER = _any(
    r"\b(?:number|digit|index|position) (?:of|from|between) (?:the |your )?(?:\w+ )?"
    r"(?:team|label|option|category|choice|answer|class|intent|department|1|one|0)\b",
    rf"\b{REPLY}(?: only)?(?: with| using)? (?:only |just )?(?:a|the|its|one|your)?\s*(?:single )?"
    r"(?:number|digit|integer|index|score|percentage|rating)\b",
    r"\b(?:scale of|score|rate|number|digit) (?:from )?[01] (?:to|-|–) \d+",
    r"\b1\s*(?:-|–|to|through)\s*\d+\b",
)
ONE_WORD = _any(r"\b(?:answer|reply|respond)\b[^.\n]{0,20}\b(?:one|a single|a) (?:word|letter|number)\b")
IN_WORDS = _any(
    r"\bin words\b",
    r"\bspell(?:ed|ing)? (?:it |the \w+ |your \w+ )?out\b",
    r"\bwritten out\b",
    r"\bas words\b",
    r"\bno digits\b",
    r"\bwithout (?:using )?digits\b",
    r"\bletters? (?:only|rather than digits)\b",
    r"\broman numerals?\b",
)
WHOLE_OPTION = _any(
    r"\b(?:full|entire|whole|complete|exact) (?:text|wording|sentence) of\b",
    r"\b(?:text|wording|words) of the (?:correct |right |chosen |best )?(?:option|answer|choice)\b",
    r"\bnot (?:just )?(?:the|its) letter\b",
    r"\b(?:instead of|rather than) (?:the|its|a) letter\b",
    r"\bwrite out the (?:option|answer|choice)\b",
)
LETTERS = re.compile(
    r"(?<![\w{])[A-Z](?:\s*(?:,|/|\||,?\s+or\b|,?\s+and\b)\s*[A-Z](?![\w}]))+"
    r"|(?<![\w{])([A-Z])\s*(?:-|–|to|through)\s*([A-Z])(?![\w}])"
)

# Words before the answer.
REASON_FIRST = _any(
    r"\b(?:first|begin by|start by|start with|before (?:you )?(?:answer|giv|choos|decid|stat|reply|respond"
    r"|writ)\w*)\b[^.\n]{0,60}\b(?:explain\w*|reason\w*|describ\w*|summar\w*|justif\w*"
    r"|think\w* (?:aloud|out loud|step)|write (?:a|one|two|down)|show|list\w*|discuss\w*"
    r"|analy[sz]\w* (?:aloud|in writing))\b",
    r"\b(?:explain|justify|repeat|restate|copy|quote|go through|translate|describe|summari[sz]e|discuss"
    r"|reason|show|write down|lay out|work through|walk through)\b[^.\n]{0,80}"
    r"\b(?:then|before|and finally|followed by|and end with|and only then)\b",
    r"\band only then\b",
    r"\bstep[- ]by[- ]step\b",
    r"\bshow (?:your|all|each|every|the) (?:\w+ )?(?:work|working|steps?|calculations?|reasoning)\b",
    r"\bchain of thought\b",
    r"\b(?:answer|result|label|letter|city|capital|team) (?:comes |goes |stands )?(?:on|in|at) "
    r"(?:the|a) (?:very )?(?:last|final|second|end)\b",
    r"\b(?:last|final) line (?:of your \w+ )?(?:should|must|gives?|holds?|contains?|is)\b",
)
SILENT = _any(
    r"\bto yourself\b", r"\bin (?:your|the) (?:mind|head)\b", r"\bmentally\b", r"\bsilently\b", r"\bquietly\b"
)
FREE_PROSE = _any(
    r"\b(?:answer|reply|respond|write|give(?! you)|return|output|say|describe|compose|produce)\b"
    r"[^.\n]{0,40}?\b(?:in (?:full |complete |plain )?(?:prose|paragraphs?|sentences)|essay|haiku|poem"
    r"|(?:a|one|two|three|full|short) (?:full |short |complete )?(?:paragraphs?|sentences?))",
    r"\b(?:only prose|no json|without json|instead of json|not json)\b",
)
WHOLE_SENTENCE = _any(r"(?:full|complete) (?:\w+ )?sentence")
BEGIN_WITH = re.compile(
    r"\b(?:begin|start|open|preface|prefix|introduce)\w*\b[^.\n\"“'‘]{0,40}(?:with|by saying|by writing)?"
    r"\s*[\"“'‘]([^\"”’'\n]{2,60})[\"”’']",
    re.IGNORECASE,
)

# Forms around the answer; a blank in one is where the answer goes.
FORM = re.compile(
    r"(?:format|form|form of|like this|as follows|template|exactly|style|write|reply|respond|answer|say"
    rf"|return|output)\b[^\n\"“'‘]{{0,40}}{OPEN}([^\"”’'`\n]{{3,80}}){CLOSE}",
    re.IGNORECASE,
)
BLANK = _any(r"<[a-z][\w -]*>", r"\[[a-z][\w -]*\]", r"_{2,}", r"\.{3}", "…", r"\bX\b", r"\{[a-z_ ]+\}")
# `\text{if}` is a word in a formula; `\text{...}` is where an answer belongs.
BOXED = _any(r"\\(?:boxed|fbox)\b", r"\\text\{\s*(?:\.{3}|…|\w*(?:answer|label|option|choice)\w*)?\s*\}")
TAGS = re.compile(
    r"\b(?:wrap|put|enclose|surround|place|inside|within|between|in)\b[^.\n]{0,50}<([a-z]+)>", re.IGNORECASE
)
JSON_FORM = _any(r"\bjson\b", r"\bpython (?:dict|list)")
JSON_OBJECT = re.compile(r"\{\s*[\"']\w+[\"']\s*:")
OTHER_FORM = re.compile(
    r"\b(?:as|in|of|valid|one line of|using)\s+(?:an? )?(yaml|csv|xml|html|toml|markdown)\b"
    r"|\b(markdown) table\b|\b(yaml|csv|xml)\s*:",
    re.IGNORECASE,
)
OTHER_FORMS = {
    "yaml": "answer: {}",
    "toml": "answer = {}",
    "csv": "row,{}",
    "xml": "<answer>{}</answer>",
    "html": "<p>{}</p>",
    "markdown": "| answer |\n|---|\n| {} |",
}

# Answers given away. VALUE stands for any answer of the task, ``…`` for a placeholder.
HINT = r"(?:hint|spoiler|tip|answer key|key|solution|clue)"
ITEM = r"(?:message|request|text|sentence|item|problem|question|case|one|customer|review)"
USUALLY = (
    r"(?:always|usually|probably|mostly|most likely|almost always|nearly always|likely|of course|clearly"
    r"|obviously|most often)"
)
LEAKS = (
    rf"\b{CUE}\s*(?:is|:|=|->|=>|→)\s*VALUE\s*$",
    rf"\b(?:correct|right|true|best|expected|gold|final)\s+(?:{CUE}\s+)?(?:here\s+)?(?:is|:|=)\s*"
    rf"(?:{USUALLY} )?(?:option |letter )?VALUE",
    rf"\b(?:correct|right|expected) {CUE} is [^.\n?]{{0,30}}\bVALUE\s*$",
    rf"\b(?:the|this|your) (?:{CUE}|total|sum)\b(?:,[^.\n:]{{0,30}},)? (?:is|will be|should be) "
    rf"(?:{USUALLY}\s*)?(?:option |letter )?VALUE(?! or\b|,| \w)",
    rf"\b(?:the|this|your) {CUE} (?:is|will be|should be) {USUALLY}\s*(?:option |letter )?VALUE",
    rf"\b{HINT}\s*[:\-–]\s*[^.\n]{{0,60}}?\bVALUE(?![\s.):]*…)",
    r"\b(?:it is|it's|they are|this is|most are|these are|everything|nearly all|almost all)[^.\n]{0,20}\b"
    rf"{USUALLY}\s+(?:go(?:es)? to |for |a case (?:of|for) |option |letter |about )?VALUE",
    r"\b(?:always|usually) (?:answer|choose|pick|goes? to|say|reply)(?: with)?\s*VALUE",
    rf"\b(?:this|the) {ITEM} (?:belongs to|is about|goes to|is for|is a case (?:of|for))\s+(?:the )?VALUE",
)
LEAKS_OPEN = (r"(?:\bis|:|=|->|=>)\s*VALUE\s*$",)  # open answers: a prompt does not end with one
LEAKS_JSON = (r"\bis always\b(?! an? (?:object|list|array|string|number|integer))",)
MARKED_OPTION = _any(
    r"\}\s*\((?:correct|right|true|wrong|incorrect|answer)\)",
    r"\}\s*\[(?:correct|right|true|wrong|incorrect)\]",
    r"\b(?:wrong|incorrect) (?:answer|option)s?\b[^\n{.]{0,20}\{",
)
LABELLED = re.compile(r"[^:=]*[:=]")

# Instructions that forbid.
NOT_BEFORE = re.compile(
    r"\b(?:no|not|never|don't|do not|without|avoid|instead of|rather than|skip|nor)\b[^.;:\n]{0,30}$"
)
NOT_AFTER = re.compile(
    r"\W{0,2}(?:won't|will not|isn't|is not|are not|aren't|would not|does not|doesn't|do not)\b"
)
