"""One forward and backward pass of the logits' sum, down to the images."""

from __future__ import annotations

from collections.abc import Set

import torch
from torch import Tensor, nn

from predictors.proxies.batch import Batch
from predictors.proxies.layers import normalise_by_batch
from predictors.proxies.passes.gradients import derivatives
from predictors.proxies.passes.logits import output


def jacobian(model: nn.Module, batch: Batch, rng: torch.Generator, asked: Set[str]) -> Tensor:
    """The derivative of the sum of all outputs by each image, [N, numbers of an image]."""
    normalise_by_batch(model)
    model.requires_grad_(False)
    images = batch.images.clone().requires_grad_()
    (found,) = derivatives(output(model, images).sum(), [images])
    return found.flatten(1)
