"""Many images decoded, by several threads at a time.

Pillow lets go of Python's lock while it reads, decodes and resizes an image, so that threads are
as good as processes and nothing is sent between them.
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable, Generator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from nas.data.decode import ImageOptions, square
from nas.data.images import ImageSet
from nas.data.source import Part, PartName, Source, reading
from nas.processor import usable_cores

__all__ = ["SILENT", "Told", "decode", "decoded"]

PIECE = 32
"""Images that a thread decodes in one go."""
MOST_THREADS = 32
"""More of them wait for Python's lock."""


class Told(Protocol):
    """Who hears how far long work is, as ``nas.terminal.Screen`` does."""

    def say(self, text: str) -> None:
        """A remark."""

    def progress(
        self, title: str, total: float
    ) -> AbstractContextManager[Callable[[float, str], None]]:
        """Within it: a function of how much is done and a remark."""


class _Silent:
    def say(self, text: str) -> None:
        pass

    def progress(
        self, title: str, total: float
    ) -> AbstractContextManager[Callable[[float, str], None]]:
        return contextlib.nullcontext(lambda done, remark: None)


SILENT: Told = _Silent()
"""Nobody hears."""


def decode(
    source: Source,
    name: PartName,
    options: ImageOptions,
    indices: NDArray[np.int64] | None = None,
    told: Told = SILENT,
) -> ImageSet:
    """Images of one part, converted as the options say: all, or those at ``indices`` [n].

    In memory are the n images and a few pieces that threads are at.

    Raises:
        DataError: a corrupt or unreadable image, named by its path; the first in the order.
    """
    part = source.parts[name]
    chosen = np.arange(len(part)) if indices is None else indices
    images = np.empty((len(chosen), 3, options.size, options.size), np.uint8)
    done = 0
    for piece in decoded(part, chosen, options, told):
        images[done : done + len(piece)] = piece
        done += len(piece)
    return ImageSet(images, part.labels[chosen], source.classes)


def decoded(
    part: Part,
    indices: NDArray[np.int64],
    options: ImageOptions,
    told: Told = SILENT,
    threads: int | None = None,
) -> Generator[NDArray[np.uint8], None, None]:
    """The images at ``indices`` [n], in that order, in pieces: uint8 [PIECE or fewer, 3, H, W].

    Args:
        threads: that decode at a time; None for one a core. At most two pieces of each are in
            memory, however slowly they are taken.

    Raises:
        DataError: a corrupt or unreadable image, named by its path; the first in the order.
    """
    count = threads or min(usable_cores(), MOST_THREADS)
    Image.init()  # Formats that a thread makes known while another asks are missed by that one.
    waiting: deque[Future[NDArray[np.uint8]]] = deque()
    done = 0
    with (
        told.progress("decode images", len(indices)) as advance,
        ThreadPoolExecutor(count, "decode") as pool,
    ):
        try:
            for start in range(0, len(indices), PIECE):
                chosen = indices[start : start + PIECE]
                waiting.append(pool.submit(_piece, part, chosen, options))
                if len(waiting) == 2 * count:
                    yield (piece := waiting.popleft().result())
                    advance(done := done + len(piece), "")
            while waiting:
                yield (piece := waiting.popleft().result())
                advance(done := done + len(piece), "")
        finally:
            for one in waiting:
                one.cancel()


def _piece(part: Part, indices: NDArray[np.int64], options: ImageOptions) -> NDArray[np.uint8]:
    images = np.empty((len(indices), 3, options.size, options.size), np.uint8)
    for row, index in enumerate(indices.tolist()):
        with reading(part, index), part.open(index) as image:
            images[row] = square(image, options)
    return images
