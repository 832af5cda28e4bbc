"""Batches in an order that a seed and an epoch determine, so that a run resumes exactly."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from nas.data.images import ImageSet

__all__ = ["as_tensors", "epoch_generator", "sent", "shuffled"]


def as_tensors(images: ImageSet) -> tuple[Tensor, Tensor]:
    """Images uint8 [N, 3, H, W] and labels int64 [N], sharing memory, or the map, with the set."""
    return torch.from_numpy(images.images), torch.from_numpy(images.labels)


def sent(batch: Tensor, device: str | torch.device) -> Tensor:
    """The batch on a device; to a GPU from pinned memory, which copies while others work."""
    if torch.device(device).type == "cuda":
        batch = batch.pin_memory()
    return batch.to(device, non_blocking=True)


def epoch_generator(seed: int, *epoch: int) -> torch.Generator:
    """A generator for one epoch of one run, independent of every other epoch and seed.

    ``epoch`` is its number, perhaps with that of a process among several.
    """
    state = np.random.SeedSequence((seed, *epoch)).generate_state(1, np.uint64)
    # torch takes the seed as a signed number.
    return torch.Generator().manual_seed(int(state[0] >> 1))


def shuffled(count: int, batch_size: int, generator: torch.Generator) -> Iterator[Tensor]:
    """Indices [batch_size] of all ``count`` images, in an order that is drawn at once.

    A last batch that is smaller is left out, unless it is the only one.
    """
    order = torch.randperm(count, generator=generator)
    stop = count - count % batch_size if count > batch_size else count
    for start in range(0, stop, batch_size):
        yield order[start : start + batch_size]
