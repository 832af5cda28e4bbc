"""Which rows were there already, by hash and never by pairwise comparison."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from nas.search.searcher import Rows
from search_spaces.space import Space

# Rounds of sampling in which nothing new may turn up before a space counts as exhausted.
PATIENCE = 50


def keys(rows: Rows) -> list[bytes]:
    """One hashable key for each row [n, choices]; equal rows have equal keys."""
    width = rows.shape[1] * np.dtype(np.int16).itemsize
    data = rows.astype(np.int16).tobytes()
    return [data[start : start + width] for start in range(0, len(rows) * width, width)]


class Seen:
    """A set of rows."""

    def __init__(self) -> None:
        self._keys: set[bytes] = set()

    def add(self, rows: Rows) -> npt.NDArray[np.bool_]:
        """Add rows [n, choices]; True for those that were new, the first of equals only."""
        fresh = np.zeros(len(rows), dtype=np.bool_)
        for i, key in enumerate(keys(rows)):
            if key not in self._keys:
                self._keys.add(key)
                fresh[i] = True
        return fresh

    def __len__(self) -> int:
        return len(self._keys)

    def __contains__(self, key: bytes) -> bool:
        return key in self._keys


def unseen(space: Space, n: int, rng: np.random.Generator, seen: Seen) -> Rows:
    """``n`` random canonical rows that are not in ``seen``, which then holds them.

    Fewer where many rounds of sampling find no more.
    """
    found = [np.empty((0, len(space.choices)), dtype=np.int64)]
    missing, idle = n, 0
    while missing and idle < PATIENCE:
        # Small spaces are exhausted sooner when a round is larger than what is missing.
        rows = space.sample(missing if not idle else max(1024, 4 * missing), rng)
        rows = rows[_first_unseen(rows, seen)][:missing]
        seen.add(rows)
        found.append(rows)
        missing -= len(rows)
        idle = idle + 1 if not len(rows) else 0
    return np.concatenate(found)


def _first_unseen(rows: Rows, seen: Seen) -> list[int]:
    first: dict[bytes, int] = {}
    for i, key in enumerate(keys(rows)):
        if key not in seen:
            first.setdefault(key, i)
    return list(first.values())
