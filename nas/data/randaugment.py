"""RandAugment on batches (Cubuk et al., "RandAugment", 2020): random operations of one strength.

Every operation works on a stack of images at once; a batch is dealt out to the operations, so that
no loop goes over images. What they do is what Pillow's functions of the same names do, which the
published code calls.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import affine_grid, conv2d, grid_sample

__all__ = ["OPERATIONS", "rand_augment"]

GREY = 128.0
"""What stands where a moved image ends."""
LUMA = (19595, 38470, 7471)
"""Weights of red, green and blue in grey, of 65,536 (ITU-R 601-2)."""

Operation = Callable[[Tensor, Tensor], Tensor]
"""Of images uint8 [B, 3, H, W] and strengths float [B] from -1 to 1; returns images."""


def rand_augment(
    batch: Tensor, generator: torch.Generator, operations: int, strength: float
) -> Tensor:
    """Apply ``operations`` random ones of ``OPERATIONS`` to every image, one after another.

    Args:
        batch: uint8 [B, 3, H, W], on any device; not changed.
        generator: what all randomness comes from, on the CPU.
        operations: how many each image gets (N of the paper).
        strength: 0 for as good as nothing to 1 for the strongest (M of the paper, of 10).

    Returns:
        uint8 [B, 3, H, W], on the same device.
    """
    out = batch.clone()
    for _ in range(operations):
        dealt = torch.randint(len(OPERATIONS), (len(batch),), generator=generator)
        signs = 2.0 * torch.randint(2, (len(batch),), generator=generator) - 1
        for number, operation in enumerate(OPERATIONS.values()):
            chosen = (dealt == number).nonzero().flatten()
            if len(chosen):
                signed = (strength * signs[chosen]).to(batch.device)
                chosen = chosen.to(batch.device)
                out[chosen] = operation(out[chosen], signed)
    return out


def _identity(images: Tensor, strength: Tensor) -> Tensor:
    return images


def _autocontrast(images: Tensor, strength: Tensor) -> Tensor:
    """Each channel stretched to 0-255."""
    flat = images.flatten(2).float()
    low, high = flat.amin(2)[..., None, None], flat.amax(2)[..., None, None]
    scale = torch.where(high > low, 255 / (high - low).clamp(min=1), 1.0)
    offset = torch.where(high > low, low, 0.0)
    return _pixels((images - offset) * scale)


def _equalize(images: Tensor, strength: Tensor) -> Tensor:
    """Each channel with an even histogram."""
    flat = images.flatten(2).long()
    counts = torch.zeros(*flat.shape[:2], 256, dtype=torch.int64, device=images.device)
    counts.scatter_add_(2, flat, torch.ones_like(flat))
    brightest = counts.gather(2, flat.amax(2, keepdim=True))
    step = (flat.shape[2] - brightest) // 255
    before = counts.cumsum(2) - counts
    table = (before + step // 2) // step.clamp(min=1)
    table = torch.where(step > 0, table.clamp(max=255), torch.arange(256, device=images.device))
    return table.gather(2, flat).to(torch.uint8).view_as(images)


def _solarize(images: Tensor, strength: Tensor) -> Tensor:
    """Pixels above a threshold inverted: none at 0, all at 1."""
    threshold = 256 * (1 - strength.abs())[:, None, None, None]
    return torch.where(images >= threshold, 255 - images, images)


def _posterize(images: Tensor, strength: Tensor) -> Tensor:
    """From 8 bits a channel at 0 down to 4 at 1."""
    bits = (8 - (4 * strength.abs()).round()).to(torch.uint8)
    mask = (255 << (8 - bits)).to(torch.uint8)
    return images & mask[:, None, None, None]


def _color(images: Tensor, strength: Tensor) -> Tensor:
    """Towards grey, or away from it."""
    return _blend(_grey(images).expand_as(images), images, strength)


def _contrast(images: Tensor, strength: Tensor) -> Tensor:
    """Towards the image's mean grey, or away from it."""
    mean = _grey(images).mean((1, 2, 3), keepdim=True)
    return _blend((mean + 0.5).floor(), images, strength)


def _brightness(images: Tensor, strength: Tensor) -> Tensor:
    """Towards black, or away from it."""
    return _blend(torch.zeros(1, device=images.device), images, strength)


def _sharpness(images: Tensor, strength: Tensor) -> Tensor:
    """Towards a smoothed image, or away from it; the border stays."""
    kernel = torch.ones(3, 1, 3, 3, device=images.device)
    kernel[:, :, 1, 1] = 5
    smooth = images.float()
    smooth[:, :, 1:-1, 1:-1] = (conv2d(images.float(), kernel / 13, groups=3) + 0.5).floor()
    return _blend(smooth, images, strength)


def _shear_x(images: Tensor, strength: Tensor) -> Tensor:
    return _affine(images, [(1, 0.3 * strength, 0), (0, 1, 0)])


def _shear_y(images: Tensor, strength: Tensor) -> Tensor:
    return _affine(images, [(1, 0, 0), (0.3 * strength, 1, 0)])


def _translate_x(images: Tensor, strength: Tensor) -> Tensor:
    """By up to 45% of the width; 2 is the width in coordinates from -1 to 1."""
    return _affine(images, [(1, 0, 0.9 * strength), (0, 1, 0)])


def _translate_y(images: Tensor, strength: Tensor) -> Tensor:
    return _affine(images, [(1, 0, 0), (0, 1, 0.9 * strength)])


def _rotate(images: Tensor, strength: Tensor) -> Tensor:
    """By up to 30 degrees, anticlockwise where the strength is positive."""
    angle = torch.deg2rad(30 * strength)
    return _affine(images, [(angle.cos(), -angle.sin(), 0), (angle.sin(), angle.cos(), 0)])


OPERATIONS: dict[str, Operation] = {
    "identity": _identity,
    "autocontrast": _autocontrast,
    "equalize": _equalize,
    "rotate": _rotate,
    "solarize": _solarize,
    "color": _color,
    "posterize": _posterize,
    "contrast": _contrast,
    "brightness": _brightness,
    "sharpness": _sharpness,
    "shear_x": _shear_x,
    "shear_y": _shear_y,
    "translate_x": _translate_x,
    "translate_y": _translate_y,
}
"""The fourteen of the paper."""


def _grey(images: Tensor) -> Tensor:
    """[B, 3, H, W] to whole numbers [B, 1, H, W]."""
    weights = torch.tensor(LUMA, device=images.device).view(1, 3, 1, 1)
    return ((images * weights).sum(1, keepdim=True) + 0x8000).div(65536).floor()


def _blend(from_: Tensor, images: Tensor, strength: Tensor) -> Tensor:
    """``from_`` at -1/0.9, the images at 0, as far beyond them at 1/0.9."""
    factor = 1 + 0.9 * strength[:, None, None, None]
    return _pixels(from_ + factor * (images - from_))


def _affine(
    images: Tensor, rows: list[tuple[Tensor | float, Tensor | float, Tensor | float]]
) -> Tensor:
    """Each pixel from where the matrix ``rows`` (of [B] or numbers) says; coordinates -1 to 1."""

    def column(value: Tensor | float) -> Tensor:
        return torch.as_tensor(value, device=images.device).expand(len(images))

    matrix = torch.stack([torch.stack([column(v) for v in row], 1) for row in rows], 1).float()
    grid = affine_grid(matrix, list(images.shape), align_corners=False)
    moved = grid_sample(images.float() - GREY, grid, align_corners=False)
    return _pixels(moved + GREY + 0.5)


def _pixels(values: Tensor) -> Tensor:
    """Truncated to uint8, as Pillow does."""
    return values.clamp(0, 255).to(torch.uint8)
