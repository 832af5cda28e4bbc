"""The network made positive and linear: absolute weights, no norms, one image of ones."""

from __future__ import annotations

from collections.abc import Set
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from predictors.proxies.batch import Batch
from predictors.proxies.layers import norms, weights
from predictors.proxies.passes.gradients import Gradients, derivatives
from predictors.proxies.passes.logits import output
from predictors.proxies.scratch import Remaking


def _magnitude(weight: Tensor) -> Tensor:
    return weight.abs().double()


@partial(Remaking, remake=_magnitude)
def positive(model: nn.Module, batch: Batch, rng: torch.Generator, asked: Set[str]) -> Gradients:
    """Absolute weights, and the derivative of the output's sum by them.

    In double precision, because the sum grows with the product of all widths.
    """
    for norm in norms(model):
        norm.forward = _as_it_is
    model.double()
    found = weights(model)
    ones = torch.ones_like(batch.images[:1], dtype=torch.float64)
    gradients = derivatives(output(model, ones).sum(), found)
    return Gradients([w.detach() for w in found], gradients)


def _as_it_is(input: Tensor, *_: Any, **__: Any) -> Tensor:  # noqa: A002
    return input
