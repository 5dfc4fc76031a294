"""``paft train``: one model, trained with one method and left ready to evaluate, to serve or to export.

Behind what every output folder begins with (:mod:`paft.experiment.output_folder`) come ``adapter/``, the
result (``model/`` when all weights are trained), and ``train.json``, what the training did.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from paft.bank import Bank
from paft.config import RunConfig
from paft.errors import ConfigError, expect
from paft.evaluate.runner import processes
from paft.experiment.answer_tokens import check_completions, check_lengths, check_options
from paft.experiment.bank_choice import tell_composed
from paft.experiment.identity import training_identity
from paft.experiment.inputs import (
    Inputs,
    blank_fields,
    chat_hint,
    check_trained,
    encoder_of,
    few_validation_cells,
    load_inputs,
)  # fmt: skip
from paft.experiment.output_folder import begin_output, working_in
from paft.experiment.trial import prompts_met, train_trial, write_trial_card
from paft.files import disk_error
from paft.methods import method_to_train
from paft.model.quantised import four_bit
from paft.progress import Reporter, speaking
from paft.report.results import TrainRecord
from paft.report.run_folder import Trial
from paft.task.task import Task


@speaking
def train(
    config: RunConfig,
    reporter: Reporter | None = None,
    *,
    task: Task | None = None,
    bank: Bank | None = None,
) -> TrainRecord:
    """Train one model, or go on where a killed training stopped; return the content of ``train.json``.

    Args:
        config: Settings, with one seed; :func:`paft.methods.method_to_train` tells the method. Of
            section ``evaluate`` only how a validation scores has a part.
        reporter: Hears about progress; by default a bar in terminals, lines in notebooks and, on standard
            error, in scripts; ``Reporter()`` is silent.
        task: A task made in Python, instead of the one the configuration names.
        bank: A bank made in Python, likewise.

    Raises:
        PaftError: If an input is unusable, with nothing written, or another process works in the folder.
        ResumeError: If the output folder belongs to another configuration.
    """
    expect(config, RunConfig, "the configuration of a training")
    reporter = reporter or Reporter()
    inputs = training_inputs(config, task, bank)
    if config.train.adapt.quantised:
        four_bit()
    config = config.of_task(task)
    method, seed, output = method_to_train(config.methods), only_seed(config), Path(config.output)
    plan = Trial(method, seed)
    with working_in(output):
        identity = training_identity(config, inputs, method, seed)
        begin_output(output, identity, config, inputs.bank)
        if inputs.composed:
            reporter.finish(inputs.task.name, tell_composed(inputs.bank, output))
        warnings = [*inputs.warnings, *inputs.repeats]
        for line in (*inputs.hints, *map("warning: {}".format, warnings)):
            reporter.finish(inputs.task.name, line)
        try:
            trained = TrainRecord(train_trial(plan, config, inputs, output, reporter))
        except OSError as error:
            raise disk_error(output, error) from error
        if processes()[0] == 0:
            write_trial_card(plan, config, inputs, output)
    reporter.finish(inputs.task.name, _outcome(trained, prompts_met(method, config, inputs, trained)))
    return trained


def training_inputs(config: RunConfig, task: Task | None = None, bank: Bank | None = None) -> Inputs:
    """Load everything that one training works on and check it; nothing is written.

    Raises:
        PaftError: If an input is unusable.
    """
    seed = only_seed(config)
    methods = [method_to_train(config.methods)]
    inputs = load_inputs(config, task, bank, evaluate=False, methods=methods).for_seed(seed)
    check_trained(config)
    encoder = encoder_of(config)
    check_options(encoder, inputs.task, inputs.train)
    generated = not inputs.task.answer.closed or config.evaluate.generate
    warnings = [
        *check_completions(encoder, config, inputs.task, inputs.train),
        *(check_lengths(encoder, inputs.task, inputs.validation) if inputs.validation and generated else ()),
        *few_validation_cells(inputs),
        *blank_fields(inputs.task, "train", inputs.train),
    ]
    return dataclasses.replace(inputs, warnings=warnings, hints=chat_hint(encoder, config))


def only_seed(config: RunConfig) -> int:
    """Return the seed of a configuration with one.

    Raises:
        ConfigError: If there are several.
    """
    if len(config.seeds) > 1:
        raise ConfigError(f"one model has one seed, got seeds {list(config.seeds)}: choose one with --seed")
    return config.seeds[0]


def _outcome(trained: dict[str, Any], met: str) -> str:
    measure = f"mean loss {trained['loss']:.3f}"
    if trained.get("rewards"):
        first, last = trained["rewards"][0][1], trained["rewards"][-1][1]
        measure = f"mean reward {first:.3f} at first, {last:.3f} at last"
    told = f"{trained['steps']} steps in {trained['seconds']:.0f} s{met}, {measure}"
    if not trained["validations"]:
        return told
    best = [point for point in trained["validations"] if point[0] <= trained["kept"]][-1]
    return (
        f"{told}; weights of step {trained['kept']}, validation mean {100 * best[1]:.1f}, "
        f"worst {100 * best[2]:.1f}"
    )
