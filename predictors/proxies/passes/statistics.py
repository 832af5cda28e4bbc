"""Batch norms that keep the statistics of one batch."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from predictors.proxies.layers import forget_statistics, normalise_by_batch
from predictors.proxies.passes.logits import output


def fresh_statistics(model: nn.Module) -> None:
    """Let every batch norm keep the statistics of the last batch that it normalised."""
    for norm in model.modules():
        if isinstance(norm, _BatchNorm):
            forget_statistics(norm)


def settle(model: nn.Module, images: Tensor) -> None:
    """Run images [N, ...]; from then on batch norms go by the statistics of these.

    With them fixed a network treats every image on its own, as after training.
    """
    fresh_statistics(model)
    handles = normalise_by_batch(model)
    with torch.no_grad():
        output(model, images)
    for handle in handles:
        handle.remove()
    model.eval()
