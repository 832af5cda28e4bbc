"""The gradient of every single image: a forward and a backward pass for each of a few.

Batch norms go by the statistics of the whole batch, so that images do not mix. A loop over images
takes any network that there is; what runs all of them at once does not.
"""

from __future__ import annotations

from collections.abc import Callable, Set
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from predictors.proxies.batch import Batch
from predictors.proxies.layers import weights
from predictors.proxies.passes.gradients import derivatives
from predictors.proxies.passes.logits import loss, output
from predictors.proxies.passes.statistics import settle

SAMPLES = 16
"""How many images of the batch; memory and time grow with it."""


@dataclass(frozen=True, eq=False)
class SampleGradients:
    """Of each weight tensor the gradients of the first n images, [n, numbers of the tensor]."""

    gradients: list[Tensor]


def sample_losses(
    model: nn.Module, batch: Batch, rng: torch.Generator, asked: Set[str]
) -> SampleGradients:
    """Gradients of each image's cross-entropy."""
    return _each(model, batch, loss)


def sample_logits(
    model: nn.Module, batch: Batch, rng: torch.Generator, asked: Set[str]
) -> SampleGradients:
    """Gradients of the sum of each image's outputs."""
    return _each(model, batch, lambda model, one: output(model, one.images).sum())


def _each(
    model: nn.Module, batch: Batch, value: Callable[[nn.Module, Batch], Tensor]
) -> SampleGradients:
    settle(model, batch.images)
    found = weights(model)
    few = batch.first(SAMPLES)
    kept = [w.new_empty(len(few), w.numel()) for w in found]
    for i in range(len(few)):
        one = Batch(few.images[i : i + 1], few.labels[i : i + 1])
        for rows, gradient in zip(kept, derivatives(value(model, one), found), strict=True):
            rows[i] = gradient.flatten()
    return SampleGradients(kept)
