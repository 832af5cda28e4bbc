"""How well predictions rank, and how honest their uncertainty is."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from predictors.errors import PredictorError

Floats = npt.NDArray[np.float64]


def kendall(predicted: npt.ArrayLike, actual: npt.ArrayLike) -> float:
    """Kendall's tau-b, -1 to 1: agreeing pairs less disagreeing ones, corrected for ties.

    Kendall, "The treatment of ties in ranking problems" (Biometrika 1945). NaN where either
    side is constant: it ranks nothing.
    """
    from scipy.stats import kendalltau

    p, a = _pair(predicted, actual)
    return float(kendalltau(p, a).statistic) if np.ptp(p) and np.ptp(a) else float("nan")


def spearman(predicted: npt.ArrayLike, actual: npt.ArrayLike) -> float:
    """Spearman's rho, -1 to 1: the correlation of ranks. NaN where either side is constant."""
    from scipy.stats import spearmanr

    p, a = _pair(predicted, actual)
    return float(spearmanr(p, a).statistic) if np.ptp(p) and np.ptp(a) else float("nan")


def coverage(
    mean: npt.ArrayLike, std: npt.ArrayLike, actual: npt.ArrayLike, level: float = 0.9
) -> float:
    """The share of actual values within the central normal interval of that level."""
    from scipy.stats import norm

    if not 0 < level < 1:
        raise PredictorError(f"the level of an interval is between 0 and 1; got {level}")
    m, a = _pair(mean, actual)
    s, _ = _pair(std, actual)
    return float(np.mean(np.abs(a - m) <= norm.ppf((1 + level) / 2) * s))


def regret(
    predicted: npt.ArrayLike, actual: npt.ArrayLike, k: int = 10, *, larger_is_better: bool = True
) -> float:
    """What is lost by measuring only the ``k`` that are predicted best: best of all less best of k.

    In units of ``actual``, 0 where the best is among them. Of those that are predicted alike at the
    end of the k, the mean over all ways to choose.
    """
    p, a = _pair(predicted, actual)
    if not 1 <= k <= len(a):
        raise PredictorError(f"k is between 1 and the number of networks, {len(a)}; got {k}")
    sign = 1 if larger_is_better else -1
    score, value = sign * p, sign * a
    last = -np.partition(-score, k - 1)[k - 1]
    sure = value[score > last].max(initial=-np.inf)
    tied = -np.sort(-value[score == last])
    chosen = k - int((score > last).sum())
    # Best first: the chance that one is chosen and none before it was.
    left = len(tied) - np.arange(len(tied))
    chance = np.minimum(chosen / left, 1)
    first = chance * np.concatenate([[1], np.cumprod(1 - chance)[:-1]])
    return float(value.max() - first @ np.maximum(tied, sure))


def _pair(predicted: npt.ArrayLike, actual: npt.ArrayLike) -> tuple[Floats, Floats]:
    p, a = np.asarray(predicted, dtype=np.float64), np.asarray(actual, dtype=np.float64)
    if p.ndim != 1 or p.shape != a.shape:
        raise PredictorError(f"two lists of one length are compared; got {p.shape} and {a.shape}")
    if len(p) < 2 or not (np.isfinite(p).all() and np.isfinite(a).all()):
        raise PredictorError(f"at least two finite values are compared; got {len(p)} values")
    return p, a
