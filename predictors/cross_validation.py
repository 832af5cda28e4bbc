"""How good a predictor is, as far as the samples that it is fitted on can tell."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from predictors import ranks
from predictors.catalogue import get
from predictors.errors import PredictorError
from predictors.labels import constant
from predictors.method import folds
from predictors.networks import networks
from search_spaces.space import Space

PARTS = 5
LEAST = 2 * PARTS
RESAMPLES = 1000


@dataclass(frozen=True)
class Estimate:
    """A statistic of all samples, and its 95% interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class CrossValidated:
    """What fits say of samples that they have not seen.

    Attributes:
        kendall: Kendall's tau between predictions and labels.
        error: the mean absolute error, in units of the labels.
        coverage: the share of labels within the 90% interval of their prediction.
    """

    kendall: Estimate
    error: Estimate
    coverage: Estimate


def cross_validated(
    name: str,
    space: Space,
    X: npt.ArrayLike,
    y: npt.ArrayLike,
    seed: int = 0,
    tell: Callable[[int], None] = lambda _: None,
) -> CrossValidated:
    """Predict each of ``PARTS`` parts of the samples by a fit on the others.

    ``X`` [n, choices] are rows, ``y`` [n] labels. Samples of one network are in one part; ``tell``
    is called with the number of parts that are done.
    Intervals are the bootstrap's percentiles over samples (Efron and Tibshirani, "An Introduction
    to the Bootstrap", 1993, chapter 13). They know nothing of how the samples were drawn, and
    the predictor of all samples has seen a quarter more of them: it is a little better.

    Raises:
        PredictorError: fewer than ``LEAST`` networks, or labels or predictions that rank nothing.
    """
    rows, labels = space.canonical(X), np.asarray(y, dtype=np.float64)
    network = networks(space, rows)
    if (different := len(np.unique(network))) < LEAST:
        raise PredictorError(
            f"to cross-validate in {PARTS} parts takes {LEAST} networks; got {different}: "
            "measure more"
        )
    mean, std = np.empty(len(rows)), np.empty(len(rows))
    part = folds(network, np.random.default_rng(seed), PARTS)
    for number in range(PARTS):
        left, seen = part == number, part != number
        fitted = get(name, space, seed=seed).fit(rows[seen], labels[seen])
        mean[left], std[left] = fitted.predict(rows[left], return_std=True)
        tell(number + 1)
    if constant(mean):
        raise PredictorError(
            f"predictions that are to be ranked differ; all {len(mean)} are {mean[0]:g}: measure "
            "networks that differ more"
        )
    rng = np.random.default_rng(seed)
    draws = rng.integers(0, len(rows), (RESAMPLES, len(rows)))

    def estimate(statistic: Callable[[npt.NDArray[np.int64]], float]) -> Estimate:
        again = np.array([statistic(draw) for draw in draws])
        low, high = np.nanquantile(again, (0.025, 0.975))
        return Estimate(statistic(np.arange(len(rows))), float(low), float(high))

    return CrossValidated(
        kendall=estimate(lambda some: ranks.kendall(mean[some], labels[some])),
        error=estimate(lambda some: float(np.abs(mean - labels)[some].mean())),
        coverage=estimate(lambda some: ranks.coverage(mean[some], std[some], labels[some])),
    )
