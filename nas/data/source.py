"""Where images come from: labels at once, pixels on demand.

Every reader returns a `Source`; splitting, decoding and looking at a data set are written once,
on top of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from search_spaces.errors import DataError

__all__ = [
    "PART_NAMES",
    "Part",
    "PartName",
    "Source",
    "name_parts",
    "reading",
]

PartName = Literal["train", "val", "test"]
T = TypeVar("T")

# What people call the parts, in folders and in file names.
PART_NAMES: dict[str, PartName] = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
    "testing": "test",
}


@dataclass(frozen=True, eq=False)
class Part:
    """One part of a source.

    Attributes:
        labels: int64 [N], indices into the source's classes.
        open: image number -> an image of Pillow, perhaps not decoded yet. Threads may call it at
            the same time.
        where: image number -> where it lies, for error messages.
        files: the paths of all files that images are read from; none for what a library brings.
    """

    labels: NDArray[np.int64]
    open: Callable[[int], Image.Image]
    where: Callable[[int], str]
    files: Callable[[], Iterable[Path]] = tuple

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True, eq=False)
class Source:
    """A data set that was looked at but not decoded.

    Attributes:
        path: what the user gave.
        classes: the names of the classes, in the order of the labels.
        parts: `train` always; `test` and `val` if the source has them.

    Raises:
        DataError: fewer than two classes, a class without training images, or a label that no
            class has.
    """

    path: str
    classes: tuple[str, ...]
    parts: Mapping[PartName, Part]

    def __post_init__(self) -> None:
        if len(self.classes) < 2:
            found = ", ".join(self.classes) or "none"
            raise DataError(f"{self.path}: at least two classes are needed, found {found}")
        if len(set(self.classes)) < len(self.classes):
            raise DataError(f"{self.path}: class names must differ, got {list(self.classes)}")
        for name, part in self.parts.items():
            self._check_labels(name, part)
        counts = np.bincount(self.parts["train"].labels, minlength=len(self.classes))
        for label in np.flatnonzero(counts == 0):
            raise DataError(f"{self.path}: class {self.classes[label]!r} has no training images")

    def _check_labels(self, name: str, part: Part) -> None:
        wrong = np.flatnonzero((part.labels < 0) | (part.labels >= len(self.classes)))
        if len(wrong):
            first = int(wrong[0])
            raise DataError(
                f"{part.where(first)}: label {part.labels[first]} is outside "
                f"0..{len(self.classes) - 1} ({len(self.classes)} classes); "
                f"{len(wrong)} such labels in {name}"
            )


@contextmanager
def reading(part: Part, index: int) -> Iterator[None]:
    """Errors about one image become a `DataError` of one line that says where it lies."""
    where = part.where(index)
    try:
        yield
    except DataError as error:
        raise DataError(f"{where}: {error}") from error
    except UnidentifiedImageError as error:  # its own text names a stream in memory
        raise DataError(f"{where}: is not an image of a known format, or is damaged") from error
    # Pillow's decoders answer broken files with a dozen kinds of exceptions.
    except Exception as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise DataError(
            f"{where}: cannot be read as an image ({reason.splitlines()[0]})"
        ) from error


def name_parts(named: dict[PartName, T]) -> dict[PartName, T]:
    """The parts by what they are used for: a `val` without a `test` is the test part.

    Published sets with two parts often call the second one validation. A validation part for
    the search can always be held out of the training images; a test part cannot.
    """
    if "val" in named and "test" not in named:
        return {"train": named["train"], "test": named["val"]}
    return named
