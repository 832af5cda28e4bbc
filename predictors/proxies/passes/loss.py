"""One forward and backward pass of the loss."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from predictors.proxies.batch import Batch
from predictors.proxies.layers import normalise_by_batch, weighted, weights
from predictors.proxies.passes.gradients import Gradients, derivatives
from predictors.proxies.passes.logits import loss


@dataclass(frozen=True, eq=False)
class LossGradients(Gradients):
    """The gradient of the mean cross-entropy; norms normalise by the batch.

    Attributes:
        saliencies: if asked for, of every weighted layer that ran, [N, channels]: activations
            times the derivative by them, summed over positions.
    """

    saliencies: list[Tensor]


def loss_gradients(
    model: nn.Module, batch: Batch, rng: torch.Generator, asked: Set[str]
) -> LossGradients:
    """Run the batch forward and back."""
    saliencies: list[Tensor] = []

    def of_layer(layer: nn.Module, _: Any, y: Tensor) -> None:
        if not y.requires_grad:
            return
        channel = y.ndim - 1 if isinstance(layer, nn.Linear) else 1
        positions = [axis for axis in range(1, y.ndim) if axis != channel]
        # A copy, because the next layer may overwrite what this one gave it.
        kept = y.detach().clone()

        def back(gradient: Tensor) -> None:
            product = kept * gradient
            saliencies.append(product.sum(positions) if positions else product)

        y.register_hook(back)  # type: ignore[no-untyped-call]

    for layer in weighted(model) if "saliencies" in asked else ():
        layer.register_forward_hook(of_layer)
    normalise_by_batch(model)
    found = weights(model)
    gradients = derivatives(loss(model, batch), found)
    return LossGradients([w.detach() for w in found], gradients, saliencies)
