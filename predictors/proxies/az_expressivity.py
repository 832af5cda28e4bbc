"""How evenly a block's features fill their space, summed over blocks and at its slowest growth.

Lee and Ham, "AZ-NAS: Assembling Zero-Cost Proxies for Network Architecture Search" (CVPR 2024):
expressivity and progressivity. Here on the batch instead of noise.
"""

from __future__ import annotations

import itertools

import torch
from torch import Tensor

from predictors.proxies.passes.forward import Forward, forward
from predictors.proxies.proxy import Proxy
from predictors.proxies.spectrum import spectrum


def read(record: Forward) -> float:
    """The sum of all blocks' entropies."""
    return sum(entropies(record))


def read_progressivity(record: Forward) -> float:
    """The least growth of the entropy from one block to the next; 0 of a single block."""
    return min((b - a for a, b in itertools.pairwise(entropies(record))), default=0.0)


def entropies(record: Forward) -> list[float]:
    """Of each block, the entropy of its features' variance along their principal components."""
    return [_entropy(features) for features in record.features]


def _entropy(features: Tensor) -> float:
    """Of features [C, positions]; 0 where nothing varies."""
    covariance = torch.cov(features, correction=0).reshape(len(features), len(features))
    variances = spectrum(covariance)
    shares = variances / variances.sum().clamp(min=1e-30)
    return float(torch.special.entr(shares).sum())


AZ_EXPRESSIVITY = Proxy(forward, read, ("features",))
AZ_PROGRESSIVITY = Proxy(forward, read_progressivity, ("features",))
