"""Score cells until the answer of all of them is known to a given precision.

The figures are those of the *full matrix of these prompts and examples*, as in
:mod:`paft.statistics.budget`: precision is the error that is made by not scoring every cell. Further
prompts and examples are another question, to which :mod:`paft.statistics.comparison` answers from every
cell, and whose interval no part of the cells can make narrower. Chance lies in the choice of the
cells alone, so the variance below assumes nothing of prompts, examples or scores; that errors are nearly
normal is assumed, and tried in the benchmark.

Order. Rows and columns are shuffled, then walked along the diagonals: cell t lies in row ``(t +
floor(t / lcm(P, N))) mod P`` and column ``t mod N``. In the first t cells, for each t, prompts, and
examples, occur equally often up to one. As the shuffles make all pairs of cells of one row (one column,
neither) equally likely, the variance of the mean over any first t cells, t a multiple of P, is exactly

    ``V(t) = C [sum_i w_i² - 1/N] + (s² - C) [1/t - 1/(P N)]``,  ``w_i`` the share of t in column i,

with s² and C as in :mod:`paft.statistics.budget`: what prompts, and examples, have in common drops out,
and what is left is sampled without replacement. A part that happens to show no
interaction of prompt and example proves little, hence ``s² - C`` is estimated as if one more pair of
cells in a column had differed.

Mean. The first look estimates V, the second one is at the t for which V forecasts the precision (Stein
1945, A two-sample test for a linear hypothesis whose power is independent of the variance; Chow and
Robbins 1965, On the asymptotic theory of fixed-width sequential confidence intervals for the mean), the
third mends a forecast that was too low, and then every cell is scored. Looks are paid for by splitting
the error of 5 % among them (``SPENT``: the spending of Lan and DeMets 1983, Discrete sequential boundaries
for clinical trials, by Bonferroni's inequality, which holds however looks depend on each other). Most
goes to the second look, where most evaluations end. Whole matrices cost nothing: they have no error. The
interval is the mean -+ precision, of fixed width: one from few cells may seem narrower by chance.

Several models. All are scored on the same cells, until a look finds the mean of each *and* the difference
of every two precise enough. V assumes nothing of scores, so it is that of the matrix of differences, too,
whose cells are -1, 0 or 1; the pair of cells that is taken to differ is then one where the models agree
and one where they do not. The largest forecast counts. A figure that misses does so at the look that ends
the scoring, where its own half-width is within the precision: so each is paid for as if it were alone. Each
interval holds at 95 %, not all of them at once.

Worst prompt. The lowest prompt is scored on every example; its accuracy U is known and the minimum
is no higher. Prompts whose lower bound is below ``U - 2 precision`` get twice the cells, until there is
none: then the minimum lies in [lowest bound, U], an interval of half-width ``precision`` at most.
It is missed only if the *one* prompt that is worst has a bound that is too high, whatever the bounds
of the others do: so the error is split among the looks at one prompt, not among prompts. A bound is Wilson's
for the adjusted accuracy a_p of :mod:`paft.statistics.budget`, with the trials ``n (N - 1) / (N - n) / r``:
the first factor for a finite population, r the share of the variance that m other prompts' scores on the
same examples leave unexplained: ``1 - m C² / (s² (s² + (m - 1) C))`` of all prompts, or what is left of
the prompt's own, if that is more, since a prompt that fails alone is explained by no other. The quantile
is Student's with n - 1 degrees of freedom.

``benchmarks/precision.json`` has coverage and saving, on simulated and on real matrices.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from paft.statistics.budget import PartEstimate, adjust_accuracies, estimate_components, estimate_std

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
Score = Callable[[Mask], Floats]  # scores of the cells that are asked for, (P, N), NaN elsewhere

ERROR = 0.05
SPENT = 0.005, 0.04, 0.005  # of the error, by look at the mean
FIRST_PER_PROMPT, FIRST = 8, 200  # cells of the first look at least
RESERVE = 1.05  # a forecast aims at the precision divided by it
ONE_PAIR = 0.5  # squared difference of a score of 0 and one of 1, halved


@dataclass(frozen=True)
class WorstPrompt:
    """The accuracy of the worst prompt in the full matrix, at 95 %.

    Attributes:
        prompt: Row of the lowest prompt that was scored on every example.
        value: Its accuracy: the minimum is no higher.
        low: The minimum is no lower.
        high: ``value``.
    """

    prompt: int
    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Measured:
    """What was found, and from which cells.

    Attributes:
        scores: Every score, (P, N), NaN where a cell was not scored.
        mean: The mean over all cells, with the interval that was asked for; of no width if all are known.
        std: The standard deviation over prompts.
        looks: Cells scored after each look at the mean; its last is what ``mean`` and ``std`` are from.
        worst: The worst prompt; None if it was not asked for.
    """

    scores: Floats
    mean: PartEstimate
    std: PartEstimate
    looks: tuple[int, ...]
    worst: WorstPrompt | None


@dataclass(frozen=True)
class _Spread:
    """Components of the variance of scores in a matrix of P x N.

    Attributes:
        shape: P and N.
        alone: s² - C, raised as the module docstring says.
        common: C.
        freedom: Pairs of cells in a column behind them.
    """

    shape: tuple[int, int]
    alone: float
    common: float
    freedom: float

    @property
    def total(self) -> float:
        """s²."""
        return self.alone + self.common

    def variance(self, cells: int) -> float:
        """V of the module docstring."""
        prompts, examples = self.shape
        often, more = divmod(cells, examples)
        squares = ((examples - more) * often**2 + more * (often + 1) ** 2) / cells**2
        by_example, by_cell = squares - 1 / examples, 1 / cells - 1 / (prompts * examples)
        return float(max(0.0, self.common * by_example + self.alone * by_cell))

    def half_width(self, cells: int, error: float) -> float:
        """Return the half-width of the interval that misses with this probability."""
        return float(stdtrit(self.freedom, 1 - error / 2)) * math.sqrt(self.variance(cells))

    def unexplained(self, others: float) -> float:
        """Return r of the module docstring."""
        if others <= 0:
            return 1.0
        return 1 - others * self.common**2 / (self.total * (self.total + (others - 1) * self.common))


def measure_matrix(
    score: Score, prompts: int, examples: int, *, precision: float, seed: int, worst: bool
) -> Measured:
    """Have cells of one model scored until mean, and worst prompt, are known (:func:`measure_models`)."""
    models = measure_models([score], prompts, examples, precision=precision, seed=seed, worst=worst)[0]
    return models[0]


def measure_models(
    scorers: Sequence[Score], prompts: int, examples: int, *, precision: float, seed: int, worst: bool
) -> tuple[list[Measured], dict[tuple[int, int], PartEstimate]]:
    """Have cells scored until means, their differences, and worst prompts, are known to a precision.

    Args:
        scorers: One for each model: returns its scores of the cells that are asked for. Each call asks for
            all of the last one and more. Which, follows from ``seed`` and from the scores of all models.
        prompts: P, at least 2.
        examples: N, at least 2.
        precision: Half-width of a 95 % interval that is wanted, in (0, 1).
        seed: Of the order of the cells.
        worst: Whether the worst prompt of each model is looked for.

    Returns:
        What was found of each model, and the mean of a later one less that of an earlier one by their
        places, the earlier first.

    Raises:
        ValueError: If a number is out of range.
    """
    if not scorers or min(prompts, examples) < 2 or not 0 < precision < 1:
        raise ValueError(
            f"{len(scorers)} models, {prompts} prompts, {examples} examples, precision {precision}: "
            "out of range"
        )
    order = order_cells(prompts, examples, seed)
    looks, scores, spreads = _look_at_means(scorers, order, precision)
    half = precision if looks[-1] < order.size else 0.0
    models = []
    for score, own, spread in zip(scorers, scores, spreads[: len(scorers)], strict=True):
        mean = _interval(own, spread, looks[-1], half, lowest=0.0)
        found = Measured(own, mean, estimate_std(own), looks, None)
        if worst:
            every, lowest = _look_for_worst(score, order, own, spread, precision)
            found = replace(found, scores=every, worst=lowest)
        models.append(found)
    pairs = combinations(range(len(scorers)), 2)
    differences = {
        (first, second): _interval(scores[second] - scores[first], spread, looks[-1], half, lowest=-1.0)
        for (first, second), spread in zip(pairs, spreads[len(scorers) :], strict=True)
    }
    return models, differences


def _interval(scores: Floats, spread: _Spread, cells: int, half: float, *, lowest: float) -> PartEstimate:
    """Return the mean of balanced cells, which lies between ``lowest`` and 1, -+ half a width."""
    value = float(np.nanmean(scores, axis=1).mean())
    error = spread.variance(cells) ** 0.5
    return PartEstimate(value, error, max(lowest, value - half), min(1.0, value + half))


def order_cells(prompts: int, examples: int, seed: int) -> NDArray[np.int64]:
    """Return the place of each cell in the order of the module docstring, (P, N).

    >>> order_cells(2, 3, 0).tolist()
    [[4, 2, 0], [1, 5, 3]]
    """
    generator = np.random.default_rng(seed)
    rows, columns = generator.permutation(prompts), generator.permutation(examples)
    places = np.arange(prompts * examples)
    order = np.empty((prompts, examples), dtype=np.int64)
    diagonal = places + places // math.lcm(prompts, examples)
    order[rows[diagonal % prompts], columns[places % examples]] = places
    return order


def _look_at_means(
    scorers: Sequence[Score], order: NDArray[np.int64], precision: float
) -> tuple[tuple[int, ...], list[Floats], list[_Spread]]:
    """Return the cells after each look, the scores at the last, and the spreads of models and differences."""
    prompts = len(order)
    cells = prompts * max(FIRST_PER_PROMPT, math.ceil(FIRST / prompts))
    looks: list[int] = []
    for look, error in enumerate(SPENT):
        if cells >= order.size:
            break
        looks.append(cells)
        scores, spreads = _look(scorers, order < cells)
        if all(spread.half_width(cells, error) <= precision for spread in spreads):
            return tuple(looks), scores, spreads
        if look + 1 < len(SPENT):
            aim, following = precision / RESERVE, SPENT[look + 1]
            cells = max(_forecast(spread, cells, following, aim) for spread in spreads)
    scores, spreads = _look(scorers, order < order.size)
    return (*looks, order.size), scores, spreads


def _look(scorers: Sequence[Score], mask: Mask) -> tuple[list[Floats], list[_Spread]]:
    """Return each model's scores of these cells, and the spreads of models and of differences."""
    scores = [score(mask) for score in scorers]
    differences = [second - first for first, second in combinations(scores, 2)]
    return scores, [_estimate_spread(each) for each in (*scores, *differences)]


def _forecast(spread: _Spread, cells: int, error: float, precision: float) -> int:
    """Return how many cells will do, if the spread is what it seems: a multiple of P, or all."""
    prompts, examples = spread.shape
    for more in range(cells + prompts, prompts * examples, prompts):
        freedom = spread.freedom * more / cells
        if replace(spread, freedom=freedom).half_width(more, error) <= precision:
            return more
    return prompts * examples


def _estimate_spread(scores: Floats) -> _Spread:
    """Return the components of balanced cells; without pairs in a column nothing is known to be common."""
    total, common = estimate_components(scores)
    columns, (prompts, examples) = (~np.isnan(scores)).sum(axis=0), scores.shape
    cells = int(columns.sum())
    pairs = float((columns * (columns - 1)).sum()) / 2
    freedom = max(1.0, min(pairs, cells - prompts - examples + 1) if pairs else cells - prompts)
    alone = ((total - common) * freedom + ONE_PAIR) / (freedom + 1)
    return _Spread((prompts, examples), alone, common, freedom)


def _look_for_worst(
    score: Score, order: NDArray[np.int64], scores: Floats, spread: _Spread, precision: float
) -> tuple[Floats, WorstPrompt]:
    """Return all scores and the worst prompt; ``scores`` are those of balanced cells."""
    examples = order.shape[1]
    turns = order.argsort(axis=1).argsort(axis=1)  # of a cell within its prompt
    counts = (~np.isnan(scores)).sum(axis=1)
    looks = max(1, math.ceil(math.log2(examples / counts.min())))
    accuracies, _ = adjust_accuracies(scores)
    wanted = [int(accuracies.argmin())]
    counts[wanted] = examples
    while True:
        scores = score(turns < counts[:, None])
        accuracies, _ = adjust_accuracies(scores)
        whole = counts == examples
        worst = int(np.where(whole, accuracies, np.inf).argmin())
        low = _lower_bounds(scores, spread, ERROR / looks)
        wanted = np.flatnonzero(low < accuracies[worst] - 2 * precision).tolist()
        if not wanted:
            value = float(accuracies[worst])
            return scores, WorstPrompt(worst, value, min(value, float(low.min())), value)
        counts[wanted] = np.minimum(examples, 2 * counts[wanted])


def _lower_bounds(scores: Floats, spread: _Spread, error: float) -> Floats:
    """Return Wilson's lower bounds of the module docstring, (P); the accuracy of a prompt that is whole."""
    bounds, noise = adjust_accuracies(scores)
    observed, examples = ~np.isnan(scores), scores.shape[1]
    counts = observed.sum(axis=1)
    others = ((observed.sum(axis=0) - 1) * observed).sum(axis=1) / counts
    for prompt in np.flatnonzero(counts < examples):
        count = int(counts[prompt])
        t = float(stdtrit(count - 1, 1 - error))
        finite = 1 / count - 1 / examples
        left, varies = float(noise[prompt]) / finite, float(np.nanvar(scores[prompt], ddof=1))
        own = left / varies if varies > 0 else 0.0
        share = max(spread.unexplained(float(others[prompt])), own)
        inverse = t * t * finite * examples / (examples - 1) * share
        value = min(1.0, max(0.0, float(bounds[prompt])))
        half = (value * (1 - value) * inverse + (inverse / 2) ** 2) ** 0.5
        bounds[prompt] = max(0.0, (value + inverse / 2 - half) / (1 + inverse))
    return bounds
