"""Which networks of a population to measure on a new device."""

from __future__ import annotations

import numpy as np

from latency_lut.arrays import Integers
from latency_lut.transfer.transfer import Transfer


def informative(transfer: Transfer, candidates: Integers, n: int) -> Integers:
    """``n`` of ``candidates`` (rows of the population), in the order of choice.

    Greedy: each is the one that tells most about all candidates, the one that leaves the least
    sum of their variances, given those before it (A-optimal in the predictions).
    """
    kernel = transfer.covariance(candidates)
    noise = np.exp(transfer.weights.noise_mean)
    chosen: list[int] = []
    free = np.ones(len(candidates), dtype=np.bool_)
    for _ in range(min(n, len(candidates))):
        gain = (kernel**2).sum(axis=0) / (np.diag(kernel) + noise)
        best = int(np.argmax(np.where(free, gain, -1.0)))
        chosen.append(best)
        free[best] = False
        kernel = kernel - np.outer(kernel[:, best], kernel[best]) / (kernel[best, best] + noise)
    return candidates[chosen]
