"""Which whole networks to measure: those that determine the entries best."""

from __future__ import annotations

import numpy as np

from latency_lut.arrays import Floats, Integers
from latency_lut.fit import Prior, Scales

TYPICAL = Scales()


def d_optimal(counts: Floats, prior: Prior, n: int, scales: Scales = TYPICAL) -> Integers:
    """``n`` of the candidates ``counts`` [candidates, parameters], in the order of choice.

    Greedy: each is the one about which the fit would be least certain, against the noise of a
    measurement, after those before it; this adds the most to the determinant of the information.
    """
    weight = scales.network * (counts @ prior.mean_ms)[:, None]
    own, shared = counts * prior.own(scales) / weight, counts @ prior.shared(scales) / weight
    kernel = own @ own.T + shared @ shared.T
    chosen: list[int] = []
    free = np.ones(len(counts), dtype=np.bool_)
    for _ in range(min(n, len(counts))):
        best = int(np.argmax(np.where(free, np.diag(kernel), -1.0)))
        chosen.append(best)
        free[best] = False
        kernel = kernel - np.outer(kernel[:, best], kernel[best]) / (1 + kernel[best, best])
    return np.array(chosen, dtype=np.int64)
