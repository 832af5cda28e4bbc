"""Real images for a run that has none: crops of the photographs that come with scikit-learn."""

from __future__ import annotations

import numpy as np
import torch
from sklearn.datasets import load_sample_images
from torch import Tensor

from nas.data.augment import resize

__all__ = ["photographs"]


def photographs(size: int, n: int) -> Tensor:
    """``n`` crops as uint8 [n, 3, size, size], always the same: alternately of both photographs.

    A crop is at least ``size`` pixels wide where the photograph is, and shrunk to it.
    """
    rng = np.random.default_rng(0)
    pictures = [torch.tensor(one).permute(2, 0, 1) for one in load_sample_images().images]
    crops = []
    for number in range(n):
        picture = pictures[number % len(pictures)]
        height, width = picture.shape[1:]
        side = int(rng.integers(min(size, height, width), min(height, width) + 1))
        top, left = (int(rng.integers(0, length - side + 1)) for length in (height, width))
        crop = picture[None, :, top : top + side, left : left + side]
        crops.append(resize(crop.contiguous(), size))
    return torch.cat(crops)
