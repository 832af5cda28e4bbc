"""What a data set looks like, told before any work starts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import numpy as np
from PIL import Image

from nas.data.decode import to_rgb
from nas.data.load import open_source
from nas.data.source import Part, PartName, reading

__all__ = ["DatasetSummary", "inspect"]

# JPEG leaves traces of colour in grey images.
_GREY_TOLERANCE = 8


@dataclass(frozen=True)
class DatasetSummary:
    """A data set as `inspect` saw it.

    Attributes:
        path: what the user gave.
        classes: the names of the classes.
        counts: images per class (in the order of `classes`), for every part there is.
        sizes: how many of the looked-at training images have which (width, height).
        modes: how many of them have which of Pillow's modes.
        transparent: how many of them have transparent pixels or may have.
        grey: whether none of them has any colour.
    """

    path: str
    classes: tuple[str, ...]
    counts: Mapping[PartName, tuple[int, ...]]
    sizes: Mapping[tuple[int, int], int]
    modes: Mapping[str, int]
    transparent: int
    grey: bool

    @property
    def looked_at(self) -> int:
        """Training images whose size and mode were read."""
        return sum(self.modes.values())

    @property
    def training_images(self) -> int:
        return sum(self.counts["train"])

    @property
    def has_test(self) -> bool:
        return "test" in self.counts

    @property
    def imbalance(self) -> float:
        """Training images of the largest class over those of the smallest."""
        return max(self.counts["train"]) / min(self.counts["train"])

    @property
    def short_side(self) -> int:
        """Median of the shorter sides in pixels."""
        sides = [min(size) for size in self.sizes]
        return int(np.median(np.repeat(sides, list(self.sizes.values()))))

    @property
    def elongation(self) -> float:
        """Longer side over shorter side, the 90th percentile."""
        ratios = [max(size) / min(size) for size in self.sizes]
        return float(np.quantile(np.repeat(ratios, list(self.sizes.values())), 0.9))

    def describe(self) -> str:
        """A few lines for people."""
        counts = self.counts["train"]
        parts = ", ".join(f"{sum(count):,} {name}" for name, count in self.counts.items())
        low, high = int(np.argmin(counts)), int(np.argmax(counts))
        widths, heights = zip(*self.sizes, strict=True)
        lines = [
            f"{self.path}: {len(self.classes)} classes; images: {parts}",
            f"per class: {counts[low]:,} ({self.classes[low]}) to "
            f"{counts[high]:,} ({self.classes[high]})",
            f"sizes: {min(widths)}x{min(heights)} to {max(widths)}x{max(heights)} pixels; "
            f"modes: {', '.join(self.modes)} ({self.looked_at:,} images looked at)",
        ]
        return "\n".join(lines)


def inspect(path: str | Path, sample: int = 2000) -> DatasetSummary:
    """Look at a data set: all labels, and up to `sample` training images.

    Pixels are decoded only until one image has colour, and the test part is counted only.

    Raises:
        DataError: missing, empty or not understood, or an image that is not one; see
            `open_source`.
    """
    source = open_source(path)
    counts: dict[PartName, tuple[int, ...]] = {}
    for name in get_args(PartName):
        if name in source.parts:
            labels = source.parts[name].labels
            counts[name] = tuple(np.bincount(labels, minlength=len(source.classes)).tolist())
    looks = _look(source.parts["train"], sample)
    return DatasetSummary(
        path=source.path,
        classes=source.classes,
        counts=counts,
        sizes=Counter(look.size for look in looks),
        modes=Counter(look.mode for look in looks),
        transparent=sum(look.transparent for look in looks),
        grey=not any(look.coloured for look in looks),
    )


@dataclass(frozen=True)
class _Look:
    size: tuple[int, int]
    mode: str
    transparent: bool
    coloured: bool


def _look(part: Part, sample: int) -> list[_Look]:
    looks: list[_Look] = []
    decide_colour = True
    # Evenly spaced, because images of a class often lie together.
    for index in np.linspace(0, len(part) - 1, min(sample, len(part))).round().astype(int):
        with reading(part, int(index)), part.open(int(index)) as image:
            size, mode, transparent = image.size, image.mode, image.has_transparency_data
            coloured = decide_colour and _coloured(image)
            decide_colour = decide_colour and not coloured
            looks.append(_Look(size, mode, transparent, coloured))
    return looks


def _coloured(image: Image.Image) -> bool:
    image.draft(None, (64, 64))
    pixels = np.asarray(to_rgb(image, (255, 255, 255))).astype(int)
    return bool((np.ptp(pixels, axis=2) > _GREY_TOLERANCE).any())
