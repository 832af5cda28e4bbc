"""Arrays that grow."""

from __future__ import annotations

from typing import Generic, TypeVar

import numpy as np
import numpy.typing as npt

Kind = TypeVar("Kind", bound=np.generic)

LEAST = 256


class Column(Generic[Kind]):
    """Values one after another, [n] or [n, width], in room that doubles when it is full."""

    def __init__(self, kind: type[Kind], width: int | None = None) -> None:
        self._room = np.empty((LEAST,) if width is None else (LEAST, width), dtype=kind)
        self._length = 0

    @property
    def array(self) -> npt.NDArray[Kind]:
        """What is there: a view that lasts until more is appended."""
        return self._room[: self._length]

    def append(self, values: npt.NDArray[np.generic]) -> None:
        """Add values [m] or [m, width]."""
        needed = self._length + len(values)
        if needed > len(self._room):
            room = np.empty(
                (max(needed, 2 * len(self._room)), *self._room.shape[1:]), self._room.dtype
            )
            room[: self._length] = self.array
            self._room = room
        self._room[self._length : needed] = values
        self._length = needed
