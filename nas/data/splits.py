"""Which images train, which guide the search, and which are kept for the final report."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nas.data.decode import ImageOptions
from nas.data.images import ImageSet
from nas.data.load import load_part, open_source
from nas.data.source import Source
from search_spaces.errors import ConfigError, DataError

__all__ = ["Splits", "load_splits", "stratified"]


@dataclass(frozen=True, eq=False)
class Splits:
    """A data set, divided.

    Attributes:
        train: what weights are fitted and batch norms recalibrated on.
        val: held out of the training images; what predictors and the search are fitted on.
        test: a function, so that nobody holds test images by accident. The final report calls
            it, once, and nothing else does.
    """

    train: ImageSet
    val: ImageSet
    test: Callable[[], ImageSet]


def load_splits(
    path: str | Path,
    options: ImageOptions,
    val_fraction: float,
    test_fraction: float,
    rng: np.random.Generator,
) -> Splits:
    """Load and divide a data set, stratified by class.

    A test part that the source has is used as it is, and `test_fraction` is not read; else that
    fraction of the images becomes it. A validation part beside a test part is used as it is;
    else `val_fraction` of the remaining training images becomes it.

    Raises:
        DataError: see `load`; or a class with too few images to be in every part.
        ConfigError: a fraction outside 0..1, ends excluded.
    """
    source = open_source(path)
    rest = load_part(source, "train", options)
    if "test" in source.parts:
        test = _later(source, options)
    else:
        rest, held = _divide(rest, test_fraction, rng, source)
        test = _known(held)
    if "val" in source.parts:
        return Splits(rest, load_part(source, "val", options), test)
    train, val = _divide(rest, val_fraction, rng, source)
    return Splits(train, val, test)


def _later(source: Source, options: ImageOptions) -> Callable[[], ImageSet]:
    return lambda: load_part(source, "test", options)


def _known(images: ImageSet) -> Callable[[], ImageSet]:
    return lambda: images


def _divide(
    images: ImageSet, fraction: float, rng: np.random.Generator, source: Source
) -> tuple[ImageSet, ImageSet]:
    try:
        kept, held = stratified(images.labels, fraction, rng, images.classes)
    except DataError as error:
        raise DataError(f"{source.path}: {error}") from error
    return images.subset(kept), images.subset(held)


def stratified(
    labels: NDArray[np.int64],
    fraction: float,
    rng: np.random.Generator,
    classes: tuple[str, ...],
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Indices (kept, held out), each sorted; `fraction` of every class is held out.

    Counts are rounded, but every class keeps at least one image in both.

    Raises:
        DataError: a class with fewer than two images.
        ConfigError: a fraction outside 0..1, ends excluded.
    """
    if not 0 < fraction < 1:
        raise ConfigError(f"a part held out must be more than 0 and less than 1, got {fraction}")
    held: list[NDArray[np.int64]] = []
    for label, name in enumerate(classes):
        members = np.flatnonzero(labels == label)
        if len(members) < 2:
            raise DataError(
                f"class {name!r} has {len(members)} image{'s' * (len(members) != 1)} left to "
                "divide; at least two are needed, one to train on and one to hold out"
            )
        count = int(np.clip(round(len(members) * fraction), 1, len(members) - 1))
        held.append(rng.permutation(members)[:count])
    out = np.sort(np.concatenate(held))
    kept = np.setdiff1d(np.arange(len(labels)), out, assume_unique=True)
    return kept, out
