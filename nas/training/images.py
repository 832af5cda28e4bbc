"""The images of a training, as tensors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from nas.data.augment import AugmentOptions, Normalisation

__all__ = ["Images"]

CALIBRATION = 2048


@dataclass(frozen=True, eq=False)
class Images:
    """Training and held-out images as tensors: uint8 [N, C, H, W] and labels [N].

    They may be a map of files larger than memory: a slice or a batch is taken, never all of them.
    """

    train: Tensor
    train_labels: Tensor
    val: Tensor
    val_labels: Tensor
    normalisation: Normalisation
    augment: AugmentOptions

    @property
    def calibration(self) -> Tensor:
        """A copy of the training images that batch norms are recalibrated on, in shuffled order.

        Data sets often come sorted by class; a batch of one class has statistics of its own.
        """
        return self.train[mixed(len(self.train), CALIBRATION)]

    def held_out(self, n: int) -> tuple[Tensor, Tensor]:
        """``n`` held-out images with labels, of all classes, always the same."""
        chosen = mixed(len(self.val), n)
        return self.val[chosen], self.val_labels[chosen]


def mixed(count: int, n: int) -> Tensor:
    """Indices of at most ``n`` of ``count`` images in an order that is fixed once for all."""
    return torch.from_numpy(np.random.default_rng(0).permutation(count)[:n])
