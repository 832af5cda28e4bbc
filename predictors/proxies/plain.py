"""Weights times gradients, signs kept.

Mozer and Smolensky, "Skeletonization" (NeurIPS 1988); "plain" in NAS-Bench-Suite-Zero (Krishnakumar
et al., NeurIPS 2022). Before a batch norm it is close to zero, because the norm undoes the scale of
those weights.
"""

from __future__ import annotations

from predictors.proxies.passes.gradients import Gradients
from predictors.proxies.passes.loss import loss_gradients
from predictors.proxies.proxy import Proxy


def read(record: Gradients) -> float:
    """The sum over all weights of weight times derivative."""
    pairs = zip(record.weights, record.gradients, strict=True)
    return sum(float((weight * gradient).sum()) for weight, gradient in pairs)


PLAIN = Proxy(loss_gradients, read)
