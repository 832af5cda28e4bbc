"""How much the flow of gradients would change if weights were kept.

Wang et al., "Picking Winning Tickets Before Training by Preserving Gradient Flow" (ICLR 2020),
the importance of weights by the Hessian-gradient product; summed over the network as in Abdelfattah
et al. (ICLR 2021).
"""

from __future__ import annotations

import math

from predictors.proxies.passes.curvature import curvature
from predictors.proxies.passes.gradients import Gradients
from predictors.proxies.proxy import Proxy


def read(record: Gradients) -> float:
    """Minus the sum over all weights of weight times the Hessian times the gradient.

    It has either sign and many magnitudes, so that its inverse hyperbolic sine is taken:
    logarithmic on both sides of zero.
    """
    pairs = zip(record.weights, record.gradients, strict=True)
    return math.asinh(-sum(float((weight * second).sum()) for weight, second in pairs))


GRASP = Proxy(curvature, read)
