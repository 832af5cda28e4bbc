"""The gradient of every single image: a forward and a backward pass for each of a few.

Batch norms go by the statistics of the whole batch, so that images do not mix. A loop over images
takes any network that there is; what runs all of them at once does not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Set
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
PIECE = 16384


@dataclass(frozen=True, eq=False)
class SampleGradients:
    """Gradients of the first n images: of each weight tensor one tensor of its shape an image."""

    gradients: list[list[Tensor]]

    def pieces(self) -> Iterator[Iterator[Tensor]]:
        """Of each weight tensor its gradients in pieces [n, some weights] that fit into a cache."""
        for each in self.gradients:
            parts = [torch.split(gradient.flatten(), PIECE) for gradient in each]
            yield (torch.stack(piece) for piece in zip(*parts, strict=True))


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
    kept: list[list[Tensor]] = [[] for _ in found]
    for i in range(len(few)):
        one = Batch(few.images[i : i + 1], few.labels[i : i + 1])
        for each, gradient in zip(kept, derivatives(value(model, one), found), strict=True):
            each.append(gradient)
    return SampleGradients(kept)
