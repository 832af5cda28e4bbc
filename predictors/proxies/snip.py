"""How much the loss would change if weights were cut.

Lee et al., "SNIP: Single-shot Network Pruning based on Connection Sensitivity" (ICLR 2019),
connection sensitivity before it is normalised; summed over the network as in Abdelfattah et al.
(ICLR 2021).
"""

from __future__ import annotations

from predictors.proxies.passes.gradients import Gradients
from predictors.proxies.passes.loss import loss_gradients
from predictors.proxies.proxy import Proxy


def read(record: Gradients) -> float:
    """The sum over all weights of the absolute value of weight times derivative."""
    pairs = zip(record.weights, record.gradients, strict=True)
    return sum(float((weight * gradient).abs().sum()) for weight, gradient in pairs)


SNIP = Proxy(loss_gradients, read)
