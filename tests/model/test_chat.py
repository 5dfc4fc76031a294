"""Chat from configuration to adapter: what is refused, what is recorded, where generation stops."""

from __future__ import annotations

import copy
import json
import shutil
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

import paft as api
from paft.config import RunConfig, load_config
from paft.errors import ConfigError, DataError, ModelError, ResumeError
from paft.evaluate.matrix import Matrix
from paft.evaluate.scoring.generation import generate_answers
from paft.experiment.evaluate import EvaluateConfig, evaluate
from paft.model.chat import RECORD, ChatEncoder, check_chat, make_encoder, save_chat
from paft.model.encode import Encoder
from paft.model.load import LanguageModel, check_model, load_model, model_fingerprint
from paft.model.settings import Chat
from paft.model.turns import Trim, Turns
from paft.train.loop import fine_tune
from paft.train.settings import Train

TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
ON = Chat(enabled=True)


@pytest.fixture(scope="module")
def chat_folder(tmp_path_factory, model_folder) -> Path:
    """The tiny model with tokens and template of a chat; ``</s>`` stays its end of sequence."""
    tokenizer = AutoTokenizer.from_pretrained(model_folder)
    tokenizer.add_special_tokens({"extra_special_tokens": ["<|im_start|>"]})
    tokenizer.add_tokens(["<|im_end|>"])  # not special: its text must not be taken for an answer's
    tokenizer.chat_template = TEMPLATE
    model = AutoModelForCausalLM.from_pretrained(model_folder)
    torch.manual_seed(1)
    model.resize_token_embeddings(len(tokenizer), mean_resizing=False)
    folder = tmp_path_factory.mktemp("chat")
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture
def templated(tokenizer):
    """Return a function that gives the tokenizer a template."""

    def make(template):
        own = copy.deepcopy(tokenizer)
        own.chat_template = template
        return own

    return make


@pytest.fixture(scope="module")
def finished(tmp_path_factory, configure, chat_folder):
    """The configuration of a run in chat that has ended."""
    config = configure(
        tmp_path_factory.mktemp("run") / "out",
        model=str(chat_folder), methods=("paft",), chat={"enabled": True, "system": "Name the topic"},
    )  # fmt: skip
    api.run(config)
    return config


@pytest.fixture
def judged_again(finished, tmp_path):
    """Return a function that makes a configuration which judges the run's adapter."""

    def make(**chat):
        return EvaluateConfig(
            task=finished.task, bank=finished.bank, model=finished.model, output=str(tmp_path / "judged"),
            adapter=str(Path(finished.output) / "trials" / "paft-0" / "adapter"), chat=chat,
        )  # fmt: skip

    return make


def test_turns_are_what_stands_around_the_texts(templated):
    template = (
        "{% for m in messages %}{% if m.role == 'user' %}A{{ m.content | trim }}B {% else %}"
        "C {{ m.content }} D{% endif %}{% endfor %}{% if add_generation_prompt %}C{% endif %}"
    )
    turns = Turns.learn(templated(template), None)
    assert (turns.before, turns.between, turns.lead, turns.after) == ("A", "B C", " ", " D")
    assert turns.continues and turns.user == (None, None) and turns.answer == ("", "")


def test_white_space_is_cut_where_the_template_cuts_it():
    template = Trim("\n", None)
    assert template("\n\n a\t\n") == " a"
    assert Trim("", "")(" a ") == " a " and Trim(None, None)("\u00a0a\n") == "a"


@pytest.mark.parametrize(
    ("template", "said"),
    [
        (None, "has no chat template: choose an instruction-tuned checkpoint, or switch chat off"),
        ("{{ messages[0].content | upper }}", "0 times"),
        ("{{ messages[0].content }}{{ messages[0].content }}", "2 times"),
        ("{{ messages[0].content[0].text.nothing }}", "cannot write a plain conversation"),
        ("{{ raise_exception('no users') }}", "no users"),
        ("{{ messages[0].content", "cannot write a plain conversation"),
    ],
)
def test_a_template_that_cannot_be_used_is_refused(templated, template, said):
    with pytest.raises(ModelError, match=said):
        ChatEncoder(templated(template), 64)


def test_a_template_that_does_to_a_text_what_cannot_be_followed_is_refused(templated):
    tokenizer = templated(TEMPLATE.replace("m.content", "m.content | replace('No.', 'Number')"))
    with pytest.raises(ModelError, match="cannot be followed"):
        ChatEncoder(tokenizer, 64)


def test_a_system_turn_must_appear_and_spell_no_control_token(templated):
    silent = templated("{% for m in messages if m.role != 'system' %}{{ m.content }}{% endfor %}")
    with pytest.raises(ConfigError, match="leaves out"):
        ChatEncoder(silent, 64, "Be brief.")
    with pytest.raises(ConfigError, match=r"'</s>' is a control token"):
        ChatEncoder(templated(TEMPLATE), 64, "Be </s> brief.")


def test_a_template_that_writes_todays_date_gives_the_same_prompt_on_every_day(templated):
    tokenizer = templated(
        "{% if date_string is not defined %}{% set date_string = strftime_now('%d %b %Y %H:%M:%S.%f') %}"
        "{% endif %}{{ date_string }} {{ messages | map(attribute='content') | join(' ') }}"
    )
    first, second = (ChatEncoder(tokenizer, 64).context("Hello", 0) for _ in range(2))
    assert first == second


# What follows the user's text in a prompt, what stands before an answer in a conversation, what is added.
CLOSED = {
    "r1": ("<A><think>\\n", "<A>", "\n</think>\n\n"),
    "no line end": ("<A><think>", "<A>", "\n\n</think>\n\n"),
    "another name": ("[A]\\n<reasoning>\\n\\n", "[A]\\n", "</reasoning>\n\n"),
    "square": ("A: [THINK]", "A: ", "\n\n[/THINK]\n\n"),
    "answers stand in it": ("<think>\\n", "<think>\\n", "\n</think>\n\n"),
    "closed another way": ("A <think>\\n", "A <think></think>", "\n</think>\n\n"),
    "closed by the template": ("<A><think>\\n\\n</think>\\n\\n", "<A><think>\\n\\n</think>\\n\\n", ""),
    "closed before an answer": ("<A><think>\\n", "<A><think>\\n</think>", ""),
    "who speaks": ("<assistant>\\n", "<assistant>\\n", ""),
    "for answers": ("A <answer>", "A ", ""),
    "end of instruction": (" [/INST]", " [/INST]", ""),
    "marks": ("<|end|><|assistant|>", "<|end|><|assistant|>", ""),
    "empty thought in marks": ("<|begin_of_thought|><|end_of_thought|>", "<|A|>", ""),
    "a switch": (" /no_think<|A|>", " /no_think<|A|>", ""),
}


@pytest.mark.parametrize("kind", CLOSED)
def test_a_thought_that_the_generation_prompt_opens_is_closed(templated, kind):
    asked, written, closing = CLOSED[kind]
    template = (
        "{% for m in messages %}{% if m.role == 'assistant' %}{{ '" + written + "' }}{{ m.content }}</s>"
    )
    template += "{% else %}{{ m.content }}{% endif %}{% endfor %}{% if add_generation_prompt %}{{ '" + asked
    template += "' }}{% endif %}"
    turns = Turns.learn(templated(template), None)
    assert (turns.closing, turns.between) == (closing, asked.replace("\\n", "\n") + closing)
    encoder = ChatEncoder(templated(template), 200)
    encoded = encoder.encode("Which?", "card")
    told = encoder.tokenizer.decode(encoded.input_ids[: encoded.answer_start])
    assert told == "Which?" + asked.replace("\\n", "\n") + closing
    # What is trained is the answer alone, behind what the template itself leads it with.
    trained = encoder.tokenizer.decode(encoded.input_ids[encoded.answer_start :])
    assert trained == turns.lead + "card</s>"


@pytest.mark.parametrize(
    "opened",
    ["<|think|>", "<|begin_of_thought|>\\n", "<|channel|>analysis<|message|>", "<plan>", "[notes]\\n"],
)
def test_a_thought_that_cannot_be_closed_by_rule_is_refused(templated, opened):
    template = "{% for m in messages %}{{ m.content }}{% endfor %}{% if add_generation_prompt %}{{ '"
    with pytest.raises(ModelError, match=r"the chat template opens .* switch chat off"):
        Turns.learn(templated(template + opened + "' }}{% endif %}"), None)


def test_without_an_end_of_turn_the_end_of_sequence_ends_an_answer(templated):
    encoder = ChatEncoder(templated("{{ messages | map(attribute='content') | join(' | ') }}"), 64)
    assert encoder.end == encoder.tokenizer.eos_token_id
    assert encoder.stops == [encoder.end]


def test_chat_off_is_the_plain_encoder(tokenizer):
    assert make_encoder(tokenizer, 64, Chat()) == Encoder(tokenizer, 64)


def test_generation_stops_at_end_of_turn_and_at_end_of_sequence(chat_folder):
    for stop in ("<|im_end|>", "</s>"):
        loaded = load_model(str(chat_folder), chat=ON)
        encoder, tokenizer = loaded.encoder(128), loaded.tokenizer
        contexts = [tuple(encoder.context(text, 8)[0]) for text in ("a", "my card has not come")]
        model = loaded.model
        bias = torch.zeros(len(tokenizer))
        bias[tokenizer.convert_tokens_to_ids(stop)] = 1e9
        model.lm_head.bias = torch.nn.Parameter(bias)
        made = generate_answers(model, contexts, encoder, max_tokens=5)
        assert [(answer.text, answer.tokens) for answer in made] == [("", 1)] * 2


def test_an_answer_learnt_in_chat_is_generated_and_ended(chat_folder, task, bank, train_examples, tmp_path):
    """From training to generation: the model learns one answer and stops behind it."""
    loaded = load_model(str(chat_folder), chat=ON)
    examples = [type(e)(e.index, e.fields, "cash", e.options, e.option_texts) for e in train_examples]
    config = Train(epochs=4, batch_size=8, learning_rate=1e-2, adapt={"method": "full"})
    fine_tune(loaded, examples, bank.prompts("train"), config, seed=0, output=tmp_path / "model")
    trained = load_model(str(tmp_path / "model"), chat=ON)
    encoder = trained.encoder(256)
    texts = [prompt.render(train_examples[0].values) for prompt in bank.prompts("train")]
    contexts = [tuple(encoder.context(text, 20)[0]) for text in texts]
    made = generate_answers(trained.model, contexts, encoder, max_tokens=20)
    assert {answer.text for answer in made} == {"cash"}
    assert {answer.tokens for answer in made} == {len(encoder.answer("", "cash")) + 1}
    assert json.loads((tmp_path / "model" / RECORD).read_text())["chat"] == ON.model_dump()


def test_a_run_in_chat_leaves_an_adapter_that_is_judged_the_same_way(finished, judged_again):
    assert finished.chat.identity() == {"enabled": True, "system": "Name the topic"}
    own = Matrix.load(Path(finished.output) / "trials" / "paft-0" / "test.parquet")
    config = judged_again()  # how it was trained stands beside the adapter
    assert evaluate(config)["config"]["chat"] == {"enabled": True, "system": "Name the topic"}
    for asked in ({"enabled": True}, {"enabled": True, "system": "Name the topic"}):
        evaluate(judged_again(**asked))  # the same in more words
    assert Matrix.load(Path(config.output) / "trials" / "adapter" / "test.parquet") == own


@pytest.mark.parametrize(
    ("chat", "named"),
    [
        ({"enabled": False}, "to be evaluated with chat off"),
        ({"enabled": True, "system": None}, "to be evaluated with chat on and no system turn"),
        ({"enabled": True, "system": "Else."}, "to be evaluated with chat on and system turn 'Else.'"),
    ],
)
def test_an_adapter_is_not_judged_in_another_way_than_it_was_trained(judged_again, chat, named):
    with pytest.raises(
        ConfigError, match="was trained with chat on and system turn 'Name the topic'"
    ) as error:
        evaluate(judged_again(**chat))
    assert named in str(error.value)
    assert not Path(judged_again(**chat).output).exists()


def test_a_run_is_not_resumed_with_another_setting(finished):
    for chat in (Chat(), ON):
        with pytest.raises(ResumeError, match="chat"):
            api.run(finished.model_copy(update={"chat": chat}))


def test_an_evaluation_is_not_resumed_with_another_setting(desk, chat_folder, tmp_path):
    given = {
        "task": str(desk / "task.yaml"), "bank": str(desk / "bank.jsonl"), "model": str(chat_folder),
        "output": str(tmp_path / "out"), "evaluate": {"examples": 2},
    }  # fmt: skip
    evaluate(EvaluateConfig(**given, chat=ON))
    with pytest.raises(ResumeError, match="chat"):
        evaluate(EvaluateConfig(**given))


def test_a_generation_prompt_that_merges_with_answers_is_kept_apart_from_them(templated):
    """Behind a space the tokenizer would merge it into the answer's first word; a server never does."""
    template = "{% for m in messages %}{{ m.role }}: {{ m.content }}{{ eos_token }}{% endfor %}"
    tokenizer = templated(template + "{% if add_generation_prompt %}assistant: {% endif %}")
    encoder = ChatEncoder(tokenizer, 64)
    encoded = encoder.encode("Which?", "card")
    asked = [{"role": "user", "content": "Which?"}]
    prompt = tokenizer.apply_chat_template(asked, add_generation_prompt=True)["input_ids"]
    assert encoded.input_ids == [*prompt, *encoder.tokens("card"), encoder.end]
    told = [*asked, {"role": "assistant", "content": "card"}]
    assert tokenizer.apply_chat_template(told)["input_ids"] != encoded.input_ids


def test_an_adapter_trained_without_chat_is_not_judged_with_it(tmp_path):
    save_chat(tmp_path, Chat())
    check_chat(tmp_path, Chat())
    with pytest.raises(ConfigError, match="trained with chat off, but is to be evaluated with chat on"):
        check_chat(tmp_path, ON)


def test_weights_of_others_have_no_record_and_are_judged_as_asked(chat_folder):
    for chat in (Chat(), ON):
        check_chat(chat_folder, chat)


def test_a_record_that_is_none_is_refused(tmp_path):
    (tmp_path / RECORD).write_text("[]")
    with pytest.raises(DataError, match=r"paft\.json is damaged"):
        check_chat(tmp_path, Chat())


def test_a_model_that_cannot_chat_is_refused_before_anything_is_written(configure, tmp_path):
    with pytest.raises(ModelError, match="has no chat template"):
        api.run(configure(tmp_path / "out", chat={"enabled": True}))
    assert not (tmp_path / "out").exists()


def test_another_template_is_another_model(chat_folder, tmp_path):
    folder = shutil.copytree(chat_folder, tmp_path / "own")
    before = model_fingerprint(str(folder))
    (folder / "chat_template.jinja").write_text(TEMPLATE + " ")
    assert model_fingerprint(str(folder)) != before
    check_model(str(folder), ON)


def test_the_language_model_knows_how_it_is_asked(chat_folder):
    loaded: LanguageModel = load_model(str(chat_folder), chat=ON)
    encoder = loaded.encoder(10_000)
    assert isinstance(encoder, ChatEncoder) and encoder.max_length == 512
    assert type(load_model(str(chat_folder)).encoder(64)) is Encoder


@pytest.mark.parametrize(
    ("chat", "said"),
    [
        ({"system": "Be brief."}, "needs chat"),
        ({"enabled": True, "system": " "}, "is empty"),
        ({"on": 1}, "on"),
    ],
)
def test_a_setting_that_makes_no_sense_is_refused(chat, said):
    for model in (RunConfig, EvaluateConfig):
        with pytest.raises(ConfigError, match=said):
            model(output="out", chat=chat)


def test_chat_off_depends_on_nothing():
    assert Chat().identity() is None


def test_the_command_line_switches_chat_on_and_off(paft, desk, model_folder, chat_folder, tmp_path):
    given = ["--task", desk / "task.yaml", "--bank", desk / "bank.jsonl", "--output", tmp_path / "out"]
    code, _, said = paft("evaluate", *given, "--model", model_folder, "--chat")
    assert (code, "has no chat template" in said) == (2, True)
    code, _, said = paft("evaluate", *given, "--model", model_folder, "--system", "Be brief.")
    assert (code, "--chat" in said) == (2, True)
    code, _, said = paft("run", *given, "--model", chat_folder, "--chat", "--system", "Be </s>.")
    assert (code, "'</s>' is a control token" in said) == (2, True)
    settings = load_config(None, {"chat.enabled": True, "chat.system": "Be brief."})
    assert settings.chat == Chat(enabled=True, system="Be brief.")
