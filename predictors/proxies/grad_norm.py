"""The norm of the loss's gradient.

Abdelfattah et al., "Zero-Cost Proxies for Lightweight NAS" (ICLR 2021), the baseline grad_norm of
their section on zero-cost proxies: the sum over weight tensors of the gradient's Euclidean norm.
"""

from __future__ import annotations

from predictors.proxies.passes.gradients import Gradients
from predictors.proxies.passes.loss import loss_gradients
from predictors.proxies.proxy import Proxy


def read(record: Gradients) -> float:
    """The sum over weight tensors of the norm of each one's gradient."""
    return sum(float(gradient.norm()) for gradient in record.gradients)


GRAD_NORM = Proxy(loss_gradients, read)
