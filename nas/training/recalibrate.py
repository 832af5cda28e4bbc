"""Batch-norm statistics of one subnet, measured anew."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

__all__ = ["recalibrate"]


def recalibrate(network: nn.Module, batches: Iterable[Tensor]) -> None:
    """Replace the running statistics by cumulative ones over ``batches``.

    The statistics that a supernet keeps are a mixture over subnets and fit none of them.

    Args:
        network: a network of its own (an extracted one); only its statistics change.
        batches: training images [B, C, H, W], normalised, at the network's own resolution.

    Raises:
        ValueError: there is no batch.
    """
    seen = 0
    with _measuring(network), torch.no_grad():
        for images in batches:
            network(images)
            seen += 1
        if not seen:
            raise ValueError("recalibration needs at least one batch of training images")


@contextmanager
def _measuring(network: nn.Module) -> Iterator[None]:
    """Norms average over all batches with equal weight; everything else is in evaluation mode."""
    norms = [m for m in network.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    momenta = [norm.momentum for norm in norms]
    modes = [(module, module.training) for module in network.modules()]
    network.eval()
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None
        norm.train()
    try:
        yield
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
        for module, mode in modes:
            module.training = mode
