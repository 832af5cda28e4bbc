"""The network made positive and linear: absolute weights, no norms, one image of ones."""

from __future__ import annotations

from collections.abc import Set

import torch
from torch import nn

from predictors.proxies.batch import Batch
from predictors.proxies.layers import normalise_by_batch, norms, weights
from predictors.proxies.passes.gradients import Gradients, derivatives
from predictors.proxies.passes.logits import output


def positive(model: nn.Module, batch: Batch, rng: torch.Generator, asked: Set[str]) -> Gradients:
    """Absolute weights, and the derivative of the output's sum by them.

    In double precision, because the sum grows with the product of all widths.
    """
    model.double()
    normalise_by_batch(model)
    for norm in norms(model):
        norm.register_forward_hook(lambda _, inputs, __: inputs[0])
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.abs_()
    found = weights(model)
    ones = torch.ones_like(batch.images[:1], dtype=torch.float64)
    gradients = derivatives(output(model, ones).sum(), found)
    return Gradients([w.detach() for w in found], gradients)
