"""The images of a configuration, divided and as tensors."""

from __future__ import annotations

from dataclasses import dataclass

from nas.config import Config
from nas.data import Splits, Told
from nas.data.augment import AugmentOptions, Normalisation
from nas.data.batches import as_tensors
from nas.divided import open_splits
from nas.training.images import Images

__all__ = ["Dataset", "dataset_of", "open_dataset"]


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
        """What results belong to."""
        return self.splits.fingerprint


def open_dataset(config: Config, told: Told | None = None, *, check_test: bool = False) -> Dataset:
    """``dataset_of`` what ``open_splits`` reads, which says what is raised."""
    return dataset_of(config, open_splits(config, told, check_test=check_test))


def dataset_of(config: Config, splits: Splits) -> Dataset:
    """The images of a configuration as tensors.

    In memory are all training and held-out images as bytes; with ``data.cache`` they are mapped
    from files, and tensors share the map.
    """
    data = config.images
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
