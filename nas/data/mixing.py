"""Mixup: images and labels of a batch mixed in pairs (Zhang et al., ICLR 2018)."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import one_hot

__all__ = ["mixup"]


def mixup(
    images: Tensor, labels: Tensor, classes: int, alpha: float, rng: np.random.Generator
) -> tuple[Tensor, Tensor]:
    """Every image with another of its batch, by one share from Beta(alpha, alpha).

    Args:
        images: float [B, C, H, W].
        labels: int64 [B], on the same device.
        classes: how many there are.
        alpha: above 0; the larger, the more equal the shares.
        rng: what all randomness comes from.

    Returns:
        Images [B, C, H, W] and probabilities [B, classes].
    """
    share = float(rng.beta(alpha, alpha))
    others = torch.from_numpy(rng.permutation(len(labels))).to(images.device)
    targets = one_hot(labels, classes).to(images.dtype)
    return (
        torch.lerp(images[others], images, share),
        torch.lerp(targets[others], targets, share),
    )
