"""What takes a pass over all pixels to know of a set of images; a few at a time, without a copy."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Facts", "facts_of", "few_at_a_time", "fingerprint_of", "histogram_of"]

FEW = 256


@dataclass(frozen=True, eq=False)
class Facts:
    """Of a set of images.

    Attributes:
        fingerprint: SHA-256 over shape, pixels, labels and class names: what a result belongs to.
        histogram: int64 [3, 256], how many pixels of each channel have each value.
    """

    fingerprint: str
    histogram: NDArray[np.int64]


class _Fingerprint:
    """Of images that come a few at a time; ``shape`` is that of all of them."""

    def __init__(self, shape: tuple[int, ...], classes: tuple[str, ...]) -> None:
        self._digest = hashlib.sha256(repr((shape, classes)).encode())

    def add(self, images: NDArray[np.uint8]) -> None:
        self._digest.update(np.ascontiguousarray(images).data)

    def end(self, labels: NDArray[np.int64]) -> str:
        # A fixed byte order, so that the fingerprint is the same on every machine.
        self._digest.update(np.ascontiguousarray(labels, dtype="<i8").data)
        return self._digest.hexdigest()


def few_at_a_time(images: NDArray[np.uint8]) -> Iterator[NDArray[np.uint8]]:
    """Views of images [N, 3, H, W], in their order."""
    for start in range(0, len(images), FEW):
        yield images[start : start + FEW]


def fingerprint_of(
    images: NDArray[np.uint8], labels: NDArray[np.int64], classes: tuple[str, ...]
) -> str:
    """See ``Facts``: of images [N, 3, H, W] and labels [N]."""
    fingerprint = _Fingerprint(images.shape, classes)
    for few in few_at_a_time(images):
        fingerprint.add(few)
    return fingerprint.end(labels)


def histogram_of(images: NDArray[np.uint8]) -> NDArray[np.int64]:
    """See ``Facts``: of images [N, 3, H, W]."""
    counts = np.zeros((3, 256), np.int64)
    for few in few_at_a_time(images):
        for channel in range(3):
            counts[channel] += np.bincount(few[:, channel].ravel(), minlength=256)
    return counts


def facts_of(
    pieces: Iterable[NDArray[np.uint8]],
    shape: tuple[int, ...],
    labels: NDArray[np.int64],
    classes: tuple[str, ...],
) -> Facts:
    """Both, of images of ``shape`` that are seen once, in ``pieces``."""
    fingerprint, counts = _Fingerprint(shape, classes), np.zeros((3, 256), np.int64)
    for piece in pieces:
        fingerprint.add(piece)
        counts += histogram_of(piece)
    return Facts(fingerprint.end(labels), counts)
