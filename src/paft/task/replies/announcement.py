r"""Whether a reply announces its answer: "Answer: B", "The label is **spam**", "\boxed{B}".

Models reason first and name other options on the way, so the answer is where they say so. "The obvious
answer is A" and "if the answer is A" announce nothing: only listed words may stand before the noun.
"""

from __future__ import annotations

import re

REACH = 120  # characters before a name that are looked at
_NOUN = (
    "answer|label|category|class|classification|sentiment|prediction|output|result|verdict|conclusion|choice"
    "|rating|score|intent|emotion|topic|relationship|antwort|kategorie|stimmung|réponse|catégorie|respuesta"
    "|categoría|sentimiento|risposta|resposta|antwoord|odpowiedź|ответ"
    "|категория|cevap|jawaban|đáp\\ án|الإجابة|الجواب|उत्तर"
)
_SURE = (
    "the|my|correct|right|best|final|overall|predicted|most|likely|die|richtige|endgültige|la|el|il|a|bonne|final[ea]?"
    "|правильный|окончательный|итоговый"
)
_IS = "(?:(?:correct[ae]|correta|corretta|final[ea]?)\\ )?(?:is|ist|lautet|est|es|è|é|jest)"
_OPTION = "(?:(?:option|choice|letter|class|die|la|the)\\ )?"
_ANNOUNCED = re.compile(
    rf"""(?:^|[\n.!:;,*\#>"'{{(<]|\b(?:so|therefore|thus|hence|and|but|think|believe|say)\b)
    [\s*_\#>"'{{(<-]*(?:(?:{_SURE})\ )*(?:{_NOUN})
    (?:["'*_`>)]*\s*[:=\n>]
      |(?:\ (?:of|for|to|in|here|expressed|between)\b[^.,:;!?\n]{{0,40}})?\ (?:{_IS})\b:?)
    [\s"'*_`(\[<$]*{_OPTION}["'*_`(\[<$]*$
    |(?:答案|結論|结论|类别|類別|情感|分类|選|选|答え|正解|정답)[\u4e00-\u9fff]{{0,2}}\s*[은는はが:是为為]*[\s"'*「『【(]*$""",
    re.VERBOSE,
)
_BOXED = re.compile(r"\\(?:boxed|fbox)\s*\{[\s$({]*(?:\\[a-z]+\s*\{[\s(]*)*$")
_EMPHASIS = re.compile(r"\*\*[\"'(]?$")
_TAKEN_BACK = re.compile(
    r"\b(?:but|however|wait|actually|hmm|although|unless|or|and|aber|oder|mais|ou|pero)\b|(?<![.!]\s)\bif\b|或|还是|%"
)


def is_boxed(text: str, start: int) -> bool:
    r"""Whether a name stands in ``\boxed``.

    >>> is_boxed("a, so \\boxed{b}", 13)
    True
    """
    return _BOXED.search(text, max(0, start - REACH), start) is not None


def is_announced(text: str, start: int, end: int) -> bool:
    """Whether the name at ``text[start:end]`` is said to be the answer, or is all that is emphasised.

    Args:
        text: A folded reply without case.
        start: Where the name begins.
        end: Where it ends.

    >>> is_announced("a fits, but the answer is b", 26, 27), is_announced("if the answer is b", 17, 18)
    (True, False)
    """
    if _ANNOUNCED.search(text, max(0, start - REACH), start):
        return True
    emphasised = _EMPHASIS.search(text, max(0, start - REACH), start) is not None
    return emphasised and "**" in text[end : end + 4]


def is_taken_back(text: str) -> bool:
    """Whether what stands between an announced answer and another option makes it unsure.

    >>> is_taken_back(". But wait, "), is_taken_back(" because ")
    (True, False)
    """
    return _TAKEN_BACK.search(text[:REACH].lower()) is not None
