"""Whether a reply denies what it names: "This is not spam.", "kein Spam", "不是垃圾", "스팸이 아닙니다".

The rule is careful, not clever. A word that denies before a name in the same clause, or up to
:data:`WORDS` words (in scripts without spaces, :data:`CHARACTERS` characters) before it in the same
sentence, denies it, unless a "but" stands between. So does one that follows within a few words of the
same clause ("spam is unlikely", "スパムではない"), and a "!" in front. A sentence that denies something
else is then misjudged as unreadable, never as an answer.
"""

from __future__ import annotations

import re

WORDS = 6
CHARACTERS = 12
REACH = 400  # characters on either side that are looked at
_BEHIND_WORDS = 3

# Words that deny, without case; those of kin languages stand together.
_BY_LANGUAGE = {
    "English": "not no never neither nor none cannot without hardly barely nothing nobody isn aren wasn isnt "
    "arent wasnt dont doesnt didnt cant couldnt wont wouldnt shouldnt aint hasnt havent non except unlikely "
    "doubt doubts doubtful deny denies denied reject rejects rejected implausible",
    "German, Dutch": "nicht nichts kein keine keinen keinem keiner keines keinesfalls keineswegs nie niemals "
    "weder noch ohne nein niet niks "
    "geen nooit zonder nee",
    "French": "pas jamais aucun aucune ni sans ne n'est rien",
    "Spanish, Portuguese": "no nada nunca jamás ni tampoco ningún ninguna ninguno sin não nao nem sem nenhum "
    "nenhuma jamais",
    "Italian, Romanian": "non né nè senza nessun nessuna nessuno mai nu niciun fără",
    "Nordic, Finnish, Estonian": "ikke ingen aldrig aldri intet ej inte inget inga icke uten uden utan ei "
    "eivät mitte",
    "Polish, Czech, Slovak": "nie nigdy ani żaden żadna bez není neni nejsou ne nikdy žádný žiadny",
    "South Slavic, Baltic, Hungarian": "ni nije nisu nav nėra nera nem nincs",
    "Cyrillic": "не нет ни никогда без нету нельзя ані немає нема ніколи није нису",
    "Greek, Turkish, Basque": "δεν δε όχι μη μην ούτε χωρίς değil hayır yok hiç ez",
    "Indonesian, Vietnamese, others": "bukan tidak bukanlah jangan tanpa không chẳng chưa hindi walang",
    "Arabic, Hebrew, Persian, Urdu": "ليس ليست لا لم لن غير ما بدون לא אינו אינה אין בלי نیست نه نمی نہیں نہ",
    "India, Sri Lanka": "नहीं नही न ना मत নয় না নেই নহে ਨਹੀਂ નથી இல்லை அல்ல కాదు ಅಲ್ಲ ഇല്ല അല്ല නැත නොවේ",
}
_DENYING = frozenset(word for words in _BY_LANGUAGE.values() for word in words.split())
_DENIED = frozenset(
    ("wrong", "incorrect", "false", "unlikely", "impossible", "excluded", "free", "ruled", "falsch")
)
_JOINING = frozenset(("because", "since", "as", "with", "which", "and", "or", "but", "though", "und", "weil"))
_WORD = re.compile(r"[^\s,;:.!?()\"|/\u3001\uff0c\u3002]+")
_SENTENCE_ENDS = re.compile(r"[.!?;\n\u3002\u0964\u061f\u06d4\uff01\uff1f\uff1b](?=\s|$|[^\x00-\x7f])|\n")
_CLAUSE_ENDS = re.compile(r"[,;:.!?()\n\u3001\uff0c\u3002\uff01\uff1f\uff1b\u060c\u061f\u0964]")
_BUT = re.compile(
    r"\b(?:but|sondern|aber|mais|sino|pero|mas|ma|bensì|maar|men|utan|vaan|ale|lecz|но|а|αλλά|ama|tetapi|nhưng)\b"
    r"|[,;]\s*(?:and\s+)?(?:so|therefore|thus|hence|daher|also|deshalb|donc|así que|por lo tanto|quindi)\b"
    r"|而是|但|而|所以|因此|ではなく|じゃなく|아니라|아니고|않고"
)
# What denies the name behind it alone; "anything but" is no "but".
_INSTEAD_OF = re.compile(
    r"\b(?:far from|(?:any|every)thing but|all but|other than|rather than|instead of|opposed to|opposite of"
    r"|contrary to|free (?:of|from)|lack(?:s|ing)?|absence of|rul(?:e|es|ed|ing) out|exclud(?:e|es|ed|ing)"
    r"|refuse[sd]? to|avoid(?:s|ed|ing)?|fail(?:s|ed)? to (?:be|qualify|count|meet)"
    r"|(?:an)?statt|plutôt que|au lieu d[eu]|en (?:lugar|vez) de|em vez de|invece d[ei]l?|in plaats van"
    r"|istället för|i stedet for|вместо)\b"
)
_NOT_NO = re.compile(r"(?:\bnot|n't|\bnever)\s+(?:\w+\s+)?[\"'(*_]*$")
_IN_SCRIPT = re.compile("不|没|沒|非|无|無|未|否|勿|ไม่|ບໍ່|မဟုတ်|မရှိ|មិន|아니|아닌|아닙|않|없|못")
# Of doubt and discontent; a "no" of its own at the beginning answers a question.
_HARMLESS = re.compile(
    r"^[^\w]*(?:no|nein|nee|non|não|nej|nie|нет|hayır),|\bno doubt\b|\bwithout (?:a |any )?doubt\b"
    r"|不[满滿](?![足意])"
    "|非常|不过|不過|不仅|不僅|不但|不得不|毫无疑问|毫無疑問|无疑|無疑|未来|未來|没错|沒錯|不错|不錯"
)
_NEAR = rf"[^\u3001\uff0c,;:]{{0,{CHARACTERS}}}?"
_ENDS_DENIED = re.compile(
    _NEAR + "(?:では(?:な|あり)|じゃ(?:な|あり)|とは言え|とはいえ|ない|ません|아니|아닌|아닙|않|都不|都没)"
)
_ALSO = re.compile("でも|も|や|と|도|이?나|또는|와|과|和|或|与|與|及")
_BEHIND_IN_SCRIPT = re.compile(_NEAR + "(?:不|没|沒|없|못|ไม่)")
_SAID_NO = re.compile(
    r"\s+\w+\s*[:=]\s*(?:none|no|0)\s*(?:[.,;\n]|$)"
    r"|[\"'*)`\]]*\s*(?:[:=\u2014-]|\()\s*(?:not?|never|false|nein|non|0)\b(?!\.\d| doubt)"
)
_MARKDOWN = "*_`~'<>[]{}"


def is_denied(text: str, start: int, end: int, following: int | None = None) -> bool:
    """Whether the name at ``text[start:end]`` of a folded reply without case is denied.

    ``following`` is where the next name begins, if there is one.

    >>> is_denied("this is not spam", 12, 16), is_denied("not ham but spam", 12, 16)
    (True, False)
    """
    before, behind = text[max(0, start - REACH) : start], text[end : end + REACH]
    if text[start:end] in _DENYING:  # "no" is an answer itself
        return _NOT_NO.search(before) is not None
    if before[-1:] in tuple("!\u00ac\u2260"):
        return True
    near = None if following is None or following - end > REACH else following - end
    return _denied_before(before) or _denied_behind(behind, near)


def _denied_before(text: str) -> bool:
    sentence = _HARMLESS.sub("", _SENTENCE_ENDS.split(text)[-1])
    if any(len(_WORD.findall(sentence, found.end())) < WORDS for found in _INSTEAD_OF.finditer(sentence)):
        return True
    near = _BUT.split(sentence)[-1]
    clause = _CLAUSE_ENDS.split(near)[-1]
    if any(map(_denies, [*_WORD.findall(near)[-WORDS:], *_WORD.findall(clause)])):
        return True
    return any(map(_IN_SCRIPT.search, (near[-CHARACTERS:], clause)))


def _denied_behind(text: str, following: int | None) -> bool:
    said_no = _SAID_NO.match(text)
    if said_no:
        between = "\n" if following is None else text[said_no.end() : following]
        if _CLAUSE_ENDS.search(between) or len(_WORD.findall(between)) > 1:
            return True
    whole = _CLAUSE_ENDS.split(text)[0]
    clause = whole[:following]
    if _ENDS_DENIED.match(_HARMLESS.sub("", whole if _ALSO.match(whole) else clause)):
        return True
    if _BEHIND_IN_SCRIPT.match(_HARMLESS.sub("", clause)):
        return following is None or len(clause) < following
    words = []
    for word in _WORD.findall(clause)[:_BEHIND_WORDS]:
        if word in _JOINING:
            break
        words.append(word)
    denying = [place for place, word in enumerate(words) if _denies(word) or word in _DENIED]
    # A word that stands right before the next name denies that one.
    next_to_following = following is not None and len(clause) == following
    return any(not (next_to_following and place == len(words) - 1) for place in denying)


def _denies(word: str) -> bool:
    word = word.strip(_MARKDOWN)
    return word in _DENYING or word.endswith("n't") or word.startswith(("n'", "non-"))
