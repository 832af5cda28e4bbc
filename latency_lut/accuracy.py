"""How far predictions are from measurements, in the figures that a table carries."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from latency_lut.arrays import Floats
from latency_lut.latency import Latency

# Half the width of the central 90% of a normal distribution, in standard deviations.
NINETY = 1.6448536269514722


@dataclass(frozen=True)
class Accuracy:
    """Predictions against measurements of ``networks`` networks; shares from 0 to 1.

    ``mape`` and ``bias`` are relative (0.01 for 1%), ``within_2_5`` and so on shares of networks
    off by at most that many percent. ``coverage_90`` is the share inside the 90% interval.
    ``repeat_noise`` is how far the halves of the campaign were from each other on the same
    networks, the mean over networks: no table can be expected to be much better.
    ``spearman`` and ``kendall`` are None for fewer than three networks.
    """

    networks: int
    mape: float
    bias: float
    within_2_5: float
    within_5: float
    within_10: float
    spearman: float | None
    kendall: float | None
    coverage_90: float | None
    repeat_noise: float


def mape(predicted: Floats, measured: Floats) -> float:
    """Mean absolute error relative to what was measured (0.01 for 1%), over both [n]."""
    return float(np.abs(predicted / measured - 1).mean())


def accuracy(predicted_ms: Floats, std_ms: Floats | None, measured: list[Latency]) -> Accuracy:
    """Figures of predictions [n] with their standard deviations [n], or None without."""
    from scipy.stats import kendalltau, spearmanr  # Takes a second, and predicting needs it not.

    ms = np.array([one.latency_ms for one in measured])
    halves = np.array([one.halves_ms for one in measured])
    error = predicted_ms / ms - 1
    ranked = len(ms) > 2
    covered = None if std_ms is None else np.abs(predicted_ms - ms) <= NINETY * std_ms
    return Accuracy(
        networks=len(ms),
        mape=mape(predicted_ms, ms),
        bias=float(error.mean()),
        within_2_5=float((np.abs(error) <= 0.025).mean()),
        within_5=float((np.abs(error) <= 0.05).mean()),
        within_10=float((np.abs(error) <= 0.1).mean()),
        spearman=float(spearmanr(predicted_ms, ms).statistic) if ranked else None,
        kendall=float(kendalltau(predicted_ms, ms).statistic) if ranked else None,
        coverage_90=None if covered is None else float(covered.mean()),
        repeat_noise=float((np.abs(halves[:, 0] - halves[:, 1]) / halves.mean(axis=1)).mean()),
    )
