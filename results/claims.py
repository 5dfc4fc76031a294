"""The claims of the paper's abstract and tables: what it reports, what was found here, a verdict."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from paft.report.table import percent
from paper.published import published
from results.grpo_tables import better, moved
from results.sources import (
    ADVERSARIAL,
    DETAILS,
    GRPO,
    INFERENCE,
    K_T,
    MAIN,
    NAMES,
    PROMPTS,
    REAL,
    TASKS,
    TIME,
    drawn,
    from_reference,
    from_single,
    main_figures,
    read,
    significant,
    task_details,
)  # fmt: skip
from results.text import between, points, span, table

NOT_TESTED = "**not tested**"
CHOOSERS = ("top_accuracy", "zopo")


class Claim(NamedTuple):
    """A row of the table.

    Attributes:
        claim: What the paper says.
        paper: Its figures, and where they stand.
        here: What was found, with a link to the file that has it.
        verdict: About this model and these tasks.
    """

    claim: str
    paper: str
    here: str
    verdict: str


def claims_table() -> str:
    """Return all claims as Markdown."""
    return table(
        ("the paper's claim", "the paper", "here", "verdict"), [ask() for ask in CLAIMS], align="llll"
    )


def _link(text: str, name: str) -> str:
    return f"[{text}](../results/{name})"


def _by_task(tell: Callable[[str], str]) -> str:
    return ", ".join(f"{name} {tell(task)}" for task, name in TASKS.items())


def _real_by_task(tell: Callable[[str], str]) -> str:
    return ", ".join(f"{NAMES[task]} {tell(task)}" for task in read(REAL)["tasks"])


def _supported(tasks: Sequence[bool], real: Sequence[bool] | None = None) -> str:
    """Return on how many tasks a claim holds, those of the pretrained model first where it was tested."""
    count = sum(tasks)
    if real is None:
        return f"**supported** on {count} of {len(tasks)} tasks" if count else "**not supported**"
    first = f"**supported** on {sum(real)} of {len(real)} tasks" if sum(real) else "**not supported**"
    return f"{first} (SmolLM2), {count} of {len(tasks)} (small model)"


def _gain(name: str) -> str:
    """Return PAFT's paired differences from ``single``, linked: pretrained model, small model."""
    real = _real_by_task(lambda task: between(from_single(task, "paft", REAL)[name]))
    small = _by_task(lambda task: between(from_single(task, "paft")[name]))
    return f"SmolLM2: {_link(real, REAL)}; small model: {_link(small, DETAILS)}"


def _better(name: str) -> tuple[list[bool], list[bool]]:
    """Return where PAFT is significantly better than ``single``: small model, pretrained model."""
    sign = -1 if name == "std" else 1
    small = [significant(from_single(task, "paft")[name], better=sign) for task in TASKS]
    return small, [
        significant(from_single(task, "paft", REAL)[name], better=sign) for task in read(REAL)["tasks"]
    ]


def fragile() -> Claim:
    """One prompt makes a model fragile."""
    told = published()["phrasing"]
    methods = {task: main_figures(task, "single") for task in TASKS}
    spread = [each["std"]["interval"][0] > 0 for each in methods.values()]
    moved = _by_task(
        lambda task: f"{percent(methods[task]['own'])} → {percent(methods[task]['mean']['value'])}"
    )
    real = {task: found["methods"]["single"] for task, found in read(REAL)["tasks"].items()}
    real_spread = [each["std interval"][0] > 0 for each in real.values()]
    fell = _real_by_task(lambda task: f"{percent(real[task]['own'])} → {percent(real[task]['mean'])}")
    return Claim(
        "A model tuned on one prompt is fragile",
        f"one word more: {told['rows']['higher']} → {told['rows']['lower']} ({told['where']})",
        f"`single`, user prompt → unseen prompts: SmolLM2: {_link(fell, REAL)}; "
        f"small model: {_link(moved, MAIN)}",
        f"{_supported(spread, real_spread)}: there the interval of its std excludes 0",
    )


def accuracy() -> Claim:
    """Mean accuracy on unseen prompts."""
    rows, where = published()["main"]["rows"], published()["main"]["where"]
    ours, theirs = (rows[method]["mean"] for method in ("single", "paft"))
    return Claim(
        "7 % higher accuracy on unseen prompts",
        f"{ours} → {theirs}: {theirs - ours:+.1f} points, {100 * (theirs / ours - 1):.0f} % ({where})",
        f"{_gain('mean')} (average {points(mean_lead())}, without option lists {points(plain_lead())})",
        f"{_supported(*_better('mean'))}; the size is not tested",
    )


def mean_lead() -> float:
    """Return PAFT's lead over ``single`` in the mean, averaged over tasks."""
    return sum(from_single(task, "paft")["mean"]["value"] for task in TASKS) / len(TASKS)


def plain_lead() -> float:
    """Return the same with only those SNIPS prompts that do not list the options."""
    snips = task_details("snips")["no options"]["paft - single"]["mean"]["value"]
    return mean_lead() + (float(snips) - from_single("snips", "paft")["mean"]["value"]) / len(TASKS)


def spread() -> Claim:
    """Standard deviation over prompts."""
    rows, where = published()["main"]["rows"], published()["main"]["where"]
    return Claim(
        "Lower standard deviation over prompts",
        f"{rows['single']['std']} → {rows['paft']['std']} ({where})",
        _gain("std"),
        _supported(*_better("std")),
    )


def worst_prompt() -> Claim:
    """The worst unseen prompt."""
    told = published()["worst"]
    gains = [row["min"][1] - row["min"][0] for row in told["rows"].values()]
    return Claim(
        "A better worst prompt",
        f"{sum(gains) / len(gains):+.1f} points, average of {len(gains)} tasks ({told['where']})",
        _gain("min"),
        _supported(*_better("min")),
    )


def adversarial() -> Claim:
    """Accuracy on adversarial prompts."""
    told = published()["worst"]
    gains = [row["con"][1] - row["con"][0] for row in told["rows"].values()]
    found = {(row["task"], row["method"]): row["con_mean"] for row in read(ADVERSARIAL)["figures"]}
    banks = dict.fromkeys(task for task, _ in found)
    ours = " and ".join(points(found[bank, "paft"] - found[bank, "single"]) for bank in banks)
    return Claim(
        "Better on adversarial prompts",
        f"{sum(gains) / len(gains):+.1f} points, average of {len(gains)} tasks ({told['where']})",
        f"{_link(f'SNIPS, two splits: {ours}', ADVERSARIAL)}, 10 prompts each, no interval",
        "**supported** on SNIPS; no other task run",
    )


def baselines() -> Claim:
    """Prompts chosen by accuracy or by search."""
    rows, where = published()["main"]["rows"], published()["main"]["where"]
    behind = {
        method: [significant(from_reference(MAIN, task, method)["mean"], better=-1) for task in TASKS]
        for method in CHOOSERS
    }
    ours = ", ".join(f"`{method}` on {sum(found)}" for method, found in behind.items())
    both = [all(pair) for pair in zip(*behind.values(), strict=True)]
    return Claim(
        "Better than TopAccuracy and ZOPO",
        f"mean {rows['top_accuracy']['mean']}, {rows['zopo']['mean']} → {rows['paft']['mean']} ({where})",
        f"{_link('PAFT has the significantly higher mean', MAIN)} than {ours} of {len(TASKS)} tasks",
        f"{_supported(both)}; both chose with an untrained model near chance",
    )


def bat() -> Claim:
    """The paper's BATprompt, which needs a model that writes."""
    rows, where = published()["main"]["rows"], published()["main"]["where"]
    return Claim(
        "Better than BATprompt",
        f"mean {rows['bat']['mean']} → {rows['paft']['mean']} ({where})",
        f"{_link('`bat` with rules', MAIN)} for a writer rewrites nothing: a different method",
        NOT_TESTED,
    )


def threshold() -> Claim:
    """Share of prompts above a threshold."""
    rows, where = published()["main"]["rows"], published()["main"]["where"]
    shares = {method: [main_figures(task, method)["top"] for task in TASKS] for method in ("single", "paft")}
    ours = " → ".join(percent(sum(each["value"] for each in found) / len(found)) for found in shares.values())
    apart = [
        paft["interval"][0] > single["interval"][1]
        for single, paft in zip(shares["single"], shares["paft"], strict=True)
    ]
    return Claim(
        "More prompts above a threshold (Top)",
        f"{rows['single']['top']} → {rows['paft']['top']} % ({where})",
        f"{_link(f'{ours} %, average of {len(TASKS)} tasks', MAIN)}; intervals apart on {sum(apart)}",
        _supported(apart),
    )


def benchmarks() -> Claim:
    """Code, tools, languages, images."""
    told = published()["benchmarks"]
    gains = [row["paft"][0] - row["single"][0] for row in told["rows"].values()]
    return Claim(
        "Better on code, tool use, languages, images, with 3B to 8B models",
        f"{min(gains):+.2f} to {max(gains):+.2f} points on {len(gains)} tasks ({told['where']})",
        "no model of that size, no task of the paper",
        NOT_TESTED,
    )


def reinforcement() -> Claim:
    """Reinforcement fine-tuning."""
    told = published()["benchmarks"]
    gains = {
        name: told["rows"][name]["paft"][0] - told["rows"][name]["single"][0]
        for name in ("GSM8K", "Geometry3k")
    }
    said = ", ".join(f"{name} {gain:+.2f}" for name, gain in gains.items())
    wins = {name: better("shared - single", name) for name in ("mean", "std", "min")}
    verdict = f"**supported** on {wins['mean']} of {len(read(GRPO))}" if wins["mean"] else "**not supported**"
    return Claim(
        "Holds for reinforcement fine-tuning (GRPO)",
        f"{said} ({told['where']})",
        f"small model, `paft` minus `single`: mean {_link(moved('shared - single', 'mean'), GRPO)}; "
        f"worst prompt {moved('shared - single', 'min')}; std {moved('shared - single', 'std')}",
        f"{verdict} comparisons on two tasks in the mean (worst prompt {wins['min']}, lower std "
        f"{wins['std']}); not tested on the paper's",
    )


def inference() -> Claim:
    """Seconds and tokens of answers."""
    told = published()["inference"]
    hours, found = told["rows"], read(INFERENCE)["figures"]["snips"]
    theirs = {method: f"{hours[method] / hours['paft']:.2f}x" for method in ("base", "single")}
    tokens = {method: f"{each['tokens_per_answer']:.1f}" for method, each in found.items()}
    seconds = {method: each["seconds_per_thousand"] for method, each in found.items()}
    ours = {method: f"{each / seconds['paft']:.2f}x" for method, each in seconds.items()}
    return Claim(
        "3.2 times faster inference",
        f"{theirs['base']} against the untuned model, {theirs['single']} against `single` ({told['where']})",
        f"SNIPS: {_link(ours['single'] + ' against `single`', INFERENCE)} ({tokens['single']} and "
        f"{tokens['paft']} tokens an answer), {ours['base']} against `base`, which writes {tokens['base']} "
        "(limit 64)",
        "**contradicted** against a tuned model",
    )


def resampling() -> Claim:
    """Steps that share a prompt."""
    told = published()["k_t"]
    three = [row for row in told["rows"] if row["t"] == 3]
    theirs = ", ".join(f"{name} {span([row[name] for row in three])}" for name in ("mean", "std"))
    found = {row["k"]: row for row in read(K_T)["figures"] if row["t"] == 3}
    moved = {name: " → ".join(percent(found[k][name]["value"]) for k in (1, 8)) for name in ("mean", "std")}
    others = [from_reference(K_T, "snips", f"k{k}_t3")["mean"] for k in (1, 2, 8)]
    apart = sum(significant(each) for each in others)
    ours = _link(f"mean {moved['mean']}, std {moved['std']}", K_T)
    return Claim(
        "K from 1 to 8 makes little difference",
        f"{theirs} ({told['where']})",
        f"SNIPS, K = 1 → 8: {ours}; {apart} of {len(others)} means differ significantly from K = 4",
        "**not supported**: falls with K, within intervals; a larger K also draws fewer prompts",
    )


def epochs() -> Claim:
    """More epochs."""
    told = published()["k_t"]
    theirs = {row["t"]: row["mean"] for row in told["rows"] if row["k"] == 1}
    ours = {row["t"]: row["mean"]["value"] for row in read(K_T)["figures"] if row["k"] == 1}
    longer = from_reference(K_T, "snips", "k1_t6")["mean"]
    moved = f"{percent(ours[3])} → {percent(ours[6])}"
    return Claim(
        "6 epochs are worse than 3",
        f"{theirs[3]} → {theirs[6]:.2f} at K = 1 ({told['where']})",
        f"SNIPS: {_link(f'{moved} at K = 1', K_T)}; {between(longer)} against K = 4, T = 3",
        "**contradicted** in direction on SNIPS",
    )


def few_prompts() -> Claim:
    """Number of training prompts."""
    ours = {row["n"]: percent(row["min"]["value"]) for row in read(PROMPTS)["figures"]}
    told = _link(", ".join(f"{ours[n]} with {n}" for n in (8, 16, 77)), PROMPTS)
    return Claim(
        "About 10 prompts suffice",
        "curve levels off (Figure 8, no values)",
        f"SNIPS, worst prompt: {told} prompts ({span(drawn('prompts', 'snips/n77'))} of the 77 drawn)",
        "**supported** for 16, not for 8",
    )


def training() -> Claim:
    """Time of training."""
    told = published()["time"]
    hours, found = told["rows"], read(TIME)["figures"]["snips"]
    seconds, tokens = (found["paft"][name] / found["single"][name] for name in ("seconds", "tokens"))
    ours = _link(f"{seconds:.2f}x seconds, {tokens:.2f}x tokens", TIME)
    return Claim(
        "Training costs no more",
        f"{hours['single']} → {hours['paft']} hours ({told['where']})",
        f"SNIPS: {ours}, equal steps by design",
        "**supported** in steps, on one task",
    )


def generation() -> Claim:
    """Cost of the bank."""
    told = published()["generation"]
    return Claim(
        "A bank is cheap to generate",
        f"{told['rows']['paft']} thousand tokens for 400 prompts ({told['where']})",
        "tokens of the banks here were not counted",
        NOT_TESTED,
    )


def theory() -> Claim:
    """MMD and the bound."""
    found = [row["mmd2_unbiased"] for row in read(PROMPTS)["figures"]]
    known = [value for value in found if value is not None]
    ours = _link(f"unbiased MMD² is {min(known):.3f} to {max(known):.4f} for every N above 1", PROMPTS)
    return Claim(
        "More prompts lower MMD to the unseen ones, which bounds the error",
        "falls with N (Figure 9, no values)",
        f"SNIPS: {ours}; the biased estimate falls as 1/N by construction",
        "**not supported**; the bound is not tested",
    )


CLAIMS: tuple[Callable[[], Claim], ...] = (
    fragile, accuracy, spread, worst_prompt, adversarial, threshold, baselines, bat, benchmarks,
    reinforcement, inference, training, resampling, epochs, few_prompts, generation, theory,
)  # fmt: skip
