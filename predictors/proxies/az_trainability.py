"""How close blocks are to handing gradients back at the size that they come in.

Lee and Ham, "AZ-NAS" (CVPR 2024): trainability.
"""

from __future__ import annotations

from predictors.proxies.passes.blockwise import Blockwise, blockwise
from predictors.proxies.proxy import Proxy
from predictors.proxies.spectrum import spectral_norm

SMALL = 1e-6


def read(record: Blockwise) -> float:
    """The mean over blocks of 2 - s - 1/s, s the spectral norm of what comes back of random signs.

    At its largest, 0, where a block keeps the size; 0 as well for a network of a single block.
    """
    terms = []
    for sent, back in record.pairs:
        given, taken = sent.transpose(0, 1).flatten(1), back.transpose(0, 1).flatten(1)
        norm = spectral_norm(taken @ given.T / given.shape[1])
        terms.append(2 - norm - 1 / (norm + SMALL))
    return sum(terms) / len(terms) if terms else 0.0


AZ_TRAINABILITY = Proxy(blockwise, read)
