"""Mixed precision, but where it is slower than none: convolutions of narrow groups on a CPU."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

__all__ = ["convolved"]

NARROW = 8
"""Groups of 4 channels are faster in float32, those of 16 in bfloat16; between is a guess."""


def convolved(convolve: Callable[[Tensor], Tensor], x: Tensor, group: int) -> Tensor:
    """``convolve(x)`` for [N, C, H, W], by groups of ``group`` channels; 0 for all as one.

    In mixed precision on a CPU, narrow groups are convolved in float32 and rounded after that, by
    weights that ``convolve`` gets ready then and there, so that they are not rounded either: the
    gradients of a depthwise 5x5 take 4 to 15 times as long in bfloat16
    (``experiments/speed/mixed_precision.py``).
    """
    if not 0 < group < NARROW or x.device.type != "cpu" or not torch.is_autocast_enabled("cpu"):
        return convolve(x)
    half = torch.get_autocast_dtype("cpu")
    if x.dtype not in (torch.float32, half):
        return convolve(x)
    with torch.autocast("cpu", enabled=False):
        y = convolve(x.float())
    return y.to(half)
