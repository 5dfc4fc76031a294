"""Which option a reply names: none that it denies, none inside of another word, in any script."""

import string
import time

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from paft.task.replies.extract import cell_score, extract_option
from paft.task.replies.reply_text import fold

LETTERS, MAIL, BOTH = ("A", "B", "C", "D"), ("spam", "ham"), ("yes", "no")
MOOD, STARS, SIGNS = ("正面", "负面"), ("1", "2", "3", "4", "5"), ("+", "-")
PAIR, TOXIC = ("entailment", "not_entailment"), ("toxic", "non-toxic")


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("This is not spam.", MAIL),
        ("not spam", MAIL),
        ("It isn't spam.", MAIL),
        ("It isn\u2019t spam", MAIL),
        ("never spam", MAIL),
        ("neither spam nor ham", MAIL),
        ("There is no spam here", MAIL),
        ("It does not look like spam to me", MAIL),
        ("non-spam", MAIL),
        ("anti-spam", MAIL),
        ("This is *not* spam", MAIL),
        ("This is not at all what one would ordinarily consider to be spam", MAIL),
        ("!spam", MAIL),
        ("I doubt it is spam", MAIL),
        ("spam (not really)", MAIL),
        ("spam can be ruled out", MAIL),
        ("everything but B", LETTERS),
        ("B is the wrong answer", LETTERS),
        ("这条评论不能算是负面的", MOOD),
        ("スパムとは思えない", ("スパム", "ハム")),
        ("far from spam", MAIL),
        ("anything but spam", MAIL),
        ("I rule out spam", MAIL),
        ("spam is unlikely", MAIL),
        ("spam: no", MAIL),
        ("I can't help with spam", MAIL),
        ("Not sure: spam", MAIL),
        ("Das ist kein Spam", MAIL),
        ("Spam ist es nicht", MAIL),
        ("ce n'est pas du spam", MAIL),
        ("No es spam", MAIL),
        ("Não é spam", MAIL),
        ("Det er ikke spam", MAIL),
        ("Nie jest to spam", MAIL),
        ("Spam değil", MAIL),
        ("это не спам", ("спам", "хам")),
        ("ليس مزعج", ("مزعج", "عادي")),
        ("स्पैम नहीं है", ("स्पैम", "हैम")),
        ("这不是负面的", MOOD),
        ("并非负面", MOOD),
        ("これはスパムではありません", ("スパム", "ハム")),
        ("스팸이 아닙니다", ("스팸", "햄")),
        ("ไม่ดี", ("ดี", "แย่")),
        ("This is not toxic.", TOXIC),
        ("There is no evidence.", BOTH),
        ("I would not say yes", BOTH),
        ("答案不是B。", LETTERS),
        ("The answer isn't no.", BOTH),
        ("I would not say no", BOTH),
        ("I can't say yes or no", BOTH),
        ("no/yes", BOTH),
        ("No or yes", BOTH),
        ("I refuse to call it spam", MAIL),
        ("It fails to qualify as spam", MAIL),
    ],
)
def test_what_is_denied_is_not_named(text, options):
    assert extract_option(text, options) is None


@pytest.mark.parametrize(
    ("text", "options", "named"),
    [
        ("It is not ham but spam.", MAIL, "spam"),
        ("ham rather than spam", MAIL, "ham"),
        ("spam: no\nham: yes", MAIL, "ham"),
        ("Definitely spam, no doubt", MAIL, "spam"),
        ("nothing but spam", MAIL, "spam"),
        ("**Spam** (not ham)", MAIL, "spam"),
        ("The review isn't bad; positive", ("positive", "negative"), "positive"),
        ("No", BOTH, "no"),
        ("No, it is not.", BOTH, "no"),
        ("Yes, it is not ham", BOTH, "yes"),
        ("The answer is no.", BOTH, "no"),
        ("Nein, das ist kein Spam", ("ja", "nein"), "nein"),
        ("not_entailment", PAIR, "not_entailment"),
        ("The pair is not entailment.", PAIR, "not_entailment"),
        ("It is non-toxic.", TOXIC, "non-toxic"),
        ("This is toxic.", TOXIC, "toxic"),
        ("不是正面而是负面", MOOD, "负面"),
        ("非常负面", MOOD, "负面"),
        ("类别：负面", MOOD, "负面"),
        ("नहीं", ("हाँ", "नहीं"), "नहीं"),
        ("not A but B", LETTERS, "B"),
        ("It does not. No.", BOTH, "no"),
        ("Not really, no.", BOTH, "no"),
        ("The film fails to entertain. Negative.", ("positive", "negative"), "negative"),
    ],
)
def test_a_word_that_denies_something_else_or_is_the_option_changes_nothing(text, options, named):
    assert extract_option(text, options) == named


@pytest.mark.parametrize(
    ("text", "options", "named"),
    [
        ("情感是负面的。", MOOD, "负面"),
        ("「正面」", MOOD, "正面"),
        ("客户不满意。", ("满意", "不满意"), "不满意"),
        ("客户不满意。", ("满意", "一般"), None),
        ("这是好的", ("好", "坏"), None),  # one character may be a part of any word
        ("答案：是", ("是", "否"), "是"),
        ("スパムです。", ("スパム", "ハム"), "スパム"),
        ("ハムスター", ("スパム", "ハム"), None),
        ("犬はいません", ("はい", "いいえ"), None),
        ("はい、そうです", ("はい", "いいえ"), "はい"),
        ("ความรู้สึกเป็นลบ", ("บวก", "ลบ"), "ลบ"),
        ("이 메일은 스팸입니다.", ("스팸", "햄"), "스팸"),
        ("불만족", ("만족", "보통"), None),
        ("긍정적입니다", ("긍정", "부정"), "긍정"),
        ("हाँगकाँग", ("हाँ", "नहीं"), None),  # a vowel sign belongs to the word before it
        ("答案是B。", LETTERS, "B"),
        ("정답은 B입니다", LETTERS, "B"),
    ],
)
def test_words_end_as_their_script_ends_them(text, options, named):
    assert extract_option(text, options) == named


@pytest.mark.parametrize(
    ("text", "options", "named"),
    [
        ("+", SIGNS, "+"),
        (" -\n", SIGNS, "-"),
        ("\uff0b", SIGNS, "+"),
        ("\u2212", SIGNS, "-"),
        ("\u2014", SIGNS, None),
        ("--", SIGNS, None),
        ("+.", SIGNS, None),
        ("The sign is +", SIGNS, None),
        ("", SIGNS, None),
        ("...", SIGNS, None),
        ("\U0001f44d", ("\U0001f44d", "\U0001f44e"), "\U0001f44d"),
        ("\u2764\ufe0f", ("\u2764", "\U0001f494"), "\u2764"),
        ("4.5", STARS, None),
        ("4 stars", STARS, "4"),
        ("4/5", STARS, "4"),
        ("3 out of 5 stars", STARS, "3"),
        ("On a scale of 1 to 5: 2", STARS, "2"),
        ("4/10", STARS, None),
        ("4/5/2024", STARS, None),
        ("1/2/3/4/5", STARS, None),
        ("0/1", ("0", "1"), None),
        ("\uff13", STARS, "3"),
        ("-1", ("0", "1"), None),
        ("The score is -1", ("-1", "0", "1"), "-1"),
        ("50K", (">50K", "<=50K"), None),
        ("income <=50K.", (">50K", "<=50K"), "<=50K"),
        ("A+", ("A", "B"), None),
        ("C++ is it", ("C", "D"), None),
        ("B-cells", LETTERS, None),
        ("A, B", LETTERS, None),
        ("B. Paris is the capital, whereas A and C are not.", LETTERS, "B"),
        ("Positive. The negative aspects are minor.", ("positive", "negative"), "positive"),
        ("spam or ham", MAIL, None),
        ("spam: 0.9, ham: 0.1", MAIL, None),
        ("Spam? No, ham.", MAIL, "ham"),
        ("Spam indicators: none", MAIL, None),
        ("the U.S.A.", LETTERS, None),
        ("it is a Dog", ("a", "b"), None),
        ("В начале", ("А", "Б", "В"), None),
        ("Ответ: В", ("А", "Б", "В"), "В"),
        ("it's", ("S", "T"), None),
        ("Cafe\u0301 it is", ("caf\u00e9", "bar"), "caf\u00e9"),
        ("\uff22", LETTERS, "B"),
        ("> **B**", LETTERS, "B"),
        ("STRASSE", ("Straße", "Weg"), "Straße"),
        ("card_arrival", ("card", "card arrival"), "card arrival"),
        ("<think>A or B?</think>B", LETTERS, "B"),
        ("<think>B, or", LETTERS, None),
    ],
)
def test_symbols_numbers_letters_and_lists(text, options, named):
    assert extract_option(text, options) == named


ANNOUNCED = [
    ("A. London\nB. Paris\nC. Rome\nD. Berlin\n\nAnswer: B", LETTERS, "B"),
    ("A. London\nB. Paris\nC. Rome\nD. Berlin", LETTERS, None),
    ("A) New York B) Paris C) Old Rome D) Berlin", LETTERS, None),
    ("A is too small, C too large.\n\n**Answer:** B", LETTERS, "B"),
    ("The answer is B because A is too small.", LETTERS, "B"),
    ("B is correct. A, C and D are not.", LETTERS, "B"),
    ("A and C are plausible, so $\\boxed{\\text{B}}$", LETTERS, "B"),
    ("\\boxed{A, B}", LETTERS, None),
    ('{"reason": "A fails, C fails", "answer": "B"}', LETTERS, "B"),
    ("La réponse correcte est B. A et C sont fausses.", LETTERS, "B"),
    ("A resposta correta é C. A e B não.", LETTERS, "C"),
    ("Die richtige Antwort ist C, weil A zu klein ist.", LETTERS, "C"),
    ("Правильный ответ: C, так как B меньше.", LETTERS, "C"),
    ("正确答案是选项C。A不对。", LETTERS, "C"),
    ("答え: B\n理由: Aは違う", LETTERS, "B"),
    ("정답: B (A는 틀림)", LETTERS, "B"),
    ("Reason: it looks like ham but asks for money.\nLabel: spam", MAIL, "spam"),
    ("I'd classify this as **spam**, since ham would not ask.", MAIL, "spam"),
    (
        "The sentiment of this review is negative. Positive remarks are few.",
        ("positive", "negative"),
        "negative",
    ),
    ("Positive remarks are few. The sentiment is negative.", ("positive", "negative"), "negative"),
    ("Positive remarks are few and the film is negative", ("positive", "negative"), None),
    ("Answer: No\nExplanation: yes would need more", BOTH, "no"),
    ("D) Both A and B", LETTERS, "D"),
    ("Both A and B", LETTERS, None),
    ("The answer is A or B", LETTERS, None),
    ("The answer is B. Wait, C fits.", LETTERS, None),
    ("If the answer is A, x is 3. B?", LETTERS, None),
    ("The wrong answer is B, the other one is C", LETTERS, None),
    ("Result: ham (5%), spam (95%)", MAIL, None),
    ("Label: spam/ham", MAIL, None),
    ("Sentiment: positive\nSentiment: negative", ("positive", "negative"), None),
    # What a base model goes on with is another example.
    ("It is spam.\n\nText: hi\nLabel: ham", MAIL, None),
    ("spam\n\nText: hi\nLabel: ham", MAIL, "spam"),
]


@pytest.mark.parametrize(("text", "options", "named"), ANNOUNCED)
def test_an_announced_answer_counts_before_other_options(text, options, named):
    assert extract_option(text, options) == named


@pytest.mark.parametrize(
    ("text", "options", "named"),
    [
        ("The film is not good, so it is negative.", ("positive", "negative"), "negative"),
        ("Neither positive nor negative, so neutral.", ("positive", "negative", "neutral"), "neutral"),
        ("It is not so much spam as ham", MAIL, None),
        ("No, this is ham.", MAIL, "ham"),
        ("No, this is not ham.", MAIL, None),
        ("No doubt this is spam", MAIL, "spam"),
        ("I doubt this is spam", MAIL, None),
        ("客户表示不满，情感为负面。", MOOD, "负面"),
        ("不满足正面的条件", MOOD, None),
        ("肯定的ではなく否定的です。", ("肯定的", "否定的"), "否定的"),
        ("긍정이 아니라 부정입니다", ("긍정", "부정"), "부정"),
        ("ポジティブでもネガティブでもありません", ("ポジティブ", "ネガティブ"), None),
        ("긍정도 부정도 아닙니다", ("긍정", "부정"), None),
        ("正面和负面都不是", MOOD, None),
    ],
)
def test_a_denial_ends_with_its_clause_and_reaches_all_that_it_denies(text, options, named):
    assert extract_option(text, options) == named


@pytest.mark.parametrize(
    "piece",
    ["A ", "B, ", "[1,", "1.234", "正面", "不正面", "spam not ", "\t", "answer: ", "**A", "\\boxed{", "ない"],
)
def test_the_longest_reply_is_read_at_once(piece):
    text = "a " + piece * (30_000 // len(piece)) + "!"
    for options in (LETTERS, STARS, MAIL, MOOD):
        began = time.process_time()
        extract_option(text, options)
        assert time.process_time() - began < 2, (piece, options)  # once it took minutes


# What users have: words of several scripts, digits, punctuation, symbols and emoji.
WORDS = (
    "spam ham not no yes none A b 1 -1 4.5 card_arrival non-toxic C# C++ >50K + - = ? ... **",
    "正面 不满意 否 はい スパム 긍정 บวก हाँ नहीं مزعج хам Straße \u00e9 e\u0301 \uff21 \U0001f44d",
    "\u2764\ufe0f <think> </think> ``` \\boxed{1} ''",
)
PIECES = st.sampled_from(" ".join(WORDS).split())
OPTION = (
    st.lists(PIECES | st.text(min_size=1, max_size=3), min_size=1, max_size=3).map(" ".join).map(str.strip)
)
OPTIONS = st.lists(OPTION.filter(bool), min_size=2, max_size=5, unique=True)
RULES = st.sampled_from(["label", "choice"])


@settings(deadline=None, max_examples=150)
@given(options=OPTIONS, rule=RULES)
@example(options=["-", "+"], rule="label")
@example(options=["e\u0301", "\u00e9"], rule="label")
@example(options=["<think>", "no"], rule="label")
def test_a_reply_equal_to_the_gold_scores_one_and_one_equal_to_another_option_zero(options, rule):
    for reply in options:
        for dress in (reply, f" {reply}\n"):
            found = extract_option(dress, options)
            for gold in options:
                assert cell_score("exact_match", rule, found, gold) == float(gold == reply)


NOTHING = st.text(
    st.characters(categories=["P", "S", "Z", "Cc", "Cf", "M"])
    | st.sampled_from("+-*_.#`\"'?\u3002\uff0b\u2014 \n"),
    max_size=8,
)


@settings(deadline=None, max_examples=300)
@given(text=NOTHING, options=OPTIONS | st.just(["+", "-"]) | st.just(["*", "?", "..."]))
@example(text="", options=["-", "+"])
@example(text="**", options=["*", "?"])
def test_a_reply_without_letter_or_digit_names_nothing_but_the_symbol_it_is(text, options):
    found = extract_option(text, options)
    same = {text.strip(), fold(text).strip()}
    assert found is None or found in same or fold(found).strip() in same


@settings(deadline=None, max_examples=100)
@given(
    st.sampled_from(["not", "never", "isn't", "hardly", "kein", "n'est pas", "ikke", "не"]),
    st.sampled_from([0, 1, 3]),
)
def test_what_stands_shortly_behind_a_denial_is_never_named(denial, between):
    filler = " really a kind of"[: [0, 7, 9, 99][between]]
    for option in ("spam", "card arrival", "Weather"):
        assert extract_option(f"This {denial}{filler} {option}.", [option, "zebra"]) is None


@settings(deadline=None, max_examples=60)
@given(
    option=st.text(string.ascii_letters, min_size=4, max_size=8),
    tail=st.text(string.ascii_letters, min_size=1, max_size=3),
)
def test_a_part_of_a_word_is_never_named(option, tail):
    assume((option + tail).casefold() != option.casefold())
    assert extract_option(f"it is {option}{tail}", [option, "0000"]) is None
    assert extract_option(f"it is {tail}{option}", [option, "0000"]) is None
