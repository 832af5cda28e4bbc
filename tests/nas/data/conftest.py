from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nas.data import ImageOptions, ImageSet, PartName, open_source
from nas.data.decoding import decode


def load(path: str | Path, options: ImageOptions, part: PartName = "train") -> ImageSet:
    """All images of one part of a data set, in memory."""
    return decode(open_source(path), part, options)


@pytest.fixture
def class_folders(tmp_path: Path) -> Callable[..., Path]:
    """Writes `counts[class]` random PNGs of 8x8 below `root/class`, and returns root."""

    def write(counts: dict[str, int], root: Path = tmp_path / "images") -> Path:
        rng = np.random.default_rng(len(counts))
        for name, count in counts.items():
            (root / name).mkdir(parents=True)
            for number in range(count):
                pixels = rng.integers(0, 256, (8, 8, 3), np.uint8)
                Image.fromarray(pixels).save(root / name / f"{number:03}.png")
        return root

    return write
