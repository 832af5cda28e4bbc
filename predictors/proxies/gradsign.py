"""In how many weights the images pull in the same direction.

Zhang and Jia, "GradSign: Model Performance Inference with Theoretical Insights" (ICLR 2022),
algorithm 1.
"""

from __future__ import annotations

import itertools

from predictors.proxies.passes.samples import SampleGradients, sample_losses
from predictors.proxies.proxy import Proxy


def read(record: SampleGradients) -> float:
    """The sum over weights of the absolute value of the sum over images of the gradient's sign."""
    pieces = itertools.chain.from_iterable(record.pieces())
    return sum(float(gradients.sign().sum(0).abs().sum()) for gradients in pieces)


GRADSIGN = Proxy(sample_losses, read)
