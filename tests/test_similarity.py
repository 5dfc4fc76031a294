"""Two prompts are near duplicates when their words are, whatever stands around them."""

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paft.bank.store import load_bank
from paft.builtin import BANKS
from paft.prompt import Prompt
from paft.similarity import (
    NEAR_LETTERS,
    NEAR_WORDS,
    clusters,
    jaccard,
    letter_grams,
    near_pairs,
    normalised,
    pair_grams,
    similar_sets,
    skeleton,
    word_grams,
)

WORDS = ["which", "team", "should", "answer", "handle", "this", "customer", "message", "please", "desk"]
SENTENCES = st.lists(st.sampled_from(WORDS), min_size=1, max_size=8).map(
    lambda words: " ".join(words) + " {text}"
)


@pytest.mark.parametrize(
    "dressed",
    [
        "MESSAGE: {text}\nTeam ->",
        "{text} message, team",
        "message\n\n{text}\n{text}\n(team)?",
        "{{message}} team {text}",
        "message {text}\n(a) {text}\nB. team",
    ],
)
def test_case_placeholders_punctuation_letters_of_options_and_line_breaks_are_clothes(dressed):
    assert skeleton(Prompt(dressed)) == skeleton(Prompt("Message: {text}. Team!")) == "message team"


def test_other_words_are_no_clothes():
    assert skeleton(Prompt("Message {text} team")) != skeleton(Prompt("Message {text} teams"))


def test_a_word_cut_by_a_placeholder_is_two_words():
    assert skeleton(Prompt("mess{text}age")) == "mess age"


def test_prompts_without_words_are_told_apart_by_their_fields():
    assert skeleton(Prompt("{a} -> {b}")) == skeleton(Prompt("{a}: {b}")) != skeleton(Prompt("{b} {a}"))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Hãy xác định cảm xúc: {text}", unicodedata.normalize("NFD", "Hãy xác định cảm xúc: {text}")),
        ("감정을 판단하세요: {text}", unicodedata.normalize("NFD", "감정을 판단하세요: {text}")),
        ("テキストの感情: {text}", "ﾃｷｽﾄの感情\uff1a {text}"),
        ("Classify the text: {text}", "\uff23lassify the te\u200bxt: {text}"),
        ("Classify the text: {text}", "Clas\u00adsify the text\ufeff: {text}"),
        ("صنف النص إيجابيا: {text}", "صَنِّف النص إيجابيًا: {text}"),
        ("סווג את הטקסט: {text}", "סַוֵּוג אֶת הטֶּקְסְט: {text}"),
    ],
)
def test_the_form_of_characters_is_clothes(one, other):
    assert normalised(one) == normalised(other)
    assert skeleton(Prompt(one)) == skeleton(Prompt(other))
    assert clusters([Prompt(one), Prompt(other)]) == [[0, 1]]


@pytest.mark.parametrize(
    ("one", "other"), [("दिन {text}", "दीन {text}"), ("की {text}", "का {text}"), ("ปี {text}", "ปู {text}")]
)
def test_vowel_signs_are_part_of_a_word(one, other):
    assert skeleton(Prompt(one)) != skeleton(Prompt(other))


def test_words_in_any_script_count():
    assert skeleton(Prompt("Équipe: {text} 担当 を 7")) == "équipe 担当 を 7"


def test_normalised_keeps_punctuation_but_not_case_and_space():
    assert normalised(" Team:\n\n{text}") == normalised("team: {text}") != normalised("team {text}")


def test_grams_are_pieces_or_the_whole_short_text():
    assert letter_grams("message") == {"messa", "essag", "ssage"}
    assert letter_grams("abc") == {"abc"}
    assert word_grams("one two three four") == {"one two three", "two three four"}
    assert word_grams("one two") == {"one two"}


def test_similarity_is_the_shared_part_of_all_grams():
    assert jaccard(frozenset("abc"), frozenset("bcd")) == 0.5
    assert jaccard(frozenset("ab"), frozenset("cd")) == 0.0
    assert jaccard(frozenset(), frozenset()) == 1.0


@settings(max_examples=200, deadline=None)
@given(
    sets=st.lists(st.frozensets(st.sampled_from("abcdefghij"), min_size=1), max_size=12),
    threshold=st.sampled_from([0.3, 0.5, 0.6, 0.7, 1.0]),
)
def test_the_filter_finds_exactly_the_pairs_that_comparing_all_finds(sets, threshold):
    every = {(i, j) for j in range(len(sets)) for i in range(j) if jaccard(sets[i], sets[j]) >= threshold}
    assert set(similar_sets(sets, threshold)) == every


@settings(max_examples=60, deadline=None)
@given(templates=st.lists(SENTENCES, max_size=12))
def test_near_pairs_are_exactly_the_pairs_above_either_threshold(templates):
    prompts = [Prompt(template) for template in templates]
    texts = [skeleton(prompt) for prompt in prompts]
    expected = {}
    for j in range(len(texts)):
        for i in range(j):
            letters = jaccard(letter_grams(texts[i]), letter_grams(texts[j]))
            words = jaccard(word_grams(texts[i]), word_grams(texts[j]))
            if letters >= NEAR_LETTERS or words >= NEAR_WORDS:
                expected[i, j] = max(letters, words)
    assert {(i, j): similarity for i, j, similarity in near_pairs(prompts)} == expected


def test_one_changed_word_in_a_sentence_is_near_and_another_sentence_is_not():
    original = Prompt("Read the message below and decide which of our teams should answer it: {text}")
    reworded = Prompt("Read the message below and decide which of our teams should handle it: {text}")
    other = Prompt("{text}\n\nWho is responsible for this request?")
    assert [(i, j) for i, j, _ in near_pairs([original, other, reworded])] == [(0, 2)]


def test_a_copied_sentence_inside_a_longer_prompt_is_near_by_its_words():
    short = Prompt("Decide which of the seven requests this person is making right now: {text}")
    longer = Prompt(
        "Hello. Decide which of the seven requests this person is making right now, thank you. {text}"
    )
    ((_, _, similarity),) = near_pairs([short, longer])
    assert jaccard(letter_grams(skeleton(short)), letter_grams(skeleton(longer))) <= similarity


def test_a_chain_of_near_duplicates_is_one_cluster():
    text = "alpha bravo charlie delta echo foxtrot golf hotel india juliet kilo lima mike november oscar"
    chain = [Prompt(text[start : start + 60] + " {text}") for start in (0, 8, 16, 24)]
    assert (0, 3) not in [(i, j) for i, j, _ in near_pairs(chain)]
    assert clusters([*chain, Prompt("other words {text}")]) == [[0, 1, 2, 3], [4]]


ALIKE = {
    "Chinese": ("请判断下面句子的情感:{text}", "请判断以下句子的情感。{text}"),
    "Chinese, longer": (
        "请阅读以下客户留言, 并判断它应该由哪个部门处理。\n留言:{text}\n部门:",
        "{text}\n请阅读下面的客户留言, 然后判断它应该由哪个部门来处理:",
    ),
    "Japanese": (
        "次のメッセージを読んで、担当部署を答えてください。{text}",
        "{text}\n次のメッセージを読み、担当部署を一つ答えてください:",
    ),
    "Thai": (
        "อ่านข้อความต่อไปนี้แล้วเลือกแผนกที่เหมาะสม {text}",
        "{text} อ่านข้อความด้านล่างแล้วเลือกแผนกที่เหมาะสมที่สุด:",
    ),
    "Lao": ("ອ່ານຂໍ້ຄວາມຕໍ່ໄປນີ້ແລ້ວເລືອກພະແນກ {text}", "ອ່ານຂໍ້ຄວາມລຸ່ມນີ້ແລ້ວເລືອກພະແນກ: {text}"),
    "Khmer": ("សូមអានសារខាងក្រោមហើយជ្រើសរើសផ្នែក {text}", "{text} អានសារខាងក្រោមហើយជ្រើសរើសផ្នែកមួយ"),
    "Chinese with English": ("用 JSON 输出情感标签:{text}", "请用 JSON 输出情感的标签。{text}"),
}
OTHERS = {
    "Chinese": ("这段文字属于哪个类别?{text}", "请阅读客户留言, 选择处理它的部门:{text}"),
    "Chinese, same words": ("这条短信是垃圾短信吗?{text}", "这条信息是不是垃圾短信?{text}"),
    "Japanese": (
        "この文の感情を判定してください。{text}",
        "以下のメッセージはどの部署が担当すべきですか。{text}",
    ),
    "Thai": ("โปรดระบุอารมณ์ของประโยคต่อไปนี้ {text}", "ข้อความนี้ควรส่งไปยังแผนกใด {text}"),
    "English that lists Chinese labels": (
        "Does the writer of this review like the film, 正面 or 负面? {text}",
        "Read: {text}\nNow tell whether people would rather avoid it (负面) or watch it soon (正面).",
    ),
}


@pytest.mark.parametrize(("one", "other"), ALIKE.values(), ids=ALIKE)
def test_rewordings_in_scripts_without_spaces_are_found(one, other):
    [(_, _, similarity)] = near_pairs([Prompt(one), Prompt("Judge {text}"), Prompt(other)])
    assert 0.5 <= similarity < 1
    assert clusters([Prompt(one), Prompt(other)]) == [[0, 1]]


@pytest.mark.parametrize(("one", "other"), OTHERS.values(), ids=OTHERS)
def test_other_prompts_in_scripts_without_spaces_stay_apart(one, other):
    assert near_pairs([Prompt(one), Prompt(other)]) == []


@pytest.mark.parametrize(
    "path",
    list(BANKS.values()),
    ids=lambda path: path.name,
)
def test_nothing_changes_in_the_banks_that_are_here(path):
    """Neither pairs nor similarities: their splits are published."""
    bank = load_bank(path)
    prompts = [prompt for split in ("train", "validation", "test") for prompt in bank.prompts(split)]
    assert not any(map(pair_grams, prompts))
    texts = list(map(skeleton, prompts))
    letters, words = list(map(letter_grams, texts)), list(map(word_grams, texts))
    found = {*similar_sets(letters, NEAR_LETTERS), *similar_sets(words, NEAR_WORDS)}
    assert near_pairs(prompts) == [
        (i, j, max(jaccard(letters[i], letters[j]), jaccard(words[i], words[j])))
        for i, j in sorted(found, key=lambda pair: (pair[1], pair[0]))
    ]


@given(st.text(alphabet=st.characters(max_codepoint=0xDFF)))
def test_no_text_of_a_script_with_spaces_has_pairs(text):
    if text.strip():
        assert pair_grams(Prompt(text.replace("{", "{{").replace("}", "}}"))) == frozenset()
