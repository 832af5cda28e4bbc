"""Medians with intervals that assume nothing of the distribution."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.stats import binom


def median_interval(values: npt.ArrayLike, confidence: float = 0.95) -> dict[str, float]:
    """The median of values [n], and the order statistics that enclose it with that confidence.

    Below six values even the least and the largest enclose it with less; they are given then.
    """
    found = np.sort(np.asarray(values, dtype=np.float64))
    n = len(found)
    # How many values may lie below the interval, and as many above.
    outside = max(int(binom.ppf((1 - confidence) / 2, n, 0.5)) - 1, 0)
    low, high = found[outside], found[n - 1 - outside]
    return {
        "median": round(float(np.median(found)), 3),
        "low": round(float(low), 3),
        "high": round(float(high), 3),
    }
