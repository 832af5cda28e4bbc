"""Batch norm over the images of all ranks. PyTorch's SyncBatchNorm wants CUDA; this does not."""

from __future__ import annotations

import torch
from torch import Tensor, distributed
from torch.autograd import Function
from torch.autograd.function import FunctionCtx
from torch.nn import functional

__all__ = ["shared_batch_norm"]


def shared_batch_norm(
    x: Tensor,
    mean: Tensor,
    variance: Tensor,
    scale: Tensor,
    shift: Tensor,
    training: bool,
    momentum: float,
    epsilon: float,
) -> Tensor:
    """``functional.batch_norm`` of [N, C, ...], with statistics over all ranks' images.

    The running ``mean`` and ``variance`` [C] are updated in place, with the unbiased variance.
    """
    if not training:
        return functional.batch_norm(x, mean, variance, scale, shift, False, momentum, epsilon)
    shape = (1, -1, *[1] * (x.dim() - 2))
    count = x.numel() // x.shape[1] * distributed.get_world_size()
    wide = x.float()  # Sums of many numbers of half precision would be worth little.
    centre = _sum(wide) / count
    away = wide - centre.view(shape)
    spread = _sum(away.square()) / count
    with torch.no_grad():
        mean.lerp_(centre, momentum)
        variance.lerp_(spread * count / (count - 1), momentum)
    factor = scale * (spread + epsilon).rsqrt()
    return (away * factor.view(shape) + shift.view(shape)).to(x.dtype)


def _sum(x: Tensor) -> Tensor:
    """Sums over all ranks' images: [C]."""
    total: Tensor = _AllReduce.apply(x.sum((0, *range(2, x.dim()))))  # type: ignore[no-untyped-call]
    return total


class _AllReduce(Function):
    """The sum over ranks; what comes back of every rank's loss is summed as well."""

    @staticmethod
    def forward(ctx: FunctionCtx, part: Tensor) -> Tensor:
        total = part.clone()
        distributed.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: FunctionCtx, gradient: Tensor) -> Tensor:
        total = gradient.contiguous().clone()
        distributed.all_reduce(total)
        return total
