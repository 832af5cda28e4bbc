"""How many different patterns units show over the images.

Peng et al., "SWAP-NAS: Sample-Wise Activation Patterns for Ultra-fast NAS" (ICLR 2024),
the SWAP-Score, without its regularisation by size.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from predictors.proxies.passes.forward import Forward, forward
from predictors.proxies.proxy import Proxy


def read(record: Forward) -> float:
    """The number of distinct columns of the codes [N, all units]."""
    if not record.codes:
        return 0.0
    found = [_columns(*one) for one in zip(record.codes, record.units, strict=True)]
    words = np.concatenate(found)
    if words.shape[1] > 1:
        return len(np.unique(words, axis=0))
    # Sorting words takes a fraction of the time that ``unique`` does.
    ordered = np.sort(words[:, 0])
    return 1 + int((ordered[1:] != ordered[:-1]).sum())


def _columns(codes: npt.NDArray[np.uint8], units: int) -> npt.NDArray[np.uint64]:
    """Codes of images [N, bytes] as those of units [units, words]: a bit for every image."""
    if missing := -len(codes) % 64:
        codes = np.pad(codes, ((0, missing), (0, 0)))
    eights = np.unpackbits(codes, axis=1, count=units).reshape(-1, 8, units)
    # An eighth of the time that ``packbits`` takes along this axis.
    packed = eights[:, 0].copy()
    for bit in range(1, 8):
        packed |= eights[:, bit] << bit
    return np.ascontiguousarray(packed.T).view(np.uint64)


SWAP = Proxy(forward, read, ("codes",))
