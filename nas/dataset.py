"""The images of a configuration, divided and as tensors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nas.config import Config, DataConfig
from nas.data import ImageOptions, Splits, Told, load_splits
from nas.data.augment import AugmentOptions, Normalisation
from nas.data.batches import as_tensors
from nas.terminal import Lines
from nas.training.images import Images

__all__ = ["Dataset", "image_options", "open_dataset"]


@dataclass(frozen=True, eq=False)
class Dataset:
    """The parts, and what training makes of them."""

    splits: Splits
    images: Images

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes."""
        return self.splits.train.classes

    @property
    def bytes(self) -> int:
        """Of all pixels of training and held-out images."""
        return self.splits.train.images.nbytes + self.splits.val.images.nbytes

    @property
    def fingerprint(self) -> str:
        """What results belong to: the pixels and labels of training and held-out images."""
        return f"{self.splits.train.fingerprint}{self.splits.val.fingerprint}"


def image_options(data: DataConfig) -> ImageOptions:
    """What all images are converted to, before training and by whoever deploys."""
    return ImageOptions(size=data.size, fit=data.fit, background=data.background)


def open_dataset(config: Config, told: Told | None = None, *, check_test: bool = False) -> Dataset:
    """Read and divide what the configuration names; errors name the path.

    In memory are all training and held-out images as bytes; with ``data.cache`` they are mapped
    from files, and tensors share the map. ``told`` hears how far decoding is, else lines do.
    ``check_test``, before a training: see ``load_splits``.

    Raises:
        ConfigError: the configuration names no images.
        NasLoopError: there is no room in ``data.cache``, or it cannot be written.
    """
    data = config.images
    options = image_options(data)
    splits = load_splits(
        data.location,
        options,
        data.val_fraction,
        data.test_fraction,
        np.random.default_rng(data.split_seed),
        data.cache_folder,
        told or Lines(),
        check_test=check_test,
    )
    train, train_labels = as_tensors(splits.train)
    val, val_labels = as_tensors(splits.val)
    augment = AugmentOptions(
        shift=data.shift,
        flip=data.horizontal_flip,
        cutout=data.cutout,
        randaugment=data.randaugment,
        magnitude=data.magnitude,
    )
    normalisation = Normalisation.of_histogram(splits.train.histogram)
    return Dataset(splits, Images(train, train_labels, val, val_labels, normalisation, augment))
