"""Commands that are printed when a run or a training is done: they run as printed, in the same folder."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from paft.bank import load_bank
from paft.config import BUILTIN_MODEL, ModelOnTask, RunConfig
from paft.errors import ModelError
from paft.evaluate.scoring.vllm import lora_rank
from paft.evaluate.settings import Evaluate
from paft.experiment.bank_choice import is_composed
from paft.experiment.evaluate_config import EvaluateConfig
from paft.methods import METHODS, main_method
from paft.model.gguf import find_gguf
from paft.model.load import resolve_model
from paft.report.findings import NO_GAIN
from paft.report.run_folder import BANK, TRIALS, weights_name

_APART = ("model", "revision", "chat")  # put in a way of their own


def next_command(config: RunConfig) -> list[str]:
    """Return the lines that say where the result of a finished training lies and how to evaluate it."""
    weights = Path(config.output) / weights_name(config)
    whole = config.train.adapt.method == "full"
    lines = [f"{'Model' if whole else 'Adapter'}: {weights}"]
    path = Path(config.output) / BANK
    bank = load_bank(path) if path.exists() else None
    if bank is not None and not bank.prompts("test"):
        return [
            *lines,
            "Evaluate it: the bank has no test prompts; `paft evaluate --bank` takes one that has",
        ]
    base = ["--model", config.model, *_revision(config), "--adapter", str(weights)]
    model = ["--model", str(weights)] if whole else base
    output = str(Path(config.output) / "evaluated")
    composed = config.bank is None and bank is not None and is_composed(bank)
    common = [*_shared(config), *(["--bank", str(path)] if composed else [])]
    command = ["paft", "evaluate", *common, *model, *_chat(config), "--output", output]
    return [*lines, f"Evaluate it: {shlex.join([*command, *_settings(config)])}"]


def _revision(config: RunConfig) -> list[str]:
    return [] if config.revision is None else ["--revision", config.revision]


def _shared(config: RunConfig) -> list[str]:
    """Return the options for what training and evaluation have in common, where it is not the default."""
    found: list[str] = []
    for name, field in ModelOnTask.model_fields.items():
        value = getattr(config, name)
        if name not in _APART and value != field.default:
            option = f"--{name.replace('_', '-')}"
            found += [option] if value is True else [option, value]
    return found


def _chat(config: RunConfig) -> list[str]:
    if not config.chat.enabled:
        return []
    return ["--chat", *([] if config.chat.system is None else ["--system", config.chat.system])]


def _settings(config: RunConfig) -> list[str]:
    """Return what else figures depend on, as it was trained."""
    found: list[str] = []
    if config.train.max_length != EvaluateConfig.model_fields["max_length"].default:
        found += _set("max_length", config.train.max_length)
    usual = Evaluate().model_dump()
    for name, value in config.evaluate.model_dump(mode="json").items():
        if value != usual[name]:
            found += ["--allow-code"] if name == "allow_code" else _set(f"evaluate.{name}", value)
    return found


def _set(name: str, value: Any) -> list[str]:
    return ["--set", f"{name}={json.dumps(value)}"]


def deploy_command(config: RunConfig, findings: Sequence[Mapping[str, Any]] = ()) -> list[str]:
    """Return the lines that show how to use what a run's best-known method trained, if any did.

    Args:
        config: Of the run.
        findings: Of its ``results.json``; where they say that training brought nothing, so do the lines.
    """
    found = _best_known(config)
    if found is None:
        return []
    method, weights = found
    if any(each["kind"] in NO_GAIN for each in findings):
        return ["Nothing to deploy yet: training brought no gain, see the warnings above for what to try"]
    trusted = config.trust_remote_code
    code = ["--trust-remote-code"] if trusted else []
    python = "AutoModelForCausalLM.from_pretrained({!r}{}" + (", trust_remote_code=True)" if trusted else ")")
    pinned = "" if config.revision is None else f", revision={config.revision!r}"
    if config.train.adapt.method == "full":
        toy = config.model == BUILTIN_MODEL
        return [
            f"Deploy the model{' (the small built-in one: --model takes a pretrained one)' * toy}:",
            f"  {shlex.join(['vllm', 'serve', str(weights), *code])}",
            f"  or in Python: {python.format(str(weights), '')}",
        ]
    base = resolve_model(config.model)
    if config.train.adapt.quantised:
        told = "Deploy the model, its weights out of their 4 bit and the adapter merged into them:"
        return _merge(told, weights, code)
    if find_gguf(base):
        told = "Deploy the model, its GGUF weights in floating point and the adapter merged:"
        return _merge(told, weights, code)
    try:
        rank = lora_rank(weights)
    except ModelError:
        told = "Deploy the model, the adapter merged into it, since vLLM runs no adapter of this kind:"
        return _merge(told, weights, code)
    served = ["vllm", "serve", base, *_revision(config), *code, "--enable-lora", "--max-lora-rank", str(rank)]
    return [
        "Deploy the adapter:",
        f"  {shlex.join([*served, '--lora-modules', _module(method, weights)])}",
        f"  or in Python: PeftModel.from_pretrained({python.format(base, pinned)}, {str(weights)!r})",
    ]


def _best_known(config: RunConfig) -> tuple[str, Path] | None:
    """Return a method, the main one before others, and the weights of the first seed that left some."""
    trained = [name for name in config.methods if METHODS[name].schedule is not None]
    main = main_method(trained)
    for method in sorted(trained, key=lambda name: name != main):
        for seed in config.seeds:
            weights = Path(config.output) / TRIALS / f"{method}-{seed}" / weights_name(config)
            if weights.is_dir():
                return method, weights
    return None


def _merge(told: str, weights: Path, code: list[str]) -> list[str]:
    merged = str(weights.with_name("merged"))
    export = ["paft", "export", str(weights), "--merge", "--output", merged, *code]
    return [told, f"  {shlex.join(export)}", f"  {shlex.join(['vllm', 'serve', merged, *code])}"]


def _module(method: str, weights: Path) -> str:
    """Return an adapter's name and place as vLLM takes them: JSON if ``=`` or ``,`` would part the path."""
    path = str(weights)
    if "=" in path or "," in path:
        return json.dumps({"name": method, "path": path})
    return f"{method}={path}"
