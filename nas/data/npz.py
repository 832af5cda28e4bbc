"""Images from arrays in an `.npz` file."""

from __future__ import annotations

import zipfile
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from nas.data.source import Part, PartName, Source, name_parts
from search_spaces.errors import DataError

__all__ = ["part_of_arrays", "read_npz"]

_NAMES: tuple[tuple[PartName, str, str], ...] = (
    ("train", "images", "labels"),
    ("train", "x_train", "y_train"),
    ("val", "x_val", "y_val"),
    ("test", "x_test", "y_test"),
)


def read_npz(path: Path) -> Source:
    """A source from `images` and `labels`, or `x_train`, `y_train`, `x_test`, `y_test`.

    Images are [N, H, W], [N, H, W, C] or [N, C, H, W] with C of 1, 3 or 4 (the last is opacity).
    uint8 is taken as it is, uint16 spans 0..65535, floats span 0..1 or, if any value of the
    array exceeds 1, 0..255. Labels are integers from 0; `classes` may hold their names. All arrays
    are in memory as long as the source is.

    Raises:
        DataError: not an `.npz`, arrays missing or of the wrong shape or type, NaN.
    """
    arrays = _arrays(path)
    parts: dict[PartName, Part] = {}
    for name, images, labels in _NAMES:
        if images in arrays and labels in arrays:
            where = f"{path}:{images}"
            part = part_of_arrays(arrays[images], arrays[labels], where)
            parts[name] = replace(part, files=lambda: (path,))
    if "train" not in parts:
        raise DataError(
            f"{path}: arrays named images and labels, or x_train and y_train, are needed, "
            f"found {', '.join(arrays) or 'none'}"
        )
    classes = tuple(str(name) for name in arrays.get("classes", ()))
    if not classes:
        classes = tuple(str(n) for n in range(int(parts["train"].labels.max(initial=-1)) + 1))
    return Source(str(path), classes, name_parts(parts))


def _arrays(path: Path) -> dict[str, NDArray[Any]]:
    try:
        loaded = np.load(path, allow_pickle=False)
        if not isinstance(loaded, np.lib.npyio.NpzFile):
            raise DataError(f"{path}: cannot be read as .npz (it is a single array)")
        with loaded as archive:
            return {name: archive[name] for name in archive.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise DataError(f"{path}: cannot be read as .npz ({error})") from error


def part_of_arrays(images: NDArray[Any], labels: NDArray[Any], where: str) -> Part:
    """One part from arrays in memory; shapes and ranges as `read_npz` says.

    Raises:
        DataError: a wrong shape or type, NaN, or a value out of range; the text begins `where`.
    """
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]  # as Keras stores CIFAR-10
    if labels.ndim != 1 or labels.dtype.kind not in "iu":
        raise DataError(
            f"{where}: labels must be integers [N], got {labels.dtype} {list(labels.shape)}"
        )
    pixels = _to_uint8(_channels_last(images, where), where)
    if len(pixels) != len(labels):
        raise DataError(f"{where}: {len(pixels)} images but {len(labels)} labels")
    return Part(
        labels=labels.astype(np.int64),
        open=lambda index: Image.fromarray(pixels[index]),
        where=lambda index: f"{where}[{index}]",
    )


def _channels_last(images: NDArray[Any], where: str) -> NDArray[Any]:
    shape = images.shape
    if images.ndim == 3:
        return images
    if images.ndim == 4 and shape[3] in (1, 3, 4):
        return images[..., 0] if shape[3] == 1 else images
    if images.ndim == 4 and shape[1] in (1, 3, 4):
        return images[:, 0] if shape[1] == 1 else images.transpose(0, 2, 3, 1)
    raise DataError(
        f"{where}: images must be [N, H, W], [N, H, W, C] or [N, C, H, W] with 1, 3 or 4 "
        f"channels, got {list(shape)}"
    )


def _to_uint8(images: NDArray[Any], where: str) -> NDArray[np.uint8]:
    if images.dtype == np.uint8:
        return np.ascontiguousarray(images)
    if images.dtype == np.uint16:
        return ((images.astype(np.uint32) + 128) // 257).astype(np.uint8)
    if images.dtype.kind != "f":
        raise DataError(f"{where}: images must be uint8, uint16 or float, got {images.dtype}")
    if not np.isfinite(images).all():
        raise DataError(f"{where}: images must be finite, got NaN or infinity")
    low, high = images.min(initial=0), images.max(initial=0)
    if low < 0 or high > 255:
        raise DataError(f"{where}: float images must lie in 0..1 or 0..255, got {low:g}..{high:g}")
    scale = 255 if high <= 1 else 1
    return np.round(images * scale).astype(np.uint8)
