"""How much the features of a network with random weights change with its input.

Lin et al., "Zen-NAS: A Zero-Shot NAS for High-Performance Image Recognition" (ICCV 2021),
algorithm 1. The network keeps its shortcuts, which that paper takes out.
"""

from __future__ import annotations

import math

from predictors.proxies.passes.gaussian import Gaussian, gaussian
from predictors.proxies.proxy import Proxy

SMALL = 1e-30


def read(record: Gaussian) -> float:
    """log of the features' mean change, plus the logarithms of what batch norms divided by."""
    change = float((record.near - record.far).norm(dim=1).mean())
    deviations = [0.5 * math.log(float(v.mean()) + SMALL) for v in record.variances]
    return math.log(change + SMALL) + sum(deviations)


ZEN = Proxy(gaussian, read)
