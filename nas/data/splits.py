"""Which images train, which guide the search, and which are kept for the final report."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nas.data.cache import Wanted, cached
from nas.data.decode import ImageOptions
from nas.data.decoding import SILENT, Told, decode, decoded
from nas.data.images import ImageSet
from nas.data.load import open_source
from nas.data.source import PartName, Source
from search_spaces.errors import ConfigError, DataError

__all__ = ["Splits", "load_splits", "stratified"]

Read = Callable[[Source, list[Wanted]], list[ImageSet]]
"""Images of several parts of a source."""


@dataclass(frozen=True, eq=False)
class Splits:
    """A data set, divided.

    Attributes:
        train: what weights are fitted and batch norms recalibrated on.
        val: held out of the training images; what predictors and the search are fitted on.
        test: a function, so that nobody holds test images by accident. The final report calls
            it, once, and nothing else does. It opens the data set again; until then nothing of
            it but labels is held. Raises ``DataError`` where it has other labels by now.
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
    cache: Path | None = None,
    told: Told = SILENT,
    *,
    check_test: bool = False,
) -> Splits:
    """Load and divide a data set, stratified by class.

    A test part that the source has is used as it is, and `test_fraction` is not read; else that
    fraction of the images becomes it. A validation part beside a test part is used as it is;
    else `val_fraction` of the remaining training images becomes it.

    Labels are divided, and then each part's images are decoded: into memory, or into files of
    the folder `cache`, which are mapped (see `nas.data.cache`). `check_test` decodes test images
    that are divided off as well, into `cache` or to be let go of at once: a damaged one is better
    named before a training than by its report. A test part that the source has is left alone.

    Raises:
        DataError: see `open_source` and `decode`; or a class with too few images to be in every
            part.
        ConfigError: a fraction outside 0..1, ends excluded.
        NasLoopError: there is no room in `cache`, or it cannot be written.
    """

    def read(source: Source, wanted: list[Wanted]) -> list[ImageSet]:
        if cache is not None:
            return cached(cache, source, wanted, options, told)
        return [decode(source, name, options, indices, told) for name, indices in wanted]

    source = open_source(path)
    rest = _all(source, "train")
    checked: list[Wanted] = []
    if "test" in source.parts:
        test = _later(path, source, ("test", _all(source, "test")), read)
    else:
        rest, held = _divide(source, rest, test_fraction, rng)
        test = _later(path, source, ("train", held), read)
        checked = [("train", held)] if check_test else []
    if "val" in source.parts:
        val: Wanted = ("val", _all(source, "val"))
    else:
        rest, held = _divide(source, rest, val_fraction, rng)
        val = ("train", held)
    if cache is None:
        for name, indices in checked:
            for _ in decoded(source.parts[name], indices, options, told):
                pass
        checked = []
    train, held_out = read(source, [("train", rest), val, *checked])[:2]
    return Splits(train, held_out, test)


def _all(source: Source, name: PartName) -> NDArray[np.int64]:
    return np.arange(len(source.parts[name]))


def _later(path: str | Path, source: Source, wanted: Wanted, read: Read) -> Callable[[], ImageSet]:
    name, labels, classes = wanted[0], source.parts[wanted[0]].labels, source.classes

    def test() -> ImageSet:
        again = open_source(path)
        same = again.classes == classes and name in again.parts
        if not (same and np.array_equal(again.parts[name].labels, labels)):
            raise DataError(f"{path}: has other images than when it was opened; start again")
        (images,) = read(again, [wanted])
        return images

    return test


def _divide(
    source: Source, indices: NDArray[np.int64], fraction: float, rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Those training images at ``indices`` that are kept, and those held out."""
    labels = source.parts["train"].labels[indices]
    try:
        kept, held = stratified(labels, fraction, rng, source.classes)
    except DataError as error:
        raise DataError(f"{source.path}: {error}") from error
    return indices[kept], indices[held]


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
