"""``paft show`` tells before a training what the training then does."""

import json
import shutil
import subprocess
import sys

import pytest
from transformers import AutoTokenizer

from paft.bank import load_bank
from paft.methods import METHODS
from paft.task.task import Task
from paft.train.batches import PlanSampler
from paft.train.schedule import Schedule
from paft.train.show import outline, visible

SIZE, BATCH, EPOCHS = 24, 5, 3
STEPS = 5  # of an epoch: 24 examples by 5
# Not those whose prompt is chosen, or whose length is known, only when they run.
PLANNED = [
    name
    for name, method in METHODS.items()
    if method.schedule and method.prompts != "chosen" and "tokens" not in method.patch
]
SETTINGS = ["--set", f"train.epochs={EPOCHS}", "--set", f"train.batch_size={BATCH}"]


@pytest.fixture
def show(paft, own_desk, model_folder):
    """``paft show WHAT`` on a task that a test may have spoilt; returns (exit code, output, message)."""

    def command(what, *args, model=model_folder):
        given = {"task": own_desk / "task.yaml", "bank": own_desk / "bank.jsonl", "model": model}
        flags = [part for key, value in given.items() for part in (f"--{key}", value)]
        return paft("show", what, *flags, *SETTINGS, *args)

    return command


def figures(result):
    code, out, err = result
    assert code == 0, err
    return json.loads(out)


def expanded(found):
    """Prompt id by (epoch, step or example)."""
    return {
        (each["epoch"], at): each["prompt"]
        for each in found["stretches"]
        for at in range(each["first"], each["last"] + 1)
    }


@pytest.mark.parametrize("method", PLANNED)
def test_the_prompts_shown_are_those_of_the_training_plan(show, own_desk, method):
    found = figures(
        show("schedule", "--json", "--method", method, "--seed", 4, "--set", "train.resample_every=2")
    )
    task, bank = Task.from_yaml(own_desk / "task.yaml"), load_bank(own_desk / "bank.jsonl")
    prompts = task.prompts if METHODS[method].prompts == "user" else bank.prompts("train")
    schedule = Schedule(METHODS[method].schedule, len(prompts), resample_every=2, seed=4)
    shown = expanded(found)
    assert len(shown) == EPOCHS * (SIZE if found["unit"] == "example" else STEPS)
    for epoch in range(EPOCHS):
        for at, plan in enumerate(PlanSampler(schedule, SIZE, BATCH).plans(epoch)):
            place = plan.example if found["unit"] == "example" else at // BATCH
            assert shown[epoch, place] == prompts[plan.prompt].id
    counts = {each["id"]: each["uses"] for each in found["prompts"]}
    assert counts == {each.id: list(shown.values()).count(each.id) for each in prompts}
    assert found["unused"] == [prompt for prompt, count in counts.items() if count == 0]
    assert (found["steps_per_epoch"], found["steps"]) == (STEPS, EPOCHS * STEPS)


def test_stretches_are_as_long_as_can_be_and_end_with_the_epoch():
    schedule = Schedule("block", 50, resample_every=2, seed=1)
    found = outline(schedule, length=10, steps=5, examples=10)
    assert [(each.epoch, each.first, each.last) for each in found.stretches] == [
        (epoch, *reach) for epoch in (0, 1) for reach in [(0, 1), (2, 3), (4, 4)]
    ]
    assert found.uses.sum() == 10 and len(found.unused) == 50 - (found.uses > 0).sum()


def test_a_number_of_steps_ends_the_schedule_within_an_epoch(show):
    steps = ("--set", "train.max_steps=7")
    found = figures(show("schedule", "--json", "--method", "paft", *steps))
    whole = figures(show("schedule", "--json", "--method", "paft"))
    assert found["steps"] == 7 and expanded(found) == dict(list(expanded(whole).items())[:7])
    code, out, err = show("schedule", "--method", "paft", *steps)
    assert code == 0, err
    assert "draws replacement; 7 steps of at most 5 examples" in out and "Never used in 7 steps" in out
    assert "train.max_steps 7: the last epoch ends after 2 of 5 steps" in out


def test_steps_on_the_same_completions_are_one_and_all_prompts_of_a_group_are_used(show):
    grpo = ("--set", "train.algorithm=grpo", "--set", "train.grpo.iterations=4")
    steps = ("--set", "train.max_steps=26", "--method", "paft")
    found = figures(show("schedule", "--json", *grpo, *steps))
    assert found["steps"] == 7 == sum(each["uses"] for each in found["prompts"])
    spanning = ("--set", "train.grpo.group=spanning", "--set", "train.grpo.prompts_per_group=4")
    spanned = figures(show("schedule", "--json", *grpo, *steps, *spanning))
    assert spanned["stretches"] == found["stretches"]
    assert sum(each["uses"] for each in spanned["prompts"]) == 4 * 7
    code, out, err = show("schedule", *grpo, *steps, *spanning)
    assert code == 0, err
    assert "7 steps of at most 5" in out and "the last epoch ends after 2 of 5 steps" in out
    assert "a step here is as many optimiser steps" in out and "4 prompts at once" in out


def test_the_table_names_every_stretch_with_the_templates_first_words(show):
    code, out, err = show("schedule", "--method", "paft", "--seed", 1, "--set", "train.draws=cycle")
    assert code == 0, err
    assert "block with K = 4 steps, draws cycle; 3 epochs of 5 steps = 15 steps" in out
    assert "0-3" in out and "Message: {message}⏎Topic:" in out
    assert "Never used in 15 steps: 0 of 5 prompts" in out
    assert "warning" not in out


def test_prompts_that_are_never_used_are_counted_and_warned_of(show):
    code, out, err = show(
        "schedule", "--method", "paft", "--set", "train.epochs=1", "--set", "train.resample_every=5"
    )
    assert code == 0, err
    assert "Never used in 5 steps: 4 of 5 prompts (" in out
    assert "warning: 4 of 5 prompts are never used" in out


def test_long_tables_are_cut_and_say_so(show):
    code, out, _ = show("schedule", "--method", "paft", "--limit", 1, "--set", "train.resample_every=1")
    assert code == 0
    assert "4 more rows; --limit 0 or --json shows all" in out


def test_the_users_own_prompt_gets_its_share_beside_the_banks(show, own_desk):
    found = figures(
        show(
            "schedule",
            "--method",
            "paft",
            "--json",
            "--set",
            "train.user_prompt_share=0.2",
            "--set",
            "train.epochs=20",
        )
        # Blocks of 4 and 1 steps, 2 draws an epoch: 40 draws in all, of which 8 are the user's.
    )
    own = Task.from_yaml(own_desk / "task.yaml").prompts[0].id
    assert [each["id"] for each in found["prompts"]].index(own) == 0 and len(found["prompts"]) == 6
    blocks = [prompt for (_, step), prompt in expanded(found).items() if step in (0, 4)]
    assert blocks.count(own) == 8


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("--method", "base"), "method 'base' does not train"),
        (("--method", "paftt"), "unknown method 'paftt'; did you mean 'paft'?"),
        (("--seed", "99999999999"), "seeds are whole numbers from 0 to 4294967295"),
    ],
)
def test_what_no_training_has_is_refused(show, given, said):
    code, _, err = show("schedule", *given)
    assert code == 2 and said in err


def test_templates_are_no_markup_and_hide_nothing(show, own_desk):
    line = json.dumps({"split": "train", "template": "[red]x[/red]\x1b[31m\u202e :bomb: {message}"})
    (own_desk / "bank.jsonl").write_text(line + "\n" + (own_desk / "bank.jsonl").read_text("utf-8"), "utf-8")
    code, out, err = show("schedule", "--method", "paft", "--set", "train.draws=cycle")
    assert code == 0, err
    assert r"[red]x[/red]\x1b[31m\u202e :bomb: {message}" in out
    assert "\x1b" not in out


def test_showing_the_schedule_loads_neither_torch_nor_transformers():
    code = (
        "import sys\nfrom paft.cli.main import app\n"
        "app(['show', 'schedule', '--json'], standalone_mode=False)\nprint(*sys.modules, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["task"] == "routing"
    assert not {name.split(".")[0] for name in done.stderr.split()} & {"torch", "transformers", "datasets"}


def shown_examples(out):
    """The (head, tokens) of every example, marks of line ends undone."""
    blocks = out.split("\nexample ")[1:]
    return [(head, body.replace("\n", "")) for head, body in (block.split("\n", 1) for block in blocks)]


def unmarked(tokens):
    text = tokens.replace("|", "").replace("[", "").replace("]", "").replace("…", "")
    return text.replace("·", " ").replace("⏎", "\n")


def test_tokens_spell_the_rendered_examples_and_mark_what_is_trained(show, own_desk, tokenizer):
    code, out, err = show("tokens", "--examples", 4)
    assert code == 0, err
    task, bank = Task.from_yaml(own_desk / "task.yaml"), load_bank(own_desk / "bank.jsonl")
    examples, prompts = task.examples("train"), [*task.prompts, *bank.prompts("train")]
    assert "chat off, at most 512 tokens" in out  # as many as the model has positions for
    shown = shown_examples(out)
    assert len(shown) == 4
    for (head, tokens), example, prompt in zip(shown, examples, prompts, strict=False):
        rendered = prompt.render(example.values)
        gap = "" if rendered[-1].isspace() else " "
        assert unmarked(tokens) == rendered + gap + example.gold + "⟦</s>⟧"
        answer = tokenizer(gap + example.gold)["input_ids"]
        assert tokens.count("[") == len(answer) + 1
        assert tokens.endswith("[⟦</s>⟧]")
        assert f"train.jsonl:{example.index + 1} under prompt {prompt.id}: " in head  # as errors count lines
        assert "nothing was cut" in head
        read = len(tokenizer(rendered)["input_ids"])
        assert f"{read + len(answer) + 1} tokens = {read} read + {len(answer) + 1} trained" in head


def test_a_prompt_can_be_chosen_and_what_is_cut_is_told(show, own_desk):
    chosen = load_bank(own_desk / "bank.jsonl").prompts("test")[1]
    code, out, err = show("tokens", "--prompt", chosen.id, "--examples", 1, "--set", "train.max_length=12")
    assert code == 0, err
    for head, _ in shown_examples(out):
        assert f"under prompt {chosen.id}: 12 tokens" in head
        assert "its prompt was cut to fit 12 tokens; between prompt and answer nothing" in head
    code, _, err = show("tokens", "--examples", 24, "--set", "train.max_length=8")
    assert code == 2 and "train.jsonl:2: under prompt" in err and "leaves no room" in err
    code, _, err = show("tokens", "--prompt", "feedfeedfeed")
    assert code == 2 and "--prompt 'feedfeedfeed' is neither in the bank nor the task's own" in err


def test_data_is_neither_markup_nor_control(show, own_desk):
    rows = (own_desk / "train.jsonl").read_text("utf-8").splitlines()
    rows[0] = json.dumps({"message": "[b]</s>\x1b[2J :bomb:\u200b", "topic": "cash"})
    (own_desk / "train.jsonl").write_text("\n".join(rows), "utf-8")
    code, out, err = show("tokens", "--examples", 1)
    assert code == 0, err
    assert "\x1b" not in out and "\u200b" not in out
    assert out.count("⟦</s>⟧") == 1
    assert r"\x1b" in out and r"\u200b" in out


def test_in_a_terminal_colours_take_the_place_of_brackets(show, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    code, out, err = show("tokens", "--examples", 1)
    assert code == 0, err
    assert "\x1b[1;32m·card\x1b[0m" in out
    assert "\x1b[1;35m⟦</s>⟧\x1b[0m" in out
    assert "[·card]" not in out


TURNS = (
    "{% for m in messages %}<s>{{ m['role'] }}\n{{ m['content'] }}</s>\n{% endfor %}"
    "{% if add_generation_prompt %}<s>assistant\n{% endif %}"
)
DEFAULT_SYSTEM = "{% if messages[0]['role'] != 'system' %}<s>system\nYou are kind.</s>\n{% endif %}"


@pytest.fixture
def chatty(model_folder, tmp_path):
    """Make a model folder without weights that has a chat template; returns its path."""

    def make(template):
        folder = tmp_path / "chatty"
        shutil.copytree(model_folder, folder, ignore=shutil.ignore_patterns("*.safetensors"))
        tokenizer = AutoTokenizer.from_pretrained(folder)
        tokenizer.chat_template = template
        tokenizer.save_pretrained(folder)
        return folder

    return make


@pytest.mark.parametrize(
    ("template", "told"),
    [
        (DEFAULT_SYSTEM + TURNS, "system turn, the template's own: 'You are kind.'"),
        (TURNS, "no system turn"),
        ("{{ raise_exception('no') if messages[0]['role'] == 'system' }}" + TURNS, "no system turn"),
    ],
)
def test_a_system_turn_that_the_template_writes_itself_is_told(show, chatty, template, told):
    folder = chatty(template)
    code, out, err = show("tokens", "--chat", "--examples", 1, model=folder)
    assert code == 0, err
    assert out.splitlines()[1] == told
    _, out, _ = show("tokens", "--examples", 1, model=folder)
    assert "system turn" not in out


def test_chat_shows_the_turns_and_needs_no_weights(show, chatty):
    folder = chatty(TURNS)
    code, out, err = show("tokens", "--chat", "--system", "Be brief.", "--examples", 1, model=folder)
    assert code == 0, err
    assert "chat on" in out
    ((head, tokens),) = shown_examples(out)
    assert tokens.count("⟦<s>⟧") == 3 and tokens.count("⟦</s>⟧") == 3
    assert unmarked(tokens).startswith("⟦<s>⟧system\nBe brief.⟦</s>⟧\n⟦<s>⟧user\nWhat is this about?")
    assert tokens.endswith("[⟦</s>⟧]")
    assert "between prompt and answer nothing" in head


@pytest.mark.parametrize(
    ("text", "shown"),
    [("a b", "a b"), ("a\tb\r\n", "a⇥b\\r⏎"), ("\x00\u2028\ue000", r"\x00\u2028\ue000"), ("é東🙂", "é東🙂")],
)
def test_letters_without_a_shape_become_visible_and_others_stay(text, shown):
    assert visible(text) == shown


def test_a_prompt_that_is_chosen_in_the_run_cannot_be_shown_before(show):
    code, _, err = show("schedule", "--method", "zopo")
    assert code == 2
    assert "'zopo' chooses the prompt it trains on while it runs" in err and "choice.json" in err


@pytest.mark.parametrize("what", ["tokens", "schedule"])
def test_neither_test_prompts_nor_test_data_are_needed(show, own_desk, what):
    expected = show(what)
    lines = (own_desk / "bank.jsonl").read_text().splitlines()
    (own_desk / "bank.jsonl").write_text(
        "".join(line + "\n" for line in lines if json.loads(line)["split"] == "train")
    )
    yaml = (own_desk / "task.yaml").read_text()
    (own_desk / "task.yaml").write_text(yaml.replace("  test: test.jsonl\n", ""))
    (own_desk / "test.jsonl").unlink()
    assert show(what) == expected and expected[0] == 0
