"""How many different patterns units show over the images.

Peng et al., "SWAP-NAS: Sample-Wise Activation Patterns for Ultra-fast NAS" (ICLR 2024),
definition 3.3, without its regularisation by size.
"""

from __future__ import annotations

import numpy as np
import torch

from predictors.proxies.passes.forward import Forward, forward
from predictors.proxies.proxy import Proxy


def read(record: Forward) -> float:
    """The number of distinct columns of the codes [N, all units]."""
    if not record.codes:
        return 0.0
    columns = torch.cat(record.codes, 1).T.contiguous().cpu().numpy()
    packed = np.packbits(columns, axis=1)
    words = np.pad(packed, ((0, 0), (0, -packed.shape[1] % 8))).view(np.uint64)
    if words.shape[1] > 1:
        return len(np.unique(words, axis=0))
    # Sorting words takes a fraction of the time that ``unique`` does.
    ordered = np.sort(words[:, 0])
    return 1 + int((ordered[1:] != ordered[:-1]).sum())


SWAP = Proxy(forward, read)
