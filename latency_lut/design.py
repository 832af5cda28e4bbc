"""Which whole networks to measure: those that determine the entries best.

Left free, the criterion takes networks of few layers: in their time, against which noise counts,
each entry has a larger part. Fits of those are too fast for large networks, so every quantile of
the times gives one network (``experiments/latency/facts.py`` compares the two, and random draws).
"""

from __future__ import annotations

import numpy as np

from latency_lut.arrays import Floats, Integers
from latency_lut.fit import Prior, Scales

TYPICAL = Scales()


def strata(ms: Floats, n: int) -> Integers:
    """The number of the stratum, from 0, of each of ``ms`` [candidates]: ``n`` of equal size."""
    ranks = np.argsort(np.argsort(ms, kind="stable"), kind="stable")
    return ranks * min(n, len(ms)) // max(len(ms), 1)


def d_optimal(
    counts: Floats, prior: Prior, stratum: Integers, scales: Scales = TYPICAL
) -> Integers:
    """One of the candidates ``counts`` [candidates, parameters] of each stratum, as chosen.

    ``stratum`` [candidates] numbers them. Greedy: each is the one about which the fit would be
    least certain, against the noise of a measurement, after those before it; this adds the most
    to the determinant of the information.
    """
    weight = scales.network * (counts @ prior.mean_ms)[:, None]
    own, shared = counts * prior.own(scales) / weight, counts @ prior.shared(scales) / weight
    kernel = own @ own.T + shared @ shared.T
    chosen: list[int] = []
    free = np.ones(len(counts), dtype=np.bool_)
    while free.any():
        best = int(np.argmax(np.where(free, np.diag(kernel), -1.0)))
        chosen.append(best)
        free &= stratum != stratum[best]
        kernel = kernel - np.outer(kernel[:, best], kernel[best]) / (1 + kernel[best, best])
    return np.array(chosen, dtype=np.int64)
