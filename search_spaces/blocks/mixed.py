"""Mixed precision, but where it is slower than none: convolutions of groups on a CPU."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

__all__ = ["convolved"]


def convolved(convolve: Callable[[Tensor], Tensor], x: Tensor, groups: int) -> Tensor:
    """``convolve(x)`` for [N, C, H, W], a convolution of ``groups``.

    In mixed precision on a CPU, groups are convolved in float32 and rounded after that, by weights
    that ``convolve`` gets ready then and there, so that they are not rounded either: the
    gradient of a depthwise 5x5 takes ten times as long in bfloat16, or more
    (``experiments/speed/mixed_precision.py``).
    """
    if groups == 1 or x.device.type != "cpu" or not torch.is_autocast_enabled("cpu"):
        return convolve(x)
    half = torch.get_autocast_dtype("cpu")
    if x.dtype not in (torch.float32, half):
        return convolve(x)
    with torch.autocast("cpu", enabled=False):
        y = convolve(x.float())
    return y.to(half)
