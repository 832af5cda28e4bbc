"""Decoded images in files that are mapped into memory, and shared by all who read them.

A file has the images of one part, decoded by the same options: an ``.npy`` of bytes [N, 3, H, W].
Beside it lies what takes a pass over all pixels to know. Of images that are mapped the system holds
in memory what is read, once for all processes, and drops what was read longest ago where memory
is short.

Which file has the images of a data set is found by its path, the options, the indices and the
labels; the sizes and modification times of all files of the data set say whether it still holds.
Neither Pillow's version nor the content of a file of the right length is looked at.
"""

from __future__ import annotations

import hashlib
import io
import json
import mmap
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import astuple, dataclass
from functools import cached_property
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from nas.data.decode import ImageOptions
from nas.data.decoding import Told, decoded
from nas.data.facts import Facts, facts_of
from nas.data.images import ImageSet
from nas.data.source import PartName, Source
from nas.disk import megabytes, require_room
from search_spaces.errors import ConfigError, DataError, NasLoopError
from search_spaces.files import atomic_path, write_atomic

try:
    import fcntl
except ImportError:  # Not on Windows.
    fcntl = None  # type: ignore[assignment]

__all__ = ["Wanted", "cached"]

Wanted = tuple[PartName, NDArray[np.int64]]
"""A part of a source, and the indices [n] of images in it."""

FORMAT = 1
"""Of the files; raised when images are decoded in another way."""
LOCK = ".lock"


def cached(
    folder: Path, source: Source, wanted: Sequence[Wanted], options: ImageOptions, told: Told
) -> list[ImageSet]:
    """As ``decode``, once for each of ``wanted``, with pixels that are mapped from ``folder``.

    In memory are labels, and while images are decoded a few pieces that threads are at.

    What is not there, or does not hold, is decoded and written: by one process, for which others
    wait. They wait for its lock and not for one another, since decoding may take longer than
    processes that train together wait for each other. A file is believed once it is complete: of
    a writer that was killed nothing is.

    Raises:
        DataError: a corrupt or unreadable image, named by its path.
        NasLoopError: there is no room in ``folder``, it cannot be written, or its file system
            knows no locks.
    """
    states = {part: _state(source, part) for part in {part for part, _ in wanted}}
    entries = [
        _Entry(folder, source, part, states[part], indices, options) for part, indices in wanted
    ]
    if not all(entry.known() for entry in entries):
        with _alone(folder, told):
            missing = [entry for entry in entries if not entry.known()]
            for entry in missing:
                entry.clear()
            if missing:
                needed = sum(entry.length for entry in missing)
                require_room(folder, needed, "data.cache")
                told.say(
                    f"{sum(entry.shape[0] for entry in missing):,} images are decoded, once, into "
                    f"{folder}: {megabytes(needed)}"
                )
            for entry in missing:
                entry.write(told)
    return [entry.read() for entry in entries]


@dataclass(frozen=True, eq=False)
class _Entry:
    """A file of images, which may be there."""

    folder: Path
    source: Source
    part: PartName
    state: str
    indices: NDArray[np.int64]
    options: ImageOptions

    @property
    def shape(self) -> tuple[int, int, int, int]:
        return len(self.indices), 3, self.options.size, self.options.size

    @property
    def labels(self) -> NDArray[np.int64]:
        return self.source.parts[self.part].labels[self.indices]

    @cached_property
    def header(self) -> bytes:
        """How the file begins."""
        text = io.BytesIO()
        form = {"descr": "|u1", "fortran_order": False, "shape": self.shape}
        np.lib.format.write_array_header_1_0(text, form)
        return text.getvalue()

    @property
    def length(self) -> int:
        """How long the file is, in bytes."""
        return len(self.header) + int(np.prod(self.shape, dtype=np.int64))

    @cached_property
    def key(self) -> str:
        """A digest of which images they are, wherever they were changed."""
        path = Path(self.source.path)
        place = str(path.resolve()) if path.exists() else self.source.path
        which = (FORMAT, place, self.part, astuple(self.options), self.source.classes)
        digest = hashlib.sha256(repr(which).encode())
        for numbers in (self.indices, self.labels):
            digest.update(np.ascontiguousarray(numbers, dtype="<i8").data)
        return digest.hexdigest()

    @cached_property
    def digest(self) -> str:
        """Of the key, and of the state of the files that images come from."""
        return hashlib.sha256((self.key + self.state).encode()).hexdigest()

    @cached_property
    def file(self) -> Path:
        return self.folder / f"{self.part}-{self.options.size}px-{self.key[:24]}.npy"

    @property
    def facts_file(self) -> Path:
        return self.file.with_suffix(".json")

    def known(self) -> Facts | None:
        """What lies beside the file, if that holds and the file is what it should be."""
        try:
            found = json.loads(self.facts_file.read_text(encoding="utf-8"))
            with self.file.open("rb") as stream:
                whole = os.fstat(stream.fileno()).st_size == self.length
                sound = whole and stream.read(len(self.header)) == self.header
            histogram = np.array(found["histogram"], np.int64)
            sound = sound and found["digest"] == self.digest and histogram.shape == (3, 256)
            return Facts(str(found["fingerprint"]), histogram) if sound else None
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def clear(self) -> None:
        """Take away what does not hold, and what a writer left that was killed."""
        for left in (self.facts_file, self.file, *self.folder.glob(f".{self.file.name}.*.tmp.npy")):
            try:
                left.unlink(missing_ok=True)
            except OSError as error:
                raise NasLoopError(
                    f"{left}: cannot be removed ({error.strerror}); choose another data.cache"
                ) from error

    def write(self, told: Told) -> None:
        """Decode the images; in memory are a few pieces. What lies beside is written last."""
        part = self.source.parts[self.part]
        with atomic_path(self.file) as temporary, temporary.open("wb") as stream:
            stream.write(self.header)
            with closing(decoded(part, self.indices, self.options, told)) as pieces:
                written = (_written(stream, piece) for piece in pieces)
                facts = facts_of(written, self.shape, self.labels, self.source.classes)
        document = {
            "digest": self.digest,
            "fingerprint": facts.fingerprint,
            "histogram": facts.histogram.tolist(),
        }
        write_atomic(self.facts_file, json.dumps(document) + "\n")

    def read(self) -> ImageSet:
        """The images, mapped."""
        facts = self.known()
        if facts is None:
            raise NasLoopError(
                f"{self.file}: was changed or removed while it was read; run the command again"
            )
        try:
            with self.file.open("rb") as stream:
                whole = _mapped(stream.fileno())
        except OSError as error:
            raise NasLoopError(
                f"{self.file}: cannot be mapped into memory ({error.strerror}); set data.cache to "
                "null, or to another folder"
            ) from error
        images = np.frombuffer(whole, np.uint8, offset=len(self.header))
        return ImageSet(images.reshape(self.shape), self.labels, self.source.classes, facts)


def _state(source: Source, part: PartName) -> str:
    """A digest of the sizes and times of all files that images of a part come from."""
    digest = hashlib.sha256()
    for file in source.parts[part].files():
        try:
            found = file.stat()
        except OSError as error:
            raise DataError(f"{file}: cannot be read ({error.strerror})") from error
        place = str(file).removeprefix(source.path).lstrip(os.sep)
        digest.update(f"{place}\0{found.st_size}\0{found.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def _written(stream: BinaryIO, piece: NDArray[np.uint8]) -> NDArray[np.uint8]:
    stream.write(piece.data)
    return piece


def _mapped(file: int) -> mmap.mmap:
    """A whole file, private: who writes to the map changes a copy of that page and not the file."""
    if sys.platform != "linux":
        return mmap.mmap(file, 0, access=mmap.ACCESS_COPY)
    # Without room set aside for copies, or the system refuses files larger than its memory.
    no_reserve = getattr(mmap, "MAP_NORESERVE", 0x4000)  # Python has the name from 3.13 on.
    return mmap.mmap(
        file, 0, flags=mmap.MAP_PRIVATE | no_reserve, prot=mmap.PROT_READ | mmap.PROT_WRITE
    )


@contextmanager
def _alone(folder: Path, told: Told) -> Iterator[None]:
    """Within it no other process writes to ``folder``. The system opens the lock of who dies."""
    if fcntl is None:
        raise ConfigError("data.cache needs a system with locks on files; set it to null")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        stream = (folder / LOCK).open("w")
    except OSError as error:
        raise NasLoopError(
            f"{folder}: cannot be written ({error.strerror}); choose another data.cache"
        ) from error
    with stream:
        try:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                told.say(f"{folder}: another process decodes images into it, which is waited for")
                fcntl.flock(stream, fcntl.LOCK_EX)
        except OSError as error:
            raise NasLoopError(
                f"{folder}: files cannot be locked there ({error.strerror}); choose a data.cache "
                "on another file system"
            ) from error
        yield
