"""The images of a configuration, divided; without torch, as a search begins."""

from __future__ import annotations

import numpy as np

from nas.config import Config, DataConfig
from nas.data import ImageOptions, Splits, Told, load_splits
from nas.terminal import Lines

__all__ = ["image_options", "open_splits"]


def image_options(data: DataConfig) -> ImageOptions:
    """What all images are converted to, before training and by whoever deploys."""
    return ImageOptions(size=data.size, fit=data.fit, background=data.background)


def open_splits(config: Config, told: Told | None = None, *, check_test: bool = False) -> Splits:
    """Read and divide what the configuration names; errors name the path.

    ``told`` hears how far decoding is, else lines do. ``check_test``, before a training: see
    ``load_splits``.

    Raises:
        ConfigError: the configuration names no images.
        NasLoopError: there is no room in ``data.cache``, or it cannot be written.
    """
    data = config.images
    return load_splits(
        data.location,
        image_options(data),
        data.val_fraction,
        data.test_fraction,
        np.random.default_rng(data.split_seed),
        data.cache_folder,
        told or Lines(),
        check_test=check_test,
    )
