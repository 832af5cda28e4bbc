"""How large gradients are beside how much they vary from image to image.

Li et al., "ZiCo: Zero-shot NAS via Inverse Coefficient of Variation on Gradients" (ICLR 2023),
the proxy ZiCo, with batches of one image. The deviation is that of gradients with their signs, as
in the authors' code (SLDGroup/ZiCo); the formula in print may be read as that of their sizes.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from predictors.proxies.passes.samples import SampleGradients, sample_losses
from predictors.proxies.proxy import Proxy


def read(record: SampleGradients) -> float:
    """The sum over weight tensors of log sum over weights of mean |g| / deviation of g.

    Weights whose gradient does not vary are left out, and so are tensors that have no others.
    """
    total = 0.0
    for pieces in record.pieces():
        ratio = sum(_ratio(gradients) for gradients in pieces)
        if not math.isfinite(ratio):
            return -math.inf
        total += math.log(ratio) if ratio > 0 else 0.0
    return total


def _ratio(gradients: Tensor) -> float:
    """The sum of the ratios of weights, [n, weights]; NaN where gradients overflow."""
    # In two passes: ``std`` takes three times as long along this axis.
    deviation = (gradients - gradients.mean(0)).square_().mean(0).sqrt_()
    if not torch.isfinite(deviation).all():
        return math.nan
    # Where nothing varies 0 / 0 and x / 0 are left out.
    return float((gradients.abs().mean(0) / deviation).nan_to_num_(0, 0, 0).sum())


ZICO = Proxy(sample_losses, read)
