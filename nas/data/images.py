"""A labelled set of images, all of one size: in memory, or in a file that is mapped."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from nas.data.facts import Facts, fingerprint_of, histogram_of
from search_spaces.errors import DataError

__all__ = ["ImageSet"]


@dataclass(frozen=True, eq=False)
class ImageSet:
    """Images, their labels, and what the labels are called.

    Attributes:
        images: uint8 [N, 3, H, W], RGB, 0-255. Where they are mapped from a file, memory holds
            what was read of late, as long as nothing else needs the room; an index of images
            copies those, a slice none.
        labels: int64 [N], indices into `classes`.
        classes: the names of the classes.
        known: what would take a pass over all pixels, if that was done before.

    Raises:
        DataError: a shape, a type or a label that breaks the rules above.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    classes: tuple[str, ...]
    known: Facts | None = None

    def __post_init__(self) -> None:
        shape, count = self.images.shape, len(self.labels)
        if self.images.dtype != np.uint8 or len(shape) != 4 or shape[1] != 3:
            raise DataError(
                f"images must be uint8 [N, 3, H, W], got {self.images.dtype} {list(shape)}"
            )
        if self.labels.dtype != np.int64 or self.labels.shape != (shape[0],):
            raise DataError(
                f"labels must be int64 [{shape[0]}], one an image, "
                f"got {self.labels.dtype} {list(self.labels.shape)}"
            )
        if count and not 0 <= self.labels.min() <= self.labels.max() < len(self.classes):
            raise DataError(
                f"labels must lie in 0..{len(self.classes) - 1} (there are {len(self.classes)} "
                f"classes), got {self.labels.min()}..{self.labels.max()}"
            )

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def size(self) -> int:
        """Height and width of the images in pixels."""
        return int(self.images.shape[-1])

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over shape, pixels, labels and class names: what a result belongs to."""
        if self.known is not None:
            return self.known.fingerprint
        return fingerprint_of(self.images, self.labels, self.classes)

    @cached_property
    def histogram(self) -> NDArray[np.int64]:
        """int64 [3, 256]: how many pixels of each channel have each value."""
        return histogram_of(self.images) if self.known is None else self.known.histogram
