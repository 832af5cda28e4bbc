"""How evenly a network can learn its images.

Chen et al., "Neural Architecture Search on ImageNet in Four GPU Hours" (TE-NAS, ICLR 2021),
trainability: the condition number of the neural tangent kernel, here of the first 16 images and of
the sum of the outputs.
"""

from __future__ import annotations

import itertools
import math

import torch

from predictors.proxies.passes.samples import SampleGradients, sample_logits
from predictors.proxies.proxy import Proxy
from predictors.proxies.spectrum import spectrum

RESOLUTION = 1e-7
"""Eigenvalues below this share of the largest are rounding."""


def read(record: SampleGradients) -> float:
    """Minus the logarithm of the condition number; 0 at the best."""
    if not record.gradients:
        return math.log(RESOLUTION)
    pieces = itertools.chain.from_iterable(record.pieces())
    kernel = torch.stack([(rows @ rows.T).double() for rows in pieces]).sum(0)
    values = spectrum(kernel)
    least, largest = float(values[0]), float(values[-1])
    if largest == 0:
        return math.log(RESOLUTION)
    return math.log(max(least / largest, RESOLUTION))


NTK = Proxy(sample_logits, read)
