"""Augmentation of whole batches as tensors: no loop over images, no second process.

Pixels stay uint8 until the end, because gathers and resizes of bytes move a quarter of
the memory that those of floats do. They are changed on the device that they are on. What is drawn
is drawn on the CPU, wherever they are, and sent there: a few numbers an image.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import interpolate

from nas.data.randaugment import rand_augment
from search_spaces.errors import ConfigError

__all__ = ["AugmentOptions", "Normalisation", "augment", "normalise", "resize"]


@dataclass(frozen=True)
class Normalisation:
    """Mean and standard deviation of each channel (RGB), in units of 0-255."""

    mean: tuple[float, float, float]
    std: tuple[float, float, float]

    @staticmethod
    def of_histogram(histogram: NDArray[np.int64]) -> Normalisation:
        """Of images of which so many pixels of each channel have each value: [3, 256].

        Exact, and without a float copy of all images. A channel that never varies gets a deviation
        of 1.
        """
        mean, std = [], []
        values = torch.arange(256, dtype=torch.float64)
        for channel in torch.from_numpy(histogram):
            counts = channel.double()
            centre = (counts * values).sum() / counts.sum()
            spread = ((counts * (values - centre) ** 2).sum() / counts.sum()).sqrt()
            mean.append(float(centre))
            std.append(float(spread) or 1.0)
        return Normalisation((mean[0], mean[1], mean[2]), (std[0], std[1], std[2]))


@dataclass(frozen=True)
class AugmentOptions:
    """What is done to training images.

    Attributes:
        shift: the crop is moved by up to so many pixels each way; edge pixels are repeated.
        flip: mirror half of the images. Wrong where left and right differ, as in digits.
        cutout: side in pixels of a square set to the mean; 0 for none.
        randaugment: how many random operations each image gets (RandAugment).
        magnitude: how strong they are, up to 1.

    Raises:
        ConfigError: a negative number of pixels.
    """

    shift: int = 4
    flip: bool = True
    cutout: int = 0
    randaugment: int = 0
    magnitude: float = 0.5

    def __post_init__(self) -> None:
        if self.shift < 0 or self.cutout < 0:
            raise ConfigError(
                f"shift and cutout are pixels, 0 or more, got {self.shift} and {self.cutout}"
            )


def augment(
    batch: Tensor,
    generator: torch.Generator,
    options: AugmentOptions,
    normalisation: Normalisation,
    resolution: int | None = None,
) -> Tensor:
    """Shift, flip, change by random operations, resize, normalise, and cut out.

    Args:
        batch: uint8 [B, 3, H, W], on any device.
        generator: what all randomness comes from, on the CPU.
        options: what is done, in pixels of H and W.
        normalisation: of the training images.
        resolution: height and width of what comes out; None for H and W.

    Returns:
        float32 [B, 3, resolution, resolution], channels-last, on the same device.
    """
    moved = _move(batch, generator, options)
    if options.randaugment:
        moved = rand_augment(moved, generator, options.randaugment, options.magnitude)
    out = normalise(moved, normalisation, resolution)
    if options.cutout:
        scale = out.shape[2] / batch.shape[2]
        out.masked_fill_(_squares(out, generator, max(1, round(options.cutout * scale))), 0.0)
    return out


def normalise(batch: Tensor, normalisation: Normalisation, resolution: int | None = None) -> Tensor:
    """uint8 [B, 3, H, W] to float32 [B, 3, resolution, resolution], channels-last; same device."""
    if resolution is not None:
        batch = resize(batch, resolution)
    out = batch.to(torch.float32, memory_format=torch.channels_last)
    if out is batch:  # it was float32 already, and belongs to the caller
        out = out.clone(memory_format=torch.channels_last)
    mean = torch.tensor(normalisation.mean, device=batch.device).view(3, 1, 1)
    std = torch.tensor(normalisation.std, device=batch.device).view(3, 1, 1)
    return out.sub_(mean).div_(std)


def resize(batch: Tensor, resolution: int) -> Tensor:
    """[B, 3, H, W] to [B, 3, resolution, resolution], bilinear and antialiased; type kept."""
    if batch.shape[2] == batch.shape[3] == resolution:
        return batch
    size = (resolution, resolution)
    if batch.is_floating_point() or batch.device.type == "cpu":
        return interpolate(batch, size=size, mode="bilinear", antialias=True)
    # PyTorch resizes bytes on the CPU alone.
    resized = interpolate(batch.float(), size=size, mode="bilinear", antialias=True)
    return resized.round_().clamp_(0, 255).to(batch.dtype)


def _move(batch: Tensor, generator: torch.Generator, options: AugmentOptions) -> Tensor:
    count, channels, height, width = batch.shape
    if not (options.shift or options.flip):
        return batch
    rows = torch.arange(height).expand(count, height)
    columns = torch.arange(width).expand(count, width)
    if options.flip:
        mirrored = torch.rand(count, 1, generator=generator) < 0.5
        columns = torch.where(mirrored, width - 1 - columns, columns)
    if options.shift:
        low, high = -options.shift, options.shift + 1
        down = torch.randint(low, high, (count, 1), generator=generator)
        right = torch.randint(low, high, (count, 1), generator=generator)
        rows = (rows + down).clamp(0, height - 1)
        columns = (columns + right).clamp(0, width - 1)
    rows, columns = rows.to(batch.device), columns.to(batch.device)
    pixels = (rows[:, :, None] * width + columns[:, None, :]).view(count, 1, height * width)
    flat = batch.reshape(count, channels, height * width)
    moved = flat.gather(2, pixels.expand(count, channels, height * width))
    return moved.view(count, channels, height, width)


def _squares(out: Tensor, generator: torch.Generator, side: int) -> Tensor:
    # Centres anywhere in the image, so that squares at the border are cut off, as published.
    count, _, height, width = out.shape
    top = torch.randint(0, height, (count, 1), generator=generator) - side // 2
    left = torch.randint(0, width, (count, 1), generator=generator) - side // 2
    rows, columns = torch.arange(height), torch.arange(width)
    in_rows = (rows >= top) & (rows < top + side)
    in_columns = (columns >= left) & (columns < left + side)
    in_rows, in_columns = in_rows.to(out.device), in_columns.to(out.device)
    return (in_rows[:, :, None] & in_columns[:, None, :])[:, None]
