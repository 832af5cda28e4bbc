"""The loss's gradient, and its Hessian times that gradient: one forward and two backward passes.

On a part of the batch: the second of the two costs several times the first, most of all in
depthwise convolutions.
"""

from __future__ import annotations

from collections.abc import Set

import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from predictors.proxies.batch import Batch
from predictors.proxies.layers import normalise_by_batch, weights
from predictors.proxies.passes.gradients import Gradients, derivatives
from predictors.proxies.passes.logits import loss

IMAGES = 16
"""How many images of the batch."""


def curvature(model: nn.Module, batch: Batch, rng: torch.Generator, asked: Set[str]) -> Gradients:
    """Weights and, as their "gradients", the Hessian of the loss times its gradient."""
    normalise_by_batch(model)
    found = weights(model)
    # The fused kernels of attention cannot be differentiated twice.
    with sdpa_kernel(SDPBackend.MATH):
        first = derivatives(loss(model, batch.first(IMAGES)), found, keep_graph=True)
    along = sum((g * g.detach()).sum() for g in first)
    second = derivatives(torch.as_tensor(along), found)
    return Gradients([w.detach() for w in found], second)
