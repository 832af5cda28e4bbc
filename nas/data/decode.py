"""One image of any kind becomes RGB of one size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from search_spaces.errors import ConfigError, DataError

__all__ = ["FILTER_NAME", "FITS", "Fit", "ImageOptions", "square", "to_rgb"]

Fit = Literal["crop", "pad", "stretch"]
FITS: tuple[Fit, ...] = get_args(Fit)

# Antialiased when it shrinks, and the same filter that batches are resized with in training.
_FILTER = Image.Resampling.BILINEAR
FILTER_NAME = "bilinear, antialiased"
_SIXTEEN_BIT = ("I;16", "I;16B", "I;16L", "I;16N", "I")


@dataclass(frozen=True)
class ImageOptions:
    """What images are converted to.

    Attributes:
        size: height and width in pixels.
        fit: how a non-square image becomes square: `crop` keeps the middle of the longer side,
            `pad` adds borders of the background colour, `stretch` distorts.
        background: RGB, 0-255, under transparent pixels and around padded images.

    Raises:
        ConfigError: a value outside these rules.
    """

    size: int = 32
    fit: Fit = "crop"
    background: tuple[int, int, int] = (255, 255, 255)

    def __post_init__(self) -> None:
        if self.size < 1:
            raise ConfigError(f"size must be at least 1 pixel, got {self.size}")
        if self.fit not in FITS:
            raise ConfigError(f"fit must be one of {', '.join(FITS)}, got {self.fit!r}")
        if len(self.background) != 3 or not all(0 <= value <= 255 for value in self.background):
            raise ConfigError(
                f"background must be three values in 0..255 (RGB), got {list(self.background)}"
            )


def square(image: Image.Image, options: ImageOptions) -> NDArray[np.uint8]:
    """The image upright, opaque, in RGB and square: uint8 [3, size, size].

    Raises:
        DataError: a mode that has no agreed conversion to RGB; the text names no path, since an
            image in memory has none.
        OSError, SyntaxError, ValueError...: whatever Pillow raises for a corrupt image.
    """
    size = options.size
    # For a JPEG far larger than needed the decoder itself can shrink, several times faster.
    image.draft(None, (2 * size, 2 * size))
    rgb = to_rgb(ImageOps.exif_transpose(image), options.background)
    if rgb.size != (size, size):
        rgb = _fit(rgb, options)
    return np.asarray(rgb).transpose(2, 0, 1)


def to_rgb(image: Image.Image, background: tuple[int, int, int]) -> Image.Image:
    """The image in mode RGB, transparent parts over `background`.

    Raises:
        DataError: 32-bit integers beyond 16 bits, or floats, whose range is anybody's guess.
    """
    if image.mode == "RGB" and "transparency" not in image.info:
        image.load()
        return image
    if image.mode in _SIXTEEN_BIT:
        return _from_16_bit(image).convert("RGB")
    if image.mode == "F":
        raise DataError(
            "pixels must be integers of 8 or 16 bits, got floats whose range is not known; "
            "save it as PNG"
        )
    if image.has_transparency_data:
        over = Image.new("RGBA", image.size, (*background, 255))
        return Image.alpha_composite(over, image.convert("RGBA")).convert("RGB")
    return image.convert("RGB")


def _from_16_bit(image: Image.Image) -> Image.Image:
    # Pillow's own conversion clips at 255 instead of scaling.
    values = np.asarray(image).astype(np.int64)
    if values.min() < 0 or values.max() > 65535:
        raise DataError(
            f"pixels must be integers of 8 or 16 bits, got {values.min()}..{values.max()}; "
            "save it as 16-bit PNG"
        )
    return Image.fromarray(np.round(values / 257).astype(np.uint8))


def _fit(image: Image.Image, options: ImageOptions) -> Image.Image:
    size, (width, height) = options.size, image.size
    if options.fit == "pad":
        return ImageOps.pad(image, (size, size), method=_FILTER, color=options.background)
    if options.fit == "stretch":
        return image.resize((size, size), _FILTER)
    side = min(width, height)
    left, top = (width - side) / 2, (height - side) / 2
    return image.resize((size, size), _FILTER, box=(left, top, left + side, top + side))
