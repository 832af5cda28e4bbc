"""Features with their channels in one place."""

from __future__ import annotations

from torch import Tensor


def by_channel(y: Tensor) -> Tensor:
    """[N, C, H, W], or tokens [N, T, C], as [N, C, positions]."""
    return y.mT if y.ndim == 3 else y.flatten(2)
