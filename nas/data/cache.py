"""Decoded pixels kept between commands, because decoding 60,000 files takes longer than reading."""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path

import numpy as np

from nas.data.decode import ImageOptions
from nas.data.images import ImageSet
from nas.data.source import PartName, Source, decode
from search_spaces.files import atomic_path

__all__ = ["decode_cached"]

# Raised when decoding changes what pixels come out, so that old entries are not used.
_VERSION = 1


def decode_cached(source: Source, name: PartName, options: ImageOptions, folder: Path) -> ImageSet:
    """`decode`, or the same from `folder` if it was decoded before.

    The key holds the source's stamp (paths, sizes, times), so that changed files are decoded
    anew. A damaged entry is decoded again and replaced.

    Raises:
        DataError: a corrupt or unreadable image, named by its path.
        NasLoopError: the folder cannot be written.
    """
    key = hashlib.sha256(repr((_VERSION, source.stamp, name, options)).encode()).hexdigest()
    path = folder / f"{name}-{key[:16]}.npz"
    try:
        with np.load(path, allow_pickle=False) as archive:
            return ImageSet(archive["images"], archive["labels"], source.classes)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        images = decode(source, name, options)
    with atomic_path(path) as temporary:
        np.savez(temporary, images=images.images, labels=images.labels)
    return images
