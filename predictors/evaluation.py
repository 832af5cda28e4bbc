"""How good predictors are on networks that they were not fitted on, against sample count."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass

import numpy as np
import numpy.typing as npt

from predictors import ranks
from predictors.catalogue import get
from predictors.errors import PredictorError
from predictors.labels import constant
from predictors.method import Floats
from predictors.networks import networks
from predictors.predictor import Predictor
from search_spaces.space import Space

TOP = 10
"""A regret is that of measuring so many networks."""
LEAST_UNSEEN = 2 * TOP


@dataclass(frozen=True)
class Measures:
    """What is said of predictions; ``coverage`` of 90% intervals is NaN where there are none.

    ``regret`` is how far the best of the ten that are predicted best is from the best of all, in
    units of the labels.
    """

    kendall: float
    spearman: float
    regret: float
    coverage: float

    @classmethod
    def of(
        cls, mean: Floats, std: Floats | None, actual: Floats, larger_is_better: bool
    ) -> Measures:
        """Of predictions [n], with their deviations [n] where there are any."""
        return cls(
            ranks.kendall(mean, actual),
            ranks.spearman(mean, actual),
            ranks.regret(mean, actual, TOP, larger_is_better=larger_is_better),
            math.nan if std is None else ranks.coverage(mean, std, actual),
        )


NOTHING = Measures(math.nan, math.nan, math.nan, math.nan)
"""Of a predictor that could not be fitted."""


@dataclass(frozen=True)
class Summary:
    """Over repetitions: ``mean``, and ``half``, half the width of its 95% interval (Student's).

    ``counted`` is how many of them ranked anything; what is NaN counts nowhere. Repetitions share
    networks, so that the interval is too narrow: it says how far a mean of other draws from the
    same networks may be, not from others (Nadeau and Bengio, "Inference for the Generalization
    Error", Machine Learning 2003).
    """

    mean: Measures
    half: Measures
    counted: int


def split(
    space: Space, X: npt.ArrayLike, n: int, rng: np.random.Generator
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Positions of ``n`` rows of different networks, and of all rows of the other networks.

    Raises:
        PredictorError: too few networks are left to rank.
    """
    network = networks(space, space.checked(X))
    order = rng.permutation(len(network))
    _, first = np.unique(network[order], return_index=True)
    if len(first) < n + LEAST_UNSEEN:
        raise PredictorError(
            f"to fit on {n} networks and rank at least {LEAST_UNSEEN} others takes "
            f"{n + LEAST_UNSEEN}; got {len(first)}"
        )
    fitted = order[np.sort(first)[:n]]
    return fitted, np.flatnonzero(~np.isin(network, network[fitted]))


def evaluate(
    name: str,
    space: Space,
    X: npt.ArrayLike,
    y: npt.ArrayLike,
    n: int,
    seed: int,
    *,
    larger_is_better: bool = True,
    proxies: Mapping[str, Floats] | None = None,
) -> Measures:
    """Fit on ``n`` networks drawn by ``seed``, measure on those that are left.

    ``X`` [rows, choices], ``y`` [rows]; ``proxies``: for each name a number of every row, passed
    to the predictor. ``NOTHING`` where the labels of all that were drawn are equal.

    Raises:
        PredictorError: too few networks, or what ``fit`` refuses.
    """
    predictor = get(name, space, seed=seed)
    return examine(predictor, X, y, n, seed, larger_is_better=larger_is_better, proxies=proxies)


def examine(
    predictor: Predictor,
    X: npt.ArrayLike,
    y: npt.ArrayLike,
    n: int,
    seed: int,
    *,
    larger_is_better: bool = True,
    proxies: Mapping[str, Floats] | None = None,
) -> Measures:
    """As ``evaluate``, a predictor that is in no catalogue; it is fitted."""
    rows, labels = predictor.space.checked(X), np.asarray(y, dtype=np.float64)
    fitted, others = split(predictor.space, rows, n, np.random.default_rng(seed))
    if constant(labels[fitted]):
        return NOTHING
    told, asked = (
        {key: values[part] for key, values in (proxies or {}).items()} for part in (fitted, others)
    )
    predictor.fit(rows[fitted], labels[fitted], proxies=told)
    mean, std = predictor.predict(rows[others], return_std=True, proxies=asked)
    return Measures.of(mean, std, labels[others], larger_is_better)


def judge(
    scores: npt.ArrayLike,
    space: Space,
    X: npt.ArrayLike,
    y: npt.ArrayLike,
    n: int,
    seed: int,
    *,
    larger_is_better: bool = True,
) -> Measures:
    """Measure ``scores`` [rows] on the networks that ``evaluate`` would measure a predictor on.

    Raises:
        PredictorError: too few networks.
    """
    _, others = split(space, X, n, np.random.default_rng(seed))
    said, labels = np.asarray(scores, dtype=np.float64), np.asarray(y, dtype=np.float64)
    return Measures.of(said[others], None, labels[others], larger_is_better)


def summary(measures: Sequence[Measures]) -> Summary:
    """Of repetitions; the interval of a single one is NaN."""
    values = np.array([astuple(one) for one in measures])
    mean, half = zip(*(_mean_and_half(column) for column in values.T), strict=True)
    return Summary(Measures(*mean), Measures(*half), int(np.isfinite(values[:, 0]).sum()))


def _mean_and_half(values: Floats) -> tuple[float, float]:
    from scipy.stats import t

    known = values[np.isfinite(values)]
    n = len(known)
    if n < 2:
        return (float(known[0]) if n else math.nan), math.nan
    half = t.ppf(0.975, n - 1) * known.std(ddof=1) / math.sqrt(n)
    return float(known.mean()), float(half)
