"""What tests share: a tiny random Llama, its tokenizers, a small task with data, and a bank."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"  # before any import of huggingface_hub: no test may reach out
os.environ["NO_PROXY"] = "127.0.0.1"  # servers of the tests run on this machine
os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["OMP_NUM_THREADS"] = "1"  # also for subprocesses: same sums in the same order

import pytest
from hypothesis import settings

from paft.bank import Bank, load_bank
from paft.task.task import Example, Task

# Real data lies outside the repository: beside it, or where PAFT_DATA says.
SHARED = Path(os.environ.get("PAFT_DATA", Path(__file__).parents[2] / "shared" / "data"))

# Properties are tried on the same examples everywhere; `make slow` asks for others, at random. What it finds
# becomes an explicit example of its test.
settings.register_profile("same", derandomize=True, database=None)
settings.register_profile("random", print_blob=True)
settings.load_profile(os.environ.get("PAFT_PROPERTIES", "same"))

LABELS = ["card", "card arrival", "cash", "cash withdrawal", "refund"]
OBJECTS = ["my new card", "the money", "a blue bag", "this order", "the 20 pounds", "it"]
VERBS = ["has not come", "was taken twice", "came back?", "is wrong!", "got lost \u2014 help"]

TASK_YAML = """\
name: desk
description: Decide what a message is about.
fields:
  message: what the customer wrote
answer:
  rule: label
  field: topic
  options: [card, card arrival, cash, cash withdrawal, refund]
data:
  train: train.jsonl
  validation: validation.jsonl
  test: test.jsonl
thresholds: [0.2]
prompt: "What is this about?\\n\\n{message}\\nTopic:"
"""

PROMPTS = {
    "train": [
        "Message: {message}\nTopic:",
        "{message}\n\nSay in one or two words which subject fits best.\n",
        "Customer wrote: {message} -> label",
        "Sort the following note into a drawer.\nNote: {message}\nDrawer:",
        "You work at a bank. {message} What does the person want to talk about?",
    ],
    "validation": ["Classify: {message}\nClass:"],
    "test": [
        "Read the text below carefully.\n{message}\nIts category is",
        "{message}\n###\n",
        "Possible answers: {options}. Sentence: {message} Answer:",
    ],
}


@pytest.fixture
def paft(monkeypatch, capsys):
    """Run the command line in this process; returns (exit code, standard output, standard error)."""

    from paft.cli import main as cli

    def command(*args):
        monkeypatch.setattr(sys, "argv", ["paft", *map(str, args)])
        with pytest.raises(SystemExit) as exit_:
            cli.main()
        out, err = capsys.readouterr()
        return exit_.value.code, out, err

    return command


@pytest.fixture(scope="session")
def paft_banks() -> Path:
    """The folder of the paper's published banks; the test is skipped where it is absent."""
    folder = SHARED / "paft_banks"
    if not folder.is_dir():
        pytest.skip(f"the paper's banks are not at {folder}: set PAFT_DATA to the folder that holds them")
    return folder


def rows(count: int, first: int) -> list[dict[str, str]]:
    """Rows of the task, of very different lengths, all distinct."""
    return [
        {
            "message": " and ".join(
                f"{OBJECTS[(i + k) % len(OBJECTS)]} {VERBS[(i + 2 * k) % len(VERBS)]}"
                for k in range(1 + i % 4)
            )
            + f" ({i})",
            "topic": LABELS[i % len(LABELS)],
        }
        for i in range(first, first + count)
    ]


def write_jsonl(path: Path, items: list[dict[str, str]]) -> None:
    path.write_text("".join(json.dumps(item, ensure_ascii=False) + "\n" for item in items), encoding="utf-8")


def write_desk(folder: Path) -> Path:
    """Write the task with its data and bank to a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "task.yaml").write_text(TASK_YAML, encoding="utf-8")
    for split, (count, first) in {"train": (24, 0), "validation": (6, 50), "test": (10, 100)}.items():
        write_jsonl(folder / f"{split}.jsonl", rows(count, first))
    write_jsonl(
        folder / "bank.jsonl",
        [{"split": split, "template": text} for split, texts in PROMPTS.items() for text in texts],
    )
    return folder


@pytest.fixture(scope="session", autouse=True)
def _one_thread():
    """Tiny tensors: more threads only cost."""
    import torch

    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def desk(tmp_path_factory) -> Path:
    """The folder of the task; never written to (see ``own_desk``)."""
    return write_desk(tmp_path_factory.mktemp("desk"))


@pytest.fixture
def own_desk(tmp_path) -> Path:
    """A copy of the task that a test may spoil."""
    return write_desk(tmp_path / "desk")


@pytest.fixture(scope="session")
def task(desk) -> Task:
    return Task.from_yaml(desk / "task.yaml")


@pytest.fixture(scope="session")
def bank(desk) -> Bank:
    return load_bank(desk / "bank.jsonl")


@pytest.fixture(scope="session")
def train_examples(task) -> list[Example]:
    return task.examples("train")


@pytest.fixture(scope="session")
def test_examples(task) -> list[Example]:
    return task.examples("test")


def _tokenizer(beginning: bool):
    """A byte-level BPE of about 600 tokens; with ``beginning`` it puts ``<s>`` before a text."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=600,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        special_tokens=["<pad>", "<s>", "</s>"],
        show_progress=False,
    )
    texts = [row["message"] for row in rows(40, 0)] + [text for texts in PROMPTS.values() for text in texts]
    backend.train_from_iterator(texts, trainer)
    if beginning:
        backend.post_processor = processors.TemplateProcessing(
            single="<s> $A", pair="<s> $A $B", special_tokens=[("<s>", backend.token_to_id("<s>"))]
        )
    return PreTrainedTokenizerFast(
        tokenizer_object=backend, pad_token="<pad>", bos_token="<s>", eos_token="</s>"
    )


@pytest.fixture(scope="session")
def tokenizer():
    return _tokenizer(beginning=False)


@pytest.fixture(scope="session")
def bos_tokenizer():
    return _tokenizer(beginning=True)


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory, tokenizer) -> Path:
    """A random Llama of 2 layers, saved with its tokenizer."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=512,
        initializer_range=0.2,  # far from uniform, so that options differ
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        dtype="float32",
    )
    folder = tmp_path_factory.mktemp("model")
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def adapter_pair(tmp_path_factory, model_folder) -> dict[str, str]:
    """Folders of two adapters of the model, by name, whose weights are random. Never written to."""
    import torch
    from peft import get_peft_model
    from transformers import AutoModelForCausalLM

    from paft.train.adapt import lora_config
    from paft.train.settings import Adapt

    folders = {}
    for seed, name in enumerate(("old", "new")):
        model = get_peft_model(AutoModelForCausalLM.from_pretrained(model_folder), lora_config(Adapt()))
        generator = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            for weight in model.parameters():
                if weight.requires_grad:
                    weight.add_(0.1 * torch.randn(weight.shape, generator=generator))
        folders[name] = str(tmp_path_factory.mktemp("adapters") / name)
        model.save_pretrained(folders[name])
    return folders


@pytest.fixture
def fresh_model(model_folder):
    """A newly loaded model that a test may train."""
    from paft.model.load import load_model

    return load_model(str(model_folder))


@pytest.fixture(scope="session")
def language_model(model_folder):
    """The model for tests that only read it."""
    from paft.model.load import load_model

    return load_model(str(model_folder))


@pytest.fixture(scope="session")
def configure(desk, model_folder):
    """Make a configuration whose run takes seconds: 24 examples, 1 epoch, batches of 8."""
    from paft.config import RunConfig

    def make(output: Path, **changes) -> RunConfig:
        train = {
            "epochs": 1,
            "batch_size": 8,
            "learning_rate": 1e-2,
            "resample_every": 2,
            "adapt": {"rank": 4},
        }
        settings = {
            "task": str(desk / "task.yaml"),
            "bank": str(desk / "bank.jsonl"),
            "model": str(model_folder),
            "methods": ("base", "paft"),
            "output": str(output),
        }
        return RunConfig(**{**settings, **changes, "train": {**train, **changes.get("train", {})}})

    return make


@pytest.fixture
def server():
    """A server on this machine that answers as a test tells it to."""
    from scripted_server import Scripted

    scripted = Scripted()
    yield scripted
    scripted.server.shutdown()
    scripted.server.server_close()


@pytest.fixture(params=["bubblewrap", "guard"])
def isolation(request, monkeypatch):
    """What holds the programs; tests that do not ask for it take what the machine has."""
    from paft.task.programs import code_answer

    if request.param == "guard":
        monkeypatch.setattr(code_answer, "bubblewrap", lambda: None)
    elif code_answer.bubblewrap() is None:
        pytest.skip("bubblewrap is not installed, or not permitted on this machine")
    return request.param
