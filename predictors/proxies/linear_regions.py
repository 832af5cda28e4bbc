"""How many linear regions lie between images.

Hanin and Rolnick, "Complexity of Linear Regions in Deep Networks" (ICML 2019): a line crosses as
many boundaries of regions as units change along it. Chen et al. (TE-NAS, ICLR 2021) count distinct
codes instead, which on any network of some size is the number of images.
"""

from __future__ import annotations

import math

import numpy as np

from predictors.proxies.passes.forward import Forward, forward
from predictors.proxies.proxy import Proxy


def read(record: Forward) -> float:
    """log(1 + boundaries crossed from one image to the next, the last to the first; their mean).

    Counted are units that differ at both ends: what a straight way crosses at the least.
    """
    if not record.codes:
        return 0.0
    crossed = np.bitwise_count(record.bits ^ np.roll(record.bits, 1, axis=0)).sum(dtype=np.int64)
    return math.log1p(crossed / len(record.bits))


LINEAR_REGIONS = Proxy(forward, read, ("codes",))
