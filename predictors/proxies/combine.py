"""Many scores of many networks as one: ranks, votes, and weights learned from few labels.

Scores of different proxies have nothing in common but their order, so that all of these go by
ranks within the networks that are compared. Values are [n, proxies], larger is better.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from predictors.errors import PredictorError

Floats = npt.NDArray[np.float64]


DEFAULT = ("naswot", "swap", "fisher", "jacob_cov")
"""The proxies of ``combined``: two of activations, two of gradients, all of equal weight.

Activations tell most of how much a network can express, and overrate width; how the loss and the
images pull back sets that right. Three passes: forward, loss, Jacobian. These and the way they are
combined were chosen on the development networks of ``experiments/predictors/choice.py``.
"""


def combined(scores: Sequence[Mapping[str, float]]) -> Floats:
    """The default combination of networks' scores, each as ``score`` returns them: [n] in 0..1.

    It is the geometric mean of their ranks by the proxies in ``DEFAULT``, among these networks:
    the order of ``rank_product``.

    Raises:
        PredictorError: no networks, or one without a score that is needed.
    """
    for number, one in enumerate(scores):
        for name in DEFAULT:
            if name not in one:
                raise PredictorError(
                    f"the default combination is of {', '.join(DEFAULT)}; network {number} has no "
                    f"score by {name!r}"
                )
    found: Floats = np.exp(rank_product([[one[name] for name in DEFAULT] for one in scores]))
    return found


def ranks(values: npt.ArrayLike) -> Floats:
    """The share of networks that each is at least as good as, by each proxy: [n, proxies] in 0..1.

    Equal scores share the mean of their ranks.

    Raises:
        PredictorError: not a table of at least one network and one proxy, or not all finite.
    """
    from scipy.stats import rankdata

    table = _table(values)
    found: Floats = rankdata(table, axis=0) / len(table)
    return found


def rank_average(values: npt.ArrayLike) -> Floats:
    """The mean of a network's ranks: [n] in 0..1."""
    found: Floats = ranks(values).mean(1)
    return found


def rank_product(values: npt.ArrayLike) -> Floats:
    """The mean logarithm of a network's ranks: [n], 0 at the best.

    Lee and Ham, "AZ-NAS" (CVPR 2024), non-linear ranking aggregation: a network that is bad by one
    proxy is not made up for by others.
    """
    found: Floats = np.log(ranks(values)).mean(1)
    return found


def vote(values: npt.ArrayLike) -> Floats:
    """The share of the other networks that a network beats by majority of the proxies: [n] in 0..1.

    Abdelfattah et al., "Zero-Cost Proxies for Lightweight NAS" (ICLR 2021), where the majority of
    three proxies decides between two networks; a tie is half a win. A single network has 1/2.
    """
    table = _table(values)
    wins = np.full(len(table), 0.5)
    for i, one in enumerate(table):
        ahead = np.sign(one - table).sum(1)
        others = np.delete(ahead, i)
        if len(others):
            wins[i] = np.mean(0.5 + 0.5 * np.sign(others))
    return wins


@dataclass(frozen=True, eq=False)
class Learned:
    """A weighted sum of ranks, fitted on networks with labels.

    Attributes:
        reference: the sorted scores of the pool that ranks are taken in, [pool, proxies].
        weights: [proxies].
        bias: the label of a middling network.
    """

    reference: Floats
    weights: Floats
    bias: float

    def predict(self, values: npt.ArrayLike) -> Floats:
        """Labels [n] of networks by their scores [n, proxies].

        Raises:
            PredictorError: another number of proxies, or scores that are not finite.
        """
        table = _table(values)
        if table.shape[1] != self.reference.shape[1]:
            raise PredictorError(
                f"fitted on {self.reference.shape[1]} proxies; got {table.shape[1]}: give the same"
            )
        return _places(self.reference, table) @ self.weights + self.bias


def learn(
    values: npt.ArrayLike, labels: npt.ArrayLike, pool: npt.ArrayLike | None = None
) -> Learned:
    """Fit weights of proxies on scores [n, proxies] and labels [n], a few dozen.

    Bayesian ridge regression (MacKay 1992) on ranks: with few labels all proxies count a little.
    ``pool`` are scores of networks without labels, [m, proxies], that ranks are taken in; by
    default those with labels.

    Raises:
        PredictorError: fewer than two networks, another number of labels or of proxies, or
            something not finite.
    """
    from sklearn.linear_model import BayesianRidge

    table, y = _table(values), np.asarray(labels, dtype=np.float64)
    if y.shape != (len(table),) or not np.isfinite(y).all():
        raise PredictorError(
            f"one finite label for each of {len(table)} networks; got shape {[*y.shape]}"
        )
    if len(y) < 2:
        raise PredictorError(f"at least two networks are needed to learn weights; got {len(y)}")
    reference = np.sort(table if pool is None else _table(pool), axis=0)
    if reference.shape[1] != table.shape[1]:
        raise PredictorError(
            f"the pool has scores by the same {table.shape[1]} proxies; got {reference.shape[1]}"
        )
    if not np.ptp(y):
        return Learned(reference, np.zeros(table.shape[1]), float(y[0]))
    model = BayesianRidge().fit(_places(reference, table), y)
    return Learned(reference, model.coef_, float(model.intercept_))


def _places(reference: Floats, table: Floats) -> Floats:
    """Where scores lie among sorted ones, from -1, below all, to 1: [n, proxies]."""
    found = np.empty_like(table)
    for column, (known, asked) in enumerate(zip(reference.T, table.T, strict=True)):
        below = np.searchsorted(known, asked, "left") + np.searchsorted(known, asked, "right")
        found[:, column] = below / len(known) - 1
    return found


def _table(values: npt.ArrayLike) -> Floats:
    table = np.asarray(values, dtype=np.float64)
    if table.ndim != 2 or not table.size:
        raise PredictorError(
            f"scores are a table [networks, proxies] of at least one each; got {[*table.shape]}"
        )
    for network, proxy in np.argwhere(~np.isfinite(table)):
        raise PredictorError(
            f"scores are finite; network {network} has {table[network, proxy]} by proxy {proxy}"
        )
    return table
