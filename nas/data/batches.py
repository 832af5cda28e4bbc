"""Batches in an order that a seed and an epoch determine, so that a run resumes exactly."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from nas.data.images import ImageSet

__all__ = ["as_tensors", "batches", "epoch_generator"]


def as_tensors(images: ImageSet) -> tuple[Tensor, Tensor]:
    """Images uint8 [N, 3, H, W] and labels int64 [N], sharing memory with the set."""
    return torch.from_numpy(images.images), torch.from_numpy(images.labels)


def epoch_generator(seed: int, epoch: int) -> torch.Generator:
    """A generator for one epoch of one run, independent of every other epoch and seed."""
    state = np.random.SeedSequence((seed, epoch)).generate_state(1, np.uint64)
    # torch takes the seed as a signed number.
    return torch.Generator().manual_seed(int(state[0] >> 1))


def batches(
    images: Tensor,
    labels: Tensor,
    batch_size: int,
    generator: torch.Generator | None = None,
    drop_last: bool = False,
) -> Iterator[tuple[Tensor, Tensor]]:
    """Pairs (uint8 [B, 3, H, W], int64 [B]) that together cover all images once.

    Args:
        images: uint8 [N, 3, H, W].
        labels: int64 [N].
        batch_size: B; the last batch may be smaller.
        generator: what the order is drawn from, at once; None for the order of the images.
        drop_last: leave out a last batch that is smaller, unless it is the only one.
    """
    count = len(labels)
    if generator is None:
        for start in range(0, count, batch_size):
            yield images[start : start + batch_size], labels[start : start + batch_size]
        return
    order = torch.randperm(count, generator=generator)
    stop = count - count % batch_size if drop_last and count > batch_size else count
    for start in range(0, stop, batch_size):
        chosen = order[start : start + batch_size]
        yield images[chosen], labels[chosen]
